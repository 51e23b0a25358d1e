/* The run's name and state, how far it is, and its newest numbers. */

const { el, put, percent, duration } = tp;

const SHAPES = {
  new: "○",
  waiting: "◷",
  starting: "◌",
  running: "●",
  paused: "‖",
  finished: "✓",
  stopped: "■",
  diverged: "▲",
  failed: "✕",
  interrupted: "◍",
};

const loss3 = (value) => (Math.abs(value) < 1000 ? value.toFixed(3) : tp.number(value));
function makeHeader() {
  const title = el("h3", { class: "name", translate: "no" });
  const shape = el("span", { class: "shape", "aria-hidden": "true" });
  const word = el("span", {});
  const status = el("span", { class: "status" }, shape, word);
  const fill = el("span", { class: "fill" });
  const progress = el(
    "div",
    { class: "progress", role: "progressbar", "aria-valuemin": "0", "aria-label": TEXT.stats.step },
    fill,
  );
  const message = el("p", { class: "message", role: "status", hidden: true });
  const stats = {};
  for (const name of ["step", "loss", "validation", "accuracy", "speed", "left"]) {
    const label = el("dt", { text: TEXT.stats[name] });
    const [value, rest] = [el("span"), el("small")];
    stats[name] = { label, value, rest, box: el("div", { class: name }, label, el("dd", {}, value, rest)) };
  }
  const list = el(
    "dl",
    { class: "stats" },
    Object.values(stats).map(({ box }) => box),
  );

  function draw(history) {
    const { steps, evaluated, state, over, tested } = history;
    put(title, history.name);
    status.hidden = !history.status;
    if (history.status) drawStatus(history.status, history.working);
    put(stats.loss.value, steps.n ? loss3(steps.last("smooth")) : "–");
    put(stats.validation.value, evaluated.n ? loss3(evaluated.last("loss")) : "–");
    stats.accuracy.box.hidden = !tested;
    if (tested) put(stats.accuracy.value, percent(evaluated.last("accuracy")));
    put(stats.speed.value, tp.number(history.tokensPerSecond()));
    put(stats.left.label, over ? TEXT.stats.took : TEXT.stats.left);
    const seconds = over ? (steps.n ? history.trained : NaN) : (history.total - history.step) * stepSeconds(steps);
    put(stats.left.value, duration(seconds));
    const sentence = sentenceOf(history);
    message.hidden = !sentence;
    message.dataset.kind = ["diverged", "failed", "error"].includes(state) ? "bad" : "plain";
    put(message, sentence);
  }

  function drawStatus({ state, step, total_steps: total, place }, working) {
    status.dataset.state = state;
    put(shape, SHAPES[state]);
    const task = state === "running" && working ? TEXT.working[working.task](working) : null;
    put(word, place ? TEXT.place(place) : (task ?? TEXT.states[state]));
    fill.style.transform = `scaleX(${Math.min(1, step / total)})`;
    progress.setAttribute("aria-valuemax", total);
    progress.setAttribute("aria-valuenow", step);
    const [now, of] = TEXT.of(step, total);
    put(stats.step.value, now);
    put(stats.step.rest, of);
  }

  /** Why there is nothing to see, or why the run ended; else nothing. */
  function sentenceOf({ run, error, state, status: known, notes, saved, over }) {
    if (!run) return TEXT.none;
    if (error) return error;
    const diverged = notes.filter((note) => note.kind === "diverged").pop();
    if (state === "diverged" && diverged) return TEXT.diverged(diverged, saved);
    return over ? tp.translate(known?.reason ?? "") : "";
  }

  return { nodes: [el("div", { class: "head" }, title, status), progress, message, list], draw };
}
