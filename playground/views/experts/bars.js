/* The load of every expert at one step: f and P side by side, against the fair share; a figure for each layer. */
const BAR = { left: 40, top: 16, bottom: 20, high: 110 };

function makeBars() {
  const grid = el("div", { class: "bars-grid" });
  const key = el(
    "p",
    { class: "key", "aria-hidden": "true" },
    el("span", { class: "swatch f" }), el("span", { text: TEXT.f }),
    el("span", { class: "swatch p" }), el("span", { text: TEXT.p }),
    el("span", { class: "swatch fair" }), el("span", { text: TEXT.fair }),
  );
  const node = el(
    "section",
    { class: "bars" },
    el("h3", { text: TEXT.bars }),
    el("p", { class: "help", text: TEXT.barsHelp }),
    key,
    grid,
    el("p", { class: "help", text: TEXT.factsHelp }),
  );
  let figures = [];
  let structure = "";

  function draw() {
    const record = first ? cursorRecord() : -1;
    if (record < 0) return;
    const layers = shownLayers();
    grid.classList.toggle("many", layers.length > 1);
    const wide = Math.floor(layers.length > 1 && grid.clientWidth > 560 ? (grid.clientWidth - 24) / 2 : grid.clientWidth);
    const wanted = JSON.stringify([first.run, layers, first.experts, wide]);
    if (wanted !== structure && wide > 0) {
      structure = wanted;
      figures = layers.map((layer) => figure(layer, wide));
      grid.replaceChildren(...figures.map((each) => each.node));
    }
    figures.forEach((each) => each.draw(record));
  }

  return { node, draw, rebuild: () => (structure = "") };
}

function figure(layer, width) {
  const { experts } = first;
  const slot = (width - BAR.left - 2) / experts;
  const base = BAR.top + BAR.high;
  const every = Math.ceil(18 / slot);
  const svg = el("svg", { class: "bars-figure", role: "img", width, height: base + BAR.bottom, viewBox: `0 0 ${width} ${base + BAR.bottom}` });
  const axis = el("g", { class: "axis" });
  const fair = el("path", { class: "fair" });
  const parts = Array.from({ length: experts }, (_, expert) => {
    const x = BAR.left + expert * slot;
    const gap = slot > 8 ? Math.min(4, slot * 0.15) : 0.5;
    const f = el("rect", { class: "f", x: x + gap, width: Math.max(1, (slot - 2 * gap) * 0.62) });
    f.style.fill = expertColour(expert);
    const p = el("rect", { class: "p", x: x + gap + (slot - 2 * gap) * 0.66, width: Math.max(0.5, (slot - 2 * gap) * 0.34) });
    const named = expert % every === 0;
    const name = el("text", { x: x + slot / 2, y: base + 14, "text-anchor": "middle", class: "name", text: named ? expert + 1 : "" });
    const dead = el("text", { x: x + slot / 2, y: base - 5, "text-anchor": "middle", class: "dead", text: TEXT.deadMark });
    return { f, p, name, dead };
  });
  svg.append(axis, ...parts.flatMap(({ f, p, name, dead }) => [f, p, name, dead]), fair);
  const title = el("h4", { text: TEXT.layerName(first.layers[layer]) });
  const facts = el("p", { class: "facts" });
  const node = el(
    "figure",
    { class: "bars-layer", "data-layer": layer },
    title,
    svg,
    el("figcaption", {}, facts, tp.saveBar({ figure: () => svg, rows, name: () => fileName(`${TEXT.files.bars}-${first.layers[layer] + 1}-step-${cursorStep()}`) })),
  );

  function rows() {
    const record = cursorRecord();
    return [
      TEXT.csv.load,
      ...parts.map((_, expert) => [first.name, cursorStep(), first.layers[layer] + 1, expert + 1, ...["load", "probability"].map((of) => first.share(record, layer, expert, of).toFixed(5))]),
    ];
  }

  let axisTop = 0;
  function draw(record) {
    const values = parts.map((_, expert) => ["load", "probability"].map((of) => first.share(record, layer, expert, of)));
    const most = Math.max(...values.flat());
    const stops = [2 / experts, 4 / experts, 0.25, 0.5, 1].filter((stop) => stop >= most);
    const top = Math.min(1, ...stops);
    const y = (share) => base - (share / top) * BAR.high;
    values.forEach(([f, p], expert) => {
      const part = parts[expert];
      for (const [rect, share] of [[part.f, f], [part.p, p]]) {
        rect.setAttribute("y", y(share).toFixed(1));
        rect.setAttribute("height", Math.max(0, base - y(share)).toFixed(1));
      }
      part.dead.setAttribute("visibility", f === 0 ? "visible" : "hidden");
      part.name.setAttribute("class", f === 0 ? "name gone" : "name");
    });
    if (top !== axisTop) {
      axisTop = top;
      axis.replaceChildren(
        ...[0, top].map((share) => el("path", { class: share ? "rule" : "base", d: `M${BAR.left},${y(share)}H${width}` })),
        ...[top, 1 / experts, 0].map((share) => el("text", { x: BAR.left - 6, y: y(share) + 4, "text-anchor": "end", text: percent(share) })),
      );
      fair.setAttribute("d", `M${BAR.left},${y(1 / experts)}H${width}`);
    }
    const dead = values.flatMap(([f], expert) => (f === 0 ? [expert + 1] : []));
    const { entropy, dropped } = first.records;
    const words = TEXT.facts_;
    const text = [
      words.vio(fixed2(first.vio(record, layer))),
      words.entropy(fixed2(entropy[record][layer]), fixed2(Math.log(experts))),
      words.dropped(percent(dropped[record][layer])),
    ];
    const deadText = dead.length ? words.dead(dead.length > 12 ? `${dead.slice(0, 12).join(", ")} …` : dead.join(", ")) : words.alive;
    facts.replaceChildren(el("span", { text: `${text.join(" · ")} · ` }), el("span", { class: dead.length ? "dead-list" : "", text: deadText }));
    svg.setAttribute("aria-label", TEXT.barsLabel(first.layers[layer], [...text, deadText].join(", ")));
    Object.assign(node.dataset, { vio: first.vio(record, layer).toFixed(4), dead: dead.length });
  }

  return { node, draw };
}

const fixed2 = (value) => (Number.isFinite(value) ? value.toFixed(2) : "–");
