/* On a narrow page the parts of the tab Train lie below each other; these buttons go to them. */
const TEXT = tp.words({
  en: { label: "Parts of this page", live: "Learning", configure: "Configure", picture: "Model" },
  zh: { label: "本页的各部分", live: "学习过程", configure: "配置", picture: "模型" },
});

element.querySelector(".jump").setAttribute("aria-label", TEXT.label);
element.querySelector(".jump").append(
  ...["live", "configure", "picture"].map((part) =>
    tp.el("button", {
      type: "button",
      text: TEXT[part],
      on: { click: () => document.getElementById(`${part}-column`).scrollIntoView({ block: "start" }) },
    }),
  ),
);
