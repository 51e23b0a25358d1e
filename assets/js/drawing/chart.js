/* `tp.chart`: panels of curves over one x axis, redrawn in place as numbers arrive.
 *
 * One SVG, so that it saves as one figure and takes its colours from the theme. A redraw costs the same for a
 * hundred points and for a hundred thousand (curves.js).
 * Drag to zoom in x, double-click or Escape to see all; the zoom outlives redraws. Hover, or the arrow keys,
 * read values off.
 */
(() => {
  "use strict";

  const { curves: computed, el, number, halves, named, put, series } = window.tp;
  const { apart, curve, dots, extent, indexOf, logTicks, ticks } = computed;

  /** @typedef {{panel: ChartPanel, top: number, bottom: number, header: number, below: boolean, spans: number[][],
   *   low: number, high: number, Y: Scale}} Placed A panel, where it stands,
   * and whether its legend is below its title. */
  /** @typedef {{panels: Placed[], X: Scale, x0: number, x1: number, inner: number, width: number,
   *   height: number}} Frame */
  /** @typedef {{node: SVGGElement, value: SVGTSpanElement}} Entry
   * A line in a legend; `value` shows its newest value. */

  const LEFT = 46;
  const RIGHT = 10;
  const HEADER = 30; // of a panel: its title and legend
  const BETWEEN = 10; // two panels
  const BOTTOM = 34; // the x axis
  const VALUED = 420; // a chart at least so wide shows the values of references
  const LINE = 13; // from one label of a reference to the next

  /** Build a chart inside `host`. Returns {svg, update(data), reset(), isZoomed(), onZoom}.
   *
   * data: {x: {low, high, name}, panels: [{id, title, unit, height, log, zero, range, most, lines, references}],
   * marks: [{x, text, kind}], summary}. A line is {id, name, style, x, y, n, dots, fit, keep, format}: `x` ascends,
   * the first `n` values count; `style` is the class that colours it ("raw" is faint, without a legend).
   * A reference is {y, text, value, tip}, a level whose label stands right of the panel, where no curve is; a mark is
   * a labelled x.
   *
   * @type {Tp["chart"]} */
  function chart(host, { onZoom = () => {} } = {}) {
    const clipId = `tp-clip-${Math.random().toString(36).slice(2)}`;
    const defs = el("defs", {});
    const grid = el("g", { class: "grid" });
    const marksGroup = el("g", { class: "marks" });
    const curves = el("g", { class: "curves" });
    const labels = el("g", { class: "labels" });
    const cross = el("g", { class: "cross", visibility: "hidden" });
    const brush = el("rect", { class: "brush", visibility: "hidden" });
    const svg = el("svg", { class: "tp-chart", tabindex: "0" }, defs, grid, marksGroup, curves, labels, cross, brush);
    host.append(svg);

    /** @type {ChartData} */
    let data;
    let width = host.clientWidth; // kept, since asking would force a layout at every update
    /** @type {Zoom} */
    let zoom = null;
    /** @type {Frame} */
    let frame; // what the last drawing used: scales and places
    let axes = ""; // what the grid was last drawn for
    /** @type {Map<string, SVGPathElement>} */
    const paths = new Map(); // "panel/line/kind" -> <path>
    /** @type {Map<string, SVGGElement>} */
    const clipped = new Map(); // panel -> the <g> that keeps its curves inside
    /** @type {Map<EventTarget, string>} */
    const tips = new Map(); // the label of a reference -> what explains it

    function draw() {
      if (!data || !width) return;
      const [x0, x1] = zoom ?? [data.x.low, data.x.high];
      const beside = gutter();
      const inner = width - LEFT - RIGHT - beside;
      const X = (/** @type {number} */ x) => LEFT + ((x - x0) / (x1 - x0 || 1)) * inner;

      let y = 0;
      const panels = data.panels.map((panel) => {
        const below = legend(panel).length > 1 && !fits(panel);
        const header = HEADER + (below ? 18 : 0);
        const top = y + header;
        const bottom = top + panel.height;
        y = bottom + BETWEEN;
        const spans = panel.lines.map((line) => [
          Math.max(0, indexOf(line.x, line.n, x0) - 1),
          Math.min(line.n, indexOf(line.x, line.n, x1) + 1),
        ]);
        const [low, high] = extent(panel, spans);
        /** @type {Scale} */
        const Y = panel.log
          ? (value) => bottom - (Math.log(value / low) / Math.log(high / low)) * panel.height
          : (value) => bottom - ((value - low) / (high - low)) * panel.height;
        return { panel, top, bottom, header, below, spans, low, high, Y };
      });
      const height = y - BETWEEN + BOTTOM;
      frame = { panels, X, x0, x1, inner, width, height };

      const state = JSON.stringify([
        width,
        x0,
        x1,
        panels.map((p) => [
          p.low,
          p.high,
          p.top,
          p.panel.log,
          p.panel.title,
          p.panel.references,
          p.panel.lines.map((l) => l.name),
        ]),
      ]);
      if (state !== axes) {
        axes = state;
        svg.setAttribute("width", String(width));
        svg.setAttribute("height", String(height));
        svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
        drawGrid();
      }
      drawCurves();
      drawMarks();
      tp.depict(svg, data.summary);
    }

    /** @type {(reference: Reference) => string} */
    const labelOf = ({ text, value }) => (value && width >= VALUED ? `${text} ${value}` : text);

    /** The width that the labels of references need, right of all panels. */
    function gutter() {
      const all = data.panels.flatMap((panel) => panel.references ?? []);
      return all.length ? 6 + Math.max(...all.map((each) => 6.2 * halves(labelOf(each)))) : 0;
    }

    /** The lines of a panel's references, and their labels beside it, none over another.
     *
     * @type {(placed: Placed) => {lines: SVGElement[], texts: SVGElement[]}} */
    function referencesOf({ panel, top, bottom, low, high, Y }) {
      const shown = (panel.references ?? []).filter(({ y }) => y >= low && y <= high);
      const wished = shown.map(({ y }) => Y(y));
      const places = apart(wished, LINE, top + 4, bottom - 2);
      const edge = LEFT + frame.inner;
      const lines = shown.map((_, k) =>
        el("path", { d: `M${LEFT},${wished[k]}H${edge}L${edge + 5},${places[k]}`, class: "reference" }),
      );
      const texts = shown.map((reference, k) => {
        const { tip, value, text } = reference;
        const label = el("text", {
          ...{ x: edge + 8, y: places[k] + 3.5, class: "reference-text", text: labelOf(reference) },
        });
        if (tip) tips.set(label, named(value ? `${text} ${value}` : text, tip));
        return label;
      });
      return { lines, texts };
    }

    const legend = (/** @type {ChartPanel} */ panel) => panel.lines.filter((line) => line.name && line.style !== "raw");
    const alone = (/** @type {ChartPanel} */ panel) => panel.lines.length === 1; // its name is the panel's

    function drawGrid() {
      const { panels, X, x0, x1, inner } = frame;
      const parts = [];
      const textParts = [];
      const across = ticks(x0, x1, Math.max(3, inner / 90)).filter((tick) => tick >= x0 && tick <= x1);
      defs.replaceChildren();
      tips.clear();
      for (const placed of panels) {
        const { panel, top, bottom, header, low, high, Y } = placed;
        const clip = el("rect", { x: LEFT - 4, y: top - 4, width: inner + 8, height: bottom - top + 5 });
        defs.append(el("clipPath", { id: `${clipId}-${panel.id}` }, clip));
        const most = Math.max(2, panel.height / 40);
        const values = (panel.log ? logTicks : ticks)(low, high, most).filter((v) => v >= low && v <= high);
        for (const tick of across)
          parts.push(el("path", { d: `M${X(tick).toFixed(1)},${top}V${bottom}`, class: "rule faint" }));
        for (const value of values) {
          const place = Y(value).toFixed(1);
          parts.push(el("path", { d: `M${LEFT},${place}h${inner}`, class: "rule" }));
          textParts.push(
            el("text", {
              x: LEFT - 7,
              y: Number(place) + 3.5,
              "text-anchor": "end",
              class: "tick",
              text: (panel.format ?? number)(value),
            }),
          );
        }
        textParts.push(
          el("text", { x: 0, y: top - header + 18, class: "title" }, [
            el("tspan", { text: panel.title }),
            panel.unit && el("tspan", { class: "unit", dx: 7, text: panel.unit }),
          ]),
        );
        const references = referencesOf(placed);
        parts.push(...references.lines);
        textParts.push(...references.texts);
        parts.push(el("path", { d: `M${LEFT},${bottom}h${inner}`, class: "base" }));
      }
      const { bottom } = panels[panels.length - 1];
      for (const tick of across) {
        const place = X(tick);
        const anchor = place > LEFT + inner - 16 ? "end" : "middle";
        textParts.push(
          el("text", {
            x: anchor === "end" ? LEFT + inner : place,
            y: bottom + 16,
            "text-anchor": anchor,
            class: "tick",
            text: tick < 1e5 ? tick.toLocaleString("en-US") : number(tick, 4),
          }),
        );
      }
      textParts.push(
        el("text", { x: LEFT + inner, y: bottom + 31, "text-anchor": "end", class: "unit", text: data.x.name }),
      );
      grid.replaceChildren(...parts);
      labels.replaceChildren(...textParts);
      drawLegends(true);
    }

    /** @type {Map<string, {group: SVGGElement, entries: Entry[]}>} */
    const legends = new Map();

    // Widths of texts are estimated, not measured: measuring would force a layout at every update.
    const entryWidth = (/** @type {ChartLine} */ line) => 26 + 6.6 * (halves(line.name ?? "") + 7);

    /** Whether a panel's title, its unit and its legend have room beside each other.
     *
     * @type {(panel: ChartPanel) => boolean} */
    function fits(panel) {
      const title = 7.3 * halves(panel.title) + 6.2 * halves(panel.unit ?? "") + 20;
      return title + legend(panel).reduce((sum, line) => sum + entryWidth(line), 0) <= width - RIGHT;
    }

    /** Swatch and name of a line.
     *
     * @type {(panel: ChartPanel, line: ChartLine) => Entry} */
    function entry(panel, line) {
      const value = el("tspan", { class: "value", dx: 6 });
      if (alone(panel)) return { value, node: el("g", {}, el("text", { class: "legend alone" }, value)) };
      const swatch = line.dots
        ? el("circle", { r: 3.25, class: `dots ${line.style}` })
        : el("path", { d: "M-7,0h14", class: `curve ${line.style}` });
      return {
        value,
        node: el("g", {}, swatch, el("text", { class: "legend" }, el("tspan", { text: line.name }), value)),
      };
    }

    /** The legend of a panel, built when the panels were.
     *
     * @type {(panel: ChartPanel, items: ChartLine[], rebuild: boolean) => Entry[]} */
    function entriesOf(panel, items, rebuild) {
      const before = legends.get(panel.id);
      if (before && !rebuild) return before.entries;
      before?.group.remove();
      const entries = items.map((line) => entry(panel, line));
      const group = el("g", {}, ...entries.map(({ node }) => node));
      legends.set(panel.id, { group, entries });
      labels.append(group);
      return entries;
    }

    /** Swatch, name and newest value of every line, on the right of the panel's header.
     *
     * @type {(rebuild: boolean) => void} */
    function drawLegends(rebuild) {
      for (const { panel, top, below } of frame.panels) {
        const items = legend(panel);
        const entries = entriesOf(panel, items, rebuild);
        const y = top - 12;
        let x = below ? LEFT : frame.width - RIGHT;
        (below ? items : items.slice().reverse()).forEach((line) => {
          const { node, value } = entries[items.indexOf(line)];
          put(value, line.n ? (line.format ?? number)(line.y[line.n - 1]) : "");
          const wide = alone(panel) ? 0 : entryWidth(line);
          if (!below) x -= wide;
          const transform = `translate(${x.toFixed(1)},${y})`;
          if (node.getAttribute("transform") !== transform) node.setAttribute("transform", transform);
          if (below) x += wide + 6;
        });
      }
    }

    function drawCurves() {
      const seen = new Set();
      for (const { panel, spans, Y } of frame.panels) {
        panel.lines.forEach((line, k) => {
          const [from, to] = spans[k];
          const parts = [["curve", curve(line, from, to, frame.X, Y)]];
          if (line.dots) parts.push(["dots", dots(line, from, to, frame.X, Y, frame.inner / 9)]);
          for (const [kind, d] of parts) {
            const key = `${panel.id}/${line.id}/${kind}`;
            seen.add(key);
            let path = paths.get(key);
            if (!path) {
              path = el("path", {});
              paths.set(key, path);
              inside(panel).append(path);
            }
            const name = `${kind} ${line.style}`;
            if (path.getAttribute("class") !== name) path.setAttribute("class", name);
            if (path.getAttribute("d") !== d) path.setAttribute("d", d);
          }
        });
      }
      for (const [key, path] of paths) {
        if (seen.has(key)) continue;
        path.remove();
        paths.delete(key);
      }
      drawLegends(false);
    }

    /** @param {ChartPanel} panel */
    function inside(panel) {
      const before = clipped.get(panel.id);
      if (before) return before;
      const group = el("g", { "clip-path": `url(#${clipId}-${panel.id})` });
      clipped.set(panel.id, group);
      curves.append(group);
      return group;
    }

    let marksDrawn = "";
    function drawMarks() {
      const { X, x0, x1, panels } = frame;
      const state = axes + JSON.stringify(data.marks);
      if (state === marksDrawn) return;
      marksDrawn = state;
      const top = panels[0].top;
      const free = [-Infinity, -Infinity]; // where each of two rows has room
      const parts = [];
      for (const mark of data.marks) {
        if (mark.x < x0 || mark.x > x1) continue;
        const place = X(mark.x);
        for (const panel of panels)
          parts.push(el("path", { d: `M${place},${panel.top}V${panel.bottom}`, class: `mark ${mark.kind}` }));
        const wide = 6.4 * halves(mark.text) + 10;
        const left = Math.min(place + 5, LEFT + frame.inner + RIGHT - wide);
        const row = free.findIndex((end) => left > end);
        if (row < 0) continue;
        parts.push(el("text", { x: left, y: top + 12 + 13 * row, class: `mark-text ${mark.kind}`, text: mark.text }));
        free[row] = left + wide;
      }
      marksGroup.replaceChildren(...parts);
    }

    /* -------------------------------------------------------------- reading values off */

    /** @type {number | null} */
    let reading = null; // the x under the cross-hair

    /** @type {(x: number, clientX: number, clientY: number) => string | undefined} */
    function read(x, clientX, clientY) {
      if (!frame) return;
      const main = data.panels[0].lines.find((line) => line.n) ?? null;
      if (!main) return;
      let i = indexOf(main.x, main.n, x);
      if (i > 0 && (i === main.n || x - main.x[i - 1] < main.x[i] - x)) i -= 1;
      const at = main.x[i];
      reading = at;
      const place = frame.X(at);
      const parts = frame.panels.map((p) => el("path", { d: `M${place},${p.top}V${p.bottom}` }));
      const facts = [];
      for (const { panel, Y, top, bottom } of frame.panels) {
        for (const line of panel.lines) {
          if (!line.name || !line.n) continue;
          const k = Math.min(line.n - 1, indexOf(line.x, line.n, at + 1e-9) - 1);
          if (k < 0) continue;
          const value = line.y[k];
          const height = Y(value);
          if (line.style !== "raw" && height >= top - 1 && height <= bottom + 1) {
            parts.push(el("circle", { cx: frame.X(line.x[k]), cy: height, r: 3.5, class: `dots ${line.style}` }));
          }
          facts.push([line.name, (line.format ?? number)(value)]);
        }
      }
      cross.replaceChildren(...parts);
      cross.setAttribute("visibility", "visible");
      const here = data.marks.filter((mark) => Math.abs(frame.X(mark.x) - place) < 4).map((mark) => mark.text);
      const heading = `${data.x.name} ${at.toLocaleString("en-US")}`;
      tp.tip(
        el("div", {}, [
          el("strong", { text: heading }),
          el("table", { class: "tp-facts" }, [
            facts.map(([name, value]) => el("tr", {}, el("td", { text: name }), el("td", { text: value }))),
          ]),
          here.map((text) => el("div", { text })),
        ]),
        clientX,
        clientY,
      );
      return named(heading, series(facts.map((fact) => fact.join(" "))));
    }

    function hide() {
      reading = null;
      cross.setAttribute("visibility", "hidden");
      tp.tip(null);
    }

    /* -------------------------------------------------------------- zoom */

    /** @type {number | null} */
    let dragged = null;
    const clamp = (/** @type {number} */ x) => Math.max(LEFT, Math.min(LEFT + frame.inner, x));
    const at = (/** @type {PointerEvent} */ event) => event.clientX - svg.getBoundingClientRect().left;
    const invert = (/** @type {number} */ place) => frame.x0 + ((place - LEFT) / frame.inner) * (frame.x1 - frame.x0);

    /** @param {Zoom} next */
    function setZoom(next) {
      zoom = next;
      draw();
      onZoom(zoom);
    }

    /** Explain the label of a reference under the pointer, if there is one.
     *
     * @param {PointerEvent} event */
    function explain(event) {
      const tip = event.target && tips.get(event.target);
      if (!tip || dragged !== null) return false;
      hide();
      tp.tip(el("div", { class: "tp-explained", text: tip }), event.clientX, event.clientY);
      return true;
    }

    svg.addEventListener("pointerdown", (event) => {
      if (!frame || event.button || explain(event)) return;
      dragged = clamp(at(event));
      svg.setPointerCapture(event.pointerId);
    });
    svg.addEventListener("pointermove", (event) => {
      if (!frame || explain(event)) return;
      const place = clamp(at(event));
      if (dragged !== null && Math.abs(place - dragged) > 4) {
        hide();
        const top = frame.panels[0].top;
        const values = {
          x: Math.min(place, dragged),
          width: Math.abs(place - dragged),
          y: top,
          height: frame.panels[frame.panels.length - 1].bottom - top,
          visibility: "visible",
        };
        for (const [name, value] of Object.entries(values)) brush.setAttribute(name, String(value));
      } else read(invert(place), event.clientX, event.clientY);
    });
    const drop = (/** @type {PointerEvent} */ event) => {
      if (dragged === null) return;
      const [from, to] = [dragged, clamp(at(event))].sort((a, b) => a - b);
      dragged = null;
      brush.setAttribute("visibility", "hidden");
      if (event.type === "pointerup" && to - from > 8) setZoom([invert(from), invert(to)]);
    };
    svg.addEventListener("pointerup", drop);
    svg.addEventListener("pointercancel", drop);
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("blur", hide);
    svg.addEventListener("dblclick", () => setZoom(null));
    svg.addEventListener("keydown", (event) => {
      if (!frame) return;
      const step = (frame.x1 - frame.x0) / 50;
      /** @type {{[key: string]: number}} */
      const moves = {
        ArrowLeft: -step,
        ArrowRight: step,
        PageUp: -5 * step,
        PageDown: 5 * step,
        Home: -Infinity,
        End: Infinity,
      };
      if (event.key === "Escape") return reading === null ? setZoom(null) : hide();
      if (!(event.key in moves)) return;
      event.preventDefault();
      const x = Math.max(frame.x0, Math.min(frame.x1, (reading ?? frame.x1) + moves[event.key]));
      const box = svg.getBoundingClientRect();
      const said = read(x, box.left + frame.X(x), box.top + 40);
      if (said) tp.say(said);
    });

    new ResizeObserver(([entry]) => {
      width = Math.floor(entry.contentRect.width);
      draw();
    }).observe(host);
    return {
      svg,
      update(next) {
        data = next;
        draw();
      },
      reset: () => setZoom(null),
      isZoomed: () => zoom !== null,
    };
  }

  window.tp.chart = chart;
})();
