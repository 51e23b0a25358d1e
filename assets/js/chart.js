/* `tp.chart`: panels of curves over one x axis, redrawn in place as numbers arrive.
 *
 * One SVG, so that it saves as one figure and takes its colours from the theme. A redraw costs the same for a
 * hundred points and for a hundred thousand: each pixel column of a curve shows its lowest and highest value.
 * Drag to zoom in x, double-click or Escape to see all; the zoom outlives redraws. Hover, or the arrow keys,
 * read values off.
 */
(() => {
  "use strict";

  const { el, number, halves, named, series } = window.tp;

  const LEFT = 46;
  const RIGHT = 10;
  const HEADER = 30; // of a panel: its title and legend
  const BETWEEN = 10; // two panels
  const BOTTOM = 34; // the x axis

  /** Round steps of about `most` ticks over a range: 1, 2 or 5 times a power of ten. */
  function niceStep(range, most) {
    const rough = range / Math.max(1, most);
    const power = 10 ** Math.floor(Math.log10(rough));
    return [1, 2, 5, 10].map((m) => m * power).find((step) => step >= rough * 0.999);
  }

  function ticks(low, high, most) {
    if (!(high > low)) return [low];
    const step = niceStep(high - low, most);
    const out = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) out.push(i * step || 0);
    return out;
  }

  function logTicks(low, high, most) {
    const decades = Math.log10(high / low);
    if (decades < 1) return ticks(low, high, most);
    const out = [];
    const factors = decades < 2 ? [1, 2, 5] : [1];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
      for (const factor of factors) {
        const value = factor * 10 ** power;
        if (value >= low * 0.999 && value <= high * 1.001) out.push(value);
      }
    }
    return out;
  }

  /** The first index whose x is at least `x`. */
  function indexOf(xs, n, x) {
    let low = 0;
    let high = n;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (xs[middle] < x) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The path of a curve between two indices: a point for each value, or two for each pixel column where there are
   * more values than columns. X is a straight line and Y rises or falls, so the extremes of a column are found among
   * the values, and only they are placed. */
  function curve(line, from, to, X, Y) {
    const { x, y } = line;
    const fine = to > from && to - from < X(x[to - 1]) - X(x[from]) ? 8 : 1; // columns for each pixel
    const shift = fine * X(0);
    const scale = fine * X(1) - shift;
    let out = "";
    let pen = "M";
    let column = NaN;
    let low = 0;
    let high = 0;
    let last = 0;
    const flush = () => {
      const [first, second] = last - low < high - last ? [high, low] : [low, high]; // ends near `last`
      const at = `${column / fine},`;
      const place = Y(first);
      if (Number.isFinite(place)) {
        out += pen + at + place.toFixed(1);
        pen = "L";
      } else pen = "M";
      const other = Y(second);
      if (first !== second && pen === "L" && Number.isFinite(other)) out += "L" + at + other.toFixed(1);
    };
    for (let i = from; i < to; i++) {
      const value = y[i];
      const next = value === value ? Math.round(x[i] * scale + shift) : NaN;
      if (next !== column) {
        if (column === column) flush();
        if (value !== value) pen = "M";
        column = next;
        low = high = value;
      } else if (value < low) low = value;
      else if (value > high) high = value;
      last = value;
    }
    if (column === column) flush();
    return out;
  }

  function dots(line, from, to, X, Y, most) {
    const every = Math.max(1, Math.ceil((to - from) / most));
    let out = "";
    for (let i = from; i < to; i++) {
      if ((to - 1 - i) % every) continue;
      const value = Y(line.y[i]);
      if (Number.isFinite(value))
        out += `M${(X(line.x[i]) - 3).toFixed(1)},${value.toFixed(1)}a3,3 0 1,0 6,0a3,3 0 1,0 -6,0`;
    }
    return out;
  }

  /** The lowest and highest value to fit, from the lines that ask for it; `keep` is the share of a spiky
   * line's values that decide. */
  function extent(panel, spans) {
    let low = Infinity;
    let high = -Infinity;
    panel.lines.forEach((line, k) => {
      if (!line.fit) return;
      const [from, to] = spans[k];
      let values = line.y;
      let [a, b] = [from, to];
      if (line.keep && to - from > 20) {
        const every = Math.max(1, Math.floor((to - from) / 2000));
        const some = [];
        for (let i = from; i < to; i += every) some.push(line.y[i]);
        some.sort((p, q) => p - q);
        values = some;
        [a, b] = [0, Math.ceil(some.length * line.keep)];
      }
      for (let i = a; i < b; i++) {
        const value = values[i];
        if (!Number.isFinite(value) || (panel.log && value <= 0)) continue;
        if (value < low) low = value;
        if (value > high) high = value;
      }
    });
    if (low > high) [low, high] = panel.log ? [0.1, 1] : [0, 1];
    if (panel.range) return panel.range;
    if (panel.log) return low === high ? [low / 1.5, high * 1.5] : [low / 1.06, high * 1.06];
    if (panel.zero) low = Math.min(low, 0);
    const pad = (high - low || Math.abs(high) || 1) * 0.06;
    const step = niceStep(high - low + 2 * pad, 20);
    const floor = Math.floor((low - pad) / step) * step;
    return [panel.zero || (low >= 0 && floor < 0) ? 0 : floor, Math.ceil((high + pad) / step) * step];
  }

  /** Build a chart inside `host`. Returns {svg, update(data), reset(), isZoomed(), onZoom}.
   *
   * data: {x: {low, high, name}, panels: [{id, title, unit, height, log, zero, range, most, lines, references}],
   * marks: [{x, text, kind}], summary}. A line is {id, name, style, x, y, n, dots, fit, keep, format}: `x` ascends,
   * the first `n` values count; `style` is the class that colours it ("raw" is faint, without a legend).
   * A reference is {y, text}, a labelled level; a mark is a labelled x.
   */
  function chart(host, { onZoom = () => {} } = {}) {
    const clipId = `tp-clip-${Math.random().toString(36).slice(2)}`;
    const defs = el("defs", {});
    const grid = el("g", { class: "grid" });
    const marksGroup = el("g", { class: "marks" });
    const curves = el("g", { class: "curves" });
    const labels = el("g", { class: "labels" });
    const cross = el("g", { class: "cross", visibility: "hidden" });
    const brush = el("rect", { class: "brush", visibility: "hidden" });
    const svg = el(
      "svg",
      { class: "tp-chart", role: "img", tabindex: "0" },
      defs,
      grid,
      marksGroup,
      curves,
      labels,
      cross,
      brush,
    );
    host.append(svg);

    let data = null;
    let width = host.clientWidth; // kept, since asking would force a layout at every update
    let zoom = null;
    let frame = null; // what the last drawing used: scales and places
    let axes = ""; // what the grid was last drawn for
    const paths = new Map(); // "panel/line/kind" -> <path>
    const clipped = new Map(); // panel -> the <g> that keeps its curves inside

    function draw() {
      if (!data || !width) return;
      const narrow = width < 560;
      const [x0, x1] = zoom ?? [data.x.low, data.x.high];
      const inner = width - LEFT - RIGHT;
      const X = (x) => LEFT + ((x - x0) / (x1 - x0 || 1)) * inner;

      let y = 0;
      const panels = data.panels.map((panel) => {
        const header = HEADER + (narrow && legend(panel).length > 1 ? 18 : 0);
        const top = y + header;
        const bottom = top + panel.height;
        y = bottom + BETWEEN;
        const spans = panel.lines.map((line) => [
          Math.max(0, indexOf(line.x, line.n, x0) - 1),
          Math.min(line.n, indexOf(line.x, line.n, x1) + 1),
        ]);
        const [low, high] = extent(panel, spans);
        const Y = panel.log
          ? (value) => bottom - (Math.log(value / low) / Math.log(high / low)) * panel.height
          : (value) => bottom - ((value - low) / (high - low)) * panel.height;
        return { panel, top, bottom, header, spans, low, high, Y };
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
        svg.setAttribute("width", width);
        svg.setAttribute("height", height);
        svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
        drawGrid(narrow);
      }
      drawCurves(narrow);
      drawMarks();
      svg.setAttribute("aria-label", data.summary);
    }

    const legend = (panel) => panel.lines.filter((line) => line.name && line.style !== "raw");
    const alone = (panel) => panel.lines.length === 1; // its name is the panel's

    function drawGrid(narrow) {
      const { panels, X, x0, x1, inner } = frame;
      const parts = [];
      const textParts = [];
      const across = ticks(x0, x1, Math.max(3, inner / 90)).filter((tick) => tick >= x0 && tick <= x1);
      defs.replaceChildren();
      for (const { panel, top, bottom, header, low, high, Y } of panels) {
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
          el(
            "text",
            { x: 0, y: top - header + 18, class: "title" },
            el("tspan", { text: panel.title }),
            panel.unit && el("tspan", { class: "unit", dx: 7, text: panel.unit }),
          ),
        );
        for (const reference of panel.references ?? []) {
          if (reference.y < low || reference.y > high) continue;
          const place = Y(reference.y);
          parts.push(el("path", { d: `M${LEFT},${place}h${inner}`, class: "reference" }));
          textParts.push(
            el("text", {
              x: LEFT + inner - 4,
              y: place - 5 < top + 8 ? place + 14 : place - 5,
              "text-anchor": "end",
              class: "reference-text",
              text: reference.text,
            }),
          );
        }
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
        el("text", {
          x: LEFT + inner,
          y: bottom + 31,
          "text-anchor": "end",
          class: "unit",
          text: data.x.name,
        }),
      );
      grid.replaceChildren(...parts);
      labels.replaceChildren(...textParts);
      drawLegends(narrow, true);
    }

    const legends = new Map();

    /** Swatch, name and newest value of every line, on the right of the panel's header. */
    function drawLegends(narrow, rebuild) {
      for (const { panel, top } of frame.panels) {
        const items = legend(panel);
        if (rebuild) {
          const group = el(
            "g",
            {},
            items.map((line) => {
              const value = el("tspan", { class: "value", dx: 6 });
              const label = el(
                "text",
                { class: alone(panel) ? "legend alone" : "legend" },
                el("tspan", { text: alone(panel) ? "" : line.name }),
                value,
              );
              const swatch = alone(panel)
                ? null
                : line.dots
                  ? el("circle", { r: 3.25, class: `dots ${line.style}` })
                  : el("path", { d: "M-7,0h14", class: `curve ${line.style}` });
              return el("g", {}, swatch, label);
            }),
          );
          legends.get(panel.id)?.remove();
          legends.set(panel.id, group);
          labels.append(group);
        }
        const nodes = [...legends.get(panel.id).children];
        const y = top - 12;
        let x = narrow && items.length > 1 ? LEFT : frame.width - RIGHT;
        const rightwards = narrow && items.length > 1;
        (rightwards ? items : items.slice().reverse()).forEach((line) => {
          const node = nodes[items.indexOf(line)];
          const value = line.n ? (line.format ?? number)(line.y[line.n - 1]) : "";
          const valueNode = node.lastChild.lastChild;
          if (valueNode.textContent !== value) valueNode.textContent = value;
          // Widths are estimated, not measured: measuring would force a layout at every update.
          const wide = alone(panel) ? 0 : 22 + 6.3 * (halves(line.name) + 7);
          if (!rightwards) x -= wide;
          const transform = `translate(${x.toFixed(1)},${y})`;
          if (node.getAttribute("transform") !== transform) node.setAttribute("transform", transform);
          if (rightwards) x += wide + 6;
        });
      }
    }

    function drawCurves(narrow) {
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
      drawLegends(narrow, false);
    }

    function inside(panel) {
      if (!clipped.has(panel.id)) {
        const group = el("g", { "clip-path": `url(#${clipId}-${panel.id})` });
        clipped.set(panel.id, group);
        curves.append(group);
      }
      return clipped.get(panel.id);
    }

    let marksDrawn = "";
    function drawMarks() {
      const { X, x0, x1, panels } = frame;
      const state = axes + JSON.stringify(data.marks);
      if (state === marksDrawn) return;
      marksDrawn = state;
      const top = panels[0].top;
      let free = -Infinity;
      const parts = [];
      for (const mark of data.marks) {
        if (mark.x < x0 || mark.x > x1) continue;
        const place = X(mark.x);
        for (const panel of panels)
          parts.push(el("path", { d: `M${place},${panel.top}V${panel.bottom}`, class: `mark ${mark.kind}` }));
        const wide = 6.4 * halves(mark.text) + 10;
        const left = Math.min(place + 5, frame.width - wide);
        if (left > free) {
          parts.push(el("text", { x: left, y: top + 12, class: `mark-text ${mark.kind}`, text: mark.text }));
          free = left + wide;
        }
      }
      marksGroup.replaceChildren(...parts);
    }

    /* -------------------------------------------------------------- reading values off */

    let reading = null; // the x under the cross-hair

    function read(x, clientX, clientY) {
      if (!frame) return;
      const main = data.panels[0].lines.find((line) => line.n) ?? null;
      if (!main) return;
      let i = indexOf(main.x, main.n, x);
      if (i > 0 && (i === main.n || x - main.x[i - 1] < main.x[i] - x)) i -= 1;
      reading = main.x[i];
      const place = frame.X(reading);
      const parts = frame.panels.map((p) => el("path", { d: `M${place},${p.top}V${p.bottom}` }));
      const facts = [];
      for (const { panel, Y, top, bottom } of frame.panels) {
        for (const line of panel.lines) {
          if (!line.name || !line.n) continue;
          const k = Math.min(line.n - 1, indexOf(line.x, line.n, reading + 1e-9) - 1);
          if (k < 0) continue;
          const value = line.y[k];
          const height = Y(value);
          if (line.style !== "raw" && height >= top - 1 && height <= bottom + 1) {
            parts.push(
              el("circle", { cx: frame.X(line.x[k]), cy: height, r: 3.5, class: `dots ${line.style}` }),
            );
          }
          facts.push([line.name, (line.format ?? number)(value)]);
        }
      }
      cross.replaceChildren(...parts);
      cross.setAttribute("visibility", "visible");
      const here = data.marks
        .filter((mark) => Math.abs(frame.X(mark.x) - place) < 4)
        .map((mark) => mark.text);
      const heading = `${data.x.name} ${reading.toLocaleString("en-US")}`;
      tp.tip(
        el(
          "div",
          {},
          el("strong", { text: heading }),
          el(
            "table",
            { class: "tp-facts" },
            facts.map(([name, value]) => el("tr", {}, el("td", { text: name }), el("td", { text: value }))),
          ),
          here.map((text) => el("div", { text })),
        ),
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

    let dragged = null;
    const clamp = (x) => Math.max(LEFT, Math.min(frame.width - RIGHT, x));
    const at = (event) => event.clientX - svg.getBoundingClientRect().left;
    const invert = (place) => frame.x0 + ((place - LEFT) / frame.inner) * (frame.x1 - frame.x0);

    function setZoom(next) {
      zoom = next;
      draw();
      onZoom(zoom);
    }

    svg.addEventListener("pointerdown", (event) => {
      if (!frame || event.button) return;
      dragged = clamp(at(event));
      svg.setPointerCapture(event.pointerId);
    });
    svg.addEventListener("pointermove", (event) => {
      if (!frame) return;
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
        for (const [name, value] of Object.entries(values)) brush.setAttribute(name, value);
      } else read(invert(place), event.clientX, event.clientY);
    });
    const drop = (event) => {
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
