import assert from "node:assert/strict";
import { test } from "node:test";
import { SHARED, page, plain } from "./page.mjs";

const { curves } = page([...SHARED, "curves"]).tp;
const ticks = (...range) => plain(curves.ticks(...range));
const logTicks = (...range) => plain(curves.logTicks(...range));

/** A line as the chart gets it. */
function line(y, x = y.map((_, i) => i), options = {}) {
  return { id: "a", style: "a", x, y, n: y.length, fit: true, ...options };
}

/** The range of an axis that shows these lines whole. */
function extent(lines, panel = {}) {
  return plain(
    curves.extent(
      { id: "p", title: "", height: 100, lines, ...panel },
      lines.map(({ n }) => [0, n]),
    ),
  );
}

const same = (value) => value;
const points = (path) => path.split(/(?=[ML])/).filter(Boolean);

test("ticks are round numbers inside their range", () => {
  assert.deepEqual(ticks(0, 10, 5), [0, 2, 4, 6, 8, 10]);
  assert.deepEqual(
    ticks(0, 1, 4).map((tick) => tick.toFixed(2)),
    ["0.00", "0.50", "1.00"],
  );
  assert.deepEqual(ticks(1234, 5678, 4), [2000, 4000]);
  assert.deepEqual(ticks(3, 3, 4), [3]);
  assert.deepEqual(ticks(5, 3, 4), [5]);
});

test("zero is a tick without a sign", () => {
  assert.ok(ticks(-1, 1, 4).some((tick) => Object.is(tick, 0)));
  assert.ok(!ticks(-1, 1, 4).some((tick) => Object.is(tick, -0)));
});

test("for any range the steps are 1, 2 or 5 times a power of ten, and about as many as asked for", () => {
  for (let power = -8; power < 9; power++) {
    for (const [low, width] of [
      [0, 1],
      [-3, 7],
      [0.123, 4.7],
      [99, 1.01],
    ]) {
      for (const most of [2, 4, 8]) {
        const range = width * 10 ** power;
        const step = curves.niceStep(range, most);
        const mantissa = step / 10 ** Math.floor(Math.log10(step * 1.0001));
        assert.ok(
          [1, 2, 5].some((wanted) => Math.abs(mantissa - wanted) < 1e-6),
          `${step}`,
        );
        const count = ticks(low * 10 ** power, low * 10 ** power + range, most).length;
        assert.ok(count >= Math.floor(most / 2.5) && count <= most + 1, `${count} of ${most}`);
      }
    }
  }
});

test("a logarithmic axis has powers of ten, and 2 and 5 where it is short", () => {
  assert.deepEqual(logTicks(1, 10_000, 5), [1, 10, 100, 1000, 10_000]);
  assert.deepEqual(logTicks(1, 50, 5), [1, 2, 5, 10, 20, 50]);
  assert.deepEqual(logTicks(2, 8, 3), [2, 4, 6, 8]); // less than a power of ten: as a straight axis
});

test("the first index of an x is found among the first n", () => {
  const xs = [0, 10, 20, 20, 30];
  assert.deepEqual(
    [-5, 0, 5, 20, 25, 99].map((x) => curves.indexOf(xs, 5, x)),
    [0, 0, 1, 2, 4, 5],
  );
  assert.equal(curves.indexOf(xs, 3, 99), 3);
  assert.equal(curves.indexOf([], 0, 1), 0);
});

test("a curve of few values goes through each of them", () => {
  const path = curves.curve(line([1, 2, 4], [0, 100, 200]), 0, 3, same, same);
  assert.equal(path, "M0,1.0L100,2.0L200,4.0");
});

test("a curve breaks where a value is missing, or has no place", () => {
  const path = curves.curve(line([1, NaN, 4, 5], [0, 100, 200, 300]), 0, 4, same, same);
  assert.equal(path, "M0,1.0M200,4.0L300,5.0");
  const log = curves.curve(line([1, 0, 1, 1], [0, 100, 200, 300]), 0, 4, same, Math.log);
  assert.equal(log, "M0,0.0M200,0.0L300,0.0");
});

