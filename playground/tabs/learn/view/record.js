/* My record: every prediction beside its result, and the questions that were right at first try; to print, to hand in
 * and to take to another browser. All of it is kept in this browser (assets/js/lessons/record.js).
 */

const RECORD = tp.words({
  en: {
    title: "My record",
    intro: "What you predicted and what happened. It is kept in this browser, and nowhere else.",
    /** @type {(right: number, all: number) => string} */
    predictions: (right, all) =>
      all ? `Your predictions were right in ${right} of ${all}.` : "No prediction has been decided yet.",
    /** @type {(right: number, all: number) => string} */
    questions: (right, all) =>
      all ? `You answered ${right} of ${all} questions right at first try.` : "No question has been answered yet.",
    /** @type {(done: number, all: number) => string} */
    lessons: (done, all) => `${done} of ${all} lessons are finished.`,
    empty: "Make a prediction or answer a question in a lesson, and it appears here.",
    columns: ["Prediction", "You predicted", "What happened", ""],
    open: "not tried yet",
    right: "right",
    wrong: "not right",
    /** @type {(right: number, all: number) => string} */
    first: (right, all) => `Questions: ${right} of ${all} right at first try.`,
    name: "Name, for what you hand in (optional)",
    print: "Print",
    markdown: "Save to hand in (Markdown)",
    json: "Save for another browser (JSON)",
    take: "Take in a saved record …",
    taken: "The record was taken in.",
    errors: {
      json: "This file is no JSON. Choose the file that “Save for another browser (JSON)” has written.",
      format:
        "This file is no record of this page. Choose the file that “Save for another browser (JSON)” has written.",
      empty: "This record is empty: nothing was taken in.",
    },
    clear: "Clear my record …",
    sure: "Really clear everything: progress, predictions, answers and cards",
    keep: "Keep it",
    cleared: "The record is empty.",
    file: "my-record",
    on: (/** @type {string} */ date) => `Written on ${date}`,
    offline: "The record could not be fetched. Open it again.",
  },
  zh: {
    title: "我的记录",
    intro: "你的预测和实际结果。只保存在这个浏览器里。",
    predictions: (right, all) => (all ? `${all} 个预测中有 ${right} 个正确。` : "还没有见分晓的预测。"),
    questions: (right, all) => (all ? `${all} 道题中有 ${right} 道第一次就答对。` : "还没有答过题。"),
    lessons: (done, all) => `${all} 课中学完了 ${done} 课。`,
    empty: "在课里做一次预测或答一道题，就会出现在这里。",
    columns: ["预测的问题", "你的预测", "实际结果", ""],
    open: "还没有做",
    right: "正确",
    wrong: "不正确",
    first: (right, all) => `题目：${all} 道中 ${right} 道第一次答对。`,
    name: "姓名，写在要交的记录上（可不填）",
    print: "打印",
    markdown: "保存用来上交（Markdown）",
    json: "保存到别的浏览器用（JSON）",
    take: "读入保存的记录……",
    taken: "已读入记录。",
    errors: {
      json: "这个文件不是 JSON。请选择“保存到别的浏览器用（JSON）”写出的文件。",
      format: "这个文件不是本页的记录。请选择“保存到别的浏览器用（JSON）”写出的文件。",
      empty: "这份记录是空的，没有读入任何内容。",
    },
    clear: "清空我的记录……",
    sure: "确定全部清空：进度、预测、答案和卡片",
    keep: "保留",
    cleared: "记录已清空。",
    file: "我的学习记录",
    on: (date) => `${date} 生成`,
    offline: "没能取到记录，请重新打开。",
  },
});

/** @typedef {{ask: string, mine: string, came: string, hit: boolean | null}} Row */
/** @typedef {{title: string, rows: Row[], right: number, answered: number}} Chapter */

/** What is known of each lesson: its predictions with their results, and the first answers to its questions.
 *
 * @param {Answers.LessonQuestions[]} all */
