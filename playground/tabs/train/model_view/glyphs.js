/* The small drawings inside the parts. */

const { el } = tp;

/** @param {number} x @param {number} y @param {string} content */
const text = (x, y, content, name = "", anchor = "start") =>
  el("text", { x, y, class: name, "text-anchor": anchor, text: content });
/** @param {number} x @param {number} y @param {number} w @param {number} h @param {string} name */
const rect = (x, y, w, h, name, r = 2) =>
  el("rect", { x, y, width: Math.max(0, w), height: Math.max(0, h), rx: r, class: name });
/** @param {number} x1 @param {number} y1 @param {number} x2 @param {number} y2 @param {string} name */
const line = (x1, y1, x2, y2, name) => el("line", { x1, y1, x2, y2, class: name });
/** @param {string} d @param {string} name */
const path = (d, name) => el("path", { d, class: name });

/** What is drawn inside a part's box, in the column of glyphs; places are relative to the row. */
/** @type {{ [glyph: string]: (row: PartRow, grid: Grid) => Child }} */
const GLYPHS = {
  tokens: (row, { g0, g1 }) => squares(g0, g1, row.h, 8),

  embedding: (row, { g0, g1 }) => table(g0, g1, row.h, 3),
  learned: (row, { g0, g1 }) => table(g0, g1, row.h, 3),
  pairs: (row, { g0, g1 }) => table(g0, g1, row.h, 3),
  value: (row, { g0, g1 }) => table(g0 + (g1 - g0) / 4, g1, row.h, 2),
  skip: (row, { g0, g1 }) => text((g0 + g1) / 2, row.h / 2 + 4, "a x + b x₀", "mark", "middle"),
  logits: (row, { g0, g1 }) => bars(g0, g1, row.h, [3, 5, 2, 9, 4, 14, 6, 3, 20, 7, 4, 2, 5, 3, 8, 2]),

  sinusoidal(row, { g0, g1 }) {
    return [3, 1.5, 0.75].map((turns, i) => {
      const points = Array.from({ length: 61 }, (_, k) => {
        const x = g0 + ((g1 - g0) * k) / 60;
        return `${x.toFixed(1)},${(row.h / 2 - 9 * Math.sin((k / 60) * turns * 2 * Math.PI)).toFixed(1)}`;
      });
      return path(`M${points.join("L")}`, `stroke ${["", "soft", "softer"][i]}`);
    });
  },

  norm(row, { g0, g1 }) {
    const values = [4, 11, 6, 16, 9, 3];
    const step = Math.min(6, (g1 - g0 - 22) / 12);
    const middle = g1 - 6 * step - 11;
    const even = values.map((v) => v * 0.55 + 2.5);
    return [
      ...values.map((v, i) => rect(middle - 11 - (6 - i) * step, row.h / 2 - v / 2, step - 1.5, v, "fill soft", 1)),
      text(middle, row.h / 2 + 4, "→", "mark", "middle"),
      ...even.map((v, i) => rect(middle + 11 + i * step, row.h / 2 - v / 2, step - 1.5, v, "fill", 1)),
    ];
  },

  heads(row, grid) {
    const { queries, keys } = lanes(row.section, grid);
    /** @type {(y: number) => (lane: number[]) => SVGRectElement} */
    const bar =
      (y) =>
      ([x, w]) =>
        rect(x, y, w, 9, "fill", Math.min(2, w / 3));
    return [queries.map(bar(lineY(0) - 8)), keys.map(bar(lineY(1) - 8)), keys.map(bar(lineY(2) - 8))];
  },

  rope(row, { g0, g1 }) {
    const dials = g1 - g0 > 120 ? 7 : 4;
    const step = (g1 - g0 - 16) / (dials - 1);
    return Array.from({ length: dials }, (_, i) => {
      const x = g0 + 8 + i * step;
      const angle = (i * 34 * Math.PI) / 180;
      const hand = line(x, row.h / 2, x + 7 * Math.sin(angle), row.h / 2 - 7 * Math.cos(angle), "stroke thick");
      return [el("circle", { cx: x, cy: row.h / 2, r: 8, class: "stroke soft ring" }), hand];
    });
  },

  weights: (row, grid) => triangles(row, grid, () => 0),
  square: (row, grid) => triangles(row, grid, () => 0, true),
  memory: (row, { g0, g1 }) => table(g0, g1, row.h, 3),
  penalty: (row, grid) => triangles(row, grid, (head, heads) => 2 ** ((-8 * (head + 1)) / heads)),

  project(row, grid) {
    const { queries } = lanes(row.section, grid);
    const [x0] = queries[0];
    const [x1, w] = queries[queries.length - 1];
    return rect(x0, row.h / 2 - 4.5, x1 + w - x0, 9, "fill");
  },

  up(row, grid) {
    return halves(row.section, grid).map(([x, w, narrow]) => trapezoid(x, w, narrow, w, row.h));
  },

  curve(row, grid) {
    const parts = halves(row.section, grid);
    const [x, w] = parts[0];
    /** @type {Child[]} */
    const out = [plot(row.section?.activation ?? "", x + w / 2, row.h / 2, Math.min(27, w / 2))];
    if (row.section?.gated) {
      const [x2, w2] = parts[1];
      const middle = (x + w + x2) / 2;
      out.push(rect(x2, row.h / 2 - 4.5, w2, 9, "fill soft"), text(middle, row.h / 2 + 4.5, "×", "mark", "middle"));
    }
    return out;
  },

  /** A score for each expert; those that are chosen stand out. */
  router(row, grid) {
    const columns = columnsOf(row.section, grid);
    return columns.map(({ x, w, on }, i) => {
      const high = on ? 24 : 4 + 11 * Math.abs(Math.sin(2.3 * i + 1));
      return rect(x, row.h - 9 - high, w, high, on ? "fill" : "fill soft", 1);
    });
  },

  /** The experts side by side: a token goes to some, the others rest. */
  experts(row, grid) {
    const columns = columnsOf(row.section, grid);
    const round = Math.min(3, columns[0].w / 3);
    return [
      columns.map(({ x, w, on }) => rect(x, 8, w, row.h - 16, on ? "fill" : "stroke rest", round)),
      columns.length < (row.section?.experts ?? 0) && text(grid.g1, row.h / 2 + 4, "…", "mark", "end"),
    ];
  },

  shared: (row, { g0, g1 }) => rect(g0, 8, g1 - g0, row.h - 16, "fill soft", 3),

  combine: (row, grid) => {
    const columns = columnsOf(row.section, grid);
    const [first, last] = [columns[0], columns[columns.length - 1]];
    return rect(first.x, row.h / 2 - 4.5, last.x + last.w - first.x, 9, "fill");
  },

  down(row, grid) {
    const [, w, narrow] = halves(row.section, grid)[0];
    const x = (grid.g0 + grid.g1) / 2 - w / 2;
    return trapezoid(x, w, w, narrow, row.h);
  },
};

