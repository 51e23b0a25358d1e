/* What the page knows of a run: its feed, and how it was routed at each record. Stays short: of many records every
 * other one is forgotten. */
const MOST_RECORDS = 1200;
const [UNEVEN, EVEN] = [1, 0.5]; // MaxVio

let first = null; // the run that is shown
let second = null; // the one that it is compared with

/** @extends {Feed<any, any>} */
class ExpertsFeed extends /** @type {new (run: string) => Feed<any, any>} */ (tp.Feed) {
  /** @type {RunTable<"load" | "probability" | "dropped" | "entropy" | "vio", any>} */
  records = new tp.Table("load", "probability", "dropped", "entropy", "vio");

  get layers() {
    return this.about?.layers ?? [];
  }

  get experts() {
    return this.about?.experts ?? 0;
  }

  get count() {
    return this.records.n;
  }

  /** Is there a checkpoint, or a recorded text, that shows how tokens are routed? */
  get readable() {
    return this.saved.length > 0 || this.probes.length > 0;
  }

  learn(answer) {
    const isNew = super.learn(answer);
    this.addRecords(answer.routed);
    return isNew;
  }

  cut(step) {
    super.cut(step);
    this.records.cut(step);
  }

  addRecords(routed) {
    const { records } = this;
    const [layers, cells] = [this.layers.length, this.layers.length * this.experts];
    const step = new Float64Array(tp.bytes(routed.step).buffer);
    const [load, probability] = ["load", "probability"].map((name) => new Uint16Array(tp.bytes(routed[name]).buffer));
    const [dropped, entropy] = ["dropped", "entropy"].map((name) => tp.floats(routed[name]));
    step.forEach((at, i) => {
      const part = (values, size) => values.subarray(i * size, (i + 1) * size);
      const shares = part(load, cells);
      records.add({
        step: at,
        load: shares,
        probability: part(probability, cells),
        dropped: part(dropped, layers),
        entropy: part(entropy, layers),
        vio: this.layers.map((_, layer) => maxViolation(shares, layer * this.experts, this.experts)),
      });
    });
    if (records.n > MOST_RECORDS) records.halve();
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

  /** The settings that were changed while it trained: {step, field, value}. */
  changes() {
    return this.notes.filter(({ kind }) => kind === "changed");
  }

  /** The weights that balance now: as configured, and changed since. */
  balance() {
    const now = { ...(this.about?.balance ?? {}) };
    for (const { field, value } of this.changes()) if (Object.hasOwn(now, field)) now[field] = value;
    return now;
  }

  /** Did its busiest expert have more than twice its share when its balance was first changed, and is it even now? */
  get rescued() {
    const changed = this.changes().find(({ field }) => Object.hasOwn(this.about?.balance ?? {}, field));
    if (!changed || !this.count) return false;
    return this.vio(this.nearest(changed.step), null) > UNEVEN && this.vio(this.count - 1, null) < EVEN;
  }

  /** The validation loss at a step: the last that was measured by then. */
  heldOut(step) {
    const { step: at, loss } = this.evaluated;
    const i = firstAtLeast(at, step + 1e-9) - 1;
    return i >= 0 ? { step: at[i], loss: loss[i] } : null;
  }
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

/** The record that the cursor is at; -1 while there is none. */
const cursorRecord = () => (state.step === null ? first.count - 1 : first.count ? first.nearest(state.step) : -1);
/** The step that is shown; without records, the one that is asked for, else the newest that can be read. */
const cursorStep = () =>
  first.records.step[cursorRecord()] ?? state.step ?? Math.max(0, ...first.saved.slice(-1), ...first.probes.slice(-1));
const shownLayers = (history = first) =>
  state.layer === null ? history.layers.map((_, i) => i) : [state.layer].filter((i) => i < history.layers.length);
