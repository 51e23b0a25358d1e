/* The list of lessons: the path and those beside it; how far each is, and which is next. A lesson opens in this tab's
 * reading page, in the place of the list.
 */
const { el, put } = tp;
const call = tp.asker(server, () => TEXT.offline);
const root = element.querySelector(".learn");
const address = tp.address("lesson", () => ({}));

const TEXT = tp.words({
  en: {
    title: "Learn how Transformers work",
    intro:
      "You need no more than school mathematics. Read a lesson, change its numbers, answer its questions; then " +
      "predict, train a model of your own, and see whether you were right.",
    path: "The path",
    pathIntro:
      "From guessing letters to reading a failed run. Each lesson builds on the one before; its experiments ask you " +
      "to predict first, and your own run says whether you were right.",
    beside: "Beside the path",
    besideIntro: "Each of these stands on its own. Take it when you want to know.",
    next: "Next for you",
    first: "Begin here",
    /** @type {(done: number, all: number) => string} */
    finished: (done, all) => `${done} of ${all} lessons finished.`,
    all: "You have finished all lessons. Review your cards, or try the presets on the tab “Train”.",
    minutes: (/** @type {number} */ minutes) => `${minutes} min`,
    /** @type {(done: number, all: number) => string} */
    done: (done, all) => (done === 0 ? "" : done >= all ? "✓ done" : `${done} of ${all} sections done`),
    start: "Begin",
    again: "Open again",
    goOn: "Go on",
    teach: "For a class: one link",
    teachHelp: "The link opens the page at a place of your choice: a lesson, a preset, or one tab and nothing else.",
    opens: "It opens",
    lesson: (/** @type {string} */ title) => `the lesson “${title}”`,
    preset: (/** @type {string} */ title) => `training with “${title}”`,
    tab: (/** @type {string} */ title) => `the tab “${title}”`,
    kinds: { lesson: "Lessons", preset: "Presets", tab: "Tabs" },
    only: "without the other tabs and without the controls that configure",
    link: "The link",
    copy: "Copy",
    copied: "Copied",
    loading: "Reading the lessons …",
    offline: "The page's server does not answer. Is it still running?",
  },
  zh: {
    title: "学习 Transformer 的工作原理",
    intro: "只需要中学数学。先读一课，改一改数字，回答问题；再预测，训练一个自己的模型，看看预测对不对。",
    path: "学习路径",
    pathIntro: "从猜字母到看懂一次失败的训练。每一课都建立在前一课之上；每个实验先请你预测，再用你自己的训练结果检验。",
    beside: "选修",
    besideIntro: "这里的每一课都可以单独学，想了解时随时打开。",
    next: "下一课",
    first: "从这里开始",
    finished: (done, all) => `${all} 课中已学完 ${done} 课。`,
    all: "所有课程都学完了。可以复习卡片，或者到“训练”标签页试试预设。",
    minutes: (minutes) => `${minutes} 分钟`,
    done: (done, all) => (done === 0 ? "" : done >= all ? "✓ 已完成" : `已完成 ${done}/${all} 节`),
    start: "开始",
    again: "再看一遍",
    goOn: "继续",
    teach: "给班级：一个链接",
    teachHelp: "打开链接的人会直接到你想让他去的地方：某一课、某个预设，或者只有一个标签页。",
    opens: "打开",
    lesson: (title) => `课程“${title}”`,
    preset: (title) => `用“${title}”训练`,
    tab: (title) => `标签页“${title}”`,
    kinds: { lesson: "课程", preset: "预设", tab: "标签页" },
    only: "不显示其他标签页和配置控件",
    link: "链接",
    copy: "复制",
    copied: "已复制",
    loading: "正在读取课程……",
    offline: "页面的服务器没有响应。它还在运行吗？",
  },
});

/** @type {Answers.LessonEntry[]} */
let lessons = [];

const top = el("div", { class: "top" });
/** @type {Drawn[]} */
let below = []; // what stands under the lessons, and is not made again when a lesson gets further

