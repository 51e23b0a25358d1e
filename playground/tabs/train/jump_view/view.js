/* On a narrow page the parts of the tab Train lie below each other; these buttons go to them. */
const TEXT = tp.words({
  en: { label: "Parts of this page", parts: { configure: "Choose", live: "Learning", picture: "Model" } },
  zh: { label: "本页的各部分", parts: { configure: "选择", live: "学习过程", picture: "模型" } },
});

const root = element.querySelector(".jump");
root.setAttribute("aria-label", TEXT.label);
for (const [part, text] of Object.entries(TEXT.parts)) {
  const go = () => document.getElementById(`${part}-column`)?.scrollIntoView({ block: "start" });
  root.append(tp.button(text, {}, go));
}
