/* Where everything stands: the columns, the rows from tokens down to logits, and the lines between them. */

/** @typedef {Answers.ModelShape} Shape */
/** @typedef {Answers.ModelPart} Part */
/** @typedef {Answers.ModelSection} Section  a sub-layer, with what its kind draws */
/** @typedef {Answers.ModelSpec} Spec  see model_spec.py */
/** @typedef {ReturnType<typeof columns>} Grid */

/** @typedef {{ key: string, y: number, h: number }} Placed */
/** @typedef {{ type: "part", part: Part, x: number, section?: Section, inside?: boolean }} PartContent */
/** @typedef {{ type: "slab", first: number, last: number }} SlabContent */
/** @typedef {{ type: "blockhead", first: number } | { type: "block" } | { type: "frame",
 *   section: Section } | PartContent | SlabContent} Content */
/** @typedef {Content & Placed} SpecRow */
/** @typedef {PartContent & Placed} PartRow */
/** @typedef {Exclude<SpecRow, { type: "block" | "frame" }>} Told  a row of which something is said */
/** @typedef {{ kind: string, x: number, w: number, y: number, h: number }} Band */
/** @typedef {{ from: number | null, to: number, down?: [number, number] | null }} Branch */
/** @typedef {{ streams: number[][], branches: Branch[], bands: Band[], arrows: number[] }} Lines */

const GAP = 8;
const WIDEST = 820;
const MAX_SLABS = 2; // collapsed blocks shown one by one on each side of the open one
const MAX_LANES = 64;
const DOTS = 16; // width of the dots after experts that do not fit
const HEAD = 24; // the line with a sub-layer's name

/** The height of a sub-layer's head: on a narrow page, a long note stands on a line of its own. */
const headHeight = ({ note = "" }, /** @type {boolean} */ wide) => (!wide && tp.halves(note) > 20 ? HEAD + 16 : HEAD);

/** @type {{ [glyph: string]: number }} */
const HEIGHTS = {
  tokens: 40,
  memory: 40,
  embedding: 40,
  sinusoidal: 40,
  learned: 40,
  pairs: 40,
  value: 40,
  skip: 34,
  norm: 32,
  heads: 78,
  rope: 34,
  weights: 54,
  square: 54,
  penalty: 54,
  project: 34,
  up: 46,
  curve: 46,
  down: 46,
  router: 46,
  experts: 54,
  shared: 34,
  combine: 34,
  logits: 40,
};

/** The columns, from left to right; all are places x. */
function columns(/** @type {number} */ width) {
  const wide = width >= 560;
  const end = Math.min(width, WIDEST);
  const right = end - (wide ? 244 : 92);
  const box = wide ? 82 : 52;
  const pad = wide ? 14 : 10;
  const glyphs = wide ? Math.min(200, (right - box) * 0.52) : Math.min(150, (right - box) * 0.42);
  return {
    wide,
    pad,
    link: wide ? 7 : 3, // the line that ties the output to the embedding
    edge: wide ? 20 : 12, // left edge of what stands on the stream
    spine: wide ? 46 : 29, // the residual stream
    box, // left edge of what branches off
    right, // right edge of every box
    g0: right - pad - glyphs, // the column of glyphs, inside the boxes
    g1: right - pad,
    shapeX: wide ? right + 34 : end - 1,
    countX: end - 1,
    width: end,
  };
}

/** Rows from top to bottom, and the lines between them.
 *
 * @param {Spec} spec @param {Grid} grid @param {number} open */
