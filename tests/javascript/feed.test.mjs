/* A run that a view follows: assets/js/runs/feed.js. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { load } from "./page.mjs";

const COLUMNS = ["step", "loss", "mean", "lr", "grad_norm", "tokens", "seconds", "time"];
const bytes = (base64) => new Uint8Array(Buffer.from(base64, "base64"));
const packed = (values) => Buffer.from(new Float64Array(values).buffer).toString("base64");
const states = { running: { word: "training", over: false }, finished: { word: "finished", over: true } };
const translate = (word) => `<${word}>`;
const tp = load(["feed"], { bytes, states, translate, runName: ({ name }) => name });
const plain = (value) => JSON.parse(JSON.stringify(value)); // of another realm

/** An answer of the server, with steps [step, loss]. */
function answer(offset, { steps = [], ...more } = {}) {
  const value = {
    step: (s) => s[0],
    loss: (s) => s[1],
    mean: (s) => s[1],
    tokens: (s) => 32 * s[0],
    seconds: () => 0.5,
  };
  return {
    columns: Object.fromEntries(COLUMNS.map((name) => [name, packed(steps.map(value[name] ?? (() => 1)))])),
    ...{ offset, cut: null, more: false, evaluated: [], samples: [], probes: [], saved: [], notes: [], working: null },
    status: { state: "running", step: steps.at(-1)?.[0] ?? 0, total_steps: 10 },
    ...more,
  };
}

const note = (kind, step, stays = true) => ({ kind, step, stays });
const sample = (step, text, prompt = "a") => ({ step, prompt, text, correct: null });

test("what a resumed run repeats is forgotten, and what happened to its processes stays", () => {
  const feed = new tp.Feed("x");
  feed.learn(
    answer(10, {
      steps: [1, 2, 3, 4, 5, 6].map((step) => [step, 9]),
      evaluated: [
        [0, 3, null],
        [4, 2.5, 0.5],
        [6, 9, 0.9],
      ],
      samples: [sample(0, "b"), sample(6, "c")],
      probes: [0, 6],
      saved: [0, 4],
      notes: [note("started", 0), note("changed", 4, false), note("paused", 5), note("changed", 5, false)],
    }),
  );
  assert.ok(feed.learn(answer(20, { cut: 4, steps: [[5, 1]], notes: [note("started", 4)] })));
  assert.deepEqual(plain(feed.steps.step), [1, 2, 3, 4, 5]);
  assert.equal(feed.steps.last("loss"), 1);
  assert.deepEqual(plain(feed.evaluated.step), [0, 4]);
  assert.deepEqual(plain(feed.samples), [sample(0, "b")]);
  assert.deepEqual(plain([feed.probes, feed.saved]), [[0], [0, 4]]);
  const kinds = feed.notes.map(({ kind, step }) => `${kind} ${step}`);
  assert.deepEqual(plain(kinds), ["started 0", "changed 4", "paused 5", "restarted 4"]);
  assert.equal(feed.trained, 3.5, "seconds spent are spent, also on what was repeated");
  assert.equal(feed.steps.last("clock"), 2.5);
});

test("the loss after a cut is smoothed as if nothing had been repeated", () => {
  const [one, other] = [new tp.Feed("x"), new tp.Feed("x")];
  one.learn(
    answer(1, {
      steps: [
        [1, 4],
        [2, 3],
        [3, 9],
        [4, 9],
      ],
    }),
  );
  one.learn(answer(2, { cut: 2, steps: [[3, 2]] }));
  other.learn(
    answer(2, {
      steps: [
        [1, 4],
        [2, 3],
        [3, 2],
      ],
    }),
  );
  assert.deepEqual(plain(one.steps.smooth), plain(other.steps.smooth));
});

test("smoothing gives the numbers that Python gives", () => {
  const { steps, values, cases } = JSON.parse(readFileSync(new URL("smoothing.json", import.meta.url), "utf-8"));
  for (const { window, smoothed } of cases) {
    const feed = new tp.Feed("x", window);
    feed.learn(answer(1, { steps: steps.slice(0, 6).map((step, i) => [step, values[i]]) })); // in two parts
    feed.learn(answer(2, { steps: steps.slice(6).map((step, i) => [step, values[i + 6]]) }));
    for (const found of [tp.smoothed(steps, values, window), feed.steps.smooth])
      found.forEach((value, i) => assert.ok(Math.abs(value - smoothed[i]) < 1e-12, `window ${window}, row ${i}`));
  }
});

test("states have their words in the language of the page", () => {
  assert.equal(tp.states.running.word, "<training>");
});

test("of two samples of one prompt at one step the later counts", () => {
  const feed = new tp.Feed("x");
  feed.learn(answer(1, { samples: [sample(3, "old"), sample(3, "other", "b"), sample(3, "new")] }));
  assert.deepEqual(plain(feed.samples), [sample(3, "new"), sample(3, "other", "b")]);
});

test("reads on to the end, and says whether anything is new", async () => {
  const feed = new tp.Feed("x");
  const log = [answer(5, { steps: [[1, 2]], more: true, about: { name: " a run " } }), answer(9, { steps: [[2, 2]] })];
  const asked = [];
  const ask = async (run, offset) => {
    asked.push([run, offset]);
    return log.find((each) => each.offset > offset) ?? log.at(-1);
  };
  assert.equal(await feed.read(ask), true);
  assert.deepEqual(asked, [
    ["x", 0],
    ["x", 5],
  ]);
  assert.equal(feed.steps.n, 2);
  assert.equal(feed.name, "a run");
  assert.equal(feed.loaded, true);
  const nothing = async () => answer(9, { status: log[1].status });
  assert.equal(await feed.read(nothing), false);
  const ended = async () => answer(9, { status: { ...log[1].status, state: "finished" } });
  assert.equal(await feed.read(ended), true, "its state changed");
  assert.equal(feed.over, true);
  const broken = async () => ({ error: "Gone." });
  assert.equal(await feed.read(broken), true);
  assert.equal(await feed.read(broken), false, "said once");
  assert.equal(feed.state, "error");
  assert.equal(await feed.read(ended), true, "it is back");
});

test("a run that is followed no longer is not read to its end", async () => {
  const feed = new tp.Feed("x");
  let asked = 0;
  await feed.read(
    async () => answer(++asked, { more: true }),
    () => false,
  );
  assert.equal(asked, 1);
  assert.equal(feed.loaded, false);
});

test("a table that grows too long keeps every other row, and its last", () => {
  const table = new tp.Table("load");
  for (let step = 0; step < 6; step++) table.add({ step, load: -step });
  table.halve();
  assert.deepEqual(
    plain([table.step, table.load]),
    [
      [0, 2, 4, 5],
      [-0, -2, -4, -5],
    ].map((row) => row.map((x) => x + 0)),
  );
});
