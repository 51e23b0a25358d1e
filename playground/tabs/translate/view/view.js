/* Translate: an encoder-decoder turns one sentence into another, and every step shows where it looks.
 *
 * `frame` is what the server's `look` answered for one run, step and text (frame.js); `history` is the run's own
 * log, read on while it trains (`tp.Feed`); `state` is what was chosen (address.js). All that is drawn follows
 * from these three. Where the run on the page is a language model, a shipped one that translates is shown.
 *
 * Event: "train" {preset} asks for a new run; `props.started` is the answer, {run} or {error}.
 * `data-*` on the root shows scripts and tests the state of the page.
 */
const HZ = 3;
const IDLE = 1500; // ms between questions about a run that is over

/** @type {string | null} */
let expectedText = null; // the right translation of the sentence, where it is known
let instead = ""; // the name of the language model in whose place another run is shown
let ofOnesOwn = false; // is that one the learner's? A shipped one was not chosen: nothing needs to be said
/** @type {ReturnType<typeof tp.poll> | null} */
let poller = null;

const source = makeSource({ written });
const choices = makeChoices({ changed: chosen, rightChanged });
const figure = makeFigure({ held: hold, hovered: hover });
const transport = makeTransport({ moved: drawMoment, branchBack: () => branch(null) });
const film = makeFilm({ goTo, busy: () => transport.pause() });
const matrix = makeMatrix({ held: hold, hovered: hover });
const next = makeNext({ chosen: candidate });
const beam = makeBeam({ toggled: address.save });
const training = makeTraining({
  starters: props.starters ?? [],
  opened(/** @type {string} */ text) {
    source.take(text);
    body.scrollIntoView({ block: "start", behavior: calm() ? "auto" : "smooth" });
  },
  stopped: stopRun,
});

const notice = el("p", { class: "notice", role: "status", hidden: true });
const facts = el("p", { class: "run-facts" });
const leftOut = el("p", { class: "run-facts left-out" });
const wait = el("p", { class: "wait", role: "status", text: TEXT.none });
const body = el("div", { class: "body", hidden: true }, [
  source.node,
  el("div", { class: "stage" }, choices.node, figure.node, transport.node),
  film.node,
  el("div", { class: "pair" }, matrix.node, next.node),
  beam.node,
]);
root.append(
  el("header", {}, el("h2", { text: TEXT.title }), el("p", { class: "intro", text: TEXT.intro })),
  notice,
  facts,
  leftOut,
  training.live,
  wait,
  body,
  training.node,
);

/* ------------------------------------------------------------------ drawing */

/** What depends on the moment of the translation, and on what is pointed at. */
function drawMoment() {
  schedule(figure.draw, matrix.draw, next.draw, transport.draw);
}

function drawAll() {
  if (!frame.run) return;
  body.hidden = false;
  wait.hidden = true;
  source.draw();
  choices.draw();
  figure.draw();
  matrix.draw();
  next.draw();
  transport.draw();
  film.draw();
  training.draw();
  drawFacts();
  Object.assign(root.dataset, {
    ready: "true",
    run: frame.run,
    step: frame.step,
    text: frame.text,
    written: frame.written,
    recorded: String(frame.recorded),
    live: String(state.live),
  });
}

function drawFacts() {
  const { step, accuracy } = history.run === frame.run ? history.evaluated : { step: [], accuracy: [] };
  const measured = accuracy.findLastIndex(
    (share, i) => Number.isFinite(share) && (step[i] <= frame.step || frame.step === newest(frame)),
  );
  const parts = [TEXT.facts(history.short(), frame.step)];
  if (measured >= 0) parts.push(TEXT.accuracy(percent(accuracy[measured]), step[measured]));
  put(facts, TEXT.sentence(parts.join(" · ")));
}

function drawNotice() {
  const text = !instead
    ? ""
    : !frame.run
      ? TEXT.standInNone(instead)
      : ofOnesOwn
        ? TEXT.standIn(instead, history.short())
        : "";
  notice.hidden = !text;
  put(notice, text);
}

/* ------------------------------------------------------------------ what is chosen */

function chosen() {
  address.save();
  schedule(choices.draw, figure.draw, matrix.draw, next.draw, film.draw);
}

function hover(/** @type {Focus | null} */ focus) {
  if (state.held && focus && focus.column === undefined) return; // what is held stays
  if (JSON.stringify(focus) === JSON.stringify(state.hover)) return;
  if (state.held && focus) focus = { ...focus, ...state.held };
  state.hover = focus;
  schedule(figure.draw, matrix.draw, next.draw);
}

