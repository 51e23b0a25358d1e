/* What to learn: a card for each of a few things, with a drawing of what happens, and the list of all presets. */

const INK = { a: "var(--tp-1)", b: "var(--tp-2)", c: "var(--tp-3)", d: "var(--tp-4)", line: "var(--tp-faint)" };
/** @param {"rect" | "circle" | "path"} tag @param {Attributes} attributes */
const shape = (tag, attributes) => el(tag, attributes);
/** @param {number} x @param {number} y @param {number} width @param {number} height @param {string} fill */
const box = (x, y, width, height, fill, more = {}) => shape("rect", { x, y, width, height, rx: 1.5, fill, ...more });
/** @param {number} cx @param {number} cy @param {number} r @param {string} fill */
const dot = (cx, cy, r, fill, more = {}) => shape("circle", { cx, cy, r, fill, ...more });
/** @param {string} d @param {string} stroke */
const thread = (d, stroke, more = {}) =>
  shape("path", { d, fill: "none", stroke, "stroke-width": 1.5, "stroke-linecap": "round", ...more });
const places = [8, 19, 30, 41];
const hues = [INK.a, INK.b, INK.c, INK.d];
/** Two rows of four tokens; `to[i]` is where the i-th of the upper row goes. */
const rowsOf = (/** @type {number[]} */ to) => [
  to.map((end, i) =>
    thread(`M${places[i] + 3} 13C${places[i] + 3} 20 ${places[end] + 3} 20 ${places[end] + 3} 27`, hues[i]),
  ),
  places.map((x, i) => box(x, 6, 6, 6, hues[i])),
  to.map((end, i) => box(places[end], 28, 6, 6, hues[i])),
];
/** @param {number[]} heights @param {number} x @param {string} fill */
const bars = (heights, x, fill) => heights.map((height, i) => box(x + 5 * i, 34 - height, 3.5, height, fill));

/** Drawings by what a run learns; `text` and `task` are those of whatever has none of its own. */
/** @type {{ [what: string]: () => Child }} */
const PICTURES = {
  /* From dots that lie anywhere, to letters in lines. */
  text: () => [
    [5, 9, 4, 12, 8, 14].map((x, i) => dot(x, [8, 12, 18, 22, 29, 33][i], 1.2, INK.line)),
    thread("M19 20H24M22 17.5 24.5 20 22 22.5", INK.line),
    [9, 17, 25].map((y, i) => [
      box(30, y, [8, 5, 9][i], 4, INK.a),
      box(30 + [10, 7, 11][i], y, [6, 9, 5][i], 4, INK.a, { opacity: 0.5 }),
    ]),
  ],
  task: () => rowsOf([1, 0, 3, 2]),
  copy: () => rowsOf([0, 1, 2, 3]),
  reverse: () => rowsOf([3, 2, 1, 0]),
  sort: () => [
    bars([12, 22, 6, 17], 5, INK.line),
    thread("M27 20H31M29 17.5 31.5 20 29 22.5", INK.line),
    bars([6, 12, 17, 22], 34, INK.a),
  ],
  addition: sum,
  addition_reversed: sum,
  modular_addition: () => [
    dot(27, 20, 14, "none", { stroke: INK.line, "stroke-width": 1.5 }),
    Array.from({ length: 11 }, (_, i) => {
      const angle = (2 * Math.PI * i) / 11;
      return dot(27 + 14 * Math.sin(angle), 20 - 14 * Math.cos(angle), 2, i < 4 ? INK.b : INK.line);
    }),
  ],
  parity: () =>
    [0, 1, 1, 0, 1].map((on, i) =>
      dot(7 + 10 * i, 20, 3.5, on ? INK.a : "none", { stroke: INK.a, "stroke-width": 1.5 }),
    ),
  brackets: () => [
    thread("M13 8C6 15 6 25 13 32", INK.a),
    thread("M22 12C18 17 18 23 22 28", INK.b),
    thread("M32 12C36 17 36 23 32 28", INK.b),
    thread("M41 8C48 15 48 25 41 32", INK.a),
  ],
  induction: () => [
    [INK.a, INK.b, INK.line, INK.a].map((fill, i) => box(4 + 10 * i, 22, 7, 7, fill)),
    box(44, 22, 7, 7, "none", { stroke: INK.b, "stroke-width": 1.5 }),
    thread("M37 20C33 7 22 7 18 19", INK.b),
  ],
  pairs: () => [
    thread("M10 15 29 26M20 15 20 26M30 15 10 26M40 15 40 26", INK.line),
    [9, 8, 8, 7].map((width, i) => box(6 + 10 * i, 8, width, 6, INK.a)),
    [8, 9, 7, 8].map((width, i) => box(6 + 10 * i, 27, width, 6, INK.b)),
  ],
  experts: () => [
    [8, 16, 24, 32].map((y, i) => thread(`M13 20C24 20 24 ${y} 34 ${y}`, i === 1 || i === 3 ? INK.b : INK.line)),
    dot(11, 20, 4, INK.b),
    [8, 16, 24, 32].map((y, i) =>
      box(35, y - 3, 12, 6, i === 1 || i === 3 ? INK.b : INK.line, { opacity: i % 2 ? 1 : 0.5 }),
    ),
  ],
  own: () => [
    thread("M14 5H32L40 13V35H14Z", INK.line, { "stroke-linejoin": "round" }),
    thread("M32 5V13H40", INK.line, { "stroke-linejoin": "round" }),
    thread("M19 18H35M19 23H35M19 28H29", INK.a),
  ],
};
function sum() {
  return [
    box(12, 6, 6, 6, INK.a),
    box(21, 6, 6, 6, INK.a),
    box(12, 15, 6, 6, INK.c),
    box(21, 15, 6, 6, INK.c),
    thread("M6 24H29", INK.line),
    box(3, 28, 6, 6, INK.b),
    box(12, 28, 6, 6, INK.b),
    box(21, 28, 6, 6, INK.b),
    thread("M24 26C31 21 34 31 40 27", INK.b, { "stroke-dasharray": "2 3" }),
    thread("M43 16V24M39 20H47", INK.line),
  ];
}
const drawing = (/** @type {string} */ name) =>
  el("svg", { viewBox: "0 0 54 40", width: 49, height: 36, "aria-hidden": "true" }, [
    (PICTURES[name] ?? PICTURES.task)(),
  ]);

/** The cards. `pick(preset, source)` is called with what was chosen. */
function makeCards(/** @type {(preset: string, source: string | null) => void} */ pick) {
  const ordered = [...layout.cards].sort(
    (a, b) =>
      Number(tp.language === "zh" && b.preset === "stories-zh") -
      Number(tp.language === "zh" && a.preset === "stories-zh"),
  );
  const cards = ordered.map((card) => ({
    ...card,
    input: el("input", {
      type: "radio",
      name: "learn",
      id: `card-${card.source ?? card.preset}`,
      on: { change: () => pick(card.preset, card.source) },
    }),
  }));
  const node = el("div", { class: "cards", role: "radiogroup", "aria-labelledby": "choose-title" }, [
    cards.map(({ input, picture, title, about }) =>
      el("label", { class: "card" }, [
        input,
        drawing(picture),
        el("span", { class: "card-text" }, el("b", { text: title }), el("span", { text: about })),
      ]),
    ),
  ]);
  /** Mark the card of this choice. Has it one?
   *
   * @param {string} preset @param {Value} source */
  function draw(preset, source) {
    for (const card of cards)
      card.input.checked = card.source === null ? source !== "text" && card.preset === preset : source === card.source;
    return cards.some(({ input }) => input.checked);
  }
  return { node, draw };
}
