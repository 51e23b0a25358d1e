/* `tp.Feed`: a run that a view follows, and `tp.smoothed`.
 *
 *   new tp.Feed(run)              nothing is known of it yet
 *   await feed.read(ask)          read on to the end of its log; is anything new?
 *   feed.steps, evaluated, ...    what is known; grows with every answer, in place
 *   tp.smoothed(steps, values)    a series, smoothed
 *
 * The server's side is playground/hosting/run_feed.py. A resumed run repeats what came after its checkpoint: the server
 * says from where, and `cut` forgets the first version.
 */
(() => {
  "use strict";

  const { states, translate } = window.tp;
  for (const state of Object.values(states)) {
    const english = state.word; // the translations come later, as a file
    Object.defineProperty(state, "word", { get: () => translate(english) });
  }

  const SMOOTHING = 10; // steps that a smoothed loss averages over, as `SMOOTHING` in playground/figures/curves.py

  /** A bias-corrected exponential moving average whose memory is `window` steps; 0 changes nothing.
   *
   * The formula of `smoothed` in playground/figures/curves.py, one value after the other. */
  class Average {
    /** @param {number} window */
    constructor(window) {
      this.window = window;
      this.total = 0;
      this.weight = 0;
    }

    /** @param {number} gap  steps since the value before @param {number} value @returns {number} the average so far */
    add(gap, value) {
      if (!(this.window > 0)) return value;
      const decay = Math.exp(-Math.max(0, gap) / this.window);
      this.total = decay * this.total + (1 - decay) * value;
      this.weight = decay * this.weight + (1 - decay);
      return this.total / this.weight;
    }
  }

  /** A series, smoothed: the same numbers as `smoothed` in playground/figures/curves.py.
   *
   * @param {ArrayLike<number>} steps @param {ArrayLike<number>} values @returns {number[]} */
  function smoothed(steps, values, window = SMOOTHING) {
    const average = new Average(window);
    return Array.from(values, (value, i) => average.add(i ? steps[i] - steps[i - 1] : 1, value));
  }

  /** Columns of equal length, `step` among them, that grow. */
  class Table {
    /** @param {string[]} names  of the other columns; each becomes a property */
    constructor(...names) {
      this.names = ["step", ...names];
      /** @type {number[]} */
      this.step = [];
      Object.assign(this, Object.fromEntries(names.map((name) => [name, []])));
    }

    /** @param {string} name @returns {any[]} */
    column(name) {
      return /** @type {any} */ (this)[name];
    }

    get n() {
      return this.step.length;
    }

    /** @param {{ [name: string]: unknown }} row */
    add(row) {
      for (const name of this.names) this.column(name).push(row[name]);
    }

    /** The newest value of a column.
     *
     * @param {string} name */
    last(name) {
      return this.column(name).at(-1);
    }

    /** Forget the rows after this step.
     *
     * @param {number} step */
    cut(step) {
      const n = this.step.findLastIndex((at) => at <= step) + 1;
      for (const name of this.names) this.column(name).length = n;
    }

    /** Keep every other row, and the last. */
    halve() {
      const last = this.n - 1;
      for (const name of this.names) {
        const kept = this.column(name).filter((_, i) => i % 2 === 0 || i === last);
        Object.assign(this, { [name]: kept });
      }
    }
  }

  /** @type {("step" | StepColumn)[]} */
  const COLUMNS = ["step", "loss", "mean", "lr", "grad_norm", "tokens", "seconds", "time"]; // as in run_feed.py
  const RECENT = 50; // rows whose durations estimate the current one of a step

  class Feed {
    /** @param {string} run  its id @param {number} window  steps that the smoothed loss averages over */
    constructor(run, window = SMOOTHING) {
      this.run = run;
      this.offset = 0; // where to read on
      this.loaded = false; // has all of it been read once?
      /** @type {string | null} */
      this.error = null; // why it cannot be read, as a sentence
      /** @type {Answers.RunAbout | null} */
      this.about = null; // what the view's server says of the run: {name, shipped, ...}
      /** @type {Answers.RunStatus | null} */
      this.status = null; // {state, step, total_steps, reason, place, alive, shipped, ...}
      /** @type {RunTable<StepColumn>} */
      // `clock`: seconds of training until then
      this.steps = /** @type {any} */ (new Table(...COLUMNS.slice(1), "smooth", "clock"));
      /** @type {RunTable<"loss" | "accuracy">} */
      this.evaluated = /** @type {any} */ (new Table("loss", "accuracy")); // NaN where no answer is right or wrong
      /** @type {Answers.LoggedSample[]} */
      this.samples = []; // {step, prompt, text, correct}
      /** @type {number[]} */
      this.probes = []; // steps with recorded attention
      /** @type {number[]} */
      this.saved = []; // steps with a checkpoint
      /** @type {FeedNote[]} */
      this.notes = []; // {kind, step, ...}
      /** @type {Answers.LoggedWork | null} */
      this.working = null; // {task, done, total}: what takes long just now
      this.updating = 0; // seconds spent on updates, with those that were repeated
      this.clocked = 0; // seconds of training, with what it measured and wrote, where its log says it
      this.stored = 0; // how many probes and checkpoints were logged
      this.average = new Average(window);
    }

    get name() {
      return this.about ? window.tp.runName(this.about).trim() : "";
    }

    /** The name as far as a sentence has room for it. */
    short(most = 70) {
      const { name } = this;
      return name.length > most ? `${name.slice(0, most - 2).trim()} …` : name;
    }

    /** A name for a file about this run, without its ending.
     *
     * @param {string} what */
    fileName(what) {
      return `${(this.name || "run").replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60)}-${what}`;
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
      return !this.status || states[this.status.state].over;
    }

    /** Does it measure right answers? */
    get tested() {
      return this.evaluated.accuracy.some(Number.isFinite);
    }

    /** Read on to the end of the log. Returns whether anything is new.
     *
     * @param {(run: string, offset: number) => Promise<Answers.RunNews & Answer>} ask  the server's `follow`
     * @param {() => boolean} wanted  is the run still followed? Else what is left of it is not asked for. */
    async read(ask, wanted = () => true) {
      let isNew = !this.loaded;
      for (;;) {
        const answer = await ask(this.run, this.offset);
        const { error = null } = answer;
        isNew ||= error !== this.error;
        this.error = error;
        if (error) return isNew;
        isNew = this.learn(answer) || isNew;
        if (!answer.more) break;
        if (!wanted()) return isNew;
      }
      this.loaded = true;
      return isNew;
    }

    /** Add one answer. Returns whether anything is new.
     *
     * @param {Answers.RunNews} answer */
    learn(answer) {
      if (answer.about) this.about = answer.about;
      this.clocked = Math.max(this.clocked, answer.trained ?? 0);
      if (answer.cut !== null) this.cut(answer.cut);
      this.addSteps(answer.columns);
      for (const [step, loss, accuracy] of answer.evaluated)
        this.evaluated.add({ step, loss, accuracy: accuracy ?? NaN });
      for (const sample of answer.samples) this.addSample(sample);
      this.probes.push(...answer.probes);
      this.saved.push(...answer.saved);
      this.stored += answer.probes.length + answer.saved.length;
      for (const note of answer.notes) this.addNote(note);
      const logged = answer.offset !== this.offset;
      if (logged) this.working = answer.working; // no news: still the same
      const isNew = logged || JSON.stringify(this.status) !== JSON.stringify(answer.status);
      this.status = answer.status;
      this.offset = answer.offset;
      return isNew;
    }

    /** Forget what the run does again: all that came after this step, but for notes of what happened to its processes.
     *
     * @param {number} step */
    cut(step) {
      this.steps.cut(step);
      this.evaluated.cut(step);
      this.samples = this.samples.filter((sample) => sample.step <= step);
      this.probes = this.probes.filter((at) => at <= step);
      this.saved = this.saved.filter((at) => at <= step);
      this.notes = this.notes.filter((note) => note.stays || note.step <= step);
      this.smooth(this.average.window);
    }

    /** @param {{ [name: string]: string }} columns */
    addSteps(columns) {
      const { steps } = this;
      const from = steps.n;
      for (const name of COLUMNS)
        for (const value of new Float64Array(window.tp.bytes(columns[name]).buffer)) steps[name].push(value);
      for (let i = from; i < steps.n; i++) {
        const seconds = this.gap(i) * steps.seconds[i];
        this.updating += seconds;
        steps.clock.push((steps.clock[i - 1] ?? 0) + seconds);
        steps.smooth.push(this.average.add(this.gap(i), steps.mean[i]));
      }
    }

    /** Steps from the row before to this one.
     *
     * @param {number} i */
    gap(i) {
      return i ? Math.max(0, this.steps.step[i] - this.steps.step[i - 1]) : 1;
    }

    /** Of two samples of one prompt at one step, the later counts.
     *
     * @param {Answers.LoggedSample} sample */
    addSample(sample) {
      const { samples } = this;
      const old = samples.findLastIndex(({ step, prompt }) => step < sample.step || prompt === sample.prompt);
      if (samples[old]?.step === sample.step) samples[old] = sample;
      else samples.push(sample);
    }

    /** @param {Answers.LoggedNote} note */
    addNote(note) {
      const again = note.kind === "started" && this.notes.length > 0;
      this.notes.push(again ? { ...note, kind: "restarted" } : note);
    }

    /** Average the loss over another number of steps.
     *
     * @param {number} window */
    smooth(window) {
      this.average = new Average(window);
      this.steps.smooth = this.steps.mean.map((mean, i) => this.average.add(this.gap(i), mean));
    }

    /** Tokens per second of training, over the last seconds. */
    tokensPerSecond() {
      const { steps } = this;
      const last = steps.n - 1;
      if (last < 1) return NaN;
      let from = last;
      while (from > 0 && last - from < 400 && steps.time[last] - steps.time[from] < 5) from -= 1;
      return (steps.tokens[last] - steps.tokens[from]) / (steps.clock[last] - steps.clock[from]);
    }

    /** Seconds of training, without pauses: updates, and what it measured and wrote between them. */
    get trained() {
      return Math.max(this.clocked, this.updating);
    }

    /** Seconds until its end, as fast as its last steps and with as much between them as until now. */
    secondsLeft() {
      const whole = this.updating ? this.trained / this.updating : 1;
      return (this.total - this.step) * this.stepSeconds() * whole;
    }

    /** Seconds of a step, the median of the last rows: neither a pause nor one slow step counts. */
    stepSeconds() {
      const recent = this.steps.seconds.slice(-RECENT).sort((a, b) => a - b);
      return recent.length ? recent[recent.length >> 1] : NaN;
    }
  }

  Object.assign(window.tp, { Feed, Table, smoothed, SMOOTHING });
})();
