/* The language of the page. This script comes before the others.
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

  const KEY = "transformer-playground-language";
  const LANGUAGES = { en: "en", zh: "zh-CN" };

  const known = (language) => Object.hasOwn(LANGUAGES, language ?? "");
  const asked = new URLSearchParams(location.search).get("lang");
  const chosen = localStorage.getItem(KEY);
  const read = (navigator.language ?? "").toLowerCase().startsWith("zh") ? "zh" : "en";
  const language = known(asked) ? asked : known(chosen) ? chosen : read;

  document.documentElement.lang = LANGUAGES[language];

  function speak(other) {
    localStorage.setItem(KEY, other);
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
  let entries = null; // [pattern, translation], the most literal first
  let catalogue = {};

  const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const HOLE = /\{\d+\}/;

  function patterns() {
    entries ??= Object.entries(catalogue)
      .filter(([english]) => HOLE.test(english))
      .map(([english, translation]) => ({ parts: english.split(HOLE), translation }))
      .sort((a, b) => b.parts.join("").length - a.parts.join("").length)
      .map(({ parts, translation }) => [new RegExp(`^${parts.map(escaped).join("([^]+?)")}$`), translation]);
    return entries;
  }

  function found(sentence) {
    if (Object.hasOwn(catalogue, sentence)) return catalogue[sentence];
    for (const [pattern, translation] of patterns()) {
      const match = pattern.exec(sentence);
      if (match) return translation.replace(/\{(\d+)\}/g, (_, n) => found(match[Number(n) + 1]) ?? match[Number(n) + 1]);
    }
    const clauses = sentence.split("; ");
    if (clauses.length === 1) return null;
    const each = clauses.map(found);
    return each.every((clause) => clause !== null) ? each.join("；") : null;
  }

  const translate = (sentence) => (typeof sentence === "string" && sentence !== "" ? (found(sentence) ?? sentence) : sentence);

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
