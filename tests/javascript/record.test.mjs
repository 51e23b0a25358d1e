import assert from "node:assert/strict";
import { test } from "node:test";
import { load, plain } from "./page.mjs";

const DAY = 86_400_000;
const NOW = 1_000 * DAY;

/** A browser that remembers, with a record. */
function browser() {
  const kept = new Map();
  const document = new EventTarget();
  const recall = (key) => kept.get(key) ?? null;
  const remember = (key, text) => kept.set(key, text);
  const all = () => JSON.parse(kept.get("lessons") ?? "{}");
  const replace = (value) => kept.set("lessons", JSON.stringify(value));
  const tp = {
    browser: { recall, remember },
    lessons: { progress: { all, replace }, on: { progress: "tp-progress" } },
  };
  const globals = { document, CustomEvent };
  return { record: load(["record"], tp, globals).record, kept, replace, all };
}

test("the first answer counts, and its question becomes a card", () => {
  const { record } = browser();
  record.answered("softmax.1.0", false, NOW);
  record.answered("softmax.1.0", true, NOW + 1);
  assert.deepEqual(plain(record.answers()), { "softmax.1.0": { right: false, at: NOW, solved: true } });
  assert.deepEqual(plain(record.cards()), { "softmax.1.0": { box: 0, due: NOW + DAY } });
  record.answered("softmax.1.1", true, NOW);
  assert.deepEqual(plain(record.cards()["softmax.1.1"]), { box: 1, due: NOW + 2 * DAY });
});

test("a question that was answered right later is solved, and its first answer stays", () => {
  const { record } = browser();
  assert.equal(record.solved("a"), false);
  record.answered("a", false, NOW);
  assert.equal(record.solved("a"), false);
  record.answered("a", true, NOW + 1);
  record.answered("a", false, NOW + 2);
  record.answered("b", true, NOW);
  assert.deepEqual([record.solved("a"), record.solved("b")], [true, true]);
  assert.deepEqual(plain(record.answers()), {
    a: { right: false, at: NOW, solved: true },
    b: { right: true, at: NOW },
  });
  const other = browser();
  other.record.answered("a", false, NOW - 1);
  other.record.answered("b", false, NOW - 1);
  other.record.taken(record.written(NOW));
  assert.deepEqual([other.record.solved("a"), other.record.solved("b")], [true, true]);
  assert.equal(other.record.answers().b.right, false);
});

test("a right answer doubles the time until a card comes back, a wrong one begins again", () => {
  const { record } = browser();
  const waits = [];
  for (const right of [true, true, true, true, true, true, false, true]) {
    record.reviewed("a", right, NOW);
    waits.push((record.cards().a.due - NOW) / DAY);
  }
  assert.deepEqual(waits, [2, 4, 8, 16, 32, 32, 1, 2]);
});

test("cards are due when their time has come, the longest waiting first", () => {
  const { record } = browser();
  record.answered("late", true, NOW);
  record.answered("soon", false, NOW);
  const ids = ["late", "soon", "new"];
  assert.deepEqual(plain(record.due(ids, NOW)), ["new"]);
  assert.equal(record.next(ids, NOW), NOW + DAY);
  assert.deepEqual(plain(record.due(ids, NOW + 2 * DAY)), ["new", "soon", "late"]);
  assert.equal(record.next(ids, NOW + 2 * DAY), null);
  assert.deepEqual(plain(record.due([], NOW)), []);
});

test("only decided predictions are counted", () => {
  const { record } = browser();
  const list = [
    { predicted: 0, right: 0 },
    { predicted: 1, right: 0 },
    { predicted: 1, right: null },
    { predicted: null, right: 1 },
  ];
  assert.deepEqual(plain(record.calibration(list)), { right: 1, all: 2 });
});

test("a record goes to another browser and comes together with what is there", () => {
  const [one, other] = [browser(), browser()];
  one.record.answered("a", true, NOW);
  one.replace({
    softmax: {
      0: { done: true },
      1: { predicted: 2, result: { value: 0.5, right: 2, measure: "loss", run: "r", stored: false } },
    },
  });
  other.record.answered("a", false, NOW + 5);
  other.record.answered("b", false, NOW);
  other.replace({ softmax: { 1: { predicted: 0 } } });
  other.record.taken(one.record.written(NOW));
  assert.deepEqual(plain(other.record.answers()), { a: { right: true, at: NOW }, b: { right: false, at: NOW } });
  assert.equal(other.record.cards().a.due, NOW + 2 * DAY);
  assert.deepEqual(plain(other.all()), {
    softmax: {
      0: { done: true },
      1: { predicted: 0, result: { value: 0.5, right: 2, measure: "loss", run: "r", stored: false } },
    },
  });
  const twice = browser();
  twice.record.taken(one.record.written(NOW));
  twice.record.taken(one.record.written(NOW));
  assert.deepEqual(JSON.parse(twice.record.written(NOW)), JSON.parse(one.record.written(NOW)));
});

test("what is no record is refused, and what is wrong in one is left out", () => {
  const { record, all } = browser();
  const file = (more) => JSON.stringify({ format: "transformer-playground-record", version: 1, ...more });
  assert.throws(() => record.taken("{"), { message: "json" });
  for (const text of [
    "[]",
    "null",
    "3",
    "{}",
    '{"format": "other", "version": 1}',
    '{"format": "transformer-playground-record", "version": 2}',
  ])
    assert.throws(() => record.taken(text), { message: "format" });
  assert.throws(() => record.taken(file({ answers: { a: { right: "yes", at: 1 } } })), { message: "empty" });
  assert.throws(() => record.taken(file({ cards: [1], lessons: 3, answers: null })), { message: "empty" });
  record.taken(
    file({
      answers: {
        good: { right: true, at: 5, more: "x", solved: "yes" },
        bad: { right: true, at: -1 },
        ["x".repeat(300)]: { right: true, at: 1 },
      },
      cards: { a: { box: 99, due: 1 }, b: { box: 1, due: 1 } },
      lessons: { softmax: { 0: { done: "yes", predicted: 1.5 }, 1: { predicted: 1, more: "<b>" } }, list: [1] },
    }),
  );
  assert.deepEqual(plain(record.answers()), { good: { right: true, at: 5 } });
  assert.deepEqual(plain(record.cards()), { b: { box: 1, due: 1 } });
  assert.deepEqual(plain(all().softmax), { 1: { predicted: 1 } });
});

test("cleared, nothing is left; and what is damaged is nothing", () => {
  const { record, kept, all } = browser();
  record.answered("a", true, NOW);
  record.clear();
  assert.deepEqual([plain(record.answers()), plain(record.cards()), plain(all())], [{}, {}, {}]);
  kept.set("transformer-playground-cards", "[not json");
  kept.set("transformer-playground-answers", "[1]");
  assert.deepEqual([plain(record.cards()), plain(record.answers())], [{}, {}]);
});
