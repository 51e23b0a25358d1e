/* What views show, in the page's address: one table of names, types and defaults, and only what differs is written.
 *
 *   const address = tp.address("inside", () => state)
 *   address.read()       the view's values, as the address has them, else their defaults; read(link): as a link does
 *   address.save()       write the values that the function gives, at once and once more when they rest
 *   address.usual, address.choices("panel")    the defaults, and what a property can be
 *   tp.link("lesson", values, {lang})    the query string of a link to these values
 *
 * Layers, heads and tokens count from 0 in a view, and from 1 in an address, where a person reads them.
 */
(() => {
  "use strict";

  const { url } = window.tp;
  const LONGEST = 1500; // characters of a text that a link may hold
  const MAX_IDS = 256; // tokens of a path that a link may hold
  // Browsers refuse many changes a second: after a few, the next waits for a rest of 200 ms.
  const [BURST, REST] = [10, 200];

  /* ---------------------------------------------------------------- types
   *
   * `read` makes a value of the address's text; undefined where it makes no sense. `write` makes text of a value;
   * null where it has no place in an address. */

  /** @type {AddressType<string>} */
  const text = { read: (told) => told, write: (value) => (value.length > LONGEST ? null : value) };
  /** @type {AddressType<boolean>} */
  const flag = { read: (told) => told === "1", write: (value) => (value ? "1" : null) };
  /** @type {AddressType<number>} */
  const number = {
    read: (told) => (told.trim() !== "" && Number.isFinite(Number(told)) ? Number(told) : undefined),
    write: String,
  };
  /** @type {(low: number, high: number) => AddressType<number>} */
  const within = (low, high) => ({
    read: (told) => [number.read(told) ?? NaN].find((value) => value >= low && value <= high),
    write: String,
  });
  /** @type {AddressType<number>} */
  const whole = { read: (told) => (/^\d{1,12}$/.test(told) ? Number(told) : undefined), write: String };
  /** @type {(low: number, high: number) => AddressType<number>} */
  const wholeWithin = (low, high) => ({ ...whole, read: (told) => within(low, high).read(String(whole.read(told))) });
  /** A layer, a head, a token: the first is 1.
   *
   * @type {AddressType<number>} */
  const place = {
    read(told) {
      const count = whole.read(told) ?? 0;
      return count > 0 ? count - 1 : undefined;
    },
    write: (value) => String(value + 1),
  };
  /** @type {<T>(...values: T[]) => AddressType<T>} */
  const oneOf = (...values) => ({
    values,
    read: (told) => values.find((value) => String(value) === told),
    write: String,
  });
  /** Ids of tokens: "5.17.2"; "none" for none of them.
   *
   * @type {AddressType<number[]>} */
  const ids = {
    read: (told) =>
      told === "none" ? [] : /^\d{1,12}(\.\d{1,12})*$/.test(told) ? told.split(".").map(Number) : undefined,
    write: (value) => value.slice(0, MAX_IDS).join(".") || "none",
  };
  /** A set of heads, each "layer.head": "1.2,4.1".
   *
   * @type {AddressType<Set<string>>} */
  const heads = {
    read: (told) =>
      new Set(
        told
          .split(",")
          .map((head) => head.split(".").map((part) => place.read(part)))
          .filter((head) => head.length === 2 && !head.includes(undefined))
          .map((head) => head.join(".")),
      ),
    write: (value) =>
      [...value]
        .map((head) =>
          head
            .split(".")
            .map((part) => Number(part) + 1)
            .join("."),
        )
        .join(",") || null,
  };
  /** A token of the source, "r3", or of the translation, "w3".
   *
   * @type {AddressType<{row: string, index: number}>} */
  const token = {
    read(told) {
      const index = place.read(told.slice(1));
      const row = told[0] === "r" ? "source" : told[0] === "w" ? "target" : null;
      return row && index !== undefined ? { row, index } : undefined;
    },
    write: ({ row, index }) => (row === "source" ? "r" : "w") + place.write(index),
  };

  /* ---------------------------------------------------------------- the table */

  /** Each view's properties: [name in the address, type, default]. Beside these the address has "c.FIELD" for each
   * setting of the form (configure), and what is read once, when the page comes: tab, only, lang, __theme. A list of
   * names begins with the one that is written; the others are of older links.
   *
   * @type {{ [view: string]: { [property: string]: AddressField } }} */
  const TABLE = {
    header: { run: ["run", text, null] },
    lesson: { lesson: [["read", "lesson"], text, null], at: ["at", place, null] },
    configure: { preset: ["preset", text, null] },
    live: {
      axis: ["loss_axis", oneOf("linear", "log"), "linear"],
      smoothing: ["smoothing", oneOf(0, 5, 10, 20, 50, 100, 200, 500), 10],
      other: ["with", text, null],
    },
    inside: {
      text: ["text", text, null],
      step: ["step", whole, null],
      layer: ["layer", place, null],
      head: ["head", place, null],
      query: ["query", place, null],
      zeroed: ["zero", heads, null],
      panel: ["panel", oneOf("numbers", "zero", "lens"), null],
    },
    experts: {
      block: ["e.layer", place, null],
      step: ["e.step", whole, null],
      axis: ["e.x", oneOf("steps", "flops", "seconds"), "steps"],
      text: ["e.text", text, null],
      partner: ["e.with", text, null],
    },
    optimizers: {
      entries: ["o.race", text, null],
      steps: ["o.steps", oneOf(100, 200, 300, 600), 300],
      seeds: ["o.seeds", oneOf(1, 3, 5), 1],
      axis: ["o.x", oneOf("steps", "seconds", "flops"), "steps"],
      block: ["o.block", place, 0],
      matrix: ["o.matrix", oneOf("q", "k", "v", "o", "up", "down"), "up"],
      moment: ["o.step", whole, null],
    },
    translate: {
      text: ["t.text", text, null],
      step: ["t.step", whole, null],
      right: ["t.right", flag, false],
      of: ["t.of", oneOf("cross", "encoder", "decoder"), "cross"],
      layer: ["t.layer", place, null],
      head: ["t.head", place, null],
      start: ["t.start", ids, null],
      held: ["t.token", token, null],
      beams: ["t.beams", whole, null],
      alpha: ["t.alpha", within(0, 2), 0.6],
    },
    generate: {
      prompt: ["prompt", text, null],
      step: ["gen_step", number, null],
      path: ["gen_path", ids, null],
      temperature: ["gen_temperature", number, 1],
      top_k: ["gen_top_k", number, 0],
      top_p: ["gen_top_p", number, 1],
      min_p: ["gen_min_p", number, 0],
      seed: ["gen_seed", number, 0],
    },
    tokens: {
      text: ["k.text", text, ""],
      source: ["k.source", oneOf("stories", "stories-zh"), window.tp.language === "zh" ? "stories-zh" : "stories"],
      size: ["k.size", oneOf(300, 500, 1000, 2000, 4096), 1000],
      merges: ["k.merges", wholeWithin(0, 99_999), null],
    },
    batches: {
      part: ["b.part", oneOf("train", "valid"), "train"],
      number: ["b.number", wholeWithin(1, 200), 1],
      step: ["b.step", whole, null],
    },
    embeddings: {
      what: [["m.what", "e.what"], oneOf("tokens", "positions"), "tokens"],
      step: [["m.step", "e.step"], whole, null],
    },
  };

  const written = new Set(
    Object.values(TABLE).flatMap((fields) => Object.values(fields).map(([names]) => [names].flat()[0])),
  );

  /** The values of a view that the address has, or a link, and its defaults for the others.
   *
   * @param {string} view
   * @param {{ [name: string]: string }} [link] */
  const read = (view, link) =>
    Object.fromEntries(
      Object.entries(TABLE[view]).map(([property, [names, type, usual]]) => {
        const told = [names]
          .flat()
          .map((name) => (link ? link[name] : url.get(name)))
          .find((each) => typeof each === "string");
        return [property, (typeof told === "string" ? type.read(told) : undefined) ?? usual];
      }),
    );

  /** {name: text, or null where it is the default}, of those properties of a view that `values` has.
   *
   * @param {string} view
   * @param {{ [property: string]: unknown }} values */
  function changes(view, values) {
    /** @type {{ [name: string]: string | null }} */
    const found = {};
    for (const [property, [names, type, usual]] of Object.entries(TABLE[view])) {
      const value = values[property];
      if (value === undefined) continue;
      const [name, ...older] = [names].flat();
      const [now, then] = [value, usual].map((each) => (each === null ? null : type.write(each)));
      found[name] = now === then ? null : now;
      for (const other of older) if (!written.has(other)) found[other] = null;
    }
    return found;
  }

  /** @type {Tp["address"]} */
  function address(view, values) {
    const write = () => url.set(changes(view, values()));
    let [timer, spent] = [0, 0];
    return {
      usual: Object.fromEntries(Object.entries(TABLE[view]).map(([property, [, , usual]]) => [property, usual])),
      choices: (property) => TABLE[view][property][1].values ?? [],
      read: (link) => read(view, link),
      save() {
        if (spent < BURST && write()) spent += 1;
        clearTimeout(timer);
        timer = setTimeout(() => {
          spent = 0;
          write();
        }, REST);
      },
    };
  }

  /** @type {Tp["link"]} */
  function link(view, values, more = {}) {
    const told = Object.entries({ ...changes(view, values), ...more }).filter(([, value]) => value !== null);
    return `?${new URLSearchParams(told.map(([name, value]) => [name, String(value)]))}`;
  }

  Object.assign(window.tp, { address, link, addresses: TABLE, MAX_IDS });
})();
