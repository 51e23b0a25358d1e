/* The picture of the model: `props.spec` (see model_spec.py) drawn as one SVG, from tokens down to logits.
 *
 * The residual stream is one line on the left. Every sub-layer is a branch to its right that comes back
 * with a plus. `layout` turns the parts into rows with places; `draw` keeps one <g> for each row, by key,
 * and moves it, so that a change of the configuration moves the picture instead of replacing it. Another view
 * changes it with the event "spec" on `.picture`.
 */
const root = element.querySelector(".picture");
const shares = element.querySelector(".shares");
const strip = element.querySelector(".strip");
const drawing = element.querySelector(".drawing");

const SAID = ["name", "about", "note", "summary"]; // to people
/** @type {(spec: Spec) => Spec} */
const told = (spec) =>
  JSON.parse(JSON.stringify(spec), (key, value) => (SAID.includes(key) ? tp.translate(value) : value));
let spec = told(props.spec);
/** @type {number | null} */
let chosen = null; // the block that was opened by hand
let open = 0; // the block that is open: that one, or the first with experts, or the first
/** @type {string | null} */
let current = null; // key of the part that the keyboard is on
/** @typedef {{ node: SVGGElement, state: string, row: SpecRow }} Group */
/** @type {Map<string, Group>} */
const groups = new Map(); // by the key of the row

const svg = el("svg", { role: "group", tabindex: "-1" });
const layers = ["block", "stream", "frame", "lines", "rows"].map((name) => el("g", { class: `layer ${name}` }));
svg.append(...layers);
drawing.append(svg);
const [blockLayer, streamLayer, frameLayer, lineLayer, rowLayer] = layers;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

function draw() {
  const width = Math.floor(root.clientWidth);
  if (!width) return;
  open = Math.min(chosen ?? firstOpen(spec), spec.layers.length - 1);
  const grid = columns(width);
  const { rows, lines, height } = layout(spec, grid, open);
  svg.setAttribute("viewBox", `0 0 ${grid.width} ${height}`);
  svg.setAttribute("width", String(grid.width));
  svg.setAttribute("height", String(height));
  svg.setAttribute("aria-label", tp.sentences([spec.summary, TEXT.keys]));
  svg.classList.toggle("narrow", !grid.wide);

  const gone = new Set(groups.keys());
  const fades = groups.size > 0 && !calm.matches;
  for (const row of rows) {
    gone.delete(row.key);
    const known = groups.get(row.key);
    const group = known ?? { node: el("g", {}), state: "", row };
    const { node } = group;
    if (!known) {
      groups.set(row.key, group);
      (row.type === "block" ? blockLayer : row.type === "frame" ? frameLayer : rowLayer).append(node);
    }
    node.style.transform = `translateY(${row.y}px)`;
    const state = JSON.stringify([row, grid, spec.layers, spec.blocks]);
    if (group.state !== state) {
      group.state = state;
      group.row = row;
      const kind = row.type === "part" ? row.part.kind : row.type === "frame" ? row.section.id : row.type;
      node.replaceChildren(...el("g", {}, contents(row, grid, spec)).childNodes);
      node.setAttribute("class", `row ${row.type} kind-${kind}`);
      if (row.type !== "block" && row.type !== "frame") describe(group, row, spec);
    }
    if (!known && fades) {
      node.animate([{ opacity: 0 }, { opacity: 1 }], { duration: 220 });
    }
  }
  for (const key of gone) {
    groups.get(key)?.node.remove();
    groups.delete(key);
  }
  drawLines(lines, grid, spec, rows);
  drawShares(spec);
  drawStrip(spec);
  if (!groups.has(current ?? "")) current = rows.find((row) => row.type === "part")?.key ?? null;
  for (const [key, group] of groups) setTab(group, key === current);
  root.dataset.parts = String(rows.length);
  root.dataset.total = String(spec.total);
}

/** The block to open by itself: the first with experts, else the first that has what no other block has. */
function firstOpen(/** @type {Spec} */ { layers, encoders }) {
  const experts = layers.findIndex((kind) => kind.endsWith("experts"));
  return experts < 0 ? encoders : experts;
}

/** @param {Group} group @param {boolean} on */
function setTab(group, on) {
  if (group.node.hasAttribute("role")) group.node.setAttribute("tabindex", on ? "0" : "-1");
}

/** @param {Group} group @param {Told} row @param {Spec} spec */
function describe(group, row, spec) {
  const [sentence, facts] = about(row, spec);
  const { node } = group;
  node.setAttribute("role", row.type === "slab" ? "button" : "img");
  node.setAttribute("aria-label", TEXT.said([titleOf(row, spec), sentence.replace(/[.。]$/, ""), ...facts]));
  tp.unsaid([...node.children]);
  node.dataset.part = row.key;
}

