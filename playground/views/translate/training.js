/* Training live: what can be started with one click, and how a run got on: exact match, loss, samples. */
let history = null; // of the run that is shown
const SMOOTH = 12; // steps that the smoothed loss averages over
const OVER = new Set(["new", "finished", "stopped", "diverged", "failed", "interrupted"]);

class History {
  constructor(run) {
    this.run = run;
    this.offset = 0;
    this.loaded = false;
    this.about = null;
    this.status = null;
    this.steps = { step: [], loss: [], smooth: [] };
    this.evaluated = { step: [], loss: [], accuracy: [] };
    this.samples = new Map(); // prompt -> [{step, text, correct}]
  }

  get name() {
    const name = (this.about ? tp.runName({ name: this.about.name, shipped: this.status?.shipped }) : "").trim();
    return name.length > 60 ? `${name.slice(0, 58).trim()} …` : name;
  }

  get over() {
    return !this.status || OVER.has(this.status.state);
  }

  /** Add one answer. Returns whether it recorded or saved something. */
  learn(answer) {
    if (answer.about) this.about = answer.about;
    if (answer.cut !== null) this.cut(answer.cut);
    const [step, loss] = ["step", "loss"].map((name) => new Float64Array(tp.bytes(answer.columns[name]).buffer));
    const { steps, evaluated } = this;
    step.forEach((at, i) => {
      const n = steps.step.length;
      const keep = n ? Math.exp(-(at - steps.step[n - 1]) / SMOOTH) : 0;
      steps.step.push(at);
      steps.loss.push(loss[i]);
      steps.smooth.push(n ? keep * steps.smooth[n - 1] + (1 - keep) * loss[i] : loss[i]);
    });
    for (const [at, value, share] of answer.evaluated) {
      evaluated.step.push(at);
      evaluated.loss.push(value);
      evaluated.accuracy.push(share ?? NaN);
    }
    for (const { step: at, prompt, text, correct } of answer.samples) {
      if (!this.samples.has(prompt)) this.samples.set(prompt, []);
      this.samples.get(prompt).push({ step: at, text, correct });
    }
    this.status = answer.status;
    this.offset = answer.offset;
    return answer.probes.length > 0 || answer.saved !== null;
  }

  /** A resumed run does again what came after its checkpoint. */
  cut(step) {
    for (const table of [this.steps, this.evaluated]) {
      const kept = table.step.findIndex((at) => at > step);
      if (kept >= 0) Object.values(table).forEach((column) => column.splice(kept));
    }
    for (const list of this.samples.values()) {
      const kept = list.findIndex((sample) => sample.step > step);
      if (kept >= 0) list.splice(kept);
    }
  }
}

