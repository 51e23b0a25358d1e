/* A text, once for each expert layer, each token in the colour of its strongest expert; and one token in detail. */
const LISTED = 12; // experts listed for a token
const DELAY = 350; // ms after the last key before a text is read

/** @typedef {{ text: string | null, shown: string[], size: number, routing: Uint8Array }} Unpacked */
/** @typedef {Omit<Answers.RoutedText, "routing"> & Unpacked} Frame */
/** @typedef {{ expert: number, probability: number, gate: number }} Gate */
/** @typedef {{ cell: HTMLElement, number: HTMLElement, drawn: number | null }} DrawnCell */
/** @type {Frame} */
const NO_FRAME = {
  ...{ run: "", step: 0, pieces: [], rest: "", limit: 0, stored: false, recorded: false },
  ...{ text: null, shown: [], size: 0, routing: new Uint8Array() },
};
let frame = NO_FRAME; // what is drawn

function makeTokens() {
  /** @type {HTMLTextAreaElement} */
  const input = el("textarea", {
    id: "experts-text",
    rows: 2,
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "off",
    on: { input: typed, keydown: (event) => event.key === "Escape" && input.blur() },
  });
  const hint = el("p", { class: "hint" });
  const message = el("p", { class: "message", role: "alert", hidden: true });
  const grid = el("div", { class: "token-grid", role: "grid", tabindex: 0, "aria-label": TEXT.gridLabel });
  const routedAt = el("p", { class: "hint routed-at" });
  const detail = el("div", { class: "detail" });
  const node = el("section", { class: "tokens" }, [
    el("h3", { text: TEXT.tokens }),
    el("p", { class: "help", text: TEXT.tokensHelp }),
    el("div", { class: "field" }, el("label", { for: "experts-text", text: TEXT.text }), input, hint, message),
    el("div", { class: "token-pair" }, [
      el("div", { class: "token-side" }, [
        grid,
        el("div", { class: "saves" }, [
          routedAt,
          tp.saveBar({ figure: picture, rows: tokenRows, name: () => fileName(`${FILES.tokens}-step-${frame.step}`) }),
        ]),
      ]),
      detail,
    ]),
  ]);
  /** @type {Map<string, Frame>} */
  const frames = new tp.Recent(120);
  /** @type {DrawnCell[][]} */
  let cells = []; // row -> token -> {node, number}
  let structure = "";

  /* ------------------------------------------------------------ asking */

  let timer = 0;
  function typed() {
    clearTimeout(timer);
    grow();
    timer = setTimeout(() => {
      state.text = input.value;
      Object.assign(state, { token: 0, locked: false, hover: null });
      address.save();
      look();
    }, DELAY);
  }
  function grow() {
    input.style.height = "auto";
    input.style.height = `${Math.min(input.scrollHeight + 2, 160)}px`;
  }

  /** The step whose routing the server would give for the cursor's. */
  function wantedStep() {
    const steps = state.text === null && first.probes.length ? first.probes : first.saved;
    return steps.length ? steps[nearestOf(steps, cursorStep())] : null;
  }

  let running = false;
  let again = false;

  /** Show the text at the cursor's step: one question at a time, and the newest wins. */
  async function look() {
    if (!first.experts) return;
    if (running) {
      again = true;
      return;
    }
    running = true;
    do {
      again = false;
      const { run } = first;
      const step = wantedStep();
      const text = state.text;
      if (step === null) break;
      const key = JSON.stringify([run, step, text]);
      let found = frames.get(key);
      if (!found) {
        const answer = await call("look", run, step, text);
        if (run !== first.run) {
          again = true;
          continue;
        }
        message.hidden = !answer.error;
        put(message, answer.error ?? "");
        if (answer.error) continue;
        const { pieces } = answer;
        found = { ...answer, text, shown: pieces.map(visible), size: pieces.length, routing: tp.bytes(answer.routing) };
        frames.set(key, found);
      }
      message.hidden = true;
      if (text === state.text) show(found);
    } while (again);
    running = false;
  }

  /* ------------------------------------------------------------ drawing */

  function show(/** @type {Frame} */ found) {
    frame = found;
    state.token = Math.min(state.token, frame.size - 1);
    if (document.activeElement !== input && input.value !== (state.text ?? frame.pieces.join(""))) {
      input.value = state.text ?? frame.pieces.join("");
      grow();
    }
    const parts = [el("span", { text: TEXT.textHint(frame.size, frame.limit) })];
    if (frame.rest) {
      parts.push(
        el("span", { text: ` ${TEXT.textCut} ` }),
        el("s", { class: "rest", translate: "no", text: tp.beginning(frame.rest, visible) }),
      );
    }
    if (state.text !== null)
      parts.push(
        el("span", { text: " " }),
        tp.button(first.probes.length ? TEXT.textReset : TEXT.textBegin, { class: "link" }, reset),
      );
    hint.replaceChildren(...parts);
    put(routedAt, TEXT.routedAt(frame.step, frame.recorded));
    root.dataset.textStep = String(frame.step);
    draw();
  }

  function reset() {
    Object.assign(state, { text: null, token: 0, locked: false, hover: null });
    address.save();
    look();
  }

  /** @param {number} which @param {number} layer @param {number} token @param {number} expert */
  const value = (which, layer, token, expert) =>
    frame.routing[((which * first.layers.length + layer) * frame.size + token) * first.experts + expert];

  /** The expert with the largest gate, or null where none took the token.
   *
   * @param {number} layer @param {number} token */
  function strongest(layer, token) {
    let best = null;
    let most = 0;
    for (let expert = 0; expert < first.experts; expert++) {
      const gate = value(1, layer, token, expert);
      const probability = value(0, layer, token, expert);
      if (gate && gate * 256 + probability > most) [best, most] = [expert, gate * 256 + probability];
    }
    return best;
  }

  function draw() {
    if (!frame.run || frame.run !== first.run) {
      grid.replaceChildren();
      detail.replaceChildren();
      structure = "";
      return;
    }
    const layers = shownLayers();
    if (!layers.includes(state.row)) state.row = layers[0];
    const wanted = JSON.stringify([frame.run, layers, frame.pieces]);
    if (wanted !== structure) {
      structure = wanted;
      cells = [];
      grid.replaceChildren(
        ...layers.map((layer) => {
          const row = frame.shown.map((piece, token) => {
            const number = el("small", {});
            const blank = frame.pieces[token].trim() === "" ? " blank" : "";
            const cell = el(
              "span",
              {
                class: `cell${blank}`,
                role: "gridcell",
                id: `experts-cell-${layer}-${token}`,
                "data-token": token,
                "data-row": layer,
              },
              tp.unsaid(el("span", { class: "piece", translate: "no", text: piece }), number),
            );
            return { cell, number, drawn: null };
          });
          cells[layer] = row;
          return el("div", { class: "token-row", role: "row" }, [
            el("span", { class: "row-name", role: "rowheader", text: TEXT.layerName(first.layers[layer]) }),
            el("span", { class: "row-cells", role: "presentation" }, [row.map(({ cell }) => cell)]),
          ]);
        }),
      );
    }
    for (const layer of layers) {
      cells[layer].forEach((one, token) => {
        const expert = strongest(layer, token);
        if (one.drawn === expert) return; // most stay as they are
        one.drawn = expert;
        one.cell.style.background = expert === null ? "" : expertColour(expert);
        one.cell.style.color = expert === null ? "" : expertInk(expert);
        one.number.textContent = expert === null ? TEXT.noExpert : String(expert + 1);
        one.cell.setAttribute("aria-label", TEXT.cellLabel(frame.shown[token], first.layers[layer], expert));
      });
    }
    drawToken();
  }

  const shownToken = () => (state.locked || !state.hover ? { token: state.token, row: state.row } : state.hover);

  /** @type {HTMLElement[]} */
  let marked = [];
  function drawToken() {
    if (!frame.run || !cells.length) return;
    const { token, row } = shownToken();
    marked.forEach((node) => node.classList.remove("chosen", "same"));
    marked = shownLayers().flatMap((layer) => cells[layer]?.[token]?.cell ?? []);
    marked.forEach((node) => node.classList.add(Number(node.dataset.row) === row ? "chosen" : "same"));
    grid.setAttribute("aria-activedescendant", `experts-cell-${row}-${token}`);
    grid.classList.toggle("held", state.locked);
    Object.assign(root.dataset, { token, row, locked: state.locked });
    const block = first.layers[row];
    detail.replaceChildren(
      el("p", { class: "detail-title" }, [
        el("span", { class: "big-token", translate: "no", text: frame.shown[token] }),
        el("span", { class: "muted", text: TEXT.place(token, block) }),
        state.locked && el("span", { class: "held-mark", text: TEXT.held }),
      ]),
      el("h4", { text: TEXT.gates }),
      gates(row, token),
      el("h4", { text: TEXT.path }),
      path(token),
    );
  }

  /** Every expert's probability: those that were chosen first, then the cut, then the others.
   *
   * @param {number} layer @param {number} token */
  function gates(layer, token) {
    const all = Array.from({ length: first.experts }, (_, expert) => ({
      expert,
      probability: value(0, layer, token, expert) / 255,
      gate: value(1, layer, token, expert) / 255,
    }));
    /** @param {Gate} a @param {Gate} b */
    const byProbability = (a, b) => b.probability - a.probability || a.expert - b.expert;
    const chosen = all.filter(({ gate }) => gate > 0).sort(byProbability);
    const others = all.filter(({ gate }) => gate === 0).sort(byProbability);
    const listed = others.slice(0, Math.max(3, LISTED - chosen.length));
    const rest = others.slice(listed.length);
    const line = (/** @type {Gate} */ { expert, probability, gate }) => {
      const bar = el("span", { class: "bar" });
      bar.style.width = `${100 * probability}%`;
      bar.style.background = expertColour(expert);
      return el("li", { class: gate ? "taken" : "", "data-expert": expert }, [
        chip(expert),
        el("span", { class: "bar-track" }, bar),
        el("span", { class: "share", text: rounded(probability) }),
        el("span", { class: "gate", text: gate ? TEXT.gate(gate.toFixed(2)) : "" }),
      ]);
    };
    const expected = first.about?.router === "expert_choice" ? chosen.length : (first.about?.top_k ?? 0);
    return el("ol", { class: "gates", "aria-label": TEXT.gatesLabel(frame.shown[token], first.layers[layer]) }, [
      chosen.map(line),
      el("li", { class: "cut" }, el("span", { text: TEXT.cut(expected, chosen.length) })),
      listed.map(line),
      rest.length
        ? el("li", { class: "rest-line" }, [
            el("span", {
              text: TEXT.others(rest.length, rounded(rest.reduce((sum, { probability }) => sum + probability, 0))),
            }),
          ])
        : null,
    ]);
  }

  /** The token's experts, block by block. */
  function path(/** @type {number} */ token) {
    return el("ol", { class: "path", "aria-label": TEXT.pathLabel }, [
      first.layers.map((block, layer) => {
        const taken = [];
        for (let expert = 0; expert < first.experts; expert++) {
          const gate = value(1, layer, token, expert);
          if (gate) taken.push({ expert, gate: gate / 255 });
        }
        taken.sort((a, b) => b.gate - a.gate);
        return el("li", {}, [
          el("span", { class: "muted", text: TEXT.layerName(block) }),
          taken.length
            ? taken
                .slice(0, 8)
                .map(({ expert, gate }) =>
                  el("span", { class: "step" }, chip(expert), el("span", { text: gate.toFixed(2) })),
                )
            : el("span", { text: TEXT.noExpert }),
        ]);
      }),
    ]);
  }

  /* ------------------------------------------------------------ pointer and keyboard */

  /** @returns {HTMLElement | null} */
  const cellOf = (/** @type {Event} */ event) =>
    event.target instanceof Element ? event.target.closest("[data-token]") : null;
  grid.addEventListener("pointermove", (event) => {
    const cell = cellOf(event);
    if (!cell || event.pointerType === "touch" || state.locked) return;
    state.hover = { token: Number(cell.dataset.token), row: Number(cell.dataset.row) };
    schedule(drawToken);
  });
  grid.addEventListener("pointerleave", () => {
    if (!state.hover) return;
    state.hover = null;
    schedule(drawToken);
  });
  grid.addEventListener("click", (event) => {
    const cell = cellOf(event);
    if (!cell) return;
    const [token, row] = [Number(cell.dataset.token), Number(cell.dataset.row)];
    hold(token, row, !(state.locked && state.token === token && state.row === row));
  });
  grid.addEventListener("keydown", (event) => {
    if (!frame.run) return;
    const layers = shownLayers();
    const at = layers.indexOf(state.row);
    /** @type {{ [key: string]: [token: number, row: number] }} */
    const moves = {
      ArrowLeft: [Math.max(0, state.token - 1), state.row],
      ArrowRight: [Math.min(frame.size - 1, state.token + 1), state.row],
      ArrowUp: [state.token, layers[Math.max(0, at - 1)]],
      ArrowDown: [state.token, layers[Math.min(layers.length - 1, at + 1)]],
      Home: [0, state.row],
      End: [frame.size - 1, state.row],
    };
    if (event.key in moves) hold(...moves[event.key], state.locked);
    else if (event.key === "Enter" || event.key === " ") hold(state.token, state.row, !state.locked);
    else if (event.key === "Escape" && state.locked) hold(state.token, state.row, false);
    else return;
    event.preventDefault();
    tp.say(TEXT.cellLabel(frame.shown[state.token], first.layers[state.row], strongest(state.row, state.token)));
  });

  /** @param {number} token @param {number} row @param {boolean} locked */
  function hold(token, row, locked) {
    const otherRow = row !== state.row;
    Object.assign(state, { token, row, locked, hover: null });
    schedule(drawToken);
    if (otherRow && state.layer === null) schedule(() => special.draw());
  }

  function tokenRows() {
    /** @type {Row[]} */
    const rows = [TEXT.csv.tokens];
    for (const layer of shownLayers()) {
      for (let token = 0; token < frame.size; token++) {
        for (let expert = 0; expert < first.experts; expert++) {
          const values = [0, 1].map((which) => (value(which, layer, token, expert) / 255).toFixed(3));
          rows.push([first.layers[layer] + 1, token + 1, frame.pieces[token], expert + 1, ...values]);
        }
      }
    }
    return rows;
  }

  /** The coloured text as a picture: the same lines for every block. */
  function picture() {
    const [wide, high, left, line] = [20, 32, 64, 48];
    const layers = shownLayers();
    const lines = Math.ceil(frame.size / line);
    return pictureOf(
      left + wide * Math.min(line, frame.size) + 16,
      layers.length * (lines * high + 12) + 16,
      (context) => {
        layers.forEach((layer, i) => {
          const top = 12 + i * (lines * high + 12);
          context.textAlign = "left";
          context.fillStyle = tp.colour("--tp-ink");
          context.fillText(TEXT.layerName(first.layers[layer]), 8, top + high / 2);
          context.textAlign = "center";
          frame.shown.forEach((piece, token) => {
            const [x, y] = [left + wide * (token % line), top + high * Math.floor(token / line)];
            const expert = strongest(layer, token);
            context.fillStyle = expert === null ? tp.colour("--tp-panel") : expertColour(expert);
            context.fillRect(x, y, wide - 1, high - 2);
            context.fillStyle = expert === null ? tp.colour("--tp-ink") : expertInk(expert);
            context.fillText(piece, x + wide / 2, y + 10, wide - 2);
            context.fillText(expert === null ? TEXT.noExpert : String(expert + 1), x + wide / 2, y + 23, wide - 2);
          });
        });
      },
    );
  }

  function forget() {
    frame = NO_FRAME;
    structure = "";
    frames.clear();
    input.value = "";
    draw();
  }

  return { node, look, draw, forget };
}
