/* The guided path: all lessons in their order, and how far each is. */
const { el, put } = tp;
const call = tp.asker(server, () => TEXT.offline);
const root = element.querySelector(".learn");

const TEXT = tp.words({
  en: {
    title: "Learn how Transformers work",
    intro: "Lessons from the ground up. Each has you predict first, then do it on this page, and compares your prediction with your own run.",
    minutes: (minutes) => `${minutes} min`,
    done: (done, all) => (done === 0 ? "" : done >= all ? "✓ done" : `${done} of ${all} steps done`),
    start: "Begin", again: "Open again", goOn: "Go on",
    offline: "The page's server does not answer. Is it still running?",
  },
  zh: {
    title: "学习 Transformer 的工作原理",
    intro: "从基础开始的课程。每一课先请你预测，再在本页亲手做一遍，最后用你自己的训练结果检验预测。",
    minutes: (minutes) => `${minutes} 分钟`,
    done: (done, all) => (done === 0 ? "" : done >= all ? "✓ 已完成" : `已完成 ${done}/${all} 步`),
    start: "开始", again: "再看一遍", goOn: "继续",
    offline: "页面的服务器没有响应。它还在运行吗？",
  },
});

let lessons = [];

function draw() {
  root.replaceChildren(
    el("header", {}, el("h2", { text: TEXT.title })),
    el("p", { class: "intro", text: TEXT.intro }),
    el(
      "ol",
      {},
      lessons.map(({ name, title, goal, minutes, steps, paper }) => {
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
      }),
    ),
  );
  root.dataset.ready = "true";
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
