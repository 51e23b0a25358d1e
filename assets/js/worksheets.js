/* Tables of lessons whose numbers can be changed: each begins with the lesson's numbers, and the result follows.
 *
 * `tp.lessons.draw.numbers(block)` builds one. `tp.lessons.sheets` has the parts of a table, and every kind: those of
 * vectorsheets.js, stepsheets.js, sheets.js and modelsheets.js.
 */
(() => {
  "use strict";

  const { el, fixed, lessons, put } = window.tp;

  const TEXT = window.tp.words({
    en: { try: "Change the numbers: the results follow.", reset: "Back to the first numbers" },
    zh: { try: "改一改数字，结果会随之变化。", reset: "恢复原来的数字" },
  });

  /** A field for a number; `changed` gets it when it is one.
   *
   * @param {string} label @param {number} value @param {(value: number) => void} changed @param {Attributes} [more] */
  const field = (label, value, changed, more = {}) => {
    const input = el("input", { type: "number", step: "any", value: String(value), "aria-label": label, ...more });
    input.addEventListener("input", () => {
      if (input.value !== "" && Number.isFinite(input.valueAsNumber)) changed(input.valueAsNumber);
    });
    return input;
  };

  /** @param {string} text @param {() => void} click @param {Attributes} [more] */
  const button = (text, click, more = {}) =>
    el("button", { type: "button", class: "tp-button", text, on: { click }, ...more });

  /** @param {string[]} names */
  const heads = (names) => el("thead", {}, [el("tr", {}, [names.map((text) => el("th", { scope: "col", text }))])]);

  /** A share as a number and a bar. */
  function bar() {
    const fill = el("i");
    const value = el("span");
    return {
      node: el("td", { class: "share" }, value, el("span", { class: "track", "aria-hidden": "true" }, fill)),
      show(/** @type {number} */ share) {
        put(value, fixed(share, 3));
        fill.style.width = `${100 * share}%`;
      },
    };
  }

  /** @type {{[name: string]: (values: any) => {name: string, nodes: Child[], reset(): void}}} */
  const SHEETS = {};
  lessons.sheets = { sheets: SHEETS, bar, button, field, heads };

  lessons.draw.numbers = ({ text, values }) => {
    const { name, nodes, reset } = SHEETS[text](values);
    return el("section", { class: "tp-sheet", "data-sheet": text, "aria-label": name }, [
      el("p", { class: "tp-sheet-name" }, el("b", { text: name }), el("span", { text: TEXT.try })),
      nodes,
      el("p", {}, button(TEXT.reset, reset, { class: "tp-button quiet" })),
    ]);
  };
})();
