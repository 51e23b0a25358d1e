/* The guided path: all lessons in their order and those beside it, how far each is, and the language they are read in. */
const { el, put } = tp;
const call = tp.asker(server, () => TEXT[lang()].offline);
const lang = tp.lessons.language;
const root = element.querySelector(".learn");

const TEXT = {
  en: {
    title: "Learn how Transformers work",
    intro: "Lessons from the ground up. Each has you predict first, then do it on this page, and compares your prediction with your own run.",
    beside: "Beside the path",
    besideIntro: "Each of these stands on its own: take it when you want to know.",
    minutes: (minutes) => `${minutes} min`,
    done: (done, all) => (done === 0 ? "" : done >= all ? "✓ done" : `${done} of ${all} steps done`),
    start: "Begin", again: "Open again", goOn: "Go on",
    other: "中文", otherTitle: "用中文阅读",
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
    other: "English", otherTitle: "Read in English",
    offline: "页面的服务器没有响应。它还在运行吗？",
  },
};

let lessons = [];

function draw() {
  const text = TEXT[lang()];
  const other = el("button", { type: "button", id: "learn-language", class: "tp-button quiet", text: text.other, title: text.otherTitle, on: { click: turn } });
  const beside = lessons.filter((lesson) => lesson.beside);
  root.lang = lang();
  root.replaceChildren(
    el("header", {}, el("h2", { text: text.title }), other),
    el("p", { class: "intro", text: text.intro }),
    el("ol", { class: "path" }, lessons.filter((lesson) => !lesson.beside).map(item)),
    beside.length ? el("h2", { class: "other", text: text.beside }) : "",
    beside.length ? el("p", { class: "intro", text: text.besideIntro }) : "",
    beside.length ? el("ul", { class: "beside" }, beside.map(item)) : "",
  );
  root.dataset.ready = "true";
  root.dataset.language = lang();
}

/** One lesson of the list: what it is about, how far it is done, and where it goes on. */
function item({ name, title, goal, minutes, steps, paper }) {
  const text = TEXT[lang()];
  const done = tp.lessons.progress.done(name);
  const first = Array.from({ length: steps }, (_, i) => i).find((i) => !tp.lessons.progress.read(name)[i]?.done) ?? 0;
  const label = done === 0 ? text.start : done >= steps ? text.again : text.goOn;
  return el(
    "li",
    { class: done >= steps ? "done" : "" },
    el("h3", { text: title }),
    el("p", { text: goal }),
    el("p", { class: "facts" }, el("span", { text: text.minutes(minutes) }), el("span", { text: text.done(done, steps) }), el("cite", { text: paper })),
    el("a", { class: done ? "tp-button" : "tp-button primary", id: `learn-${name}`, href: tp.lessons.address(name, done >= steps ? 0 : first), text: label }),
  );
}

function turn() {
  tp.url.set({ lang: lang() === "zh" ? "en" : "zh" });
  load();
  document.dispatchEvent(new CustomEvent("tp-language"));
}

async function load() {
  const answer = await call("path", lang());
  if (answer.error) return root.replaceChildren(el("p", { role: "alert", text: answer.error }));
  lessons = answer.lessons;
  draw();
}

tp.whenSeen(element, () => {
  load();
});
document.addEventListener("tp-progress", () => lessons.length && draw());
