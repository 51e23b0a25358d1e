/* The tree of all that was written, drawn as the texts themselves. */
const LANE = 30;
const PROMPT_SHOWN = 14;
const ruler = document.createElement("canvas").getContext("2d");
/** @type {Map<string, number>} */
const widths = new Map();

function wide(/** @type {string} */ value) {
  const known = widths.get(value);
  if (known !== undefined || !ruler) return known ?? 0;
  ruler.font = `13px ${getComputedStyle(root).getPropertyValue("--tp-mono") || "monospace"}`;
  const width = Math.ceil(ruler.measureText(value).width * 10) / 10 + 1;
  widths.set(value, width);
  return width;
}

function label(/** @type {number} */ id) {
  if (id !== 0) return piece(nodes[id].token);
  const shown = text.promptTokens.slice(-PROMPT_SHOWN).map(piece).join("");
  return text.promptTokens.length > PROMPT_SHOWN ? `…${shown}` : shown;
}

/** @typedef {{ x: number, lane: number, width: number }} Spot */

/** A place for every node: a branch goes on in its lane, others begin below.
 *
 * The deepest branches get the upper lanes, so that no line crosses a text.
 */
function layout() {
  /** @type {Spot[]} */
  const places = new Array(nodes.length);
  /** @type {[id: number, x: number, lane: number | null][]} */
  const branches = [[0, 2, 0]];
  let lanes = 0;
  for (let branch = branches.pop(); branch; branch = branches.pop()) {
    /** @type {number | undefined} */
    let id = branch[0];
    let x = branch[1];
    const lane = branch[2] ?? ++lanes;
    while (id !== undefined) {
      const width = wide(label(id)) + (id === 0 ? 8 : 0);
      places[id] = { x, lane, width };
      x += width + (id === 0 ? 4 : 0);
      /** @type {number[]} */
      const children = nodes[id].children;
      for (const other of children.slice(1).reverse()) branches.push([other, x, null]);
      id = children[0];
    }
  }
  return { places, lanes: lanes + 1 };
}

function drawTree() {
  const { places, lanes } = layout();
  const onPath = new Set(pathTo(at));
  const width = Math.max(...places.map((place) => place.x + place.width)) + 6;
  const height = lanes * LANE;
  const had = treeFrame.contains(
    /** @type {Document | ShadowRoot} */ (element.getRootNode()).activeElement ?? document.activeElement,
  );
  /** @type {SVGPathElement[]} */
  const links = [];
  const items = nodes.map(({ id, parent, record }) => {
    const { x, lane, width: size } = places[id];
    const y = lane * LANE;
    if (parent !== null && places[parent].lane !== lane) {
      const from = places[parent];
      const y0 = from.lane * LANE + 25;
      const middle = y + 15;
      links.push(
        el("path", { class: onPath.has(id) ? "link on" : "link", d: `M${x - 3} ${y0}V${middle - 6}q0 6 5 6h3` }),
      );
    }
    const name = id === 0 ? TEXT.treePrompt : `${quoted(record.token)} ${percent(record.before)}`;
    return el(
      "g",
      {
        class: `node${id === 0 ? " root" : ""}${onPath.has(id) ? " on" : ""}${id === at ? " at" : ""}`,
        role: "treeitem",
        tabindex: id === focused ? "0" : "-1",
        "data-node": id,
        "aria-label": name,
        "aria-selected": String(id === at),
        "aria-level": id === 0 ? 1 : record.length - text.promptTokens.length + 1,
      },
      el("title", { text: name }),
      el("rect", { x, y: y + 5, width: size, height: 20, rx: 3 }),
      el("text", { x: x + size / 2, y: y + 19, "text-anchor": "middle", translate: "no", text: label(id) }),
    );
  });
  const branches = nodes.filter((node) => !node.children.length).length;
  const svg = tp.drawing(width, height, { role: "tree", "aria-label": TEXT.treeLabel(nodes.length - 1, branches) }, [
    links,
    items,
  ]);
  treeFrame.replaceChildren(svg);
  if (had) branchAt(focused)?.focus({ preventScroll: true });
  reveal(places[at]);
  treeHint.textContent = branches === 1 ? TEXT.treeOne : "";
  prune.hidden = branches === 1;
}

/** Scroll the tree, not the page, so that a place in it can be seen. */
function reveal(/** @type {Spot} */ { x, lane, width }) {
  const { scrollLeft, clientWidth, scrollTop, clientHeight } = treeFrame;
  if (x + width + 40 > scrollLeft + clientWidth) treeFrame.scrollLeft = x + width + 40 - clientWidth;
  else if (x - 40 < scrollLeft) treeFrame.scrollLeft = x - 40;
  const y = lane * LANE;
  if (y + LANE > scrollTop + clientHeight) treeFrame.scrollTop = y + LANE - clientHeight;
  else if (y < scrollTop) treeFrame.scrollTop = y;
}

/** What stands for a node in the tree.
 *
 * @param {number} id @returns {SVGElement | null} */
function branchAt(id) {
  return treeFrame.querySelector(`[data-node="${id}"]`);
}

function focusNode(/** @type {number} */ id) {
  const next = branchAt(id);
  if (!next) return;
  treeFrame.querySelector('[tabindex="0"]')?.setAttribute("tabindex", "-1");
  next.setAttribute("tabindex", "0");
  next.focus({ preventScroll: true });
  focused = id;
  reveal(layout().places[id]);
}

/** The node of the next lane above (-1) or below (1) that is nearest.
 *
 * @param {number} id @param {number} direction */
function neighbour(id, direction) {
  const { places, lanes } = layout();
  const { x, lane } = places[id];
  const other = lane + direction;
  if (other < 0 || other >= lanes) return id;
  const there = nodes.filter((node) => places[node.id].lane === other);
  return there.reduce((best, node) => (Math.abs(places[node.id].x - x) < Math.abs(places[best.id].x - x) ? node : best))
    .id;
}

function pruneOthers() {
  const path = pathTo(at);
  const kept = path.map((id) => nodes[id]);
  nodes = kept.map((node, i) => ({
    ...node,
    id: i,
    parent: i ? i - 1 : null,
    children: i + 1 < kept.length ? [i + 1] : [],
  }));
  at = focused = nodes.length - 1;
  now.place = at;
  auto = auto && auto.at === path.at(-1) ? { ...auto, at } : null;
  shownLine.forEach((shown) => (shown.epoch = -1));
  drawAll();
}

const treeRows = () => {
  const onPath = new Set(pathTo(at));
  return [
    TEXT.csv.tree,
    ...nodes.map(({ id, parent, token, record }) =>
      id === 0
        ? [id, null, null, text.prompt, record.length, null, null, true]
        : [id, parent, token, text.pieces[token], record.length, record.before, record.after, onPath.has(id)],
    ),
  ];
};
