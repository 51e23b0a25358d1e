/* One head, as a table of every token that reads and every token that is read. */
let matrixSide = 0; // CSS pixels
/** @typedef {{ margin: number, cell: number }} MatrixPlace  in CSS pixels */
/** @type {MatrixPlace | null} */
let matrixPlace = null;
/** @type {{ name: string, canvas: HTMLCanvasElement } | null} */
let matrixBase = null; // everything but what follows the pointer
const MATRIX_MARGIN = 20;
const LABEL = 9; // the smallest size of a label: those beside each other do not overlap
const MATRIX_LABEL = 64; // of words, which stand upright above the columns

function showMatrix() {
  const { size } = frame;
  const canvas = page.matrix;
  const side = matrixSide;
  if (!side) return;
  const ratio = window.devicePixelRatio || 1;
  const pixels = Math.round(side * ratio);
  if (canvas.width !== pixels) {
    canvas.width = canvas.height = pixels;
    canvas.style.width = canvas.style.height = `${side}px`;
  }
  const margin = matrixMargin();
  const cell = (side - margin) / size;
  matrixPlace = { margin, cell };
  const place = frameKey(frame.run, frame.step, frame.text);
  const name = `${place} ${shownLayer()} ${shownHead()} ${pixels} ${themes}`;
  if (matrixBase?.name !== name) matrixBase = { name, canvas: drawBase(side, ratio, matrixPlace) };
  const query = shownQuery();
  const key = state.key !== null && state.key <= query ? state.key : null;
  const context = canvas.getContext("2d");
  if (!context) return;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.drawImage(matrixBase.canvas, 0, 0);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.font = `13px ${theme.mono}`;
  const at = (/** @type {number} */ token) => margin + (token + 0.5) * cell;
  /** @type {(text: string, place: number, upright: boolean, colour: string) => void} */
  const label = (text, place, upright, colour) => {
    const [x, y] = upright ? [place, margin / 2 - 1] : [margin / 2 - 1, place];
    context.fillStyle = theme.page;
    const half = (Math.max(0, Math.ceil((9 - cell / 2) / cell)) + 0.5) * cell; // whole labels are covered, not parts
    if (upright) context.fillRect(place - half, 0, 2 * half, margin);
    else context.fillRect(0, place - half, margin, 2 * half);
    context.fillStyle = colour;
    if (isLong()) longLabel(context, text, place, upright, margin);
    else context.fillText(text, x, y, margin);
  };
  label(frame.shown[query], at(query), false, theme.accent);
  if (key !== null) label(frame.shown[key], at(key), true, theme.ink);
  context.lineWidth = 1;
  context.strokeStyle = theme.accent;
  context.strokeRect(
    margin + 0.5,
    margin + query * cell - 0.5,
    Math.max(cell * (query + 1), 2) - 1,
    Math.max(cell, 2) + 1,
  );
  if (key !== null) {
    context.strokeStyle = theme.ink;
    context.strokeRect(
      margin + key * cell - 0.5,
      margin + query * cell - 0.5,
      Math.max(cell, 3) + 1,
      Math.max(cell, 3) + 1,
    );
  }
  page.matrixText.textContent =
    key === null
      ? TEXT.matrixNote
      : TEXT.readout(
          `${frame.shown[query]} (${query + 1})`,
          `${frame.shown[key]} (${key + 1})`,
          rounded(weight(query, key)),
        );
}

const isLong = () => frame.shown.some((text) => [...text].length > 2);
const matrixMargin = () => (isLong() ? MATRIX_LABEL : MATRIX_MARGIN);

/** A word beside its row, or upright above its column, close to the table.
 *
 * @param {CanvasRenderingContext2D} context @param {string} text @param {number} place @param {boolean} upright
 * @param {number} margin */
function longLabel(context, text, place, upright, margin) {
  context.save();
  if (upright) context.transform(0, -1, 1, 0, 0, margin); // its x runs upwards from the table's upper edge
  context.textAlign = upright ? "left" : "right";
  context.fillText(text, upright ? 4 : margin - 4, place, margin - 6);
  context.restore();
}

/** The head as a table with the tokens along its sides, for `showMatrix` to point into.
 *
 * @param {number} side @param {number} ratio @param {MatrixPlace} place */
function drawBase(side, ratio, { margin, cell }) {
  const { size, shown } = frame;
  const canvas = el("canvas", { width: Math.round(side * ratio), height: Math.round(side * ratio) });
  const context = canvas.getContext("2d");
  if (!context) return canvas;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = theme.page;
  context.fillRect(0, 0, side, side);
  context.fillStyle = theme.panel;
  context.fillRect(margin, margin, side - margin, side - margin);
  const map = el("canvas");
  paintMap(map, shownLayer(), shownHead());
  context.imageSmoothingEnabled = false;
  context.drawImage(map, margin, margin, side - margin, side - margin);
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillStyle = theme.muted;
  context.font = `${Math.min(13, Math.max(LABEL, cell))}px ${theme.mono}`;
  for (let token = 0; token < size; token += Math.max(1, Math.ceil(LABEL / cell))) {
    const place = margin + (token + 0.5) * cell;
    if (isLong()) {
      longLabel(context, shown[token], place, false, margin);
      longLabel(context, shown[token], place, true, margin);
    } else {
      context.fillText(shown[token], margin / 2 - 1, place, margin);
      context.fillText(shown[token], place, margin / 2 - 1, margin);
    }
  }
  tp.depict(page.matrix, TEXT.matrixLabel(shownLayer() + 1, shownHead() + 1, size));
  return canvas;
}

/** The cell under the pointer, or null.
 *
 * @param {MouseEvent} event @returns {[query: number, key: number] | null} */
function matrixCell(event) {
  if (!matrixPlace) return null;
  const { left, top } = page.matrix.getBoundingClientRect();
  const key = Math.floor((event.clientX - left - matrixPlace.margin) / matrixPlace.cell);
  const query = Math.floor((event.clientY - top - matrixPlace.margin) / matrixPlace.cell);
  return key >= 0 && query >= 0 && key < frame.size && query < frame.size ? [query, key] : null;
}

function matrixMoved(/** @type {MouseEvent} */ event) {
  const cell = matrixCell(event);
  if (!cell) return matrixLeft();
  const [query, key] = cell;
  if (state.hover === query && state.key === key) return;
  if (!state.locked) state.hover = query;
  state.key = key <= shownQuery() ? key : null;
  schedule(showQuery);
}

function matrixLeft() {
  tokenLeft();
}

function matrixClicked(/** @type {MouseEvent} */ event) {
  const cell = matrixCell(event);
  if (!cell) return;
  hold(cell[0], !(state.locked && state.query === cell[0]));
}
