/* What the page knows of a run: columns of numbers, samples by step, notes. Grows with every answer. */

/** Columns of numbers that grow. */
class Table {
  constructor(...names) {
    this.names = names;
    this.n = 0;
    this.capacity = 256;
    for (const name of names) this[name] = new Float64Array(this.capacity);
  }

  reserve(extra) {
    if (this.n + extra <= this.capacity) return;
    while (this.capacity < this.n + extra) this.capacity *= 2;
    for (const name of this.names) {
      const wider = new Float64Array(this.capacity);
      wider.set(this[name].subarray(0, this.n));
      this[name] = wider;
    }
  }

  add(row) {
    this.reserve(1);
    for (const name of this.names) this[name][this.n] = row[name];
    this.n += 1;
  }

  /** The newest value of a column. */
  last(name) {
    return this[name][this.n - 1];
  }

  /** Forget the rows after this step. */
  cut(step) {
    while (this.n && this.step[this.n - 1] > step) this.n -= 1;
  }
}

const RECENT = 50; // rows that tell how long a step takes now

/** Seconds of a step, the median of the last rows: neither a pause nor one slow step counts. */
function stepSeconds({ seconds, n }) {
  const recent = seconds.slice(Math.max(0, n - RECENT), n).sort();
  return recent.length ? recent[recent.length >> 1] : NaN;
}

const OVER = new Set(["new", "finished", "stopped", "diverged", "failed", "interrupted"]);

const AGAIN = new Set(["changed", "diverged"]); // notes of what a resumed run does again, as REPEATED in engine/runs.py

class History {
  /** `window`: how many steps the smoothed loss averages over. */
  constructor(run, window) {
    this.run = run;
    this.window = window;
    this.offset = 0; // where to read on
    this.loaded = false; // has all of it been read once?
    this.error = null; // why it cannot be read, as a sentence
    this.about = null; // {name, shipped, vocabulary, uniform, total_steps}
    this.status = null; // {state, step, total_steps, reason}
    this.steps = new Table("step", "loss", "lr", "grad_norm", "tokens", "seconds", "time", "smooth");
    this.evaluated = new Table("step", "loss", "accuracy");
    this.tested = false; // does it measure right answers?
    this.samples = new Map(); // step -> [{prompt, text, correct}]
    this.probes = []; // steps with recorded attention
    this.notes = []; // {kind, step, ...}
    this.working = null; // {task, done, total}: what takes long just now
    this.saved = null; // the newest checkpoint's step
    this.trained = 0; // seconds spent on updates
    this.mean = [0, 0]; // the smoothed loss: sum and weight so far
  }

  get name() {
    return this.about ? tp.runName(this.about) : "";
  }

  get step() {
    return this.status?.step ?? 0;
  }

  get total() {
    return this.status?.total_steps ?? this.about?.total_steps ?? 100;
  }

  get state() {
    if (!this.run) return "none";
    return this.error ? "error" : (this.status?.state ?? "none");
  }

  /** Does nothing more happen by itself? */
  get over() {
    return !this.status || OVER.has(this.status.state);
  }

  /** Add one answer of `server.poll`. Returns whether anything is new. */
  learn(answer) {
    if (answer.about) this.about = answer.about;
    if (answer.cut !== null) this.cut(answer.cut);
    const added = this.addSteps(answer.columns);
    for (const [step, loss, accuracy] of answer.evaluated) {
      this.evaluated.add({ step, loss, accuracy: accuracy ?? NaN });
      if (accuracy !== null) this.tested = true;
    }
    for (const { step, ...sample } of answer.samples) this.addSample(step, sample);
    this.probes.push(...answer.probes);
    for (const note of answer.notes) this.addNote(note);
    this.saved = answer.saved ?? this.saved;
    const working = answer.offset > this.offset ? answer.working : this.working; // no news: still the same
    const changed = JSON.stringify([this.status, this.working]) !== JSON.stringify([answer.status, working]);
    this.status = answer.status;
    this.working = working;
    this.offset = answer.offset;
    const lists = [answer.evaluated, answer.samples, answer.probes, answer.notes];
    return changed || added > 0 || lists.some((list) => list.length > 0);
  }

  /** A resumed run does again what came after its checkpoint. */
  cut(step) {
    this.steps.cut(step);
    this.evaluated.cut(step);
    for (const at of this.samples.keys()) if (at > step) this.samples.delete(at);
    this.probes = this.probes.filter((at) => at <= step);
    this.notes = this.notes.filter((note) => note.step <= step || !AGAIN.has(note.kind));
    if (this.saved > step) this.saved = step;
    this.smooth(0);
  }

  addSteps(columns) {
    const { steps } = this;
    const from = steps.n;
    for (const [name, base64] of Object.entries(columns)) {
      const values = new Float64Array(tp.bytes(base64).buffer);
      if (steps.n === from) {
        steps.reserve(values.length);
        steps.n = from + values.length;
      }
      steps[name].set(values, from);
    }
    for (let i = from; i < steps.n; i++) this.trained += steps.seconds[i] * this.gap(i);
    this.smooth(from);
    return steps.n - from;
  }

  /** Steps from the row before to this one. */
  gap(i) {
    return i ? Math.max(0, this.steps.step[i] - this.steps.step[i - 1]) : 1;
  }

  addSample(step, sample) {
    if (!this.samples.has(step)) this.samples.set(step, []);
    const list = this.samples.get(step);
    const old = list.findIndex((other) => other.prompt === sample.prompt);
    if (old < 0) list.push(sample);
    else list[old] = sample;
  }

  addNote(note) {
    const again = note.kind === "started" && this.notes.length > 0;
    this.notes.push(again ? { ...note, kind: "restarted" } : note);
  }

  /** Average over another number of steps. */
  setWindow(window) {
    this.window = window;
    this.smooth(0);
  }

  /** The smoothed loss from row `from` on: an average whose memory is `window` steps, without a bias to zero.
   * The same as `smoothed` in playground/curves.py. */
  smooth(from) {
    const { steps, window } = this;
    let [sum, weight] = from === 0 ? [0, 0] : this.mean;
    for (let i = from; i < steps.n; i++) {
      const keep = window ? Math.exp(-this.gap(i) / window) : 0;
      sum = keep * sum + (1 - keep) * steps.loss[i];
      weight = keep * weight + (1 - keep);
      steps.smooth[i] = sum / weight;
    }
    this.mean = [sum, weight];
  }

  /** Tokens per second of training, over the last seconds. */
  tokensPerSecond() {
    const { steps } = this;
    const last = steps.n - 1;
    if (last < 1) return NaN;
    let from = last;
    while (from > 0 && last - from < 400 && steps.time[last] - steps.time[from] < 5) from -= 1;
    let busy = 0;
    for (let i = from + 1; i <= last; i++) busy += steps.seconds[i] * this.gap(i);
    return (steps.tokens[last] - steps.tokens[from]) / busy;
  }

  /** Steps that have samples, ascending. */
  sampled() {
    return [...this.samples.keys()].sort((a, b) => a - b);
  }

  /** A name for a file about this run, without its ending. */
  fileName(what) {
    return `${(this.name || "run").replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60)}-${what}`;
  }
}
