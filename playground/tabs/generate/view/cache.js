/* The cache: what it holds, what the text cost with it and without, and the proof that it changes nothing.
 *
 * Writing computes a token with the cache alone. The comparison, `ms_without` and `difference` of a record, is asked
 * for while this part is on the screen.
 */
let onScreen = false;
let comparing = false;

function drawCache() {
  drawGrid(nodes[at].record);
  drawCosts();
  compare();
}

/** The first token of the text that was not yet computed without the cache. */
const uncompared = () => pathTo(at).find((id) => nodes[id].record.difference === undefined);

/** Compute each token of the text with the cache and without, one at a time. */
async function compare() {
  if (comparing) return;
  comparing = true;
  while (onScreen && text.run && !playing && !opening) {
    const id = uncompared();
    if (id === undefined) break;
    const { record } = nodes[id];
    const filled = record.computed === record.window;
    const answer = await call("compare", text.run, text.step, tokensAt(id), filled);
    if (answer.error) break;
    Object.assign(record, answer);
    if (text.run) drawCosts();
  }
  comparing = false;
}

function drawCosts() {
  const path = pathTo(at).map((id) => nodes[id].record);
  const here = nodes[at].record;
  const known = uncompared() === undefined;
  const sum = (/** @type {Key} */ name) => path.reduce((total, record) => total + (record[name] ?? NaN), 0);
  const all = {
    flops: sum("flops"),
    flops_without: sum("flops_without"),
    ms: sum("ms"),
    ms_without: sum("ms_without"),
  };
  const cell = (/** @type {string} */ value) => el("td", { class: "number", text: value });
  const ms = (/** @type {number} */ value) =>
    value < 10 ? value.toFixed(2) : value < 1000 ? value.toFixed(1) : count(Math.round(value));
  /** @param {string} name @param {string} one @param {string} other */
  const row = (name, one, other) => tp.tableRow({}, name, [cell(one), cell(other)]);
  const heading = (/** @type {string} */ name) =>
    el("tr", { class: "group" }, el("th", { colspan: "3", scope: "colgroup", text: name }));
  costTable.replaceChildren(
    tp.tableHead([el("td"), { class: "number", text: TEXT.with }, { class: "number", text: TEXT.without }]),
    el("tbody", {}, [
      heading(TEXT.costs.here),
      row(TEXT.costs.computed, count(here.computed), count(here.window)),
      row(TEXT.costs.flops, tp.number(here.flops), tp.number(here.flops_without)),
      row(TEXT.costs.ms, ms(here.ms), known ? ms(here.ms_without ?? NaN) : "…"),
      heading(TEXT.costs.all(here.length)),
      row(TEXT.costs.flops, tp.number(all.flops), tp.number(all.flops_without)),
      row(TEXT.costs.ms, ms(all.ms), known ? ms(all.ms_without) : "…"),
    ]),
  );
  const share = 1 - all.flops / all.flops_without;
  const flops = percent(share);
  const time = 1 - all.ms / all.ms_without;
  if (path.length === 1) saved.textContent = TEXT.savedNothing;
  else if (!known) saved.textContent = TEXT.savedFlops(flops);
  else saved.textContent = time > 0 ? TEXT.saved(flops, percent(time)) : TEXT.savedOnlyFlops(flops);
  if (path.length === 1) delete root.dataset.saved;
  else root.dataset.saved = String(share);
  drawCharts(path);
  if (known) drawProof(Math.max(...path.map((record) => record.difference ?? 0)));
  else {
    proof.textContent = TEXT.comparing;
    proof.classList.remove("failed");
    delete root.dataset.difference;
  }
}

function drawProof(/** @type {number} */ difference) {
  const exponent = tp.number(difference, 2);
  const rounding = difference < 1e-2;
  if (text.alone) proof.replaceChildren(TEXT.proof(exponent), " ", rounding ? TEXT.proofRounding : TEXT.proofFailed);
  else proof.replaceChildren(TEXT.notAlone(exponent));
  proof.classList.toggle("failed", text.alone && !rounding);
  root.dataset.difference = String(difference);
}

