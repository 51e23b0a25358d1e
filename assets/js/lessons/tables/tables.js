/* Tables of lessons whose numbers can be changed: each begins with the lesson's numbers, and the result follows.
 *
 * `tp.lessons.draw.numbers(block)` builds one. `tp.lessons.sheets` has the parts of a table, and every kind: those of
 * vectors.js, steps.js, writing.js and model.js.
 */
(() => {
  "use strict";

  const { el, fixed, lessons, put } = window.tp;

  const TEXT = window.tp.words({
    en: { try: "Change the numbers: the results follow.", reset: "Back to the first numbers" },
    zh: { try: "改一改数字，结果会随之变化。", reset: "恢复原来的数字" },
  });

  /** The numbers of a table: `now` begins as `first`. A field of it changes the number at the end of a path, such as
   * `["q", 0]`, and draws again.
   *
   * @type {Tp["lessons"]["sheets"]["changeable"]} */
  function changeable(first, draw) {
    const now = structuredClone(first);
    /** @type {(() => void)[]} */
    const shown = []; // each shows the number of a field

    function set(/** @type {Partial<typeof first>} */ change) {
      Object.assign(now, structuredClone(change));
      for (const show of shown) show();
      draw();
    }

    /** A field; `allowed` is what a number that was typed stands for.
     *
     * @param {string} label @param {(string | number)[]} path @param {Attributes} more
     * @param {(typed: number) => number} allowed */
    function field(label, path, more = {}, allowed = (typed) => typed) {
      const key = path[path.length - 1];
      const list = () => path.slice(0, -1).reduce((/** @type {any} */ found, step) => found[step], now);
      const value = String(list()[key]);
      const input = el("input", { type: "number", step: "any", value, "aria-label": label, ...more });
      input.addEventListener("input", () => {
        if (input.value === "" || !Number.isFinite(input.valueAsNumber)) return;
        list()[key] = allowed(input.valueAsNumber);
        draw();
      });
      shown.push(() => {
        input.value = String(list()[key]);
      });
      return input;
    }

    /** A slider, after its name and its number.
     *
     * @param {string} name @param {string} label @param {(string | number)[]} path
     * @param {{min: number, max: number, step: number}} range */
    function slider(name, label, path, range) {
      const input = field(label, path, { type: "range", class: "slider", ...range });
      const number = el("b");
      const show = () => {
        put(number, input.valueAsNumber.toFixed(range.step < 1 ? 1 : 0));
        input.style.setProperty("--filled", `${(100 * (input.valueAsNumber - range.min)) / (range.max - range.min)}%`);
      };
      input.addEventListener("input", show);
      shown.push(show);
      show();
      return el("label", { class: "tp-sheet-slider" }, name, number, input);
    }

    return { now, field, slider, set, reset: () => set(first) };
  }

  /** @param {string} text @param {Attributes} more @param {() => void} click */
  const button = (text, more, click) => window.tp.button(text, { class: "tp-button", ...more }, click);

  /** A field with its name before it.
   *
   * @param {string} label @param {HTMLElement} input */
  const labelled = (label, input) => el("label", {}, `${label} `, input);

  /** @param {number[]} numbers */
  const vector = (numbers) => `(${numbers.map((each) => fixed(each)).join(", ")})`;

  /** A square plane of `size`, with its axes.
   *
   * @param {string} label @param {number} size @param {Child[]} children */
  function plane(label, size, children) {
    const half = size / 2;
    return el(
      "svg",
      { class: "tp-drawing tp-plane", viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": label },
      [
        el("line", { class: "rule", x1: 0, x2: size, y1: half, y2: half }),
        el("line", { class: "rule", y1: 0, y2: size, x1: half, x2: half }),
        children,
      ],
    );
  }

  /** The arrow `n` from the middle of a plane; `show` takes the places of its tip and of its name.
   *
   * @param {number} n @param {number} middle @param {number} r  of its tip @param {Attributes} name */
  function arrow(n, middle, r, name) {
    const line = el("line", { class: `vector v${n}`, x1: middle, y1: middle });
    const tip = el("circle", { class: `tip v${n}`, r });
    const text = el("text", name);
    const place = (/** @type {Element} */ node, /** @type {{[name: string]: number}} */ places) => {
      for (const [name, value] of Object.entries(places)) node.setAttribute(name, String(value));
    };
    /** @type {(tip: number[], text: number[]) => void} */
    const show = ([x2, y2], [x, y]) => {
      place(line, { x2, y2 });
      place(tip, { cx: x2, cy: y2 });
      place(text, { x, y });
    };
    return { nodes: [line, tip, text], tip, show };
  }

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
  lessons.sheets = { sheets: SHEETS, arrow, bar, button, changeable, labelled, plane, vector };

  lessons.draw.numbers = ({ text, values }) => {
    const { name, nodes, reset } = SHEETS[text](values);
    return el("section", { class: "tp-sheet", "data-sheet": text, "aria-label": name }, [
      el("p", { class: "tp-sheet-name" }, el("b", { text: name }), el("span", { text: TEXT.try })),
      nodes,
      el("p", {}, button(TEXT.reset, { class: "tp-button quiet" }, reset)),
    ]);
  };
})();
