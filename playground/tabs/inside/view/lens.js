/* The logit lens. */
const requestLens = asker((/** @type {Answers.LensAnswer & Answer} */ answer) => showLens(answer));
let lensFor = { shown: NO_FRAME.shown, pieces: NO_FRAME.pieces, step: 0, key: "" };
const LENS = { width: 22, height: 26, left: 104, top: 26 };

function askLens() {
  lensFor = {
    shown: frame.shown,
    pieces: frame.pieces,
    step: frame.step,
    key: frameKey(frame.run, frame.step, frame.text),
  };
  if (page.lens.body.dataset.key === lensFor.key) return markLens();
  const [run, step, text] = [state.run, frame.step, sent()];
  requestLens(() => call("lens", run, step, text));
}

/** @typedef {(stage: number, token: number, rank?: number) => { piece: string, share: number }} Guess */
/** @typedef {{ names: string[], guess: Guess, truth: Float32Array, size: number, stages: number,
 *   listed: number }} Guesses */
/** @typedef {{ shown: string[], mark: SVGElement, cursor: SVGElement, scroller: HTMLElement,
 *   readout: HTMLElement }} LensParts */
/** @typedef {Guesses & LensParts} LensData */
/** That the keyboard or pointer is on: at first the last stage. @type {[stage: number, token: number]} */
let lensCell = [Infinity, 0];
/** @type {LensData | null} */
let lensData = null;

function showLens(/** @type {Answers.LensAnswer & Answer} */ answer) {
  const { body } = page.lens;
  if (failed(body, answer)) return;
  const { shown, pieces } = lensFor;
  const size = shown.length;
  const { stages, count: listed, vocabulary } = answer;
  const top = new Int32Array(tp.bytes(answer.top).buffer);
  const shares = tp.floats(answer.shares);
  const truth = tp.floats(answer.truth);
  const names = Array.from({ length: stages }, (_, i) =>
    i === 0 ? TEXT.lensRows.embedding : i % 2 ? TEXT.lensRows.attention((i + 1) / 2) : TEXT.lensRows.feedforward(i / 2),
  );
  /** @type {Guess} */
  const guess = (stage, token, rank = 0) => {
    const place = (stage * size + token) * listed + rank;
    return { piece: vocabulary[top[place]], share: shares[place] };
  };
  const longest = Math.max(...[...shown, ...Object.values(vocabulary).map(visible)].map(tp.halves));
  LENS.width = Math.min(80, Math.max(22, 8 * longest + 8));
  const { width, height, left, top: above } = LENS;
  const full = left + size * width + 2;
  const tall = above + (stages + 1) * height + 6;
  /** @type {Child[]} */
  const parts = [
    el("text", { class: "row-name", x: left - 10, y: 17, "text-anchor": "end", text: TEXT.lensInput }),
    ...shown.map((text, token) =>
      el("text", {
        class: "mono input",
        translate: "no",
        x: left + (token + 0.5) * width,
        y: 17,
        "text-anchor": "middle",
        "data-token": token,
        text,
      }),
    ),
  ];
  for (let stage = 0; stage < stages; stage++) {
    const y = above + stage * height;
    parts.push(el("text", { class: "row-name", x: left - 10, y: y + 17, "text-anchor": "end", text: names[stage] }));
    for (let token = 0; token < size; token++) {
      const { piece, share } = guess(stage, token);
      const right = token + 1 < size && piece === pieces[token + 1];
      const place = { x: left + token * width + 1, y: y + 1, width: width - 2, height: height - 2, rx: 3 };
      parts.push(
        el("rect", { class: "bed", ...place }),
        el("rect", {
          class: "box",
          ...place,
          "fill-opacity": share.toFixed(3),
          "data-stage": stage,
          "data-token": token,
        }),
        right && el("rect", { class: "right", ...place }),
        el("text", {
          class: share > 0.55 ? "mono sure" : "mono",
          translate: "no",
          x: left + (token + 0.5) * width,
          y: y + 17,
          "text-anchor": "middle",
          text: visible(piece),
          "pointer-events": "none",
        }),
      );
    }
  }
  const bottom = above + stages * height + 20;
  parts.push(
    el("text", { class: "row-name", x: left - 10, y: bottom, "text-anchor": "end", text: TEXT.lensTruth }),
    ...shown
      .slice(1)
      .map((text, token) =>
        el("text", {
          class: "mono input",
          translate: "no",
          x: left + (token + 0.5) * width,
          y: bottom,
          "text-anchor": "middle",
          text,
        }),
      ),
  );
  const label = TEXT.lensFigure(
    names.map((name, stage) => {
      const { piece, share } = guess(stage, size - 1);
      return TEXT.lensPart(name, visible(piece), percent(share));
    }),
  );
  const mark = el("rect", { class: "column", y: 2, width, height: tall - 4, rx: 4 });
  const cursor = el("rect", { class: "cursor", width: width - 1, height: height - 1, rx: 3 });
  const drawing = tp.drawing(full, tall, { class: "lens", role: "img", "aria-label": label }, [mark, parts, cursor]);
  const scroller = el(
    "div",
    { class: "lens-frame", tabindex: 0, role: "region", "aria-label": `${TEXT.lens} ${TEXT.lensKeys}` },
    [drawing],
  );
  const readout = el("div", { class: "lens-readout", "aria-live": "polite" });
  lensData = { names, guess, truth, size, stages, listed, shown, mark, cursor, scroller, readout };
  lensCell = [Math.min(lensCell[0], stages - 1), heldQuery()];
  const over = (/** @type {Event} */ event) => {
    const { stage, token } = event.target instanceof SVGElement ? event.target.dataset : {};
    if (stage === undefined) return;
    root.dataset.lens = "read";
    toLensCell(Number(stage), Number(token));
  };
  drawing.addEventListener("pointerover", over);
  drawing.addEventListener("click", over);
  scroller.addEventListener("keydown", (event) => {
    const move = MOVES[event.key];
    if (!move) return;
    event.preventDefault();
    root.dataset.lens = "read";
    toLensCell(lensCell[0] + move[0], lensCell[1] + move[1], true);
  });
  const scrolled = body.querySelector(".lens-frame")?.scrollLeft;
  body.replaceChildren(
    note(TEXT.lensNote, TEXT.lensTry),
    scroller,
    readout,
    tp.saveBar({
      figure: () => drawing,
      rows: () => [
        TEXT.csv.lens,
        ...names.flatMap((name, stage) =>
          pieces.flatMap((piece, token) =>
            Array.from({ length: listed }, (_, rank) => [
              name,
              token + 1,
              piece,
              rank + 1,
              guess(stage, token, rank).piece,
              guess(stage, token, rank).share,
            ]),
          ),
        ),
      ],
      name: () => fileName("logit-lens"),
    }),
  );
  body.dataset.key = lensFor.key;
  body.dataset.ready = "true";
  if (scrolled !== undefined) scroller.scrollLeft = scrolled;
  markLens();
}

