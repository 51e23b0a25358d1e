/* Look inside: every head of a trained model at a glance, one of them large, and what it does in numbers.
 *
 * `frame` is what the server's `look` answered for one run, step and text, decoded; frames are kept, so that
 * going back and forth between steps needs no server. `state` is what the learner chose. Everything that is
 * drawn follows from these two: `showFrame` draws a frame, `showHead` the chosen head, `showQuery` the token
 * whose attention is read. Layers, heads and tokens count from 0 here, and from 1 where a person reads them.
 */
const { el, visible, percent, count, fixed, rounded, css, inkOn } = tp;
const schedule = tp.scheduler(() => frame.run);
const root = element.querySelector(".inside");

const DELAY = 350; // ms after the last key before a text is read
const THRESHOLD = 0.01; // weights below it get no line
const LISTED = 8; // keys listed beside the table
const PATTERN_LEAST = 0.3; // share from which a pattern names a head

const sqrt = Math.sqrt;

/* ------------------------------------------------------------------ the page */

/** @param {string | null} see @param {string} attempt */
const note = (see, attempt) =>
  el("div", { class: "note" }, [
    see && el("p", {}, el("b", { text: TEXT.see }), el("span", { text: see })),
    attempt && el("p", {}, el("b", { text: TEXT.tryIt }), el("span", { text: attempt })),
  ]);

/** @typedef {"message" | "hint" | "stepNote" | "grid" | "gridNote" | "effect" | "scale"} Around */
/** @typedef {"title" | "pattern" | "why" | "tokens" | "matrixText" | "list"} OfHead */
/** @typedef {{ [name in "numbers" | "zero" | "lens"]: ReturnType<typeof panel> }} Panels */
/** @typedef {{ input: HTMLTextAreaElement, film: Film, matrix: HTMLCanvasElement } & Panels} Controls */
const page = /** @type {Controls & { [part in Around | OfHead]: HTMLElement }} */ ({});

function build() {
  page.message = el("p", { class: "message", role: "alert", hidden: true });
  page.input = el("textarea", {
    id: "inside-text",
    rows: 2,
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "off",
    on: { input: textTyped, keydown: (event) => event.key === "Escape" && page.input.blur() },
  });
  page.hint = el("p", { class: "hint" });
  page.film = makeFilm();
  page.stepNote = el("span", { class: "step-note" });

  page.grid = el("div", { class: "grid", role: "grid", "aria-label": TEXT.gridLabel });
  page.gridNote = el("div");
  page.effect = el("div", { class: "effect", role: "status", hidden: true });
  page.scale = el("div", { class: "scale" });

  page.title = el("h3", { class: "head-title" });
  page.pattern = el("p", { class: "pattern" });
  page.why = el("p", { class: "why" });
  page.tokens = el("div", { class: "tokens" });
  page.matrix = el("canvas", { class: "matrix" });
  page.matrixText = el("p", { class: "matrix-text", text: TEXT.matrixNote });
  page.list = el("div", { class: "list" });

  page.numbers = panel("numbers", TEXT.numbers, TEXT.numbersTeaser);
  page.zero = panel("zero", TEXT.zero, TEXT.zeroTeaser);
  page.lens = panel("lens", TEXT.lens, TEXT.lensTeaser);

  root.replaceChildren(
    el("header", {}, el("h2", { text: TEXT.title }), el("p", { class: "intro", text: TEXT.intro })),
    el("p", { class: "wait", role: "status", text: TEXT.wait }),
    el("div", { class: "opening" }, [
      el("div", { class: "field" }, [
        el("label", { for: "inside-text", text: TEXT.text }),
        page.input,
        page.hint,
        page.message,
      ]),
      el("div", { class: "field" }, [
        el("label", { for: "inside-step", text: TEXT.step }),
        page.film.node,
        el("p", { class: "hint" }, page.stepNote),
      ]),
    ]),
    el("div", { class: "explore" }, [
      el("section", { class: "every-head" }, [
        el("h3", { text: TEXT.allHeads }),
        el("div", { class: "grid-frame" }, page.grid),
        page.effect,
        page.scale,
        page.gridNote,
        tp.saveBar({ figure: gridFigure, rows: gridRows, name: () => fileName("heads") }),
      ]),
      el("section", { class: "one" }, [
        page.title,
        page.pattern,
        page.why,
        page.tokens,
        el("div", { class: "under" }, [
          note(null, TEXT.headTry),
          tp.saveBar({
            figure: () => page.tokens,
            rows: lineRows,
            name: () => fileName(`${headName()}-token-${shownQuery() + 1}`),
          }),
        ]),
        el("div", { class: "pair" }, [
          el("figure", { class: "matrix-figure" }, [
            el("h4", { text: TEXT.matrix }),
            page.matrix,
            el("figcaption", {}, [
              page.matrixText,
              tp.saveBar({ figure: () => page.matrix, rows: matrixRows, name: () => fileName(headName()) }),
            ]),
          ]),
          page.list,
        ]),
      ]),
    ]),
    el("div", { class: "panels" }, page.numbers.details, page.zero.details, page.lens.details),
  );

  page.matrix.addEventListener("pointermove", matrixMoved);
  page.matrix.addEventListener("pointerleave", matrixLeft);
  page.matrix.addEventListener("click", matrixClicked);
  page.grid.addEventListener("keydown", gridKeys);
  const sizes = new ResizeObserver(() => schedule(resized));
  sizes.observe(page.tokens);
  if (page.matrix.parentElement) sizes.observe(page.matrix.parentElement);
}

