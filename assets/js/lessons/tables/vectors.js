/* Tables of lessons about vectors: softmax of a few numbers, the dot product of two vectors, one row of attention.
 *
 * Each is one of `tp.lessons.sheets.sheets` (tables.js), computed in worked.js.
 */
(() => {
  "use strict";

  const { el, fixed, put, table, tableRow, worked } = window.tp;
  const { arrow, bar, changeable, plane, sheets, vector } = window.tp.lessons.sheets;

  const TEXT = window.tp.words({
    en: {
      token: "token",
      softmax: {
        name: "Softmax of your own numbers",
        logit: "logit z",
        power: (/** @type {boolean} */ heated) => (heated ? "exp(z / T)" : "exp(z)"),
        share: "probability",
        sum: "sum",
        gradient: "gradient p − y",
        temperature: "Temperature T",
        loss: (/** @type {string} */ name, /** @type {string} */ loss) => `If “${name}” is right: loss ${loss} nats.`,
        of: (/** @type {string} */ name) => `Logit of ${name}`,
      },
      dot: {
        name: "The dot product of two vectors",
        part: (/** @type {string} */ name, /** @type {number} */ i) => `${name}, number ${i + 1}`,
        drag: "Drag the tip of an arrow, or type.",
        /** @type {(length: string[], cosine: string, angle: string) => string} */
        more: ([a, b], cosine, angle) => `Lengths ${a} and ${b}; cosine of the angle ${cosine}: ${angle}.`,
        angles: [
          "opposite directions",
          "more than a right angle",
          "a right angle",
          "less than a right angle",
          "the same direction",
        ],
        plane: "The two vectors as arrows from one point",
      },
      attention: {
        name: "One row of attention",
        asks: "Which token asks?",
        part: (/** @type {string} */ which, /** @type {string} */ token, /** @type {number} */ i) =>
          `${which} of ${token}, number ${i + 1}`,
        scaled: "divide by √d",
        masked: "hide the future",
        product: "q·k",
        seen: "mask",
        weight: "softmax",
        value: "weight × v",
        output: "Sum: the output",
        given: "The vectors",
        result: "What comes of them",
      },
    },
    zh: {
      token: "词元",
      softmax: {
        name: "对你自己的数字做 softmax",
        logit: "logit z",
        power: (heated) => (heated ? "exp(z / T)" : "exp(z)"),
        share: "概率",
        sum: "总和",
        gradient: "梯度 p − y",
        temperature: "温度 T",
        loss: (name, loss) => `如果“${name}”是正确答案：损失为 ${loss} 奈特。`,
        of: (name) => `${name} 的 logit`,
      },
      dot: {
        name: "两个向量的点积",
        part: (name, i) => `${name} 的第 ${i + 1} 个数`,
        drag: "拖动箭头的尖端，或者直接输入。",
        more: ([a, b], cosine, angle) => `长度为 ${a} 和 ${b}；夹角的余弦为 ${cosine}：${angle}。`,
        angles: ["方向相反", "大于直角", "互相垂直", "小于直角", "方向相同"],
        plane: "从同一点出发的两个向量",
      },
      attention: {
        name: "注意力的一行",
        asks: "哪个词元在提问？",
        part: (which, token, i) => `${token} 的 ${which}，第 ${i + 1} 个数`,
        scaled: "除以 √d",
        masked: "遮住后面的词元",
        product: "q·k",
        seen: "掩码",
        weight: "softmax",
        value: "权重 × v",
        output: "总和：输出",
        given: "向量",
        result: "算出的结果",
      },
    },
  });

  /* ------------------------------------------------------------------ softmax */

  /** @param {{names: string[], logits: number[], temperature: number, target?: number}} given */
  function softmax({ names, logits, temperature, target }) {
    const words = TEXT.softmax;
    const { now, field, slider, reset } = changeable({ logits, temperature }, draw);
    const rows = names.map((name, i) => {
      const cells = { power: el("td"), share: bar(), gradient: el("td") };
      const node = tableRow({ class: i === target ? "right" : "" }, name, [
        field(words.of(name), ["logits", i]),
        cells.power,
        cells.share.node,
        target !== undefined && cells.gradient,
      ]);
      return { ...cells, node };
    });
    const total = el("td");
    const loss = el("p", { class: "tp-sheet-note" });
    function draw() {
      const shares = worked.softmax(now.logits, now.temperature);
      const powers = now.logits.map((logit) => Math.exp(logit / now.temperature));
      rows.forEach((row, i) => {
        put(row.power, window.tp.scientific(powers[i]));
        row.share.show(shares[i]);
        if (target !== undefined) put(row.gradient, fixed(shares[i] - (i === target ? 1 : 0), 3));
      });
      put(total, window.tp.scientific(powers.reduce((a, b) => a + b, 0)));
      if (target !== undefined) put(loss, words.loss(names[target], fixed(-Math.log(shares[target]), 4)));
    }
    draw();
    const columns = [TEXT.token, words.logit, words.power(target === undefined), words.share];
    return {
      name: words.name,
      reset,
      nodes: [
        table(
          {},
          [...columns, target !== undefined && words.gradient],
          rows.map(({ node }) => node),
          [tableRow({}, words.sum, ["", total, fixed(1, 3), target !== undefined && fixed(0, 3)])],
        ),
        target === undefined
          ? slider(`${words.temperature}: `, words.temperature, ["temperature"], { min: 0.1, max: 5, step: 0.1 })
          : loss,
      ],
    };
  }

  /* ------------------------------------------------------------------ dot product */

  const PLANE = { size: 240, unit: 44, most: 2.5 };

  /** @param {{names: string[], a: number[], b: number[]}} given */
  function dot({ names, a, b }) {
    const words = TEXT.dot;
    const { now, field, set, reset } = changeable({ vectors: [a, b] }, draw);
    /** @type {(vector: number[]) => [number, number]} */
    const place = ([x, y]) => [PLANE.size / 2 + PLANE.unit * x, PLANE.size / 2 - PLANE.unit * y];
    const arrows = names.map((text, n) => arrow(n + 1, PLANE.size / 2, 7, { class: "strong", text }));
    const svg = plane(words.plane, PLANE.size, [arrows.map(({ nodes }) => nodes)]);
    arrows.forEach(({ tip }, n) => {
      tip.addEventListener("pointerdown", (event) => tip.setPointerCapture(event.pointerId));
      tip.addEventListener("pointermove", (event) => {
        if (!tip.hasPointerCapture(event.pointerId)) return;
        const { left, top, width } = svg.getBoundingClientRect();
        const scale = PLANE.size / width;
        const half = (/** @type {number} */ value) =>
          Math.max(-PLANE.most, Math.min(PLANE.most, Math.round(2 * value) / 2));
        const x = half(((event.clientX - left) * scale - PLANE.size / 2) / PLANE.unit);
        const y = half((PLANE.size / 2 - (event.clientY - top) * scale) / PLANE.unit);
        set({ vectors: now.vectors.with(n, [x, y]) });
      });
    });
    const result = el("p", { class: "tp-sheet-sum" });
    const more = el("p", { class: "tp-sheet-note" });
    const short = (/** @type {number} */ value) => String(Number(value.toFixed(2))).replace("-", "−");
    function draw() {
      arrows.forEach(({ show }, n) => {
        const [x, y] = place(now.vectors[n]);
        const beside = Math.max(4, Math.min(PLANE.size - 34, x + 12));
        show([x, y], [beside, Math.max(14, Math.min(PLANE.size - 4, y + (n ? 22 : -12)))]);
      });
      const [first, second] = now.vectors;
      const cosine = worked.cosine(first, second);
      const turn = Math.sign(Math.round(cosine * 1e4)) * (Math.abs(cosine) > 0.9999 ? 2 : 1);
      const products = first.map((value, i) => `${short(value)} × ${short(second[i])}`).join(" + ");
      const lengths = [fixed(worked.size(first)), fixed(worked.size(second))];
      put(result, `${products} = ${short(worked.dot(first, second))}`);
      put(more, words.more(lengths, fixed(cosine), words.angles[2 + turn] ?? "–"));
    }
    draw();
    const fields = names.map((name, n) => {
      const [x, y] = [0, 1].map((i) => field(words.part(name, i), ["vectors", n, i], { step: 0.5 }));
      return el("p", { class: `tp-vector v${n + 1}` }, el("b", { text: `${name} ` }), "(", x, ", ", y, ")");
    });
    const drag = el("p", { class: "tp-sheet-note", text: words.drag });
    return {
      name: words.name,
      reset,
      nodes: [el("div", { class: "tp-sheet-beside" }, svg, el("div", {}, fields, result, more, drag))],
    };
  }

  /* ------------------------------------------------------------------ attention */

  let groups = 0; // of radio buttons

  /** @param {{names: string[], q: number[][], k: number[][], v: number[][], asks: number}} given */
  function attention({ names, q, k, v, asks }) {
    const words = TEXT.attention;
    const { now, field, set } = changeable({ q, k, v, asks, scaled: true, masked: true }, draw);
    groups += 1;
    const group = `tp-asks-${groups}`;
    const choices = names.map((name, i) => {
      const radio = el("input", { type: "radio", name: group, value: i, checked: i === asks });
      radio.addEventListener("change", () => set({ asks: i }));
      return { radio, node: el("label", {}, radio, ` ${name}`) };
    });
    const boxes = /** @type {const} */ (["scaled", "masked"]).map((what) => {
      const box = el("input", { type: "checkbox", checked: true });
      box.addEventListener("change", () => set({ [what]: box.checked }));
      return { box, node: el("label", {}, box, ` ${words[what]}`) };
    });
    const vectors = names.map((name, i) => {
      const cells = ["q", "k", "v"].map((kind) => q[i].map((_, d) => field(words.part(kind, name, d), [kind, i, d])));
      return tableRow({}, name, cells);
    });
    const rows = names.map((name) => {
      const cells = { product: el("td"), score: el("td"), seen: el("td"), weight: bar(), value: el("td") };
      const { product, score, seen, weight, value } = cells;
      return { ...cells, node: tableRow({}, name, [product, score, seen, weight.node, value]) };
    });
    const output = el("td", { class: "strong" });
    function draw() {
      const { products, scores, seen, weights, output: sum } = worked.attention(now);
      rows.forEach((row, i) => {
        put(row.product, fixed(products[i]));
        put(row.score, fixed(scores[i]));
        put(row.seen, seen[i] === -Infinity ? "−∞" : fixed(seen[i]));
        row.weight.show(weights[i]);
        put(row.value, vector(now.v[i].map((each) => each * weights[i])));
        row.node.className = seen[i] === -Infinity ? "hidden" : i === now.asks ? "right" : "";
      });
      put(output, vector(sum));
    }
    draw();
    return {
      name: words.name,
      reset() {
        choices.forEach(({ radio }, i) => {
          radio.checked = i === asks;
        });
        for (const { box } of boxes) box.checked = true;
        set({ q, k, v, asks, scaled: true, masked: true });
      },
      nodes: [
        table({ class: "vectors", caption: words.given }, [TEXT.token, "q", "k", "v"], vectors),
        el("fieldset", { class: "tp-sheet-choices" }, [
          el("legend", { text: words.asks }),
          choices.map(({ node }) => node),
        ]),
        el("p", { class: "tp-sheet-choices" }, [boxes.map(({ node }) => node)]),
        table(
          { caption: words.result },
          [TEXT.token, words.product, "÷ √d", words.seen, words.weight, words.value],
          rows.map(({ node }) => node),
          [tableRow({}, el("th", { scope: "row", colspan: 5, text: words.output }), [output])],
        ),
      ],
    };
  }

  Object.assign(sheets, { softmax, dot, attention });
})();
