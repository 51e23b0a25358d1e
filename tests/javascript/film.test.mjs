import assert from "node:assert/strict";
import { test } from "node:test";
import { SHARED, page, plain } from "./page.mjs";

/** A film over `steps` on a page of its own; `shown` lists the moments that it went to. */
function film(steps, options = {}) {
  const { tp, pass } = page([...SHARED, "film"]);
  const shown = [];
  let at = 0;
  const made = tp.film({
    id: "film",
    label: "Step",
    text: { play: "Play", pause: "Pause" },
    count: () => steps.length,
    at: () => at,
    goTo(index) {
      at = index;
      shown.push(steps[index]);
      made.draw();
    },
    name: (index) => `step ${steps[index]}`,
    ...options,
  });
  made.draw();
  const [button, track] = made.node.children;
  const slider = track.children.find((node) => node.tag === "input");
  const press = () => button.dispatchEvent(new Event("click"));
  return { film: made, button, slider, track, shown, press, pass, goTo: (index) => (at = index) };
}

test("the slider stands where the film does", () => {
  const { film: made, slider, goTo } = film([0, 10, 20, 30, 40]);
  goTo(1);
  made.draw();
  assert.deepEqual([slider.max, slider.value, slider.style["--filled"]], ["4", "1", "25%"]);
  assert.equal(slider.getAttribute("aria-valuetext"), "step 10");
  assert.equal(slider.disabled, false);
});

test("one moment alone cannot be played", () => {
  const { slider, button } = film([0]);
  assert.deepEqual([slider.disabled, button.disabled, slider.style["--filled"]], [true, true, "100%"]);
});

test("moving the slider shows that moment and ends the playing", () => {
  const { film: made, slider, shown, press } = film([0, 10, 20]);
  press();
  assert.equal(made.playing(), true);
  slider.value = "2";
  slider.dispatchEvent(new Event("input"));
  assert.deepEqual(shown, [10, 20]);
  assert.equal(made.playing(), false);
});

test("it plays from where it stands to the end, and says so", async () => {
  const heard = [];
  const { button, shown, press, pass } = film([0, 10, 20, 30], {
    begun: () => heard.push("begun"),
    rested: () => heard.push("rested"),
  });
  press();
  assert.deepEqual([button.textContent, button.title], ["❚❚", "Pause"]);
  await pass(10_000);
  assert.deepEqual(shown, [10, 20, 30]);
  assert.deepEqual([button.textContent, button.title], ["▶", "Play"]);
  assert.deepEqual(heard, ["begun", "rested"]);
  press(); // at the end, it begins again
  await pass(10_000);
  assert.deepEqual(shown.slice(3), [0, 10, 20, 30]);
});

test("few moments are shown 1200 ms each, and many no faster than every 100 ms", async () => {
  const few = film([0, 10, 20]);
  few.press();
  await few.pass(1100);
  assert.deepEqual(few.shown, [10]);
  await few.pass(200);
  assert.deepEqual(few.shown, [10, 20]);

  const many = film(Array.from({ length: 1000 }, (_, i) => i));
  many.press();
  await many.pass(950);
  assert.equal(many.shown.length, 10);
});

test("it waits for a moment that takes its time, and shows no other after a pause", async () => {
  let show;
  const { film: made, press, pass } = film([0, 10, 20, 30], { goTo: () => new Promise((done) => (show = done)) });
  const first = () => show;
  press();
  await pass(5000);
  const waiting = first();
  press();
  waiting();
  await pass(5000);
  assert.equal(show, waiting);
  assert.equal(made.playing(), false);
});

test("it stops only at its stops", async () => {
  const { shown, press, pass } = film([0, 10, 20, 30, 40], { stops: () => [0, 2, 4] });
  press();
  await pass(10_000);
  assert.deepEqual(shown, [20, 40]);
});

test("marks stand along the track, tall ones for whole checkpoints", () => {
  const { track } = film([0, 10, 20], { marks: () => [true, false, true] });
  const ticks = track.children.at(-1).children;
  assert.deepEqual(plain(ticks.map(({ attributes, style }) => [attributes.class, style.left])), [
    ["whole", "0%"],
    ["", "50%"],
    ["whole", "100%"],
  ]);
});

test("a film of checkpoints chooses a step, and null for the newest", () => {
  const { tp } = page([...SHARED, "film"]);
  let frame = null;
  const chosen = [];
  const made = tp.checkpointFilm({ id: "x-step", frame: () => frame, goTo: (index) => chosen.push(index) });
  made.draw();
  const slider = made.node.children[1].children.find((node) => node.tag === "input");
  assert.equal(slider.disabled, true);
  frame = { step: 1000, steps: [0, 1000, 2000] };
  made.draw();
  assert.deepEqual(
    [slider.max, slider.value, slider.getAttribute("aria-valuetext")],
    ["2", "1", "step 1,000 of 2,000"],
  );
  for (const index of [0, 2]) {
    slider.value = String(index);
    slider.dispatchEvent(new Event("input"));
  }
  assert.deepEqual(chosen, [0, 2]);
});
