/* Tables of lessons that show a part of a model: several heads, a rotated pair, a gate, a norm, a parameter count.
 *
 * Each is one of `tp.lessons.sheets.sheets` (tables.js), computed in worked.js.
 */
(() => {
  "use strict";

  const { el, fixed, put, table, tableRow, worked } = window.tp;
  const { arrow, bar, button, changeable, labelled, plane, sheets: kinds, vector } = window.tp.lessons.sheets;

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

  /* ------------------------------------------------------------------ several heads */

  /** @param {{names: string[], scores: number[][], v: number[][]}} given */
  kinds.heads = ({ names, scores, v }) => {
    const words = TEXT.heads;
    const { now, field, reset } = changeable({ scores }, draw);
    const shares = scores.map(() => names.map(bar));
    const outputs = scores.map(() => el("td", { class: "strong" }));
    const joined = el("p", { class: "tp-sheet-sum" });
    function draw() {
      const found = worked.heads({ scores: now.scores, v });
      found.forEach(({ weights, output }, head) => {
        weights.forEach((weight, i) => {
          shares[head][i].show(weight);
        });
        put(outputs[head], vector(output));
      });
      put(joined, words.joined(vector(found.flatMap(({ output }) => output))));
    }
    draw();
    const columns = scores.flatMap((_, head) => [words.score(head + 1), words.weight(head + 1)]);
    const rows = names.map((name, i) => {
      const cells = shares.flatMap((each, head) => [
        field(words.field(name, head + 1), ["scores", head, i]),
        each[i].node,
      ]);
      return tableRow({}, name, [`(${v[i].join(", ")})`, ...cells]);
    });
    const foot = outputs.map((output, head) =>
      tableRow({}, el("th", { scope: "row", colspan: 1 + 2 * scores.length, text: words.reads(head + 1) }), [output]),
    );
    return { name: words.name, reset, nodes: [table({}, [words.token, words.value, ...columns], rows, foot), joined] };
  };

  /* ------------------------------------------------------------------ a rotated pair */

  const PLANE = { size: 220, unit: 42 };
  const MOST = 12;

  /** @param {{q: number[], k: number[], angle: number, m: number, n: number}} given */
  kinds.rotation = (given) => {
    const words = TEXT.rotation;
    const { now, field, slider, reset } = changeable(given, draw);
    const half = PLANE.size / 2;
    const arrows = ["q", "k"].map((text, i) => arrow(i + 1, half, 6, { class: "strong middle", text }));
    const product = el("p", { class: "tp-sheet-sum" });
    const more = el("p", { class: "tp-sheet-note" });
    function draw() {
      const { query, key, product: found } = worked.rope(now);
      [query, key].forEach(([x, y], i) => {
        const [right, down] = [half + PLANE.unit * x, half - PLANE.unit * y];
        const away = Math.max(worked.size([x, y]), 0.1);
        arrows[i].show([right, down], [right + (16 * x) / away, down - (16 * y) / away + 4]);
      });
      put(product, `${words.distance(now.m - now.n)} ${words.product(fixed(found))}`);
      put(more, words.turned(vector(query), vector(key)));
    }
    draw();
    const vectors = ["q", "k"].map((which, i) => {
      const [x, y] = [0, 1].map((n) => field(words.part(which, n + 1), [which, n], { step: 0.5 }));
      return el("p", { class: `tp-vector v${i + 1}` }, el("b", { text: `${which} ` }), "(", x, ", ", y, ")");
    });
    const positions = { min: 0, max: MOST, step: 1 };
    return {
      name: words.name,
      reset,
      nodes: [
        el("div", { class: "tp-sheet-beside" }, [
          plane(words.plane, PLANE.size, [
            el("circle", { class: "rule", cx: half, cy: half, r: PLANE.unit }),
            arrows.map(({ nodes }) => nodes),
          ]),
          el("div", {}, [
            vectors,
            el("p", {}, labelled(words.angle, field(words.angle, ["angle"]))),
            slider("m = ", words.query, ["m"], positions),
            slider("n = ", words.key, ["n"], positions),
            product,
            more,
          ]),
        ]),
      ],
    };
  };

  /* ------------------------------------------------------------------ a gate */

  /** @param {{a: number[], b: number[]}} given */
  kinds.gate = (given) => {
    const words = TEXT.gate;
    const { now, field, reset } = changeable(given, draw);
    const cells = given.a.map(() => ({ opened: el("td"), product: el("td") }));
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
    const rows = cells.map(({ opened, product }, i) => {
      const gate = field(words.field(words.gate, i + 1), ["a", i]);
      const value = field(words.field(words.value, i + 1), ["b", i]);
      return tableRow({}, String(i + 1), [gate, opened, value, product]);
    });
    const columns = [words.number, words.gate, words.opened, words.value, words.product];
    const foot = tableRow({}, el("th", { scope: "row", colspan: 4, text: words.output }), [output]);
    return { name: words.name, reset, nodes: [table({}, columns, rows, [foot])] };
  };

  /* ------------------------------------------------------------------ a norm */

  const plain = (/** @type {number} */ value) => Number(value.toFixed(2)).toLocaleString("en-US");

  /** @param {{x: number[]}} given */
  kinds.rms = (given) => {
    const words = TEXT.rms;
    const { now, field, set, reset } = changeable(given, draw);
    const cells = given.x.map(() => ({ square: el("td"), y: el("td") }));
    const result = el("p", { class: "tp-sheet-sum" });
    function draw() {
      const normed = worked.normed(now.x);
      cells.forEach(({ square, y }, i) => {
        put(square, plain(now.x[i] ** 2));
        put(y, fixed(normed[i]));
      });
      const rms = worked.rms(now.x);
      put(result, words.result(plain(rms ** 2), plain(rms)));
    }
    draw();
    const rows = cells.map(({ square, y }, i) =>
      tableRow({}, String(i + 1), [field(words.field(i + 1), ["x", i]), square, y]),
    );
    const times = button(words.times, {}, () => set({ x: now.x.map((value) => 10 * value) }));
    return {
      name: words.name,
      reset,
      nodes: [table({}, [words.number, words.x, words.square, words.y], rows), result, el("p", {}, times)],
    };
  };

  /* ------------------------------------------------------------------ a parameter count */

  /** @param {{vocabulary: number, width: number, layers: number, hidden: number}} given */
  kinds.parameters = (given) => {
    const words = TEXT.parameters;
    const { now, field, reset } = changeable(given, draw);
    const names = /** @type {const} */ (["vocabulary", "width", "layers", "hidden"]);
    const parts = /** @type {const} */ (["embedding", "attention", "feedforward", "norms"]);
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
    const whole = (/** @type {number} */ typed) => Math.max(0, Math.round(typed));
    const inputs = names.map((name) => labelled(words[name], field(words[name], [name], { step: 1, min: 0 }, whole)));
    const rows = parts.map((part, i) => tableRow({}, words.rows[part], [cells[i].count, cells[i].share.node]));
    return {
      name: words.name,
      reset,
      nodes: [
        el("p", { class: "tp-sheet-choices" }, inputs),
        table({}, [words.part, words.count, words.share], rows, [tableRow({}, words.total, [total, ""])]),
      ],
    };
  };
})();
