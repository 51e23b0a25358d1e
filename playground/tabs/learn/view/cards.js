/* Cards: questions of finished lessons that come back, one at a time, after longer and longer times. */

const CARDS = tp.words({
  en: {
    title: "Review cards",
    intro: "Questions of the lessons that you have finished come back, after one day, two, four and so on.",
    /** @type {(count: number) => string} */
    due: (count) => (count === 1 ? "1 card is due." : `${count} cards are due.`),
    start: "Review",
    none: "Finish a lesson: its questions come back here as cards.",
    /** @type {(when: string, all: number) => string} */
    later: (when, all) => `No card is due now. The next of your ${all} is due ${when}.`,
    /** @type {(at: number, all: number) => string} */
    place: (at, all) => `Card ${at} of ${all}`,
    next: "Next card",
    end: "Finish",
    stop: "Stop for now",
    keys: "Keyboard: 1 to 4 choose an answer, Enter goes on.",
    again: (/** @type {string} */ when) => `You will see it again ${when}.`,
    /** @type {(right: number, all: number) => string} */
    done: (right, all) => `Done: ${right} of ${all} right at once.`,
    offline: "The cards could not be fetched. Try again.",
  },
  zh: {
    title: "复习卡片",
    intro: "学完的课里的问题会再次出现，间隔一天、两天、四天，越来越长。",
    due: (count) => `有 ${count} 张卡片到期。`,
    start: "开始复习",
    none: "学完一课，那一课的问题就会成为这里的卡片。",
    later: (when, all) => `现在没有到期的卡片。共 ${all} 张，下一张${when}到期。`,
    place: (at, all) => `第 ${at} 张，共 ${all} 张`,
    next: "下一张",
    end: "完成",
    stop: "先到这里",
    keys: "键盘：1 到 4 选择答案，回车继续。",
    again: (when) => `${when}会再次出现。`,
    done: (right, all) => `完成：${all} 张中 ${right} 张一次答对。`,
    offline: "没能取到卡片，请再试一次。",
  },
});

const DAY = 86_400_000;
const ANSWERED = '.tp-flashcard, .option[aria-pressed="true"]'; // Enter there goes on
const relative = new Intl.RelativeTimeFormat(tp.language, { numeric: "auto" });

/** When, in words: "tomorrow", "in 4 days".
 *
 * @param {number} at @param {number} now */
function inDays(at, now = Date.now()) {
  const midnight = (/** @type {number} */ time) => new Date(time).setHours(0, 0, 0, 0);
  const days = Math.round((midnight(at) - midnight(now)) / DAY);
  return days > 0 ? relative.format(days, "day") : relative.format(Math.ceil((at - now) / 3_600_000), "hour");
}

/** @type {Answers.LessonQuestions[] | null} */
let sheet = null;

/** All that lessons ask, asked for once. */
async function asked() {
  if (sheet) return sheet;
  const answer = await call("questions", tp.language);
  if (answer.error) return null;
  sheet = answer.lessons;
  return sheet;
}

/** The questions of finished lessons. */
const cardIds = () =>
  lessons.filter(({ name, steps }) => tp.lessons.progress.done(name) >= steps).flatMap(({ questions }) => questions);

/** The section with the cards; `draw` shows how many are due, unless cards are being answered.
 *
 * @returns {Drawn} */
function cards() {
  const body = el("div", { class: "body" });
  const node = el(
    "section",
    { class: "review", id: "review", "aria-labelledby": "review-title" },
    el("h2", { class: "other", id: "review-title", tabindex: -1, text: CARDS.title }),
    el("p", { class: "intro", text: CARDS.intro }),
    body,
  );
  let going = false;

  function drawState(/** @type {string} */ said = "") {
    const ids = cardIds();
    const due = tp.record.due(ids);
    const next = tp.record.next(ids);
    node.dataset.due = String(due.length);
    const text = due.length
      ? CARDS.due(due.length)
      : ids.length
        ? CARDS.later(inDays(next ?? Date.now()), ids.length)
        : CARDS.none;
    body.replaceChildren(
      el("p", { role: "status", text: tp.sentences([said, text]) }),
      due.length
        ? el("button", {
            type: "button",
            class: "tp-button",
            id: "review-start",
            text: CARDS.start,
            on: { click: start },
          })
        : "",
    );
  }

  async function start() {
    const found = await asked();
    if (!found) return body.replaceChildren(el("p", { role: "alert", text: CARDS.offline }));
    const by = new Map(found.flatMap(({ title, questions }) => questions.map((each) => [each.id, { title, ...each }])));
    const pile = tp.record.due(cardIds()).filter((id) => by.has(id));
    going = true;
    let right = 0;
    const stop = (/** @type {string} */ said) => {
      going = false;
      drawState(said);
      node.querySelector("h2")?.focus();
    };
    const show = (/** @type {number} */ at) => {
      const id = pile[at];
      const { title, blocks } = /** @type {{title: string, blocks: Block[]}} */ (by.get(id));
      const more = at + 1 < pile.length;
      const when = el("p", { class: "when", role: "status" });
      const go = el("button", {
        type: "button",
        class: "tp-button primary",
        id: "review-next",
        hidden: true,
        text: more ? CARDS.next : CARDS.end,
        on: { click: () => (more ? show(at + 1) : stop(CARDS.done(right, pile.length))) },
      });
      const card = el(
        "div",
        {
          class: "tp-flashcard",
          role: "group",
          "aria-label": CARDS.place(at + 1, pile.length),
          tabindex: -1,
          "data-id": id,
        },
        el(
          "p",
          { class: "place" },
          el("span", { text: CARDS.place(at + 1, pile.length) }),
          el("span", { text: title }),
        ),
        tp.lessons.blocks(blocks),
        when,
        el(
          "div",
          { class: "ways" },
          go,
          el("button", { type: "button", class: "tp-button quiet", text: CARDS.stop, on: { click: () => stop("") } }),
          blocks[0].options ? el("span", { class: "keys", text: CARDS.keys }) : "",
        ),
      );
      let first = true;
      card.addEventListener("tp-answered", (event) => {
        if (!first) return;
        first = false;
        const good = /** @type {CustomEvent<{right: boolean}>} */ (event).detail.right;
        right += Number(good);
        tp.record.reviewed(id, good);
        put(when, CARDS.again(inDays(tp.record.cards()[id].due)));
        go.hidden = false;
        if (good && card.querySelector("input")) go.focus({ preventScroll: true });
      });
      card.addEventListener("keydown", (event) => {
        const inField = /** @type {Element} */ (event.target).matches("input");
        if (inField || event.metaKey || event.ctrlKey || event.altKey) return;
        const options = /** @type {NodeListOf<HTMLElement>} */ (card.querySelectorAll(".option"));
        const chosen = options[Number(event.key) - 1];
        if (chosen) chosen.click();
        else if (event.key === "Enter" && !go.hidden && /** @type {Element} */ (event.target).matches(ANSWERED))
          go.click();
        else return;
        event.preventDefault();
        card.focus({ preventScroll: true });
      });
      body.replaceChildren(card);
      (card.querySelector("input") ?? card).focus();
    };
    show(0);
  }

  return { node, draw: () => going || drawState() };
}