test("a curve of many values has two points a column, its lowest and its highest", () => {
  const n = 100_000;
  const y = Float64Array.from({ length: n }, (_, i) => Math.sin(i));
  y[50_000] = 9;
  const wide = 300;
  const path = curves.curve(
    line(
      y,
      Float64Array.from(y, (_, i) => i),
    ),
    0,
    n,
    (x) => (x / n) * wide,
    same,
  );
  const drawn = points(path);
  assert.ok(drawn.length <= 2 * (wide + 1), `${drawn.length}`);
  assert.equal(drawn.filter((point) => point.endsWith(",9.0")).length, 1);
  const columns = drawn.map((point) => Number(point.slice(1).split(",")[0]));
  assert.deepEqual(
    columns,
    columns.toSorted((a, b) => a - b),
  );
});

test("of many dots the newest is drawn", () => {
  const drawn = curves.dots(line([1, 2, 3, 4, 5, 6]), 0, 6, same, same, 3).match(/M[^a]+/g);
  assert.deepEqual(drawn, ["M-2.0,2.0", "M0.0,4.0", "M2.0,6.0"]);
  assert.equal(curves.dots(line([NaN]), 0, 1, same, same, 3), "");
});

test("an axis holds the lines that ask for it, with some room", () => {
  const [low, high] = extent([line([2, 3, 4])]);
  assert.ok(low < 2 && low > 1.5 && high > 4 && high < 4.5);
  const [, other] = extent([line([2, 3, 4]), line([100], [0], { fit: false })]);
  assert.equal(other, high);
});

test("an axis of values from zero on begins at zero", () => {
  assert.equal(extent([line([0, 3, 4])])[0], 0);
  assert.equal(extent([line([2, 3, 4])], { zero: true })[0], 0);
  assert.ok(extent([line([-1, 3])])[0] < -1);
});

test("an axis has a height also for one value and for none", () => {
  for (const y of [[5], [0], [-3], [], [NaN], [Infinity]]) {
    const [low, high] = extent([line(y)]);
    assert.ok(Number.isFinite(low) && high > low, `${y}`);
  }
  const [low, high] = extent([line([0, -1, NaN])], { log: true });
  assert.ok(low > 0 && high > low);
});

test("a spike beyond the share that decides does not stretch the axis", () => {
  const y = Array.from({ length: 100 }, (_, i) => (i === 50 ? 1000 : 1 + i / 100));
  assert.ok(extent([line(y)])[1] >= 1000);
  assert.ok(extent([line(y, undefined, { keep: 0.98 })])[1] < 3);
});

test("a fixed range is kept", () => {
  assert.deepEqual(extent([line([5])], { range: [0, 1] }), [0, 1]);
});

test("labels that would touch are moved apart, and no further than needed", () => {
  const apart = (...given) => plain(curves.apart(...given));
  assert.deepEqual(apart([10, 50, 90], 13, 0, 100), [10, 50, 90]);
  assert.deepEqual(apart([50, 50], 10, 0, 100), [45, 55]);
  assert.deepEqual(apart([52, 50], 10, 0, 100), [56, 46]); // their order is that of their lines
  assert.deepEqual(apart([2, 3], 10, 0, 100), [0, 10]);
  assert.deepEqual(apart([99, 98], 10, 0, 100), [100, 90]);
  assert.deepEqual(apart([], 10, 0, 100), []);
  for (const places of [
    [1, 2, 3, 97, 98, 99],
    [40, 41, 47, 55, 70],
    [100, 100, 100],
  ]) {
    const moved = apart(places, 13, 0, 100).sort((a, b) => a - b);
    for (let i = 1; i < moved.length; i++) assert.ok(moved[i] - moved[i - 1] >= 13 - 1e-9, `${moved}`);
    assert.ok(moved[0] >= 0 && moved.at(-1) <= 100 + 1e-9, `${moved}`);
  }
});
