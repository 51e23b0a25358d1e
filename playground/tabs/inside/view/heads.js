/* All heads at a glance. */
/** @typedef {{ node: HTMLElement, button: HTMLElement, canvas: HTMLCanvasElement, caption: HTMLElement,
 *   zero: HTMLElement }} HeadCell */
/** @type {HeadCell[][]} */
let cells = []; // by layer and head

function showGrid(/** @type {boolean} */ rebuild) {
  if (rebuild) buildGrid();
  cells.forEach((row, layer) =>
    row.forEach((cell, head) => {
      paintMap(cell.canvas, layer, head);
      const [rule, share, token] = frame.patterns[layer][head];
      const named = rule === "token" ? TEXT.patternToken(visible(token ?? "")) : TEXT.patterns[rule];
      const name = share >= PATTERN_LEAST ? named : TEXT.patternMixed;
      cell.caption.textContent = share >= PATTERN_LEAST ? named : "";
      cell.button.setAttribute("aria-label", tp.named(TEXT.layerHead(layer, head), name));
      cell.button.title = tp.named(TEXT.layerHead(layer, head), name);
    }),
  );
  markGrid();
}

function buildGrid() {
  const { layers, heads } = frame;
  page.grid.style.setProperty("--heads", String(heads));
  page.grid.classList.toggle("many", heads > 5);
  cells = [];
  const rows = [
    el("div", { class: "grid-row grid-top", role: "row" }, [
      el("span"),
      Array.from({ length: heads }, (_, head) =>
        el("span", { role: "columnheader", text: heads > 5 ? String(head + 1) : TEXT.headColumn(head) }),
      ),
    ]),
  ];
  for (let layer = 0; layer < layers; layer++) {
    const row = Array.from({ length: heads }, (_, head) => {
      const canvas = el("canvas", { "aria-hidden": "true" });
      const caption = el("span", { class: "caption" });
      const button = el("button", { type: "button", class: "map", on: { click: () => choose(layer, head) } }, canvas);
      const zero = tp.button("⊘", { class: "off" }, () => toggleZero(layer, head));
      const node = el("div", { class: "cell", role: "gridcell", "data-cell": `${layer}.${head}` }, [
        button,
        zero,
        caption,
      ]);
      return { node, button, canvas, caption, zero };
    });
    cells.push(row);
    rows.push(
      el("div", { class: "grid-row", role: "row" }, [
        el("span", { class: "row-name", role: "rowheader", text: TEXT.layer(layer) }),
        row.map((cell) => cell.node),
      ]),
    );
  }
  page.grid.replaceChildren(...rows);
}

function markGrid() {
  cells.forEach((row, layer) =>
    row.forEach((cell, head) => {
      const chosen = layer === shownLayer() && head === shownHead();
      const off = state.zeroed.has(`${layer}.${head}`);
      cell.node.classList.toggle("chosen", chosen);
      cell.node.classList.toggle("zeroed", off);
      cell.button.setAttribute("aria-pressed", String(chosen));
      cell.button.tabIndex = chosen ? 0 : -1;
      cell.zero.tabIndex = chosen ? 0 : -1;
      cell.zero.setAttribute("aria-pressed", String(off));
      const text = off ? TEXT.zeroOneOff(layer, head) : TEXT.zeroOne(layer, head);
      cell.zero.setAttribute("aria-label", text);
      cell.zero.title = text;
    }),
  );
}

/** @param {number} layer @param {number} head */
function choose(layer, head) {
  if (!frame.run) return;
  state.layer = layer;
  state.head = head;
  state.followsSuggestion = false;
  if (!state.locked) state.query = tellingToken(layer, head) ?? state.query;
  markGrid();
  showHead(false);
  refreshPanel();
  address.save();
}

/** A token that shows what a head does: for a rule about tokens that come again, the last that does; where there is no
 * rule, the one of its sharpest pair.
 *
 * @param {number} layer @param {number} head */
function tellingToken(layer, head) {
  const [rule, share] = frame.patterns[layer][head];
  if (share < PATTERN_LEAST) return sharpest(layer, head)?.query ?? null;
  if (!["repeat", "same"].includes(rule)) return null;
  const last = frame.pieces.findLastIndex((piece, i) => i > 1 && frame.pieces.indexOf(piece) < i - 1);
  return last < 0 ? null : last;
}

/** Down and to the right, by key. @type {{ [key: string]: [down: number, right: number] }} */
const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

function gridKeys(/** @type {KeyboardEvent} */ event) {
  const move = MOVES[event.key];
  if (!move || !frame.run) return;
  event.preventDefault();
  const layer = Math.min(frame.layers - 1, Math.max(0, shownLayer() + move[0]));
  const head = Math.min(frame.heads - 1, Math.max(0, shownHead() + move[1]));
  choose(layer, head);
  cells[layer][head].button.focus();
}

/** All heads in one picture, for saving. */
function gridFigure() {
  const { layers, heads, size } = frame;
  const scale = Math.max(1, Math.round(160 / size));
  const side = size * scale;
  const gap = 16;
  const left = 76;
  const top = 30;
  const canvas = el("canvas", { width: left + heads * (side + gap), height: top + layers * (side + gap) });
  const context = canvas.getContext("2d");
  if (!context) return canvas;
  context.fillStyle = theme.page;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingEnabled = false;
  context.fillStyle = theme.ink;
  context.font = "13px system-ui, sans-serif";
  const map = el("canvas");
  for (let layer = 0; layer < layers; layer++) {
    context.fillText(TEXT.layer(layer), 8, top + layer * (side + gap) + side / 2);
    for (let head = 0; head < heads; head++) {
      if (!layer) context.fillText(TEXT.headColumn(head), left + head * (side + gap), 18);
      paintMap(map, layer, head);
      context.drawImage(map, left + head * (side + gap), top + layer * (side + gap), side, side);
    }
  }
  return canvas;
}

/** @param {number} layer @param {number} head @param {Iterable<number>} queries */
function rowsOf(layer, head, queries) {
  const start = offset(layer, head);
  /** @type {Row[]} */
  const rows = [];
  for (const query of queries) {
    for (let key = 0; key <= query; key++) {
      const share = frame.attention[start + query * frame.size + key] / 255;
      rows.push([layer + 1, head + 1, query + 1, frame.pieces[query], key + 1, frame.pieces[key], share.toFixed(4)]);
    }
  }
  return rows;
}

function gridRows() {
  /** @type {Row[]} */
  const rows = [TEXT.csv.weights];
  for (let layer = 0; layer < frame.layers; layer++) {
    for (let head = 0; head < frame.heads; head++) rows.push(...rowsOf(layer, head, frame.shown.keys()));
  }
  return rows;
}

const matrixRows = () => [TEXT.csv.weights, ...rowsOf(shownLayer(), shownHead(), frame.shown.keys())];
const lineRows = () => [TEXT.csv.weights, ...rowsOf(shownLayer(), shownHead(), [shownQuery()])];

/** The colours and what they stand for. */
function showScale() {
  const stops = Array.from({ length: 17 }, (_, i) => css(tp.heat(i / 16)));
  const bar = el("div", { class: "scale-bar" });
  bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
  const marks = [0, 0.01, 0.1, 0.25, 0.5, 1].map((share) => {
    const mark = el("span", { text: share === 1 ? "100%" : String(share * 100) });
    mark.style.left = `${100 * sqrt(share)}%`;
    return mark;
  });
  page.scale.replaceChildren(
    el("span", { class: "scale-name", text: TEXT.scale }),
    el("div", { class: "scale-body" }, bar, el("div", { class: "scale-marks" }, marks)),
  );
}
