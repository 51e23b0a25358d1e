/* Experts: how a mixture of experts shares its work, while it trains and afterwards.
 *
 * `first` is the run that is shown, `second` one that it is compared with; both are `ExpertsFeed`s that the page reads
 * on in (`server.follow`, see playground/tabs/experts/server.py). Where the run on the page is dense, `first` is a
 * shipped one that has experts. `state` is what was chosen. Everything that is drawn follows from these three.
 *
 * Event: "pair" {run, own} asks for an A/B; `props.pair` is the answer, {runs: [with, without]} or {error}.
 * `data-*` on the root shows scripts and tests the state of the page.
 */
const HZ = 3;
const IDLE = 1500; // ms between questions about a run that is over

/** @type {ReturnType<typeof tp.poll> | null} */
let poller = null;

const title = el("header", {}, el("h2", { text: TEXT.title }), el("p", { class: "intro", text: TEXT.intro }));
const notice = el("p", { class: "notice", role: "status", hidden: true });
const facts = el("p", { class: "run-facts" });
const wait = el("p", { class: "wait", role: "status", text: TEXT.none });
const measured = el("section", { class: "measured" }, el("h3", { text: TEXT.measured }));
const measuredText = measured.appendChild(el("p", {}));

const choices = makeChoices({ chosen: choicesMade, compared: compareWith });
const timeline = makeTimeline({ moved });
const bars = makeBars();
const balance = makeBalance();
const tokens = makeTokens();
const special = makeSpecial();

const upper = el("div", { class: "upper" }, [
  el("div", {}, timeline.node, measured),
  el("div", { class: "aside" }, bars.node, balance.node),
]);
const evenly = el("section", { class: "evenly" }, el("h3", { text: TEXT.evenly }), choices.node, upper);
const body = el("div", { class: "body", hidden: true }, tokens.node, evenly, special.node);
tp.terms.mark(title, props.terms ?? []);
root.append(title, notice, facts, wait, body);

/* ------------------------------------------------------------------ drawing */

/** The cursor moved: what depends on the step, and nothing else. */
function moved() {
  address.save();
  schedule(timeline.drawCursor, bars.draw, describe);
  tokens.look();
  special.look();
}

function choicesMade() {
  address.save();
  timeline.reset();
  timeline.rebuild();
  schedule(drawAll);
}

function drawAll() {
  if (!first.run) return;
  drawNotice();
  if (!first.loaded) return describe();
  const dense = !first.experts;
  const goesOn = first.status?.goes_on;
  body.hidden = dense || (!first.count && !first.readable);
  wait.hidden = dense || first.count > 0;
  if (first.readable) put(wait, (goesOn ? TEXT.unrecorded : TEXT.unrecordedEver)(first.short()));
  else put(wait, (goesOn ? TEXT.nothing : TEXT.nothingEver)(first.short()));
  put(facts, dense || !first.about ? "" : TEXT.facts(first.short(), first.about));
  if (body.hidden) return describe();
  if (state.block !== null) {
    const layer = first.layers.indexOf(state.block);
    state.layer = layer < 0 ? null : layer;
    state.block = null;
  }
  if (state.layer !== null && state.layer >= first.layers.length) state.layer = null;
  timeline.node.hidden = bars.node.hidden = !first.count;
  balance.node.hidden = !first.count && !first.status?.tunable;
  measured.hidden = !first.count && !first.evaluated.step.length;
  upper.hidden = [timeline, bars, balance].every(({ node }) => node.hidden) && measured.hidden;
  upper.classList.toggle("long", shownLayers().length > FEW);
  choices.draw();
  timeline.draw();
  bars.draw();
  balance.draw();
  tokens.draw();
  special.draw();
  drawMeasured();
  describe();
}

/** For scripts and tests: which run, how far, and how even. */
function describe() {
  const last = first.count - 1;
  Object.assign(root.dataset, {
    ready: String(first.loaded && (first.count > 0 || first.readable || !first.experts)),
    run: first.run,
    second: second?.loaded ? second.run : "",
    status: first.status?.state ?? "none",
    records: first.count,
    last: first.records.step[last] ?? 0,
    step: cursorStep(),
    maxvio: last < 0 ? "" : first.vio(last, state.layer).toFixed(4),
    rescued: String(first.rescued),
    secondVio: second?.count ? second.vio(second.count - 1, null).toFixed(4) : "",
  });
}

/** What was measured, in a few sentences that promise nothing. */
function drawMeasured() {
  const found = second?.loaded ? compared(second) : [alone()];
  put(measuredText, tp.sentences([...found, TEXT.measuredSmall]));
}

function alone() {
  const now = first.heldOut(first.evaluated.step.at(-1) ?? -1);
  if (!now) return TEXT.measuredNone(first.short());
  return TEXT.measuredOne(
    first.short(),
    tp.loss(now.loss),
    now.step,
    first.about?.flops ? tp.number(now.step * first.about.flops) : "",
  );
}

