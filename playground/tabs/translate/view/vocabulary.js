/* The words of the small language that a model translates: those it does not know are marked while they are typed,
 * those it knows are offered, and all are listed. */
const OFFERED = 8; // completions
const MARKED = 12; // unknown words that are listed
const REAL = "python -m engine download multi30k";
const WORD = /[\p{L}\p{M}'’]+/gu;

/** @param {HTMLTextAreaElement} input @param {() => void} changed  after a word has been put into the text */
function makeVocabulary(input, changed) {
  /** @type {string[]} */
  let words = [];
  const known = new Set(words);
  const strangers = el("p", { class: "strangers", id: "translate-strangers", role: "status", hidden: true });
  const outside = el("p", { class: "strangers", id: "translate-outside", role: "status", hidden: true });
  const command = el("code", { translate: "no", text: REAL });
  const real = el("p", { class: "help", id: "translate-real", hidden: true }, `${TEXT.real} `, command);
  const offered = el("div", { class: "offered", id: "translate-offered", hidden: true });
  const list = el("div", { class: "words" });
  const summary = el("summary");
  const all = el("details", { class: "vocabulary", id: "translate-words", hidden: true }, summary, list);
  const button = (/** @type {string} */ word) =>
    el("button", {
      type: "button",
      class: "example",
      lang: "en",
      translate: "no",
      text: word,
      on: {
        pointerdown: (event) => event.preventDefault(), // the text keeps the focus
        click: () => insert(word),
      },
    });

  const unknown = () => [...input.value.matchAll(WORD)].filter(([word]) => !known.has(word.toLowerCase()));

  /** Words that are not known, each once; but for one that is being typed, which may become one that is. */
  function strange() {
    const start = document.activeElement === input ? begun() : "";
    const open = start && completions(start).length ? input.selectionStart - start.length : -1;
    return [...new Set(unknown().flatMap(({ 0: word, index }) => (index === open ? [] : word)))];
  }
  const completions = (/** @type {string} */ start) =>
    words.filter((word) => word.startsWith(start.toLowerCase()) && word !== start);

  /** The beginning of a word before the caret; a whole text may be one. */
  const begun = () => input.value.slice(0, input.selectionStart).match(/[\p{L}\p{M}'’]*$/u)?.[0] ?? "";

  /** Complete the word that is begun, or add one at the caret. */
  function insert(/** @type {string} */ word) {
    const [at, end] = [input.selectionStart, input.selectionEnd];
    const start = begun();
    const completes = word.startsWith(start.toLowerCase());
    const before = input.value.slice(0, completes ? at - start.length : at);
    const space = before && !/\s$/.test(before) ? " " : "";
    const written = before.trim() ? word : word[0].toUpperCase() + word.slice(1);
    const after = input.value.slice(end);
    input.value = before + space + written + (/^[\s.,?]/.test(after) ? "" : " ") + after;
    const caret = before.length + space.length + written.length + 1;
    input.setSelectionRange(caret, caret);
    input.focus();
    draw();
    changed();
  }

  function draw() {
    const found = words.length ? strange() : [];
    strangers.hidden = real.hidden = !found.length;
    const more = found.length - MARKED;
    strangers.replaceChildren(
      el("span", { text: `${TEXT.strangers} ` }),
      ...found.slice(0, MARKED).flatMap((word) => [el("s", { translate: "no", text: word }), " "]),
      more > 0 ? TEXT.strangersMore(more) : "",
    );
    const start = document.activeElement === input ? begun() : "";
    const fitting = start ? completions(start).slice(0, OFFERED) : [];
    offered.hidden = !fitting.length;
    offered.replaceChildren(el("span", { class: "muted", text: TEXT.complete }), ...fitting.map(button));
  }

  /** @param {string[]} told */
  function teach(told) {
    words = told;
    known.clear();
    for (const word of words) known.add(word);
    all.hidden = !words.length;
    put(summary, TEXT.vocabulary(words.length));
    list.replaceChildren(...words.map(button));
    draw();
    judge(none);
  }

  let none = false;
  /** Whether the model knows every word of a sentence that its language does not have.
   *
   * @param {boolean} no  the sentence has no translation */
  function judge(no) {
    none = no;
    outside.hidden = !(no && words.length && !unknown().length);
    put(outside, TEXT.outside);
    root.dataset.outside = String(!outside.hidden);
  }

  return { nodes: [strangers, real, outside, offered, all], draw, teach, judge };
}
