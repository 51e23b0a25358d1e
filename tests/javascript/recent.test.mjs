/* What was used last: assets/js/page/recent.js. */
import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./page.mjs";

const { Recent } = load(["recent"]);

test("what was not used for longest goes first", () => {
  const kept = new Recent(2);
  kept.set("a", 1).set("b", 2);
  assert.equal(kept.get("a"), 1);
  kept.set("c", 3);
  assert.deepEqual([...kept.keys()], ["a", "c"]);
  assert.equal(kept.get("b"), undefined);
  assert.deepEqual([...kept.keys()], ["a", "c"], "asking for what is not there changes nothing");
});

test("sizes are counted, also of what is replaced, and one that is too large stays alone", () => {
  const kept = new Recent(10, (text) => text.length);
  kept.set("a", "xxxx").set("b", "xxxx").set("a", "x");
  assert.deepEqual([...kept.keys()], ["b", "a"]);
  kept.set("c", "xxxxx");
  assert.equal(kept.size, 3);
  kept.set("d", "x".repeat(50));
  assert.deepEqual([...kept.keys()], ["d"]);
  kept.clear();
  kept.set("e", "x".repeat(10));
  assert.equal(kept.size, 1);
});
