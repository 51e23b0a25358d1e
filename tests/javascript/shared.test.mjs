import assert from "node:assert/strict";
import { test } from "node:test";
import { SHARED, page, plain } from "./page.mjs";

const { tp } = page(SHARED);
const zh = page(SHARED, { language: "zh" }).tp;

/** Check a function against a table of [arguments, what it returns]. */
function table(say, rows) {
  for (const [given, wanted] of rows) {
    assert.equal(say(...[given].flat()), wanted, `of ${JSON.stringify(given)}`);
  }
}

test("numbers are short, and as exact as asked for", () => {
  table(tp.number, [
    [0, "0"],
    [7, "7"],
    [0.12345, "0.123"],
    [-0.5, "-0.5"],
    [950, "950"],
    [999.4, "999"],
    [999.6, "1k"],
    [12_345, "12.3k"],
    [-12_345, "-12.3k"],
    [4_560_000, "4.56M"],
    [7e9, "7G"],
    [1.5e12, "1.5T"],
    [[1234.5678, 5], "1.2346k"],
    [0.0002, "2e−4"],
    [0.000123, "1.23e−4"],
    [NaN, "–"],
    [Infinity, "–"],
  ]);
  assert.equal(tp.number(null), "–");
  assert.equal(tp.number(undefined), "–");
});

test("no share but 0 and 1 is written as one of them", () => {
  table(tp.percent, [
    [0, "0%"],
    [1, "100%"],
    [0.9999999, "100%"],
    [0.00001, "< 0.01%"],
    [0.99998, "> 99.99%"],
    [0.0029, "0.29%"],
    [0.052, "5.2%"],
    [0.125, "13%"],
    [[0.125, 3], "12.5%"],
    [0.9971, "99.71%"],
    [NaN, "–"],
  ]);
});

test("durations have two units, and estimates one", () => {
  table(tp.duration, [
    [5.67, "5.7 s"],
    [9.96, "10 s"],
    [59.6, "1 min"],
    [610, "10 min 10 s"],
    [3600, "1 h"],
    [3 * 86_400 + 4 * 3600 + 59, "3 days 4 h"],
    [400 * 86_400, "1 year 35 days"],
    [86_400, "1 day"],
    [NaN, "–"],
  ]);
  const rough = (seconds) => tp.duration(seconds, { rough: true });
  table(rough, [
    [0.2, "1 s"],
    [49, "49 s"],
    [89, "89 s"],
    [90, "1.5 min"],
    [7560, "2.1 h"],
    [35 * 86_400, "35 days"],
  ]);
  assert.equal(zh.duration(610), "10 分钟 10 秒");
});

test("sizes change their unit at a thousand", () => {
  table(tp.size, [
    [0, "0 B"],
    [950, "950 B"],
    [999.4, "999 B"],
    [1000, "1 kB"],
    [999_600, "1 MB"],
    [295_000_000, "295 MB"],
    [1.234e15, "1.23 PB"],
  ]);
});

test("every character of a token can be seen", () => {
  table(tp.visible, [
    ["", "∅"],
    ["a b\n\t", "a␣b⏎⇥"],
    ["\0\u001b\u007f", "␀␛␡"],
    ["\u200b", "U+200B"],
    ["\u00a0", "U+00A0"],
    ["\u0301", "◌\u0301"],
    ["e\u0301", "e\u0301"],
    ["👩\u200d💻", "👩\u200d💻"],
    ["\u200d", "U+200D"],
    ["\ud800", "U+D800"],
  ]);
});

test("the beginning of a text ends between two characters", () => {
  assert.equal(tp.beginning("a".repeat(80)), "a".repeat(80));
  assert.equal(tp.beginning(`${"a".repeat(79)}👩b`), `${"a".repeat(79)}👩…`);
  assert.equal(tp.beginning("a b", tp.visible), "a␣b");
});

test("a Chinese character is as wide as two others", () => {
  table(tp.halves, [
    ["", 0],
    ["loss", 4],
    ["损失", 4],
    ["“a”", 3],
    ["（）", 4],
    ["🙂", 2],
  ]);
});

