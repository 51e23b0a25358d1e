import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { page, plain, SHARED } from "./page.mjs";

const CODE = readFileSync(new URL("../../playground/tabs/tokens/view/cut.js", import.meta.url), "utf8");
const GIVEN = "return { cutOf, bytesOf, groupsOf, readable, applied, show: (answer) => (shown = unpackCut(answer)) };";

/** What cut.js of the tab Tokens defines. */
function scripts() {
  const { tp } = page([...SHARED, "address"]);
  return new Function("tp", "element", "server", CODE + GIVEN)(tp, { querySelector: () => ({}) }, {});
}

/** What the server answers for a text, before anything is learned. */
function answer(text) {
  const bytes = Buffer.from(text, "utf8");
  const closed = Buffer.from(new Int32Array(Math.max(0, bytes.length - 1)).fill(2 ** 31 - 1).buffer);
  const none = { starts: [], ids: [], size: 0 };
  const rows = { char: none, word: none, run: null };
  return { text, rest: "", bytes: bytes.toString("base64"), closed: closed.toString("base64"), rows };
}

test("a text of more than 256 bytes is cut into its bytes, each at its own place", () => {
  const { cutOf, bytesOf, show } = scripts();
  const text = "0123456789".repeat(60);
  show(answer(text));
  const cut = cutOf("byte");
  assert.deepEqual(
    plain([...cut.starts]),
    [...text].map((_, i) => i),
  );
  assert.deepEqual([...bytesOf(cut, 599)], ["9".charCodeAt(0)]);
});

test("before the server has answered there are no tokens, and nothing fails", () => {
  const { cutOf, applied, groupsOf } = scripts();
  for (const kind of ["byte", "char", "bpe", "word"]) {
    assert.equal(cutOf(kind).starts.length, 0, kind);
    assert.equal(groupsOf(cutOf(kind)).length, 0, kind);
  }
  assert.equal(cutOf("run"), null);
  assert.equal(applied(), 0);
});

test("bytes of one character are one group, and read as it", () => {
  const { cutOf, groupsOf, readable, bytesOf, show } = scripts();
  show(answer("a猫 b"));
  const cut = cutOf("bpe");
  assert.deepEqual(
    groupsOf(cut).map(({ text, from, to }) => [text, to - from]),
    [
      ["a", 1],
      ["猫", 3],
      [" ", 1],
      ["b", 1],
    ],
  );
  assert.equal(readable(bytesOf(cut, 1)), "⟨E7⟩");
  assert.equal(readable(new TextEncoder().encode("a猫 ")), "a猫␣");
});
