/* Help: the tour, the lessons, the dashboard where it runs, and all of the page's keys, which work everywhere but in a
 * field. */
const KEYS = tp.words({
  en: {
    open: "Help",
    close: "Close",
    tour: "Show me around",
    learn: "Begin with lesson 1",
    dashboard: "Dashboard: all runs beside one another",
    keys: "Keys",
    groups: [
      {
        title: "Everywhere",
        keys: [
          ["1 … 9", "the tabs, from left to right; not within a lesson"],
          ["s", "start training, in the tab “Train”"],
          ["p", "pause or resume the run"],
          ["t", "light or dark"],
          ["?", "this help"],
        ],
      },
      {
        title: "Curves, when they have the focus",
        keys: [
          ["← →", "read the values, step by step"],
          ["Esc", "show all again"],
        ],
      },
      {
        title: "Generate, when the text has the focus",
        keys: [
          ["→", "one token more"],
          ["←", "one token back"],
          ["space", "play or pause"],
          ["Home", "start again"],
        ],
      },
      { title: "Any slider over training", keys: [["← →", "one checkpoint back or on"]] },
    ],
  },
  zh: {
    open: "帮助",
    close: "关闭",
    tour: "带我看一圈",
    learn: "从第一课开始",
    dashboard: "看板：把所有训练任务放在一起比较",
    keys: "快捷键",
    groups: [
      {
        title: "任何地方",
        keys: [
          ["1 … 9", "从左到右的各个标签页；读课文时除外"],
          ["s", "开始训练（在“训练”标签页）"],
          ["p", "暂停或继续训练"],
          ["t", "浅色或深色"],
          ["?", "本帮助"],
        ],
      },
      {
        title: "曲线（选中时）",
        keys: [
          ["← →", "逐步读取数值"],
          ["Esc", "重新显示全部"],
        ],
      },
      {
        title: "生成（选中文本时）",
        keys: [
          ["→", "再写一个词元"],
          ["←", "退回一个词元"],
          ["空格", "播放或暂停"],
          ["Home", "从头开始"],
        ],
      },
      { title: "所有训练过程的滑块", keys: [["← →", "前一个或后一个检查点"]] },
    ],
  },
});

/** The button that opens the sheet, and the sheet; from now on the keys are heard. */
function keySheet() {
  const dashboard = el("a", {
    class: "tp-button",
    id: "help-dashboard",
    target: "_blank",
    text: KEYS.dashboard,
    hidden: true,
  });
  const sheet = el("dialog", { class: "keys", id: "keys", "aria-label": KEYS.open }, [
    el("h2", { text: KEYS.open }),
    el("div", { class: "ways" }, [
      tp.button(KEYS.tour, { class: "tp-button", id: "tour-begin" }, around),
      el("a", { class: "tp-button", id: "help-learn", href: tp.lessons.address(FIRST_LESSON), text: KEYS.learn }),
      dashboard,
    ]),
    el("h2", { text: KEYS.keys }),
    KEYS.groups.map(({ title, keys }) => [
      el("h3", { text: title }),
      el("dl", {}, [
        keys.map(([key, does]) => el("div", {}, el("dt", {}, el("kbd", { text: key })), el("dd", { text: does }))),
      ]),
    ]),
    el("form", { method: "dialog" }, el("button", { class: "tp-button", text: KEYS.close })),
  ]);
  const help = tp.button("?", { class: "theme", id: "keys-open", title: KEYS.open, "aria-label": KEYS.open }, open);
  document.addEventListener("keydown", (event) => {
    const focused = event.target instanceof Element ? event.target : null;
    const writing = focused?.closest("input, textarea, select, [contenteditable], dialog[open]");
    if (writing || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    /** @type {NodeListOf<HTMLElement>} */
    const tabs = document.querySelectorAll("#tabs [role=tablist]:not(.visually-hidden) [role=tab]");
    const tab = tabs[Number(event.key) - 1];
    const reading = document.querySelector(".reading[data-ready]"); // a lesson: there, a digit is an answer
    /** @type {HTMLElement | null} */
    const pause = document.querySelector(".transport #pause:enabled");
    /** @type {HTMLElement | null} */
    const start = document.querySelector("#start:enabled");
    if (event.key === "?") open();
    else if (event.key === "s" && start?.checkVisibility()) start.click();
    else if (event.key === "t") flip();
    else if (event.key === "p" && pause) pause.click();
    else if (tab && !reading?.checkVisibility()) tab.click();
    else return;
    event.preventDefault();
  });
  async function open() {
    sheet.showModal();
    const told = await server.neighbour();
    dashboard.hidden = !told.dashboard;
    if (told.dashboard) dashboard.href = `${told.dashboard}?lang=${tp.language}`;
  }
  function around() {
    sheet.close();
    beginTour();
  }
  return [help, sheet];
}