test("texts are joined as their language joins them", () => {
  assert.equal(tp.series(["a", 2, "c"]), "a, 2, c");
  assert.equal(zh.series(["a", "b"]), "a，b");
  assert.equal(tp.named("loss", 2), "loss: 2");
  assert.equal(zh.named("损失", 2), "损失：2");
  assert.equal(tp.sentences(["One.", "", null, "Two."]), "One. Two.");
  assert.equal(zh.sentences(["一。", "二。"]), "一。二。");
  assert.equal(tp.kind("digit"), "digit");
  assert.equal(zh.kind("digit"), "数字");
  assert.equal(tp.kind("of a later version"), "of a later version");
});

test("base64 holds bytes and floats", () => {
  assert.deepEqual([...tp.bytes("AP8Q")], [0, 255, 16]);
  const floats = new Float32Array([1.5, -2, NaN]);
  const base64 = Buffer.from(floats.buffer).toString("base64");
  assert.deepEqual([...tp.floats(base64)], [1.5, -2, NaN]);
});

test("the query string is changed in its place", () => {
  const { tp } = page(SHARED);
  assert.equal(tp.url.first("lang"), "en");
  assert.equal(tp.url.cameWith(), false);
  tp.url.set({ run: "a b", step: 0, lang: null });
  assert.equal(tp.url.get("run"), "a b");
  assert.equal(tp.url.get("step"), "0");
  tp.url.set({ run: undefined });
  assert.equal(tp.url.get("run"), null);
  assert.equal(tp.url.get("step"), "0");
});

test("this browser's runs are kept, the newest first, with their keys", () => {
  const { tp } = page(SHARED);
  assert.deepEqual(plain(tp.memory.read()), { runs: [], shown: null, keys: {} });
  tp.memory.add("one", "secret");
  tp.memory.add("two");
  tp.memory.add("one");
  assert.deepEqual(plain(tp.memory.read().runs), ["one", "two"]);
  assert.equal(tp.memory.key("one"), "secret");
  assert.equal(tp.memory.key("two"), "");
  ["two", "one"].forEach(tp.memory.add); // which hands over an index, too
  assert.equal(tp.memory.key("one"), "secret");
  for (const broken of ["{", "null", "[]", '{"runs": 3, "shown": 4}']) {
    tp.browser.remember("transformer-playground", broken);
    assert.deepEqual(plain(tp.memory.read().runs), [], broken);
  }
});

test("a run's key goes along with what changes the run, and with nothing else", async () => {
  const { tp } = page(SHARED);
  tp.memory.add("mine", "secret");
  const server = { stop: async (...args) => args, poll: async (...args) => args };
  const keyed = tp.keyed(server, ["stop"]);
  assert.deepEqual(await keyed.stop("mine", 3), ["mine", 3, "secret"]);
  assert.deepEqual(await keyed.stop("other"), ["other", ""]);
  assert.deepEqual(await keyed.poll("mine", 0), ["mine", 0]);

  const heard = [];
  const trigger = tp.keyedTrigger((...event) => heard.push(event));
  trigger("fork", { run: "mine" });
  trigger("fork", { run: "other" });
  trigger("again");
  assert.deepEqual(plain(heard), [
    ["fork", { run: "mine", key: "secret" }],
    ["fork", { run: "other" }],
    ["again", undefined],
  ]);
});

test("an element has what it is given, and text only as text", () => {
  const node = tp.el(
    "p",
    { class: "a", hidden: true, title: null, id: false, tabindex: 0 },
    "x",
    [null, ["<b>", 3]],
    false,
  );
  assert.deepEqual(node.attributes, { class: "a", hidden: "", tabindex: "0" });
  assert.equal(node.textContent, "x<b>3");
  let clicked = 0;
  const button = tp.el("button", { text: "Go", on: { click: () => clicked++ } });
  button.dispatchEvent(new Event("click"));
  assert.equal(clicked, 1);
  assert.equal(button.textContent, "Go");
});

