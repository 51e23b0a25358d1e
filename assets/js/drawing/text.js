/* Text for people, in the language of the page.
 *
 *   codePoint(code)       the name of a character: "U+0041"
 *   visible(token)        how one token is shown: "␣", "⏎"       series(parts)    one after the other: "a, b"
 *   named(name, what)     a name and what it has: "a: b"         sentences(list)  several as one text
 *   kind("vowel")         a kind of token, in words              halves(text)     its width, in half-width characters
 *   inWords(tokens)       are these of a text whole words?       shownPieces(tokens)  of words without their spaces
 *   beginning(text)       its first 80 characters, and "…" when there are more
 */
(() => {
  "use strict";

  const TEXT = window.tp.words({
    en: {
      series: ", ",
      /** @type {(name: string, what: string | number) => string} */
      named: (name, what) => `${name}: ${what}`,
      between: " ",
      kinds: {
        vowel: "vowel",
        consonant: "consonant",
        capital: "capital",
        digit: "digit",
        space: "space",
        newline: "newline",
        punctuation: "punctuation",
        "Chinese character": "Chinese character",
        other: "other",
      },
    },
    zh: {
      series: "，",
      /** @type {(name: string, what: string | number) => string} */
      named: (name, what) => `${name}：${what}`,
      between: "",
      kinds: {
        vowel: "元音字母",
        consonant: "辅音字母",
        capital: "大写字母",
        digit: "数字",
        space: "空格",
        newline: "换行",
        punctuation: "标点",
        "Chinese character": "汉字",
        other: "其他",
      },
    },
  });

  /** @type {{[char: string]: string}} */
  const NAMED = { " ": "␣", "\n": "⏎", "\t": "⇥" };
  /** @type {Tp["codePoint"]} */
  const codePoint = (/** @type {number} */ code) => `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;

  /** How one token is shown: every character can be seen, and none changes the text around it.
   *
   * @type {Tp["visible"]} */
  function visible(text) {
    if (text === "") return "∅";
    const chars = [...text];
    return chars
      .map((char, i) => {
        if (char in NAMED) return NAMED[char];
        const code = char.codePointAt(0) ?? 0;
        if (code < 0x20) return String.fromCodePoint(0x2400 + code);
        if (code === 0x7f) return "␡";
        if (char === "\u200d" && i > 0 && i < chars.length - 1) return char; // joins an emoji
        if (/[\p{Cc}\p{Cf}\p{Cs}\p{Cn}\p{Co}\p{Z}]/u.test(char)) return codePoint(code);
        if (/\p{M}/u.test(char) && i === 0) return `◌${char}`;
        return char;
      })
      .join("");
  }

  /** @type {Tp["inWords"]} */
  const inWords = (pieces) =>
    pieces.some((piece) => /^ \p{L}/u.test(piece)) &&
    pieces.every((piece, i) => i === 0 || !/^\p{L}/u.test(piece) || !/\p{L}$/u.test(pieces[i - 1]));

  /** @type {Tp["shownPieces"]} */
  const shownPieces = (pieces) =>
    inWords(pieces)
      ? pieces.map((piece) => visible(/^ [^ ]/.test(piece) ? piece.slice(1) : piece))
      : pieces.map(visible);

  /** @type {Tp["beginning"]} */
  const beginning = (text, shown = (char) => char) => {
    const chars = [...text];
    return chars.slice(0, 80).map(shown).join("") + (chars.length > 80 ? "…" : "");
  };

  /** @type {Tp["series"]} */
  const series = (parts) => Array.from(parts).join(TEXT.series);
  /** @type {Tp["named"]} */
  const named = (name, what) => TEXT.named(name, what);
  /** @type {Tp["sentences"]} */
  const sentences = (parts) => parts.filter(Boolean).join(TEXT.between);
  /** @type {Tp["kind"]} */
  const kind = (name) => /** @type {{[kind: string]: string}} */ (TEXT.kinds)[name] ?? name;

  const EAST_ASIAN = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/;
  const EMOJI = /\p{Emoji_Presentation}/u;

  /** How wide a text is, in half-width characters, where measuring it would force a layout: a Chinese one counts twice.
   *
   * @type {Tp["halves"]} */
  const halves = (text) =>
    [...text].reduce((sum, char) => sum + (EAST_ASIAN.test(char) || EMOJI.test(char) ? 2 : 1), 0);

  Object.assign(window.tp, { visible, codePoint, inWords, shownPieces, beginning, halves });
  Object.assign(window.tp, { series, named, sentences, kind });
})();
