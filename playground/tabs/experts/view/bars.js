/* The load of every expert at one step: f and P side by side, against the fair share; a figure for each layer. */
const BAR = { left: 48, top: 16, bottom: 20 };
const LEAST = 330; // pixels that a figure takes at least, where there is room for two
const GAP = 32; // as the style has it

function makeBars() {
  const grid = el("div", { class: "bars-grid" });
  const key = el("p", { class: "key", "aria-hidden": "true" }, [
    el("span", { class: "swatch f" }),
    el("span", { text: TEXT.f }),
    el("span", { class: "swatch p" }),
    el("span", { text: TEXT.p }),
    el("span", { class: "swatch fair" }),
    el("span", { text: TEXT.fair }),
  ]);
  const node = el("section", { class: "bars" }, [
    el("h3", { text: TEXT.bars }),
    el("p", { class: "help", text: TEXT.barsHelp }),
    key,
    grid,
  ]);
  /** @type {ReturnType<typeof figure>[]} */
  let figures = [];
  let structure = "";

  function draw() {
    const record = cursorRecord();
    if (record < 0) return;
    const layers = shownLayers();
    const columns = Math.max(1, Math.min(layers.length, Math.floor(grid.clientWidth / LEAST)));
    const wide = Math.floor((grid.clientWidth - (columns - 1) * GAP) / columns);
    grid.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    const wanted = JSON.stringify([first.run, layers, first.experts, wide]);
    if (wide <= 0) return; // not in sight; the figures may be of another run
    if (wanted !== structure) {
      structure = wanted;
      figures = layers.map((layer) => figure(layer, wide));
      grid.replaceChildren(...figures.map((each) => each.node));
    }
    figures.forEach((each) => each.draw(record));
  }

  return { node, draw, rebuild: () => (structure = "") };
}

