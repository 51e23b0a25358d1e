/* `tp.terms`: the glossary's terms in a text, which open their definitions.
 *
 *   mark(node, terms)          make the first occurrence of each term in a text a word that opens its definition
 *   find(text, terms, used)    where terms occur in a text: [{start, end, term}]; `used` holds those not wanted
 *   means(term)                its definition in the page's language; lesson(term) a link to the lesson that teaches it
 *
 * The definition opens by pointing, by focus and by tapping; Escape, a click elsewhere and scrolling close it. It
 * stands in the document right after its word, so that Tab leads into it, but takes no place in the line.
 */
(() => {
  "use strict";

  const { el, language } = window.tp;

  const TEXT = window.tp.words({
    en: { lesson: (/** @type {string} */ title) => `Lesson: ${title}`, label: "Definition" },
    zh: { lesson: (title) => `课程：${title}`, label: "释义" },
  });

  const WAIT = 250; // ms: between a word and its definition the pointer may be over neither
  const NOT_IN =
    "h1, h2, h3, h4, nav, footer, figure, .place, .goal, .objectives, a, button, code, pre, summary, svg, math, " +
    "input, label, table, .tp-term, .tp-math";
  const TEXT_OF = "p, li, dd";
  const SHORT = /^[\u4e00-\u9fff]$/; // one Chinese character is part of many other words

  const chinese = language === "zh";

  /** @param {Term} term */
  const named = (term) => (chinese ? term.zh : term.en);
  /** @param {Term} term */
  const means = (term) => (chinese ? term.means_zh : term.means);

  /** A term as a pattern: whole words, and their plural; in Chinese, words have no limits.
   *
   * @param {string} name */
  function pattern(name) {
    const plain = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/ /g, "[ \\n]");
    const [before, after] = [/^\w/.test(name) ? "(?<![\\w-])" : "", /\w$/.test(name) ? "(?:e?s)?(?![\\w-])" : ""];
    return `${before}${plain}${after}`;
  }

  /** @type {WeakMap<Term[], {all: RegExp, by: {term: Term, one: RegExp}[]}>} */
  const compiled = new WeakMap();

  /** @param {Term[]} terms */
  function patterns(terms) {
    const known = compiled.get(terms);
    if (known) return known;
    const wanted = terms.filter((term) => !term.everyday && !(chinese && SHORT.test(term.zh)));
    const longest = wanted.sort((a, b) => named(b).length - named(a).length);
    const by = longest.map((term) => ({ term, one: new RegExp(`^${pattern(named(term))}$`, "i") }));
    const all = new RegExp(longest.map((term) => pattern(named(term))).join("|") || "(?!)", "gi");
    const found = { all, by };
    compiled.set(terms, found);
    return found;
  }

  /** The first occurrence of each term; where several fit, the longest. Those found are added to `used`.
   *
   * @param {string} text @param {Term[]} terms @param {Set<Term>} used
   * @returns {{start: number, end: number, term: Term}[]} */
  function find(text, terms, used = new Set()) {
    if (!terms.length) return [];
    const { all, by } = patterns(terms);
    const found = [];
    for (const match of text.matchAll(all)) {
      const term = by.find(({ one }) => one.test(match[0]))?.term;
      if (!term || used.has(term)) continue;
      used.add(term);
      found.push({ start: match.index, end: match.index + match[0].length, term });
    }
    return found;
  }

  /** A link to the lesson that teaches a term.
   *
   * @param {Term} term */
  const lesson = (term) =>
    window.tp.lessons.link(term.lesson, null, { text: TEXT.lesson(term.title[chinese ? "zh" : "en"]) });

  /* ------------------------------------------------------------------ the definition */

  /** @type {{word: HTMLElement, node: HTMLElement} | null} */
  let open = null;
  let timer = 0;
  const stay = () => clearTimeout(timer);
  const leave = () => {
    stay();
    timer = setTimeout(close, WAIT);
  };

  function close() {
    stay();
    if (!open) return;
    open.word.setAttribute("aria-expanded", "false");
    open.node.remove();
    open = null;
  }

  /** Put the definition below its word, or above where there is no room; it follows when the page is scrolled. */
  function place() {
    if (!open) return;
    const { word, node } = open;
    const [at, box] = [word.getClientRects()[0], node.getBoundingClientRect()];
    if (!at) return close();
    const below = at.bottom + 6 + box.height <= innerHeight || at.top < box.height + 6;
    node.style.left = `${Math.max(8, Math.min(at.left, innerWidth - box.width - 8))}px`;
    node.style.top = `${below ? at.bottom + 6 : at.top - 6 - box.height}px`;
  }

  /** @param {HTMLElement} word @param {Term} term */
  function show(word, term) {
    stay();
    if (open?.word === word) return;
    close();
    const other = chinese ? term.en : term.zh;
    const node = el("span", { class: "tp-definition", role: "dialog", "aria-label": `${TEXT.label}: ${named(term)}` }, [
      el("b", { text: named(term) }),
      other === named(term) ? "" : el("i", { lang: chinese ? "en" : "zh-CN", text: other }),
      el("span", { class: "means", text: means(term) }),
      lesson(term),
    ]);
    node.addEventListener("pointerenter", stay);
    node.addEventListener("pointerleave", leave);
    word.after(node);
    word.setAttribute("aria-expanded", "true");
    open = { word, node };
    place();
  }

  /** @param {string} text @param {Term} term */
  function word(text, term) {
    const node = el("span", { class: "tp-term", role: "button", tabindex: 0, "aria-expanded": "false", text });
    let wasOpen = false;
    node.addEventListener("pointerdown", () => (wasOpen = open?.word === node));
    node.addEventListener("pointerenter", (event) => event.pointerType !== "touch" && show(node, term));
    node.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && leave());
    node.addEventListener("focus", () => show(node, term));
    node.addEventListener("click", (event) => {
      const touched = /** @type {PointerEvent} */ (event).pointerType === "touch";
      if (touched && wasOpen) close();
      else show(node, term);
    });
    node.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      if (open?.word === node) close();
      else show(node, term);
    });
    return node;
  }

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !open) return;
    const { word: back, node } = open;
    if (node.contains(document.activeElement)) back.focus();
    close();
  });
  document.addEventListener("focusin", (event) => {
    const target = /** @type {Node} */ (event.target);
    if (open && !open.node.contains(target) && target !== open.word) close();
  });
  document.addEventListener(window.tp.lessons.on.read, close);
  document.addEventListener("pointerdown", (event) => {
    const target = /** @type {Node} */ (event.target);
    if (open && !open.node.contains(target) && target !== open.word) close();
  });
  window.addEventListener("scroll", place, { capture: true, passive: true });

  /* ------------------------------------------------------------------ marking */

  /** Mark the terms in the paragraphs and lists of a node; code, links, formulas and buttons stay as they are.
   *
   * @type {Tp["terms"]["mark"]} */
  function mark(node, terms) {
    /** @type {Set<Term>} */
    const used = new Set();
    const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
    const texts = [];
    for (let text = walker.nextNode(); text; text = walker.nextNode()) texts.push(/** @type {Text} */ (text));
    for (const text of texts) {
      const parent = text.parentElement;
      if (!parent?.closest(TEXT_OF) || parent.closest(NOT_IN)) continue;
      const found = find(text.data, terms, used);
      if (!found.length) continue;
      const parts = [];
      let at = 0;
      for (const { start, end, term } of found) {
        parts.push(text.data.slice(at, start), word(text.data.slice(start, end), term));
        at = end;
      }
      text.replaceWith(...parts, text.data.slice(at));
    }
  }

  window.tp.terms = { mark, find, means, lesson };
})();