function hold(/** @type {Focus | null} */ focus) {
  transport.pause();
  const same = focus && state.held && focus.row === state.held.row && focus.index === state.held.index;
  state.held = same ? null : focus && { row: focus.row, index: focus.index };
  state.hover = null;
  root.dataset.held = state.held ? `${state.held.row}-${state.held.index}` : "";
  address.save();
  drawMoment();
}

function written(/** @type {string | null} */ text, entered = false) {
  if (text === state.text && !entered) return;
  Object.assign(state, { text, start: null, right: false, held: null, hover: null, at: null, live: text === null });
  root.dataset.held = "";
  film.stop();
  transport.pause();
  load(state.step, { play: true });
}

function rightChanged(/** @type {boolean} */ right) {
  Object.assign(state, { right, start: null, live: false });
  load(frame.step);
}

/** Another candidate at this place: the translation goes on from there.
 *
 * @param {number} place @param {number} id */
function candidate(place, id) {
  if (id === frame.ids[place] && place < shownCount()) return hold({ row: "target", index: place });
  branch([...frame.ids.slice(0, place), id], place + 1);
}

/** @param {number[] | null} start @param {number | null} [from] */
function branch(start, from = null) {
  Object.assign(state, { start, right: false, held: null, hover: null, live: false });
  root.dataset.held = "";
  film.stop();
  load(frame.step, { play: from ?? false });
}

/** Show the step at this place of the slider; null: the newest. */
function goTo(/** @type {number | null} */ index) {
  const step = index === null ? newest(frame) : frame.steps[index];
  transport.pause();
  Object.assign(state, { at: null, live: false });
  // Between two checkpoints only the attention was recorded, along the right translation: so the lines of all these
  // steps are those of the same words. Where every step has a model, and at the newest, it writes by itself.
  const last = step === newest(frame);
  state.right = !last && expectedText !== null && !frame.stored.every(Boolean);
  state.start = null;
  state.step = last ? null : step;
  return load(state.step);
}

/* ------------------------------------------------------------------ asking */

let asked = 0;

/** Show this step (null: the newest) of the run and the text that are chosen.
 *
 * @param {number | null} step @param {{ play?: boolean | number, right?: boolean }} [how]
 * @returns {Promise<unknown>} */
async function load(step, { play = false, right = state.right } = {}) {
  const mine = ++asked;
  root.setAttribute("aria-busy", "true");
  try {
    const found = await frameOf(step, right);
    if (mine !== asked) return;
    source.problem(null);
    show(found, play);
  } catch (error) {
    if (mine !== asked) return;
    if (right && !state.right) {
      state.live = false; // the right translation is not known
      return load(null);
    }
    if (state.start || state.right) {
      Object.assign(state, { start: null, right: false }); // a link to another model, or a text without an answer
      return load(step, { play });
    }
    if (state.step !== null && !frame.run) {
      state.step = null;
      return load(null, { play });
    }
    const { message } = /** @type {Error} */ (error);
    if (frame.run) source.problem(message);
    else put(wait, message);
    root.toggleAttribute("data-problem", true);
  } finally {
    if (mine === asked) root.removeAttribute("aria-busy");
  }
}

/** @param {Frame} found @param {boolean | number} play */
function show(found, play) {
  const before = frame;
  frame = found;
  if (before.run && (before.T !== frame.T || before.S !== frame.S) && state.held) {
    const last = state.held.row === "source" ? frame.S : frame.T;
    if (state.held.index >= last) state.held = null;
  }
  state.hover = null;
  if (before.text !== frame.text || before.run !== frame.run) askExpected();
  drawNotice();
  drawAll();
  address.save();
  beam.ask();
  if (play !== false && !film.isPlaying()) transport.play(play === true ? 0 : play);
}

async function askExpected() {
  const { run, text } = frame;
  expectedText = null;
  const answer = await call("expected", run, state.text);
  if (frame.run !== run || frame.text !== text) return;
  expectedText = answer.right ?? null;
  source.vocabulary.judge(expectedText === null);
  root.dataset.expected = expectedText ?? "";
  schedule(choices.draw, transport.draw);
}

async function askExamples() {
  const { run } = state;
  const answer = await call("examples", run);
  if (run !== state.run) return;
  source.offer(answer.examples ?? []);
  source.vocabulary.teach(answer.words ?? []);
  put(leftOut, tp.translate(answer.left_out ?? ""));
}

/* ------------------------------------------------------------------ following a run */

let rest = 0; // when a run that is over is asked about again

// While a run trains and nothing else was chosen, each recorded step is shown as it comes (`state.live`): along the
// right translation, so that only the lines change. Without it, and when the run is over: the newest checkpoint.

