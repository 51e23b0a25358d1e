/* Four things to know, shown beside the page on a first visit that no link led to. Nothing waits for it. */
const TOUR = "transformer-playground-tour";
const STOPS = [".jump button:nth-child(2), #start", ".live", "#tabs [role=tablist]:not(.visually-hidden)", "#tab-learn-button"];
const TOUR_TEXT = tp.words({
  en: {
    label: "First visit",
    next: "Next", skip: "Not now", end: "Begin",
    stops: [
      ["Train a Transformer", "Change something in the form, or nothing, and press “Start training”. A small model learns in a minute, here, without a GPU."],
      ["Watch it learn", "The loss falls, samples turn from noise into words, attention forms: live."],
      ["Open it up", "Each tab looks at the same run from another side: what it writes, token by token, what is inside, its tokens, its experts."],
      ["Or be led", "The lessons begin with attention. Each asks you to predict, and lets you find out on this very page."],
    ],
  },
  zh: {
    label: "第一次来",
    next: "下一步", skip: "以后再说", end: "开始",
    stops: [
      ["训练一个 Transformer", "改一点配置，或者什么都不改，然后按“开始训练”。一个小模型一分钟就能学会，不需要 GPU。"],
      ["看它学习", "损失下降，样例从乱码变成词句，注意力逐渐成形：全部实时可见。"],
      ["打开看看", "每个标签页从不同的角度看同一个训练任务：逐个词元的生成、内部结构、词元、专家。"],
      ["或者跟着课程走", "课程从注意力开始。每一课先请你预测，再让你在本页亲手验证。"],
    ],
  },
});

function beginTour() {
  if (tp.browser.recall(TOUR) || tp.url.cameWith()) return;
  let stop = 0;
  const card = el("aside", { class: "tour tp-card", id: "tour", "aria-label": TOUR_TEXT.label });
  const end = () => {
    tp.browser.remember(TOUR, "seen");
    tp.point.stop();
    card.remove();
  };
  const show = () => {
    const [title, text] = TOUR_TEXT.stops[stop];
    const last = stop === STOPS.length - 1;
    card.dataset.stop = stop + 1;
    card.replaceChildren(
      el("p", { class: "where", text: `${TOUR_TEXT.label} · ${stop + 1}/${STOPS.length}` }),
      el("h2", { text: title }),
      el("p", { text }),
      el("div", { class: "buttons" },
        el("button", { type: "button", class: "tp-button quiet", id: "tour-skip", text: TOUR_TEXT.skip, on: { click: end } }),
        el("button", {
          type: "button", class: "tp-button primary", id: "tour-next", text: last ? TOUR_TEXT.end : TOUR_TEXT.next,
          on: { click: () => (last ? end() : ((stop += 1), show())) },
        })),
    );
    tp.point.at(STOPS[stop], { seconds: 3600, block: "nearest" });
  };
  element.append(card);
  show();
}
