/* Figures, formulas and questions of lessons, for `tp.lessons.blocks`.
 *
 * A quiz explains every answer that is pressed; an exercise reads a number and knows the usual mistakes. When one is
 * solved, its node dispatches "tp-solved", and says so in data-solved; at each answer "tp-answered" {id, right}. A
 * block that is `solved` already shows what is right from the beginning.
 */
(() => {
  "use strict";

  const { el, lessons } = window.tp;

  const TEXT = window.tp.words({
    en: {
      quiz: "Question:",
      exercise: "Exercise:",
      right: "Right.",
      wrong: "Not quite.",
      check: "Check",
      answer: "Your answer, a number",
      number: "Please type a number, such as 0.25.",
      far: { hint: "Not quite. Try again, or open the hint.", answer: "Not quite. Try again, or open the answer." },
      hint: "Hint",
      solution: "Answer",
    },
    zh: {
      quiz: "问题：",
      exercise: "练习：",
      right: "正确。",
      wrong: "不对。",
      check: "检查",
      answer: "你的答案，一个数",
      number: "请输入一个数，例如 0.25。",
      far: { hint: "不对。再试一次，或者打开提示。", answer: "不对。再试一次，或者打开答案。" },
      hint: "提示",
      solution: "答案",
    },
  });

  /** A node of our own markup: a drawing or a formula from the project's files, never a text of a user.
   *
   * @param {string} markup @param {DOMParserSupportedType} type */
  const drawn = (markup, type) =>
    document.importNode(new DOMParser().parseFromString(markup, type).documentElement, true);

  /** @param {string} svg @param {string} alternative */
  function picture(svg, alternative) {
    const node = drawn(svg, "image/svg+xml");
    node.classList.add("tp-drawing");
    if (alternative) {
      node.setAttribute("role", "img");
      node.setAttribute("aria-label", alternative);
    } else node.setAttribute("aria-hidden", "true");
    return node;
  }

  /** @param {HTMLElement} node */
  function solved(node) {
    if (node.dataset.solved) return;
    node.dataset.solved = "true";
    node.dispatchEvent(new CustomEvent("tp-solved", { bubbles: true }));
  }

  /** Say that a question was answered; a record keeps the first answer.
   *
   * @param {HTMLElement} node @param {string} id @param {boolean} right */
  const answered = (node, id, right) =>
    node.dispatchEvent(new CustomEvent("tp-answered", { bubbles: true, detail: { id, right } }));

  /** @param {Block} block */
  function quiz({ id, spans, options, solved: already }) {
    const root = el("section", { class: "tp-question", "data-question": "quiz" });
    const ask = el("p", { class: "ask" }, el("b", { text: `${TEXT.quiz} ` }), lessons.spans(spans));
    const rows = options.map((/** @type {any} */ option) => {
      const why = el("p", { class: "why", role: "status" });
      const answer = el(
        "button",
        { type: "button", class: "option", "aria-pressed": "false" },
        lessons.spans(option.spans),
      );
      const explain = () => {
        answer.setAttribute("aria-pressed", "true");
        answer.classList.add(option.right ? "good" : "bad");
        const verdict = el("b", { text: `${option.right ? TEXT.right : TEXT.wrong} ` });
        why.replaceChildren(verdict, ...lessons.spans(option.why));
      };
      if (already && option.right) explain();
      answer.addEventListener("click", () => {
        explain();
        answered(root, id, option.right);
        if (option.right) solved(root);
      });
      return [answer, why];
    });
    if (already) root.dataset.solved = "true";
    root.append(ask, ...rows.flat());
    return root;
  }

  /** A number as people type it: "0,25", "−1.5", "25%", "64,000"; NaN for anything else.
   *
   * @type {(text: string) => number} */
  function typed(text) {
    const thousands = /^\s*[1-9]\d{0,2}([, ]\d{3})+\s*$/.test(text);
    const plain = text
      .trim()
      .replace("−", "-")
      .replace(thousands ? /[, ]/g : ",", thousands ? "" : ".");
    const share = /^(.*?)\s*[%％]$/.exec(plain);
    const number = (share ? share[1] : plain).trim();
    return number === "" ? Number.NaN : Number(number) / (share ? 100 : 1);
  }

  /** @param {Block} block */
  function exercise({ id, spans, value, tolerance, wrong, solved: already }) {
    const root = el("section", { class: "tp-question", "data-question": "exercise" });
    const input = el("input", { type: "text", inputmode: "decimal", autocomplete: "off", "aria-label": TEXT.answer });
    const why = el("p", { class: "why", role: "status" });
    const near = (/** @type {number} */ number, /** @type {{value: number, tolerance: number}} */ of) =>
      Math.abs(number - of.value) <= of.tolerance * 1.0001;
    const check = () => {
      const number = typed(input.value);
      if (Number.isNaN(number)) return why.replaceChildren(TEXT.number);
      const right = near(number, { value, tolerance });
      const mistake = wrong.find((/** @type {any} */ each) => near(number, each));
      root.dataset.state = right ? "right" : "wrong";
      if (right) why.replaceChildren(el("b", { text: TEXT.right }));
      else if (mistake) why.replaceChildren(el("b", { text: `${TEXT.wrong} ` }), ...lessons.spans(mistake.why));
      else why.replaceChildren(TEXT.far[root.nextElementSibling?.matches("[data-fold=hint]") ? "hint" : "answer"]);
      answered(root, id, right);
      if (right) solved(root);
    };
    const form = el("form", { class: "answer" }, input, el("button", { class: "tp-button", text: TEXT.check }));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      check();
    });
    if (already) {
      input.value = value.toFixed(Math.max(0, Math.round(-Math.log10(tolerance))));
      why.replaceChildren(el("b", { text: TEXT.right }));
      Object.assign(root.dataset, { state: "right", solved: "true" });
    }
    root.append(el("p", { class: "ask" }, el("b", { text: `${TEXT.exercise} ` }), ...lessons.spans(spans)), form, why);
    return root;
  }

  /** @param {string} title @returns {(block: Block) => Node} */
  const folded =
    (title) =>
    ({ kind, spans }) =>
      el(
        "details",
        { class: "tp-fold", "data-fold": kind },
        el("summary", { text: title }),
        el("p", {}, lessons.spans(spans)),
      );

  Object.assign(lessons.draw, {
    figure: (/** @type {Block} */ { text, svg, alternative }) =>
      el("figure", { class: "tp-figure", "data-figure": text }, picture(svg, alternative)),
    math: (/** @type {Block} */ { mathml }) => el("div", { class: "tp-math" }, drawn(mathml, "application/xml")),
    quiz,
    exercise,
    hint: folded(TEXT.hint),
    answer: folded(TEXT.solution),
  });
  Object.assign(lessons, { picture, typed });
})();