/** @param {"numbers" | "zero" | "lens"} name @param {string} title @param {string} teaser */
function panel(name, title, teaser) {
  const body = el("div", { class: "panel-body" });
  const details = tp.fold({ name: "inside-panels", "data-panel": name }, title, teaser, body);
  details.addEventListener("toggle", () => {
    if (details.open) state.panel = name;
    else if (state.panel === name) state.panel = null;
    address.save();
    if (details.open) refreshPanel();
  });
  return { details, body };
}

const headName = () => `layer-${shownLayer() + 1}-head-${shownHead() + 1}`;
const fileName = (/** @type {string} */ what) => `attention-step-${frame.step}-${what}`;

/* ------------------------------------------------------------------ the address */

const address = tp.address("inside", () => {
  if (!frame.run || linked) return {};
  const [layer, head] = frame.suggested;
  const own = state.layer !== layer || state.head !== head;
  return {
    ...state,
    text: frame.default ? null : state.text,
    layer: own ? state.layer : null,
    head: own ? state.head : null,
    query: state.locked ? state.query : null,
  };
});

/** What the address asks for, or a link.
 *
 * @param {{ [name: string]: string }} [link] */
function read(link) {
  const told = address.read(link);
  const fresh = { locked: told.query !== null, zeroed: told.zeroed ?? new Set(), hover: null, key: null };
  Object.assign(state, told, fresh);
}

/* ------------------------------------------------------------------ asking */

let asked = 0;

/** Show this step (null: the newest) of the current run and text. */
async function load(/** @type {number | null} */ step) {
  const mine = ++asked;
  root.setAttribute("aria-busy", "true");
  try {
    const found = await frameOf(step);
    if (mine !== asked) return;
    problem(null);
    showFrame(found);
  } catch (error) {
    const { message, tab } = /** @type {Error & {tab?: string}} */ (error);
    if (mine === asked) problem(message, tab);
  } finally {
    if (mine === asked) root.removeAttribute("aria-busy");
  }
}

/** @param {string | null} sentence @param {string | null} [tab] */
function problem(sentence, tab = null) {
  page.message.hidden = sentence === null;
  if (page.message.textContent !== (sentence ?? "")) page.message.textContent = sentence ?? "";
  tp.elsewhere(root, page.message, sentence ?? "", tab);
  root.toggleAttribute("data-problem", sentence !== null);
}

/** Asks one question at a time, and the newest: `show` gets an answer after which nothing else was asked.
 *
 * @template Found @param {(answer: Found) => void} show @returns {(question: () => Promise<Found>) => Promise<void>} */
function asker(show) {
  let running = false;
  /** @type {(() => Promise<Found>) | null} */
  let next = null;
  return async function ask(question) {
    next = question;
    if (running) return;
    running = true;
    while (next) {
      const now = next;
      next = null;
      const answer = await now();
      if (!next) show(answer);
    }
    running = false;
  };
}

let typing = 0;
function textTyped() {
  grow();
  clearTimeout(typing);
  typing = setTimeout(() => {
    state.text = page.input.value;
    state.query = state.hover = state.key = null;
    state.locked = false;
    page.film.stop();
    load(state.step);
  }, DELAY);
}

function grow() {
  page.input.style.height = "auto";
  page.input.style.height = `${Math.min(page.input.scrollHeight + 2, 200)}px`;
}

/* ------------------------------------------------------------------ a frame */

function showFrame(/** @type {Frame} */ found) {
  const before = frame;
  frame = found;
  if (state.layer === null || state.head === null || state.layer >= frame.layers || state.head >= frame.heads) {
    [state.layer, state.head] = frame.suggested;
    state.followsSuggestion = true;
  } else if (state.followsSuggestion && (before.text !== frame.text || before.run !== frame.run)) {
    [state.layer, state.head] = frame.suggested;
  }
  if (state.step !== null) state.step = frame.step === newest(frame) ? null : frame.step;
  state.query = Math.min(state.query ?? frame.suggested[2], frame.size - 1);
  for (const name of state.zeroed) {
    const [layer, head] = name.split(".").map(Number);
    if (layer >= frame.layers || head >= frame.heads) state.zeroed.delete(name);
  }
  if (document.activeElement !== page.input || !before.run) {
    const text = state.text ?? frame.pieces.join("");
    if (page.input.value !== text) {
      page.input.value = text;
      grow();
    }
  }
  showHint();
  showSteps();
  showGrid(!before.run || before.layers !== frame.layers || before.heads !== frame.heads);
  showHead(!before.run || before.pieces.join("\u0000") !== frame.pieces.join("\u0000"));
  if (state.panel && !page[state.panel].details.open) page[state.panel].details.open = true;
  refreshPanel(true);
  address.save();
  Object.assign(root.dataset, { ready: "true", run: frame.run, step: String(frame.step) });
}

