/* A race as far as it is known: it learns the events of the server, and computes what is drawn. */
/** @typedef {{ kind: "Plan", command: string, entries: Entry[], steps: number, seeds: number }} Plan */
/** @typedef {{ seed: number, entry: number, step: number }} Place */
/** @typedef {Place & { kind: "Lap", loss: number, seconds: number, flops: number }} Lap */
/** @typedef {Place & { kind: "Spectra", update: { [matrix: string]: number[] },
 *   weight: { [matrix: string]: number[] } }} Spectra */
/** @typedef {(Place & { kind: "Measured", loss: number }) | (Place & { kind: "Fell" })} Other */
/** @typedef {Plan | Lap | Spectra | Other} RaceEvent */
/** @typedef {{ [name in "step" | "loss" | "smooth" | "seconds" | "flops"]: number[] }} Laps */
class Race {
  /** @param {string} id  "" is the stored one */
  constructor(id) {
    this.id = id;
    this.offset = 0;
    /** @type {keyof typeof TEXT.states} */
    this.state = "starting";
    this.reason = "";
    /** @type {number | null} */
    this.place = null;
    /** @type {Plan | null} */
    this.plan = null;
    /** @type {Answers.RaceNews["verdicts"]} */
    this.verdicts = [];
    /** Of each entry, with the first seed. @type {Laps[]} */
    this.laps = [];
    /** Of each entry: the validation losses after the last step, by seed. @type {{ [seed: number]: number }[]} */
    this.finals = [];
    /** Of each entry. @type {Spectra[][]} */
    this.spectra = [];
    /** @type {{ entry: number, step: number }[]} */
    this.fell = [];
    this.at = { seed: 0, step: 0 };
  }

  get active() {
    return ["waiting", "starting", "running"].includes(this.state);
  }

  get names() {
    const all = this.plan?.entries ?? [];
    const twice = (/** @type {string} */ name) => all.filter(({ optimizer }) => optimizer === name).length > 1;
    return all.map(({ optimizer, max_lr: rate }) =>
      twice(optimizer) ? `${TEXT.names[optimizer]} ${rate}` : TEXT.names[optimizer],
    );
  }

  /** Add an answer of `follow`. */
  learn(/** @type {Answers.RaceNews} */ news) {
    Object.assign(this, { offset: news.offset, state: news.state, reason: news.reason, place: news.place });
    this.verdicts = news.verdicts;
    for (const event of news.events) this.add(event);
  }

  add(/** @type {RaceEvent} */ event) {
    if (event.kind === "Plan") {
      this.plan = event;
      const { entries } = event;
      this.laps = entries.map(() => ({ step: [], loss: [], smooth: [], seconds: [], flops: [] }));
      [this.finals, this.spectra] = [entries.map(() => ({})), entries.map(() => [])];
      return;
    }
    const { entry, step, seed } = event;
    this.at = { seed, step };
    if (event.kind === "Lap")
      for (const name of /** @type {const} */ (["step", "loss", "seconds", "flops"]))
        this.laps[entry][name].push(event[name]);
    else if (event.kind === "Spectra") this.spectra[entry].push(event);
    else if (event.kind === "Fell") this.fell.push({ entry, step });
    else if (event.kind === "Measured" && step === this.plan?.steps) this.finals[entry][seed] = event.loss;
  }

  /** Average the losses over about ten steps. */
  smooth() {
    for (const laps of this.laps)
      if (laps.smooth.length !== laps.step.length) laps.smooth = tp.smoothed(laps.step, laps.loss);
  }

  /** Where a step of an entry stands on an axis. */
  x(/** @type {number} */ entry, /** @type {number} */ step, /** @type {Axis} */ axis) {
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
  record(/** @type {number} */ entry, /** @type {number} */ step) {
    return this.spectra[entry]?.findLast((record) => record.step <= step) ?? null;
  }

  mean(/** @type {number} */ entry) {
    const found = Object.values(this.finals[entry] ?? {});
    return found.length ? found.reduce((sum, value) => sum + value, 0) / found.length : NaN;
  }
}

const sum = (/** @type {number[]} */ values) => values.reduce((total, value) => total + value, 0);

/** Singular values, scaled so that they would all be 1 if they were equal. */
function scaled(/** @type {number[]} */ values) {
  const root = Math.sqrt(sum(values.map((s) => s * s)) / values.length) || 1;
  return values.map((s) => s / root);
}

/** How many directions share a step: (Σ s²)² / Σ s⁴. */
const directions = (/** @type {number[]} */ values) =>
  sum(values.map((s) => s * s)) ** 2 / (sum(values.map((s) => s ** 4)) || 1);
