/* Source code in lessons, for `tp.lessons.blocks`: coloured, with the numbers of its lines, and with notes below the
 * lines that they are about. A short excerpt is open; a long one opens when it is asked for.
 *
 *   tp.lessons.coloured(line, inside)    the parts of a line of Python as [kind, text]; `inside` is the delimiter of
 *                                        the text that began before it, or ""; returns {parts, inside}
 */
(() => {
  "use strict";

  const { el, lessons } = window.tp;
  const SHORT = 24; // lines of an excerpt that is shown at once

  const TEXT = window.tp.words({
    en: {
      /** @type {(from: number, to: number) => string} */
      lines: (from, to) => (from === to ? `line ${from}` : `lines ${from} to ${to}`),
      note: "Note:",
    },
    zh: { lines: (from, to) => (from === to ? `第 ${from} 行` : `第 ${from} 到 ${to} 行`), note: "说明：" },
  });

  const KEYWORDS = new Set(
    (
      "and as assert async await break class continue def del elif else except False finally for from global if " +
      "import in is lambda match None nonlocal not or pass raise return True try while with yield self"
    ).split(" "),
  );
  const KINDS = {
    comment: /#.*/,
    text: /[rbf]{0,2}(?:"""|'''|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')/,
    number: /\b\d[\d_]*(?:\.\d+)?(?:e-?\d+)?\b/,
    word: /[A-Za-z_]\w*/,
  };
  const ANY = Object.entries(KINDS).map(([kind, { source }]) => `(?<${kind}>${source})`);
  const TOKEN = new RegExp(ANY.join("|"), "y");
  const LONG = /"""|'''/;

  /** @type {Tp["lessons"]["coloured"]} */
  function coloured(line, inside = "") {
    /** @type {[string, string][]} */
    const parts = [];
    const add = (/** @type {string} */ kind, /** @type {string} */ text) => {
      const last = parts.at(-1);
      if (last && last[0] === kind) last[1] += text;
      else if (text) parts.push([kind, text]);
    };
    let at = 0;
    let named = false; // the word before was def or class
    while (at < line.length) {
      if (inside) {
        const end = line.indexOf(inside, at);
        const to = end < 0 ? line.length : end + inside.length;
        add("text", line.slice(at, to));
        if (end >= 0) inside = "";
        at = to;
        continue;
      }
      TOKEN.lastIndex = at;
      const found = TOKEN.exec(line);
      if (!found) {
        add("", line[at]);
        at += 1;
        continue;
      }
      const { comment, text, number, word } = found.groups ?? {};
      at += found[0].length;
      if (comment) add("comment", comment);
      else if (text) {
        add("text", text);
        if (LONG.test(text)) inside = text.slice(-3);
      } else if (number) add("number", number);
      else {
        add(KEYWORDS.has(word) ? "keyword" : named ? "name" : "", word);
        named = word === "def" || word === "class";
      }
    }
    return { parts, inside };
  }

  /** @param {Block} block */
  function code({ text, source, first, lines: range, notes }) {
    const lines = source.split("\n");
    let inside = "";
    const rows = lines.flatMap((/** @type {string} */ line, /** @type {number} */ i) => {
      const here = notes.filter((/** @type {any} */ note) => note.line === i);
      const found = coloured(line, inside);
      inside = found.inside;
      const row = el("code", { class: here.length ? "line noted" : "line", "data-line": first + i }, [
        found.parts.map(([kind, part]) => (kind ? el("span", { class: kind, text: part }) : part)),
        "\n",
      ]);
      const below = here.map((/** @type {any} */ note) =>
        el("span", { class: "note" }, [
          el("span", { class: "tp-hidden", text: `${TEXT.note} ` }),
          lessons.spans(note.spans),
        ]),
      );
      return [row, ...below];
    });
    const caption = range ? `${text} · ${TEXT.lines(first, first + lines.length - 1)}` : text;
    return el("details", { class: "tp-code", open: lines.length <= SHORT || undefined }, [
      el("summary", { text: caption }),
      el("pre", { tabindex: 0, translate: "no", "aria-label": caption }, rows),
    ]);
  }

  lessons.draw.code = code;
  Object.assign(lessons, { coloured });
})();