function markLens() {
  if (!lensData) return;
  lensData.mark.setAttribute("x", String(LENS.left + heldQuery() * LENS.width));
  toLensCell(lensCell[0], heldQuery(), true);
}

/** Read out one cell below the grid.
 *
 * @param {number} stage @param {number} token */
function toLensCell(stage, token, scroll = false) {
  if (!lensData) return;
  const { names, guess, truth, size, stages, listed, shown, cursor, scroller, readout } = lensData;
  lensCell = [Math.min(stages - 1, Math.max(0, stage)), Math.min(size - 1, Math.max(0, token))];
  [stage, token] = lensCell;
  const x = LENS.left + token * LENS.width;
  cursor.setAttribute("x", String(x + 0.5));
  cursor.setAttribute("y", String(LENS.top + stage * LENS.height + 0.5));
  if (scroll) {
    const { scrollLeft, clientWidth } = scroller;
    if (x - LENS.left < scrollLeft || x + LENS.width > scrollLeft + clientWidth)
      scroller.scrollLeft = x - clientWidth / 2;
  }
  const guesses = Array.from({ length: listed }, (_, rank) => guess(stage, token, rank));
  readout.replaceChildren(
    el("p", { text: TEXT.lensCell(names[stage], shown[token], token + 1) }),
    el("ol", {}, [
      guesses.map(({ piece, share }) => {
        const bar = el("span", { class: "bar" });
        bar.style.width = `${100 * share}%`;
        return el("li", {}, [
          el("span", { class: "token", translate: "no", text: visible(piece) }),
          el("span", { class: "bar-track" }, bar),
          el("span", { class: "share", text: percent(share) }),
        ]);
      }),
    ]),
    token + 1 < size
      ? el("p", { class: "muted" }, [
          el("span", { class: "token", translate: "no", text: shown[token + 1] }),
          ` ${TEXT.lensRight(percent(truth[stage * (size - 1) + token]))}`,
        ])
      : "",
  );
}
