/* Tables of lessons about vectors: softmax of a few numbers, the dot product of two vectors, one row of attention.
 *
 * Each is one of `tp.lessons.sheets.sheets` (worksheets.js), computed in worked.js.
 */
(() => {
  "use strict";

  const { el, fixed, put, worked } = window.tp;
  const { bar, field, heads, sheets } = window.tp.lessons.sheets;

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
    const now = { logits: [...logits], temperature };
    const rows = names.map((name, i) => {
      const cells = { power: el("td"), share: bar(), gradient: el("td") };
      const input = field(TEXT.softmax.of(name), logits[i], (value) => {
        now.logits[i] = value;
        draw();
      });
      const node = el("tr", { class: i === target ? "right" : "" }, [
        el("th", { scope: "row", text: name }),
        el("td", {}, input),
        cells.power,
        cells.share.node,
        target === undefined ? "" : cells.gradient,
      ]);
      return { ...cells, input, node };
    });
    const total = el("td");
    const loss = el("p", { class: "tp-sheet-note" });
    const slider = el("input", {
      type: "range",
      class: "slider",
      min: 0.1,
      max: 5,
      step: 0.1,
      value: String(temperature),
      "aria-label": TEXT.softmax.temperature,
    });
    const shown = el("b");
    slider.addEventListener("input", () => {
      now.temperature = slider.valueAsNumber;
      draw();
    });
    function draw() {
      const shares = worked.softmax(now.logits, now.temperature);
      const powers = now.logits.map((logit) => Math.exp(logit / now.temperature));
      rows.forEach((row, i) => {
        put(row.power, window.tp.scientific(powers[i]));
        row.share.show(shares[i]);
        if (target !== undefined) put(row.gradient, fixed(shares[i] - (i === target ? 1 : 0), 3));
      });
      put(total, window.tp.scientific(powers.reduce((a, b) => a + b, 0)));
      put(shown, now.temperature.toFixed(1));
      slider.style.setProperty("--filled", `${((now.temperature - 0.1) / 4.9) * 100}%`);
      if (target !== undefined) put(loss, TEXT.softmax.loss(names[target], fixed(-Math.log(shares[target]), 4)));
    }
    const columns = [TEXT.token, TEXT.softmax.logit, TEXT.softmax.power(target === undefined), TEXT.softmax.share];
    const reset = () => {
      Object.assign(now, { logits: [...logits], temperature });
      rows.forEach(({ input }, i) => {
        input.value = String(logits[i]);
      });
      slider.value = String(temperature);
      draw();
    };
    draw();
    return {
      name: TEXT.softmax.name,
      reset,
      nodes: [
        el("table", {}, [
          heads(target === undefined ? columns : [...columns, TEXT.softmax.gradient]),
          el("tbody", {}, [rows.map(({ node }) => node)]),
          el("tfoot", {}, [
            el("tr", {}, [
              el("th", { scope: "row", text: TEXT.softmax.sum }),
              el("td"),
              total,
              el("td", { text: fixed(1, 3) }),
              target === undefined ? "" : el("td", { text: fixed(0, 3) }),
            ]),
          ]),
        ]),
        target === undefined
          ? el("label", { class: "tp-sheet-slider" }, `${TEXT.softmax.temperature}: `, shown, slider)
          : loss,
      ],
    };
  }

  /* ------------------------------------------------------------------ dot product */

  const PLANE = { size: 240, unit: 44, most: 2.5 };

  /** @param {{names: string[], a: number[], b: number[]}} given */
  function dot({ names, a, b }) {
    const vectors = [[...a], [...b]];
    /** @type {(vector: number[]) => [number, number]} */
    const place = ([x, y]) => [PLANE.size / 2 + PLANE.unit * x, PLANE.size / 2 - PLANE.unit * y];
    const arrows = vectors.map((_, n) => ({
      line: el("line", { class: `vector v${n + 1}`, x1: PLANE.size / 2, y1: PLANE.size / 2 }),
      tip: el("circle", { class: `tip v${n + 1}`, r: 7 }),
      text: el("text", { class: "strong", text: names[n] }),
    }));
    const svg = el(
      "svg",
      {
        class: "tp-drawing tp-plane",
        viewBox: `0 0 ${PLANE.size} ${PLANE.size}`,
        role: "img",
        "aria-label": TEXT.dot.plane,
      },
      el("line", { class: "rule", x1: 0, x2: PLANE.size, y1: PLANE.size / 2, y2: PLANE.size / 2 }),
      el("line", { class: "rule", y1: 0, y2: PLANE.size, x1: PLANE.size / 2, x2: PLANE.size / 2 }),
      arrows.map(({ line, tip, text }) => [line, tip, text]),
    );
    const inputs = vectors.map((vector, n) =>
      vector.map((value, i) =>
        field(
          TEXT.dot.part(names[n], i),
          value,
          (typed) => {
            vectors[n][i] = typed;
            draw();
          },
          { step: 0.5 },
        ),
      ),
    );
    arrows.forEach(({ tip }, n) => {
      tip.addEventListener("pointerdown", (event) => tip.setPointerCapture(event.pointerId));
      tip.addEventListener("pointermove", (event) => {
        if (!tip.hasPointerCapture(event.pointerId)) return;
        const { left, top, width } = svg.getBoundingClientRect();
        const scale = PLANE.size / width;
        const half = (/** @type {number} */ value) =>
          Math.max(-PLANE.most, Math.min(PLANE.most, Math.round(2 * value) / 2));
        vectors[n][0] = half(((event.clientX - left) * scale - PLANE.size / 2) / PLANE.unit);
        vectors[n][1] = half((PLANE.size / 2 - (event.clientY - top) * scale) / PLANE.unit);
        fill();
        draw();
      });
    });
    const result = el("p", { class: "tp-sheet-sum" });
    const more = el("p", { class: "tp-sheet-note" });
    const fill = () =>
      inputs.forEach((row, n) =>
        row.forEach((input, i) => {
          input.value = String(vectors[n][i]);
        }),
      );
    const short = (/** @type {number} */ value) => String(Number(value.toFixed(2))).replace("-", "−");
    function draw() {
      arrows.forEach(({ line, tip, text }, n) => {
        const [x, y] = place(vectors[n]);
        line.setAttribute("x2", String(x));
        line.setAttribute("y2", String(y));
        tip.setAttribute("cx", String(x));
        tip.setAttribute("cy", String(y));
        text.setAttribute("x", String(Math.max(4, Math.min(PLANE.size - 34, x + 12))));
        text.setAttribute("y", String(Math.max(14, Math.min(PLANE.size - 4, y + (n ? 22 : -12)))));
      });
      const [first, second] = vectors;
      const cosine = worked.cosine(first, second);
      const turn = Math.sign(Math.round(cosine * 1e4)) * (Math.abs(cosine) > 0.9999 ? 2 : 1);
      const products = first.map((value, i) => `${short(value)} × ${short(second[i])}`).join(" + ");
      put(result, `${products} = ${short(worked.dot(first, second))}`);
      put(
        more,
        TEXT.dot.more(
          [fixed(worked.size(first)), fixed(worked.size(second))],
          fixed(cosine),
          TEXT.dot.angles[2 + turn] ?? "–",
        ),
      );
    }
    draw();
    return {
      name: TEXT.dot.name,
      reset() {
        vectors[0] = [...a];
        vectors[1] = [...b];
        fill();
        draw();
      },
      nodes: [
        el("div", { class: "tp-sheet-beside" }, [
          svg,
          el("div", {}, [
            names.map((name, n) =>
              el("p", { class: `tp-vector v${n + 1}` }, [
                el("b", { text: `${name} ` }),
                "(",
                inputs[n][0],
                ", ",
                inputs[n][1],
                ")",
              ]),
            ),
            result,
            more,
            el("p", { class: "tp-sheet-note", text: TEXT.dot.drag }),
          ]),
        ]),
      ],
    };
  }

  /* ------------------------------------------------------------------ attention */

  let groups = 0; // of radio buttons

  /** @param {{names: string[], q: number[][], k: number[][], v: number[][], asks: number}} given */
  function attention(given) {
    const { names, asks } = given;
    const copy = () => ({
      q: given.q.map((row) => [...row]),
      k: given.k.map((row) => [...row]),
      v: given.v.map((row) => [...row]),
    });
    let now = { ...copy(), asks, scaled: true, masked: true };
    groups += 1;
    const group = `tp-asks-${groups}`;
    const kinds = /** @type {const} */ (["q", "k", "v"]);
    const inputs = names.map((name, i) =>
      kinds.map((kind) =>
        now[kind][i].map((value, d) =>
          field(TEXT.attention.part(kind, name, d), value, (typed) => {
            now[kind][i][d] = typed;
            draw();
          }),
        ),
      ),
    );
    const choices = names.map((name, i) => {
      const radio = el("input", { type: "radio", name: group, value: i, checked: i === asks });
      radio.addEventListener("change", () => {
        now.asks = i;
        draw();
      });
      return { radio, node: el("label", {}, radio, ` ${name}`) };
    });
    const check = (/** @type {"scaled" | "masked"} */ what) => {
      const box = el("input", { type: "checkbox", checked: true });
      box.addEventListener("change", () => {
        now[what] = box.checked;
        draw();
      });
      return { box, node: el("label", {}, box, ` ${TEXT.attention[what]}`) };
    };
    const boxes = [check("scaled"), check("masked")];
    const rows = names.map((name) => {
      const cells = { product: el("td"), score: el("td"), seen: el("td"), weight: bar(), value: el("td") };
      const node = el("tr", {}, [
        el("th", { scope: "row", text: name }),
        cells.product,
        cells.score,
        cells.seen,
        cells.weight.node,
        cells.value,
      ]);
      return { ...cells, node };
    });
    const output = el("td", { class: "strong" });
    const pair = (/** @type {number[]} */ vector) => `(${vector.map((each) => fixed(each)).join(", ")})`;
    function draw() {
      const { products, scores, seen, weights, output: sum } = worked.attention(now);
      rows.forEach((row, i) => {
        put(row.product, fixed(products[i]));
        put(row.score, fixed(scores[i]));
        put(row.seen, seen[i] === -Infinity ? "−∞" : fixed(seen[i]));
        row.weight.show(weights[i]);
        put(row.value, pair(now.v[i].map((each) => each * weights[i])));
        row.node.className = seen[i] === -Infinity ? "hidden" : i === now.asks ? "right" : "";
      });
      put(output, pair(sum));
    }
    function reset() {
      now = { ...copy(), asks, scaled: true, masked: true };
      inputs.forEach((kinds_, i) =>
        kinds_.forEach((vector, n) =>
          vector.forEach((input, d) => {
            input.value = String(now[kinds[n]][i][d]);
          }),
        ),
      );
      choices.forEach(({ radio }, i) => {
        radio.checked = i === asks;
      });
      boxes.forEach(({ box }) => {
        box.checked = true;
      });
      draw();
    }
    draw();
    const { attention: words } = TEXT;
    return {
      name: words.name,
      reset,
      nodes: [
        el("table", { class: "vectors" }, [
          el("caption", { text: words.given }),
          heads([TEXT.token, "q", "k", "v"]),
          el("tbody", {}, [
            names.map((name, i) =>
              el("tr", {}, [el("th", { scope: "row", text: name }), inputs[i].map((vector) => el("td", {}, vector))]),
            ),
          ]),
        ]),
        el("fieldset", { class: "tp-sheet-choices" }, [
          el("legend", { text: words.asks }),
          choices.map(({ node }) => node),
        ]),
        el("p", { class: "tp-sheet-choices" }, [boxes.map(({ node }) => node)]),
        el("table", {}, [
          el("caption", { text: words.result }),
          heads([TEXT.token, words.product, "÷ √d", words.seen, words.weight, words.value]),
          el("tbody", {}, [rows.map(({ node }) => node)]),
          el("tfoot", {}, el("tr", {}, el("th", { scope: "row", colspan: 5, text: words.output }), output)),
        ]),
      ],
    };
  }

  Object.assign(sheets, { softmax, dot, attention });
})();