/** Positions across, layers down, a strip for keys and one for values in each. */
function drawGrid(/** @type {Answers.Record} */ { window: used, computed, start, bytes: size }) {
  const width = Math.max(240, Math.min(cacheFrame.clientWidth || 560, 760));
  const left = 58;
  const strip = text.layers > 12 ? 4 : 8;
  const gap = text.layers > 12 ? 2 : 6;
  const height = text.layers * (2 * strip + 1 + gap) - gap;
  const scale = (width - left) / text.context;
  /** @param {number} x @param {number} y @param {number} tokens @param {string} kind */
  const bar = (x, y, tokens, kind) =>
    el("rect", { class: kind, x: left + x * scale, y, width: Math.max(0, tokens * scale), height: strip });
  const parts = [];
  for (let layer = 0; layer < text.layers; layer++) {
    const y = layer * (2 * strip + 1 + gap);
    if (text.layers <= 12 || layer % 4 === 0)
      parts.push(el("text", { class: "name", x: 0, y: y + strip + 4, text: TEXT.layer(layer + 1) }));
    for (const [kind, top] of /** @type {const} */ ([
      ["keys", y],
      ["values", y + strip + 1],
    ])) {
      parts.push(
        bar(0, top, text.context, "free"),
        bar(0, top, used, kind),
        bar(used - computed, top, computed, "newest"),
      );
    }
  }
  if (scale >= 3) {
    for (let i = 1; i < used; i++)
      parts.push(el("rect", { class: "seam", x: left + i * scale - 0.5, y: 0, width: 1, height }));
  }
  const all = (size / used) * text.context;
  cacheFrame.replaceChildren(
    tp.drawing(
      width,
      height,
      { role: "img", "aria-label": TEXT.cacheFigure(used, text.context, text.layers, bytes(size)) },
      [parts],
    ),
  );
  // Two rows, however long their numbers are: what stands below does not move while the text grows.
  cacheLegend.replaceChildren(
    el("span", { class: "row" }, [
      el("span", {}, el("i", { class: "swatch keys" }), TEXT.keys),
      el("span", {}, el("i", { class: "swatch values" }), TEXT.values),
      el("span", {}, el("i", { class: "swatch newest" }), TEXT.newest),
    ]),
    el("span", { class: "row" }, [
      el("b", { text: TEXT.cacheSize(bytes(size), bytes(all)) }),
      el("span", { text: TEXT.cachePositions(start + 1, start + used) }),
    ]),
  );
}

/** @typedef {"flops" | "flops_without" | "ms" | "ms_without"} Key  of a record */

/** What each token cost, with the cache and without. The prompt is one point: it is computed at once. */
function drawCharts(/** @type {Cost[]} */ path) {
  const width = Math.max(260, Math.min(chartFrame.clientWidth || 560, 760));
  const pair = width >= 460;
  const each = pair ? (width - 28) / 2 : width;
  const high = 84;
  const height = pair ? high + 40 : 2 * (high + 40) + 8;
  const points = path.length > 1 ? path.slice(1) : path;
  const first = points[0].length;
  const last = points[points.length - 1].length;
  /** @param {string} title @param {"flops" | "ms"} name @param {number} x0 @param {number} y0 */
  const panel = (title, name, x0, y0) => {
    const without = /** @type {const} */ (`${name}_without`);
    const most = Math.max(...points.flatMap((record) => [record[name], record[without] ?? 0]));
    /** @param {Cost} record @param {Key} key */
    const place = (record, key) => [
      x0 + (last === first ? each / 2 : ((record.length - first) / (last - first)) * each),
      y0 + 22 + high - ((record[key] ?? 0) / most) * high,
    ];
    /** @param {Key} key @param {string} kind */
    const curve = (key, kind) => {
      const drawn = points.filter((record) => record[key] !== undefined);
      if (!drawn.length) return null;
      return drawn.length === 1
        ? el("circle", { class: `${kind} dot`, cx: place(drawn[0], key)[0], cy: place(drawn[0], key)[1], r: 3 })
        : el("path", {
            class: kind,
            d: drawn
              .map(
                (record, i) =>
                  `${i ? "L" : "M"}${place(record, key)
                    .map((value) => value.toFixed(1))
                    .join(" ")}`,
              )
              .join(""),
          });
    };
    return el("g", {}, [
      el("text", { class: "title", x: x0, y: y0 + 10, text: title }),
      el("text", { class: "axis end", x: x0 + each, y: y0 + 10, text: tp.number(most) }),
      el("path", { class: "grid", d: `M${x0} ${y0 + 22}h${each}M${x0} ${y0 + 22 + high}h${each}` }),
      curve(without, "without"),
      curve(name, "with"),
      el("text", { class: "axis", x: x0, y: y0 + high + 37, text: count(first) }),
      el("text", { class: "axis middle", x: x0 + each / 2, y: y0 + high + 37, text: TEXT.position }),
      el("text", { class: "axis end", x: x0 + each, y: y0 + high + 37, text: count(last) }),
    ]);
  };
  chartFrame.replaceChildren(
    tp.drawing(width, height, { role: "img", "aria-label": TEXT.chartLabel(TEXT.chartFlops) }, [
      panel(TEXT.chartFlops, "flops", 0, 0),
      panel(TEXT.chartMs, "ms", pair ? each + 28 : 0, pair ? 0 : high + 48),
    ]),
    el("p", { class: "legend" }, [
      el("span", {}, el("i", { class: "swatch thin with" }), TEXT.with),
      el("span", {}, el("i", { class: "swatch thin without" }), TEXT.without),
    ]),
  );
}

const costRows = () => [
  TEXT.csv.cost,
  ...pathTo(at).map((id) => {
    const { record } = nodes[id];
    return [
      record.length,
      id === 0 ? text.prompt : text.pieces[record.token],
      record.start,
      record.window,
      record.computed,
      record.bytes,
      record.flops,
      record.flops_without,
      record.ms,
      record.ms_without,
      record.difference,
    ];
  }),
];
