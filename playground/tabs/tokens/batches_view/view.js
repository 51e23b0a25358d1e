/* Batches: what a run reads while it trains, painted with the loss of any of its checkpoints.
 *
 * `frame` is what the server answered for one batch and one checkpoint; `state` is what the learner chose.
 */
const { el, visible, put, percent } = tp;
const call = tp.asker(server, () => TEXT.offline);
const root = element.querySelector(".batches");
/** @type {{ run: string, part: string, number: number, step: number | null, row: number, hover: number | null }} */
const state = { run: "", part: "train", number: 1, step: null, row: 0, hover: null };

/** @typedef {ReturnType<typeof decode>} Frame */
const NONE = /** @type {Frame} */ (/** @type {unknown} */ (null)); // nothing is drawn before the first answer
let frame = NONE;

/** @typedef {"of" | "loss" | "shape" | "list" | "open" | "readout"} Part  elements of the view */
/** @typedef {{ parts: ReturnType<Tp["segments"]>, number: HTMLInputElement, earlier: HTMLButtonElement,
 *   later: HTMLButtonElement }} Controls */
const page = /** @type {Controls & { [part in Part]: HTMLElement }} */ ({});

const { film, message, choose } = tp.checkpointView({
  id: "batches-step",
  name: "batches",
  ...{ root, props, watch, state, show },
  fresh: { step: null, number: 1, row: 0 },
  frame: () => frame,
  ask: () => call("batch", state.run, state.part, state.number, state.step),
  stored: () => call("stored", state.run),
  forget: () => (frame = NONE),
});

function build() {
  const pick = (/** @type {string} */ part) => choose({ part, number: 1, row: 0 });
  page.parts = tp.segments(TEXT.part, TEXT.parts, pick, { id: "batches", titles: TEXT.partTitle });
  page.number = el("input", {
    type: "number",
    id: "batches-number",
    min: 1,
    max: 200,
    step: 1,
    value: 1,
    on: {
      change: () =>
        choose({ number: Math.max(1, Math.min(frame?.last ?? 1, Math.round(Number(page.number.value)) || 1)) }),
    },
  });
  page.of = el("span", { class: "muted" });
  page.earlier = tp.button("◂", { class: "tp-button", title: TEXT.earlier, "aria-label": TEXT.earlier }, () =>
    choose({ number: state.number - 1 }),
  );
  page.later = tp.button(
    "▸",
    { class: "tp-button", id: "batches-later", title: TEXT.later, "aria-label": TEXT.later },
    () => choose({ number: state.number + 1 }),
  );
  page.loss = el("p", { class: "loss", role: "status" });
  page.shape = el("p", { class: "help" });
  page.list = el("ol", { class: "sequences" });
  page.open = el("div", { class: "opened" });
  page.readout = el("p", { class: "readout" });
  root.replaceChildren(
    el("h3", { text: TEXT.title }),
    el("p", { class: "help", text: TEXT.help }),
    message,
    el("div", { class: "body" }, [
      el("div", { class: "choices" }, [
        page.parts.field,
        el("div", { class: "choice" }, [
          el("label", { for: "batches-number", text: TEXT.number }),
          page.earlier,
          page.number,
          page.of,
          page.later,
        ]),
      ]),
      film.node,
      page.loss,
      el("div", { class: "legend", "aria-hidden": "true" }, [
        el("span", { text: TEXT.legend[0] }),
        el("i"),
        el("span", { text: TEXT.legend[1] }),
      ]),
      page.list,
      el("div", { class: "under" }, [
        page.readout,
        tp.saveBar({ rows: csvRows, name: () => `batch-${frame.number}-step-${frame.step}` }),
      ]),
      page.shape,
      page.open,
    ]),
  );
  root.addEventListener("pointermove", pointed);
  root.addEventListener("pointerleave", () => read(null));
  root.addEventListener("click", pointed);
}

function pointed(/** @type {Event} */ event) {
  const { place, first } = event.target instanceof HTMLElement ? event.target.dataset : {};
  read(
    place !== undefined
      ? factsOf(Number(place))
      : first !== undefined
        ? [TEXT.given(piece(frame.inputs[at(Number(first), 0)]))]
        : null,
  );
}

/** @param {string[] | null} facts  about the token that is pointed at */
function read(facts) {
  if (!facts) return put(page.readout, TEXT.readout);
  page.readout.replaceChildren(...facts.map((fact, i) => el(i ? "span" : "b", { text: fact })));
}

function open(/** @type {number} */ row) {
  state.row = row;
  draw();
}

function draw() {
  page.parts.press(frame.part);
  page.number.max = String(frame.last);
  if (document.activeElement !== page.number) page.number.value = String(frame.number);
  put(page.of, TEXT.of(frame.last));
  page.earlier.disabled = frame.number <= 1;
  page.later.disabled = frame.number >= frame.last;
  film.draw();
  put(page.loss, TEXT.loss(frame.mean.toFixed(2), frame.even.toFixed(2)));
  put(page.shape, TEXT.shape(frame.rows, frame.columns, frame.whole));
  drawRows(page.list);
  drawOpen(page.open);
  read(null);
  Object.assign(root.dataset, {
    ready: "true",
    step: String(frame.step),
    part: frame.part,
    number: String(frame.number),
    loss: frame.mean.toFixed(4),
  });
}

function csvRows() {
  /** @type {Row[]} */
  const rows = [TEXT.csv];
  for (let row = 0; row < frame.rows; row++) {
    for (let place = 0; place < frame.columns; place++) {
      const i = at(row, place);
      const target = frame.targets[i];
      const counted = target !== IGNORE;
      rows.push([
        row + 1,
        place + 1,
        frame.pieces.get(frame.inputs[i]),
        counted ? frame.pieces.get(target) : "",
        counted ? frame.losses[i] : "",
        frame.pieces.get(frame.guesses[i]),
        frame.sure[i],
      ]);
    }
  }
  return rows;
}

/** @param {Answers.DrawnBatch} answer */
function decode(answer) {
  const whole = (/** @type {string} */ text) => new Int32Array(tp.bytes(text).buffer);
  const losses = tp.floats(answer.losses);
  const counted = losses.filter((loss) => !Number.isNaN(loss));
  return {
    ...answer,
    inputs: whole(answer.inputs),
    targets: whole(answer.targets),
    sources: answer.sources === null ? null : whole(answer.sources),
    guesses: whole(answer.guesses),
    losses,
    sure: tp.floats(answer.sure),
    pieces: new Map(answer.pieces),
    mean: counted.reduce((sum, loss) => sum + loss, 0) / counted.length,
  };
}

/** @param {Answers.DrawnBatch} answer */
function show(answer) {
  frame = decode(answer);
  state.number = frame.number;
  state.row = Math.min(state.row, frame.rows - 1);
  draw();
}

build();
