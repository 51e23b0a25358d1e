/* `tp.worked`: the arithmetic of the lessons, on plain arrays. The page draws it; tests compare it with PyTorch.
 *
 *   softmax(logits, temperature)       probabilities
 *   surprise(logits, target, t)        −ln p(target), in nats      gradient(logits, target)  p − 1 there, else p
 *   dot, size, cosine                  of two vectors
 *   attention({q, k, v, asks, scaled, masked})   one row of attention, step by step
 *   heads({scores, v})                 several heads read the same values, each with its own scores
 *   rotated(pair, degrees), rope({q, k, angle, m, n})   a query at position m and a key at n, rotated
 *   silu, gate({a, b})                 SwiGLU's hidden numbers      rms, normed   RMSNorm without its weight
 *   parameters({vocabulary, width, layers, hidden})     of a small GPT, part by part
 *   step({x, y, w, rate})              one weight, one step of gradient descent
 *   words, frequent, merge             byte-pair encoding on the words of a text
 *   spread, bits                       the guessing game: a guess and its certainty, as probabilities
 */
(() => {
  "use strict";

  /** @type {(numbers: number[]) => number} */
  const sum = (numbers) => numbers.reduce((total, each) => total + each, 0);

  /** exp(z / T) of each logit, divided by their sum. A logit of −∞ has probability 0.
   *
   * @param {number[]} logits @param {number} [temperature] */
  function softmax(logits, temperature = 1) {
    const largest = Math.max(...logits);
    const powers = logits.map((logit) => Math.exp((logit - largest) / temperature));
    const total = sum(powers);
    return powers.map((power) => power / total);
  }

  /** The loss: −ln p of the token that is right, in nats.
   *
   * @param {number[]} logits @param {number} target @param {number} [temperature] */
  const surprise = (logits, target, temperature = 1) => -Math.log(softmax(logits, temperature)[target]);

  /** How the loss changes with each logit: its probability, minus one at the token that is right.
   *
   * @param {number[]} logits @param {number} target */
  const gradient = (logits, target) => softmax(logits).map((p, i) => p - (i === target ? 1 : 0));

  /** @type {(a: number[], b: number[]) => number} */
  const dot = (a, b) => sum(a.map((x, i) => x * b[i]));
  /** @type {(a: number[]) => number} */
  const size = (a) => Math.hypot(...a);
  /** The cosine of the angle between two vectors; 0 where one has no length.
   *
   * @type {(a: number[], b: number[]) => number} */
  const cosine = (a, b) => (size(a) * size(b) ? dot(a, b) / (size(a) * size(b)) : 0);

  /** One row of attention (Vaswani et al. 2017, equation 1): token `asks` reads from all, or from those up to itself.
   *
   * @param {{q: number[][], k: number[][], v: number[][], asks: number, scaled?: boolean, masked?: boolean}} given */
  function attention({ q, k, v, asks, scaled = true, masked = true }) {
    const products = k.map((key) => dot(q[asks], key));
    const scores = products.map((product) => (scaled ? product / Math.sqrt(q[asks].length) : product));
    const seen = scores.map((score, i) => (masked && i > asks ? -Infinity : score));
    const weights = softmax(seen);
    const output = v[0].map((_, d) => sum(weights.map((weight, i) => weight * v[i][d])));
    return { products, scores, seen, weights, output };
  }

  /** Several heads: for each, the weights of its own scores, and the values read with them.
   *
   * @param {{scores: number[][], v: number[][]}} given */
  function heads({ scores, v }) {
    return scores.map((row) => {
      const weights = softmax(row);
      return { weights, output: v[0].map((_, d) => sum(weights.map((weight, i) => weight * v[i][d]))) };
    });
  }

  /** A pair of numbers, turned counter-clockwise.
   *
   * @type {(pair: number[], degrees: number) => [number, number]} */
  function rotated([x, y], degrees) {
    const angle = (degrees * Math.PI) / 180;
    return [x * Math.cos(angle) - y * Math.sin(angle), x * Math.sin(angle) + y * Math.cos(angle)];
  }

  /** RoPE on one pair (Su et al. 2021): a query at position m and a key at position n, `angle` degrees a position.
   *
   * @param {{q: number[], k: number[], angle: number, m: number, n: number}} given */
  function rope({ q, k, angle, m, n }) {
    const [query, key] = [rotated(q, m * angle), rotated(k, n * angle)];
    return { query, key, product: dot(query, key) };
  }

  /** @type {(x: number) => number} */
  const silu = (x) => x / (1 + Math.exp(-x));

  /** The hidden numbers of SwiGLU (Shazeer 2020): silu(a) · b, number by number, and their sum.
   *
   * @param {{a: number[], b: number[]}} given */
  function gate({ a, b }) {
    const opened = a.map(silu);
    const products = opened.map((value, i) => value * b[i]);
    return { opened, products, output: sum(products) };
  }

  /** The root mean square.
   *
   * @type {(x: number[]) => number} */
  const rms = (x) => Math.sqrt(sum(x.map((value) => value * value)) / x.length);
  /** RMSNorm with weight one and without ε: zeros stay zeros.
   *
   * @type {(x: number[]) => number[]} */
  const normed = (x) => x.map((value) => (rms(x) ? value / rms(x) : 0));

  /** The parameters of a GPT with RMSNorm, SwiGLU and a tied embedding, part by part.
   *
   * @param {{vocabulary: number, width: number, layers: number, hidden: number}} given */
  function parameters({ vocabulary, width, layers, hidden }) {
    const parts = {
      embedding: vocabulary * width,
      attention: layers * 4 * width * width,
      feedforward: layers * 3 * width * hidden,
      norms: (2 * layers + 1) * width,
    };
    return { ...parts, total: sum(Object.values(parts)) };
  }

  /** Gradient descent on one weight: the prediction is w·x, the loss (w·x − y)².
   *
   * @param {{x: number, y: number, w: number, rate: number}} given */
  function step({ x, y, w, rate }) {
    const slope = 2 * x * (w * x - y);
    const next = w - rate * slope;
    return { prediction: w * x, loss: (w * x - y) ** 2, gradient: slope, next };
  }

  /** The words of a text as tokens: one for each character, and "␣" for the space before a word.
   *
   * @type {(text: string) => string[][]} */
  const words = (text) =>
    text
      .split(/\s+/)
      .filter(Boolean)
      .map((word) => [...`␣${word}`]);

  /** Pairs of neighbours and how often each stands in the words, the most frequent first; of equals, the first seen.
   *
   * @param {string[][]} list
   * @returns {{pair: [string, string], count: number}[]} */
  function frequent(list) {
    /** @type {Map<string, {pair: [string, string], count: number}>} */
    const found = new Map();
    for (const word of list)
      for (let i = 0; i + 1 < word.length; i++) {
        const key = `${word[i]}\0${word[i + 1]}`;
        const known = found.get(key) ?? { pair: [word[i], word[i + 1]], count: 0 };
        known.count += 1;
        found.set(key, known);
      }
    return [...found.values()].sort((a, b) => b.count - a.count);
  }

  /** The words with each such pair as one token, from left to right.
   *
   * @param {string[][]} list @param {[string, string]} pair */
  const merge = (list, [left, right]) =>
    list.map((word) => {
      /** @type {string[]} */
      const merged = [];
      for (let i = 0; i < word.length; i++) {
        if (word[i] === left && word[i + 1] === right) {
          merged.push(left + right);
          i += 1;
        } else merged.push(word[i]);
      }
      return merged;
    });

  /** The probability that a guess gives to the right character: `certainty` to the guessed one, and the rest to the
   * others, each by its share.
   *
   * @param {{guess: number, right: number, certainty: number, shares: number[]}} given */
  const spread = ({ guess, right, certainty, shares }) =>
    guess === right ? certainty : ((1 - certainty) * shares[right]) / (1 - shares[guess]);

  /** @type {(probability: number) => number} */
  const bits = (probability) => -Math.log2(probability);

  window.tp.worked = {
    softmax,
    surprise,
    gradient,
    dot,
    size,
    cosine,
    attention,
    heads,
    rotated,
    rope,
    silu,
    gate,
    rms,
    normed,
    parameters,
    step,
    words,
    frequent,
    merge,
    spread,
    bits,
  };
})();
