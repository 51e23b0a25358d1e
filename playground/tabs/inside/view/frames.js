/* What was chosen (`state`), what the server answered (`frame`), and asking it. */
/** @typedef {{ layer: number | null, head: number | null, query: number | null, key: number | null,
 *   hover: number | null }} Pointed */
/** @typedef {{ run: string, text: string | null, step: number | null, locked: boolean,
 *   followsSuggestion: boolean }} Followed */
/** @type {Pointed & Followed & { zeroed: Set<string>, panel: "numbers" | "zero" | "lens" | null }} */
const state = {
  run: "",
  text: null, // null: the run's own text
  step: null, // null: the newest
  layer: null, // null: the suggested head
  head: null,
  followsSuggestion: false,
  query: null, // null: the suggested one
  locked: false,
  hover: null, // a token under the pointer, while nothing is held
  key: null, // a key under the pointer
  zeroed: new Set(), // "layer.head"
  panel: null,
};

const KEPT = 64 << 20; // bytes of attention kept in the page
/** @typedef {Omit<Answers.Attention, "attention"> & ReturnType<typeof decode>} Frame */
/** @type {Map<string, Frame>} */
const frames = new tp.Recent(KEPT, ({ attention }) => attention.length); // run, step, text -> frame
/** @type {Frame} */
const NO_FRAME = {
  ...{ run: "", name: "", step: 0, steps: [], stored: [], pieces: [], rest: "", limit: 0, default: true, layers: 0 },
  ...{ heads: 0, kv_heads: 0, width: 0, position: "", patterns: [], suggested: [0, 0, 0], text: null },
  ...{ attention: new Uint8Array(), shown: [], size: 0 },
};
let frame = NO_FRAME;

/** @param {string} run @param {number} step @param {string | null} text */
const frameKey = (run, step, text) => JSON.stringify([run, step, text]);

/** @param {Answers.Attention} answer @param {string | null} text */
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
async function frameOf(/** @type {number | null} */ step) {
  const { run, text } = state;
  const kept = step === null ? null : frames.get(frameKey(run, step, text));
  if (kept) return kept;
  const answer = await call("look", run, step, text);
  if (answer.error) throw Object.assign(new Error(answer.error), { tab: answer.tab });
  const decoded = decode(answer, text);
  frames.set(frameKey(decoded.run, decoded.step, decoded.text), decoded);
  return decoded;
}

/** @param {number} layer @param {number} head */
const offset = (layer, head) => (layer * frame.heads + head) * frame.size * frame.size;
/** @param {number} query @param {number} key */
const weight = (query, key) => frame.attention[offset(shownLayer(), shownHead()) + query * frame.size + key] / 255;

/** The head and the token that are shown where none is chosen: those that the server suggests. */
const shownLayer = () => state.layer ?? frame.suggested[0];
const shownHead = () => state.head ?? frame.suggested[1];
const heldQuery = () => state.query ?? frame.suggested[2];

/** The token whose attention is shown: the one under the pointer, else the chosen one. */
const shownQuery = () => Math.min(state.hover ?? heldQuery(), frame.size - 1);

/** The keys of a query, the most read first. */
function keysByWeight(/** @type {number} */ query) {
  return Array.from({ length: query + 1 }, (_, key) => ({ key, share: weight(query, key) })).sort(
    (a, b) => b.share - a.share,
  );
}