function makeTraining({ starters, opened, stopped }) {
  const buttons = starters.map(({ name, title, about }) => {
    const button = el("button", { type: "button", class: "starter", id: `translate-train-${name}`, on: { click: () => begin(name, button) } },
      el("b", { text: tp.translate(title) }), el("span", { text: tp.translate(about) }), el("span", { class: "go", text: `▶ ${TEXT.trainStart}` }));
    return button;
  });
  const message = el("p", { class: "message", role: "alert", hidden: true });
  const progress = el("p", { class: "progress", role: "status" });
  const stop = el("button", { type: "button", class: "tp-button", id: "translate-stop", text: TEXT.trainStop, on: { click: () => (stop.disabled = true) && stopped() } });
  const bar = el("i");
  const live = el("div", { class: "live" }, progress, stop, el("div", { class: "progress-track", "aria-hidden": "true" }, bar));
  const host = el("div", { class: "chart-host" });
  const chart = tp.chart(host);
  const chartSaves = tp.saveBar({ figure: () => chart.svg, rows: curveRows, name: () => fileName("training") });
  const curves = el("div", { class: "curves" }, host, el("div", { class: "under" }, el("p", { class: "help", text: TEXT.chartHelp }), chartSaves));
  const list = el("ol", { class: "sample-list" });
  const at = el("span", { class: "muted" });
  const samples = el("div", { class: "samples" }, el("h4", {}, el("span", { text: TEXT.samples }), el("span", { text: " " }), at), el("p", { class: "help", text: TEXT.samplesHelp }), list);
  const grown = el("div", { class: "grown" }, curves, samples);
  const node = el(
    "section",
    { class: "training" },
    el("h3", { text: TEXT.training }),
    el("p", { class: "help", text: TEXT.trainingHelp }),
    el("div", { class: "starters" }, buttons),
    message,
    grown,
  );

  function begin(name, button) {
    buttons.forEach((each) => (each.disabled = true));
    say(null);
    put(button.querySelector(".go"), TEXT.trainStarting);
    trigger("train", { preset: name });
  }

  /** The server's answer to `begin`. */
  function begun(answer) {
    buttons.forEach((each) => {
      each.disabled = false;
      put(each.querySelector(".go"), `▶ ${TEXT.trainStart}`);
    });
    say(answer.error ?? null);
  }

  function say(sentence) {
    message.hidden = !sentence;
    put(message, sentence ?? "");
  }

  function draw() {
    const known = history?.loaded && history.about?.translates;
    grown.hidden = !known;
    live.hidden = !known || !history.status.alive;
    if (!known) return;
    const { status, steps, evaluated } = history;
    const state = status.place ? TEXT.queued(status.place) : (TEXT.states[status.state] ?? status.state);
    put(progress, TEXT.progress(history.name, state, status.step, status.total));
    bar.style.width = `${status.total ? (100 * status.step) / status.total : 0}%`;
    if (!status.alive) stop.disabled = false;
    Object.assign(root.dataset, { status: status.state, last: status.step });
    grown.hidden = !steps.step.length && !evaluated.step.length;
    curves.hidden = grown.hidden;
    const measured = evaluated.accuracy.some(Number.isFinite);
    const x = { low: 0, high: Math.max(1, status.total, steps.step.at(-1) ?? 0), name: TEXT.xName };
    const n = evaluated.step.length;
    const loss3 = (value) => (Number.isFinite(value) ? value.toFixed(3) : "–");
    chart.update({
      x,
      panels: [
        measured && { id: "exact", title: TEXT.curves, unit: host.clientWidth < 560 ? "" : TEXT.exactUnit, height: 120, range: [0, 1.02], format: percent, lines: [{ id: "exact", name: TEXT.exact, style: "accuracy", x: evaluated.step, y: evaluated.accuracy, n, dots: true, format: percent }] },
        {
          id: "loss", title: TEXT.loss, unit: TEXT.lossUnit, height: 120,
          lines: [
            { id: "raw", name: TEXT.batch, style: "raw", x: steps.step, y: steps.loss, n: steps.step.length, fit: true, keep: 0.99, format: loss3 },
            { id: "train", name: TEXT.train, style: "train", x: steps.step, y: steps.smooth, n: steps.step.length, fit: true, format: loss3 },
            { id: "held", name: TEXT.heldOut, style: "validation", x: evaluated.step, y: evaluated.loss, n, fit: true, dots: true, format: loss3 },
          ],
        },
      ].filter(Boolean),
      marks: frame?.run === history.run && frame.step !== newest(frame) ? [{ x: frame.step, text: "", kind: "changed" }] : [],
      summary: TEXT.chartSummary(status.step, percent(evaluated.accuracy.at(-1) ?? NaN), loss3(evaluated.loss.at(-1) ?? NaN)),
    });
    drawSamples();
  }

  let sampled = "";
  function drawSamples() {
    const step = frame?.run === history.run ? frame.step : Infinity;
    const newestStep = frame?.run === history.run ? frame.step === newest(frame) : true;
    const limit = newestStep ? Infinity : step;
    const key = JSON.stringify([history.run, limit, [...history.samples].map(([prompt, all]) => [prompt, all.length])]);
    if (key === sampled) return;
    sampled = key;
    let last = null;
    const items = [...history.samples].map(([prompt, all]) => {
      const past = all.filter((sample) => sample.step <= limit);
      const now = past.at(-1) ?? all[0];
      last = now.step;
      const squares = all.map((sample) => {
        const square = el("i", { class: `square ${sample.correct === null ? "" : sample.correct} ${sample === now ? "now" : ""}` });
        square.addEventListener("pointermove", (event) => tp.tip(el("span", { text: TEXT.sampleTip(sample.step, sample.text.slice(0, 300) || "∅") }), event.clientX, event.clientY));
        square.addEventListener("pointerleave", () => tp.tip(null));
        return square;
      });
      const right = all.filter(({ correct }) => correct).length;
      return el(
        "li",
        {},
        el("button", { type: "button", class: "prompt", dir: "auto", translate: "no", text: prompt, on: { click: () => opened(prompt) } }),
        el(
          "p",
          { class: `answer ${now.correct}` },
          now.correct !== null && el("span", { class: "verdict", role: "img", "aria-label": TEXT.verdictName[now.correct], text: TEXT.verdict[now.correct] }),
          el("span", { class: "text", dir: "auto", translate: "no", text: now.text || "∅" }),
        ),
        el("span", { class: "squares", role: "img", "aria-label": TEXT.sampleStrip(right, all.length) }, squares),
      );
    });
    put(at, last === null ? TEXT.noSamples : TEXT.samplesStep(last));
    list.replaceChildren(...items);
  }

  function curveRows() {
    const rows = new Map();
    const row = (step) => rows.get(step) ?? rows.set(step, [step, "", "", ""]).get(step);
    history.steps.step.forEach((step, i) => (row(step)[1] = history.steps.loss[i]));
    history.evaluated.step.forEach((step, i) => {
      row(step)[2] = history.evaluated.loss[i];
      row(step)[3] = Number.isFinite(history.evaluated.accuracy[i]) ? history.evaluated.accuracy[i] : "";
    });
    return [TEXT.csv.curves, ...[...rows.values()].sort((a, b) => a[0] - b[0])];
  }

  new ResizeObserver(() => schedule(draw)).observe(host);
  return { node, live, draw, begun, say, reset: () => ((sampled = ""), chart.reset()) };
}
