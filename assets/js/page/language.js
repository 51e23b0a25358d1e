/* The language of the page. This script comes before the others but browser.js.
 *
 *   tp.language            "zh" for who reads Chinese first, else "en"; ?lang= decides, then what was chosen before
 *   tp.speak(language)     change it: the choice is kept in the address and in this browser, the page begins again
 *   tp.words({en, zh})     a view's table of words in that language
 *   tp.translate(sentence) what the server says, which is English: looked up in `tp.catalogue` (assets/i18n)
 *   tp.label(field)        what a field of the configuration is called: sentences never have its name in the code
 *   tp.runName(run)         a run's name: a learner's own words, or those that the page gave it, in that language
 *   tp.told(server)        a view's server, whose errors and reasons are told in that language: every view has it
 */
(() => {
  "use strict";

  const { browser } = window.tp;
  const KEY = "transformer-playground-language";
  const LANGUAGES = { en: "en", zh: "zh-CN" };

  /** @type {(language: string | null) => language is Language} */
  const spoken = (language) => language === "en" || language === "zh";
  const asked = new URLSearchParams(location.search).get("lang");
  const chosen = browser.recall(KEY);
  const read = (navigator.language ?? "").toLowerCase().startsWith("zh") ? "zh" : "en";
  /** @type {Language} */
  const language = spoken(asked) ? asked : spoken(chosen) ? chosen : read;

  document.documentElement.lang = LANGUAGES[language];

  /** @type {Tp["speak"]} */
  function speak(other) {
    browser.remember(KEY, other);
    const query = new URLSearchParams(location.search);
    query.set("lang", other);
    location.search = query.toString();
  }

  /** All tables there are, for the test that compares them.
   *
   * @type {Tp["tables"]} */
  const tables = [];

  /** @type {Tp["words"]} */
  function words(table) {
    tables.push(/** @type {Tp["tables"][0]} */ (table));
    return table[language];
  }

  /* ---------------------------------------------------------------- what the server says */

  /** @typedef {(text: string) => string | null} Tell A translation; null where there is none. */

  /* As in playground/i18n.py: {0}, {1}, ... stand for what differs from one time to the next. */
  /** @type {{holes: RegExp, translation: string, kept: boolean[]}[] | null} */
  let entries = null; // the entries with holes, the most literal first
  /** @type {{[english: string]: string}} */
  let catalogue = {};
  /** @type {Map<Tell, Map<string, string | null>>} */
  const known = new Map(); // what was found for the sentence in hand, and for its parts
  const MAX_PARTS = 16;
  const LONGEST_HOLE = 1_000; // characters; a longer one is somebody's own text

  const escaped = (/** @type {string} */ text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const HOLE = /\{\d+\}/;

  function patterns() {
    entries ??= Object.entries(catalogue)
      .filter(([english]) => HOLE.test(english))
      .map(([english, translation]) => ({ parts: english.split(HOLE), translation }))
      .sort((a, b) => b.parts.join("").length - a.parts.join("").length)
      .map(({ parts, translation }) => ({
        holes: new RegExp(`^${parts.map(escaped).join("([^]*?)")}$`),
        translation,
        // Names and values, which stand in quotation marks or at an equals sign, are no words.
        kept: parts.slice(1).map((after, n) => /(“| = )$/.test(parts[n]) || /^(”| = )/.test(after)),
      }));
    return entries;
  }

  const entry = (/** @type {string} */ text) => (Object.hasOwn(catalogue, text) ? catalogue[text] : null);

  /** The same, told once: parts of a sentence come again and again.
   *
   * @type {(tell: Tell) => Tell} */
  const once = (tell) => (text) => {
    const said = known.get(tell) ?? new Map();
    known.set(tell, said);
    if (!said.has(text)) said.set(text, tell(text));
    return said.get(text);
  };

  /** Several sentences after each other or with "; " between, or one.
   *
   * @type {Tell} */
  const found = once((text) => {
    return (
      entry(text) ??
      inTurn(text.split("; "), "; ", "；") ??
      inTurn(text.replace(/([.!?]) (?=\S)/g, "$1\0").split("\0"), " ", "") ??
      one(text)
    );
  });

  /** @type {(parts: string[], between: string, joint: string) => string | null} */
  function inTurn(parts, between, joint) {
    if (parts.length > MAX_PARTS) return null; // somebody's own text
    for (let count = 1; count < parts.length; count++) {
      const first = one(parts.slice(0, count).join(between));
      const rest = first === null ? null : found(parts.slice(count).join(between));
      if (rest !== null) return first + joint + rest;
    }
    return null;
  }

  /** @type {Tell} */
  const one = once((sentence) => {
    const whole = entry(sentence);
    if (whole !== null) return whole;
    for (const { holes, translation, kept } of patterns()) {
      const match = holes.exec(sentence);
      if (!match) continue;
      const said = match
        .slice(1)
        .map((text, n) => (kept[n] || text.length > LONGEST_HOLE ? text : (found(text) ?? text)));
      return translation.replace(/\{(\d+)\}/g, (_, n) => said[Number(n)]);
    }
    const colon = sentence.indexOf(": ");
    const rest = colon < 0 ? "" : sentence.slice(colon + 2);
    const short = rest.split(": ").length <= MAX_PARTS;
    const told = rest.includes(" ") && short ? found(rest) : null; // "where: what is wrong there"
    return told === null ? null : `${sentence.slice(0, colon)}：${told}`;
  });

  /** @type {{[field: string]: string}} */
  let labels = {};
  const FIELD = /\b[a-z]+(?:_[a-z\d]+)+\b/g; // "d_model"; a field whose name is a word is said as that word

  /** @type {Tp["label"]} */
  const label = (field) => (Object.hasOwn(labels, field) ? (entry(labels[field]) ?? labels[field]) : field);
  const labelled = (/** @type {string} */ sentence) =>
    sentence.replace(FIELD, (name) => (Object.hasOwn(labels, name) ? `“${label(name)}”` : name));

  /** @type {(sentence: any) => any} */
  function translate(sentence) {
    known.clear();
    return typeof sentence === "string" && sentence !== "" ? labelled(found(sentence) ?? sentence) : sentence;
  }

  const NUMBERED = / \((\d+)\)$/;

  /** One part of a run's name that says how it differs from its preset, as `say` of engine/runs/naming.py writes it:
   * "12 blocks", "post-norm", "no dropout", "learning rate 0.01". Null where it is none.
   *
   * @type {Tell} */
  function difference(part) {
    const known = entry(part);
    if (known !== null) return known;
    // The longest first: "encoder blocks" before "blocks".
    const titles = Object.entries(labels).sort(([, a], [, b]) => b.length - a.length);
    for (const [field, title] of titles) {
      const called = /^\S*[A-Z]/.test(title.slice(1)) ? title : title[0].toLowerCase() + title.slice(1);
      const zh = label(field);
      const off = new Map([
        [called, ""],
        [`${called} off`, "：关"],
        [`${called}: auto`, "：自动"],
        [`no ${called}`, "：无"],
      ]).get(part);
      if (off !== undefined) return zh + off;
      if (part.startsWith(`${called} `)) return `${zh} ${spelledOut(part.slice(called.length + 1))}`;
      for (const form of [called, called.replace(/s\b/, "")])
        if (part.endsWith(` ${form}`)) return `${zh} ${spelledOut(part.slice(0, -form.length - 1))}`;
    }
    return null;
  }
  const spelledOut = (/** @type {string} */ value) =>
    value === "no"
      ? "0"
      : value
          .split(" and ")
          .map((one) => entry(one) ?? one)
          .join("、");

  /** @type {Tp["runName"]} */
  function runName({ name, shipped }) {
    if (language === "en") return name;
    if (shipped) return translate(name);
    const number = NUMBERED.exec(name)?.[1];
    known.clear();
    const told = name
      .replace(NUMBERED, "")
      .split(" · ")
      .map((part, i) => entry(part) ?? (i ? (difference(part) ?? found(part) ?? part) : part));
    return told.join(" · ") + (number ? `（${number}）` : "");
  }

  /** @type {Tp["told"]} */
  function told(server) {
    return new Proxy(/** @type {any} */ (server ?? {}), {
      get:
        (asked, name) =>
        async (/** @type {unknown[]} */ ...args) => {
          const answer = await asked[name](...args);
          for (const part of ["error", "reason"]) if (answer?.[part]) answer[part] = translate(answer[part]);
          return answer;
        },
    });
  }

  window.tp = /** @type {Tp} */ ({
    browser,
    language,
    speak,
    words,
    tables,
    translate,
    label,
    runName,
    told,
    get labels() {
      return labels;
    },
    /** @param {{[field: string]: string}} all  in English */
    set labels(all) {
      labels = all;
    },
    /** @param {{[language: string]: {[english: string]: string}}} all */
    set catalogue(all) {
      catalogue = all[language] ?? {};
      entries = null;
    },
  });
})();