const lineY = (/** @type {number} */ i) => 21 + i * 21;

/** @param {number} g0 @param {number} g1 @param {number} h @param {number} most */
function squares(g0, g1, h, most) {
  const step = 15;
  const n = Math.min(most, Math.floor((g1 - g0) / step));
  return Array.from({ length: n }, (_, i) => rect(g1 - (n - i) * step + 3, h / 2 - 6, 12, 12, "stroke ring", 3));
}

/** @param {number} g0 @param {number} g1 @param {number} h @param {number} rows */
function table(g0, g1, h, rows) {
  const columns = Math.floor((g1 - g0) / 9);
  /** @param {number} r @param {number} c */
  const tint = (r, c) => 0.25 + 0.75 * Math.abs(Math.sin(3.7 * r + 1.3 * c + 0.9 * r * c));
  return Array.from({ length: rows }, (_, r) =>
    Array.from({ length: columns }, (_, c) => {
      const cell = rect(g1 - (columns - c) * 9 + 1.5, h / 2 - rows * 4.5 + r * 9 + 1, 7.5, 7, "fill", 1);
      cell.style.fillOpacity = tint(r, c).toFixed(2);
      return cell;
    }),
  );
}

/** @param {number} g0 @param {number} g1 @param {number} h @param {number[]} values */
function bars(g0, g1, h, values) {
  const shown = values.slice(0, Math.floor((g1 - g0) / 9));
  return shown.map((v, i) =>
    rect(g1 - (shown.length - i) * 9 + 1.5, h / 2 + 11 - v, 6.5, v, v === Math.max(...shown) ? "fill" : "fill soft", 1),
  );
}

