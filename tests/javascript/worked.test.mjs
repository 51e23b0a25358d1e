/* The arithmetic of the lessons: assets/js/lessons/tables/worked.js.
 *
 * tests/playground/tabs/learn/test_worked.py compares it with PyTorch. */
import assert from "node:assert/strict";
import test from "node:test";
import { load, plain } from "./page.mjs";

const { worked } = load(["worked"]);

const near = (found, wanted) => {
  assert.equal(found.length, wanted.length);
  found.forEach((value, i) => assert.ok(Math.abs(value - wanted[i]) < 1e-12, `${found} is not ${wanted}`));
};

test("softmax sums to one, keeps the order and forgets a shift", () => {
  for (const temperature of [0.1, 1, 5]) {
    const shares = worked.softmax([2, 1, 0], temperature);
    near([shares.reduce((a, b) => a + b)], [1]);
    assert.ok(shares[0] > shares[1] && shares[1] > shares[2]);
    near(worked.softmax([1002, 1001, 1000], temperature), shares);
  }
  near(worked.softmax([1, -Infinity]), [1, 0]);
});

test("the gradient is the slope of the loss, by finite differences", () => {
  const logits = [2, 1, 0];
  const tiny = 1e-6;
  const slope = logits.map((_, i) => {
    const moved = (by) => logits.map((logit, j) => logit + (i === j ? by : 0));
    return (worked.surprise(moved(tiny), 1) - worked.surprise(moved(-tiny), 1)) / (2 * tiny);
  });
  worked.gradient(logits, 1).forEach((value, i) => assert.ok(Math.abs(value - slope[i]) < 1e-8));
});

test("vectors", () => {
  assert.equal(worked.dot([2, 1], [1, -2]), 0);
  assert.equal(worked.size([3, 4]), 5);
  assert.equal(worked.cosine([2, 2], [1, 1]).toFixed(12), "1.000000000000");
  assert.equal(worked.cosine([0, 0], [1, 1]), 0);
});

test("attention hides the future, unless the mask is off", () => {
  const given = {
    q: [
      [1, 0],
      [2, 0],
    ],
    k: [
      [1, 0],
      [5, 5],
    ],
    v: [
      [1, 0],
      [0, 1],
    ],
    asks: 0,
  };
  const hidden = worked.attention(given);
  assert.deepEqual(plain(hidden.weights), [1, 0]);
  assert.deepEqual(plain(hidden.output), [1, 0]);
  const open = worked.attention({ ...given, masked: false, scaled: false });
  assert.deepEqual(plain(open.seen), [1, 5]);
  assert.ok(open.weights[1] > open.weights[0]);
});

test("a step goes downhill, and past the valley if the rate is large", () => {
  const at = { x: 2, y: 6, w: 1 };
  const { loss } = worked.step({ ...at, rate: 0 });
  const then = (rate) => worked.step({ ...at, w: worked.step({ ...at, rate }).next, rate }).loss;
  assert.ok(then(0.1) < loss);
  near([then(0.25)], [loss]);
  assert.ok(then(0.3) > loss);
});

test("byte pairs: the most frequent first, from left to right, never across words", () => {
  let words = worked.words("the cat the hat");
  assert.deepEqual(plain(words[0]), ["␣", "t", "h", "e"]);
  assert.deepEqual(plain(worked.frequent(words)[0]), { pair: ["␣", "t"], count: 2 });
  words = worked.merge(words, ["a", "t"]);
  assert.deepEqual(plain(words[1]), ["␣", "c", "at"]);
  assert.deepEqual(plain(worked.merge([["a", "a", "a"]], ["a", "a"])), [["aa", "a"]]);
  assert.ok(worked.frequent(words).every(({ pair }) => pair[1] !== "␣"));
});

test("a guess is a distribution: the certainty, and the rest by shares", () => {
  const shares = [0.5, 0.3, 0.2];
  const all = [0, 1, 2].map((right) => worked.spread({ guess: 1, right, certainty: 0.6, shares }));
  near([all.reduce((a, b) => a + b)], [1]);
  assert.equal(all[1], 0.6);
  assert.equal(worked.bits(0.25), 2);
});
