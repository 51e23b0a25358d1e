/* Embeddings: the rows of a table as points, seen from two directions, at any checkpoint.
 *
 * `frame` is what the server answered for one table and one checkpoint; `state` is what the learner chose.
 */
const { el, visible, put, percent } = tp;
const call = tp.asker(server, () => TEXT.offline);
const schedule = tp.scheduler(() => frame);
const root = element.querySelector(".embeddings");
const SIDE = 28; // around the drawing
const LABELLED = 420; // points that all get their text
/** @typedef {number | null} Point  its row in the table */
/** @type {{ run: string, what: string, step: number | null, held: Point, hover: Point }} */
const state = { run: "", what: "tokens", step: null, held: null, hover: null };

/** @typedef {ReturnType<typeof decode>} Frame */
const NONE = /** @type {Frame} */ (/** @type {unknown} */ (null)); // nothing is drawn before the first answer
let frame = NONE;
let reach = 0; // the largest coordinate of this table at any step that was shown
/** @type {Map<number, Answers.NearestPoints["neighbours"]>} */
let near = new Map(); // point -> [[point, cosine], ...] at the step that is shown
/** @typedef {"help" | "host" | "share" | "legend" | "near"} Part  elements of the view */
const page = /** @type {{ tables: ReturnType<Tp["segments"]> } & { [part in Part]: HTMLElement }} */ ({});

const { film, message, choose } = tp.checkpointView({
  id: "embeddings-step",
  name: "embeddings",
  ...{ root, props, watch, state, show },
  fresh: { what: "tokens", step: null, held: null, hover: null },
  frame: () => frame,
  ask: () => call("project", state.run, state.what, state.step),
  stored: () => call("stored", state.run),
  forget: () => (frame = NONE),
});

const name = (/** @type {number} */ point) => (frame.names ? visible(frame.names[point]) : String(point + 1));
const spoken = (/** @type {number} */ point) => (frame.names ? name(point) : TEXT.position(point + 1));
const pointed = () => state.hover ?? state.held;

function build() {
  const pick = (/** @type {string} */ what) => what === frame.what || choose({ what, held: null, hover: null });
  page.tables = tp.segments(TEXT.what, TEXT.tables, pick, { id: "embeddings" });
  page.help = el("p", { class: "help" });
  page.host = el("div", { class: "scatter", translate: "no" });
  page.share = el("p", { class: "help" });
  page.legend = el("div", { class: "legend" });
  page.near = el("div", { class: "near" });
  root.replaceChildren(
    el("h3", { text: TEXT.title }),
    page.help,
    message,
    el("div", { class: "body" }, [
      page.tables.field,
      film.node,
      el("div", { class: "pair" }, [
        el("div", {}, [
          page.host,
          el("div", { class: "under" }, [
            page.legend,
            tp.saveBar({ figure: () => page.host, rows: csvRows, name: () => `embeddings-step-${frame.step}` }),
          ]),
        ]),
        page.near,
      ]),
      page.share,
    ]),
  );
  new ResizeObserver(() => schedule(draw)).observe(page.host);
}

/* ------------------------------------------------------------------ drawing */

/** @type {[x: number, y: number][]} */
let places = []; // [x, y] of each point

