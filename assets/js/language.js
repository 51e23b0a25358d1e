/* The language of the page. This script comes before the others but browser.js.
 *
 *   tp.language            "zh" for who reads Chinese first, else "en"; ?lang= decides, then what was chosen before
 *   tp.speak(language)     change it: the choice is kept in the address and in this browser, the page begins again
 *   tp.words({en, zh})     a view's table of words in that language
 *   tp.translate(sentence) what the server says, which is English: looked up in `tp.catalogue` (assets/i18n)
 *   tp.runName(run)         a run's name: a learner's own words, or of a shipped run, in that language
 *   tp.told(server)        a view's server, whose errors and reasons are told in that language: every view has it
 */
(() => {
  "use strict";

  const { browser } = window.tp;
  const KEY = "transformer-playground-language";
  const LANGUAGES = { en: "en", zh: "zh-CN" };

  const spoken = (language) => Object.hasOwn(LANGUAGES, language ?? "");
  const asked = new URLSearchParams(location.search).get("lang");
  const chosen = browser.recall(KEY);
  const read = (navigator.language ?? "").toLowerCase().startsWith("zh") ? "zh" : "en";
  const language = spoken(asked) ? asked : spoken(chosen) ? chosen : read;

  document.documentElement.lang = LANGUAGES[language];

  function speak(other) {
    browser.remember(KEY, other);
    const query = new URLSearchParams(location.search);
    query.set("lang", other);
    location.search = query;
  }

  /** All tables there are, for the test that compares them. */
  const tables = [];

  function words(table) {
    tables.push(table);
    return table[language];
  }

  /* ---------------------------------------------------------------- what the server says */

  /* As in playground/i18n.py: {0}, {1}, ... stand for what differs from one time to the next. */
  let entries = null; // the entries with holes, the most literal first
  let catalogue = {};
  const known = new Map(); // what was found for the sentence in hand, and for its parts
  const MOST_PARTS = 16;

  const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
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

  const entry = (text) => (Object.hasOwn(catalogue, text) ? catalogue[text] : null);

  /** The same, told once: parts of a sentence come again and again. */
  const once = (tell) => (text) => {
    if (!known.has(tell)) known.set(tell, new Map());
    const said = known.get(tell);
    if (!said.has(text)) said.set(text, tell(text));
    return said.get(text);
  };

  /** Several sentences after each other or with "; " between, or one. */
  const found = once((text) => {
    return (
      entry(text) ??
      inTurn(text.split("; "), "; ", "；") ??
      inTurn(text.replace(/([.!?]) (?=\S)/g, "$1\0").split("\0"), " ", "") ??
      one(text)
    );
  });

  function inTurn(parts, between, joint) {
    if (parts.length > MOST_PARTS) return null; // somebody's own text
    for (let count = 1; count < parts.length; count++) {
      const first = one(parts.slice(0, count).join(between));
      const rest = first === null ? null : found(parts.slice(count).join(between));
      if (rest !== null) return first + joint + rest;
    }
    return null;
  }

  const one = once((sentence) => {
    const whole = entry(sentence);
    if (whole !== null) return whole;
    for (const { holes, translation, kept } of patterns()) {
      const match = holes.exec(sentence);
      if (!match) continue;
      const said = match.slice(1).map((text, n) => (kept[n] ? text : (found(text) ?? text)));
      return translation.replace(/\{(\d+)\}/g, (_, n) => said[Number(n)]);
    }
    const colon = sentence.indexOf(": ");
    const rest = colon < 0 ? "" : sentence.slice(colon + 2);
    const short = rest.split(": ").length <= MOST_PARTS;
    const told = rest.includes(" ") && short ? found(rest) : null; // "where: what is wrong there"
    return told === null ? null : `${sentence.slice(0, colon)}：${told}`;
  });

  function translate(sentence) {
    known.clear();
    return typeof sentence === "string" && sentence !== "" ? (found(sentence) ?? sentence) : sentence;
  }

  const runName = ({ name, shipped }) => (shipped ? translate(name) : name);

  function told(server) {
    return new Proxy(server ?? {}, {
      get: (asked, name) => async (...args) => {
        const answer = await asked[name](...args);
        for (const part of ["error", "reason"]) if (answer?.[part]) answer[part] = translate(answer[part]);
        return answer;
      },
    });
  }

  window.tp = {
    browser,
    language,
    speak,
    words,
    tables,
    translate,
    runName,
    told,
    set catalogue(all) {
      catalogue = all[language] ?? {};
      entries = null;
    },
  };
})();
