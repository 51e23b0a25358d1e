import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { load } from "./page.mjs";

const ROOT = new URL("../../", import.meta.url);
const EVENTS = readFileSync(new URL("assets/race.jsonl", ROOT), "utf8").trim().split("\n").map(JSON.parse);

/** What race.js of the tab Optimizers defines. */
function scripts() {
  const tp = load(["feed"], { states: {}, translate: (word) => word });
  const code = readFileSync(new URL("playground/tabs/optimizers/view/race.js", ROOT), "utf8");
  const TEXT = { names: { adamw: "AdamW", muon: "Muon", sgd: "SGD" } };
  return new Function("tp", "TEXT", `${code}; return { Race, scaled, directions };`)(tp, TEXT);
}

const news = (events) => ({ offset: events.length, state: "running", reason: "", place: null, verdicts: [], events });

test("directions that share a step: all of them if they are equal, one if it has everything", () => {
  const { directions, scaled } = scripts();
  assert.equal(directions([2, 2, 2, 2]), 4);
  assert.equal(directions([3, 0, 0, 0]), 1);
  assert.ok(Math.abs(directions([3, 1]) - 100 / 82) < 1e-12);
  assert.equal(directions([0, 0]), 0);
  assert.deepEqual(scaled([5, 5, 5]), [1, 1, 1]);
  const squares = scaled([3, 2, 1]).reduce((total, s) => total + s * s, 0);
  assert.ok(Math.abs(squares - 3) < 1e-12);
  assert.deepEqual(scaled([0, 0]), [0, 0]);
});

test("a race learns its events in parts as it does at once", () => {
  const { Race } = scripts();
  const [whole, parts] = [new Race("a"), new Race("a")];
  whole.learn(news(EVENTS));
  for (let i = 0; i < EVENTS.length; i += 97) parts.learn(news(EVENTS.slice(i, i + 97)));
  for (const name of ["plan", "laps", "finals", "spectra", "at"]) assert.deepEqual(parts[name], whole[name]);
  assert.equal(parts.progress, whole.progress);
});

test("the stored race, as the page shows it", () => {
  const { Race, directions } = scripts();
  const race = new Race("");
  race.learn(news(EVENTS));
  race.smooth();
  assert.deepEqual(race.names, ["AdamW", "Muon", "SGD"]);
  assert.equal(race.progress, 1);
  assert.equal(race.moments.at(-1), race.plan.steps);
  assert.equal(race.x(1, 10, "steps"), 10);
  assert.equal(race.x(1, 10, "flops"), race.laps[1].flops[9]);
  assert.equal(race.record(0, 2).step, 1);
  assert.ok(directions(race.record(1, 300).update["0.up"]) > 3 * directions(race.record(0, 300).update["0.up"]));
  const losses = Object.values(race.finals[1]);
  assert.equal(losses.length, 3);
  assert.ok(Math.abs(race.mean(1) - losses.reduce((a, b) => a + b) / 3) < 1e-12);
  for (const { smooth, step } of race.laps) assert.equal(smooth.length, step.length);
});

test("two entries of one optimizer are told apart by their learning rates", () => {
  const { Race } = scripts();
  const race = new Race("a");
  const entries = [
    { optimizer: "muon", max_lr: 0.1 },
    { optimizer: "muon", max_lr: 0.2 },
    { optimizer: "sgd", max_lr: 0.3 },
  ];
  race.learn(news([{ kind: "Plan", entries, steps: 1, seeds: 1 }]));
  assert.deepEqual(race.names, ["Muon 0.1", "Muon 0.2", "SGD"]);
  assert.ok(Number.isNaN(race.mean(0)));
});