function draw() {
  const width = page.host.clientWidth;
  if (!width) return;
  const height = Math.min(520, Math.max(300, Math.round(width * 0.62)));
  const scale = Math.min(width - 2 * SIDE, height - 2 * SIDE) / 2 / (reach || 1);
  const wide = Math.min((width / 2 - SIDE) / (reach || 1), 2 * scale);
  places = Array.from({ length: frame.count }, (_, i) => [
    width / 2 + wide * frame.points[2 * i],
    height / 2 - scale * frame.points[2 * i + 1],
  ]);
  const labelled = frame.count <= LABELLED;
  const at = pointed();
  const close = at === null ? [] : (near.get(at) ?? []).map(([point]) => point);
  const positions = frame.what === "positions";
  const nodes = places.map(([x, y], i) => {
    const kind = positions ? "position" : `k${frame.kinds?.[i]}`;
    const marked = i === at ? "on" : close.includes(i) ? "close" : "";
    const node =
      (labelled && (!positions || i % Math.ceil(frame.count / 24) === 0)) || marked
        ? el("text", {
            class: `point ${kind} ${marked}`,
            x: x.toFixed(1),
            y: y.toFixed(1),
            text: name(i),
            "data-point": i,
          })
        : el("circle", { class: `point ${kind}`, cx: x.toFixed(1), cy: y.toFixed(1), r: 2.5, "data-point": i });
    if (positions) node.style.setProperty("--along", (i / Math.max(1, frame.count - 1)).toFixed(3));
    return node;
  });
  const order = [...nodes.keys()].sort(
    (a, b) => Number(a === at || close.includes(a)) - Number(b === at || close.includes(b)),
  );
  const path = positions
    ? el("path", { class: "thread", d: `M${places.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join("L")}` })
    : null;
  const short = (/** @type {number} */ value) => value.toFixed(1);
  const links =
    at === null
      ? []
      : close.map((/** @type {number} */ point) =>
          el("path", { class: "link", d: `M${places[at].map(short)}L${places[point].map(short)}` }),
        );
  const label = TEXT.label(frame.count, percent(frame.share));
  let svg = page.host.querySelector("svg");
  if (!svg) {
    svg = el("svg", {
      tabindex: "0",
      on: { pointermove: moved, pointerleave: () => hover(null), click: clicked, keydown: keys },
    });
    page.host.append(svg);
  }
  for (const [key, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}` }))
    svg.setAttribute(key, String(value));
  tp.depict(svg, label);
  svg.replaceChildren(
    el("path", {
      class: "axis",
      d: `M${SIDE / 2},${height / 2}H${width - SIDE / 2}M${width / 2},${SIDE / 2}V${height - SIDE / 2}`,
    }),
    ...(path ? [path] : []),
    ...links,
    ...order.map((i) => nodes[i]),
  );
}

function drawAll() {
  const held = frame.what === "positions";
  put(page.help, (held ? TEXT.helpPositions : TEXT.help)(frame.dimensions));
  page.tables.field.hidden = frame.tables.length < 2;
  page.tables.press(frame.what);
  film.draw();
  const notes = [TEXT.share(percent(frame.share), frame.dimensions)];
  if (frame.all > frame.count) notes.unshift(TEXT.some(frame.count, frame.all));
  if (frame.tied && !held) notes.push(TEXT.tied);
  put(page.share, tp.sentences(notes));
  const kinds = frame.kinds ? [...new Set(frame.kinds)].sort((a, b) => a - b) : [];
  page.legend.replaceChildren(
    ...kinds.map((kind) => el("span", { class: `key k${kind}` }, el("i"), tp.kind(frame.classes[kind]))),
    ...(held ? [el("span", { class: "key" }, TEXT.first, el("i", { class: "ramp" }), TEXT.last)] : []),
  );
  draw();
  drawNear();
  Object.assign(root.dataset, { ready: "true", step: String(frame.step), what: frame.what });
}

function drawNear() {
  const at = pointed();
  if (at === null) return page.near.replaceChildren(el("p", { class: "help", text: TEXT.nearHelp }));
  const list = near.get(at);
  page.near.replaceChildren(
    el("h4", { text: TEXT.near(spoken(at)) }),
    el("ol", {}, [
      (list ?? []).map(([point, cosine]) => {
        const bar = el("i");
        bar.style.width = `${Math.max(0, 100 * cosine)}%`;
        const text = cosine.toFixed(2).replace("-", "−");
        return el("li", { "aria-label": TEXT.nearItem(spoken(point), text) }, [
          el("span", { class: "piece", translate: "no", text: spoken(point) }),
          el("span", { class: "track" }, bar),
          el("span", { class: "cosine", text }),
        ]);
      }),
    ]),
  );
}

/* ------------------------------------------------------------------ pointing */

function nearestTo(/** @type {MouseEvent} */ event) {
  const box = /** @type {Element} */ (page.host.firstChild).getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  let best = null;
  let least = 24 ** 2;
  places.forEach(([px, py], i) => {
    const distance = (px - x) ** 2 + (py - y) ** 2;
    if (distance < least) [best, least] = [i, distance];
  });
  return best;
}

const moved = (/** @type {MouseEvent} */ event) => hover(nearestTo(event));
const clicked = (/** @type {MouseEvent} */ event) => {
  const point = nearestTo(event);
  state.held = point === state.held ? null : point;
  hover(null);
  showNear();
};

function hover(/** @type {Point} */ point) {
  if (state.hover === point) return;
  state.hover = point;
  showNear();
}

function keys(/** @type {KeyboardEvent} */ event) {
  const last = frame.count - 1;
  const now = pointed() ?? -1;
  const target = {
    ArrowLeft: Math.max(0, now - 1),
    ArrowRight: Math.min(last, now + 1),
    ArrowUp: Math.max(0, now - 1),
    ArrowDown: Math.min(last, now + 1),
    Home: 0,
    End: last,
  }[event.key];
  if (target !== undefined) state.held = target;
  else if (event.key === "Escape") state.held = null;
  else return;
  event.preventDefault();
  state.hover = null;
  showNear().then(
    () =>
      state.held !== null &&
      tp.say(
        tp.named(
          TEXT.near(spoken(state.held)),
          tp.series((near.get(state.held) ?? []).map(([point]) => spoken(point))),
        ),
      ),
  );
}

/** The neighbours of the point that is pointed at, asked for once at each step. */
async function showNear() {
  const at = pointed();
  const { run, what, step } = frame;
  schedule(draw, drawNear);
  if (at === null || near.has(at)) return;
  const answer = await call("neighbours", run, what, step, at);
  if (answer.error || frame?.run !== run || frame.what !== what || frame.step !== step) return;
  near.set(at, answer.neighbours);
  schedule(draw, drawNear);
}

/* ------------------------------------------------------------------ asking */

function csvRows() {
  return [
    TEXT.csv,
    ...places.map((_, i) => [
      i,
      frame.names?.[i] ?? "",
      frame.kinds ? tp.kind(frame.classes[frame.kinds[i]]) : "",
      frame.points[2 * i],
      frame.points[2 * i + 1],
    ]),
  ];
}

/** @param {Answers.EmbeddingTable} answer */
function decode(answer) {
  return { ...answer, points: tp.floats(answer.points) };
}

/** @param {Answers.EmbeddingTable} answer */
function show(answer) {
  if (!frame || frame.run !== answer.run || frame.what !== answer.what) reach = 0;
  frame = decode(answer);
  reach = frame.points.reduce((most, value) => Math.max(most, Math.abs(value)), reach);
  near = new Map();
  drawAll();
  if (pointed() !== null) showNear();
}

build();
