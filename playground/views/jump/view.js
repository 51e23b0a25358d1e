/* On a narrow page the parts of the tab Train lie below each other; these buttons go to them. */
const TEXT = { label: "Parts of this page", live: "Learning", configure: "Configure", picture: "Model" };

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
