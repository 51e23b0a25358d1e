/* What the server answered for one run, step and text (`frame`), and the weights in it. */
/** @typedef {Omit<Answers.TranslationShown, keyof Decoded> & Decoded} Frame */
/** @typedef {{ attention: { [kind in Kind]: Uint8Array }, shape: { [kind in Kind]: [layers: number, rows: number,
 *   columns: number] } }} Maps */
/** @typedef {{ S: number, T: number, unknown: Set<number>, inputs: string[], inWords: boolean,
 *   sharpest: { [kind in Kind]?: Head } }} Tokens */
/** @typedef {Maps & Tokens} Decoded */
/** @typedef {[layer: number, head: number]} Head */
/** @typedef {{ rows: number, columns: number, values: Float32Array, at(row: number, column: number): number }} Table */
/** @typedef {{ frame: Frame, key: string } & Table} Weights  the chosen ones, averaged */
/** A row or a column of the chosen weights.
 *
 * @typedef {{ row: number, column?: undefined } | { row?: undefined, column: number }} Line */

/** @type {Map<string, Frame>} */
const frames = new tp.Recent(160);
const NO_MAP = new Uint8Array();
/** @type {Frame} */
const NO_FRAME = {
  ...{ run: "", name: "", step: 0, steps: [], stored: [], text: "", default: true, rest: "", limit: 0, sources: [] },
  ...{ recorded: false, right: false, start: 0, ids: [], targets: [], written: "", ended: false, probabilities: [] },
  ...{ candidates: [], layers: 0, heads: 0, encoder_layers: null, S: 0, T: 0, unknown: new Set(), inputs: [] },
  attention: { cross: NO_MAP, decoder: NO_MAP, encoder: NO_MAP },
  shape: { cross: [0, 0, 0], decoder: [0, 0, 0], encoder: [0, 0, 0] },
  ...{ inWords: false, sharpest: {} },
};
let frame = NO_FRAME;
/** @type {Weights | null} */
let current = null;

/**
 * @param {string} run @param {number | null} step @param {string | null} text @param {boolean} right
 * @param {number[] | null} start
 */
const frameKey = (run, step, text, right, start) => JSON.stringify([run, step, text, right, start]);

/** @param {Answers.TranslationShown} answer @returns {Frame} */
function decode(answer) {
  const { cross, decoder, encoder } = answer.attention;
  const attention = { cross: tp.bytes(cross), decoder: tp.bytes(decoder), encoder: tp.bytes(encoder) };
  const S = answer.sources.length;
  const T = answer.targets.length;
  /** @type {Maps["shape"]} */
  const shape = {
    cross: [answer.layers, T, S],
    decoder: [answer.layers, T, T],
    encoder: [answer.encoder_layers ?? 0, S, S],
  };
  const unknown = new Set(answer.unknown);
  // The decoder reads BEGIN and what was written; the figure has a chip for each.
  const inputs = [TEXT.begin, ...answer.targets.slice(0, -1)];
  const inWords = tp.inWords(answer.sources.slice(0, -1));
  // `sharpest` has a head for each kind of attention, once it was looked for.
  return { ...answer, attention, shape, S, T, unknown, inputs, inWords, sharpest: {} };
}

/** The frame of this step, from those kept or from the server. Throws the server's sentence. */
async function frameOf(/** @type {number | null} */ step, right = state.right) {
  const { run, text, start } = state;
  const key = frameKey(run, step, text, right, start);
  const kept = step === null ? null : frames.get(key);
  if (kept) return kept;
  const answer = await call("look", run, step, text, right, start);
  if (answer.error) throw new Error(answer.error);
  const found = decode(answer);
  frames.set(frameKey(run, found.step, text, right, start), found);
  return found;
}

