/* Tables of lessons that show a part of a model: several heads, a rotated pair, a gate, a norm, a parameter count.
 *
 * Each is one of `tp.lessons.sheets.sheets` (worksheets.js), computed in worked.js.
 */
(() => {
  "use strict";

  const { el, fixed, put, worked } = window.tp;
  const { bar, field, heads: header, sheets: kinds } = window.tp.lessons.sheets;

  const TEXT = window.tp.words({
    en: {
      heads: {
        name: "Two heads side by side",
        token: "token",
        value: "value v",
        score: (/** @type {number} */ head) => `score, head ${head}`,
        weight: (/** @type {number} */ head) => `weight, head ${head}`,
        field: (/** @type {string} */ token, /** @type {number} */ head) => `Score of ${token} in head ${head}`,
        reads: (/** @type {number} */ head) => `Head ${head} collects`,
        joined: (/** @type {string} */ numbers) => `Joined end to end: ${numbers}`,
      },
      rotation: {
        name: "A query and a key, rotated by their positions",
        query: "query at position m",
        key: "key at position n",
        angle: "Angle for each position, in degrees",
        /** @type {(which: string, i: number) => string} */
        part: (which, i) => `${which}, number ${i}`,
        plane: "The rotated query and the rotated key as arrows from one point",
        product: (/** @type {string} */ product) => `q · k = ${product}`,
        distance: (/** @type {number} */ apart) => `Distance m − n = ${String(apart).replace("-", "−")}.`,
        turned: (/** @type {string} */ query, /** @type {string} */ key) => `Rotated: q ${query}, k ${key}.`,
      },
      gate: {
        name: "SwiGLU, number by number",
        number: "number",
        gate: "gate a",
        opened: "silu(a)",
        value: "value b",
        product: "silu(a) · b",
        output: "sum, if all output weights are 1",
        /** @type {(which: string, i: number) => string} */
        field: (which, i) => `${which} ${i}`,
      },
      rms: {
        name: "RMSNorm of your own numbers",
        number: "number",
        x: "x",
        square: "x²",
        y: "x ÷ RMS",
        field: (/** @type {number} */ i) => `x ${i}`,
        result: (/** @type {string} */ mean, /** @type {string} */ rms) =>
          `Mean of the squares: ${mean}. Its root, the RMS: ${rms}.`,
        times: "All ten times as large",
      },
      parameters: {
        name: "Parameters of a small GPT",
        vocabulary: "Vocabulary V",
        width: "Width C",
        layers: "Blocks L",
        hidden: "Hidden width F",
        part: "part",
        count: "parameters",
        share: "share",
        rows: {
          embedding: "embedding: V · C",
          attention: "attention: L · 4 · C²",
          feedforward: "feed-forward: L · 3 · C · F",
          norms: "norms: (2 L + 1) · C",
        },
        total: "sum",
      },
    },
    zh: {
      heads: {
        name: "两个头并排",
        token: "词元",
        value: "值 v",
        score: (head) => `头 ${head} 的分数`,
        weight: (head) => `头 ${head} 的权重`,
        field: (token, head) => `头 ${head} 给 ${token} 的分数`,
        reads: (head) => `头 ${head} 收集到`,
        joined: (numbers) => `首尾拼接：${numbers}`,
      },
      rotation: {
        name: "按位置旋转的查询和键",
        query: "位置 m 上的查询",
        key: "位置 n 上的键",
        angle: "每个位置转多少度",
        part: (which, i) => `${which}，第 ${i} 个数`,
        plane: "旋转后的查询和键，从同一点出发的两个箭头",
        product: (product) => `q · k = ${product}`,
        distance: (apart) => `距离 m − n = ${String(apart).replace("-", "−")}。`,
        turned: (query, key) => `旋转之后：q ${query}，k ${key}。`,
      },
      gate: {
        name: "SwiGLU，一个数一个数地算",
        number: "序号",
        gate: "门 a",
        opened: "silu(a)",
        value: "数值 b",
        product: "silu(a) · b",
        output: "总和（输出权重都取 1）",
        field: (which, i) => `${which}，第 ${i} 个`,
      },
      rms: {
        name: "对你自己的数做 RMSNorm",
        number: "序号",
        x: "x",
        square: "x²",
        y: "x ÷ RMS",
        field: (i) => `第 ${i} 个 x`,
        result: (mean, rms) => `平方的平均值：${mean}。开方得到 RMS：${rms}。`,
        times: "全部乘以十",
      },
      parameters: {
        name: "一个小 GPT 的参数",
        vocabulary: "词表 V",
        width: "宽度 C",
        layers: "块数 L",
        hidden: "隐藏宽度 F",
        part: "部分",
        count: "参数",
        share: "占比",
        rows: {
          embedding: "嵌入：V · C",
          attention: "注意力：L · 4 · C²",
          feedforward: "前馈网络：L · 3 · C · F",
          norms: "归一化：(2 L + 1) · C",
        },
        total: "总和",
      },
    },
  });

  const vector = (/** @type {number[]} */ numbers) => `(${numbers.map((each) => fixed(each)).join(", ")})`;
  const row = (/** @type {Child[]} */ ...cells) => el("tr", {}, cells);
  const first = (/** @type {string} */ text) => el("th", { scope: "row", text });

  /** A head of a table, its rows, and its last row. */
  const table = (/** @type {string[]} */ names, /** @type {Child[]} */ rows, /** @type {Child[]} */ foot = []) =>
    el("table", {}, header(names), el("tbody", {}, rows), foot.length ? el("tfoot", {}, foot) : "");

  /** Give the fields their first numbers again.
   *
   * @param {HTMLInputElement[]} inputs @param {number[]} values */
  const refill = (inputs, values) =>
    inputs.forEach((input, i) => {
      input.value = String(values[i]);
    });

  /* ------------------------------------------------------------------ several heads */

  /** @param {{names: string[], scores: number[][], v: number[][]}} given */
  kinds.heads = ({ names, scores, v }) => {
    const words = TEXT.heads;
    const now = scores.map((each) => [...each]);
    const cells = names.map((_, i) =>
      now.map((_, head) => {
        const share = bar();
        const input = field(words.field(names[i], head + 1), scores[head][i], (value) => {
          now[head][i] = value;
          draw();
        });
        return { share, input };
      }),
    );
    const outputs = now.map(() => el("td", { class: "strong" }));
    const joined = el("p", { class: "tp-sheet-sum" });
    function draw() {
      const found = worked.heads({ scores: now, v });
      found.forEach(({ weights, output }, head) => {
        weights.forEach((weight, i) => {
          cells[i][head].share.show(weight);
        });
        put(outputs[head], vector(output));
      });
      put(joined, words.joined(vector(found.flatMap(({ output }) => output))));
    }
    draw();
    const columns = now.flatMap((_, head) => [words.score(head + 1), words.weight(head + 1)]);
    return {
      name: words.name,
      reset() {
        scores.forEach((each, head) => {
          now[head] = [...each];
          refill(
            cells.map((list) => list[head].input),
            each,
          );
        });
        draw();
      },
      nodes: [
        table(
          [words.token, words.value, ...columns],
          names.map((name, i) =>
            row(
              first(name),
              el("td", { text: `(${v[i].join(", ")})` }),
              ...cells[i].flatMap(({ input, share }) => [el("td", {}, input), share.node]),
            ),
          ),
          outputs.map((output, head) =>
            row(el("th", { scope: "row", colspan: 1 + 2 * now.length, text: words.reads(head + 1) }), output),
          ),
        ),
        joined,
      ],
    };
  };

  /* ------------------------------------------------------------------ a rotated pair */

  const PLANE = { size: 220, unit: 42 };
  const MOST = 12;

  /** @param {{q: number[], k: number[], angle: number, m: number, n: number}} given */
  kinds.rotation = (given) => {
    const words = TEXT.rotation;
    let now = { ...given, q: [...given.q], k: [...given.k] };
    const half = PLANE.size / 2;
    const arrows = ["q", "k"].map((name, i) => ({
      line: el("line", { class: `vector v${i + 1}`, x1: half, y1: half }),
      tip: el("circle", { class: `tip v${i + 1}`, r: 6 }),
      text: el("text", { class: "strong middle", text: name }),
    }));
    const inputs = /** @type {const} */ (["q", "k"]).map((which) =>
      [0, 1].map((i) =>
        field(
          words.part(which, i + 1),
          given[which][i],
          (value) => {
            now[which][i] = value;
            draw();
          },
          { step: 0.5 },
        ),
      ),
    );
    const angle = field(words.angle, given.angle, (value) => {
      now.angle = value;
      draw();
    });
    const sliders = /** @type {const} */ (["m", "n"]).map((which) => {
      const shown = el("b");
      const input = el("input", {
        type: "range",
        class: "slider",
        min: 0,
        max: MOST,
        step: 1,
        value: String(given[which]),
        "aria-label": which === "m" ? words.query : words.key,
      });
      input.addEventListener("input", () => {
        now[which] = input.valueAsNumber;
        draw();
      });
      return { input, shown, which };
    });
    const product = el("p", { class: "tp-sheet-sum" });
    const more = el("p", { class: "tp-sheet-note" });
    function draw() {
      const { query, key, product: found } = worked.rope(now);
      [query, key].forEach(([x, y], i) => {
        const [right, down] = [half + PLANE.unit * x, half - PLANE.unit * y];
        const away = Math.max(worked.size([x, y]), 0.1);
        arrows[i].line.setAttribute("x2", String(right));
        arrows[i].line.setAttribute("y2", String(down));
        arrows[i].tip.setAttribute("cx", String(right));
        arrows[i].tip.setAttribute("cy", String(down));
        arrows[i].text.setAttribute("x", String(right + (16 * x) / away));
        arrows[i].text.setAttribute("y", String(down - (16 * y) / away + 4));
      });
      for (const { input, shown, which } of sliders) {
        put(shown, String(now[which]));
        input.style.setProperty("--filled", `${(100 * now[which]) / MOST}%`);
      }
      put(product, `${words.distance(now.m - now.n)} ${words.product(fixed(found))}`);
      put(more, words.turned(vector(query), vector(key)));
    }
    draw();
    return {
      name: words.name,
      reset() {
        now = { ...given, q: [...given.q], k: [...given.k] };
        refill(inputs.flat(), [...given.q, ...given.k]);
        angle.value = String(given.angle);
        for (const { input, which } of sliders) input.value = String(given[which]);
        draw();
      },
      nodes: [
        el("div", { class: "tp-sheet-beside" }, [
          el(
            "svg",
            {
              class: "tp-drawing tp-plane",
              viewBox: `0 0 ${PLANE.size} ${PLANE.size}`,
              role: "img",
              "aria-label": words.plane,
            },
            el("circle", { class: "rule", cx: half, cy: half, r: PLANE.unit }),
            el("line", { class: "rule", x1: 0, x2: PLANE.size, y1: half, y2: half }),
            el("line", { class: "rule", y1: 0, y2: PLANE.size, x1: half, x2: half }),
            arrows.map(({ line, tip, text }) => [line, tip, text]),
          ),
          el("div", {}, [
            inputs.map((pair, i) =>
              el("p", { class: `tp-vector v${i + 1}` }, [
                el("b", { text: i ? "k " : "q " }),
                "(",
                pair[0],
                ", ",
                pair[1],
                ")",
              ]),
            ),
            el("p", {}, el("label", {}, `${words.angle} `, angle)),
            sliders.map(({ input, shown, which }) =>
              el("label", { class: "tp-sheet-slider" }, `${which} = `, shown, input),
            ),
            product,
            more,
          ]),
        ]),
      ],
    };
  };

  /* ------------------------------------------------------------------ a gate */

  /** @param {{a: number[], b: number[]}} given */
  kinds.gate = ({ a, b }) => {
    const words = TEXT.gate;
    const now = { a: [...a], b: [...b] };
    const cells = a.map((_, i) => ({
      a: field(words.field(words.gate, i + 1), a[i], (value) => {
        now.a[i] = value;
        draw();
      }),
      b: field(words.field(words.value, i + 1), b[i], (value) => {
        now.b[i] = value;
        draw();
      }),
      opened: el("td"),
      product: el("td"),
    }));
    const output = el("td", { class: "strong" });
    function draw() {
      const found = worked.gate(now);
      cells.forEach(({ opened, product }, i) => {
        put(opened, fixed(found.opened[i], 3));
        put(product, fixed(found.products[i], 3));
      });
      put(output, fixed(found.output, 3));
    }
    draw();
    return {
      name: words.name,
      reset() {
        Object.assign(now, { a: [...a], b: [...b] });
        refill(
          cells.map((each) => each.a),
          a,
        );
        refill(
          cells.map((each) => each.b),
          b,
        );
        draw();
      },
      nodes: [
        table(
          [words.number, words.gate, words.opened, words.value, words.product],
          cells.map((each, i) =>
            row(first(String(i + 1)), el("td", {}, each.a), each.opened, el("td", {}, each.b), each.product),
          ),
          [row(el("th", { scope: "row", colspan: 4, text: words.output }), output)],
        ),
      ],
    };
  };

  /* ------------------------------------------------------------------ a norm */

  const plain = (/** @type {number} */ value) => Number(value.toFixed(2)).toLocaleString("en-US");

  /** @param {{x: number[]}} given */
  kinds.rms = ({ x }) => {
    const words = TEXT.rms;
    let now = [...x];
    const cells = x.map((value, i) => ({
      input: field(words.field(i + 1), value, (typed) => {
        now[i] = typed;
        draw();
      }),
      square: el("td"),
      y: el("td"),
    }));
    const result = el("p", { class: "tp-sheet-sum" });
    function draw() {
      const normed = worked.normed(now);
      cells.forEach(({ square, y }, i) => {
        put(square, plain(now[i] ** 2));
        put(y, fixed(normed[i]));
      });
      const rms = worked.rms(now);
      put(result, words.result(plain(rms ** 2), plain(rms)));
    }
    const fill = () =>
      refill(
        cells.map(({ input }) => input),
        now,
      );
    draw();
    return {
      name: words.name,
      reset() {
        now = [...x];
        fill();
        draw();
      },
      nodes: [
        table(
          [words.number, words.x, words.square, words.y],
          cells.map(({ input, square, y }, i) => row(first(String(i + 1)), el("td", {}, input), square, y)),
        ),
        result,
        el("p", {}, [
          el("button", {
            type: "button",
            class: "tp-button",
            text: words.times,
            on: {
              click() {
                now = now.map((value) => 10 * value);
                fill();
                draw();
              },
            },
          }),
        ]),
      ],
    };
  };

  /* ------------------------------------------------------------------ a parameter count */

  /** @param {{vocabulary: number, width: number, layers: number, hidden: number}} given */
  kinds.parameters = (given) => {
    const words = TEXT.parameters;
    const now = { ...given };
    const names = /** @type {const} */ (["vocabulary", "width", "layers", "hidden"]);
    const parts = /** @type {const} */ (["embedding", "attention", "feedforward", "norms"]);
    const inputs = names.map((name) =>
      field(
        words[name],
        given[name],
        (value) => {
          now[name] = Math.max(0, Math.round(value));
          draw();
        },
        { step: 1, min: 0 },
      ),
    );
    const cells = parts.map(() => ({ count: el("td"), share: bar() }));
    const total = el("td", { class: "strong" });
    function draw() {
      const found = worked.parameters(now);
      parts.forEach((part, i) => {
        put(cells[i].count, found[part].toLocaleString("en-US"));
        cells[i].share.show(found.total ? found[part] / found.total : 0);
      });
      put(total, found.total.toLocaleString("en-US"));
    }
    draw();
    return {
      name: words.name,
      reset() {
        Object.assign(now, given);
        refill(
          inputs,
          names.map((name) => given[name]),
        );
        draw();
      },
      nodes: [
        el("p", { class: "tp-sheet-choices" }, [names.map((name, i) => el("label", {}, `${words[name]} `, inputs[i]))]),
        table(
          [words.part, words.count, words.share],
          parts.map((part, i) => row(first(words.rows[part]), cells[i].count, cells[i].share.node)),
          [row(first(words.total), total, el("td"))],
        ),
      ],
    };
  };
})();
