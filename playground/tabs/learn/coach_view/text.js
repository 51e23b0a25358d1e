/* What the coach says itself; a lesson's own words come from its file. */
const TEXT = tp.words({
  en: {
    show: "Show me",
    back: "Back to the lesson",
    close: "Close the lesson",
    fold: "Fold",
    unfold: "Unfold",
    until: "Not done yet. The page notices when you have done it.",
    did: "Done.",
    shown: "What this section is about is in view now, with a ring around it.",
    offline: "The page's server does not answer. Is it still running?",
  },
  zh: {
    show: "带我去看",
    back: "回到课文",
    close: "关闭本课",
    fold: "收起",
    unfold: "展开",
    until: "还没有做完。做完时，页面会自己发现。",
    did: "完成了。",
    shown: "这一节要看的内容已经在屏幕上，四周有一圈标记。",
    offline: "页面的服务器没有响应。它还在运行吗？",
  },
});
