/* Keys that work everywhere but in a field, and the sheet that lists all of the page's keys. */
const KEYS = tp.words({
  en: {
    open: "Keys of this page",
    close: "Close",
    groups: [
      ["Everywhere", [["1 … 7", "the tabs, from left to right"], ["p", "pause or resume the run"], ["t", "light or dark"], ["?", "this list"]]],
      ["Curves, when they have the focus", [["← →", "read the values, step by step"], ["Esc", "show all again"]]],
      ["Generate, when the text has the focus", [["→", "one token more"], ["←", "one token back"], ["space", "play or pause"], ["Home", "start again"]]],
      ["Any slider over training", [["← →", "one checkpoint back or on"]]],
    ],
  },
  zh: {
    open: "本页的快捷键",
    close: "关闭",
    groups: [
      ["任何地方", [["1 … 7", "从左到右的各个标签页"], ["p", "暂停或继续训练"], ["t", "浅色或深色"], ["?", "这张表"]]],
      ["曲线（选中时）", [["← →", "逐步读取数值"], ["Esc", "重新显示全部"]]],
      ["生成（选中文本时）", [["→", "再写一个词元"], ["←", "退回一个词元"], ["空格", "播放或暂停"], ["Home", "从头开始"]]],
      ["所有训练过程的滑块", [["← →", "前一个或后一个检查点"]]],
    ],
  },
});

/** The button that opens the sheet, and the sheet; from now on the keys are heard. */
function keySheet() {
  const sheet = el(
    "dialog",
    { class: "keys", id: "keys", "aria-label": KEYS.open },
    el("h2", { text: KEYS.open }),
    KEYS.groups.map(([title, keys]) => [
      el("h3", { text: title }),
      el("dl", {}, keys.map(([key, does]) => el("div", {}, el("dt", {}, el("kbd", { text: key })), el("dd", { text: does })))),
    ]),
    el("form", { method: "dialog" }, el("button", { class: "tp-button", text: KEYS.close })),
  );
  const help = el("button", {
    type: "button", class: "theme", id: "keys-open", text: "?", title: KEYS.open, "aria-label": KEYS.open, on: { click: () => sheet.showModal() },
  });
  document.addEventListener("keydown", (event) => {
    const writing = event.target.closest?.("input, textarea, select, [contenteditable], dialog[open]");
    if (writing || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const tab = document.querySelectorAll("#tabs [role=tablist]:not(.visually-hidden) [role=tab]")[Number(event.key) - 1];
    const pause = document.querySelector(".transport #pause:enabled");
    if (event.key === "?") sheet.showModal();
    else if (event.key === "t") flip();
    else if (event.key === "p" && pause) pause.click();
    else if (tab) tab.click();
    else return;
    event.preventDefault();
  });
  return [help, sheet];
}