function chapters(all) {
  const answers = tp.record.answers();
  /** @type {{predicted: number | null, right: number | null}[]} */
  const list = [];
  const found = all.map(({ name, title, predictions, questions }) => {
    const known = tp.lessons.progress.read(name);
    const made = predictions.filter(({ step }) => known[step]?.predicted !== undefined);
    const rows = made.map(({ step, decided, ask, options }) => {
      const predicted = known[step]?.predicted ?? null;
      const result = known[decided]?.result ?? null;
      list.push({ predicted, right: result?.right ?? null });
      const hit = result === null || result.right === null ? null : result.right === predicted;
      const came = result ? tp.lessons.came(result) : RECORD.open;
      return { ask, mine: options[predicted ?? -1] ?? "", came, hit };
    });
    const given = questions.map(({ id }) => answers[id]).filter(Boolean);
    return { title, rows, right: given.filter(({ right }) => right).length, answered: given.length };
  });
  return { found: found.filter(({ rows, answered }) => rows.length || answered), list };
}

/** The sentences at the top: lessons, predictions, questions.
 *
 * @param {ReturnType<typeof chapters>} known */
function summed({ found, list }) {
  const { right, all } = tp.record.calibration(list);
  const sum = (/** @type {"right" | "answered"} */ name) => found.reduce((total, each) => total + each[name], 0);
  const finished = lessons.filter(({ name, steps }) => tp.lessons.progress.done(name) >= steps).length;
  return [
    RECORD.lessons(finished, lessons.length),
    RECORD.predictions(right, all),
    RECORD.questions(sum("right"), sum("answered")),
  ];
}

const verdictOf = (/** @type {boolean | null} */ hit) => (hit === null ? "" : hit ? RECORD.right : RECORD.wrong);

/** The record as a text to hand in.
 *
 * @param {ReturnType<typeof chapters>} known @param {string} name @param {string} date */
