/* What views show, in the page's address: assets/js/page/address.js. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";
import { load } from "./page.mjs";

const plain = (value) =>
  JSON.parse(JSON.stringify(value, (_, each) => (each instanceof Object && each.has ? [...each] : each)));

/** The views' addresses over a query string, and what it has become. */
function open(query) {
  const params = new URLSearchParams(query);
  const url = {
    get: (name) => params.get(name),
    set(changes) {
      const before = params.toString();
      for (const [name, value] of Object.entries(changes))
        value === null ? params.delete(name) : params.set(name, value);
      return params.toString() !== before;
    },
  };
  return { tp: load(["address"], { url }), shown: () => params.toString() };
}

const read = (view, query) =>
  open(query)
    .tp.address(view, () => ({}))
    .read();
const sets = (value) => (value && typeof value === "object" && "size" in value ? [...value] : value);

/** What is written of these values, over an address. */
function save(view, values, query = "") {
  const { tp, shown } = open(query);
  tp.address(view, () => values).save();
  return shown();
}

test("no name stands for two things", () => {
  const { addresses } = open("").tp;
  const names = Object.values(addresses).flatMap((fields) => Object.values(fields).map(([each]) => [each].flat()[0]));
  assert.deepEqual([...new Set(names)], names);
});

test("an empty address has the defaults, and defaults leave it empty", () => {
  const { addresses } = open("").tp;
  for (const [view, fields] of Object.entries(addresses)) {
    const found = read(view, "");
    for (const [property, [, , usual]] of Object.entries(fields)) assert.equal(found[property], usual);
    assert.equal(save(view, found), "");
  }
});

/* Links as earlier versions wrote them. */
const LINKS = {
  "text=Once&step=250&layer=1&head=4&query=6&zero=1.2%2C2.4&panel=numbers": [
    "inside",
    { text: "Once", step: 250, layer: 0, head: 3, query: 5, zeroed: ["0.1", "1.3"], panel: "numbers" },
  ],
  "e.layer=2&e.step=40&e.x=seconds&e.text=a+b&e.with=experts": [
    "experts",
    { block: 1, step: 40, axis: "seconds", text: "a b", partner: "experts" },
  ],
  "t.text=Hallo&t.step=3&t.right=1&t.of=decoder&t.layer=2&t.head=1&t.start=5.17&t.token=w2&t.beams=4&t.alpha=1.25": [
    "translate",
    {
      ...{ text: "Hallo", step: 3, right: true, of: "decoder", layer: 1, head: 0, start: [5, 17], beams: 4 },
      ...{ held: { row: "target", index: 1 }, alpha: 1.25 },
    },
  ],
  "prompt=1%2B2%3D&gen_step=10&gen_path=3.4.5&gen_temperature=0.5&gen_top_k=3&gen_top_p=0.9&gen_min_p=0.1&gen_seed=7": [
    "generate",
    { prompt: "1+2=", step: 10, path: [3, 4, 5], temperature: 0.5, top_k: 3, top_p: 0.9, min_p: 0.1, seed: 7 },
  ],
  "gen_path=none": [
    "generate",
    { prompt: null, step: null, path: [], temperature: 1, top_k: 0, top_p: 1, min_p: 0, seed: 0 },
  ],
  "k.text=abc&k.source=stories-zh&k.size=300&k.merges=12": [
    "tokens",
    { text: "abc", source: "stories-zh", size: 300, merges: 12 },
  ],
  "b.part=valid&b.number=3&b.step=20": ["batches", { part: "valid", number: 3, step: 20 }],
  "m.what=positions&m.step=20": ["embeddings", { what: "positions", step: 20 }],
  "loss_axis=log&smoothing=100": ["live", { axis: "log", smoothing: 100, other: null }],
  "read=attention&at=2": ["lesson", { lesson: "attention", at: 1 }],
  "run=copy": ["header", { run: "copy" }],
};

