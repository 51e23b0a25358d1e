/* Tables of lessons that go step by step: one weight by gradient descent, a text by merges of byte pairs.
 *
 * Each is one of `tp.lessons.sheets.sheets` (tables.js), computed in worked.js.
 */
(() => {
  "use strict";

  const { el, fixed, put, tableHead, tableRow, worked } = window.tp;
  const { button, changeable, labelled, sheets } = window.tp.lessons.sheets;

  const TEXT = window.tp.words({
    en: {
      step: {
        name: "One weight, step by step",
        w: "First weight w",
        rate: "Learning rate",
        model: (/** @type {number} */ x, /** @type {number} */ y) =>
          `Prediction = w · ${x}. Right would be ${y}. Loss = (prediction − ${y})².`,
        take: "Take the step",
        again: "Start again",
        enough: (/** @type {number} */ steps) => `These were ${steps} steps. Start again to take more.`,
        columns: ["step", "w", "prediction", "loss", "gradient", "next w"],
        curve: (/** @type {string} */ w, /** @type {string} */ loss) =>
          `The loss for each weight, a bowl. The weight is ${w}, its loss ${loss}.`,
        axis: "weight w",
      },
      merges: {
        name: "Byte-pair encoding, merge by merge",
        text: "A text",
        merge: (/** @type {string} */ pair) => `Merge ${pair}`,
        none: "No pair stands twice",
        pairs: "Most frequent pairs:",
        /** @type {(tokens: number, kinds: number) => string} */
        counts: (tokens, kinds) => `${tokens} tokens in the text; ${kinds} different ones.`,
        done: "Merges so far:",
      },
    },
    zh: {
      step: {
        name: "一个权重，一步一步来",
        w: "最初的权重 w",
        rate: "学习率",
        model: (x, y) => `预测 = w · ${x}。正确的值是 ${y}。损失 = (预测 − ${y})²。`,
        take: "走一步",
        again: "重新开始",
        enough: (steps) => `已经走了 ${steps} 步。重新开始就可以再走。`,
        columns: ["步", "w", "预测", "损失", "梯度", "新的 w"],
        curve: (w, loss) => `每个权重对应的损失，形状像一只碗。现在权重为 ${w}，损失为 ${loss}。`,
        axis: "权重 w",
      },
      merges: {
        name: "字节对编码，一次一次合并",
        text: "一段文字",
        merge: (pair) => `合并 ${pair}`,
        none: "没有出现两次的相邻对",
        pairs: "最常见的相邻对：",
        counts: (tokens, kinds) => `文字有 ${tokens} 个词元，共 ${kinds} 种。`,
        done: "已做的合并：",
      },
    },
  });

  /* ------------------------------------------------------------------ one weight */

  const BOWL = { width: 320, height: 170, left: 12, bottom: 26 };
  const MAX_STEPS = 12;
  const SHOWN = 5; // rows of the table: the first step, and the newest

  /** The bowl is drawn around its lowest point, as wide and as high as the weights have come: a parabola has the same
   * shape at every scale.
   *
   * @param {{x: number, y: number, w: number, rate: number}} given */
  function step({ x, y, w, rate }) {
    const best = y / x;
    const { now: typed, field, reset } = changeable({ w, rate }, restart);
    const now = { x, y, w, rate };
    /** @type {({weight: number} & ReturnType<typeof worked.step>)[]} */
    let taken = [];
    const across = (/** @type {number} */ share) => BOWL.width / 2 + share * (BOWL.width / 2 - BOWL.left);
    const up = (/** @type {number} */ share) =>
      BOWL.height - BOWL.bottom - share ** 2 * (BOWL.height - BOWL.bottom - 10);
    const at = (/** @type {number} */ share) => [across(share).toFixed(1), up(share).toFixed(1)];
    const bowl = Array.from({ length: 61 }, (_, i) => at(i / 30 - 1).join(","));
    const path = el("polyline", { class: "way" });
    const marks = el("g");
    const ball = el("circle", { class: "dot", r: 6 });
    const ticks = [-1, 0, 1].map(() => el("text", { class: "muted middle", y: BOWL.height - 8 }));
    const svg = el("svg", { class: "tp-drawing tp-bowl", viewBox: `0 0 ${BOWL.width} ${BOWL.height}` }, [
      el("line", { class: "rule", x1: BOWL.left, x2: BOWL.width - BOWL.left, y1: up(0), y2: up(0) }),
      ticks,
      el("text", { class: "muted end", x: BOWL.width - BOWL.left, y: up(0) - 6, text: TEXT.step.axis }),
      el("polyline", { class: "curve", points: bowl.join(" ") }),
      path,
      marks,
      ball,
    ]);
    const body = el("tbody");
    const note = el("p", { class: "tp-sheet-note", role: "status" });
    const take = button(TEXT.step.take, { class: "tp-button primary" }, () => {
      taken.push({ weight: now.w, ...worked.step(now) });
      now.w = taken[taken.length - 1].next;
      draw();
    });
    function restart() {
      taken = [];
      Object.assign(now, typed);
      draw();
    }
    function draw() {
      const all = [...taken, { weight: now.w, ...worked.step(now) }];
      const rows = all.map((each, i) =>
        tableRow(
          { class: i === taken.length ? "right" : "" },
          String(i + 1),
          [each.weight, each.prediction, each.loss, each.gradient, each.next].map((value) => fixed(value)),
        ),
      );
      const gap = tableRow({}, "⋮", [el("td", { colspan: 5 })]);
      body.replaceChildren(...(rows.length > SHOWN ? [rows[0], gap, ...rows.slice(1 - SHOWN)] : rows));
      const far = Math.max(1.25, Math.abs(typed.w - best), ...all.map(({ weight }) => Math.abs(weight - best))) * 1.2;
      const points = all.map(({ weight }) => at((weight - best) / far));
      path.setAttribute("points", points.map((point) => point.join(",")).join(" "));
      marks.replaceChildren(...points.slice(0, -1).map(([cx, cy]) => el("circle", { class: "ring", cx, cy, r: 3 })));
      const [cx, cy] = points[taken.length];
      ball.setAttribute("cx", cx);
      ball.setAttribute("cy", cy);
      ticks.forEach((tick, i) => {
        const weight = best + (i - 1) * Math.floor(0.8 * far);
        tick.setAttribute("x", String(across((weight - best) / far)));
        put(tick, window.tp.number(weight).replace("-", "−"));
      });
      tp.depict(svg, TEXT.step.curve(fixed(now.w), fixed(all[taken.length].loss)));
      take.disabled = taken.length >= MAX_STEPS || !Number.isFinite(all[taken.length].next);
      put(note, take.disabled ? TEXT.step.enough(taken.length) : "");
    }
    draw();
    return {
      name: TEXT.step.name,
      reset,
      nodes: [
        el("p", { class: "tp-sheet-note", text: TEXT.step.model(x, y) }),
        el("p", { class: "tp-sheet-choices" }, [
          labelled(TEXT.step.w, field(TEXT.step.w, ["w"], { step: 0.5 })),
          labelled(TEXT.step.rate, field(TEXT.step.rate, ["rate"], { step: 0.05, min: 0 })),
          take,
          button(TEXT.step.again, {}, restart),
        ]),
        note,
        svg,
        el("table", {}, tableHead(TEXT.step.columns), body),
      ],
    };
  }

  /* ------------------------------------------------------------------ byte pairs */

  /** @param {{text: string}} given */
  function merges({ text }) {
    const LONGEST = 200;
    let list = worked.words(text);
    /** @type {string[]} */
    let done = [];
    const input = el("input", { type: "text", maxlength: LONGEST, value: text, "aria-label": TEXT.merges.text });
    const words = el("p", { class: "tp-pieces" });
    const pairs = el("p", { class: "tp-sheet-note" });
    const counts = el("p", { class: "tp-sheet-note" });
    const history = el("p", { class: "tp-sheet-note" });
    const go = button("", { class: "tp-button primary" }, () => {
      const [{ pair }] = worked.frequent(list);
      list = worked.merge(list, pair);
      done.push(pair.join(""));
      draw();
    });
    input.addEventListener("input", () => {
      list = worked.words(input.value);
      done = [];
      draw();
    });
    function draw() {
      const found = worked.frequent(list);
      const possible = (found[0]?.count ?? 0) > 1;
      words.replaceChildren(
        ...list.map((word) =>
          el("span", { class: "word" }, [word.map((piece) => el("code", { translate: "no", text: piece }))]),
        ),
      );
      const favourites = found.slice(0, 4).map(({ pair, count }) => `${pair.join(" + ")} (${count}×)`);
      put(pairs, `${TEXT.merges.pairs} ${favourites.join(", ") || "–"}`);
      put(counts, TEXT.merges.counts(list.flat().length, new Set(list.flat()).size));
      put(history, `${TEXT.merges.done} ${done.join(", ") || "–"}`);
      put(go, possible ? TEXT.merges.merge(found[0].pair.join(" + ")) : TEXT.merges.none);
      go.disabled = !possible;
    }
    draw();
    return {
      name: TEXT.merges.name,
      reset() {
        input.value = text;
        list = worked.words(text);
        done = [];
        draw();
      },
      nodes: [
        el("label", { class: "tp-sheet-text" }, `${TEXT.merges.text} `, input),
        words,
        pairs,
        el("p", {}, go),
        counts,
        history,
      ],
    };
  }

  Object.assign(sheets, { step, merges });
})();