/** @param {Lines} lines @param {Grid} grid @param {Spec} spec @param {SpecRow[]} rows */
function drawLines(lines, grid, spec, rows) {
  const out = [];
  for (const { kind, x, w, y, h } of lines.bands) out.push(rect(x, y, w, h, `band kind-${kind}`, 0));
  for (const { from, to, down } of lines.branches) {
    if (from !== null) out.push(path(`M${grid.spine},${from}H${grid.box - 5}`, "wire"), arrow(grid.box - 1, from, 0));
    if (down) {
      const x = grid.box + 24;
      out.push(path(`M${x},${down[0]}V${down[1] - 4}`, "wire"), arrow(x, down[1] - 0.5, 90));
    }
    out.push(path(`M${grid.box},${to}H${grid.spine + 13}`, "wire"), arrow(grid.spine + 9, to, 180));
    out.push(
      el("circle", { cx: grid.spine, cy: to, r: 8, class: "plus" }),
      path(`M${grid.spine - 4},${to}h8M${grid.spine},${to - 4}v8`, "plus-sign"),
    );
  }
  const { link, edge } = grid;
  for (const [from, to] of ties(rows, spec)) {
    const down = `M${edge},${from}H${link + 6}Q${link},${from} ${link},${from + 6}V${to - 6}`;
    out.push(path(`${down}Q${link},${to} ${link + 6},${to}H${edge}`, "tie"));
  }
  if (grid.wide) {
    out.push(text(grid.shapeX, 12, TEXT.shape, "heading"), text(grid.countX, 12, TEXT.parameters, "heading", "end"));
  }
  const header = rows.find((row) => row.type === "blockhead")?.y ?? 0;
  const label = el("text", {
    class: "stream-name",
    transform: `translate(${grid.spine - 13},${header + 138}) rotate(-90)`,
    "text-anchor": "middle",
    text: TEXT.stream,
  });
  lineLayer.replaceChildren(...out, label);
  const streams = lines.streams.map(([top, bottom]) => line(grid.spine, top + 8, grid.spine, bottom, "stream"));
  const arrows = lines.arrows.map((y) => arrow(grid.spine, y, 90, 5.5));
  streamLayer.replaceChildren(...streams, ...arrows);
}

/** From which height to which one matrix is used again: both embeddings, or the embedding and the output.
 *
 * @param {SpecRow[]} rows @param {Spec} spec */
function ties(rows, spec) {
  const middle = (/** @type {string} */ key) => {
    const row = rows.find((other) => other.key === key);
    return row ? row.y + row.h / 2 : 0;
  };
  const decoder = spec.encoders ? "between.embedding" : "embedding";
  const out = [];
  if (spec.shared) out.push([middle("embedding"), middle(decoder)]);
  if (spec.tied) out.push([middle(decoder), middle("after.logits")]);
  return out;
}

/** @param {number} x @param {number} y @param {number} turn */
function arrow(x, y, turn, reach = 4) {
  return el("path", {
    d: `M0,0l${-1.6 * reach},${-reach}v${2 * reach}z`,
    class: "arrow",
    transform: `translate(${x},${y}) rotate(${turn})`,
  });
}

function drawShares(/** @type {Spec} */ spec) {
  const kinds = spec.kinds.filter((kind) => kind.parameters);
  const percent = (/** @type {Spec["kinds"][number]} */ kind) => tp.percent(kind.parameters / spec.total);
  const label = tp.series(kinds.map((kind) => `${kind.name} ${percent(kind)}`));
  shares.replaceChildren(
    el("div", { class: "total" }, [
      el("strong", { text: count(spec.total) }),
      ` ${TEXT.unit}`,
      spec.active < spec.total && el("div", { text: TEXT.active(count(spec.active)) }),
    ]),
    el("div", { class: "bar", role: "img", "aria-label": label }, [
      kinds.map((kind) =>
        el("span", {
          class: `kind-${kind.kind}`,
          style: `flex-grow:${kind.parameters}`,
          title: tp.named(kind.name, count(kind.parameters)),
        }),
      ),
    ]),
    el("div", { class: "legend", "aria-hidden": "true" }, [
      kinds.map((kind) =>
        el("span", { class: `kind-${kind.kind}` }, el("i"), `${kind.name} `, el("b", { text: percent(kind) })),
      ),
    ]),
    el("p", { class: "point", text: TEXT.point }),
    el("p", { class: "point", text: TEXT.letters }),
  );
}

