/* Numbers for people, and ink that can be read: assets/js/drawing/numbers.js. */
import assert from "node:assert/strict";
import test from "node:test";
import { page, SHARED } from "./page.mjs";

const { count, fixed, scientific, loss, rounded, css, inkOn } = page(SHARED).tp;

test("numbers as people write them", () => {
  assert.equal(count(1234567), "1,234,567");
  assert.deepEqual(
    [-1.5, -0.001, 0, NaN, Infinity, undefined].map((value) => fixed(value)),
    [...["−1.50", "0.00", "0.00", "–", "–", "–"]],
  );
  assert.equal(fixed(2, 0), "2");
  assert.deepEqual([7.389, 1, 162754.79, Math.exp(60), Math.exp(-10), 0, -0.5, NaN, Infinity].map(scientific), [
    ...["7.39", "1", "162,755", "1.14 × 10²⁶", "4.54 × 10⁻⁵", "0", "−0.5", "–", "∞"],
  ]);
  assert.deepEqual([4.0123, 12000, NaN].map(loss), ["4.012", "12k", "–"]);
  assert.deepEqual([0, 1 / 255, 0.123, 1].map(rounded), ["0%", "< 1%", "12%", "100%"]);
  assert.equal(css([1, 2, 3]), "rgb(1,2,3)");
});

test("ink stands out on every colour (WCAG 2: at least 4.5 to 1)", () => {
  const luminance = (rgb) =>
    rgb
      .map((x) => x / 255)
      .map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4))
      .reduce((sum, x, i) => sum + x * [0.2126, 0.7152, 0.0722][i], 0);
  for (let r = 0; r < 256; r += 15)
    for (let g = 0; g < 256; g += 15)
      for (let b = 0; b < 256; b += 15) {
        const [page, ink] = [luminance([r, g, b]), inkOn([r, g, b]) === "#ffffff" ? 1 : 0];
        assert.ok((Math.max(page, ink) + 0.05) / (Math.min(page, ink) + 0.05) >= 4.5, css([r, g, b]));
      }
});