for (const [query, [view, values]] of Object.entries(LINKS)) {
  test(`a link is read, and written as it was: ${query}`, () => {
    const found = read(view, query);
    assert.deepEqual(
      plain(Object.fromEntries(Object.entries(found).map(([name, value]) => [name, sets(value)]))),
      values,
    );
    assert.equal(save(view, found), query);
  });
}

/* What was typed by hand, or damaged on its way. */
const NONSENSE = {
  inside: "step=-1&layer=0&head=x&query=1e3&panel=constructor&zero=",
  experts: "e.layer=&e.step=1.5&e.x=toString",
  translate: "t.of=__proto__&t.layer=0&t.start=1..2&t.token=q3&t.token=r0&t.alpha=9&t.right=yes",
  generate: "gen_path=a.b&gen_top_k=&gen_temperature=hot",
  tokens: "k.source=own&k.size=7&k.merges=-3",
  batches: "b.part=test&b.number=0&b.step=x",
  live: "loss_axis=cubic&smoothing=11",
  lesson: "at=0",
};

for (const [view, query] of Object.entries(NONSENSE)) {
  test(`what makes no sense is left out: ${query}`, () => {
    const { usual } = open("").tp.address(view, () => ({}));
    const found = { ...read(view, query) };
    if (found.zeroed) assert.equal(found.zeroed.size, 0);
    assert.deepEqual(plain({ ...found, zeroed: null }), plain({ ...usual, zeroed: null }));
  });
}

test("older names are still read, and go when something is saved, unless another view has them", () => {
  assert.deepEqual(plain(read("embeddings", "e.what=positions&e.step=20")), { what: "positions", step: 20 });
  assert.equal(save("embeddings", { what: "tokens", step: 30 }, "e.what=positions&e.step=20"), "e.step=20&m.step=30");
});

test("an older link to a lesson is read, and written in the newer way", () => {
  assert.deepEqual(plain(read("lesson", "lesson=cache&at=3")), { lesson: "cache", at: 2 });
  assert.equal(save("lesson", { lesson: "cache", at: null }, "lesson=cache&at=3"), "read=cache");
});

test("a text that is too long is not written, and what a view does not say stays", () => {
  assert.equal(save("inside", { text: "x".repeat(1501), step: 3 }, "text=old&panel=zero"), "panel=zero&step=3");
});

test("a few changes are written at once, and of many the last when they rest", async () => {
  const { tp, shown } = open("");
  const state = { step: null };
  const address = tp.address("inside", () => state);
  for (let i = 0; i < 20; i++) address.save(); // nothing has changed: costs nothing
  const seen = new Set();
  for (state.step = 1; state.step < 60; state.step++) {
    address.save();
    seen.add(shown());
  }
  assert.ok(seen.has("step=1") && seen.has("step=2") && seen.size < 15);
  while (shown() !== "step=60") await new Promise((done) => setTimeout(done, 20));
});

test("a link has what differs from the defaults", () => {
  const { tp } = open("");
  assert.equal(tp.link("lesson", { lesson: "attention", at: 2 }, { lang: "zh" }), "?read=attention&at=3&lang=zh");
  assert.equal(tp.link("lesson", { lesson: "attention", at: null }), "?read=attention");
});

const LESSONS = new URL("../../assets/lessons/", import.meta.url);
const opened = ["en", "zh"].flatMap((language) =>
  readdirSync(new URL(`${language}/`, LESSONS)).flatMap((file) =>
    [...readFileSync(new URL(`${language}/${file}`, LESSONS), "utf-8").matchAll(/^open: (.*)$/gm)].map(
      ([, query]) => query,
    ),
  ),
);

test("every link of a lesson says something that a view understands", () => {
  assert.ok(opened.length > 40);
  const fields = Object.values(open("").tp.addresses).flatMap((each) => Object.values(each));
  const types = new Map(fields.flatMap(([names, type]) => [names].flat().map((name) => [name, type])));
  for (const query of opened)
    for (const [name, value] of new URLSearchParams(query)) {
      if (name === "tab" || name.startsWith("c.")) continue;
      assert.ok(types.has(name) && types.get(name).read(value) !== undefined, `${name}=${value} in ${query}`);
    }
});
