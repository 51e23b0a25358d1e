/* More tables of lessons whose numbers can be changed, drawn as those of vectorsheets.js: sampling, moves, clip, router, cache.
 *
 * What is computed is in running.js.
 */
(() => {
  "use strict";

  const { el, fixed, lessons, number, put, running } = window.tp;
  const { bar, button, field, heads, sheets } = lessons.sheets;

  const TEXT = window.tp.words({
    en: {
      token: "token",
      logit: "logit",
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
      logit: "logit",
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
        gate: (gate) => `门控 ${gate}`,
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

  /** A field with its name before it.
   *
   * @param {string} label @param {HTMLElement} input */
  const labelled = (label, input) => el("label", {}, `${label} `, input);

  /** Put numbers into fields.
   *
   * @param {HTMLInputElement[]} inputs @param {number[]} values */
  const fill = (inputs, values) =>
    inputs.forEach((input, i) => {
      input.value = String(values[i]);
    });

  /* ------------------------------------------------------------------ sampling */

  /** @param {{names: string[], logits: number[], temperature: number, top_k: number, top_p: number, min_p: number}} given */
  function sampling({ names, logits, temperature, top_k, top_p, min_p }) {
    const first = { temperature, k: top_k, p: top_p, least: min_p };
    const now = { ...first, logits: [...logits] };
    const inputs = logits.map((logit, i) =>
      field(TEXT.sampling.of(names[i]), logit, (value) => {
        now.logits[i] = value;
        draw();
      }),
    );
    const rows = names.map((name, i) => {
      const before = el("td");
      const after = bar();
      const why = el("span", { class: "tp-sheet-note" });
      after.node.append(" ", why);
      const head = el("th", { scope: "row", text: name });
      return { before, after, why, node: el("tr", {}, head, el("td", {}, inputs[i]), before, after.node) };
    });
    const limits = { temperature: [0.1, 5, 0.1], k: [0, names.length, 1], p: [0.01, 1, 0.05], least: [0, 1, 0.05] };
    const kinds = /** @type {const} */ (["temperature", "k", "p", "least"]);
    const settings = kinds.map((kind) => {
      const [min, max] = limits[kind];
      return field(TEXT.sampling[kind], now[kind], (value) => {
        now[kind] = Math.min(max, Math.max(min, value));
        draw();
      });
    });
    const note = el("p", { class: "tp-sheet-sum" });
    function draw() {
      const { before, after, removed } = running.filtered(now.logits, now);
      rows.forEach((row, i) => {
        const gone = removed[i];
        put(row.before, fixed(before[i], 3));
        row.after.show(after[i]);
        put(row.why, gone ? TEXT.sampling.removed(gone) : "");
      });
      put(note, TEXT.sampling.entropy(fixed(running.entropy(before), 2), fixed(running.entropy(after), 2)));
    }
    draw();
    return {
      name: TEXT.sampling.name,
      reset() {
        Object.assign(now, first, { logits: [...logits] });
        fill(inputs, logits);
        fill(
          settings,
          kinds.map((kind) => first[kind]),
        );
        draw();
      },
      nodes: [
        el("table", {}, [heads(TEXT.sampling.columns), el("tbody", {}, [rows.map(({ node }) => node)])]),
        el("div", { class: "tp-sheet-choices" }, [kinds.map((kind, i) => labelled(TEXT.sampling[kind], settings[i]))]),
        note,
      ],
    };
  }

  /* ------------------------------------------------------------------ momentum and Adam */

  const NOISE = [0.9, -1.2, 0.3, -0.4, 1.1, -0.7];

  /** @param {{gradients: number[], beta1: number, beta2: number}} given */
  function moves({ gradients, beta1, beta2 }) {
    let now = [...gradients];
    const inputs = gradients.map((value, i) =>
      field(TEXT.moves.of(i + 1), value, (typed) => {
        now[i] = typed;
        draw();
      }),
    );
    const rows = gradients.map((_, i) => {
      const cells = [el("td"), el("td"), el("td"), el("td", { class: "strong" })];
      const head = el("th", { scope: "row", text: String(i + 1) });
      return { cells, node: el("tr", {}, head, el("td", {}, inputs[i]), cells) };
    });
    const use = (/** @type {number[]} */ values) => () => {
      now = [...values];
      fill(inputs, values);
      draw();
    };
    function draw() {
      running.moves(now, { beta1, beta2 }).forEach(({ momentum, mean, root, adam }, i) => {
        [momentum, mean, root, adam].forEach((value, n) => {
          put(rows[i].cells[n], fixed(value, 2));
        });
      });
    }
    draw();
    return {
      name: TEXT.moves.name,
      reset: use(gradients),
      nodes: [
        el("table", {}, [heads(TEXT.moves.columns), el("tbody", {}, [rows.map(({ node }) => node)])]),
        el("div", { class: "tp-sheet-choices" }, [
          button(TEXT.moves.steady, use(gradients.map(() => 1))),
          button(TEXT.moves.alternating, use(gradients.map((_, i) => (i % 2 ? -1 : 1)))),
          button(TEXT.moves.noise, use(gradients.map((_, i) => NOISE[i % NOISE.length]))),
        ]),
        el("p", { class: "tp-sheet-note", text: TEXT.moves.note }),
      ],
    };
  }

  /* ------------------------------------------------------------------ clipping */

  /** @param {{gradient: number[], limit: number}} given */
  function clip({ gradient, limit }) {
    const now = { gradient: [...gradient], limit };
    const inputs = gradient.map((value, i) =>
      field(TEXT.clip.of(i + 1), value, (typed) => {
        now.gradient[i] = typed;
        draw();
      }),
    );
    const most = field(TEXT.clip.limit, limit, (typed) => {
      now.limit = typed;
      draw();
    });
    const words = el("p");
    const result = el("p", { class: "tp-sheet-sum" });
    function draw() {
      const { length, factor, clipped } = running.clip(now.gradient, now.limit);
      put(words, TEXT.clip.result(fixed(length, 2), fixed(factor, 3)));
      put(result, `(${clipped.map((value) => fixed(value, 2)).join(", ")})`);
    }
    draw();
    return {
      name: TEXT.clip.name,
      reset() {
        Object.assign(now, { gradient: [...gradient], limit });
        fill(inputs, gradient);
        most.value = String(limit);
        draw();
      },
      nodes: [
        el("div", { class: "tp-sheet-choices" }, [
          el("span", {}, `${TEXT.clip.gradient} `, inputs),
          labelled(TEXT.clip.limit, most),
        ]),
        words,
        result,
      ],
    };
  }

  /* ------------------------------------------------------------------ a router */

  /** @param {{names: string[], scores: number[][], k: number}} given */
  function router({ names, scores, k }) {
    const copy = () => scores.map((row) => [...row]);
    let now = { scores: copy(), k };
    const experts = scores[0].map((_, i) => i);
    const inputs = names.map((name, t) =>
      experts.map((e) =>
        field(TEXT.router.of(name, e + 1), scores[t][e], (typed) => {
          now.scores[t][e] = typed;
          draw();
        }),
      ),
    );
    const cells = names.map(() => experts.map(() => el("small")));
    const rows = names.map((name, t) =>
      el("tr", {}, [
        el("th", { scope: "row", text: name }),
        experts.map((e) => el("td", {}, inputs[t][e], el("br"), cells[t][e])),
      ]),
    );
    const sums = { first: experts.map(() => el("td")), mean: experts.map(() => el("td")) };
    const sum = (/** @type {"first" | "mean"} */ name) =>
      el("tr", {}, el("th", { scope: "row", text: TEXT.router[name] }), sums[name]);
    const many = field(
      TEXT.router.k,
      k,
      (typed) => {
        now.k = Math.min(experts.length, Math.max(1, Math.round(typed)));
        draw();
      },
      { step: 1, min: 1, max: experts.length },
    );
    const loss = el("p", { class: "tp-sheet-sum" });
    function draw() {
      const found = running.route(now.scores, now.k);
      names.forEach((_, t) => {
        experts.forEach((e) => {
          const gate = found.gates[t][e];
          const share = fixed(found.shares[t][e], 2);
          put(cells[t][e], gate ? `${share} → ${TEXT.router.gate(fixed(gate, 2))}` : share);
          cells[t][e].classList.toggle("strong", gate > 0);
        });
      });
      experts.forEach((e) => {
        put(sums.first[e], fixed(found.first[e], 2));
        put(sums.mean[e], fixed(found.mean[e], 2));
      });
      put(loss, TEXT.router.loss(fixed(found.loss, 2)));
    }
    draw();
    return {
      name: TEXT.router.name,
      reset() {
        now = { scores: copy(), k };
        inputs.forEach((row, t) => {
          fill(row, scores[t]);
        });
        many.value = String(k);
        draw();
      },
      nodes: [
        el("table", { class: "tp-router" }, [
          heads([TEXT.token, ...experts.map((e) => TEXT.router.expert(e + 1))]),
          el("tbody", {}, rows),
          el("tfoot", {}, sum("first"), sum("mean")),
        ]),
        el("div", { class: "tp-sheet-choices" }, labelled(TEXT.router.k, many)),
        loss,
      ],
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
    const now = { ...given };
    const kinds = /** @type {const} */ (["layers", "heads", "width", "tokens", "bytes"]);
    const inputs = kinds.map((kind) =>
      field(
        TEXT.cache.fields[kind],
        given[kind],
        (typed) => {
          now[kind] = Math.max(0, typed);
          draw();
        },
        { min: 0, step: 1 },
      ),
    );
    const each = el("p");
    const all = el("p", { class: "tp-sheet-sum" });
    function draw() {
      const found = running.cached(now);
      put(each, TEXT.cache.each(found.each.toLocaleString("en-US")));
      put(all, TEXT.cache.all(found.numbers.toLocaleString("en-US"), size(found.bytes)));
    }
    draw();
    return {
      name: TEXT.cache.name,
      reset() {
        Object.assign(now, given);
        fill(
          inputs,
          kinds.map((kind) => given[kind]),
        );
        draw();
      },
      nodes: [
        el("div", { class: "tp-sheet-choices wide" }, [
          kinds.map((kind, i) => labelled(TEXT.cache.fields[kind], inputs[i])),
        ]),
        each,
        all,
      ],
    };
  }

  Object.assign(sheets, { sampling, moves, clip, router, cache });
})();
