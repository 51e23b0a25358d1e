/* `tp.readText(file)`: a text file that a learner chose, read as the engine reads one (engine/data/reading.py).
 *
 * UTF-8, or UTF-16 with a byte-order mark. Answers {text}, or {problem}: a sentence that says where the first byte is
 * that is not text, and what to do.
 */
(() => {
  "use strict";

  const TEXT = window.tp.words({
    en: {
      /** @type {(byte: string, line: string, value: string) => string} */
      notUtf8: (byte, line, value) =>
        `This file is not UTF-8: byte ${byte}, in line ${line}, is 0x${value}. Save it as UTF-8 and choose it again.`,
      notUtf16: "This file is not UTF-16, as its first bytes say. Save it as UTF-8 and choose it again.",
      binary: "This file is not text: it holds a zero.",
    },
    zh: {
      /** @type {(byte: string, line: string, value: string) => string} */
      notUtf8: (byte, line, value) =>
        `这个文件不是 UTF-8：第 ${line} 行的第 ${byte} 个字节是 0x${value}。请存为 UTF-8，再选一次。`,
      notUtf16: "这个文件的开头说它是 UTF-16，但它不是。请存为 UTF-8，再选一次。",
      binary: "这个文件不是文本：里面有零字节。",
    },
  });

  /** @type {{[mark: string]: string}} */
  const MARKS = { fffe: "utf-16le", feff: "utf-16be" };
  const hex = (/** @type {number} */ byte) => byte.toString(16).padStart(2, "0");

  /** The bytes as text; null where they are none. An unfinished last character is left out.
   *
   * @param {Uint8Array} bytes */
  function beginning(bytes) {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes, { stream: true });
    } catch {
      return null;
    }
  }

  /** The place of the first byte that is not UTF-8: the longest beginning that is, is looked for by halves.
   *
   * @param {Uint8Array} bytes */
  function firstWrong(bytes) {
    let good = 0;
    let bad = bytes.length + 1; // the whole may end within a character
    while (bad - good > 1) {
      const middle = (good + bad) >> 1;
      if (beginning(bytes.subarray(0, middle)) === null) bad = middle;
      else good = middle;
    }
    return new TextEncoder().encode(beginning(bytes.subarray(0, good)) ?? "").length;
  }

  /** @type {Tp["readText"]} */
  async function readText(file) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const encoding = MARKS[hex(bytes[0] ?? 0) + hex(bytes[1] ?? 0)] ?? "utf-8";
    try {
      const text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
      return text.includes("\0") ? { problem: TEXT.binary } : { text };
    } catch {
      if (encoding !== "utf-8") return { problem: TEXT.notUtf16 };
      if (bytes.includes(0)) return { problem: TEXT.binary };
      const place = firstWrong(bytes);
      const line = bytes.subarray(0, place).reduce((lines, byte) => lines + (byte === 10 ? 1 : 0), 1);
      return {
        problem: TEXT.notUtf8(place.toLocaleString("en"), line.toLocaleString("en"), hex(bytes[place]).toUpperCase()),
      };
    }
  }

  Object.assign(window.tp, { readText });
})();
