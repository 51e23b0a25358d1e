/* One run, followed while it trains: `props.run` is its id.
 *
 * The page asks the server what is new since the byte it has read to (`server.poll`, see playground/live.py), adds
 * it to what it knows (history.js), and draws in place, `props.hz` times a second. A run that is over is asked
 * about rarely.
 *
 * `data-status`, `data-step`, `data-updates` and `data-changed`, the settings that were changed while it trained, on the
 * root tell scripts, lessons and tests where it is.
 */
const PATIENCE = 3000; // milliseconds until a page without a run says so: one may be on its way
const IDLE = 1000; // milliseconds between questions about a run that is over

const root = element.querySelector(".live");
let history = null;
let rest = 0; // when a run that is over is asked about again

const current = () => history;
const header = makeHeader();
const curves = makeCurves({
  current,
  smoothing(window) {
    history.setWindow(window);
    header.draw(history);
    curves.draw(history);
  },
});
const samples = makeSamples({ current });
const attention = makeAttention({ current, probe: (step) => server.probe(history.run, step) });
const notes = makeNotes();
root.append(...header.nodes, curves.node, samples.node, attention.node, notes.node);

/** `first`: nothing of this run has been drawn yet. */
function draw(first) {
  header.draw(history);
  curves.draw(history);
  samples.draw(history, first);
  attention.draw(history);
  notes.draw(history, first);
  root.dataset.status = history.state;
  root.dataset.step = String(history.step);
  root.dataset.changed = history.notes.filter(({ kind }) => kind === "changed").map(({ field }) => field).join(" ");
  root.dataset.updates = String(Number(root.dataset.updates) + 1);
}

/** Ask what is new, and draw it. */
async function look() {
  if (!history.run || performance.now() < rest) return;
  const asking = history;
  const first = !asking.loaded;
  let isNew = asking.error !== null;
  let answer = await server.poll(asking.run, asking.offset);
  while (asking === history && !answer.error && answer.more) {
    isNew = asking.learn(answer) || isNew; // a long history comes in parts, and is drawn once
    answer = await server.poll(asking.run, asking.offset);
  }
  if (asking !== history) return; // another run was chosen meanwhile
  if (answer.error) {
    rest = performance.now() + IDLE;
    isNew = asking.error !== answer.error;
    asking.error = answer.error;
  } else {
    asking.error = null;
    isNew = asking.learn(answer) || isNew;
    asking.loaded = true;
    if (asking.over && !isNew) rest = performance.now() + IDLE;
  }
  if (isNew || first) draw(first);
}

function choose() {
  const run = props.run ?? "";
  if (history?.run === run) return;
  history = new History(run, history?.window ?? windowOf(tp.url.get("smoothing")));
  rest = 0;
  curves.reset();
  attention.reset();
  if (!run) setTimeout(() => history.run || draw(true), PATIENCE);
  poller?.now();
}

let poller = null;
choose();
poller = tp.poll(look, { hz: props.hz ?? 6, hidden_hz: 1, element: root });
watch("run", choose);
tp.onTheme(attention.redraw);
new ResizeObserver(attention.redraw).observe(root);
