/* One run, followed while it trains: `props.run` is its id.
 *
 * The page asks the server what is new since the byte it has read to (`server.poll`, see
 * playground/hosting/run_feed.py), adds it to what it knows (`tp.Feed`), and draws in place, `props.hz` times a second.
 * A run that is over is asked about rarely.
 *
 * What it writes stands above the curves: that is what the numbers are about.
 *
 * `data-status`, `data-step`, `data-updates` and `data-changed`, the settings that were changed while it trained, on
 * the root tell scripts, lessons and tests where it is.
 */
// Milliseconds until a page without a run says so: one may be on its way. A link to a preset opens without any.
const PATIENCE = tp.url.get("preset") === null ? 3000 : 0;
const IDLE = 1000; // milliseconds between questions about a run that is over

const root = element.querySelector(".live");
let history = new tp.Feed("", choices.smoothing); // of no run
let begun = false;
let rest = 0; // when a run that is over is asked about again

const current = () => history;
const header = makeHeader();
const other = makeOther({
  runs: (/** @type {string[]} */ ids) => server.runs(ids),
  poll: server.poll,
  drawn: () => curves.draw(history),
});
const curves = makeCurves({
  current,
  other,
  smoothing(/** @type {number} */ window) {
    history.smooth(window);
    other.smooth(window);
    header.draw(history);
    curves.draw(history);
  },
});
const samples = makeSamples({ current });
const attention = makeAttention({ current, probe: (/** @type {number} */ step) => server.probe(history.run, step) });
const notes = makeNotes();
const phases = makePhases();
const wait = el("p", { class: "wait", role: "status", text: TEXT.wait });
root.append(wait, ...header.nodes, phases.node, samples.node, curves.node, attention.node, notes.node);

/** `first`: nothing of this run has been drawn yet. */
function draw(/** @type {boolean} */ first) {
  header.draw(history);
  phases.draw(history);
  samples.draw(history, first);
  curves.draw(history);
  attention.draw(history);
  notes.draw(history, first);
  root.toggleAttribute("data-empty", !history.run); // an invitation in place of empty charts
  root.toggleAttribute("data-early", !history.steps.n && !history.evaluated.n && !history.over);
  if (history.over || (history.evaluated.n && history.probes.length)) root.style.minHeight = "";
  root.dataset.status = history.state;
  root.dataset.run = history.run;
  root.dataset.step = String(history.step);
  root.dataset.changed = history.notes
    .filter(({ kind }) => kind === "changed")
    .map(({ field }) => field)
    .join(" ");
  root.dataset.updates = String(Number(root.dataset.updates) + 1);
}

/** Ask what is new, and draw it. */
async function look() {
  await Promise.all([lookAt(), other.look()]);
}

async function lookAt() {
  if (!history.run || performance.now() < rest) return;
  const asking = history;
  const first = !asking.loaded;
  const isNew = await asking.read(server.poll, () => asking === history);
  if (asking !== history) return; // another run was chosen meanwhile
  if (asking.error || (asking.over && !isNew)) rest = performance.now() + IDLE;
  if (isNew) draw(first);
}

function choose() {
  const run = props.run ?? "";
  if (begun && history.run === run) return;
  begun = true;
  history = new tp.Feed(run, choices.smoothing);
  rest = 0;
  root.style.minHeight = `${root.offsetHeight}px`; // the page stays where it is until there is something to draw
  curves.reset();
  attention.reset();
  other.follow();
  other.list();
  if (!run) setTimeout(() => history.run || draw(true), PATIENCE);
  poller?.now();
}

/** @type {ReturnType<typeof tp.poll> | null} */
let poller = null;
choose();
poller = tp.poll(look, { hz: props.hz ?? 6, hidden_hz: 1, element: root });
watch("run", choose);
tp.onTheme(attention.redraw);
new ResizeObserver(attention.redraw).observe(root);
