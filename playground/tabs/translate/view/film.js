/* The steps of training: a slider over them, above it how sharp the alignment was and how much was right. */
const SPARK = { height: 64, side: 8 };
/** @typedef {{ run: string, steps: number[], values: Float32Array[], even: number | null }} Sharp */
/** @type {Sharp} */
let sharp = { run: "", steps: [], values: [], even: null };

function makeFilm(/** @type {{ goTo(index: number | null): unknown, busy(): void }} */ { goTo, busy }) {
  const host = el("div", { class: "spark" });
  const note = el("span", { class: "muted" });
  const newestButton = tp.button(TEXT.newest, { class: "tp-button", id: "translate-newest" }, toNewest);
  const legend = el("span", { class: "spark-legend" });
  const saves = tp.saveBar({ figure: () => host, rows: () => rows(), name: () => fileName("sharpness") });
  const slider = tp.checkpointFilm({
    id: "translate-step",
    frame: () => frame,
    label: TEXT.film,
    text: { play: TEXT.filmPlay, pause: TEXT.filmPause },
    goTo,
    marks: () => frame.stored,
    above: host,
    begun: busy,
    rested: () => draw(),
  });
  const { stop } = slider;

  function toNewest() {
    stop();
    goTo(null);
  }
  const node = el("section", { class: "film" }, [
    el("h3", {}, el("label", { for: "translate-step", text: TEXT.film })),
    el("p", { class: "help", text: TEXT.filmHelp }),
    slider.node,
    el("div", { class: "film-under" }, legend, newestButton, saves),
    el("p", { class: "hint" }, note),
  ]);

  function sharpAt(/** @type {number} */ i) {
    const L = frame.layers;
    const H = frame.heads;
    const layer = state.of === "cross" && state.layer !== null ? state.layer : L;
    const head = state.of === "cross" && state.head !== null ? state.head : H;
    return sharp.values[i]?.[layer * (H + 1) + head] ?? NaN;
  }

  /** What was known at a step: the last value that was measured by then.
   *
   * @param {number[]} steps @param {(i: number) => number} values @param {number} step */
  function known(steps, values, step) {
    let found = NaN;
    for (let i = 0; i < steps.length && steps[i] <= step; i++) found = values(i);
    return found;
  }
  const sharpBy = (/** @type {number} */ step) => (sharp.run === frame.run ? known(sharp.steps, sharpAt, step) : NaN);
  const exactBy = (/** @type {number} */ step) =>
    history.run === frame.run ? known(history.evaluated.step, (i) => history.evaluated.accuracy[i], step) : NaN;

  function draw() {
    if (!frame.run) return;
    const { steps, step } = frame;
    slider.draw();
    put(note, frame.recorded ? TEXT.recordedNote : "");
    newestButton.disabled = step === newest(frame);
    const index = Math.max(0, steps.indexOf(step));
    drawSpark(index);
  }

  function drawSpark(/** @type {number} */ index) {
    const width = host.clientWidth;
    if (!width) return;
    const { steps } = frame;
    const X = (/** @type {number} */ i) =>
      SPARK.side + (steps.length > 1 ? (i / (steps.length - 1)) * (width - 2 * SPARK.side) : 0);
    const Y = (/** @type {number} */ value) => 4 + (1 - value) * (SPARK.height - 8);
    const line = (/** @type {number[]} */ values) => {
      let pen = "M";
      return values
        .map((value, i) => {
          if (!Number.isFinite(value)) return "";
          const out = `${pen}${X(i).toFixed(1)},${Y(value).toFixed(1)}`;
          pen = "L";
          return out;
        })
        .join("");
    };
    const sharps = steps.map(sharpBy);
    const exacts = steps.map(exactBy);
    const now = { sharp: sharps[index], exact: exacts[index] };
    /** @param {string} kind @param {number} value */
    const dot = (kind, value) =>
      Number.isFinite(value) && el("circle", { class: kind, cx: X(index), cy: Y(value), r: 4 });
    host.replaceChildren(
      tp.drawing(
        width,
        SPARK.height,
        { role: "img", "aria-label": TEXT.filmLabel(percent(now.sharp), percent(now.exact)) },
        [
          [0, 1].map((value) => el("path", { class: "rule", d: `M${SPARK.side},${Y(value)}H${width - SPARK.side}` })),
          el("path", { class: "exact", d: line(exacts) }),
          el("path", { class: "sharp", d: line(sharps) }),
          el("path", { class: "here", d: `M${X(index)},0V${SPARK.height}` }),
          dot("exact", now.exact),
          dot("sharp", now.sharp),
        ],
      ),
    );
    /** @param {string} kind @param {string} name @param {number} value @param {string} title */
    const entry = (kind, name, value, title) =>
      el("span", { class: `key ${kind}`, title }, el("i"), el("span", { text: `${name} ${percent(value)}` }));
    legend.replaceChildren(
      ...(sharps.some(Number.isFinite) ? [entry("sharp", TEXT.sharp, now.sharp, TEXT.sharpTitle)] : []),
      ...(exacts.some(Number.isFinite) ? [entry("exact", TEXT.exact, now.exact, TEXT.exactUnit)] : []),
    );
    root.dataset.sharpness = Number.isFinite(now.sharp) ? now.sharp.toFixed(3) : "";
  }

  const rows = () => [
    TEXT.csv.film,
    ...frame.steps.map((step) => [step, sharpBy(step), exactBy(step)].map((v) => (Number.isFinite(v) ? v : ""))),
  ];

  /** Ask how sharp the alignment was at the steps that were recorded since. */
  let measuring = false;
  async function measure() {
    if (!state.run || measuring) return;
    measuring = true;
    const { run } = state;
    if (sharp.run !== run) sharp = { run, steps: [], values: [], even: null };
    const answer = await call("sharpness", run, sharp.steps.at(-1) ?? -1);
    measuring = false;
    if (answer.error || sharp.run !== run) return;
    const values = tp.floats(answer.values);
    const size = answer.steps.length ? values.length / answer.steps.length : 0;
    answer.steps.forEach((step, i) => {
      sharp.steps.push(step);
      sharp.values.push(values.subarray(i * size, (i + 1) * size));
    });
    sharp.even = answer.even ?? sharp.even;
    if (answer.steps.length) schedule(draw);
  }

  new ResizeObserver(() => schedule(draw)).observe(host);
  return { node, draw, stop, measure, isPlaying: slider.playing };
}
