/* Four things to know about the tab Train and the others, shown beside the page to who asks for it in "?". Its end
 * begins the first lesson. */
const FIRST_LESSON = "guess";
const STOPS = [
  ".jump button:nth-child(2), #start",
  ".live",
  "#tabs [role=tablist]:not(.visually-hidden)",
  "#tab-learn-button",
];
const TOUR_TEXT = tp.words({
  en: {
    label: "A short tour",
    next: "Next",
    skip: "Not now",
    end: "Begin lesson 1",
    stops: [
      [
        "Train a Transformer",
        "Choose what to learn and a size, or leave both as they are, and press “Start training”. Each size says " +
          "about how long it takes on this machine. Whatever else can be set is behind “All settings”.",
      ],
      [
        "Watch it learn",
        "What it writes turns from noise into words, and words into sentences. The loss falls, and attention takes " +
          "shape, as it happens.",
      ],
      [
        "Open it up",
        "“Generate” shows every guess for the next token, “Look inside” what each head looks back at. The other " +
          "tabs open one more part each.",
      ],
      [
        "Or be led",
        "The lessons begin with a game: guess the next letter. Each asks you to predict, and lets you find out on " +
          "this page.",
      ],
    ],
  },
  zh: {
    label: "快速导览",
    next: "下一步",
    skip: "以后再说",
    end: "开始第一课",
    stops: [
      [
        "训练一个 Transformer",
        "选要学的内容和大小，或者都不改，然后按“开始训练”。每个大小都写着在这台机器上大约要多久。其余的都在“全部设置”里。",
      ],
      ["看它学习", "它写的内容从乱码变成词，再变成句子；损失下降，注意力成形：全部实时可见。"],
      ["打开看看", "“生成”显示对下一个词元的所有猜测，“看内部”显示每个头回头看哪里。其他标签页各打开一个部分。"],
      ["或者跟着课程走", "课程从一个游戏开始：猜下一个字。每一课先请你预测，再让你在本页亲手验证。"],
    ],
  },
});

function beginTour() {
  if (document.getElementById("tour")) return;
  tp.tabs.open("train");
  let stop = 0;
  const card = el("aside", { class: "tour tp-card", id: "tour", "aria-label": TOUR_TEXT.label });
  const end = () => {
    tp.point.stop();
    card.remove();
  };
  card.addEventListener("keydown", ({ key }) => key === "Escape" && end());
  const forward = () => {
    stop += 1;
    show();
  };
  const show = () => {
    const [title, text] = TOUR_TEXT.stops[stop];
    const last = stop === STOPS.length - 1;
    card.dataset.stop = String(stop + 1);
    card.replaceChildren(
      el("p", { class: "where", text: `${TOUR_TEXT.label} · ${stop + 1}/${STOPS.length}` }),
      el("h2", { text: title }),
      el("p", { text }),
      el("div", { class: "buttons" }, [
        tp.button(TOUR_TEXT.skip, { class: "tp-button quiet", id: "tour-skip" }, end),
        last
          ? el("a", {
              class: "tp-button primary",
              id: "tour-next",
              href: tp.lessons.address(FIRST_LESSON),
              text: TOUR_TEXT.end,
              on: { click: end },
            })
          : tp.button(TOUR_TEXT.next, { class: "tp-button primary", id: "tour-next" }, forward),
      ]),
    );
    const onwards = /** @type {HTMLElement | null} */ (card.querySelector("#tour-next"));
    onwards?.focus({ preventScroll: true });
    tp.point.at(STOPS[stop], { seconds: 3600, block: "nearest" });
  };
  element.append(card);
  show();
}
