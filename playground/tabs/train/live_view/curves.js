/* Loss, right answers, learning rate and gradient norm over the steps, with their choices. */

const address = tp.address("live", () => choices);
const WINDOWS = address.choices("smoothing"); // steps that the smoothed curve averages over
const choices = address.read();

/** `current` gives the history on the page; `smoothing` is told when the number of steps changes. `other` is the run
 * beside it (other.js). */
function makeCurves(
  /** @type {{ current(): Feed, smoothing(window: number): void, other: ReturnType<typeof makeOther> }} */ {
    current,
    smoothing,
    other,
  },
) {
  const host = el("div", { class: "curves" });
  const chart = tp.chart(host, { onZoom: (zoom) => (whole.hidden = zoom === null) });
  const whole = tp.button(TEXT.whole, { class: "quiet", hidden: true }, () => chart.reset());
  const axes = /** @type {const} */ (["linear", "log"]).map((name) =>
    tp.button(TEXT.axes[name], { "data-axis": name }, () => setAxis(name)),
  );
  const steps = el("output", { class: "value" });
  /** @type {HTMLInputElement} */
  const slider = el("input", {
    type: "range",
    min: 0,
    max: WINDOWS.length - 1,
    step: 1,
    value: WINDOWS.indexOf(choices.smoothing),
    "aria-label": TEXT.smoothing,
    on: { input: () => setWindow(WINDOWS[Number(slider.value)]) },
  });

  function setAxis(/** @type {string} */ axis) {
    choices.axis = axis;
    address.save();
    drawChoices();
    draw(current());
  }

  function setWindow(/** @type {number} */ window) {
    choices.smoothing = window;
    address.save();
    smoothing(window);
    drawChoices();
  }

  function drawChoices() {
    for (const button of axes) {
      button.setAttribute("aria-pressed", String(button.dataset.axis === choices.axis));
    }
    const text = TEXT.smoothed(WINDOWS[Number(slider.value)]);
    put(steps, text);
    slider.setAttribute("aria-valuetext", text);
  }

  function draw(/** @type {Feed} */ history) {
    const { name, status, step } = history;
    const [low, last] = span(history);
    const second = other.current();
    const high = horizon(low, last, history.total, history.over);
    chart.update({
      x: { low, high: second ? Math.max(high, span(second)[1]) : high, name: TEXT.x },
      panels: panels(history, choices.axis === "log", second),
      marks: [...phasesOf(history).slice(1).map(phaseMark), ...marks(history.notes)],
      summary: tp.sentences([
        TEXT.summary(name, status ? tp.states[status.state].word : "", step, newest(history)),
        ...baselines(history.about).map(({ text, value, tip }) => `${tp.named(`${text} ${value}`, tip ?? "")}.`),
      ]),
    });
  }

  drawChoices();
  const reading = el("p", { class: "help reading", text: TEXT.reading });
  const node = el("section", { class: "chart" }, [
    host,
    el("div", { class: "bar controls" }, [
      el("div", { class: "choice", role: "group", "aria-label": TEXT.axis }, label(TEXT.axis), axes),
      el("label", { class: "smoothing" }, label(TEXT.smoothing), slider, steps),
      other.node,
      whole,
      tp.saveBar({
        figure: () => chart.svg,
        rows: () => curveRows(current()),
        name: () => current().fileName(FILES.curves),
      }),
    ]),
    reading,
    el("p", { class: "help", text: TEXT.chartHelp }),
  ]);
  tp.terms.mark(reading, props.terms ?? []);
  return { node, draw, reset: () => chart.reset() };
}

/** A small number without a power of ten. */
const plain = (/** @type {number} */ value) => String(Number(value.toPrecision(3))).replace(/^.*e.*$/, number(value));

const label = (/** @type {string} */ text) => el("span", { class: "label", text });

function newest(/** @type {Feed} */ { steps, evaluated }) {
  return tp.series([
    ...(steps.n ? [`${TEXT.train} ${tp.loss(steps.last("smooth"))}`] : []),
    ...(evaluated.n ? [`${TEXT.validation} ${tp.loss(evaluated.last("loss"))}`] : []),
  ]);
}

/** The first and the last step that there is anything of; a run from the beginning starts at 0. */
function span(/** @type {Feed} */ { steps, evaluated, step }) {
  const firsts = [steps, evaluated].filter((table) => table.n).map((table) => table.step[0]);
  const lasts = [steps, evaluated].filter((table) => table.n).map((table) => table.last("step"));
  const first = firsts.length ? Math.min(...firsts) : 0;
  return [first <= 1 ? 0 : first, Math.max(step, ...lasts)];
}

/** The end of the x axis: a little ahead of a growing run, moving in jumps so that the picture rests between.
 *
 * @param {number} first @param {number} last @param {number} total @param {boolean} over */
function horizon(first, last, total, over) {
  if (over) return Math.max(last, first + 1);
  let length = 50;
  while (length < (last - first) * 1.02) length *= 1.3;
  return Math.min(first + length, Math.max(total, last));
}

/** What guessing and counting reach without any training, as levels of the loss.
 *
 * @param {Answers.RunAbout | null} about @returns {Reference[]} */
