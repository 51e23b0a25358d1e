/* `tp.lessons`: where a learner is in the guided path, and how a lesson's text is drawn.
 *
 *   language()          "zh" for who reads Chinese first, else "en"; ?lang= decides
 *   progress            what is done and predicted, kept in this browser: read(name), set(name, step, values)
 *   address(name, at)   a link to a step of a lesson
 *   blocks(blocks)      nodes of a lesson's text: a lesson is text and reaches the page as textContent only
 */
(() => {
  "use strict";

  const { el, url } = window.tp;
  const KEY = "transformer-playground-lessons";

  const language = () => {
    const asked = url.get("lang");
    if (asked === "en" || asked === "zh") return asked;
    return (navigator.language ?? "").toLowerCase().startsWith("zh") ? "zh" : "en";
  };

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

  const address = (name, at) => `?${new URLSearchParams({ lesson: name, at: at + 1, ...(url.get("lang") ? { lang: url.get("lang") } : {}) })}`;

  const spans = (list) => list.map(([kind, text]) => (kind ? el(kind, { text }) : text));

  const COLUMNS = {
    accuracy: { en: "right", zh: "答对", share: true },
    maxvio: { en: "MaxVio", zh: "MaxVio" },
    sharpness: { en: "sharpness", zh: "集中度", share: true },
    final: { en: "loss", zh: "损失" },
  };
  const DIVERGED = { en: "diverged", zh: "发散" };

  /** What a suite measured: a row for each variant; a variant of which no run came to its end has no numbers. */
  function table(rows) {
    const names = Object.keys(COLUMNS).filter((name) => rows.some((row) => row[name]));
    const show = (value, share) => (!value ? "–" : share ? `${Math.round(100 * value)} %` : Number(value).toFixed(3));
    const lost = ({ finished, diverged }) => finished === "0" && diverged !== "0";
    const cells = (row) =>
      lost(row) ? el("td", { colspan: names.length, text: DIVERGED[language()] }) : names.map((name) => el("td", { text: show(row[name], COLUMNS[name].share) }));
    return el(
      "table",
      {},
      el("thead", {}, el("tr", {}, el("th"), names.map((name) => el("th", { scope: "col", text: COLUMNS[name][language()] })))),
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

  window.tp.lessons = { language, progress, address, blocks };
})();
