/* Batches: what a run reads while it trains, painted with the loss of any of its checkpoints.
 *
 * `frame` is what the server answered for one batch and one checkpoint; `state` is what the learner chose.
 */
const { el, visible, put, percent } = tp;
const call = tp.asker(server, () => TEXT.offline);
const root = element.querySelector(".batches");
const state = { run: "", part: "train", number: 1, step: null, row: 0, hover: null };
let frame = null;
const page = {};

function build() {
  page.parts = Object.entries(TEXT.parts).map(([value, text]) =>
    el("button", { type: "button", id: `batches-${value}`, text, title: TEXT.partTitle[value], on: { click: () => choose({ part: value, number: 1, row: 0 }) } }),
  );
  page.number = el("input", { type: "number", id: "batches-number", min: 1, max: 200, step: 1, value: 1, on: { change: () => choose({ number: Math.max(1, Math.min(frame?.last ?? 1, Math.round(Number(page.number.value)) || 1)) }) } });
  page.of = el("span", { class: "muted" });
  page.earlier = el("button", { type: "button", class: "tp-button", text: "◂", title: TEXT.earlier, "aria-label": TEXT.earlier, on: { click: () => choose({ number: state.number - 1 }) } });
  page.later = el("button", { type: "button", class: "tp-button", id: "batches-later", text: "▸", title: TEXT.later, "aria-label": TEXT.later, on: { click: () => choose({ number: state.number + 1 }) } });
  page.film = tp.film({
    id: "batches-step",
    label: TEXT.film,
    text: { play: TEXT.filmPlay, pause: TEXT.filmPause },
    count: () => frame?.steps.length ?? 0,
    at: () => frame.steps.indexOf(frame.step),
    goTo: (index) => choose({ step: index === frame.steps.length - 1 ? null : frame.steps[index] }),
    name: (index) => (frame ? TEXT.step(frame.steps[index], frame.steps.at(-1)) : ""),
  });
  page.loss = el("p", { class: "loss", role: "status" });
  page.shape = el("p", { class: "help" });
  page.list = el("ol", { class: "sequences" });
  page.open = el("div", { class: "opened" });
  page.readout = el("p", { class: "readout" });
  page.message = el("p", { class: "message", role: "alert", hidden: true });
  root.replaceChildren(
    el("h3", { text: TEXT.title }),
    el("p", { class: "help", text: TEXT.help }),
    page.message,
    el(
      "div",
      { class: "body" },
      el(
        "div",
        { class: "choices" },
        el("div", { class: "choice" }, el("span", { text: TEXT.part }), el("div", { class: "segments", role: "group", "aria-label": TEXT.part }, page.parts)),
        el("div", { class: "choice" }, el("label", { for: "batches-number", text: TEXT.number }), page.earlier, page.number, page.of, page.later),
      ),
      page.film.node,
      page.loss,
      el("div", { class: "legend", "aria-hidden": "true" }, el("span", { text: TEXT.legend[0] }), el("i"), el("span", { text: TEXT.legend[1] })),
      page.list,
      el("div", { class: "under" }, page.readout, tp.saveBar({ rows: csvRows, name: () => `batch-${frame.number}-step-${frame.step}` })),
      page.shape,
      page.open,
    ),
  );
  root.addEventListener("pointermove", pointed);
  root.addEventListener("pointerleave", () => read(null));
  root.addEventListener("click", pointed);
}

function pointed(event) {
  const { place, first } = event.target.dataset ?? {};
  read(place !== undefined ? factsOf(Number(place)) : first !== undefined ? [TEXT.given(piece(frame.inputs[at(Number(first), 0)]))] : null);
}

function read(facts) {
  if (!facts) return put(page.readout, TEXT.readout);
  page.readout.replaceChildren(...facts.map((fact, i) => el(i ? "span" : "b", { text: fact })));
}

function open(row) {
  state.row = row;
  draw();
}

function draw() {
  for (const part of page.parts) part.setAttribute("aria-pressed", String(part.id === `batches-${frame.part}`));
  page.number.max = frame.last;
  if (document.activeElement !== page.number) page.number.value = frame.number;
  put(page.of, TEXT.of(frame.last));
  page.earlier.disabled = frame.number <= 1;
  page.later.disabled = frame.number >= frame.last;
  page.film.draw();
  put(page.loss, TEXT.loss(frame.mean.toFixed(2), frame.even.toFixed(2)));
  put(page.shape, TEXT.shape(frame.rows, frame.columns, frame.whole));
  drawRows(page.list);
  drawOpen(page.open);
  read(null);
  Object.assign(root.dataset, { ready: "true", step: frame.step, part: frame.part, number: frame.number, loss: frame.mean.toFixed(4) });
}

function csvRows() {
  const rows = [TEXT.csv];
  for (let row = 0; row < frame.rows; row++) {
    for (let place = 0; place < frame.columns; place++) {
      const i = at(row, place);
      const target = frame.targets[i];
      const counted = target !== IGNORE;
      rows.push([row + 1, place + 1, frame.pieces.get(frame.inputs[i]), counted ? frame.pieces.get(target) : "", counted ? frame.losses[i] : "", frame.pieces.get(frame.guesses[i]), frame.sure[i]]);
    }
  }
  return rows;
}

function choose(change) {
  Object.assign(state, change);
  saveUrl();
  return load();
}

/* ------------------------------------------------------------------ the address */

function readUrl() {
  const whole = (name) => (/^\d{1,9}$/.test(tp.url.get(name) ?? "") ? Number(tp.url.get(name)) : null);
  state.step = whole("b.step");
  state.number = Math.max(1, Math.min(whole("b.number") ?? 1, 200));
  if (tp.url.get("b.part") === "valid") state.part = "valid";
}

let saving = 0;
function saveUrl() {
  clearTimeout(saving);
  saving = setTimeout(() => {
    const { part, number, step } = state;
    tp.url.set({ "b.part": part === "train" ? null : part, "b.number": number === 1 ? null : number, "b.step": step });
  }, 200);
}

function show(answer) {
  const whole = (text) => (text === null ? null : new Int32Array(tp.bytes(text).buffer));
  const losses = tp.floats(answer.losses);
  const counted = losses.filter((loss) => !Number.isNaN(loss));
  frame = {
    ...answer,
    inputs: whole(answer.inputs),
    targets: whole(answer.targets),
    sources: whole(answer.sources),
    guesses: whole(answer.guesses),
    losses,
    sure: tp.floats(answer.sure),
    pieces: new Map(answer.pieces),
    mean: counted.reduce((sum, loss) => sum + loss, 0) / counted.length,
  };
  state.number = frame.number;
  state.row = Math.min(state.row, frame.rows - 1);
  draw();
}

build();
readUrl();
const { load, turn } = tp.checkpointView({
  root,
  message: page.message,
  film: page.film,
  state,
  ask: () => call("batch", state.run, state.part, state.number, state.step),
  show,
  steps: () => frame?.steps ?? null,
  stored: () => call("stored", state.run),
  renew: (steps) => (frame.steps = steps),
  forget(other) {
    frame = null;
    if (other) Object.assign(state, { step: null, number: 1, row: 0 });
  },
});
turn(props.run);
watch("run", () => turn(props.run));