/** What these tokens are, if all are of a kind. */
const kindOf = (/** @type {string[]} */ pieces) =>
  pieces.every((piece) => [...piece].length === 1) ? "letters" : tp.inWords(pieces) ? "words" : "";

function showHint() {
  const parts = [el("span", { text: TEXT.textHint(frame.size, frame.limit, kindOf(frame.pieces)) })];
  if (frame.rest) {
    parts.push(
      el("span", { text: ` ${TEXT.textCut} ` }),
      el("s", { class: "rest", translate: "no", text: tp.beginning(frame.rest, visible) }),
    );
  }
  if (!frame.default) {
    parts.push(el("span", { text: " " }), tp.button(TEXT.textReset, { class: "link" }, resetText));
  }
  page.hint.replaceChildren(...parts);
  root.toggleAttribute("data-cut", Boolean(frame.rest));
}

function resetText() {
  state.text = state.query = state.hover = state.key = null;
  state.locked = false;
  page.input.value = "";
  page.input.blur();
  load(state.step);
}

/* ------------------------------------------------------------------ the panels below */

let refreshing = 0;

/** Redraw the open panel, and what heads that are off change, when the choices have rested a moment (`later`) or at
 * once. */
function refreshPanel(later = false) {
  clearTimeout(refreshing);
  if (!state.zeroed.size) page.effect.hidden = true;
  if (!frame.run || !(state.panel || state.zeroed.size)) return;
  refreshing = setTimeout(
    () => {
      if (!frame.run) return;
      if (!frame.stored[frame.steps.indexOf(frame.step)]) {
        page.effect.hidden = true;
        return state.panel && showBetween(page[state.panel].body);
      }
      if (page.film.playing()) return;
      if (state.zeroed.size || state.panel === "zero") askZero();
      if (state.panel === "numbers") askNumbers();
      if (state.panel === "lens") askLens();
    },
    later ? 120 : 20,
  );
}

function showBetween(/** @type {HTMLElement} */ body) {
  const whole = frame.steps.filter((_, i) => frame.stored[i]);
  const nearest = whole.reduce((best, step) =>
    Math.abs(step - frame.step) < Math.abs(best - frame.step) ? step : best,
  );
  body.replaceChildren(
    el("p", { class: "between" }, [
      el("span", { text: `${TEXT.between} ` }),
      tp.button(TEXT.betweenGo(nearest), { class: "link" }, () => goTo(frame.steps.indexOf(nearest))),
    ]),
  );
  delete body.dataset.ready;
}

/** The text as the server knows it; null: the run's own. */
const sent = () => (frame.text === null ? null : frame.pieces.join(""));

/** @param {HTMLElement} body @param {Answer} answer */
function failed(body, answer) {
  if (!answer.error) return false;
  body.replaceChildren(el("p", { class: "message", role: "alert", text: answer.error }));
  return true;
}

/* ------------------------------------------------------------------ begin */

function newRun() {
  const first = state.run === "";
  if (!props.run || props.run === state.run) return;
  state.run = props.run;
  if (!first) {
    frame = NO_FRAME;
    delete root.dataset.run;
    page.film.clear();
    problem(null);
    const { panel } = state;
    read({});
    Object.assign(state, { panel });
    page.input.value = "";
  }
  if (linked && linked.run === state.run) return arrive(linked);
  show();
}

let begun = false;
/** What a link asked for, until its run is on the page. @type {{ [name: string]: string } | null} */
let linked = null;

function show() {
  root.dataset.ready = "false";
  page.film.stop();
  if (begun && state.run) load(state.step);
}

/** What a link asks for takes the place of all that was here. */
function arrive(/** @type {{ [name: string]: string }} */ link) {
  linked = null;
  read(link);
  for (const name of /** @type {const} */ (["numbers", "zero", "lens"])) {
    if (name !== state.panel) page[name].details.open = false;
    else if (frame.run) page[name].details.open = true;
  }
  show();
}

/* A lesson or the first screen opens this tab, perhaps with another run, which comes next. */
function wanted(/** @type {{ [name: string]: string }} */ link) {
  if ((link.run ?? state.run) === state.run) return arrive(link);
  linked = link;
}

build();
read();
themed();
tp.onTheme(themed);
newRun();
watch("run", newRun);
tp.lessons.linked("inside", wanted);
tp.whenSeen(root, () => {
  begun = true;
  if (!linked) show();
});
tp.poll(follow, { hz: 0.5, hidden_hz: 0.1, element: root });