/** @param {number} layer @param {number} width */
function figure(layer, width) {
  const { experts } = first;
  const slot = (width - BAR.left - 2) / experts;
  const high = shownLayers().length > FEW ? 70 : 110;
  const base = BAR.top + high;
  const every = Math.ceil(18 / slot);
  const gap = slot > 8 ? Math.min(4, slot * 0.15) : 0.5;
  const all = Array.from({ length: experts }, (_, expert) => expert);
  const svg = tp.drawing(width, base + BAR.bottom, { class: "bars-figure" });
  const axis = el("g", { class: "axis" });
  const fair = el("path", { class: "fair" });
  // A path for each colour, not a node for each bar: many experts in many blocks are drawn at every step.
  const colours = Array.from({ length: Math.min(experts, PALETTE.length) }, (_, i) => {
    const path = el("path", { class: "f" });
    path.style.fill = expertColour(i);
    return path;
  });
  const p = el("path", { class: "p" });
  const dead = el("path", { class: "dead" });
  const names = el("g", {});
  svg.append(axis, ...colours, p, names, dead, fair);
  const title = el("h4", { text: TEXT.layerName(first.layers[layer]) });
  const words = TEXT.balanceFacts;
  const fact = () => el("b", {});
  const measures = { vio: fact(), entropy: fact(), dropped: fact(), dead: fact() };
  const named = /** @type {const} */ (["vio", "entropy", "dropped", "dead"]).map((name) =>
    el("li", {}, `${words[name]} `, measures[name]),
  );
  const facts = el("ul", { class: "facts" }, named);
  tp.terms.mark(facts, props.terms ?? []);
  const node = el("div", { class: "bars-layer", "data-layer": layer }, [
    el("div", { class: "figure-head" }, [
      title,
      tp.saveBar({
        figure: () => svg,
        rows,
        name: () => fileName(`${FILES.bars}-${first.layers[layer] + 1}-step-${cursorStep()}`),
      }),
    ]),
    svg,
    facts,
  ]);

  function rows() {
    const record = cursorRecord();
    return [
      TEXT.csv.load,
      ...all.map((expert) => [
        first.name,
        cursorStep(),
        first.layers[layer] + 1,
        expert + 1,
        ...SHARES.map((of) => first.share(record, layer, expert, of).toFixed(5)),
      ]),
    ];
  }

  let axisTop = 0;
  /** @type {string | null} */
  let deadDrawn = null;
  function draw(/** @type {number} */ record) {
    const values = all.map((expert) => SHARES.map((of) => first.share(record, layer, expert, of)));
    const most = Math.max(...values.flat());
    const stops = [2 / experts, 4 / experts, 8 / experts, 16 / experts, 1].filter((stop) => stop >= most);
    const top = Math.min(1, ...stops);
    const y = (/** @type {number} */ share) => base - (share / top) * high;
    /** @param {number} x @param {number} wide @param {number} share */
    const bar = (x, wide, share) => `M${x.toFixed(1)},${base}V${y(share).toFixed(1)}h${wide.toFixed(1)}V${base}z`;
    const left = (/** @type {number} */ expert) => BAR.left + expert * slot + gap;
    const inner = slot - 2 * gap;
    colours.forEach((path, colour) => {
      const its = all.filter((expert) => expert % PALETTE.length === colour && values[expert][0] > 0);
      path.setAttribute("d", its.map((expert) => bar(left(expert), inner * 0.62, values[expert][0])).join(""));
    });
    p.setAttribute(
      "d",
      values.map(([, share], expert) => bar(left(expert) + inner * 0.66, inner * 0.34, share)).join(""),
    );
    const gone = all.filter((expert) => values[expert][0] === 0);
    drawDead(gone);
    if (top !== axisTop) {
      axisTop = top;
      axis.replaceChildren(
        ...[0, top].map((share) =>
          el("path", { class: share ? "rule" : "base", d: `M${BAR.left},${y(share)}H${width}` }),
        ),
        ...[top, 1 / experts, 0]
          .filter((share) => share || y(0) - y(1 / experts) > 11)
          .map((share) =>
            el("text", { x: BAR.left - 6, y: y(share) + 4, "text-anchor": "end", text: percent(share, 3) }),
          ),
      );
      fair.setAttribute("d", `M${BAR.left},${y(1 / experts)}H${width}`);
    }
    const { entropy, dropped } = first.records;
    put(measures.vio, fixed(first.vio(record, layer)));
    put(measures.entropy, words.ofMost(fixed(entropy[record][layer]), fixed(Math.log(experts))));
    put(measures.dropped, percent(dropped[record][layer]));
    const list = tp.series(gone.slice(0, 12).map((expert) => expert + 1)) + (gone.length > 12 ? " …" : "");
    put(measures.dead, gone.length ? words.deadList(list) : words.alive);
    measures.dead.className = gone.length ? "dead-list" : "";
    const said = /** @type {const} */ (["vio", "entropy", "dropped", "dead"]).map((name) =>
      tp.named(words[name], measures[name].textContent ?? ""),
    );
    tp.depict(svg, TEXT.barsLabel(first.layers[layer], tp.series(said)));
    Object.assign(node.dataset, { vio: first.vio(record, layer).toFixed(4), dead: String(gone.length) });
  }

  /** A cross where an expert has no token, and its number in the same colour. */
  function drawDead(/** @type {number[]} */ gone) {
    const key = gone.join();
    if (key === deadDrawn) return;
    deadDrawn = key;
    const centre = (/** @type {number} */ expert) => BAR.left + (expert + 0.5) * slot;
    const size = Math.min(4, slot / 2);
    dead.setAttribute(
      "d",
      gone
        .map(
          (expert) =>
            `M${(centre(expert) - size).toFixed(1)},${base - 5 - size}` +
            `l${2 * size},${2 * size}m0,${-2 * size}l${-2 * size},${2 * size}`,
        )
        .join(""),
    );
    names.replaceChildren(
      ...all
        .filter((expert) => expert % every === 0)
        .map((expert) =>
          el("text", {
            x: centre(expert),
            y: base + 14,
            "text-anchor": "middle",
            class: gone.includes(expert) ? "name gone" : "name",
            text: expert + 1,
          }),
        ),
    );
  }

  return { node, draw };
}