/** Where blocks are of two kinds: a small square for each, which says its kind and opens it. */
function drawStrip(/** @type {Spec} */ spec) {
  strip.hidden = !mixed(spec);
  if (strip.hidden) return;
  const kinds = Object.keys(spec.blocks);
  strip.replaceChildren(
    el("span", { text: TEXT.strip }),
    ...spec.layers.map((kind, i) =>
      el("button", {
        type: "button",
        class: `square of-${kind.replaceAll(" ", "-")}`,
        title: TEXT.stripBlock(i + 1, spec.blocks[kind].name),
        "aria-label": TEXT.stripBlock(i + 1, spec.blocks[kind].name),
        "aria-pressed": String(i === open),
        on: {
          click: () => {
            chosen = i;
            draw();
            strip.querySelectorAll("button")[i]?.focus();
          },
        },
      }),
    ),
    ...kinds.map((kind) =>
      el("span", { class: "key", "aria-hidden": "true" }, [
        el("i", { class: `of-${kind.replaceAll(" ", "-")}` }),
        TEXT.kinds(spec.layers.filter((layer) => layer === kind).length, spec.blocks[kind].name),
      ]),
    ),
  );
}

/* ------------------------------------------------------------------ hover, focus, keys */

/** @param {Group} group @param {number} x @param {number} y */
function explain(group, x, y) {
  if (group.row.type === "block" || group.row.type === "frame") return;
  const [sentence, facts] = about(group.row, spec);
  const lines = facts.map((fact) => el("div", { class: "tp-fact", text: fact }));
  const title = el("strong", { text: titleOf(group.row, spec) });
  tp.tip(el("div", {}, title, el("div", { text: sentence }), lines), x, y);
}

function partOf(/** @type {EventTarget | null} */ target) {
  /** @type {SVGGElement | null} */
  const node = target instanceof Element ? target.closest("g[data-part]") : null;
  return groups.get(node?.dataset.part ?? "");
}

svg.addEventListener("pointermove", (event) => {
  const group = partOf(event.target);
  if (group) explain(group, event.clientX, event.clientY);
  else tp.tip(null);
});
svg.addEventListener("pointerleave", () => tp.tip(null));
svg.addEventListener("focusin", (event) => {
  const group = partOf(event.target);
  if (!group) return;
  current = group.row.key;
  for (const [key, other] of groups) setTab(other, key === current);
  if (!group.node.matches(":focus-visible")) return;
  const box = group.node.getBoundingClientRect();
  explain(group, box.left + 60, box.bottom - 8);
});
svg.addEventListener("focusout", () => tp.tip(null));
svg.addEventListener("click", (event) => expand(partOf(event.target)));
svg.addEventListener("keydown", (event) => {
  const parts = [...groups.values()].filter(({ node }) => node.dataset.part).sort((a, b) => a.row.y - b.row.y);
  const at = parts.findIndex((group) => group.row.key === current);
  /** @type {{ [key: string]: number }} */
  const steps = {
    ArrowDown: at + 1,
    ArrowRight: at + 1,
    ArrowUp: at - 1,
    ArrowLeft: at - 1,
    Home: 0,
    End: parts.length - 1,
  };
  const to = steps[event.key];
  if (to !== undefined) {
    parts[Math.max(0, Math.min(parts.length - 1, to))]?.node.focus();
    event.preventDefault();
  } else if (event.key === "Enter" || event.key === " ") {
    expand(partOf(event.target));
    event.preventDefault();
  } else if (event.key === "Escape") tp.tip(null);
});

function expand(/** @type {Group | undefined} */ group) {
  if (group?.row.type !== "slab") return;
  chosen = group.row.first;
  current = group.row.key;
  tp.tip(null);
  draw();
}

function rows() {
  /** @type {Row[]} */
  const out = [TEXT.csv];
  /** @param {string} where @param {Part} part */
  const add = (where, part) =>
    part.shapes.forEach((shape, i) =>
      out.push([
        where + part.name,
        shape.letters.join(" "),
        shape.sizes.join(" "),
        i === 0 ? (part.parameters ?? "") : "",
      ]),
    );
  spec.before.forEach((part) => add("", part));
  spec.layers.forEach((kind, i) => {
    if (i === spec.encoders) spec.between.forEach((part) => add("", part));
    for (const section of spec.blocks[kind].sections)
      section.parts.forEach((part) => add(tp.named(TEXT.slab(i + 1), tp.named(section.name, "")), part));
  });
  spec.after.forEach((part) => add("", part));
  return out;
}

element.querySelector(".foot").append(tp.saveBar({ figure: () => svg, rows, name: () => "model" }));
function show(/** @type {Spec} */ changed) {
  spec = told(changed);
  draw();
}

new ResizeObserver(draw).observe(root);
watch("spec", () => show(props.spec));
root.addEventListener("spec", ({ detail }) => show(detail));
draw();