/** One causal triangle for each head: row = query, column = key, nothing above the diagonal. Or `full` squares.
 *
 * @param {PartRow} row @param {Grid} grid @param {(head: number, heads: number) => number} slope */
function triangles(row, grid, slope, full = false) {
  const { queries } = lanes(row.section, grid);
  const side = Math.min(queries[0][1], 36);
  const n = side >= 14 ? 6 : 1;
  const cell = side / n;
  return queries.map(([x, w], head) => {
    const left = x + (w - side) / 2;
    const top = (row.h - side) / 2;
    if (n === 1) return path(`M${left},${top}v${side}h${side}${full ? `v${-side}` : ""}z`, "fill");
    const rate = slope(head, queries.length);
    return Array.from({ length: n }, (_, q) =>
      Array.from({ length: full ? n : q + 1 }, (_, k) => {
        const one = rect(left + k * cell, top + q * cell, cell - 0.75, cell - 0.75, "fill", 0.75);
        const weight = Math.exp(-rate * 4 * (q - k));
        if (rate) one.style.fillOpacity = (0.12 + 0.78 * weight).toFixed(2);
        return one;
      }),
    );
  });
}

/** The wide matrices of a feed-forward: [x, width, width of the narrow side] of each.
 *
 * @param {Section | undefined} section @param {Grid} grid @returns {[x: number, width: number, narrow: number][]} */
function halves(section, { g0, g1 }) {
  const half = (g1 - g0 - 22) / 2;
  const ratio = Math.max(0.16, Math.min(1, 1 / (section?.ratio ?? 1)));
  if (section?.gated)
    return [
      [g0, half, half * ratio],
      [g1 - half, half, half * ratio],
    ];
  const w = Math.min(g1 - g0, half * 1.5);
  return [[(g0 + g1) / 2 - w / 2, w, w * ratio]];
}

/** @param {number} x @param {number} w @param {number} top @param {number} bottom @param {number} h */
function trapezoid(x, w, top, bottom, h) {
  const middle = x + w / 2;
  const [y0, y1] = [9, h - 9];
  return path(`M${middle - top / 2},${y0}h${top}L${middle + bottom / 2},${y1}h${-bottom}z`, "fill shape");
}

const erf = (/** @type {number} */ x) => {
  // Abramowitz and Stegun 1964, formula 7.1.25; the error is below 3e-5.
  const t = 1 / (1 + 0.47047 * Math.abs(x));
  const value = 1 - (0.3480242 * t - 0.0958798 * t * t + 0.7478556 * t ** 3) * Math.exp(-x * x);
  return Math.sign(x) * value;
};
/** @type {{ [name: string]: (x: number) => number }} */
const ACTIVATIONS = {
  relu: (x) => Math.max(0, x),
  gelu: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  silu: (x) => x / (1 + Math.exp(-x)),
};

/** A small plot of an activation function from -4 to 4, centred, `reach` to each side.
 *
 * @param {string} name @param {number} cx @param {number} cy @param {number} reach */
function plot(name, cx, cy, reach) {
  const unit = reach / 4;
  const base = cy + reach * 0.3;
  const points = Array.from({ length: 49 }, (_, i) => {
    const x = -4 + i / 6;
    return `${(cx + x * unit).toFixed(1)},${(base - ACTIVATIONS[name](x) * unit * 0.75).toFixed(1)}`;
  });
  return [
    line(cx - reach, base, cx + reach, base, "axis"),
    line(cx, base - reach * 0.8, cx, base + reach * 0.25, "axis"),
    path(`M${points.join("L")}`, "stroke thick"),
  ];
}
