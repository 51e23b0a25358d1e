/* Tables of lessons on writing, training and experts: sampling, momentum and Adam, clipping, a router, a cache.
 *
 * Each is one of `tp.lessons.sheets.sheets` (tables.js), computed in running.js.
 */
(() => {
  "use strict";

  const { el, fixed, lessons, number, put, running, table, tableRow } = window.tp;
  const { bar, button, changeable, labelled, sheets, vector } = lessons.sheets;

  const TEXT = window.tp.words({
    en: {
      token: "token",
      sampling: {
        name: "From logits to the next token",
        columns: ["token", "logit", "model", "drawn from"],
        of: (/** @type {string} */ name) => `Logit of ${name}`,
        temperature: "temperature",
        k: "top-k (0: off)",
        p: "top-p (1: off)",
        least: "min-p (0: off)",
        removed: (/** @type {string} */ filter) => `– ${filter}`,
        /** @type {(before: string, after: string) => string} */
        entropy: (before, after) => `Entropy: ${before} bits before, ${after} bits after.`,
      },
      moves: {
        name: "One weight, six gradients",
        columns: ["step", "gradient g", "momentum b", "m̂", "√v̂", "Adam m̂ / √v̂"],
        of: (/** @type {number} */ step) => `Gradient of step ${step}`,
        steady: "Steady",
        alternating: "Alternating",
        noise: "Noise",
        note: "SGD with momentum moves by rate × b, Adam by rate × the last column.",
      },
      clip: {
        name: "Gradient clipping",
        of: (/** @type {number} */ i) => `Gradient, number ${i}`,
        gradient: "Gradient",
        limit: "Limit",
        /** @type {(length: string, factor: string) => string} */
        result: (length, factor) => `Length ${length}, so all numbers × ${factor}:`,
      },
      router: {
        name: "A router by hand",
        /** @type {(token: string, expert: number) => string} */
        of: (token, expert) => `Score of expert ${expert} for ${token}`,
        expert: (/** @type {number} */ i) => `expert ${i}`,
        k: "experts for each token",
        gate: (/** @type {string} */ gate) => `gate ${gate}`,
        first: "f, share of first choices",
        mean: "P, mean probability",
        loss: (/** @type {string} */ loss) => `Balance loss E Σ f P = ${loss}. Even work has 1.`,
      },
      cache: {
        name: "How large is the cache?",
        fields: {
          layers: "layers",
          heads: "KV heads",
          width: "head width",
          tokens: "tokens",
          bytes: "bytes per number",
        },
        each: (/** @type {string} */ count) => `Each token: ${count} numbers.`,
        /** @type {(numbers: string, size: string) => string} */
        all: (numbers, size) => `All tokens: ${numbers} numbers, ${size}.`,
      },
    },
    zh: {
      token: "词元",
      sampling: {
        name: "从 logits 到下一个词元",
        columns: ["词元", "logit", "模型", "从中抽取"],
        of: (name) => `${name} 的 logit`,
        temperature: "温度",
        k: "top-k（0 为关）",
        p: "top-p（1 为关）",
        least: "min-p（0 为关）",
        removed: (filter) => `– ${filter}`,
        entropy: (before, after) => `熵：之前 ${before} 比特，之后 ${after} 比特。`,
      },
      moves: {
        name: "一个权重，六个梯度",
        columns: ["步", "梯度 g", "动量 b", "m̂", "√v̂", "Adam m̂ / √v̂"],
        of: (step) => `第 ${step} 步的梯度`,
        steady: "一直不变",
        alternating: "正负交替",
        noise: "噪声",
        note: "带动量的 SGD 移动 学习率 × b，Adam 移动 学习率 × 最后一列。",
      },
      clip: {
        name: "梯度裁剪",
        of: (i) => `梯度的第 ${i} 个数`,
        gradient: "梯度",
        limit: "上限",
        result: (length, factor) => `长度为 ${length}，所以每个数都 × ${factor}：`,
      },
      router: {
        name: "手算路由器",
        of: (token, expert) => `专家 ${expert} 对 ${token} 的得分`,
        expert: (i) => `专家 ${i}`,
        k: "每个词元用几个专家",
        gate: (gate) => `门值 ${gate}`,
        first: "f，首选份额",
        mean: "P，平均概率",
        loss: (loss) => `均衡损失 E Σ f P = ${loss}。完全均匀时是 1。`,
      },
      cache: {
        name: "缓存有多大？",
        fields: { layers: "层数", heads: "键值头数", width: "头的宽度", tokens: "词元数", bytes: "每个数的字节数" },
        each: (count) => `每个词元：${count} 个数。`,
        all: (numbers, size) => `全部词元：${numbers} 个数，${size}。`,
      },
    },
  });

  const choices = (/** @type {Child[]} */ ...children) => el("div", { class: "tp-sheet-choices" }, children);

  /* ------------------------------------------------------------------ sampling */

  /** @param {{names: string[], logits: number[],
   *   temperature: number, top_k: number, top_p: number, min_p: number}} given */
  function sampling({ names, logits, temperature, top_k, top_p, min_p }) {
    const words = TEXT.sampling;
    const first = { logits, temperature, k: top_k, p: top_p, least: min_p };
    const { now, field, reset } = changeable(first, draw);
    const rows = names.map((name, i) => {
      const before = el("td");
      const after = bar();
      const why = el("span", { class: "tp-sheet-note" });
      after.node.append(" ", why);
      const input = field(words.of(name), ["logits", i]);
      return { before, after, why, node: tableRow({}, name, [input, before, after.node]) };
    });
    /** @type {(kind: "temperature" | "k" | "p" | "least", min: number, max: number) => Node} */
    const setting = (kind, min, max) =>
      labelled(
        words[kind],
        field(words[kind], [kind], {}, (typed) => Math.min(max, Math.max(min, typed))),
      );
    const note = el("p", { class: "tp-sheet-sum" });
    function draw() {
      const { before, after, removed } = running.filtered(now.logits, now);
      rows.forEach((row, i) => {
        const gone = removed[i];
        put(row.before, fixed(before[i], 3));
        row.after.show(after[i]);
        put(row.why, gone ? words.removed(gone) : "");
      });
      put(note, words.entropy(fixed(running.entropy(before), 2), fixed(running.entropy(after), 2)));
    }
    draw();
    return {
      name: words.name,
      reset,
      nodes: [
        table(
          {},
          words.columns,
          rows.map(({ node }) => node),
        ),
        choices(
          setting("temperature", 0.1, 5),
          setting("k", 0, names.length),
          setting("p", 0.01, 1),
          setting("least", 0, 1),
        ),
        note,
      ],
    };
  }

  /* ------------------------------------------------------------------ momentum and Adam */

  const NOISE = [0.9, -1.2, 0.3, -0.4, 1.1, -0.7];

  /** @param {{gradients: number[], beta1: number, beta2: number}} given */
  function moves({ gradients, beta1, beta2 }) {
    const words = TEXT.moves;
    const { now, field, set, reset } = changeable({ gradients }, draw);
    const cells = gradients.map(() => [el("td"), el("td"), el("td"), el("td", { class: "strong" })]);
    /** @type {(text: string, gradient: (i: number) => number) => Node} */
    const use = (text, gradient) => button(text, {}, () => set({ gradients: gradients.map((_, i) => gradient(i)) }));
    function draw() {
      running.moves(now.gradients, { beta1, beta2 }).forEach(({ momentum, mean, root, adam }, i) => {
        [momentum, mean, root, adam].forEach((value, n) => {
          put(cells[i][n], fixed(value, 2));
        });
      });
    }
    draw();
    const rows = cells.map((list, i) =>
      tableRow({}, String(i + 1), [field(words.of(i + 1), ["gradients", i]), ...list]),
    );
    const steady = use(words.steady, () => 1);
    const alternating = use(words.alternating, (i) => (i % 2 ? -1 : 1));
    const noise = use(words.noise, (i) => NOISE[i % NOISE.length]);
    return {
      name: words.name,
      reset,
      nodes: [
        table({}, words.columns, rows),
        choices(steady, alternating, noise),
        el("p", { class: "tp-sheet-note", text: words.note }),
      ],
    };
  }

  /* ------------------------------------------------------------------ clipping */

  /** @param {{gradient: number[], limit: number}} given */
  function clip(given) {
    const words = TEXT.clip;
    const { now, field, reset } = changeable(given, draw);
    const found = el("p");
    const result = el("p", { class: "tp-sheet-sum" });
    function draw() {
      const { length, factor, clipped } = running.clip(now.gradient, now.limit);
      put(found, words.result(fixed(length, 2), fixed(factor, 3)));
      put(result, vector(clipped));
    }
    draw();
    const inputs = given.gradient.map((_, i) => field(words.of(i + 1), ["gradient", i]));
    const gradient = el("span", {}, `${words.gradient} `, inputs);
    const limit = labelled(words.limit, field(words.limit, ["limit"]));
    return { name: words.name, reset, nodes: [choices(gradient, limit), found, result] };
  }

  /* ------------------------------------------------------------------ a router */

  /** @param {{names: string[], scores: number[][], k: number}} given */
  function router({ names, scores, k }) {
    const words = TEXT.router;
    const { now, field, reset } = changeable({ scores, k }, draw);
    const experts = scores[0].map((_, i) => i);
    const shares = names.map(() => experts.map(() => el("small")));
    const sums = { first: experts.map(() => el("td")), mean: experts.map(() => el("td")) };
    const loss = el("p", { class: "tp-sheet-sum" });
    function draw() {
      const found = running.route(now.scores, now.k);
      names.forEach((_, t) => {
        experts.forEach((e) => {
          const gate = found.gates[t][e];
          const share = fixed(found.shares[t][e], 2);
          put(shares[t][e], gate ? `${share} → ${words.gate(fixed(gate, 2))}` : share);
          shares[t][e].classList.toggle("strong", gate > 0);
        });
      });
      experts.forEach((e) => {
        put(sums.first[e], fixed(found.first[e], 2));
        put(sums.mean[e], fixed(found.mean[e], 2));
      });
      put(loss, words.loss(fixed(found.loss, 2)));
    }
    draw();
    const rows = names.map((name, t) => {
      const cells = experts.map((e) => [field(words.of(name, e + 1), ["scores", t, e]), el("br"), shares[t][e]]);
      return tableRow({}, name, cells);
    });
    const possible = (/** @type {number} */ typed) => Math.min(experts.length, Math.max(1, Math.round(typed)));
    const many = field(words.k, ["k"], { step: 1, min: 1, max: experts.length }, possible);
    const columns = [TEXT.token, ...experts.map((e) => words.expert(e + 1))];
    const foot = [tableRow({}, words.first, sums.first), tableRow({}, words.mean, sums.mean)];
    return {
      name: words.name,
      reset,
      nodes: [table({ class: "tp-router" }, columns, rows, foot), choices(labelled(words.k, many)), loss],
    };
  }

  /* ------------------------------------------------------------------ the cache */

  const UNITS = ["B", "KB", "MB", "GB", "TB", "PB"];

  /** Bytes in the unit that reads best; a kilobyte is 1,000 bytes.
   *
   * @param {number} bytes */
  function size(bytes) {
    const step = Math.max(0, Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
    return `${number(bytes / 1000 ** step, 3)} ${UNITS[step]}`;
  }

  /** @param {{layers: number, heads: number, width: number, tokens: number, bytes: number}} given */
  function cache(given) {
    const words = TEXT.cache;
    const { now, field, reset } = changeable(given, draw);
    const each = el("p");
    const all = el("p", { class: "tp-sheet-sum" });
    function draw() {
      const found = running.cached(now);
      put(each, words.each(found.each.toLocaleString("en-US")));
      put(all, words.all(found.numbers.toLocaleString("en-US"), size(found.bytes)));
    }
    draw();
    const inputs = /** @type {const} */ (["layers", "heads", "width", "tokens", "bytes"]).map((kind) => {
      const positive = (/** @type {number} */ typed) => Math.max(0, typed);
      return labelled(words.fields[kind], field(words.fields[kind], [kind], { min: 0, step: 1 }, positive));
    });
    return { name: words.name, reset, nodes: [el("div", { class: "tp-sheet-choices wide" }, inputs), each, all] };
  }

  Object.assign(sheets, { sampling, moves, clip, router, cache });
})();
