/* What was chosen (`state`), what the server answered (`frame`), and asking it. */
const state = {
  run: "",
  text: null, // null: the run's own text
  step: null, // null: the newest
  layer: null, // null: the suggested head
  head: null,
  query: null, // null: the suggested one
  locked: false,
  hover: null, // a token under the pointer, while nothing is held
  key: null, // a key under the pointer
  zeroed: new Set(), // "layer.head"
  panel: null,
};

const frames = new Map(); // run, step, text -> frame; the one used last is last
let frame = null;

const frameKey = (run, step, text) => JSON.stringify([run, step, text]);

function decode(answer, text) {
  return {
    ...answer,
    text,
    attention: tp.bytes(answer.attention),
    shown: answer.pieces.map(visible),
    size: answer.pieces.length,
  };
}

function keep(decoded) {
  const key = frameKey(decoded.run, decoded.step, decoded.text);
  frames.delete(key);
  frames.set(key, decoded);
  let total = 0;
  for (const kept of frames.values()) total += kept.attention.length;
  for (const [old, kept] of frames) {
    if (total <= KEPT || old === key) break;
    frames.delete(old);
    total -= kept.attention.length;
  }
}

const call = tp.asker(server, () => TEXT.offline);

/** The frame of this step, from those kept or from the server. Throws the server's sentence. */
async function frameOf(step) {
  const { run, text } = state;
  const kept = step === null ? null : frames.get(frameKey(run, step, text));
  if (kept) return kept;
  const answer = await call("look", run, step, text);
  if (answer.error) throw Object.assign(new Error(answer.error), { tab: answer.tab });
  const decoded = decode(answer, text);
  keep(decoded);
  return decoded;
}

const offset = (layer, head) => (layer * frame.heads + head) * frame.size * frame.size;
const weight = (query, key) =>
  frame.attention[offset(state.layer, state.head) + query * frame.size + key] / 255;

/** The token whose attention is shown: the one under the pointer, else the chosen one. */
const shownQuery = () => Math.min(state.hover ?? state.query, frame.size - 1);

/** The keys of a query, the most read first: [key, weight] each. */
function readers(query) {
  return Array.from({ length: query + 1 }, (_, key) => [key, weight(query, key)]).sort((a, b) => b[1] - a[1]);
}
