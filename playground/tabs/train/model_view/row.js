/* One row: what is drawn of it, and what is said of it. */

const { count } = tp;
const size = (/** @type {number | null} */ value) => (value === null ? "V" : String(value));

/** The children of one row's <g>; y is relative to the row.
 *
 * @param {SpecRow} row @param {Grid} grid @param {Spec} spec @returns {Child} */
function contents(row, grid, spec) {
  if (row.type === "block") return CONTENTS.block(row, grid, spec);
  if (row.type === "frame") return CONTENTS.frame(row, grid, spec);
  if (row.type === "blockhead") return CONTENTS.blockhead(row, grid, spec);
  return row.type === "slab" ? CONTENTS.slab(row, grid, spec) : CONTENTS.part(row, grid, spec);
}

/** @type {{ [type in SpecRow["type"]]: (row: Extract<SpecRow, { type: type }>, grid: Grid, spec: Spec) => Child }} */
const CONTENTS = {
  /** The frame around the open block. */
  block: (row, { edge, right }) => [rect(edge - 6, 0, right - edge + 16, row.h, "container", 10)],

  /** The frame around a sub-layer. */
  frame({ section, h }, { box, pad, right, wide, countX }) {
    const note = section.note ?? "";
    const below = headHeight(section, wide) > HEAD;
    return [
      rect(box, 0, right - box, h, "box", 7),
      text(box + pad, 17, section.name, "section"),
      below ? text(box + pad, 33, note, "note") : text(wide ? right - pad : countX, 17, note, "note", "end"),
    ];
  },

  blockhead(row, { edge, box, right, countX }, spec) {
    const middle = row.h / 2 + 4.5;
    return [
      rect(edge - 6, 0, right - edge + 16, row.h, "hit", 10),
      text(box, middle, titleOf(row, spec), "title"),
      text(countX, middle, count(blockOf(spec, row.first).parameters), "count", "end"),
    ];
  },

  /** A block, or several, that are not open. */
  slab(row, { edge, box, pad, right, countX }, spec) {
    const blocks = row.last - row.first + 1;
    const parameters = spec.layers
      .slice(row.first, row.last + 1)
      .reduce((sum, kind) => sum + spec.blocks[kind].parameters, 0);
    const middle = row.h / 2 + 4.5;
    const below = blocks > 1 && rect(edge - 2, row.h + 1.5, right - edge + 8, 2, "plate", 1);
    return [
      rect(edge - 6, 0, right - edge + 16, row.h, "plate", 6),
      below,
      text(box, middle, titleOf(row, spec), "name"),
      path(`M${right - pad - 4},${row.h / 2 - 3}l4,4l4,-4`, "chevron"),
      mixed(spec) && text(right - pad - 16, middle, kindsOf(row, spec), "note", "end"),
      text(countX, middle, count(parameters), "count", "end"),
    ];
  },

  /** A part: its box, its name, its glyph; outside, its shape and its parameters. */
  part(row, grid, spec) {
    const { part, inside, x, h } = row;
    const w = grid.right - x;
    const frame = inside ? rect(x + 4, 0, w - 8, h, "hit", 5) : rect(x, 0, w, h, "box", 7);
    const glyph = GLYPHS[part.glyph](row, grid);
    if (part.glyph === "heads") return [frame, glyph, threeLines(part, grid)];
    const middle = h / 2 + 4.5;
    const tied = part.glyph === "logits" && spec.tied;
    const again = row.key === "between.embedding" && spec.shared;
    const number = tied || again ? TEXT.tied : part.parameters === null ? "" : count(part.parameters);
    const apart = number && !grid.wide ? 8 : 0; // on a narrow page the number stands under the shape
    return [
      frame,
      glyph,
      text(grid.box + grid.pad, middle, part.name, "name"),
      shapeNode(part.shapes[0], middle - apart, grid),
      text(grid.countX, middle + apart, number, "count", "end"),
    ];
  },
};

/** Queries, keys and values: a line each, with one matrix between them.
 *
 * @param {Part} part @param {Grid} grid */
function threeLines(part, grid) {
  const at = grid.wide ? lineY(1) : lineY(2) + 15;
  return [
    ...TEXT.lines.map((name, i) => text(grid.box + grid.pad, lineY(i), name, "name")),
    ...part.shapes.map((shape, i) => shapeNode(shape, lineY(i), grid)),
    text(grid.countX, at, count(part.parameters ?? 0), "count", "end"),
  ];
}

function shapeNode(/** @type {Shape} */ shape, /** @type {number} */ y, /** @type {Grid} */ { shapeX, wide }) {
  const sizes = shape.sizes.map(size).join(wide ? "\u200a×\u200a" : "×");
  return text(shapeX, y, sizes, "shape", wide ? "start" : "end");
}

/** @param {Spec} spec @param {number} layer */
const blockOf = (spec, layer) => spec.blocks[spec.layers[layer]];
const mixed = (/** @type {Spec} */ spec) => Object.keys(spec.blocks).length > 1;

/** Which kinds of block a row stands for: "dense", or "2 dense, 2 with experts".
 *
 * @param {Exclude<Told, { type: "part" }>} row @param {Spec} spec */
function kindsOf(row, spec) {
  const kinds = spec.layers.slice(row.first, (row.type === "slab" ? row.last : row.first) + 1);
  const names = [...new Set(kinds)];
  const counted = (/** @type {string} */ kind) =>
    TEXT.kinds(kinds.filter((other) => other === kind).length, spec.blocks[kind].name);
  return names.length === 1 ? spec.blocks[names[0]].name : tp.series(names.map(counted));
}

/** @param {Told} row @param {Spec} spec */
function titleOf(row, spec) {
  if (row.type === "blockhead") {
    const title = TEXT.block(row.first + 1, spec.layers.length);
    return mixed(spec) ? tp.named(title, kindsOf(row, spec)) : title;
  }
  if (row.type === "slab" && row.first < row.last) return TEXT.slabs(row.first + 1, row.last + 1);
  if (row.type === "slab") return TEXT.slab(row.first + 1);
  return row.part.glyph === "heads" ? tp.series(TEXT.lines) : row.part.name;
}

/** The sentence about a row and the facts beside it: shapes and parameters.
 *
 * @param {Told} row @param {Spec} spec @returns {[sentence: string, facts: string[]]} */
function about(row, spec) {
  if (row.type === "blockhead") return [mixed(spec) ? TEXT.blockAboutMixed : TEXT.blockAbout, []];
  if (row.type === "slab") return mixed(spec) ? [TEXT.slabAboutMixed, [kindsOf(row, spec)]] : [TEXT.slabAbout, []];
  const { part } = row;
  const shapes = part.shapes.map(({ letters, sizes }) => `${letters.join(" × ")} = ${sizes.map(size).join(" × ")}`);
  const parameters = part.parameters === null ? [] : [TEXT.total(count(part.parameters))];
  return [part.about, [...new Set(shapes), ...parameters]];
}
