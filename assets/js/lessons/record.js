/* `tp.record`: what a learner predicted and answered, and the cards that bring questions back. Nothing leaves this
 * browser.
 *
 *   answers()                 the first answer to each question of a lesson: {[id]: {right, at, solved}}
 *   answered(id, right, now)  keep an answer, if it is the first one; the question becomes a card. Of later ones it is
 *                             only kept that the question has been `solved`
 *   solved(id)                whether a question has been answered right, at first or later
 *   cards()                   the cards: {[id]: {box, due}}
 *   due(ids, now), next(ids, now)   which of these questions are due, the longest waiting first; when the next one is
 *   reviewed(id, right, now)  move a card: one box up, or back to the first
 *   calibration(list)         {right, all} of predictions that are decided
 *   written(now)              everything as JSON, to take to another browser
 *   taken(text)               take in what `written` wrote; throws an Error with a code: "json", "format" or "empty"
 *   clear()                   forget all of it
 *
 * Cards are those of Leitner (1972, "So lernt man lernen"): a right answer moves a card to the next box, whose cards
 * come back after twice as many days; a wrong one moves it back to the first. Times are milliseconds since 1970.
 */
(() => {
  "use strict";

  const { browser, lessons } = window.tp;
  const ANSWERS = "transformer-playground-answers";
  const CARDS = "transformer-playground-cards";
  const FORMAT = "transformer-playground-record";
  const DAY = 86_400_000;
  const BOXES = 6;
  const LONGEST = 200; // characters of an id
  const MOST = 2_000; // entries that are taken in from a file

  /** @param {number} box @returns {number} milliseconds until a card of this box comes back: 1, 2, 4, ... days */
  const wait = (box) => DAY * 2 ** box;

  const plain = (/** @type {unknown} */ value) => typeof value === "object" && value !== null && !Array.isArray(value);

  /** @param {string} key @returns {{[id: string]: any}} */
  function stored(key) {
    try {
      const found = JSON.parse(browser.recall(key) ?? "{}");
      return plain(found) ? found : {};
    } catch {
      return {};
    }
  }

  /** @param {string} key @param {object} value */
  const keep = (key, value) => browser.remember(key, JSON.stringify(value));
  const told = () => document.dispatchEvent(new CustomEvent(lessons.on.progress));

  /** @type {Tp["record"]["answers"]} */
  const answers = () => stored(ANSWERS);
  /** @type {Tp["record"]["cards"]} */
  const cards = () => stored(CARDS);

  /** @type {Tp["record"]["solved"]} */
  function solved(id) {
    const all = answers();
    return Object.hasOwn(all, id) && Boolean(all[id].right || all[id].solved);
  }

  /** @type {Tp["record"]["answered"]} */
  function answered(id, right, now = Date.now()) {
    const all = answers();
    if (Object.hasOwn(all, id)) {
      if (right && !solved(id)) keep(ANSWERS, { ...all, [id]: { ...all[id], solved: true } });
      return;
    }
    keep(ANSWERS, { ...all, [id]: { right, at: now } });
    const box = right ? 1 : 0;
    keep(CARDS, { ...cards(), [id]: { box, due: now + wait(box) } });
    told();
  }

  /** @type {Tp["record"]["reviewed"]} */
  function reviewed(id, right, now = Date.now()) {
    const all = cards();
    const box = right ? Math.min((all[id]?.box ?? 0) + 1, BOXES - 1) : 0;
    keep(CARDS, { ...all, [id]: { box, due: now + wait(box) } });
    told();
  }

  /** A question that was never answered is due at once. */
  const dueAt = (/** @type {ReturnType<typeof cards>} */ all, /** @type {string} */ id) => all[id]?.due ?? 0;

  /** @type {Tp["record"]["due"]} */
  function due(ids, now = Date.now()) {
    const all = cards();
    return ids.filter((id) => dueAt(all, id) <= now).sort((a, b) => dueAt(all, a) - dueAt(all, b));
  }

  /** @type {Tp["record"]["next"]} */
  function next(ids, now = Date.now()) {
    const all = cards();
    const later = ids.map((id) => dueAt(all, id)).filter((at) => at > now);
    return later.length ? Math.min(...later) : null;
  }

  /** @type {Tp["record"]["calibration"]} */
  function calibration(list) {
    const decided = list.filter(({ predicted, right }) => predicted !== null && right !== null);
    return { right: decided.filter(({ predicted, right }) => predicted === right).length, all: decided.length };
  }

  /* ------------------------------------------------------------------ from one browser to another */

  /** @type {Tp["record"]["written"]} */
  const written = (now = Date.now()) =>
    JSON.stringify(
      {
        ...{ format: FORMAT, version: 1, written: new Date(now).toISOString() },
        ...{ lessons: lessons.progress.all(), answers: answers(), cards: cards() },
      },
      null,
      1,
    );

  const whole = (/** @type {unknown} */ value) => Number.isInteger(value) && Number(value) >= 0;
  const time = (/** @type {unknown} */ value) => typeof value === "number" && value >= 0 && value < 1e14;

  /** The entries that are what they should be. What a file says is nobody's word: the rest is left out.
   *
   * @param {unknown} found @param {(value: any) => object | null} checked @returns {{[key: string]: any}} */
  function sound(found, checked) {
    if (!plain(found)) return {};
    const entries = Object.entries(/** @type {object} */ (found)).slice(0, MOST);
    return Object.fromEntries(
      entries
        .filter(([key]) => key.length <= LONGEST && key !== "__proto__")
        .map(([key, value]) => [key, plain(value) ? checked(value) : null])
        .filter(([, value]) => value !== null),
    );
  }

  /** @param {any} step @returns {Progress | null} */
  function soundStep({ done, predicted, seen, result }) {
    const known = {
      ...(done === true && { done }),
      ...(seen === true && { seen }),
      ...(whole(predicted) && { predicted }),
      ...(plain(result) &&
        (result.value === null || typeof result.value === "number") &&
        (result.right === null || whole(result.right)) && {
          result: {
            ...{ value: result.value, right: result.right, measure: String(result.measure).slice(0, LONGEST) },
            run: typeof result.run === "string" ? result.run.slice(0, LONGEST) : null,
            stored: result.stored === true,
          },
        }),
    };
    return Object.keys(known).length ? known : null;
  }

  /** @type {Tp["record"]["taken"]} */
  function taken(text) {
    let file;
    try {
      file = JSON.parse(text);
    } catch {
      throw new Error("json");
    }
    if (!plain(file) || file.format !== FORMAT || file.version !== 1) throw new Error("format");
    const found = {
      lessons: sound(file.lessons, (lesson) => sound(lesson, soundStep)),
      answers: sound(file.answers, ({ right, at, solved: later }) =>
        typeof right === "boolean" && time(at) ? { right, at, ...(later === true && { solved: true }) } : null,
      ),
      cards: sound(file.cards, ({ box, due: at }) => (whole(box) && box < BOXES && time(at) ? { box, due: at } : null)),
    };
    const count = Object.values(found).reduce((sum, part) => sum + Object.keys(part).length, 0);
    if (!count) throw new Error("empty");
    // What both know: the first answer counts, and of a card the one that was seen last.
    const first = answers();
    for (const [id, answer] of Object.entries(found.answers)) {
      const ours = first[id];
      const known = !ours || answer.at < ours.at ? answer : ours;
      const later = !known.right && [answer, ours].some((each) => each?.right || each?.solved);
      first[id] = { ...known, ...(later && { solved: true }) };
    }
    keep(ANSWERS, first);
    const later = cards();
    for (const [id, card] of Object.entries(found.cards)) if (!later[id] || card.due > later[id].due) later[id] = card;
    keep(CARDS, later);
    const here = lessons.progress.all();
    for (const [name, steps] of Object.entries(found.lessons))
      for (const [step, values] of Object.entries(steps))
        here[name] = { ...here[name], [step]: { ...values, ...here[name]?.[step] } };
    lessons.progress.replace(here);
    told();
  }

  /** @type {Tp["record"]["clear"]} */
  function clear() {
    keep(ANSWERS, {});
    keep(CARDS, {});
    lessons.progress.replace({});
    told();
  }

  /** A question says that it was answered: on a card, or in its lesson. */
  document.addEventListener("tp-answered", (event) => {
    const { id, right } = /** @type {CustomEvent<{id?: string, right: boolean}>} */ (event).detail;
    const card = /** @type {Element} */ (event.target).closest(".tp-flashcard");
    if (id && !card) answered(id, right);
  });

  const own = { answers, cards, answered, solved, reviewed, due, next };
  window.tp.record = { ...own, calibration, written, taken, clear };
})();
