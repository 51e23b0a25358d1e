import assert from "node:assert/strict";
import { test } from "node:test";
import { SHARED, page } from "./page.mjs";

/** A page that has, or will have, something to point at. */
function pointing() {
  const { tp, body, pass, padded } = page([...SHARED, "point"]);
  const target = tp.el("div", { id: "target" });
  const box = (left, top, width, height) => ({ left, top, width, height, bottom: top + height });
  const place = (...sides) => (target.boxes = [box(...sides)]);
  /** Scrolling brings it to this height of the window. */
  const land = (top) => (target.scrolls = ({ left, width, height }) => box(left, top, width, height));
  const ring = () => body.children.find((node) => node.attributes.class === "tp-ring");
  return { tp, body, pass, padded, target, place, land, ring };
}

test("the ring stands three pixels around the thing and follows it", async () => {
  const { tp, body, pass, target, place, ring } = pointing();
  body.append(target);
  place(100, 50, 200, 20);
  tp.point.at("#target");
  assert.equal(ring().hidden, false);
  const { left, top, width, height } = ring().style;
  assert.deepEqual([left, top, width, height], ["97px", "47px", "206px", "26px"]);
  place(100, 350, 200, 20);
  await pass(20);
  assert.equal(ring().style.top, "347px");
  assert.equal(target.scrolled, undefined, "it was in view");
});

test("it waits for a thing that is not there or not displayed yet", async () => {
  const { tp, body, pass, target, place, land, ring } = pointing();
  let found = 0;
  tp.point.at("#target", { found: () => found++, block: "nearest" });
  await pass(500);
  body.append(target);
  await pass(500);
  assert.deepEqual([found, ring().hidden], [0, true]);
  place(0, 2000, 10, 10);
  land(880);
  await pass(500);
  assert.deepEqual([found, ring().hidden], [1, false]);
  assert.equal(target.scrolled[0].block, "nearest");
});

test("it is scrolled to again when the page has grown, and found when it rests in view", async () => {
  const { tp, body, pass, target, place, land } = pointing();
  body.append(target);
  let found = 0;
  place(0, 2000, 10, 10);
  land(400);
  tp.point.at("#target", { found: () => found++ });
  await pass(100);
  assert.equal(target.scrolled.length, 1);
  place(0, 1500, 10, 10); // a chart came above it
  await pass(100);
  assert.equal(found, 0);
  await pass(1500);
  assert.deepEqual([target.scrolled.length, found], [2, 1]);
});

test("what lies over the window's bottom is not in view, and of a high thing its beginning is", async () => {
  const { tp, body, pass, padded, target, place, land } = pointing();
  body.append(target);
  place(0, 700, 10, 100);
  land(250);
  padded("300px");
  tp.point.at("#target");
  await pass(1000);
  assert.deepEqual(
    target.scrolled.map(({ block }) => block),
    ["center"],
  );
  place(0, -50, 10, 800);
  land(0);
  tp.point.at("#target");
  await pass(1000);
  assert.deepEqual(
    target.scrolled.map(({ block }) => block),
    ["center", "start"],
  );
});

test("who scrolls is not called back", async () => {
  const { tp, body, pass, target, place, land } = pointing();
  body.append(target);
  place(0, 2000, 10, 10);
  land(400);
  tp.point.at("#target");
  await pass(1000);
  body.dispatchEvent(new Event("wheel"));
  place(0, -600, 10, 10);
  await pass(3000);
  assert.equal(target.scrolled.length, 1);
});

test("the ring goes after its seconds, or when it is told to", async () => {
  const { tp, body, pass, target, place, ring } = pointing();
  body.append(target);
  place(0, 0, 10, 10);
  tp.point.at("#target", { seconds: 2 });
  await pass(1900);
  assert.equal(ring().hidden, false);
  await pass(200);
  assert.equal(ring().hidden, true);
  tp.point.at("#target");
  tp.point.stop();
  assert.equal(ring().hidden, true);
  await pass(1000);
  assert.equal(ring().hidden, true);
});

test("a thing that never comes is not waited for longer than a minute", async () => {
  const { tp, body, pass, target, place, ring } = pointing();
  tp.point.at("#target");
  await pass(61_000);
  body.append(target);
  place(0, 0, 10, 10);
  await pass(1000);
  assert.equal(ring().hidden, true);
});

test("nothing is pointed at where there is no selector", () => {
  const { tp, ring } = pointing();
  tp.point.at("");
  assert.equal(ring(), undefined);
});
