/* What the page knows of a run: its losses, how it was routed at each record, what was changed. Grows with every
 * answer of `server.follow`, and stays short: of many records every other one is forgotten. */
const MOST_RECORDS = 1200;
const MOST_POINTS = 3000;
const [UNEVEN, EVEN] = [1, 0.5]; // MaxVio
const WINDOW = 6; // steps that the smoothed curves average over
const OVER = new Set(["new", "finished", "stopped", "diverged", "failed", "interrupted"]);

let first = null; // the run that is shown
let second = null; // the one that it is compared with

class History {
  constructor(run) {
    this.run = run;
    this.offset = 0;
    this.loaded = false;
    this.about = null;
    this.status = null;
    this.error = null;
    this.steps = { step: [], loss: [], clock: [], smooth: [] };
    this.evaluated = { step: [], loss: [] };
    this.records = { step: [], load: [], probability: [], dropped: [], entropy: [], vio: [] };
    this.notes = []; // [step, field, value]
    this.probes = [];
    this.saved = [];
  }

  /** The run's name, as far as there is room in a sentence. */
  get name() {
    const name = (this.about ? tp.runName(this.about) : "").trim();
    return name.length > 70 ? `${name.slice(0, 68).trim()} …` : name;
  }

  get layers() {
    return this.about?.layers ?? [];
  }

  get experts() {
    return this.about?.experts ?? 0;
  }

  get over() {
    return !this.status || OVER.has(this.status.state);
  }

  get count() {
    return this.records.step.length;
  }

  /** Is there a checkpoint, or a recorded text, that shows how tokens are routed? */
  get readable() {
    return this.saved.length > 0 || this.probes.length > 0;
  }

  /** Add one answer. Returns whether anything is new. */
  learn(answer) {
    const known = JSON.stringify([this.status, this.count, this.steps.step.length, this.evaluated.step.length]);
    if (answer.about) this.about = answer.about;
    if (answer.cut !== null) this.cut(answer.cut);
    this.addSteps(answer.steps);
    for (const [step, loss] of answer.evaluated) {
      this.evaluated.step.push(step);
      this.evaluated.loss.push(loss);
    }
    this.addRecords(answer.routed);
    this.notes.push(...answer.notes);
    this.probes.push(...answer.probes);
    this.saved.push(...answer.saved);
    this.status = answer.status;
    this.offset = answer.offset;
    const lists = [answer.notes, answer.probes, answer.saved];
    return (
      lists.some((list) => list.length) ||
      known !== JSON.stringify([this.status, this.count, this.steps.step.length, this.evaluated.step.length])
    );
  }

  /** A resumed run does again what came after its checkpoint. */
  cut(step) {
    for (const table of [this.steps, this.evaluated, this.records]) {
      const kept = table.step.findIndex((at) => at > step);
      if (kept >= 0) Object.values(table).forEach((column) => column.splice(kept));
    }
    this.notes = this.notes.filter(([at]) => at <= step);
    this.probes = this.probes.filter((at) => at <= step);
    this.saved = this.saved.filter((at) => at <= step);
  }

  addSteps({ step, loss, seconds }) {
    const { steps } = this;
    const [at, losses, times] = [step, loss, seconds].map((column) => new Float64Array(tp.bytes(column).buffer));
    at.forEach((value, i) => {
      const n = steps.step.length;
      const gap = n ? Math.max(0, value - steps.step[n - 1]) : 1;
      const keep = n ? Math.exp(-gap / WINDOW) : 0;
      steps.clock.push((n ? steps.clock[n - 1] : 0) + gap * times[i]);
      steps.smooth.push(n ? keep * steps.smooth[n - 1] + (1 - keep) * losses[i] : losses[i]);
      steps.loss.push(losses[i]);
      steps.step.push(value);
    });
    if (steps.step.length > MOST_POINTS) halve(steps);
  }

  addRecords(routed) {
    const { records } = this;
    const cells = this.layers.length * this.experts;
    const step = new Float64Array(tp.bytes(routed.step).buffer);
    const [load, probability] = ["load", "probability"].map((name) => new Uint16Array(tp.bytes(routed[name]).buffer));
    const [dropped, entropy] = ["dropped", "entropy"].map((name) => tp.floats(routed[name]));
    step.forEach((at, i) => {
      const shares = load.subarray(i * cells, (i + 1) * cells);
      records.step.push(at);
      records.load.push(shares);
      records.probability.push(probability.subarray(i * cells, (i + 1) * cells));
      records.dropped.push(dropped.subarray(i * this.layers.length, (i + 1) * this.layers.length));
      records.entropy.push(entropy.subarray(i * this.layers.length, (i + 1) * this.layers.length));
      records.vio.push(this.layers.map((_, layer) => maxViolation(shares, layer * this.experts, this.experts)));
    });
    if (records.step.length > MOST_RECORDS) halve(records);
  }

