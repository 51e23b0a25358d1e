/* A race as far as it is known: it learns the events of the server, and computes what is drawn. */
class Race {
  /** @param {string} id  "" is the stored one */
  constructor(id) {
    this.id = id;
    this.offset = 0;
    this.state = "starting";
    this.reason = "";
    this.place = null;
    this.plan = null;
    this.verdicts = [];
    this.laps = []; // of each entry, with the first seed: {step, loss, smooth, seconds, flops}
    this.finals = []; // of each entry: the validation losses after the last step, by seed
    this.spectra = []; // of each entry: [{step, update, weight}]
    this.fell = []; // [{entry, step}]
    this.at = { seed: 0, step: 0 };
  }

  get active() {
    return ["waiting", "starting", "running"].includes(this.state);
  }

  get names() {
    const all = this.plan?.entries ?? [];
    const twice = (name) => all.filter(({ optimizer }) => optimizer === name).length > 1;
    return all.map(({ optimizer, max_lr: rate }) =>
      twice(optimizer) ? `${TEXT.names[optimizer]} ${rate}` : TEXT.names[optimizer],
    );
  }

  /** Add an answer of `follow`. */
  learn(news) {
    Object.assign(this, { offset: news.offset, state: news.state, reason: news.reason, place: news.place });
    this.verdicts = news.verdicts;
    for (const event of news.events) this.add(event);
  }

  add(event) {
    const { kind, entry, step, seed } = event;
    if (kind === "Plan") {
      this.plan = event;
      const each = (make) => event.entries.map(make);
      this.laps = each(() => ({ step: [], loss: [], smooth: [], seconds: [], flops: [] }));
      [this.finals, this.spectra] = [each(() => ({})), each(() => [])];
      return;
    }
    this.at = { seed, step };
    if (kind === "Lap")
      for (const name of ["step", "loss", "seconds", "flops"]) this.laps[entry][name].push(event[name]);
    else if (kind === "Spectra") this.spectra[entry].push(event);
    else if (kind === "Fell") this.fell.push({ entry, step });
    else if (kind === "Measured" && step === this.plan.steps) this.finals[entry][seed] = event.loss;
  }

  /** Average the losses over about ten steps. */
  smooth() {
    for (const laps of this.laps)
      if (laps.smooth.length !== laps.step.length) laps.smooth = tp.smoothed(laps.step, laps.loss);
  }

  /** Where a step of an entry stands on an axis. */
  x(entry, step, axis) {
    if (axis === "steps") return step;
    const laps = this.laps[entry];
    return laps[axis][Math.min(step, laps.step.length) - 1] ?? 0;
  }

  /** The share of the race that is done. */
  get progress() {
    if (!this.plan) return 0;
    return (this.at.seed * this.plan.steps + this.at.step) / (this.plan.seeds * this.plan.steps);
  }

  /** The steps with singular values. */
  get moments() {
    return [...new Set(this.spectra.flat().map(({ step }) => step))].sort((a, b) => a - b);
  }

  /** An entry's record at a step, or the last before it. */
  record(entry, step) {
    return this.spectra[entry]?.findLast((record) => record.step <= step) ?? null;
  }

  mean(entry) {
    const found = /** @type {number[]} */ (Object.values(this.finals[entry] ?? {}));
    return found.length ? found.reduce((sum, value) => sum + value, 0) / found.length : NaN;
  }
}

const sum = (values) => values.reduce((total, value) => total + value, 0);

/** Singular values, scaled so that they would all be 1 if they were equal. */
function scaled(values) {
  const root = Math.sqrt(sum(values.map((s) => s * s)) / values.length) || 1;
  return values.map((s) => s / root);
}

/** How many directions share a step: (Σ s²)² / Σ s⁴. */
const directions = (values) => sum(values.map((s) => s * s)) ** 2 / (sum(values.map((s) => s ** 4)) || 1);