function layout(spec, grid, open) {
  /** @type {SpecRow[]} */
  const rows = [];
  /** @type {Lines} */
  const lines = { streams: [], branches: [], bands: [], arrows: [] };
  let y = grid.wide ? 26 : 6;

  /** @template {Content} Of @param {string} key @param {number} h @param {Of} row @returns {Of & Placed} */
  const place = (key, h, row) => {
    const placed = { key, y, h, ...row };
    rows.push(placed);
    y += h + GAP;
    return placed;
  };
  /** @param {string} key @param {Part} part */
  const onStream = (key, part) => {
    if (part.glyph !== "tokens") lines.arrows.push(y - 1);
    return place(key, HEIGHTS[part.glyph], { type: "part", part, x: grid.edge });
  };

  /** Where tokens come in: a new residual stream begins at their embedding.
   *
   * @param {Part[]} parts @param {string} prefix */
  const begin = (parts, prefix) => {
    for (const part of parts) {
      const key = prefix + part.id;
      if (part.kind === "position" || part.kind === "pairs") {
        const row = place(key, HEIGHTS[part.glyph], { type: "part", part, x: grid.box });
        lines.branches.push({ from: null, to: row.y + row.h / 2 });
      } else onStream(key, part);
      if (part.id === "embedding") lines.streams.push([rows[rows.length - 1].y]);
    }
    y += 6;
  };
  /** @param {number} first @param {number} end */
  const stack = (first, end) => {
    for (const slab of slabs(first, end, open)) layoutSlab(slab);
  };
  const leave = () => lines.streams[lines.streams.length - 1].push(rows[rows.length - 1].y);

  begin(spec.before, "");
  if (spec.encoders) {
    stack(0, spec.encoders);
    y += GAP;
    const [memory, ...inputs] = spec.between;
    onStream("memory", memory);
    leave();
    y += 18;
    begin(inputs, "between.");
  }
  stack(spec.encoders, spec.layers.length);
  y += GAP + 6;
  for (const part of spec.after) onStream(`after.${part.id}`, part);
  leave();
  return { rows, lines, height: y };

  function layoutSlab(/** @type {[number, number]} */ [first, last]) {
    if (first !== last || first !== open) {
      place(`block.${first}`, 30, { type: "slab", first, last });
      y -= GAP - 5;
      return;
    }
    const box = place("frame.block", 0, { type: "block" });
    y = box.y;
    place(`block.${first}`, 32, { type: "blockhead", first });
    const { enter, sections } = spec.blocks[spec.layers[open]];
    for (const part of enter) onStream(`enter.${part.id}`, part);
    for (const section of sections) layoutSection(section);
    y += 4;
    box.h = y - box.y - GAP + 6;
    y = box.y + box.h + 5;
  }

  function layoutSection(/** @type {Section} */ section) {
    const key = (/** @type {Part} */ part) => `${section.id}.${part.id}`;
    const norm = section.parts[0].kind === "norm" ? section.parts[0] : null;
    const post = section.parts.find((part) => part.on_stream);
    const inner = section.parts.filter((part) => part.kind !== "norm");
    let entry = null;
    if (norm && !norm.on_stream) entry = place(key(norm), HEIGHTS.norm, { type: "part", part: norm, x: grid.box });
    const frame = place(`frame.${section.id}`, 0, { type: "frame", section });
    y = frame.y + headHeight(section, grid.wide);
    /** @type {{ [part: string]: Placed }} */
    const placed = {};
    for (const part of inner) {
      placed[part.id] = place(key(part), HEIGHTS[part.glyph], {
        type: "part",
        part,
        section,
        x: grid.box,
        inside: true,
      });
      y -= GAP - 1;
    }
    frame.h = y - frame.y + 3;
    y = frame.y + frame.h + GAP + 4;
    const last = placed[inner[inner.length - 1].id];
    lines.branches.push({
      from: entry ? entry.y + entry.h / 2 : frame.y + 13,
      to: last.y + last.h / 2,
      down: entry ? [entry.y + entry.h, frame.y] : null,
    });
    if (placed.heads) {
      const top = placed.heads.y + lineY(2) + 1;
      const height = placed.project.y + placed.project.h / 2 - 4.5 - top;
      for (const [x, w] of lanes(section, grid).queries)
        lines.bands.push({ kind: section.id, x, w, y: top, h: height });
    } else if (placed.experts) {
      const from = placed.router.y + placed.router.h - 9;
      const [top, bottom] = [placed.experts.y + 8, placed.experts.y + placed.experts.h - 8];
      const sum = placed.combine.y + placed.combine.h / 2 - 4.5;
      for (const { x, w } of columnsOf(section, grid).filter((column) => column.on)) {
        lines.bands.push({ kind: section.id, x, w, y: from, h: top - from });
        lines.bands.push({ kind: section.id, x, w, y: bottom, h: sum - bottom });
      }
    } else {
      const parts = halves(section, grid);
      const top = placed.up.y + placed.up.h - 9;
      const middle = placed.curve.y + placed.curve.h / 2;
      for (const [x, w] of parts) lines.bands.push({ kind: section.id, x, w, y: top, h: middle - top });
      const [, w] = parts[0];
      const x = (grid.g0 + grid.g1) / 2 - w / 2;
      lines.bands.push({ kind: section.id, x, w, y: middle, h: placed.down.y + 9 - middle });
    }
    if (post) onStream(key(post), post);
  }
}

