/* `tp.running`: the arithmetic of the lessons on writing, training, experts and the cache, on plain arrays. The page
 * draws it (writing.js); tests compare it with the engine.
 *
 *   filtered(logits, {temperature, k, p, least})   the filters in the engine's order: what is kept, what is removed
 *   entropy(shares)                    in bits
 *   moves(gradients, {beta1, beta2})   momentum and Adam on one weight, step by step
 *   clip(gradient, limit)              its length, the factor, and what is left
 *   route(scores, k)                   a router on several tokens: gates, loads, the loss of Switch
 *   cached({layers, heads, width, tokens, bytes})  what a KV cache holds
 */
(() => {
  "use strict";

  const { worked } = window.tp;
  const EVERY = { temperature: 1, k: 0, p: 1, least: 0 };

  /** Temperature, top-k, top-p and min-p, in this order, as engine/generation/sampling.py applies them. k 0, p 1 and
   * `least` 0 are off.
   *
   * @param {number[]} logits @param {{temperature?: number, k?: number, p?: number, least?: number}} [settings] */
  function filtered(logits, settings = {}) {
    const { temperature, k, p, least } = { ...EVERY, ...settings };
    /** @type {(null | "top-k" | "top-p" | "min-p")[]} */
    const removed = logits.map(() => null);
    let scores = logits.map((logit) => logit / temperature);
    /** @type {(gone: (i: number) => boolean, by: "top-k" | "top-p" | "min-p") => void} */
    const remove = (gone, by) => {
      const out = scores.map((score, i) => score > -Infinity && gone(i));
      scores = scores.map((score, i) => (out[i] ? -Infinity : score));
      out.forEach((is, i) => {
        if (is) removed[i] = by;
      });
    };
    if (k > 0 && k < logits.length) {
      const kth = [...scores].sort((a, b) => b - a)[k - 1];
      remove((i) => scores[i] < kth, "top-k");
    }
    if (p < 1) {
      const shares = worked.softmax(scores);
      const order = shares.map((_, i) => i).sort((a, b) => shares[b] - shares[a] || a - b);
      let above = 0;
      const gone = new Set();
      for (const i of order) {
        if (above >= p) gone.add(i);
        above += shares[i];
      }
      remove((i) => gone.has(i), "top-p");
    }
    if (least > 0) {
      const best = Math.max(...scores);
      const before = [...scores];
      remove((i) => before[i] < best + Math.log(least), "min-p");
    }
    return { before: worked.softmax(logits), after: worked.softmax(scores), removed };
  }

  /** @type {(shares: number[]) => number} */
  const entropy = (shares) => shares.reduce((sum, p) => sum + (p > 0 ? p * worked.bits(p) : 0), 0);

  /** SGD with momentum (b = β₁ b + g) and Adam (m̂ / √v̂) on one weight. Moves are in learning rates.
   *
   * @param {number[]} gradients @param {{beta1: number, beta2: number}} betas */
  function moves(gradients, { beta1, beta2 }) {
    let [b, m, v] = [0, 0, 0];
    return gradients.map((gradient, i) => {
      b = beta1 * b + gradient;
      m = beta1 * m + (1 - beta1) * gradient;
      v = beta2 * v + (1 - beta2) * gradient ** 2;
      const [mean, square] = [m / (1 - beta1 ** (i + 1)), v / (1 - beta2 ** (i + 1))];
      return { gradient, momentum: b, mean, root: Math.sqrt(square), adam: square ? mean / Math.sqrt(square) : 0 };
    });
  }

  /** Gradient clipping: no longer than `limit`; 0 is off.
   *
   * @param {number[]} gradient @param {number} limit */
  function clip(gradient, limit) {
    const length = worked.size(gradient);
    const factor = limit > 0 && length > limit ? limit / length : 1;
    return { length, factor, clipped: gradient.map((value) => value * factor) };
  }

  /** A router on several tokens: scores[token][expert] are its logits. Of each token the k most probable experts are
   * chosen, and their gates sum to one. `loss` is E Σ f P of Switch, with f the share of first choices.
   *
   * @param {number[][]} scores @param {number} k */
  function route(scores, k) {
    const experts = scores[0].length;
    const shares = scores.map((row) => worked.softmax(row));
    const ranked = shares.map((row) => row.map((_, i) => i).sort((a, b) => row[b] - row[a] || a - b));
    const gates = shares.map((row, t) => {
      const chosen = ranked[t].slice(0, k);
      const sum = chosen.reduce((total, i) => total + row[i], 0);
      return row.map((share, i) => (chosen.includes(i) ? share / sum : 0));
    });
    const each = Array.from({ length: experts }, (_, i) => i);
    const first = each.map((i) => ranked.filter((order) => order[0] === i).length / scores.length);
    const mean = each.map((i) => shares.reduce((sum, row) => sum + row[i], 0) / scores.length);
    return { shares, gates, first, mean, loss: experts * worked.dot(first, mean) };
  }

  /** Numbers and bytes in a KV cache: a key and a value for each token, in each layer and each head of keys and values.
   *
   * @param {{layers: number, heads: number, width: number, tokens: number, bytes: number}} sizes */
  function cached({ layers, heads, width, tokens, bytes }) {
    const each = 2 * layers * heads * width;
    return { each, numbers: each * tokens, bytes: each * tokens * bytes };
  }

  window.tp.running = { filtered, entropy, moves, clip, route, cached };
})();