/** @returns {Promise<unknown>} */
async function follow() {
  if (!history.run || performance.now() < rest) return;
  const mine = history;
  const [first, stored] = [!mine.loaded, mine.stored];
  const isNew = await mine.read(
    (run, offset) => call("follow", run, offset),
    () => mine === history,
  );
  if (mine !== history) return;
  if (mine.error) {
    if (!frame.run) put(wait, mine.error);
    return;
  }
  if (first && !mine.about?.translates) return standIn(mine);
  if (mine.over && !isNew) rest = performance.now() + IDLE;
  if (first) begin();
  else if (mine.stored !== stored) await grew();
  if (mine.over && frame.run && state.step === null && state.live && frame.step !== newest(frame)) await load(null);
  if (isNew) {
    schedule(training.draw, film.draw, transport.draw);
    if (frame.run) schedule(drawFacts);
  }
}

/** The run on the page is a language model: show a shipped one that translates, or say how to get one. */
function standIn(/** @type {typeof history} */ mine) {
  instead = mine.short();
  ofOnesOwn = !mine.about?.shipped;
  if (mine.about?.instead) {
    state.run = mine.about.instead;
    root.dataset.instead = state.run;
    history = new tp.Feed(state.run);
    return follow();
  }
  rest = performance.now() + IDLE;
  wait.hidden = true;
  drawNotice();
  training.draw();
  root.dataset.ready = "none";
}

/** It is known that the run translates: read it, as soon as it is looked at. */
function begin() {
  if (!seen || frame.run || !history.loaded || !history.about?.translates) return;
  put(wait, TEXT.wait);
  load(state.step, { play: !state.held && state.step === null && !calm() });
  film.measure();
  askExamples();
}

/** There is a new checkpoint, or a recorded step. */
async function grew() {
  if (!frame.run) return begin();
  film.measure();
  const { run, text } = state;
  const answer = await call("stops", run, text);
  if (answer.error || run !== state.run || text !== state.text || !frame.run) return;
  if (answer.steps.join() === frame.steps.join() && answer.stored.join() === frame.stored.join()) return;
  const later = newest(answer) !== newest(frame);
  const last = answer.steps.at(-1) ?? -1;
  for (const kept of frames.values()) if (kept.run === run && kept.text === frame.text) Object.assign(kept, answer);
  Object.assign(frame, answer);
  const gone = !answer.steps.includes(frame.step);
  if (gone) state.step = null;
  const idle = state.step === null && !player && !film.isPlaying();
  if (idle && state.live && state.at === null && history.status?.alive && last > frame.step)
    await load(last, { right: true });
  else if (gone || (later && state.step === null && !state.held && !state.start && !player && !film.isPlaying()))
    await load(state.step);
  else film.draw();
}

async function stopRun() {
  const answer = await call("stop", state.run);
  training.say(answer.error ?? null);
  rest = 0;
}

/* ------------------------------------------------------------------ which run */

let begun = false;
let seen = false;

function newRun() {
  const run = props.run ?? "";
  if (!run || run === state.page) return;
  if (begun)
    Object.assign(state, {
      text: null,
      step: null,
      right: false,
      start: null,
      layer: null,
      head: null,
      at: null,
      held: null,
      hover: null,
      live: true,
    });
  begun = true;
  transport.pause();
  film.stop();
  asked += 1;
  Object.assign(state, { page: run, run });
  frame = NO_FRAME;
  expectedText = null;
  instead = "";
  history = new tp.Feed(run);
  rest = 0;
  for (const name of ["run", "instead", "correct", "step", "written"]) delete root.dataset[name];
  root.dataset.ready = "false";
  root.removeAttribute("data-problem");
  body.hidden = true;
  wait.hidden = false;
  put(wait, TEXT.wait);
  put(facts, "");
  put(leftOut, "");
  source.clear();
  source.offer([]);
  source.vocabulary.teach([]);
  source.problem(null);
  beam.forget();
  training.reset();
  drawNotice();
  training.draw();
  poller?.now();
}

function started() {
  const answer = props.started;
  if (!answer) return;
  training.begun(answer);
  if (!answer.run) return;
  tp.memory.add(answer.run);
  root.scrollIntoView({ block: "start", behavior: calm() ? "auto" : "smooth" }); // to where it can be seen to learn
}

root.addEventListener("keydown", (event) => {
  if (event.key !== " " || !frame.run || event.target !== root.querySelector("#translate-figure")) return;
  event.preventDefault();
  if (player) transport.pause();
  else transport.play();
});

readUrl();
beam.settings();
beam.node.open = state.open;
if (state.held) root.dataset.held = `${state.held.row}-${state.held.index}`;
tp.onTheme(() => {
  figure.again();
  schedule(drawAll, beam.draw);
});
training.draw();
newRun();
poller = tp.poll(follow, { hz: HZ, hidden_hz: 0.5, element: root });
watch("run", newRun);
watch("started", started);
tp.whenSeen(root, () => {
  seen = true;
  begin();
});