/** How the blocks from `first` up to `end` are drawn: [first, last] of each slab, the open one by itself.
 *
 * @param {number} first @param {number} end @param {number} open */
function slabs(first, end, open) {
  /** @type {[first: number, last: number][]} */
  const out = [];
  /** @param {number} from @param {number} to */
  const run = (from, to) => {
    if (to - from + 1 <= 2 * MAX_SLABS) for (let i = from; i <= to; i++) out.push([i, i]);
    else {
      for (let i = from; i < from + MAX_SLABS; i++) out.push([i, i]);
      out.push([from + MAX_SLABS, to - MAX_SLABS]);
      for (let i = to - MAX_SLABS + 1; i <= to; i++) out.push([i, i]);
    }
  };
  if (open < first || open >= end) run(first, end - 1);
  else {
    if (open > first) run(first, open - 1);
    out.push([open, open]);
    if (open < end - 1) run(open + 1, end - 1);
  }
  return out;
}

/** @typedef {[x: number, width: number]} Lane */

/** Where each head's lane stands: for every query head, and for every key/value head.
 *
 * @param {Section | undefined} section @param {Grid} grid @returns {{ queries: Lane[], keys: Lane[] }} */
function lanes(section, grid) {
  const shared = Math.min(section?.kv_heads ?? 1, MAX_LANES);
  const heads = Math.min(section?.heads ?? 1, MAX_LANES);
  const each = Math.max(1, Math.round(heads / shared));
  const length = grid.g1 - grid.g0;
  const between = Math.min(6, length / heads / 3);
  const within = each > 1 ? Math.min(2, between / 2) : 0;
  const groupWidth = Math.min((length - between * (shared - 1)) / shared, each * 40);
  const laneWidth = (groupWidth - within * (each - 1)) / each;
  const start = grid.g1 - shared * groupWidth - between * (shared - 1);
  /** @type {Lane[]} */
  const keys = Array.from({ length: shared }, (_, g) => [start + g * (groupWidth + between), groupWidth]);
  const queries = keys.flatMap(([x]) =>
    Array.from({ length: each }, (_, i) => /** @type {Lane} */ ([x + i * (laneWidth + within), laneWidth])),
  );
  return { queries, keys };
}

/** Where each expert stands: {x, w, on}. Of many, as many as fit; `on` marks those that one token goes to.
 *
 * @param {Section | undefined} section @param {Grid} grid */
function columnsOf(section, { g0, g1 }) {
  const { experts = 1, chosen = 1 } = section ?? {};
  const most = Math.floor((g1 - g0) / 5.5);
  const n = experts > most ? most - 3 : experts; // room for the dots that stand for the others
  const length = experts > most ? g1 - g0 - DOTS : g1 - g0;
  const gap = n > 12 ? 1.5 : 4;
  const w = Math.min(24, (length - gap * (n - 1)) / n);
  const start = g0 + length - n * w - gap * (n - 1);
  const k = Math.min(n, chosen);
  const picked = new Set(Array.from({ length: k }, (_, i) => Math.floor(((i + 0.6) * n) / k)));
  return Array.from({ length: n }, (_, i) => ({ x: start + i * (w + gap), w, on: picked.has(i) }));
}