test("drawing functions run once before the next frame, and none if there is nothing to draw", async () => {
  const { tp, pass } = page(SHARED);
  const drawn = [];
  let ready = true;
  const schedule = tp.scheduler(() => ready);
  const [one, two] = [() => drawn.push(1), () => drawn.push(2)];
  schedule(one, two);
  schedule(one);
  assert.deepEqual(drawn, []);
  await pass(20);
  assert.deepEqual(drawn, [1, 2]);
  ready = false;
  schedule(one);
  await pass(20);
  assert.deepEqual(drawn, [1, 2]);
});

test("asking the server never throws", async () => {
  const server = { good: async (n) => ({ n }), none: async () => null, bad: async () => Promise.reject(new Error()) };
  const ask = tp.asker(server, () => "offline");
  assert.deepEqual(plain(await ask("good", 3)), { n: 3 });
  for (const name of ["none", "bad", "missing"]) assert.deepEqual(plain(await ask(name)), { error: "offline" });
});

test("colours go from one end of their scale to the other, and beyond neither", () => {
  const { tp, body } = page(SHARED);
  body.classList.contains = () => false;
  const sum = (rgb) => rgb.reduce((total, channel) => total + channel);
  const light = [0, 0.25, 0.5, 0.75, 1].map((value) => sum(tp.heat(value)));
  assert.deepEqual(
    light,
    light.toSorted((a, b) => b - a),
  ); // darker and darker on a light page
  assert.deepEqual(tp.heat(2), tp.heat(1));
  assert.deepEqual(tp.heat(-1), tp.heat(0));
  assert.deepEqual(tp.heat(NaN), tp.heat(0));
  const [red, , blue] = tp.diverge(-0.8);
  assert.ok(red > blue);
  const [otherRed, , otherBlue] = tp.diverge(0.8);
  assert.ok(otherBlue > otherRed);
});

/** A poll on a page of its own; `times` lists when it asked. */
function polling(answer, options) {
  const { tp, body, pass, now } = page(SHARED);
  const times = [];
  const ask = () => {
    times.push(now());
    return answer(times.length);
  };
  return { poll: tp.poll(ask, options), times, body, pass, tp };
}

test("polling asks so many times a second, and at once when it is told to", async () => {
  const { poll, times, pass } = polling(() => {}, { hz: 4 });
  await pass(1000);
  assert.deepEqual(times, [0, 250, 500, 750, 1000]);
  await pass(100);
  poll.now();
  await pass(250);
  assert.deepEqual(times.slice(5), [1100, 1350]);
  poll.stop();
  await pass(1000);
  assert.equal(times.length, 7);
});

test("polling waits longer after each failure, and no longer once it has succeeded", async () => {
  const failing = (turn) => (turn < 8 ? Promise.reject(new Error("gone")) : null);
  const { times, pass } = polling(failing, { hz: 8 });
  await pass(16_000);
  const waits = times.slice(1).map((time, i) => time - times[i]);
  assert.deepEqual(waits.slice(0, 8), [250, 500, 1000, 2000, 4000, 4000, 4000, 125]);
});

test("polling never asks twice at once", async () => {
  let finish;
  const { poll, times, pass } = polling(() => new Promise((done) => (finish = done)), { hz: 8 });
  await pass(1000);
  poll.now();
  await pass(1000);
  assert.deepEqual(times, [0]);
  finish();
  await pass(10);
  assert.equal(times.length, 2);
});

test("polling rests while its element is not displayed, and ends when it has left the page", async () => {
  const element = page(SHARED).tp.el("div");
  const { times, body, pass } = polling(() => {}, { hz: 2, element });
  element.offsetParent = null;
  body.append(element);
  await pass(900);
  assert.deepEqual(times, []);
  element.offsetParent = body;
  await pass(1000);
  assert.equal(times.length, 2);
  element.parent = null;
  await pass(2000);
  assert.equal(times.length, 2);
});
