/* `tp.lessons`: where a learner is in the guided path, and how a lesson's text is drawn.
 *
 *   progress            what is done and predicted, kept in this browser: read(name), set(name, step, values)
 *   address(name, at)   a link to a step of a lesson
 *   blocks(blocks)      nodes of a lesson's text: a lesson is text and reaches the page as textContent only
 */
(() => {
  "use strict";

  const { browser, el, language, percent } = window.tp;
  const KEY = "transformer-playground-lessons";

  function everything() {
    try {
      const stored = JSON.parse(browser.recall(KEY));
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
      browser.remember(KEY, JSON.stringify(all));
    },
    done: (name) => Object.values(progress.read(name)).filter((step) => step?.done).length,
  };

  const address = (name, at) => `?${new URLSearchParams({ lesson: name, at: at + 1, lang: language })}`;

  const spans = (list) => list.map(([kind, text]) => (kind ? el(kind, { text }) : text));

  const TEXT = window.tp.words({
    en: {
      columns: { accuracy: "right", bits: "bits a character", idle: "idle experts", maxvio: "MaxVio", sharpness: "sharpness", final: "loss", difference: "difference" },
      diverged: "diverged",
      parameters: (count) => `${count} parameters`,
      mean: (runs) => `Mean ± standard deviation of ${runs} runs with different seeds.`,
      difference: { final: (first) => `Difference: loss minus that of “${first}”, with its 95 % interval.`, bits: (first) => `Difference: bits a character minus those of “${first}”, with its 95 % interval.` },
    },
    zh: {
      columns: { accuracy: "答对", bits: "每字符比特", idle: "闲置专家", maxvio: "MaxVio", sharpness: "集中度", final: "损失", difference: "差别" },
      diverged: "发散",
      parameters: (count) => `${count} 个参数`,
      mean: (runs) => `${runs} 次训练（种子不同）的平均值 ± 标准差。`,
      difference: { final: (first) => `差别：损失减去“${first}”的损失，附 95 % 区间。`, bits: (first) => `差别：每字符比特减去“${first}”的，附 95 % 区间。` },
    },
  });
  const COLUMNS = ["accuracy", "bits", "idle", "maxvio", "sharpness", "final", "difference"];
  const SHARES = ["accuracy", "sharpness"];

  const minus = (text) => text.replace("-", "−");
  const signed = (value) => `${value > 0 ? "+" : ""}${minus(Number(value).toFixed(3))}`;

  /** One number of a table, as [text, what stands smaller below it ...]; what was not measured is a dash. */
  function cell(row, name) {
    const value = row[name];
    if (!value) return ["–"];
    if (name === "difference") {
      const interval = row.difference_low ? [`[${signed(row.difference_low)}, ${signed(row.difference_high)}]`] : [];
      return [signed(value), ...interval, ...verdict(row)];
    }
    const show = (number) => (SHARES.includes(name) ? percent(Number(number)) : Number(number).toFixed(name === "idle" ? 1 : 3));
    const deviation = row[`${name}_deviation`];
    return [show(value), ...(deviation ? [`± ${show(deviation)}`] : [])];
  }

  /** What the interval says, in the words of the dashboard's tables. */
  function verdict({ within_noise: noise, difference }) {
    if (!noise) return [];
    return [window.tp.translate(noise === "True" ? "within noise" : difference > 0 ? "worse" : "better")];
  }

  /** What a suite measured: a row for each variant; a variant of which no run came to its end has no numbers. */
  function table(rows) {
    const names = COLUMNS.filter((name) => rows.some((row) => row[name]));
    const lost = ({ finished, diverged }) => finished === "0" && diverged !== "0";
    const small = (texts) => texts.map((text) => el("small", { text }));
    const cells = (row) =>
      lost(row)
        ? el("td", { colspan: names.length, text: TEXT.diverged })
        : names.map((name) => {
            const [text, ...below] = cell(row, name);
            return el("td", {}, text, small(below));
          });
    const head = (row) =>
      el("th", { scope: "row" }, window.tp.translate(row.variant), small(row.parameters ? [TEXT.parameters(Number(row.parameters).toLocaleString("en-US"))] : []));
    const runs = Math.max(...rows.map((row) => Number(row.finished) + Number(row.diverged)));
    const difference = TEXT.difference[names.includes("bits") ? "bits" : "final"];
    const notes = [TEXT.mean(runs), ...(names.includes("difference") ? [difference(window.tp.translate(rows[0].variant))] : [])];
    return el(
      "div",
      { class: "measured" },
      el(
        "table",
        {},
        el("thead", {}, el("tr", {}, el("th"), names.map((name) => el("th", { scope: "col", text: TEXT.columns[name] })))),
        el("tbody", {}, rows.map((row) => el("tr", {}, head(row), cells(row)))),
      ),
      el("p", { class: "note", text: notes.join(" ") }),
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