function draw() {
  const next = lessons.find((lesson) => tp.lessons.progress.done(lesson.name) < lesson.steps);
  if (!below.length) {
    below = [cards(), record()];
    root.replaceChildren(top, ...below.map(({ node }) => node), glossary(), teaching());
  }
  top.replaceChildren(
    el("h2", { text: TEXT.title }),
    invitation(next),
    part("path", TEXT.path, TEXT.pathIntro, next),
    part("beside", TEXT.beside, TEXT.besideIntro, next),
  );
  for (const each of below) each.draw();
  root.dataset.ready = "true";
}

/** Where to go on, as the one thing to press; and ways to what stands below the lessons.
 *
 * @param {Answers.LessonEntry | undefined} next */
function invitation(next) {
  const begun = lessons.some(({ name }) => tp.lessons.progress.done(name) > 0);
  const finished = lessons.filter(({ name, steps }) => tp.lessons.progress.done(name) >= steps).length;
  const due = tp.record.due(cardIds()).length;
  const way = (/** @type {string} */ id, /** @type {string} */ text) =>
    el("a", {
      href: `#${id}`,
      text,
      on: {
        click: (event) => {
          event.preventDefault();
          const node = element.querySelector(`#${id}`);
          if (node instanceof HTMLDetailsElement) node.open = true;
          /** @type {HTMLElement | null | undefined} */
          const heading = node?.querySelector("summary, h2");
          node?.scrollIntoView({ behavior: tp.calm() ? "auto" : "smooth" });
          heading?.focus({ preventScroll: true });
        },
      },
    });
  const hero = next
    ? el(
        "div",
        { class: "hero" },
        el("div", { class: "picture" }, tp.lessons.picture(next.picture, "")),
        el(
          "div",
          {},
          el(
            "p",
            { class: "facts" },
            el("b", { text: begun ? TEXT.next : TEXT.first }),
            el("span", { text: TEXT.minutes(next.minutes) }),
            el("span", { text: TEXT.done(tp.lessons.progress.done(next.name), next.steps) }),
          ),
          el("h3", { text: next.title }),
          el("p", { text: next.goal }),
          tp.lessons.link(next.name, place(next), {
            class: "tp-button primary",
            id: "learn-next",
            text: begun ? TEXT.goOn : TEXT.start,
            "aria-label": `${begun ? TEXT.goOn : TEXT.start}: ${next.title}`,
          }),
        ),
      )
    : el("p", { class: "intro", text: TEXT.all });
  return el(
    "div",
    {},
    el("p", { class: "intro", text: begun ? TEXT.finished(finished, lessons.length) : TEXT.intro }),
    hero,
    el(
      "p",
      { class: "ways" },
      way("review", due ? CARDS.due(due) : CARDS.title),
      way("record", RECORD.title),
      way("glossary", WORDS.short),
    ),
  );
}

/** The section at which a lesson goes on; null: at its beginning.
 *
 * @param {Answers.LessonEntry} lesson */
function place({ name, steps }) {
  const done = tp.lessons.progress.done(name);
  if (done === 0 || done >= steps) return null;
  return Array.from({ length: steps }, (_, i) => i).find((i) => !tp.lessons.progress.read(name)[i]?.done) ?? 0;
}

/** The lessons of one part, as cards.
 *
 * @param {string} name @param {string} title @param {string} intro @param {Answers.LessonEntry | undefined} next */
function part(name, title, intro, next) {
  const cards = lessons.filter((lesson) => lesson.part === name).map((lesson) => card(lesson, lesson === next));
  if (!cards.length) return "";
  return el(
    "section",
    { class: name },
    el("h2", { class: "other", text: title }),
    el("p", { class: "intro", text: intro }),
    el(name === "beside" ? "ul" : "ol", {}, cards),
  );
}

/** One lesson of the list: its picture, what it is about, how far it is done, and where it goes on.
 *
 * @param {Answers.LessonEntry} lesson @param {boolean} isNext */