  /** The share of one expert at one record. */
  share(record, layer, expert, of = "load") {
    return this.records[of][record][layer * this.experts + expert] / 65535;
  }

  /** MaxVio at one record: of this layer, or of the worst. */
  vio(record, layer) {
    const values = this.records.vio[record] ?? [NaN];
    return layer === null ? Math.max(...values) : (values[layer] ?? NaN);
  }

  /** The record nearest to a step. */
  nearest(step) {
    return nearestOf(this.records.step, step);
  }

  /** Where a step lies on the x axis. */
  x(step, axis) {
    if (axis === "flops" && this.about?.flops) return step * this.about.flops;
    if (axis !== "seconds") return step;
    const { step: at, clock } = this.steps;
    if (!at.length || step <= 0) return 0;
    const i = firstAtLeast(at, step);
    if (i === at.length) return clock[i - 1];
    const [before, past] = i ? [at[i - 1], clock[i - 1]] : [0, 0];
    return past + ((step - before) / (at[i] - before || 1)) * (clock[i] - past);
  }

  /** The weights that balance now: as configured, and changed since. */
  balance() {
    const now = { ...(this.about?.balance ?? {}) };
    for (const [, field, value] of this.notes) if (Object.hasOwn(now, field)) now[field] = value;
    return now;
  }

  /** Did its busiest expert have more than twice its share when its balance was first changed, and is it even now? */
  get rescued() {
    const changed = this.notes.find(([, field]) => Object.hasOwn(this.about?.balance ?? {}, field));
    if (!changed || !this.count) return false;
    return this.vio(this.nearest(changed[0]), null) > UNEVEN && this.vio(this.count - 1, null) < EVEN;
  }

  /** The held-out loss at a step: the last that was measured by then. */
  heldOut(step) {
    const { step: at, loss } = this.evaluated;
    const i = firstAtLeast(at, step + 1e-9) - 1;
    return i >= 0 ? { step: at[i], loss: loss[i] } : null;
  }
}

/** Keep every other row of a table, and its last. */
function halve(table) {
  const last = table.step.length - 1;
  for (const [name, column] of Object.entries(table)) table[name] = column.filter((_, i) => i % 2 === 0 || i === last);
}

/** The first place whose value is at least `x`, in ascending values. */
function firstAtLeast(values, x) {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < x) low = middle + 1;
    else high = middle;
  }
  return low;
}

function nearestOf(values, x) {
  const i = firstAtLeast(values, x);
  if (i === values.length) return i - 1;
  return i > 0 && x - values[i - 1] <= values[i] - x ? i - 1 : i;
}

/** max / mean - 1, as `max_violation` in engine/model/routing.py. */
function maxViolation(shares, from, experts) {
  let most = 0;
  let sum = 0;
  for (let i = from; i < from + experts; i++) {
    sum += shares[i];
    if (shares[i] > most) most = shares[i];
  }
  return sum ? (most * experts) / sum - 1 : 0;
}

/** A moving average whose memory is `WINDOW` steps, however far the records are apart. */
function smoothed(steps, values) {
  const out = [];
  values.forEach((value, i) => {
    const keep = i ? Math.exp(-(steps[i] - steps[i - 1]) / WINDOW) : 0;
    out.push(i ? keep * out[i - 1] + (1 - keep) * value : value);
  });
  return out;
}

/** The record that the cursor is at; -1 while there is none. */
const cursorRecord = () => (state.step === null ? first.count - 1 : first.count ? first.nearest(state.step) : -1);
/** The step that is shown; without records, the one that is asked for, else the newest that can be read. */
const cursorStep = () => first.records.step[cursorRecord()] ?? state.step ?? Math.max(0, ...first.saved.slice(-1), ...first.probes.slice(-1));
const shownLayers = (history = first) => (state.layer === null ? history.layers.map((_, i) => i) : [state.layer].filter((i) => i < history.layers.length));
