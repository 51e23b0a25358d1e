/* The guided path: all lessons in their order and those beside it, and how far each is. */
const { el, put } = tp;
const call = tp.asker(server, () => TEXT.offline);
const root = element.querySelector(".learn");

const TEXT = tp.words({
  en: {
    title: "Learn how Transformers work",
    intro: "Lessons from the ground up. Each has you predict first, then do it on this page, and compares your prediction with your own run.",
    beside: "Beside the path",
    besideIntro: "Each of these stands on its own: take it when you want to know.",
    minutes: (minutes) => `${minutes} min`,
    done: (done, all) => (done === 0 ? "" : done >= all ? "✓ done" : `${done} of ${all} steps done`),
    start: "Begin", again: "Open again", goOn: "Go on",
    teach: "For a class: one link",
    teachHelp: "Whoever opens it is where you want them: in a lesson, at a preset, or at one tab and nothing else.",
    opens: "It opens", lesson: (title) => `the lesson “${title}”`, preset: (title) => `training with “${title}”`, tab: (title) => `the tab “${title}”`,
    kinds: { lesson: "Lessons", preset: "Presets", tab: "Tabs" },
    only: "without the other tabs and without the controls that configure",
    link: "The link", copy: "Copy", copied: "Copied",
    words: "The field's words, in English and Chinese",
    offline: "The page's server does not answer. Is it still running?",
  },
  zh: {
    title: "学习 Transformer 的工作原理",
    intro: "从基础开始的课程。每一课先请你预测，再在本页亲手做一遍，最后用你自己的训练结果检验预测。",
    beside: "路径之外",
    besideIntro: "这里的每一课都可以单独学，想了解时随时打开。",
    minutes: (minutes) => `${minutes} 分钟`,
    done: (done, all) => (done === 0 ? "" : done >= all ? "✓ 已完成" : `已完成 ${done}/${all} 步`),
    start: "开始", again: "再看一遍", goOn: "继续",
    teach: "给班级：一个链接",
    teachHelp: "打开链接的人会直接到你想让他去的地方：某一课、某个预设，或者只有一个标签页。",
    opens: "打开", lesson: (title) => `课程“${title}”`, preset: (title) => `用“${title}”训练`, tab: (title) => `标签页“${title}”`,
    kinds: { lesson: "课程", preset: "预设", tab: "标签页" },
    only: "不显示其他标签页和配置控件",
    link: "链接", copy: "复制", copied: "已复制",
    words: "术语表：英文与中文",
    offline: "页面的服务器没有响应。它还在运行吗？",
  },
});

let lessons = [];

function draw() {
  const beside = lessons.filter((lesson) => lesson.beside);
  root.replaceChildren(
    el("header", {}, el("h2", { text: TEXT.title })),
    el("p", { class: "intro", text: TEXT.intro }),
    el("ol", { class: "path" }, lessons.filter((lesson) => !lesson.beside).map(item)),
    beside.length ? el("h2", { class: "other", text: TEXT.beside }) : "",
    beside.length ? el("p", { class: "intro", text: TEXT.besideIntro }) : "",
    beside.length ? el("ul", { class: "beside" }, beside.map(item)) : "",
  );
  root.append(glossary(), teaching());
  root.dataset.ready = "true";
}

/** One lesson of the list: what it is about, how far it is done, and where it goes on. */
function item({ name, title, goal, minutes, steps, paper }) {
  const done = tp.lessons.progress.done(name);
  const first = Array.from({ length: steps }, (_, i) => i).find((i) => !tp.lessons.progress.read(name)[i]?.done) ?? 0;
  const label = done === 0 ? TEXT.start : done >= steps ? TEXT.again : TEXT.goOn;
  return el(
    "li",
    { class: done >= steps ? "done" : "" },
    el("h3", { text: title }),
    el("p", { text: goal }),
    el("p", { class: "facts" }, el("span", { text: TEXT.minutes(minutes) }), el("span", { text: TEXT.done(done, steps) }), el("cite", { text: paper })),
    el("a", { class: done ? "tp-button" : "tp-button primary", id: `learn-${name}`, href: tp.lessons.address(name, done >= steps ? 0 : first), text: label }),
  );
}

/** The terms of both languages beside each other, for who reads papers in one and thinks in the other. */
function glossary() {
  const pair = ({ en, zh }) => el("div", {}, el("dt", { lang: "en", text: en }), el("dd", { lang: "zh-CN", text: zh }));
  return el("details", { class: "words" }, el("summary", { text: TEXT.words }), el("dl", {}, props.terms.map(pair)));
}

/* ------------------------------------------------------------------ one link for a class */

const sent = { what: "", only: false };

/** Everything that a link can open: [kind, name, title, address]. */
function openings() {
  const tabs = [...document.querySelectorAll("#tabs [role=tablist]:not(.visually-hidden) [role=tab]")];
  return [
    ...lessons.map(({ name, title }) => ["lesson", name, TEXT.lesson(title), { lesson: name, at: 1 }]),
    ...props.presets.map(({ name, title }) => ["preset", name, TEXT.preset(tp.translate(title)), { tab: "train", preset: name }]),
    ...tabs.map((tab) => ["tab", tab.id, TEXT.tab(tab.textContent.trim()), { tab: tab.id.replace(/^tab-|-button$/g, "") }]),
  ];
}

function teaching() {
  const all = openings();
  const link = el("input", { type: "text", id: "teach-link", readonly: true, "aria-label": TEXT.link });
  const copy = el("button", { type: "button", class: "tp-button", id: "teach-copy", text: TEXT.copy });
  const what = el("select", { id: "teach-what" }, Object.entries(TEXT.kinds).map(([kind, label]) =>
    el("optgroup", { label }, all.filter(([each]) => each === kind).map(([, name, title]) => el("option", { value: `${kind} ${name}`, text: title })))));
  const only = el("input", { type: "checkbox", id: "teach-only" });
  const write = () => {
    Object.assign(sent, { what: what.value, only: only.checked });
    const address = all.find(([kind, name]) => `${kind} ${name}` === sent.what)?.[3] ?? {};
    const query = new URLSearchParams({ ...address, ...(sent.only ? { only: 1 } : {}), lang: tp.language });
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
  return el("details", { class: "teach" },
    el("summary", { text: TEXT.teach }),
    el("p", { text: TEXT.teachHelp }),
    el("div", { class: "choose" }, el("label", { for: "teach-what", text: TEXT.opens }), what),
    el("label", { class: "only" }, only, ` ${TEXT.only}`),
    el("div", { class: "choose" }, link, copy));
}

async function load() {
  const answer = await call("path", tp.language);
  if (answer.error) return root.replaceChildren(el("p", { role: "alert", text: answer.error }));
  lessons = answer.lessons;
  draw();
}

tp.whenSeen(element, () => {
  load();
});
document.addEventListener("tp-progress", () => lessons.length && draw());
