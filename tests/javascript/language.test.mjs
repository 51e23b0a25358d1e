import assert from "node:assert/strict";
import { test } from "node:test";
import { page } from "./page.mjs";

const catalogue = {
  "The run “{0}” is over.": "训练“{0}”已经结束。",
  "The run “{0}” is at step {1}.": "训练“{0}”在第 {1} 步。",
  "{0} of {1}": "{1} 中的 {0}",
  "A run": "一次训练",
  "Try again.": "再试一次。",
  "must be positive": "必须为正",
  "must be positive: {0}": "须为正：{0}",
  "{0} must be one of {1}.": "{0} 必须是 {1} 之一。",
};
const { tp } = page(["browser", "language"], { language: "zh", catalogue });

test("a sentence is looked up, also with what differs in it", () => {
  assert.equal(tp.translate("Try again."), "再试一次。");
  assert.equal(tp.translate("The run “first” is over."), "训练“first”已经结束。");
  assert.equal(tp.translate("width must be one of 1, 2."), "width 必须是 1, 2 之一。");
  assert.equal(tp.translate("Nobody knows this."), "Nobody knows this.");
});

test("holes may change their order", () => {
  assert.equal(tp.translate("3 of 7"), "7 中的 3");
});

test("the entry with the most words of its own is taken", () => {
  assert.equal(tp.translate("must be positive: n"), "须为正：n");
});

test("what stands in quotation marks is a name and stays", () => {
  assert.equal(tp.translate("The run “Try again.” is over."), "训练“Try again.”已经结束。");
});

test("what stands in another hole is translated too", () => {
  assert.equal(tp.translate("3 of A run"), "一次训练 中的 3");
});

test("a long text in a hole is somebody's own and stays", () => {
  const long = `The run “${"a".repeat(1000)}” is over.`;
  assert.equal(tp.translate(`3 of ${long}`), `${long} 中的 3`);
});

test("several sentences are translated one after the other", () => {
  assert.equal(tp.translate("The run “a” is over. Try again."), "训练“a”已经结束。再试一次。");
  assert.equal(tp.translate("must be positive; Try again."), "必须为正；再试一次。");
  assert.equal(tp.translate("Try again. Nobody knows this."), "Try again. Nobody knows this.");
});

test("a place before a colon stays as it is", () => {
  assert.equal(tp.translate("n_layer: must be positive"), "n_layer：必须为正");
});

test("somebody's long text is given back, and soon", () => {
  const text = "One of. Two of. ".repeat(500);
  assert.equal(tp.translate(text), text);
});

test("what is no sentence is given back", () => {
  for (const nothing of ["", null, undefined, 3]) assert.equal(tp.translate(nothing), nothing);
});

test("a shipped run's name is translated, a learner's own words are not", () => {
  assert.equal(tp.runName({ name: "A run", shipped: true }), "一次训练");
  assert.equal(tp.runName({ name: "My own run", shipped: false }), "My own run");
});

test("words of a learner's own that an object of JavaScript has, too, are words", () => {
  const { tp: here } = page(["browser", "language"], { language: "zh", catalogue: { Blocks: "块数" } });
  here.labels = { n_layer: "Blocks" };
  for (const word of ["constructor", "toString", "__proto__", "valueOf", "hasOwnProperty"]) {
    for (const name of [word, `Copy · ${word}`, `Copy · 2 blocks · ${word} (2)`]) {
      const told = here.runName({ name, shipped: false });
      assert.ok(told.includes(word) && !told.includes("native code"), told);
    }
    assert.equal(here.translate(word), word);
  }
  assert.equal(here.runName({ name: "Copy · no blocks", shipped: false }), "Copy · 块数：无");
});

test("an answer's errors and reasons are told in the page's language", async () => {
  const server = tp.told({ ask: async (run) => ({ error: "Try again.", reason: "must be positive", run }) });
  const { error, reason, run } = await server.ask("Try again.");
  assert.deepEqual([error, reason, run], ["再试一次。", "必须为正", "Try again."]);
});

test("the address decides the language, and English needs no catalogue", () => {
  const english = page(["browser", "language"], { catalogue }).tp;
  assert.equal(english.language, "en");
  assert.equal(english.words({ en: "yes", zh: "是" }), "yes");
  assert.equal(tp.words({ en: "yes", zh: "是" }), "是");
});

test("a field is called as the form calls it, in a sentence too, and nothing else changes", () => {
  const { tp: here } = page(["browser", "language"], {
    language: "zh",
    catalogue: { "must divide n_head = {0}": "必须整除 n_head = {0}", "Attention heads": "注意力头" },
  });
  here.labels = { n_head: "Attention heads", max_lr: "Learning rate" };
  assert.equal(here.label("n_head"), "注意力头");
  assert.equal(here.label("max_lr"), "Learning rate");
  assert.equal(here.label("own_name"), "own_name");
  assert.equal(here.label("constructor"), "constructor");
  assert.equal(here.translate("must divide n_head = 4"), "必须整除 “注意力头” = 4");
  assert.equal(here.translate("max_lr and an_n_head, max_lrs"), "“Learning rate” and an_n_head, max_lrs");
});
