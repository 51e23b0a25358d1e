/* Python in colours: assets/js/lessons/code.js. */
import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./page.mjs";

const { lessons } = load(["code"], { words: ({ en }) => en, el() {}, lessons: { draw: {} } });
const { coloured } = lessons;
const plain = (value) => JSON.parse(JSON.stringify(value));
const parts = (line, inside) => plain(coloured(line, inside).parts);

test("keywords, names, numbers, texts and comments", () => {
  assert.deepEqual(parts('def f(x=1.5e-3): return "a#b"  # why'), [
    ["keyword", "def"],
    ["", " "],
    ["name", "f"],
    ["", "(x="],
    ["number", "1.5e-3"],
    ["", "): "],
    ["keyword", "return"],
    ["", " "],
    ["text", '"a#b"'],
    ["", "  "],
    ["comment", "# why"],
  ]);
  assert.deepEqual(parts("x2 = y_1"), [["", "x2 = y_1"]]);
});

test("a long text goes on in the next lines, until it ends", () => {
  const first = coloured('    """Attention.');
  assert.equal(first.inside, '"""');
  const second = coloured("in # words", first.inside);
  assert.deepEqual(plain(second.parts[0]), ["text", "in # words"]);
  const third = coloured('end."""; x = 1', second.inside);
  assert.equal(third.inside, "");
  assert.deepEqual(plain(third.parts.at(-1)), ["number", "1"]);
  assert.equal(coloured('"""One line."""').inside, "");
});

test("nothing of a line is lost", () => {
  for (const line of ["", "  ", "a @ b", "'it\\'s'", 'f"{x!r}" % 2', "\t√d ≤ 中文", '"open', "0x1F"])
    assert.equal(
      parts(line)
        .map(([, text]) => text)
        .join(""),
      line,
    );
});
