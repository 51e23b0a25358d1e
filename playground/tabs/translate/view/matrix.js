/* The chosen weights as a table: what looks, row by row, at what. */
function makeMatrix(/** @type {Pointing} */ { hovered, held }) {
  const host = el("div", { class: "matrix-host" });
  const help = el("p", { class: "help" });
  const readout = el("p", { class: "matrix-text" });
  const saves = tp.saveBar({ figure: () => host, rows: weightRows, name: () => fileName(`${state.of}-attention`) });
  const node = el("section", { class: "matrix" }, [
    el("h3", { text: TEXT.matrix }),
    help,
    host,
    el("div", { class: "under" }, readout, saves),
  ]);
  let svg = el("svg");
  let place = { left: 0, top: 0, cell: 1 };
  /** @type {Weights | null} */
  let drawn = null;
  let built = "";
  /** @type {SVGElement[]} */
  let rows = [];
  let cursor = el("g");

  const TILT = 45;
  const label = (/** @type {string} */ text) => {
    const chars = [...word(text)];
    return chars.length > 12 ? `${chars.slice(0, 11).join("")}…` : chars.join("");
  };

  function build(/** @type {Weights} */ found) {
    const width = host.clientWidth || 400;
    const measure = el("canvas").getContext("2d");
    if (measure) measure.font = `12px ${tp.colour("--tp-sans")}`;
    const widthOf = (/** @type {string} */ text) => measure?.measureText(label(text)).width ?? 0;
    const widest = (/** @type {string[]} */ tokens) => Math.max(...tokens.map(widthOf));
    const left = Math.ceil(widest(rowTokens())) + 10;
    const long = widest(columnTokens()) * Math.SQRT1_2;
    const top = Math.ceil(long) + 14;
    const right = Math.ceil(widthOf(columnTokens().at(-1) ?? "") * Math.SQRT1_2);
    const cell = Math.max(4, Math.min(32, (width - left - right - 4) / found.columns));
    place = { left, top, cell };
    const every = Math.max(1, Math.ceil(13 / cell));
    const columns = columnTokens().map((text, c) => {
      const [x, y] = [left + (c + 0.5) * cell, top - 6];
      return c % every
        ? null
        : el("text", {
            class: "name",
            translate: "no",
            x,
            y,
            transform: `rotate(-${TILT} ${x} ${y})`,
            text: label(text),
          });
    });
    const gap = cell > 12 ? 1 : 0;
    rows = Array.from({ length: found.rows }, (_, r) => {
      const group = el("g", { class: "matrix-row" });
      const y = top + r * cell;
      if (r % every === 0)
        group.append(
          el("text", {
            class: "name",
            translate: "no",
            x: left - 7,
            y: y + cell / 2 + 4,
            "text-anchor": "end",
            text: label(rowTokens()[r]),
          }),
        );
      const last = state.of === "decoder" ? r + 1 : found.columns;
      for (let c = 0; c < last; c++) {
        const weight = found.at(r, c);
        const [red, green, blue] = tp.heat(Math.sqrt(weight));
        group.append(
          el("rect", {
            x: left + c * cell,
            y,
            width: cell - gap,
            height: cell - gap,
            rx: gap ? 2 : 0,
            fill: `rgb(${red},${green},${blue})`,
            "data-row": r,
            "data-column": c,
          }),
        );
      }
      return group;
    });
    cursor = el("g", { class: "cursor" });
    const [w, h] = [left + found.columns * cell + right + 2, top + found.rows * cell + 2];
    svg = tp.drawing(w, h, { class: "table" }, [columns, rows, cursor]);
    svg.addEventListener("pointermove", moved);
    svg.addEventListener("pointerleave", () => hovered(null));
    svg.addEventListener("click", (event) => {
      const at = cellAt(event);
      if (at) held({ row: state.of === "encoder" ? "source" : "target", index: at.row });
    });
    host.replaceChildren(svg);
  }

  function draw() {
    if (!frame.run) return;
    const found = weights();
    const key = `${host.clientWidth} ${document.body.className}`;
    if (drawn !== found || key !== built) {
      drawn = found;
      built = key;
      build(found);
      tp.depict(svg, TEXT.matrixLabel(TEXT.of[state.of], found.rows, found.columns));
      put(help, TEXT.matrixHelp[state.of]);
    }
    rows.forEach((group, r) => group.classList.toggle("later", !rowShown(r)));
    const focus = focusOf();
    const line = lineOf(focus);
    const { left, top, cell } = place;
    const parts = [];
    if (line?.row !== undefined)
      parts.push(
        el("rect", {
          x: left - 1,
          y: top + line.row * cell - 1,
          width: found.columns * cell + 1,
          height: cell + 1,
          rx: 3,
        }),
      );
    const column = line?.column ?? focus?.column;
    if (column !== undefined && line) {
      if (line.column !== undefined)
        parts.push(
          el("rect", {
            x: left + column * cell - 1,
            y: top - 1,
            width: cell + 1,
            height: found.rows * cell + 1,
            rx: 3,
          }),
        );
      else
        parts.push(
          el("rect", {
            class: "cell",
            x: left + column * cell - 1,
            y: top + line.row * cell - 1,
            width: cell + 1,
            height: cell + 1,
            rx: 3,
          }),
        );
    }
    cursor.replaceChildren(...parts);
    const told =
      line?.row !== undefined && column !== undefined
        ? TEXT.cell(word(rowTokens()[line.row]), word(columnTokens()[column]), rounded(found.at(line.row, column)))
        : "";
    put(readout, told);
  }

  /** @param {MouseEvent} event @returns {{ row: number, column?: number } | null} */
  function cellAt(event) {
    const box = svg.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - place.left) / place.cell);
    const row = Math.floor((event.clientY - box.top - place.top) / place.cell);
    const found = weights();
    if (row < 0 || row >= found.rows || column >= found.columns || !rowShown(row)) return null;
    if (state.of === "decoder" && column > row) return { row };
    return column < 0 ? { row } : { row, column };
  }

  function moved(/** @type {PointerEvent} */ event) {
    const at = cellAt(event);
    hovered(at && { row: state.of === "encoder" ? "source" : "target", index: at.row, column: at.column });
  }

  new ResizeObserver(() => schedule(draw)).observe(host);
  return { node, draw };
}
