/* `tp.lessons`: where a learner is in the guided path, and how a lesson's text is drawn.
 *
 *   progress            what is done and predicted, kept in this browser: read(name), set(name, step, values)
 *   address(name, at)   a link to a step of a lesson
 *   blocks(blocks)      nodes of a lesson's text: a lesson is text and reaches the page as textContent only
 */
(() => {
  "use strict";

  const { el, language, percent } = window.tp;
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

  const TEXT = window.tp.words({
    en: { accuracy: "right", bits: "bits a character", maxvio: "MaxVio", sharpness: "sharpness", final: "loss", diverged: "diverged" },
    zh: { accuracy: "答对", bits: "每字符比特", maxvio: "MaxVio", sharpness: "集中度", final: "损失", diverged: "发散" },
  });
  const COLUMNS = ["accuracy", "bits", "maxvio", "sharpness", "final"];
  const SHARES = ["accuracy", "sharpness"];

  /** What a suite measured: a row for each variant; a variant of which no run came to its end has no numbers. */
  function table(rows) {
    const names = COLUMNS.filter((name) => rows.some((row) => row[name]));
    const show = (value, share) => (!value ? "–" : share ? percent(Number(value)) : Number(value).toFixed(3));
    const lost = ({ finished, diverged }) => finished === "0" && diverged !== "0";
    const cells = (row) =>
      lost(row) ? el("td", { colspan: names.length, text: TEXT.diverged }) : names.map((name) => el("td", { text: show(row[name], SHARES.includes(name)) }));
    return el(
      "table",
      {},
      el("thead", {}, el("tr", {}, el("th"), names.map((name) => el("th", { scope: "col", text: TEXT[name] })))),
      el("tbody", {}, rows.map((row) => el("tr", {}, el("th", { scope: "row", text: row.variant }), cells(row)))),
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