/** The chosen weights: of one head, or the average over heads, or over layers, or over both. */
function weights() {
  const { of, layer, head } = state;
  const key = JSON.stringify([of, layer, head]);
  if (current?.frame === frame && current.key === key) return current;
  const [layers, rows, columns] = frame.shape[of];
  const bytes = frame.attention[of];
  const cells = rows * columns;
  const values = new Float32Array(cells);
  /** @type {(index: number | null, count: number) => number[]} */
  const chosen = (index, count) => (index === null ? [...Array(count).keys()] : [index]);
  const used = chosen(layer, layers).flatMap((l) =>
    chosen(head, frame.heads).map((h) => (l * frame.heads + h) * cells),
  );
  for (const from of used) for (let i = 0; i < cells; i++) values[i] += bytes[from + i];
  for (let i = 0; i < cells; i++) values[i] /= 255 * used.length;
  /** @type {Weights} */
  const found = { frame, key, rows, columns, values, at: (row, column) => values[row * columns + column] };
  current = found;
  return found;
}

/** The head that aligns best: its rows look sharply, each at another token. A head that always
 * looks at the same one is sharp too, but says nothing.
 *
 * @returns {Head} */
function sharpestHead() {
  const known = frame.sharpest[state.of];
  if (known) return known;
  const [layers, rows, columns] = frame.shape[state.of];
  const bytes = frame.attention[state.of];
  /** @type {Head} */
  let best = [0, 0];
  let most = -1;
  for (let map = 0; map < layers * frame.heads; map++) {
    const claims = new Uint8Array(columns); // the largest weight with which a column is some row's favourite
    for (let r = 0; r < rows; r++) {
      const row = bytes.subarray((map * rows + r) * columns, (map * rows + r + 1) * columns);
      let top = 0;
      for (let c = 1; c < columns; c++) if (row[c] > row[top]) top = c;
      claims[top] = Math.max(claims[top], row[top]);
    }
    const sum = claims.reduce((all, one) => all + one, 0);
    if (sum > most) [most, best] = [sum, [Math.floor(map / frame.heads), map % frame.heads]];
  }
  frame.sharpest[state.of] = best;
  return best;
}

/** How many tokens of the translation are shown. */
const shownCount = () => (state.at === null ? frame.T : Math.min(state.at, frame.T));

/** Whose attention is drawn strongly: what is under the pointer, held, or was just written.
 *
 * @returns {Focus | null} */
function focusOf() {
  const focus = state.hover ?? state.held;
  if (focus && focus.index < (focus.row === "source" ? frame.S : shownCount())) return focus;
  const count = shownCount();
  return count > 0 && (count < frame.T || player) ? { row: "target", index: count - 1 } : null;
}

/** A focus as a row or a column of the chosen weights.
 *
 * @param {Focus | null} focus @returns {Line | null} */
function lineOf(focus) {
  if (!focus) return null;
  if (state.of === "encoder") return focus.row === "source" ? { row: focus.index } : null;
  if (focus.row === "target") return { row: focus.index };
  return state.of === "cross" ? { column: focus.index } : null;
}

const rowTokens = () => (state.of === "encoder" ? frame.sources : frame.targets);
const columnTokens = () => (state.of === "decoder" ? frame.inputs : frame.sources);

/** May this row be shown yet? */
const rowShown = (/** @type {number} */ row) => state.of === "encoder" || row < shownCount();

/** A focus in words: the token, and its most important others. */
function reading(/** @type {Line} */ line) {
  const { rows, columns, at } = weights();
  /** @type {{ token: string, share: number }[]} */
  const others = [];
  if (line.row !== undefined)
    for (let c = 0; c < columns; c++) others.push({ token: columnTokens()[c], share: at(line.row, c) });
  else
    for (let r = 0; r < rows; r++) if (rowShown(r)) others.push({ token: rowTokens()[r], share: at(r, line.column) });
  others.sort((a, b) => b.share - a.share);
  const kind = line.row === undefined ? TEXT.seen[state.of] : TEXT.looks[state.of];
  const token = line.row === undefined ? columnTokens()[line.column] : rowTokens()[line.row];
  const listed = others.slice(0, 4).filter(({ share }) => share >= 0.01);
  return { title: kind(word(token)), listed };
}

function weightRows() {
  const { rows, columns, at } = weights();
  const name = (/** @type {number | null} */ index) => (index === null ? TEXT.average : index + 1);
  /** @type {Row[]} */
  const out = [TEXT.csv.weights];
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      out.push([
        state.of,
        name(state.layer),
        name(state.head),
        r + 1,
        rowTokens()[r],
        c + 1,
        columnTokens()[c],
        at(r, c).toFixed(4),
      ]);
    }
  }
  return out;
}