function card(lesson, isNext) {
  const { name, title, goal, minutes, steps, paper, picture } = lesson;
  const done = tp.lessons.progress.done(name);
  const label = done === 0 ? TEXT.start : done >= steps ? TEXT.again : TEXT.goOn;
  const link = tp.lessons.link(name, place(lesson), {
    class: "tp-button",
    id: `learn-${name}`,
    "aria-label": `${label}: ${title}`,
    text: label,
  });
  return el(
    "li",
    { class: `${done >= steps ? "done" : ""} ${isNext ? "next" : ""}` },
    el("div", { class: "picture" }, tp.lessons.picture(picture, "")),
    el("h3", { text: title }),
    el("p", { text: goal }),
    el(
      "p",
      { class: "facts" },
      isNext ? el("b", { text: TEXT.next }) : "",
      el("span", { text: TEXT.minutes(minutes) }),
      el("span", { class: "far", text: TEXT.done(done, steps) }),
    ),
    el("p", { class: "paper" }, el("cite", { text: paper })),
    link,
  );
}

/* ------------------------------------------------------------------ one link for a class */

const sent = { what: "", only: false };

/** What a link can open, and its address.
 *
 * @param {string} kind
 * @param {string} name
 * @param {string} title
 * @param {{[name: string]: string}} address */
const opening = (kind, name, title, address) => ({ kind, name, title, address });

/** Everything that a link can open. */
function openings() {
  const tabs = [...document.querySelectorAll("#tabs [role=tablist]:not(.visually-hidden) [role=tab]")];
  /** @type {{name: string, title: string}[]} */
  const presets = props.presets;
  return [
    ...lessons.map(({ name, title }) => opening("lesson", name, TEXT.lesson(title), { tab: "learn", read: name })),
    ...presets.map(({ name, title }) =>
      opening("preset", name, TEXT.preset(tp.translate(title)), { tab: "train", preset: name }),
    ),
    ...tabs.map((tab) =>
      opening("tab", tab.id, TEXT.tab(tab.textContent.trim()), { tab: tab.id.replace(/^tab-|-button$/g, "") }),
    ),
  ];
}

function teaching() {
  const all = openings();
  const link = el("input", { type: "text", id: "teach-link", readonly: true, "aria-label": TEXT.link });
  const copy = el("button", { type: "button", class: "tp-button", id: "teach-copy", text: TEXT.copy });
  const what = el(
    "select",
    { id: "teach-what" },
    Object.entries(TEXT.kinds).map(([kind, label]) =>
      el(
        "optgroup",
        { label },
        all
          .filter((each) => each.kind === kind)
          .map(({ name, title }) => el("option", { value: `${kind} ${name}`, text: title })),
      ),
    ),
  );
  const only = el("input", { type: "checkbox", id: "teach-only" });
  const write = () => {
    Object.assign(sent, { what: what.value, only: only.checked });
    const address = all.find(({ kind, name }) => `${kind} ${name}` === sent.what)?.address ?? {};
    const query = new URLSearchParams({ ...address, ...(sent.only ? { only: "1" } : {}), lang: tp.language });
    link.value = `${location.origin}${location.pathname}?${query}`;
    put(copy, TEXT.copy);
  };
  if (sent.what) what.value = sent.what;
  only.checked = sent.only;
  what.addEventListener("change", write);
  only.addEventListener("change", write);
  copy.addEventListener("click", async () => {
    link.select();
    if (await tp.browser.copy(link.value)) put(copy, TEXT.copied);
  });
  write();
  return el(
    "details",
    { class: "teach" },
    el("summary", { text: TEXT.teach }),
    el("p", { text: TEXT.teachHelp }),
    el("div", { class: "choose" }, el("label", { for: "teach-what", text: TEXT.opens }), what),
    el("label", { class: "only" }, only, ` ${TEXT.only}`),
    el("div", { class: "choose" }, link, copy),
  );
}

async function load() {
  root.replaceChildren(
    el("h2", { text: TEXT.title }),
    el("p", { text: TEXT.intro }),
    el("p", { role: "status", text: TEXT.loading }),
  );
  const answer = await call("path", tp.language);
  if (answer.error) return root.replaceChildren(el("p", { role: "alert", text: answer.error }));
  lessons = answer.lessons;
  draw();
}

/** A lesson that is read stands in the place of the list. */
function turn() {
  root.hidden = Boolean(address.read().lesson);
  if (!root.hidden && !lessons.length) load();
}

tp.whenSeen(element, turn);
document.addEventListener(tp.lessons.on.read, turn);
document.addEventListener(tp.lessons.on.progress, () => lessons.length && draw());
addEventListener("popstate", turn);
