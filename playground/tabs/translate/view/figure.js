/* The two sentences and the lines between them, or within one of them. Source above and translation below where
 * both fit in a line, else as two columns. Chip 0 of the translation is BEGIN; target t is chip t + 1. */
const CHIP = { height: 34, gap: 6, pad: 9, space: 9, least: 30, pitch: 40, dense: { height: 26, pitch: 30, rows: 20 } };
/** @typedef {{ x: number, y: number, width: number }} Place  of a chip */
/** @typedef {{ width: number, height: number, chip: number, wide: boolean } & { [side in Side]: Place[] }} Layout */
const SIDES = /** @type {const} */ (["source", "target"]);
const LEAST_LINE = 0.015; // weights below it get no line

function makeFigure(/** @type {Pointing} */ { held, hovered }) {
  const host = el("div", { class: "figure" });
  const readout = el("p", { class: "readout" });
  const measure = el("canvas").getContext("2d");
  const widthOf = (/** @type {string} */ text) => measure?.measureText(text).width ?? 0;
  let svg = el("svg");
  /** @type {Layout} */
  let layout = { width: 0, height: 0, chip: 0, wide: true, source: [], target: [] };
  /** @type {{ [side in Side]: ReturnType<typeof chip>[] }} */
  let chips = { source: [], target: [] };
  let lineGroup = el("g");
  /** @type {{ row: number, column: number, weight: number, path: SVGElement }[]} */
  let lines = [];
  let built = ""; // for what the chips were built
  /** @type {Weights | null} */
  let drawn = null; // for which weights the lines were

  /* ------------------------------------------------------------ places */

  const chipWidth = (/** @type {string} */ text) => {
    const { space, word: shown } = tokenParts(text);
    return Math.max(CHIP.least, Math.ceil(widthOf(shown)) + 2 * CHIP.pad + (space ? CHIP.space : 0));
  };

  /** Do most of its letters run from right to left? Then so do its chips. */
  function leftward(/** @type {string[]} */ tokens) {
    const text = tokens.join("");
    const right = (text.match(/[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}]/gu) ?? []).length;
    return right * 2 > (text.match(/\p{L}/gu) ?? []).length;
  }

  /** @returns {Layout} */
  function place() {
    const width = Math.max(240, host.clientWidth || 700);
    if (measure) measure.font = `15px ${tp.colour("--tp-sans")}`;
    /** @type {{ [side in Side]: string[] }} */
    const rows = { source: frame.sources, target: [TEXT.begin, ...frame.targets] };
    const sizes = { source: rows.source.map(chipWidth), target: rows.target.map(chipWidth) };
    let { gap } = CHIP;
    const long = (/** @type {Side} */ name) => sizes[name].reduce((sum, size) => sum + size + gap, -gap);
    const wide = width > 500 && Math.max(long("source"), long("target")) <= width - 2;
    if (wide) {
      const between = Math.max(sizes.source.length, sizes.target.length) - 1;
      gap += Math.max(0, Math.min(14, (0.85 * width - Math.max(long("source"), long("target"))) / between));
      const band = Math.min(165, Math.max(120, width * 0.125));
      const at = { source: 24, target: 24 + CHIP.height + band };
      /** @type {Layout} */
      const out = { width, height: at.target + CHIP.height + 24, chip: CHIP.height, wide, source: [], target: [] };
      for (const name of SIDES) {
        let x = (width - long(name)) / 2;
        const mirrored = leftward(rows[name]);
        sizes[name].forEach((size, i) => {
          out[name][i] = { x: mirrored ? width - x - size : x, y: at[name], width: size };
          x += size + gap;
        });
      }
      return out;
    }
    const inner = Math.min(width - 2, 620);
    const most = (inner - 96) / 2;
    const name = (/** @type {Side} */ row) => 0.82 * widthOf(rowName(row)); // it stands above, in smaller letters
    const column = (/** @type {Side} */ row) => Math.min(most, Math.max(name(row), ...sizes[row]));
    const columns = { source: column("source"), target: column("target") };
    const band = Math.min(230, Math.max(96, inner - columns.source - columns.target));
    const left = (width - columns.source - columns.target - band) / 2;
    const count = Math.max(sizes.source.length, sizes.target.length);
    const { height: chip, pitch } = count > CHIP.dense.rows ? CHIP.dense : CHIP;
    /** @type {Layout} */
    const out = { width, height: 24 + count * pitch, chip, wide, source: [], target: [] };
    sizes.source.forEach((size, i) => {
      const real = Math.min(size, most);
      out.source[i] = { x: left + columns.source - real, y: 24 + i * pitch, width: real };
    });
    sizes.target.forEach((size, i) => {
      out.target[i] = { x: left + columns.source + band, y: 24 + i * pitch, width: Math.min(size, most) };
    });
    return out;
  }

  /** As much of a word as there is room for.
   *
   * @param {string} shown @param {number} room */
  function fitting(shown, room) {
    if (widthOf(shown) <= room) return shown;
    const chars = [...shown];
    while (chars.length > 1 && widthOf(`${chars.join("")}…`) > room) chars.pop();
    return `${chars.join("")}…`;
  }

  /** What a row is, and in which language, as far as that is known. */
  function rowName(/** @type {Side} */ row) {
    const [from, to] = history.about?.languages ?? [];
    return row === "source" ? TEXT.sourceRow(from) : TEXT.targetRow(to);
  }

  /* ------------------------------------------------------------ building */

  function build() {
    layout = place();
    const { width, height, wide } = layout;
    lineGroup = el("g", { class: "lines", "aria-hidden": "true" });
    chips = {
      source: frame.sources.map((text, i) => chip("source", i, text, layout.source[i], i + 1, frame.unknown.has(i))),
      target: [TEXT.begin, ...frame.targets].map((text, i) => chip("target", i, text, layout.target[i], i, false)),
    };
    /** @param {Side} name @param {string} anchor */
    const first = (name, anchor) => {
      const x = layout[name].map((at) => at.x);
      return anchor === "end" ? Math.max(...layout[name].map((at) => at.x + at.width)) : Math.min(...x);
    };
    const names = [
      el("text", {
        class: "row-name",
        x: first("source", wide ? "start" : "end"),
        y: 14,
        "text-anchor": wide ? "start" : "end",
        text: rowName("source"),
      }),
      el("text", {
        class: "row-name",
        x: first("target", "start"),
        y: wide ? height - 6 : 14,
        text: rowName("target"),
      }),
    ];
    const fresh = tp.drawing(
      width,
      height,
      { class: "sentences", id: "translate-figure", role: "listbox", tabindex: 0 },
      [names, lineGroup, chips.source.map(({ node }) => node), chips.target.map(({ node }) => node)],
    );
    fresh.addEventListener("pointermove", moved);
    fresh.addEventListener("pointerleave", () => hovered(null));
    fresh.addEventListener("click", clicked);
    fresh.addEventListener("keydown", keys);
    const focused = document.activeElement === svg;
    svg = fresh;
    host.replaceChildren(svg);
    if (focused) svg.focus({ preventScroll: true });
    drawn = null;
  }

  function chip(
    /** @type {Side} */ row,
    /** @type {number} */ index,
    /** @type {string} */ text,
    /** @type {Place} */ { x, y, width },
    /** @type {number} */ place,
    /** @type {boolean} */ unknown,
  ) {
    const parts = tokenParts(text);
    const special =
      /^⟨.*⟩$/.test(text) && (row === "target" ? index === 0 || index === frame.T : index === frame.S - 1);
    const begin = row === "target" && index === 0;
    const name = row === "source" ? TEXT.sourceToken(parts.word, place) : TEXT.targetToken(parts.word, place);
    const height = layout.chip;
    const tint = el("rect", { class: "tint", x, y, width, height, rx: 6, "fill-opacity": 0 });
    const box = el("rect", { class: "box", x: x + 0.5, y: y + 0.5, width: width - 1, height: height - 1, rx: 6 });
    const room = width - 2 * CHIP.pad - (parts.space ? CHIP.space : 0) + 1;
    const label = el("text", { x: x + width / 2, y: y + height / 2 + 5, "text-anchor": "middle", translate: "no" }, [
      parts.space && el("tspan", { class: "space", text: tp.visible(" ") }),
      el("tspan", { text: fitting(parts.word, room) }),
    ]);
    const node = el(
      "g",
      {
        class: `chip ${special ? "special" : ""} ${unknown ? "unknown" : ""}`,
        "data-row": begin ? "begin" : row,
        "data-index": begin ? 0 : row === "target" ? index - 1 : index,
        id: `translate-${begin ? "begin" : `${row}-${row === "target" ? index - 1 : index}`}`,
        role: begin ? "presentation" : "option",
        "aria-label": begin ? null : name,
      },
      tint,
      box,
      label,
    );
    return {
      node,
      tint,
      label,
      x: x + width / 2,
      left: x,
      right: x + width,
      top: y,
      bottom: y + height,
      middle: y + height / 2,
    };
  }

  /* ------------------------------------------------------------ lines */

  /** The way from what looks (a row) to what is looked at (a column).
   *
   * @param {number} row @param {number} column */
  function way(row, column) {
    const { wide } = layout;
    if (state.of === "cross") {
      const from = chips.source[column];
      const to = chips.target[row + 1];
      if (wide) {
        const middle = (from.bottom + to.top) / 2;
        return `M${from.x},${from.bottom} C${from.x},${middle} ${to.x},${middle} ${to.x},${to.top}`;
      }
      const middle = (from.right + to.left) / 2;
      return `M${from.right},${from.middle} C${middle},${from.middle} ${middle},${to.middle} ${to.left},${to.middle}`;
    }
    const own = state.of === "encoder" ? chips.source : chips.target;
    const from = own[state.of === "encoder" ? row : row + 1];
    const to = own[column];
    const side = state.of === "encoder" ? 1 : -1;
    if (wide) {
      const y = side > 0 ? from.bottom : from.top;
      const room = Math.abs(chips.target[0].top - chips.source[0].bottom) * 1.2;
      const bent = y + side * 26;
      if (from === to) return `M${from.x - 5},${y} C${from.x - 13},${bent} ${from.x + 13},${bent} ${from.x + 5},${y}`;
      const deep = y + side * Math.min(room, 22 + Math.abs(from.x - to.x) * 0.42);
      return `M${from.x},${y} C${from.x},${deep} ${to.x},${deep} ${to.x},${y}`;
    }
    const x = side > 0 ? from.right : from.left;
    const [bent, y] = [x + side * 24, from.middle];
    if (from === to) return `M${x},${y - 4} C${bent},${y - 13} ${bent},${y + 13} ${x},${y + 4}`;
    const room = Math.abs(chips.target[0].left - chips.source[0].right) * 1.2;
    const deep = x + side * Math.min(room, 18 + Math.abs(from.middle - to.middle) * 0.42);
    return `M${x},${from.middle} C${deep},${from.middle} ${deep},${to.middle} ${x},${to.middle}`;
  }

  function buildLines(/** @type {Weights} */ found) {
    lines = [];
    for (let row = 0; row < found.rows; row++) {
      for (let column = 0; column < found.columns; column++) {
        const weight = found.at(row, column);
        if (weight < LEAST_LINE) continue;
        lines.push({
          row,
          column,
          weight,
          path: el("path", { d: way(row, column), "data-row": row, "data-column": column }),
        });
      }
    }
    lineGroup.replaceChildren(...lines.map(({ path }) => path));
    drawn = found;
  }

  /* ------------------------------------------------------------ drawing */

  function draw() {
    if (!frame.run) return;
    const key = JSON.stringify([
      frame.sources,
      frame.targets,
      frame.unknown.size,
      host.clientWidth,
      document.body.className,
    ]);
    if (key !== built) {
      built = key;
      build();
    }
    const found = weights();
    if (drawn !== found) buildLines(found);
    const count = shownCount();
    const focus = focusOf();
    const line = lineOf(focus);
    for (const each of lines) {
      const on = line && (line.row === undefined ? each.column === line.column : each.row === line.row);
      const shown = rowShown(each.row);
      const { weight } = each;
      const strength = on ? 0.2 + 0.8 * weight : line ? 0.05 + 0.12 * weight : 0.03 + 0.85 * weight ** 1.2;
      each.path.setAttribute("stroke-opacity", shown ? strength.toFixed(3) : "0");
      each.path.setAttribute("stroke-width", (on ? 1 + 5 * weight : 0.75 + 3.25 * weight).toFixed(2));
      each.path.setAttribute("class", on ? "on" : "");
    }
    for (const row of SIDES) {
      chips[row].forEach(({ node, tint }, i) => {
        const index = row === "target" ? i - 1 : i;
        const share = tintOf(found, line, row, i);
        tint.setAttribute("fill-opacity", (0.85 * share).toFixed(3));
        const classes = node.classList;
        classes.toggle("strong", share > 0.6);
        classes.toggle("focus", focus?.row === row && focus.index === index);
        classes.toggle("held", state.held?.row === row && state.held.index === index);
        classes.toggle("later", row === "target" && index >= count);
        classes.toggle("coming", row === "target" && index === count);
        classes.toggle("given", row === "target" && index >= 0 && index < frame.start);
        classes.toggle(
          "idle",
          (state.of === "encoder" && row === "target") || (state.of === "decoder" && row === "source"),
        );
        if (index >= 0) node.setAttribute("aria-selected", String(focus?.row === row && focus.index === index));
      });
    }
    svg.setAttribute("aria-label", TEXT.figure(TEXT.of[state.of], frame.text, frame.written));
    if (focus) svg.setAttribute("aria-activedescendant", `translate-${focus.row}-${focus.index}`);
    else svg.removeAttribute("aria-activedescendant");
    drawReadout(line);
    Object.assign(root.dataset, {
      focus: focus ? `${focus.row}-${focus.index}` : "",
      lines: String(lines.filter((l) => rowShown(l.row)).length),
    });
  }

  /** How strongly the chip is looked at, 0 to 1.
   *
   * @param {Weights} found @param {Line | null} line @param {Side} row @param {number} i */
  function tintOf(found, line, row, i) {
    if (!line) return 0;
    if (line.row !== undefined) {
      const looked = state.of === "decoder" ? "target" : "source";
      return row === looked && i < found.columns ? found.at(line.row, i) : 0;
    }
    return row === "target" && i > 0 && rowShown(i - 1) ? found.at(i - 1, line.column) : 0;
  }

  function drawReadout(/** @type {Line | null} */ line) {
    if (!line) return put(readout, TEXT.figureHelp);
    const { title, listed } = reading(line);
    const parts = [el("span", { text: `${title} ` })];
    if (!listed.length) parts.push(el("span", { text: TEXT.nobody }));
    listed.forEach(({ token, share }, i) =>
      parts.push(
        el("span", { class: "looked" }, [
          el("b", { translate: "no", text: word(token) }),
          ` ${rounded(share)}${i < listed.length - 1 ? TEXT.comma : ""}`,
        ]),
        el("span", { text: " " }),
      ),
    );
    if (state.hover?.row === "source" && state.of !== "decoder" && frame.unknown.has(state.hover.index))
      parts.push(el("span", { text: ` ${TEXT.unknownToken}` }));
    readout.replaceChildren(...parts);
  }

  /* ------------------------------------------------------------ pointing */

  /** @returns {Focus | null} */
  function target(/** @type {Event} */ event) {
    /** @type {SVGElement | null} */
    const node = event.target instanceof Element ? event.target.closest(".chip") : null;
    const row = SIDES.find((side) => side === node?.dataset.row);
    if (!node || !row || node.classList.contains("later")) return null;
    return { row, index: Number(node.dataset.index) };
  }
  function moved(/** @type {PointerEvent} */ event) {
    if (event.pointerType !== "touch") hovered(target(event));
  }
  function clicked(/** @type {Event} */ event) {
    held(target(event));
  }

  function keys(/** @type {KeyboardEvent} */ event) {
    const { key } = event;
    if (key === "Escape") {
      if (!state.held && !state.hover) return;
      event.preventDefault();
      return held(null);
    }
    /** @type {Focus} */
    const now = state.hover ?? state.held ?? { row: "target", index: -1 };
    const last = { source: frame.S - 1, target: shownCount() - 1 };
    /** @type {(row: Side, index: number) => Focus | null} */
    const to = (row, index) => (last[row] < 0 ? null : { row, index: Math.max(0, Math.min(last[row], index)) });
    const along = layout.wide ? ["ArrowLeft", "ArrowRight"] : ["ArrowUp", "ArrowDown"];
    const across = layout.wide ? ["ArrowUp", "ArrowDown"] : ["ArrowLeft", "ArrowRight"];
    /** @type {Focus | null} */
    let next = null;
    if (key === along[0]) next = to(now.row, now.index - 1);
    else if (key === along[1]) next = to(now.row, now.index + 1);
    else if (key === across[0]) next = to("source", now.index);
    else if (key === across[1]) next = to("target", now.index);
    else if (key === "Home") next = to(now.row, 0);
    else if (key === "End") next = to(now.row, last[now.row]);
    else if (key !== "Enter") return;
    event.preventDefault();
    if (key === "Enter") return held(state.hover ?? state.held);
    state.held = null;
    hovered(next);
    const line = lineOf(next);
    if (line) {
      const { title, listed } = reading(line);
      tp.say(`${title} ${tp.series(listed.map(({ token, share }) => `${word(token)} ${rounded(share)}`))}`);
    }
  }

  new ResizeObserver(() => schedule(draw)).observe(host);
  const saves = tp.saveBar({ figure: () => svg, rows: weightRows, name: () => fileName(`${state.of}-lines`) });
  return {
    node: el("div", { class: "figure-frame" }, host, el("div", { class: "beside" }, readout, saves)),
    host,
    draw,
    again: () => (built = ""),
  };
}
