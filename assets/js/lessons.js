/* `tp.lessons`: where a learner is in the guided path, and how a lesson's text is drawn.
 *
 *   progress            what is done and predicted, kept in this browser: read(name), set(name, step, values)
 *   address(name, at)   a link to a step of a lesson
 *   blocks(blocks)      nodes of a lesson's text: a lesson is text and reaches the page as textContent only
 */
(() => {
  "use strict";

  const { el, language } = window.tp;
  const KEY = "transformer-playground-lessons";

  function everything() {
    try {
      const stored = JSON.parse(localStorage.getItem(KEY));
      return stored && typeof stored === "object" ? stored : {};
    } catch {
      return {};
    }
  }

  const progress = {
    /** What is known of a lesson's steps: {[step]: {done, predicted}}. */
    read: (name) => everything()[name] ?? {},
    set(name, step, values) {
      const all = everything();
      all[name] = { ...all[name], [step]: { ...all[name]?.[step], ...values } };
      localStorage.setItem(KEY, JSON.stringify(all));
    },
    done: (name) => Object.values(progress.read(name)).filter((step) => step?.done).length,
  };

  const address = (name, at) => `?${new URLSearchParams({ lesson: name, at: at + 1, lang: language })}`;

  const spans = (list) => list.map(([kind, text]) => (kind ? el(kind, { text }) : text));

  function table(rows) {
    const SHOW = {
      accuracy: (value) => `${Math.round(100 * value)} %`,
      bits: (value) => `${Number(value).toFixed(3)} bits`,
      final: (value) => Number(value).toFixed(3),
    };
    const show = (value, name) => (value ? SHOW[name](value) : "–");
    const columns = Object.keys(SHOW).filter((name) => name === "final" || rows.some((row) => row[name]));
    return el(
      "table",
      {},
      rows.map((row) => el("tr", {}, el("th", { text: row.variant }), columns.map((name) => el("td", { text: show(row[name], name) })))),
    );
  }

  const DRAW = {
    text: ({ spans: list }) => el("p", {}, spans(list)),
    list: ({ items }) => el("ul", {}, items.map((item) => el("li", {}, spans(item)))),
    equation: ({ text }) => el("p", { class: "equation", text }),
    code: ({ text, source }) => el("details", { class: "source" }, el("summary", { text }), el("pre", { tabindex: 0 }, el("code", { text: source }))),
    table: ({ rows }) => table(rows),
  };

  const blocks = (list) => list.map((block) => DRAW[block.kind](block));

  window.tp.lessons = { progress, address, blocks };
})();
