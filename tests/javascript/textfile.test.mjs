import assert from "node:assert/strict";
import { test } from "node:test";
import { SHARED, page, plain } from "./page.mjs";

const { tp } = page([...SHARED, "textfile"]);
const read = async (...parts) =>
  plain(await tp.readText(new Blob(parts.map((part) => (Array.isArray(part) ? new Uint8Array(part) : part)))));

test("UTF-8 is read, with a mark and without", async () => {
  assert.deepEqual(await read("größe 模型 🙂"), { text: "größe 模型 🙂" });
  assert.deepEqual(await read([0xef, 0xbb, 0xbf], "a"), { text: "a" });
  assert.deepEqual(await read(""), { text: "" });
});

test("UTF-16 is read by its mark", async () => {
  assert.deepEqual(await read([0xff, 0xfe, 0x61, 0x00, 0x21, 0x6a]), { text: "a模" });
  assert.deepEqual(await read([0xfe, 0xff, 0x00, 0x61, 0x6a, 0x21]), { text: "a模" });
  assert.match((await read([0xff, 0xfe, 0x61])).problem, /not UTF-16/);
});

test("the first byte that is not text is named, with its line", async () => {
  const { problem } = await read("first\nsecond ", [0xe4], "\nthird");
  assert.match(problem, /byte 13, in line 2, is 0xE4/);
  assert.match((await read("a", [0xff])).problem, /byte 1, in line 1, is 0xFF/);
  assert.match((await read("模", [0xe6, 0xa8])).problem, /byte 3, in line 1, is 0xE6/);
});

test("a file with a zero is not text", async () => {
  assert.match((await read("a\0b")).problem, /holds a zero/);
  assert.match((await read("a", [0xff, 0])).problem, /holds a zero/);
});
