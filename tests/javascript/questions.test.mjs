/* Numbers as people type them into an exercise: assets/js/lessons/questions.js. */
import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./page.mjs";

const { lessons } = load(["questions"], { words: ({ en }) => en, el() {}, lessons: { draw: {} } });

test("numbers with a point or a comma, a true minus, per cent and thousands", () => {
  const typed = Object.entries({
    0.25: ["0.25", " 0,25 ", ".25", "25 %", "25％"],
    "-1.5": ["-1.5", "−1,5"],
    64000: ["64000", "64,000", "64 000"],
    0.125: ["0.125", "0,125", "12.5%"],
    0: ["0", "-0"],
  });
  for (const [wanted, texts] of typed)
    for (const text of texts) assert.ok(Math.abs(lessons.typed(text) - Number(wanted)) < 1e-12, text);
});

test("what is no number is none", () => {
  for (const text of ["", " ", "x", "1/2", "1.2.3", "%"]) assert.ok(Number.isNaN(lessons.typed(text)), text);
});
