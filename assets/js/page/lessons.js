/* `tp.lessons`: where a learner is in the guided path, and how a lesson's text is drawn.
 *
 *   progress            what is known of each step, kept in this browser: read(name), set(name, step, values). A step
 *                       has `done`; `predicted`, the number of an answer; `result`, what its experiment came to
 *   address(name, at)   a link to a lesson, or to a section of it
 *   read(name, at)      open a lesson on the tab Learn, or null: the list; without loading the page
 *   link(name, at, attributes)   a link that does so
 *   experiment(name, at, stored)   do the experiment of a section on the tab that it is about, with the coach beside
 *                       it, or watch a stored run of it there
 *   on                  names of the events by which views hear of it: document.addEventListener(on.read, ...)
 *   open(query)         open a tab with settings, without loading the page; opened(act): a view hears what is wanted;
 *                       linked(tab, act): only of links to its tab, also of one that came before the view was drawn
 *   blocks(blocks)      nodes of a lesson's text: a lesson is text and reaches the page as textContent only
 *   draw, spans         how each kind of block is drawn, and marked-up text: questions.js and tables.js add kinds
 */
(() => {
  "use strict";

  const { browser, el, language, percent, url } = window.tp;
  const OPEN = "tp-open";
  const on = { read: "tp-read", experiment: "tp-experiment", progress: "tp-progress" };
  const KEY = "transformer-playground-lessons";

  /** @returns {{ [lesson: string]: { [step: string]: Progress } }} */
  function everything() {
    try {
      const stored = JSON.parse(browser.recall(KEY) ?? "null");
      return stored && typeof stored === "object" ? stored : {};
    } catch {
      return {};
    }
  }

  /** @type {Tp["lessons"]["progress"]} */
  const progress = {
    /** What is known of a lesson's steps: {[step]: {done, predicted}}. */
    read: (name) => everything()[name] ?? {},
    set(name, step, values) {
      const all = everything();
      all[name] = { ...all[name], [step]: { ...all[name]?.[step], ...values } };
      browser.remember(KEY, JSON.stringify(all));
      document.dispatchEvent(new CustomEvent(on.progress));
    },
    done: (name) => Object.values(progress.read(name)).filter((step) => step?.done).length,
    /** All of it, and something else in its place: {[lesson]: {[step]: ...}}. */
    all: everything,
    replace: (all) => browser.remember(KEY, JSON.stringify(all)),
  };

  /** @type {Tp["lessons"]["address"]} */
  const address = (name, at = null) => window.tp.link("lesson", { lesson: name, at }, { tab: "learn", lang: language });

  /** @type {Tp["lessons"]["read"]} */
  function read(name, at = null) {
    url.set({ read: name, lesson: null, at: null }, { push: name !== url.get("read") });
    url.set({ at: at === null ? null : at + 1 });
    window.tp.tabs.open("learn");
    document.dispatchEvent(new CustomEvent(on.read));
  }

  /** @type {Tp["lessons"]["link"]} */
  const link = (name, at, attributes) =>
    el("a", {
      href: address(name, at),
      ...attributes,
      on: {
        click: (event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          read(name, at);
        },
      },
    });

  /** @type {Tp["lessons"]["experiment"]} */
  const experiment = (name, at, stored = false) =>
    document.dispatchEvent(new CustomEvent(on.experiment, { detail: { lesson: name, at, stored } }));

  /* ---------------------------------------------------------------- what a step shows */

  /** The newest link of this page. @type {{ [name: string]: string } | null} */
  let newest = null;

  /** Open a tab with settings, as a link would, on the page as it is. A view that has not been shown yet will read
   * them in the address; the others hear of them in `opened`.
   *
   * @type {Tp["lessons"]["open"]} */
  function open(query) {
    const wanted = Object.fromEntries(new URLSearchParams(query));
    const { tab, run: _, ...settings } = wanted;
    const before = [...new URLSearchParams(location.search).keys()].filter((name) => name.startsWith("c."));
    const cleared = Object.fromEntries((wanted.preset ? before : []).map((name) => [name, null]));
    url.set({ ...cleared, ...settings });
    newest = wanted;
    document.dispatchEvent(new CustomEvent(OPEN, { detail: wanted }));
    window.tp.tabs.open(tab);
  }

  /** @type {Tp["lessons"]["opened"]} */
  const opened = (act) => document.addEventListener(OPEN, (event) => act(/** @type {CustomEvent} */ (event).detail));

  /** @type {Tp["lessons"]["linked"]} */
  function linked(tab, act) {
    if (newest?.tab === tab) act(newest);
    opened((wanted) => wanted.tab === tab && act(wanted));
  }

  /** @type {Tp["lessons"]["spans"]} */
  const spans = (list) =>
    list.map(([kind, text]) => {
      if (kind.startsWith("lesson:")) return link(kind.slice("lesson:".length), null, { class: "tp-lesson", text });
      return kind ? el(/** @type {"b" | "i" | "code"} */ (kind), { text }) : text;
    });

  const TEXT = window.tp.words({
    en: {
      columns: {
        accuracy: "right",
        bits: "bits a character",
        idle: "idle experts",
        maxvio: "MaxVio",
        sharpness: "sharpness",
        final: "loss",
        difference: "difference",
      },
      diverged: "diverged",
      parameters: (/** @type {string} */ count) => `${count} parameters`,
      mean: (/** @type {number} */ runs) => `Mean ± standard deviation of ${runs} runs with different seeds.`,
      difference: {
        final: (/** @type {string} */ first) => `Difference: loss minus that of “${first}”, with its 95% interval.`,
        bits: (/** @type {string} */ first) =>
          `Difference: bits a character minus those of “${first}”, with its 95% interval.`,
      },
    },
    zh: {
      columns: {
        accuracy: "答对",
        bits: "每字符比特",
        idle: "闲置专家",
        maxvio: "MaxVio",
        sharpness: "集中度",
        final: "损失",
        difference: "差别",
      },
      diverged: "发散",
      parameters: (/** @type {string} */ count) => `${count} 个参数`,
      mean: (/** @type {number} */ runs) => `${runs} 次训练（种子不同）的平均值 ± 标准差。`,
      difference: {
        final: (/** @type {string} */ first) => `差别：损失减去“${first}”的损失，附 95% 区间。`,
        bits: (/** @type {string} */ first) => `差别：每字符比特减去“${first}”的，附 95% 区间。`,
      },
    },
  });
  /** @type {(keyof typeof TEXT.columns)[]} */
  const COLUMNS = ["accuracy", "bits", "idle", "maxvio", "sharpness", "final", "difference"];
  const SHARES = ["accuracy", "sharpness"];

  const minus = (/** @type {string} */ text) => text.replace("-", "−");
  const signed = (/** @type {number | string} */ value) =>
    `${Number(value) > 0 ? "+" : ""}${minus(Number(value).toFixed(3))}`;

  /** One number of a table, as [text, what stands smaller below it ...]; what was not measured is a dash.
   *
   * @param {Measured} row
   * @param {string} name
   * @returns {string[]} */
  function cell(row, name) {
    const value = row[name];
    if (!value) return ["–"];
    if (name === "difference") {
      const interval = row.difference_low ? [`[${signed(row.difference_low)}, ${signed(row.difference_high)}]`] : [];
      return [signed(value), ...interval, ...verdict(row)];
    }
    const show = (/** @type {string} */ number) =>
      SHARES.includes(name) ? percent(Number(number)) : Number(number).toFixed(name === "idle" ? 1 : 3);
    const deviation = row[`${name}_deviation`];
    return [show(value), ...(deviation ? [`± ${show(deviation)}`] : [])];
  }

  /** What the interval says, in the words of the dashboard's tables.
   *
   * @param {Measured} row */
  function verdict({ within_noise: noise, difference }) {
    if (!noise) return [];
    return [window.tp.translate(noise === "True" ? "within noise" : Number(difference) > 0 ? "worse" : "better")];
  }

  /** What a suite measured: a row for each variant; a variant of which no run came to its end has no numbers.
   *
   * @param {Measured[]} rows */
  function table(rows) {
    const names = COLUMNS.filter((name) => rows.some((row) => row[name]));
    const lost = (/** @type {Measured} */ { finished, diverged }) => finished === "0" && diverged !== "0";
    const small = (/** @type {string[]} */ texts) => texts.map((text) => el("small", { text }));
    const cells = (/** @type {Measured} */ row) =>
      lost(row)
        ? [el("td", { colspan: names.length, text: TEXT.diverged })]
        : names.map((name) => {
            const [text, ...below] = cell(row, name);
            return [text, small(below)];
          });
    const head = (/** @type {Measured} */ row) => [
      window.tp.translate(row.variant),
      small(row.parameters ? [TEXT.parameters(Number(row.parameters).toLocaleString("en-US"))] : []),
    ];
    const runs = Math.max(...rows.map((row) => Number(row.finished) + Number(row.diverged)));
    const difference = TEXT.difference[names.includes("bits") ? "bits" : "final"];
    const notes = [
      TEXT.mean(runs),
      ...(names.includes("difference") ? [difference(window.tp.translate(rows[0].variant))] : []),
    ];
    return el("div", { class: "tp-measured" }, [
      window.tp.table(
        {},
        [el("td"), ...names.map((name) => TEXT.columns[name])],
        rows.map((row) => window.tp.tableRow({}, head(row), cells(row))),
      ),
      el("p", { class: "note", text: notes.join(" ") }),
    ]);
  }

  /** @type {Tp["lessons"]["draw"]} */
  const DRAW = {
    text: ({ spans: list }) => el("p", {}, spans(list)),
    list: ({ items }) =>
      el("ul", {}, [items.map((/** @type {[kind: string, text: string][]} */ item) => el("li", {}, spans(item)))]),
    equation: ({ text }) => el("div", { class: "tp-equation", text }),
    table: ({ rows }) => table(rows),
  };

  /** @type {Tp["lessons"]["blocks"]} */
  const blocks = (list) => list.map((block) => DRAW[block.kind](block));

  window.tp.lessons = /** @type {any} */ ({
    ...{ progress, address, read, link, experiment, on },
    ...{ open, opened, linked, blocks, spans, draw: DRAW },
  });
})();
