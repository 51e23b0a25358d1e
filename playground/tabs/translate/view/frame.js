/* What the server answered for one run, step and text (`frame`), and the weights in it. */
const frames = new tp.Recent(160);
let frame = null;
let current = null; // {key, rows, columns, values}: the chosen weights, averaged

const frameKey = (run, step, text, right, start) => JSON.stringify([run, step, text, right, start]);

/** @param {Answers.TranslationShown} answer */
function decode(answer) {
  const attention = Object.fromEntries(KINDS.map((kind) => [kind, tp.bytes(answer.attention[kind])]));
  const S = answer.sources.length;
  const T = answer.targets.length;
  const shape = {
    cross: [answer.layers, T, S],
    decoder: [answer.layers, T, T],
    encoder: [answer.encoder_layers, S, S],
  };
  const unknown = new Set(answer.unknown);
  // The decoder reads BEGIN and what was written; the figure has a chip for each.
  const inputs = [TEXT.begin, ...answer.targets.slice(0, -1)];
  /** @type {{[kind: string]: number[]}} */
  const sharpest = {}; // of each kind of attention, once it was looked for
  return { ...answer, attention, shape, S, T, unknown, inputs, sharpest };
}

/** The frame of this step, from those kept or from the server. Throws the server's sentence. */
async function frameOf(step, right = state.right) {
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
  const chosen = (index, count) => (index === null ? [...Array(count).keys()] : [index]);
  const used = chosen(layer, layers).flatMap((l) =>
    chosen(head, frame.heads).map((h) => (l * frame.heads + h) * cells),
  );
  for (const from of used) for (let i = 0; i < cells; i++) values[i] += bytes[from + i];
  for (let i = 0; i < cells; i++) values[i] /= 255 * used.length;
  current = { frame, key, rows, columns, values, at: (row, column) => values[row * columns + column] };
  return current;
}

/** The head that aligns best, as [layer, head]: its rows look sharply, each at another token. A head that always
 * looks at the same one is sharp too, but says nothing. */
function sharpestHead() {
  if (!frame.sharpest[state.of]) {
    const [layers, rows, columns] = frame.shape[state.of];
    const bytes = frame.attention[state.of];
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
  }
  return frame.sharpest[state.of];
}

/** How many tokens of the translation are shown. */
const shownCount = () => (state.at === null ? frame.T : Math.min(state.at, frame.T));

/** Whose attention is drawn strongly: what is under the pointer, held, or was just written. */
function focusOf() {
  const focus = state.hover ?? state.held;
  if (focus && focus.index < (focus.row === "source" ? frame.S : shownCount())) return focus;
  const count = shownCount();
  return count > 0 && (count < frame.T || player) ? { row: "target", index: count - 1 } : null;
}

/** A focus as a row or a column of the chosen weights: {row} or {column}, or null. */
function lineOf(focus) {
  if (!focus) return null;
  if (state.of === "encoder") return focus.row === "source" ? { row: focus.index } : null;
  if (focus.row === "target") return { row: focus.index };
  return state.of === "cross" ? { column: focus.index } : null;
}

const rowTokens = () => (state.of === "encoder" ? frame.sources : frame.targets);
const columnTokens = () => (state.of === "decoder" ? frame.inputs : frame.sources);

/** May this row be shown yet? */
const rowShown = (row) => state.of === "encoder" || row < shownCount();

/** A focus in words: [token, its most important others as [token, weight]]. */
function reading(line) {
  const { rows, columns, at } = weights();
  const others = [];
  if (line.row !== undefined) for (let c = 0; c < columns; c++) others.push([columnTokens()[c], at(line.row, c)]);
  else for (let r = 0; r < rows; r++) if (rowShown(r)) others.push([rowTokens()[r], at(r, line.column)]);
  others.sort((a, b) => b[1] - a[1]);
  const kind = line.row === undefined ? TEXT.seen[state.of] : TEXT.looks[state.of];
  const token = line.row === undefined ? columnTokens()[line.column] : rowTokens()[line.row];
  const listed = others.slice(0, 4).filter(([, share]) => share >= 0.01);
  return { title: kind(word(token)), listed };
}

function weightRows() {
  const { rows, columns, at } = weights();
  const name = (index) => (index === null ? TEXT.average : index + 1);
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
