/* What the page knows of a run: its feed, and how it was routed at each record. Stays short: of many records every
 * other one is forgotten. */
const MAX_RECORDS = 1200;
const [UNEVEN, EVEN] = [1, 0.5]; // MaxVio

const SHARES = /** @type {const} */ (["load", "probability"]);

/** @typedef {{ name: string, label: string, help: string, stops: number[] }} BalanceControl */
/** @typedef {{ balance?: { [field: string]: number }, controls?: BalanceControl[] }} Balance */
/** @typedef {{ flops: number | null, parameters: number | null, active: number | null, instead?: string | null,
 *   start?: string }} Costs */
/** @typedef {{ experts: number | null, layers: number[], top_k: number, router: string,
 *   router_name: string }} Routers */
/** @typedef {{ name: string, shipped: boolean, total_steps: number,
 *   data: string } & Routers & Costs & Balance} ExpertsAbout */
/** @typedef {{ count: number } & { [column in "step" | "load" | "probability" | "dropped"
 *   | "entropy"]: string }} Routed */
/** @typedef {Answers.RunStatus & { tunable: boolean, goes_on: boolean }} ExpertsStatus */
/** @typedef {Omit<Answers.RunNews, "about" | "status"> & { about: ExpertsAbout, status: ExpertsStatus,
 *   routed: Routed }} ExpertsNews */

class ExpertsFeed extends /** @type {new (run: string) => Feed<ExpertsAbout, ExpertsNews>} */ (tp.Feed) {
  /** @type {RunTable<"load" | "probability" | "dropped" | "entropy" | "vio", ArrayLike<number>>} */
  records = new tp.Table("load", "probability", "dropped", "entropy", "vio");
  dense = ""; // the name of the dense run that this one is shown in place of
  standsInForOwn = false;

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

  learn(/** @type {ExpertsNews} */ answer) {
    const isNew = super.learn(answer);
    this.addRecords(answer.routed);
    return isNew;
  }

  cut(/** @type {number} */ step) {
    super.cut(step);
    this.records.cut(step);
  }

  addRecords(/** @type {Routed} */ routed) {
    const { records } = this;
    const [layers, cells] = [this.layers.length, this.layers.length * this.experts];
    const step = new Float64Array(tp.bytes(routed.step).buffer);
    const [load, probability] = SHARES.map((name) => new Uint16Array(tp.bytes(routed[name]).buffer));
    const [dropped, entropy] = [tp.floats(routed.dropped), tp.floats(routed.entropy)];
    step.forEach((at, i) => {
      /** @param {Uint16Array | Float32Array} values @param {number} size */
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
    if (records.n > MAX_RECORDS) records.halve();
  }

  /** The share of one expert at one record.
   *
   * @param {number} record @param {number} layer @param {number} expert @param {"load" | "probability"} of */
  share(record, layer, expert, of = "load") {
    return this.records[of][record][layer * this.experts + expert] / 65535;
  }

  /** MaxVio at one record: of this layer, or of the worst. */
  vio(/** @type {number} */ record, /** @type {number | null} */ layer) {
    const values = Array.from(this.records.vio[record] ?? [NaN]);
    return layer === null ? Math.max(...values) : (values[layer] ?? NaN);
  }

  /** The record nearest to a step. */
  nearest(/** @type {number} */ step) {
    return nearestOf(this.records.step, step);
  }

  /** Where a step lies on the x axis. */
  x(/** @type {number} */ step, /** @type {Axis} */ axis) {
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
  heldOut(/** @type {number} */ step) {
    const { step: at, loss } = this.evaluated;
    const i = firstAtLeast(at, step + 1e-9) - 1;
    return i >= 0 ? { step: at[i], loss: loss[i] } : null;
  }
}

/** The run that is shown: none until one is chosen. */
let first = new ExpertsFeed("");
/** The one that it is compared with. @type {ExpertsFeed | null} */
let second = null;

/** The first place whose value is at least `x`, in ascending values.
 *
 * @param {number[]} values @param {number} x */
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

/** @param {number[]} values @param {number} x */
function nearestOf(values, x) {
  const i = firstAtLeast(values, x);
  if (i === values.length) return i - 1;
  return i > 0 && x - values[i - 1] <= values[i] - x ? i - 1 : i;
}

/** max / mean - 1, as `max_violation` in engine/model/routing.py.
 *
 * @param {ArrayLike<number>} shares @param {number} from @param {number} experts */
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