/** The losses of A and B as far as both have come, on the chosen axis. */
function compared(/** @type {ExpertsFeed} */ other) {
  if (first.about?.data !== other.about?.data) return [TEXT.measuredData];
  const both = [first, other];
  const x = Math.min(...both.map((history) => history.x(history.evaluated.step.at(-1) ?? 0, state.axis)));
  const [a, b] = both.map((history) => {
    const within = history.evaluated.step.filter((step) => history.x(step, state.axis) <= x * (1 + 1e-9));
    return history.heldOut(within.at(-1) ?? -1);
  });
  if (x <= 0 || !a || !b) return [TEXT.measuredSoon];
  const where = TEXT.measuredAt[state.axis](x);
  const together = state.axis === "steps" && a.step === x && b.step === x;
  return [
    together
      ? TEXT.measuredTwo(where, tp.loss(a.loss), tp.loss(b.loss))
      : TEXT.measuredEach(where, { ...a, loss: tp.loss(a.loss) }, { ...b, loss: tp.loss(b.loss) }),
    ...(other.experts ? [] : [TEXT.measuredDense]),
    TEXT.measuredSeed,
  ];
}

/** What stands in the way, or why another run is shown. */
function drawNotice() {
  const parts = [];
  if (first.error) parts.push(el("span", { text: first.error }));
  else if (first.dense) {
    // Of a shipped run, which was not chosen, nothing needs to be said.
    if (first.loaded && first.standsInForOwn)
      parts.push(el("span", { text: TEXT.denseShown(first.dense, first.short()) }));
  } else if (first.loaded && !first.experts) {
    parts.push(el("span", { text: `${TEXT.denseNone(first.short())} ` }));
    parts.push(el("a", { class: "tp-button", id: "experts-train", href: first.about?.start, text: TEXT.toTrain }));
  }
  const key = parts.map((part) => part.textContent).join("");
  notice.hidden = key === "";
  if (notice.textContent !== key) notice.replaceChildren(...parts); // else a link would lose its focus
}

/* ------------------------------------------------------------------ asking */

let rest = 0; // when runs that are over are asked about again

const readOn = (/** @type {ExpertsFeed} */ history) => history.read((run, offset) => call("follow", run, offset));

/** @returns {Promise<unknown>} */
async function look() {
  if (!first.run || performance.now() < rest) return;
  const asked = first;
  const news = [await readOn(asked), second ? await readOn(second) : false];
  if (asked !== first) return;
  if (second?.error && second.error !== TEXT.offline && !second.loaded) compareWith(null); // it was deleted
  if (first.loaded && !first.experts) return standIn();
  if ([first, second].every((history) => !history || history.over) && !news.some(Boolean))
    rest = performance.now() + IDLE;
  if (!news.some(Boolean)) return balance.draw();
  schedule(drawAll);
  tokens.look();
  special.look();
}

/** The run on the page is dense: show a shipped one that is not, or say how to get one. */
function standIn() {
  const { about } = first;
  const name = first.short();
  if (about?.instead && !first.dense) {
    first = new ExpertsFeed(about.instead);
    Object.assign(first, { dense: name, standsInForOwn: !about.shipped });
    root.dataset.instead = about.instead;
    return look();
  }
  rest = performance.now() + IDLE;
  return schedule(drawAll);
}

function compareWith(/** @type {string | null} */ run) {
  if (run) rememberPair(state.run, run);
  else if (second) rememberPair(state.run, null);
  second = run ? new ExpertsFeed(run) : null;
  rest = 0;
  timeline.rebuild();
  timeline.reset();
  address.save();
  schedule(drawAll);
  choices.list();
  poller?.now();
}

/* ------------------------------------------------------------------ which run */

let begun = false;

function newRun() {
  const run = props.run ?? "";
  if (!run || run === state.run) return;
  const linked = begun ? null : state.partner;
  if (begun)
    Object.assign(state, {
      step: null,
      layer: null,
      block: null,
      text: null,
      token: 0,
      row: 0,
      locked: false,
      hover: null,
    });
  begun = true;
  state.run = run;
  first = new ExpertsFeed(run);
  const partner = partnerOf(run) ?? linked;
  second = partner && partner !== run ? new ExpertsFeed(partner) : null;
  rest = 0;
  delete root.dataset.instead;
  root.dataset.ready = "false";
  if (!props.pair?.runs?.includes(run)) choices.say("");
  body.hidden = true;
  wait.hidden = false;
  put(wait, TEXT.wait);
  put(facts, "");
  drawNotice();
  timeline.reset();
  timeline.rebuild();
  tokens.forget();
  choices.list();
  poller?.now();
}

function paired() {
  /** @type {{ runs?: [first: string, second: string], error?: string } | null} */
  const answer = props.pair;
  if (!answer) return;
  if (answer.runs) {
    answer.runs.forEach((run) => tp.memory.add(run));
    rememberPair(...answer.runs);
    if (state.run === answer.runs[0]) compareWith(answer.runs[1]); // the run came before its partner
  }
  choices.paired(answer);
}

function themed() {
  mixShades();
  timeline.rebuild();
  schedule(drawAll);
}

Object.assign(state, address.read());
mixShades();
tp.onTheme(themed);
newRun();
poller = tp.poll(look, { hz: HZ, hidden_hz: 0.5, element: root });
watch("run", newRun);
watch("pair", paired);
new ResizeObserver(() => schedule(bars.draw)).observe(bars.node);
