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

const KEPT = 64 << 20; // bytes of attention kept in the page
const frames = new tp.Recent(KEPT, ({ attention }) => attention.length); // run, step, text -> frame
let frame = null;

const frameKey = (run, step, text) => JSON.stringify([run, step, text]);

/** @param {Answers.Attention} answer */
function decode(answer, text) {
  return {
    ...answer,
    text,
    attention: tp.bytes(answer.attention),
    shown: tp.shownPieces(answer.pieces),
    size: answer.pieces.length,
  };
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
  frames.set(frameKey(decoded.run, decoded.step, decoded.text), decoded);
  return decoded;
}

const offset = (layer, head) => (layer * frame.heads + head) * frame.size * frame.size;
const weight = (query, key) => frame.attention[offset(state.layer, state.head) + query * frame.size + key] / 255;

/** The token whose attention is shown: the one under the pointer, else the chosen one. */
const shownQuery = () => Math.min(state.hover ?? state.query, frame.size - 1);

/** The keys of a query, the most read first: [key, weight] each. */
function keysByWeight(query) {
  return Array.from({ length: query + 1 }, (_, key) => [key, weight(query, key)]).sort((a, b) => b[1] - a[1]);
}