function baselines(about) {
  if (!about?.uniform || about.vocabulary === null) return [];
  const { vocabulary, uniform, letters, baselines: counted } = about;
  /** @param {string} text @param {number} y @param {string} tip */
  const level = (text, y, tip) => ({ y, text, value: y.toFixed(2), tip });
  const knows = TEXT.knows[letters ? "letters" : "tokens"];
  const counts = TEXT.counts[letters ? "letters" : "tokens"];
  return [
    level(TEXT.nothing, uniform, TEXT.uniform(vocabulary, uniform)),
    ...(counted ? [level(counts.unigram, counted.unigram, knows.unigram(counted.counted))] : []),
    ...(counted ? [level(counts.bigram, counted.bigram, knows.bigram(counted.counted))] : []),
  ];
}

/** @typedef {Omit<ChartLine, "x" | "y" | "n">} Look */

/** @param {Feed} history @param {boolean} log @param {Feed | null} second @returns {ChartPanel[]} */
function panels({ steps, evaluated, about, tested }, log, second) {
  /** @param {StepColumn} column @param {Look} line @returns {ChartLine} */
  const learned = (column, line) => ({ x: steps.step, y: steps[column], n: steps.n, fit: true, ...line });
  /** @param {"loss" | "accuracy"} column @param {Look} line @returns {ChartLine} */
  const measured = (column, line) => ({
    ...{ x: evaluated.step, y: evaluated[column], n: evaluated.n, fit: true, dots: true },
    ...line,
  });
  const loss = {
    ...{ id: "loss", title: TEXT.loss, unit: TEXT.lossUnit, height: 250, log },
    lines: [
      learned("loss", { id: "raw", name: TEXT.raw, style: "raw", keep: 0.99, format: tp.loss }),
      learned("smooth", { id: "train", name: TEXT.train, style: "train", format: tp.loss }),
      measured("loss", { id: "validation", name: TEXT.validation, style: "validation", format: tp.loss }),
      ...(second ? besides(second) : []),
    ],
    references: baselines(about),
  };
  const accuracy = {
    ...{ id: "accuracy", title: TEXT.accuracy, unit: TEXT.accuracyUnit, height: 90 },
    ...{ range: [0, 1.02], format: percent },
    lines: [measured("accuracy", { id: "accuracy", name: TEXT.stats.accuracy, style: "accuracy", format: percent })],
  };
  const lr = {
    ...{ id: "lr", title: TEXT.lr, unit: "", height: 52, zero: true, format: plain },
    lines: [learned("lr", { id: "lr", name: TEXT.lr.toLowerCase(), style: "slim", format: plain })],
  };
  const gradNorm = {
    ...{ id: "grad", title: TEXT.gradNorm, unit: TEXT.gradNormUnit, height: 52, zero: true },
    lines: [learned("grad_norm", { id: "grad", name: TEXT.gradNorm.toLowerCase(), style: "slim", keep: 0.98 })],
  };
  return tested ? [loss, accuracy, lr, gradNorm] : [loss, lr, gradNorm];
}

/** The curves of the run beside the one on the page. */
function besides(/** @type {Feed} */ { steps, evaluated }) {
  const line = { format: tp.loss, fit: true };
  return [
    { ...line, id: "other", name: TEXT.other, style: "other", x: steps.step, y: steps.smooth, n: steps.n },
    {
      ...{ ...line, id: "other-validation", name: TEXT.otherValidation, style: "other", dots: true },
      ...{ x: evaluated.step, y: evaluated.loss, n: evaluated.n },
    },
  ];
}

const phaseMark = (/** @type {Reached} */ { name, from }) => ({
  x: from,
  kind: "phase",
  text: TEXT.phases[name] ?? name,
});

const WEIGHTY = ["diverged", "changed", "restarted", "paused"];

/** What happened, as lines on the chart: one for each step at which something did. */
function marks(/** @type {FeedNote[]} */ notes) {
  /** @type {Map<number, Map<string, FeedNote>>} */
  const at = new Map(); // step -> kind -> note: of several of one kind, the last counts
  for (const note of notes) {
    if (!(note.kind in TEXT.marks)) continue;
    const here = at.get(note.step) ?? new Map();
    at.set(note.step, here.set(note.kind + (note.field ?? ""), note));
  }
  return [...at.entries()]
    .sort(([a], [b]) => a - b)
    .map(([x, byKind]) => {
      const here = [...byKind.values()];
      return {
        x,
        kind: WEIGHTY.find((kind) => here.some((note) => note.kind === kind)) ?? "",
        text: here.map((note) => TEXT.marks[note.kind]?.(note)).join(" "),
      };
    });
}

function curveRows(/** @type {Feed} */ { steps, evaluated }) {
  /** @type {Map<number, Cell[]>} */
  const rows = new Map();
  const columns = /** @type {const} */ (["step", "loss", "lr", "grad_norm", "tokens", "seconds"]);
  for (let i = 0; i < steps.n; i++) {
    const values = columns.map((name) => steps[name][i]);
    rows.set(steps.step[i], [...values, "", ""]);
  }
  for (let i = 0; i < evaluated.n; i++) {
    const step = evaluated.step[i];
    const row = rows.get(step) ?? [step, "", "", "", "", "", "", ""];
    row[6] = evaluated.loss[i];
    row[7] = Number.isNaN(evaluated.accuracy[i]) ? "" : evaluated.accuracy[i];
    rows.set(step, row);
  }
  return [TEXT.csv.curves, ...[...rows].sort(([a], [b]) => a - b).map(([, row]) => row)];
}
