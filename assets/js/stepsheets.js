/* Tables of lessons that go step by step: one weight by gradient descent, a text by merges of byte pairs.
 *
 * Each is one of `tp.lessons.sheets.sheets` (worksheets.js), computed in worked.js.
 */
(() => {
  "use strict";

  const { el, fixed, put, worked } = window.tp;
  const { button, field, heads, sheets } = window.tp.lessons.sheets;

  const TEXT = window.tp.words({
    en: {
      step: {
        name: "One weight, step by step",
        w: "Weight w",
        rate: "Learning rate",
        model: (/** @type {number} */ x, /** @type {number} */ y) =>
          `Prediction = w · ${x}. Right would be ${y}. Loss = (prediction − ${y})².`,
        take: "Take the step",
        again: "Start again",
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
        w: "权重 w",
        rate: "学习率",
        model: (x, y) => `预测 = w · ${x}。正确的值是 ${y}。损失 = (预测 − ${y})²。`,
        take: "走一步",
        again: "重新开始",
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
  const MOST_STEPS = 12;

  /** @param {{x: number, y: number, w: number, rate: number}} given */
  function step({ x, y, w, rate }) {
    const best = y / x;
    const reach = Math.max(1.5, Math.abs(w - best) * 1.4);
    const now = { x, y, w, rate };
    /** @type {ReturnType<typeof worked.step>[]} */
    let taken = [];
    /** @type {number[]} */
    let weights = [];
    const top = (x * reach) ** 2;
    const across = (/** @type {number} */ weight) =>
      BOWL.left + ((weight - best + reach) / (2 * reach)) * (BOWL.width - 2 * BOWL.left);
    const up = (/** @type {number} */ loss) =>
      BOWL.height - BOWL.bottom - (loss / top) * (BOWL.height - BOWL.bottom - 10);
    const bowl = Array.from({ length: 61 }, (_, i) => best - reach + (i / 30) * reach).map(
      (weight) => `${across(weight).toFixed(1)},${up((weight * x - y) ** 2).toFixed(1)}`,
    );
    const path = el("polyline", { class: "way" });
    const ball = el("circle", { class: "dot", r: 6 });
    const ticks = [-1, 0, 1].map((n) => best + n * Math.floor(reach));
    const svg = el(
      "svg",
      { class: "tp-drawing tp-bowl", viewBox: `0 0 ${BOWL.width} ${BOWL.height}`, role: "img" },
      el("line", { class: "rule", x1: BOWL.left, x2: BOWL.width - BOWL.left, y1: up(0), y2: up(0) }),
      ticks.map((tick) =>
        el("text", {
          class: "muted middle",
          x: across(tick),
          y: BOWL.height - 8,
          text: String(tick).replace("-", "−"),
        }),
      ),
      el("text", { class: "muted end", x: BOWL.width - BOWL.left, y: up(0) - 6, text: TEXT.step.axis }),
      el("polyline", { class: "curve", points: bowl.join(" ") }),
      path,
      ball,
    );
    const body = el("tbody");
    const change = (/** @type {"w" | "rate"} */ what) => (/** @type {number} */ value) => {
      now[what] = value;
      if (what === "w") restart(value);
      else draw();
    };
    const inputs = {
      w: field(TEXT.step.w, w, change("w"), { step: 0.5 }),
      rate: field(TEXT.step.rate, rate, change("rate"), { step: 0.05, min: 0 }),
    };
    const take = button(
      TEXT.step.take,
      () => {
        const done = worked.step(now);
        taken.push(done);
        weights.push(now.w);
        now.w = done.next;
        draw();
      },
      { class: "tp-button primary" },
    );
    function restart(/** @type {number} */ from) {
      taken = [];
      weights = [];
      now.w = from;
      draw();
    }
    function draw() {
      const all = [...weights.map((weight, i) => ({ weight, ...taken[i] })), { weight: now.w, ...worked.step(now) }];
      const shown = all.slice(-5);
      body.replaceChildren(
        ...shown.map((each, i) =>
          el(
            "tr",
            { class: i === shown.length - 1 ? "right" : "" },
            [
              all.length - shown.length + i + 1,
              ...[each.weight, each.prediction, each.loss, each.gradient, each.next].map((value) => fixed(value)),
            ].map((text) => el("td", { text })),
          ),
        ),
      );
      const inside = (/** @type {number} */ weight) => Math.max(best - reach, Math.min(best + reach, weight));
      const point = (/** @type {number} */ weight) =>
        `${across(inside(weight)).toFixed(1)},${up((inside(weight) * x - y) ** 2).toFixed(1)}`;
      path.setAttribute("points", all.map(({ weight }) => point(weight)).join(" "));
      const [cx, cy] = point(now.w).split(",");
      ball.setAttribute("cx", cx);
      ball.setAttribute("cy", cy);
      svg.setAttribute("aria-label", TEXT.step.curve(fixed(now.w), fixed(all.at(-1)?.loss ?? 0)));
      take.disabled = taken.length >= MOST_STEPS;
    }
    draw();
    return {
      name: TEXT.step.name,
      reset() {
        now.rate = rate;
        inputs.w.value = String(w);
        inputs.rate.value = String(rate);
        restart(w);
      },
      nodes: [
        el("p", { class: "tp-sheet-note", text: TEXT.step.model(x, y) }),
        el(
          "p",
          { class: "tp-sheet-choices" },
          el("label", {}, `${TEXT.step.w} `, inputs.w),
          el("label", {}, `${TEXT.step.rate} `, inputs.rate),
          take,
        ),
        svg,
        el("table", {}, heads(TEXT.step.columns), body),
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
    const go = button(
      "",
      () => {
        const [{ pair }] = worked.frequent(list);
        list = worked.merge(list, pair);
        done.push(pair.join(""));
        draw();
      },
      { class: "tp-button primary" },
    );
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
          el(
            "span",
            { class: "word" },
            word.map((piece) => el("code", { translate: "no", text: piece })),
          ),
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