function asMarkdown(known, name, date) {
  const cell = (/** @type {string} */ text) => text.replace(/\s+/g, " ").replace(/([\\`*_|<>[\]])/g, "\\$1");
  const line = (/** @type {string[]} */ cells) => `| ${cells.map(cell).join(" | ")} |`;
  const parts = [`# ${RECORD.title}`, cell([name, RECORD.on(date)].filter(Boolean).join(" · "))];
  parts.push(
    summed(known)
      .map((text) => `- ${text}`)
      .join("\n"),
  );
  for (const { title, rows, right, answered } of known.found) {
    parts.push(`## ${cell(title)}`);
    if (rows.length)
      parts.push(
        [
          line(RECORD.columns),
          `|${" --- |".repeat(RECORD.columns.length)}`,
          ...rows.map(({ ask, mine, came, hit }) => line([ask, mine, came, verdictOf(hit)])),
        ].join("\n"),
      );
    if (answered) parts.push(RECORD.first(right, answered));
  }
  return `${parts.join("\n\n")}\n`;
}

/** The same as nodes. @param {ReturnType<typeof chapters>} known */
function asNodes(known) {
  const { found } = known;
  if (!found.length) return [el("p", { text: RECORD.empty })];
  const mark = (/** @type {boolean | null} */ hit) =>
    hit === null ? "" : el("span", { class: hit ? "good" : "bad", text: `${hit ? "✓" : "✗"} ${verdictOf(hit)}` });
  const table = (/** @type {Row[]} */ rows) =>
    el(
      "table",
      {},
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          RECORD.columns.map((text) => el("th", { scope: "col", text })),
        ),
      ),
      el(
        "tbody",
        {},
        rows.map(({ ask, mine, came, hit }) =>
          el(
            "tr",
            {},
            el("td", { text: ask }),
            el("td", { text: mine }),
            el("td", { text: came }),
            el("td", {}, mark(hit)),
          ),
        ),
      ),
    );
  return [
    el(
      "ul",
      { class: "sums" },
      summed(known).map((text) => el("li", { text })),
    ),
    ...found.map(({ title, rows, right, answered }) =>
      el(
        "section",
        {},
        el("h3", { text: title }),
        rows.length ? table(rows) : "",
        answered ? el("p", { text: RECORD.first(right, answered) }) : "",
      ),
    ),
  ];
}

/** The part "My record"; `draw` shows what is known by now, if it is open.
 *
 * @returns {Drawn} */
function record() {
  const page = el("div", { class: "page" });
  const said = el("p", { class: "said", role: "status" });
  const name = el("input", { type: "text", id: "record-name", maxlength: 80, autocomplete: "name" });
  const file = el("input", { type: "file", id: "record-file", accept: ".json,application/json", class: "tp-hidden" });
  const button = (/** @type {string} */ id, /** @type {string} */ text, /** @type {() => unknown} */ click) =>
    el("button", { type: "button", class: "tp-button", id, text, on: { click } });
  const today = () => new Date().toLocaleDateString(tp.language);

  const known = async () => {
    const all = await asked();
    return all && chapters(all);
  };

  async function draw() {
    if (!node.open) return;
    const found = await known();
    page.replaceChildren(...(found ? asNodes(found) : [el("p", { role: "alert", text: RECORD.offline })]));
    node.dataset.ready = "true";
  }

  async function print() {
    const found = await known();
    if (!found) return;
    const heading = [name.value.trim(), RECORD.on(today())].filter(Boolean).join(" · ");
    const paper = el(
      "div",
      { class: "tp-paper" },
      el("h1", { text: RECORD.title }),
      el("p", { text: heading }),
      asNodes(found),
    );
    document.body.append(paper);
    document.body.classList.add("tp-printing");
    addEventListener(
      "afterprint",
      () => {
        paper.remove();
        document.body.classList.remove("tp-printing");
      },
      { once: true },
    );
    window.print();
  }

  async function saveMarkdown() {
    const found = await known();
    if (found) tp.saveText(`${RECORD.file}.md`, asMarkdown(found, name.value.trim(), today()), "text/markdown");
  }

  file.addEventListener("change", async () => {
    const chosen = file.files?.[0];
    file.value = "";
    if (!chosen) return;
    const { text, problem } = await tp.readText(chosen);
    try {
      if (text === undefined) return put(said, problem ?? "");
      tp.record.taken(text);
      put(said, RECORD.taken);
    } catch (error) {
      const errors = /** @type {{[code: string]: string}} */ (RECORD.errors);
      put(said, errors[/** @type {Error} */ (error).message] ?? String(error));
    }
  });

  const clear = button("record-clear", RECORD.clear, () => asks(true));
  const sure = button("record-sure", RECORD.sure, () => {
    tp.record.clear();
    asks(false);
    put(said, RECORD.cleared);
  });
  const keep = button("record-keep", RECORD.keep, () => asks(false));
  function asks(/** @type {boolean} */ asking) {
    [clear.hidden, sure.hidden, keep.hidden] = [asking, !asking, !asking];
    (asking ? keep : clear).focus();
  }
  [sure.hidden, keep.hidden] = [true, true];

  const node = el(
    "details",
    { class: "record", id: "record", on: { toggle: draw } },
    el("summary", { text: RECORD.title }),
    el("p", { class: "intro", text: RECORD.intro }),
    page,
    el("label", { class: "named", for: "record-name", text: RECORD.name }),
    name,
    el(
      "div",
      { class: "ways" },
      button("record-print", RECORD.print, print),
      button("record-markdown", RECORD.markdown, saveMarkdown),
      button("record-json", RECORD.json, () =>
        tp.saveText(`${RECORD.file}.json`, tp.record.written(), "application/json"),
      ),
      button("record-take", RECORD.take, () => file.click()),
      file,
      clear,
      sure,
      keep,
    ),
    said,
  );
  return { node, draw };
}
