/* Load over training: a map for each layer, loss and MaxVio below over the same x axis, and the cursor over all. */
/** @typedef {{ canvas: HTMLCanvasElement, history: ExpertsFeed, layer: number, x: number[] }} Shown  a map,
 *   and the places of its records */
const MARGIN = { left: 46, right: 10 }; // of tp.chart, so that the maps lie exactly above it

function makeTimeline(/** @type {{ moved(): void }} */ { moved }) {
  const maps = el("div", { class: "maps" });
  const host = el("div", { class: "chart-host" });
  const cursor = el("div", { class: "cursor", "aria-hidden": "true" });
  const marks = el("div", { class: "map-marks", "aria-hidden": "true" });
  const stack = el("div", { class: "stack" }, el("div", { class: "map-stack" }, maps, marks), host, cursor);
  const chart = tp.chart(host, {
    onZoom(range) {
      zoom = range;
      draw();
    },
  });
  /** @type {HTMLInputElement} */
  const slider = el("input", {
    type: "range",
    class: "slider",
    id: "experts-step",
    min: 0,
    max: 0,
    step: 1,
    "aria-label": TEXT.step,
    on: { input: () => go(Number(slider.value)) },
  });
  const shown = el("output", { class: "step-text", for: "experts-step" });
  const newest = tp.button(TEXT.newest, { class: "tp-button quiet", id: "experts-newest" }, () => go(first.count - 1));
  const scale = el("div", { class: "scale", "aria-hidden": "true" });
  const node = el("section", { class: "timeline" }, [
    el("h3", { text: TEXT.timeline }),
    el("p", { class: "help", text: TEXT.timelineHelp }),
    scale,
    stack,
    el("div", { class: "scrub" }, el("label", { for: "experts-step", text: TEXT.step }), slider, shown, newest),
    el("p", { class: "help", text: TEXT.chartHelp }),
    el("div", { class: "saves" }, [
      tp.saveBar({ figure: () => picture(), rows: loadRows, name: () => fileName(FILES.map) }),
      tp.saveBar({ figure: () => chart.svg, rows: curveRows, name: () => fileName(FILES.curves) }),
    ]),
  ]);

  /** @type {Zoom} */
  let zoom = null;
  /** @type {[low: number, high: number]} */
  let range = [0, 1];
  let width = 0;
  /** @type {Shown[]} */
  let drawn = [];
  let structure = "";

  const inner = () => width - MARGIN.left - MARGIN.right;
  const place = (/** @type {number} */ x) => MARGIN.left + ((x - range[0]) / (range[1] - range[0] || 1)) * inner();
  const invert = (/** @type {number} */ px) => range[0] + ((px - MARGIN.left) / inner()) * (range[1] - range[0]);
  const histories = () => [first, ...(second ? [second] : [])].filter(({ loaded }) => loaded);

  /** Show this record of the shown run. */
  function go(/** @type {number} */ record) {
    if (!first.count) return;
    const index = Math.max(0, Math.min(first.count - 1, record));
    state.step = index === first.count - 1 ? null : first.records.step[index];
    moved();
  }

  /** The record at a point of the stack. */
  function at(/** @type {PointerEvent | MouseEvent} */ event) {
    const x = invert(event.clientX - stack.getBoundingClientRect().left);
    const places = first.records.step.map((step) => first.x(step, state.axis));
    return nearestOf(places, x);
  }

  /* ------------------------------------------------------------ the pointer */

  let dragging = false;
  maps.addEventListener("pointerdown", (event) => {
    if (event.button || !first.count) return;
    dragging = true;
    maps.setPointerCapture(event.pointerId);
    go(at(event));
  });
  maps.addEventListener("pointermove", (event) => {
    if (dragging) go(at(event));
    hint(event);
  });
  for (const end of ["pointerup", "pointercancel"]) maps.addEventListener(end, () => (dragging = false));
  maps.addEventListener("pointerleave", () => tp.tip(null));
  /** @type {number | null} */
  let pressed = null;
  host.addEventListener("pointerdown", (event) => (pressed = event.clientX));
  host.addEventListener("click", (event) => {
    if (first.count && pressed !== null && Math.abs(event.clientX - pressed) < 5) go(at(event));
  });

  function hint(/** @type {PointerEvent} */ event) {
    const one = drawn.find(({ canvas }) => canvas === event.target);
    if (!one?.history.count) return tp.tip(null);
    const box = one.canvas.getBoundingClientRect();
    const row = Math.floor(((event.clientY - box.top) / box.height) * one.history.experts);
    const expert = Math.max(0, Math.min(one.history.experts - 1, row));
    const record = nearestOf(one.x, invert(event.clientX - stack.getBoundingClientRect().left));
    const share = one.history.share(record, one.layer, expert);
    tp.tip(
      TEXT.mapTip(expert, one.history.records.step[record], percent(share), percent(1 / one.history.experts)),
      event.clientX,
      event.clientY,
    );
  }

  /* ------------------------------------------------------------ drawing */

  function draw() {
    if (!first.loaded || !first.count || !width) return;
    range = zoom ?? [0, horizon()];
    build();
    drawn.forEach(paint);
    drawChart();
    drawMarks();
    drawCursor();
  }

  /** The end of the x axis: a little ahead of a growing run, moving in jumps so that the picture rests between. */
  function horizon() {
    const lasts = histories().map((history) => {
      const step = Math.max(0, ...history.records.step.slice(-1), ...history.steps.step.slice(-1));
      return history.x(step, state.axis);
    });
    const last = Math.max(...lasts);
    if (histories().every((history) => history.over) && last > 0) return last;
    const unit = { steps: 50, seconds: 5, flops: 50 * (first.about?.flops ?? 1) }[state.axis];
    const total = state.axis === "seconds" ? Infinity : Math.max(...histories().map((h) => h.x(h.total, state.axis)));
    let length = unit;
    while (length < last * 1.02) length *= 1.3;
    return Math.min(length, Math.max(total, last));
  }

  /** @param {number} experts @param {number} layers */
  const rowHeight = (experts, layers) =>
    layers > 1 ? Math.max(1.5, Math.min(10, 84 / experts)) : Math.max(3, Math.min(20, 240 / experts));

  /** One canvas for each run and layer. */
  function build() {
    const wanted = histories()
      .filter((history) => history.experts)
      .flatMap((history) => shownLayers(history).map((layer) => ({ history, layer })));
    const key = JSON.stringify([
      wanted.map(({ history, layer }) => [history.run, layer, history.experts]),
      histories().map(({ run }) => run),
    ]);
    if (key !== structure) {
      structure = key;
      drawn = wanted.map(({ history, layer }) => ({ history, layer, canvas: el("canvas"), x: [] }));
      const parts = [];
      for (const history of histories()) {
        const name = history.experts ? history.short() : TEXT.denseMap(history.short());
        if (second)
          parts.push(
            el("p", { class: `which ${history === first ? "train" : "second"}` }, [
              el("b", { text: history === first ? TEXT.runKey.A : TEXT.runKey.B }),
              el("span", { text: name }),
            ]),
          );
        for (const one of drawn.filter((other) => other.history === history)) {
          parts.push(
            el("div", { class: "map" }, [
              el("span", { class: "map-name", text: TEXT.layerName(history.layers[one.layer]) }),
              el("div", { class: "map-body" }, rowNames(history), one.canvas),
            ]),
          );
        }
      }
      maps.replaceChildren(...parts);
      drawScale();
    }
  }

  /** The experts' numbers beside a map, as far as there is room. */
  function rowNames(/** @type {ExpertsFeed} */ history) {
    const { experts } = history;
    const high = rowHeight(experts, shownLayers(history).length);
    const every = Math.ceil(11 / high);
    const names = el("div", { class: "row-names", "aria-hidden": "true" });
    for (let expert = 0; expert < experts; expert += every) {
      const name = el("span", { text: expert + 1 });
      name.style.top = `${(expert + 0.5) * high}px`;
      names.append(name);
    }
    names.style.height = `${experts * high}px`;
    return names;
  }

  function paint(/** @type {Shown} */ one) {
    const { history, layer, canvas } = one;
    const { experts } = history;
    const wide = Math.max(1, Math.round(inner()));
    one.x = history.records.step.map((step) => history.x(step, state.axis));
    if (canvas.width !== wide || canvas.height !== experts) {
      [canvas.width, canvas.height] = [wide, experts];
      canvas.style.width = `${wide}px`;
      canvas.style.height = `${experts * rowHeight(experts, shownLayers(history).length)}px`;
    }
    const context = canvas.getContext("2d");
    if (!context) return;
    const image = context.createImageData(wide, experts);
    const pixels = new Uint32Array(image.data.buffer);
    const n = one.x.length;
    if (n) {
      const gap = n > 1 ? (one.x[n - 1] - one.x[0]) / (n - 1) : one.x[0];
      const from = one.x[0] - gap;
      const to = one.x[n - 1] + gap / 2;
      let record = 0;
      for (let column = 0; column < wide; column++) {
        const x = range[0] + ((column + 0.5) / wide) * (range[1] - range[0]);
        if (x < from || x > to) continue;
        while (record < n - 1 && Math.abs(one.x[record + 1] - x) <= Math.abs(one.x[record] - x)) record += 1;
        for (let expert = 0; expert < experts; expert++) {
          pixels[expert * wide + column] =
            shades[Math.round(255 * strength(history.share(record, layer, expert), experts))];
        }
      }
    }
    context.putImageData(image, 0, 0);
  }

  /** A map in words: the busiest expert of the record at the cursor. */
  function label(/** @type {Shown} */ one) {
    const { history, layer, canvas } = one;
    const text = TEXT.mapLabel(
      second && (history === first ? "A" : "B"),
      history.layers[layer],
      history.experts,
      busiest(one),
    );
    tp.depict(canvas, text);
  }

  function busiest(/** @type {Shown} */ { history, layer, x }) {
    if (!history.count) return "";
    const record =
      history === first ? cursorRecord() : Math.min(history.count - 1, nearestOf(x, first.x(cursorStep(), state.axis)));
    let best = 0;
    for (let expert = 1; expert < history.experts; expert++)
      if (history.share(record, layer, expert) > history.share(record, layer, best)) best = expert;
    return TEXT.mapNow(history.records.step[record], best, percent(history.share(record, layer, best)));
  }

  function drawScale() {
    const { experts } = first;
    const stops = Array.from({ length: 11 }, (_, i) => css(tp.heat(i / 10))).join(", ");
    const bar = el("span", { class: "scale-bar" });
    bar.style.background = `linear-gradient(to right, ${stops})`;
    const fair = el("i", { class: "scale-fair" });
    fair.style.left = `${100 * strength(1 / experts, experts)}%`;
    const word = el("span", { class: "scale-word", text: TEXT.scale.fair });
    word.style.left = fair.style.left;
    bar.append(fair, word);
    scale.replaceChildren(
      el("span", { text: TEXT.scale.none }),
      bar,
      el("span", { text: TEXT.scale.most(timesOf(experts)) }),
    );
  }

  /** @param {ExpertsFeed} history @param {"A" | "B"} which */
  function lines(history, which) {
    const at = (/** @type {number[]} */ steps) => steps.map((step) => history.x(step, state.axis));
    const { steps, evaluated, records } = history;
    const id = `${which}${history.run}`;
    const style = history === first ? "train" : "second";
    const name = second ? TEXT.runKey[which] : "";
    const xs = at(steps.step);
    const rs = at(records.step);
    const vio = records.step.map((_, i) => history.vio(i, state.layer));
    const alone = !second;
    const raw = { style: "raw", fit: true, keep: 0.99 };
    return {
      loss: [
        ...(alone
          ? [{ ...raw, id: `raw${id}`, name: TEXT.batch, x: xs, y: steps.loss, n: xs.length, format: tp.loss }]
          : []),
        {
          id: `loss${id}`,
          name: name || TEXT.training,
          style,
          x: xs,
          y: steps.smooth,
          n: xs.length,
          fit: true,
          format: tp.loss,
        },
        {
          id: `held${id}`,
          name: alone ? TEXT.heldOut : "",
          style: alone ? "validation" : `${style} thin`,
          x: at(evaluated.step),
          y: evaluated.loss,
          n: evaluated.step.length,
          fit: true,
          dots: true,
          format: tp.loss,
        },
      ],
      vio: history.experts
        ? [
            ...(alone ? [{ ...raw, id: `vraw${id}`, name: TEXT.record, x: rs, y: vio, n: rs.length }] : []),
            {
              id: `vio${id}`,
              name: name || TEXT.smooth,
              style,
              x: rs,
              y: tp.smoothed(records.step, vio),
              n: rs.length,
              fit: true,
            },
          ]
        : [],
    };
  }

  function drawChart() {
    const both = histories().map((history) => lines(history, history === first ? "A" : "B"));
    const record = first.count - 1;
    const several = state.layer === null && first.layers.length > 1;
    chart.update({
      x: { low: 0, high: horizon(), name: TEXT.axisNames[state.axis] },
      panels: [
        { id: "loss", title: TEXT.loss, unit: TEXT.lossUnit, height: 150, lines: both.flatMap(({ loss }) => loss) },
        {
          id: "vio",
          title: TEXT.vio,
          unit: width < 560 ? "" : several ? TEXT.vioWorst : TEXT.vioUnit,
          height: 110,
          zero: true,
          lines: both.flatMap(({ vio }) => vio),
        },
      ],
      marks: changes(first).map(({ step, text }) => ({ x: first.x(step, state.axis), text, kind: "changed" })),
      summary: TEXT.chartSummary(
        first.records.step[record] ?? 0,
        tp.loss(first.steps.smooth.at(-1) ?? NaN),
        tp.number(first.vio(record, state.layer)),
      ),
    });
  }

  /** What was changed, step by step, in few words. */
  function changes(/** @type {ExpertsFeed} */ history) {
    /** @type {Map<number, { [field: string]: number }>} */
    const at = new Map();
    for (const { step, field, value } of history.changes()) at.set(step, { ...at.get(step), [field]: value });
    return [...at].map(([step, fields]) => {
      const names = Object.keys(fields);
      const losses = names.filter((name) => name.endsWith("_loss"));
      if (losses.length > 2 && losses.every((name) => fields[name] === 0))
        return { step, text: fields.bias_rate ? TEXT.biasOnly : TEXT.balancingOff };
      return { step, text: tp.series(names.map((name) => TEXT.mark(name, fields[name]))) };
    });
  }

  function drawMarks() {
    const inside = changes(first)
      .map(({ step }) => first.x(step, state.axis))
      .filter((x) => x >= range[0] && x <= range[1]);
    marks.replaceChildren(
      ...inside.map((x) => {
        const mark = el("i");
        mark.style.left = `${place(x)}px`;
        return mark;
      }),
    );
  }

  function drawCursor() {
    const record = cursorRecord();
    cursor.hidden = record < 0;
    slider.disabled = newest.disabled = record < 0;
    if (record < 0) return;
    const step = first.records.step[record];
    const px = place(first.x(step, state.axis));
    cursor.style.transform = `translateX(${px.toFixed(1)}px)`;
    cursor.style.visibility = px < MARGIN.left - 1 || px > width - MARGIN.right + 1 ? "hidden" : "";
    slider.max = String(first.count - 1);
    slider.value = String(record);
    slider.style.setProperty("--filled", `${first.count > 1 ? (100 * record) / (first.count - 1) : 100}%`);
    const text = TEXT.stepText(step, record === first.count - 1);
    put(shown, text);
    slider.setAttribute("aria-valuetext", text);
    newest.setAttribute("aria-pressed", String(state.step === null));
    drawn.forEach(label);
  }

  /* ------------------------------------------------------------ saving */

  /** All maps as one picture. */
  function picture() {
    const heightOf = (/** @type {Shown} */ { canvas }) => parseFloat(canvas.style.height);
    const high = drawn.reduce((sum, one) => sum + heightOf(one) + 28, 8);
    return pictureOf(width, high, (context) => {
      let y = 4;
      for (const one of drawn) {
        const run = second ? `${one.history === first ? "A" : "B"} · ` : "";
        context.fillText(run + TEXT.layerName(one.history.layers[one.layer]), MARGIN.left, y + 10);
        y += 20;
        context.drawImage(one.canvas, MARGIN.left, y, inner(), heightOf(one));
        y += heightOf(one) + 8;
      }
    });
  }

  function loadRows() {
    /** @type {Row[]} */
    const rows = [TEXT.csv.load];
    for (const { history, layer } of drawn) {
      history.records.step.forEach((step, record) => {
        for (let expert = 0; expert < history.experts; expert++) {
          const values = SHARES.map((of) => history.share(record, layer, expert, of).toFixed(5));
          rows.push([history.name, step, history.layers[layer] + 1, expert + 1, ...values]);
        }
      });
    }
    return rows;
  }

  function curveRows() {
    /** @type {Row[]} */
    const rows = [TEXT.csv.curves];
    for (const { history, layer } of drawn) {
      const { step, dropped, entropy } = history.records;
      step.forEach((at, record) => {
        const where = [at, history.about?.flops ? history.x(at, "flops") : "", history.x(at, "seconds").toFixed(3)];
        rows.push([
          history.name,
          ...where,
          history.layers[layer] + 1,
          history.vio(record, layer).toFixed(4),
          entropy[record][layer],
          dropped[record][layer],
        ]);
      });
    }
    return rows;
  }

  new ResizeObserver(([entry]) => {
    const next = Math.floor(entry.contentRect.width);
    if (next === width) return;
    width = next;
    structure = "";
    schedule(draw);
  }).observe(stack);

  return { node, draw, drawCursor, rebuild: () => (structure = ""), reset: () => chart.reset() };
}
