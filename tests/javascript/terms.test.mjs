import assert from "node:assert/strict";
import { test } from "node:test";
import { page, plain, SHARED } from "./page.mjs";

const TERMS = [
  { en: "attention", zh: "注意力" },
  { en: "attention head", zh: "注意力头" },
  { en: "head", zh: "头" },
  { en: "batch", zh: "批次" },
  { en: "KV cache", zh: "KV 缓存" },
  { en: "softmax", zh: "softmax" },
  { en: "step", zh: "步", everyday: true },
];

/** What is found in a text, as "term: the words". */
function found(text, language = "en", used = []) {
  const { tp } = page([...SHARED, "lessons", "terms"], { language });
  const all = plain(TERMS.filter((term) => !used.includes(term.en)));
  return [...tp.terms.find(text, all)].map(({ start, end, term }) => `${term.en}: ${text.slice(start, end)}`);
}

test("the first occurrence of a term is found, whole words only", () => {
  assert.deepEqual(found("Attention heads pay attention. A head, more heads."), [
    "attention head: Attention heads",
    "attention: attention",
    "head: head",
  ]);
  assert.deepEqual(found("self-attention, inattention, header"), []);
});

test("a plural is the same term, in any case of letters", () => {
  assert.deepEqual(found("BATCHES of batches"), ["batch: BATCHES"]);
  assert.deepEqual(found("The KV\ncache"), ["KV cache: KV\ncache"]);
});

test("ordinary words are left alone, and so are terms that are not in the list", () => {
  assert.deepEqual(found("The next step"), []);
  assert.deepEqual(found("a batch", "en", ["batch"]), []);
});

test("in Chinese the longest term counts, and one character is none", () => {
  assert.deepEqual(found("每个注意力头的注意力，开头，一个批次经过softmax。", "zh"), [
    "attention head: 注意力头",
    "attention: 注意力",
    "batch: 批次",
    "softmax: softmax",
  ]);
});

test("a text without terms, and no terms at all", () => {
  assert.deepEqual(found("nothing"), []);
  const { tp } = page([...SHARED, "lessons", "terms"]);
  assert.deepEqual([...tp.terms.find("attention", [])], []);
});
