/* Predictions and experiments of lessons, for the page on which a lesson is read and for the coach beside a tab.
 *
 *   lessons.asking(page, at)        the step whose answers the result of step `at` decides: itself, one before, or null
 *   lessons.prediction(page, at)    the question of a step: {node, draw}; what is chosen is kept in `progress`
 *   lessons.judge(call, page, at)   ask how the experiment stands; keeps what it came to. Null if it measures nothing
 *   lessons.verdict(page, at, state)   what to say of it, as nodes: the state, or the result beside the prediction
 */
(() => {
  "use strict";

  const { el, lessons, fixed, memory, language } = window.tp;
  const { progress } = lessons;

  const TEXT = window.tp.words({
    en: {
      predict: "Predict:",
      none: "Start the run, and its result is compared with your prediction.",
      unseen: "Do it on the page, and the result is compared with your prediction.",
      /** @type {(step: number, total: number) => string} */
      training: (step, total) => `Your run trains: step ${step} of ${total}.`,
      /** @type {{[measure: string]: (value: number) => string}} */
      value: {
        accuracy: (v) => `${Math.round(100 * v)}% were right`,
        loss: (v) => `a validation loss of ${v.toFixed(2)}`,
        bits: (v) => `${v.toFixed(2)} bits a character`,
        idle: (v) => (v === 1 ? "1 expert was idle" : `${v} experts were idle`),
        saved: (v) => `the cache saved ${Math.round(100 * v)}% of the arithmetic`,
        gain: (v) => `Muon ended ${fixed(v, 2)} nats lower`,
        directions: (v) => `${Math.round(100 * v)}% of the directions share the step`,
        sharpness: (v) => `a sharpness of ${Math.round(100 * v)}%`,
        finished: (v) => (v ? "it came to its last step" : "it diverged before its last step"),
      },
      own: (/** @type {string} */ value) => `Your result: ${value}.`,
      stored: (/** @type {string} */ value) => `Stored run, seed 0: ${value}.`,
      watching: "A stored run is played. When it has come to its end, it is compared with your prediction.",
      diverged: "Your run diverged: its loss is no longer a number.",
      hit: "Just as you predicted.",
      /** @type {(predicted: string, right: string) => string} */
      missed: (predicted, right) => `You predicted “${predicted}”. Right is “${right}”.`,
      chosen: "your prediction",
      right: "what happened",
    },
    zh: {
      predict: "先预测：",
      none: "开始训练，结果会和你的预测作比较。",
      unseen: "在页面上做完，结果会和你的预测作比较。",
      training: (step, total) => `正在训练：第 ${step} 步，共 ${total} 步。`,
      value: {
        accuracy: (v) => `答对了 ${Math.round(100 * v)}%`,
        loss: (v) => `验证损失为 ${v.toFixed(2)}`,
        bits: (v) => `每个字符 ${v.toFixed(2)} 比特`,
        idle: (v) => `有 ${v} 个专家闲置`,
        saved: (v) => `缓存省下了 ${Math.round(100 * v)}% 的计算`,
        gain: (v) => `Muon 最终低 ${fixed(v, 2)} 奈特`,
        directions: (v) => `${Math.round(100 * v)}% 的方向分担这一步`,
        sharpness: (v) => `集中度为 ${Math.round(100 * v)}%`,
        finished: (v) => (v ? "训练到了最后一步" : "没到最后一步就发散了"),
      },
      own: (value) => `你的结果：${value}。`,
      stored: (value) => `预先存好的训练，种子 0：${value}。`,
      watching: "正在播放一次预先存好的训练。播放到结尾时，会和你的预测作比较。",
      diverged: "你的训练发散了：损失不再是一个数。",
      hit: "和你预测的一样。",
      missed: (predicted, right) => `你预测的是“${predicted}”，正确的是“${right}”。`,
      chosen: "你的预测",
      right: "实际结果",
    },
  });

  /** @type {Tp["lessons"]["asking"]} */
  const asking = ({ steps }, at) =>
    steps[at].options.length ? at : at > 0 && steps[at - 1].options.length ? at - 1 : null;

  /** What the experiment came to that decides a question, or null: the question's own, or that of the next step.
   *
   * @param {Answers.LessonPage} page @param {number} at */
  const decided = (page, at) => {
    const known = progress.read(page.name);
    const next = page.steps[at + 1];
    return known[at]?.result ?? (next?.measure && !next.options.length ? known[at + 1]?.result : null) ?? null;
  };

  /** @type {Tp["lessons"]["prediction"]} */
  function prediction(page, at) {
    const { predict, options } = page.steps[at];
    const choose = (/** @type {number} */ i) => {
      progress.set(page.name, at, { predicted: i });
      draw();
      node.dispatchEvent(new CustomEvent("tp-solved", { bubbles: true }));
    };
    const buttons = options.map(({ text }, i) =>
      el("button", { type: "button", class: "option", "data-option": i, on: { click: () => choose(i) } }, [
        el("span", { text }),
        el("small"),
      ]),
    );
    const node = el("section", { class: "tp-question", "data-question": "predict" }, [
      el("p", { class: "ask" }, el("b", { text: `${TEXT.predict} ` }), predict),
      el("div", { role: "group", "aria-label": predict }, buttons),
    ]);

    /** Once it is decided, a prediction stays as it is; who has made none may still say what they think. */
    function draw() {
      const mine = progress.read(page.name)[at]?.predicted ?? null;
      const result = decided(page, at);
      buttons.forEach((button, i) => {
        const [chosen, right] = [mine === i, result !== null && result.right === i];
        button.setAttribute("aria-pressed", String(chosen));
        button.disabled = mine !== null && result !== null;
        button.classList.toggle("good", right && mine !== null);
        button.classList.toggle("bad", chosen && result !== null && result.right !== null && !right);
        const said = result === null || mine === null ? [] : [chosen ? TEXT.chosen : "", right ? TEXT.right : ""];
        window.tp.put(/** @type {Element} */ (button.lastElementChild), said.filter(Boolean).join(" · "));
      });
      if (mine !== null) node.dataset.solved = "true";
    }

    draw();
    return { node, draw };
  }

  /** What the page itself has measured for a step, once it is done there; else null.
   *
   * @param {Answers.LessonStep} step */
  function seen({ seen: selector, until, measure }) {
    /** @type {HTMLElement | null} */
    const node = selector && document.querySelector(until) ? document.querySelector(selector) : null;
    return node ? Number(node.dataset[measure]) : null;
  }

  /** How the stored run of a step stands on the tab Train: null, "playing" or "over".
   *
   * @param {Answers.LessonStep} step */
  function played({ stored }) {
    /** @type {HTMLElement | null} */
    const live = stored ? document.querySelector(`.live[data-run="${stored}"]`) : null;
    return live ? (window.tp.states[live.dataset.status ?? ""]?.over ? "over" : "playing") : null;
  }

  /** @type {Tp["lessons"]["judge"]} */
  async function judge(call, page, at) {
    const step = page.steps[at];
    if (!step.measure) return null;
    const plays = document.body.dataset.tab === "train" ? played(step) : null;
    if (plays === "playing") return { state: "watching" };
    const runs = plays && step.stored ? [step.stored] : memory.read().runs;
    const state = await call("check", page.name, language, at, runs, seen(step));
    if (state.error) return null;
    const known = progress.read(page.name)[at]?.result;
    if (state.state === "over" && (!plays || !known || known.stored)) keep(page, at, state, plays !== null);
    return state;
  }

  /** A run of one's own counts more than a stored one.
   *
   * @param {Answers.LessonPage} page @param {number} at @param {Answers.StepResult} state @param {boolean} stored */
  function keep(page, at, { value = null, right = null, measure, run }, stored) {
    const result = { value, right, measure: measure ?? "", run: run ?? null, stored };
    if (JSON.stringify(progress.read(page.name)[at]?.result) !== JSON.stringify(result))
      progress.set(page.name, at, { result });
  }

  /** @type {Tp["lessons"]["verdict"]} */
  function verdict(page, at, state) {
    const step = page.steps[at];
    if (state?.state === "training") return [TEXT.training(state.step ?? 0, state.total ?? 0)];
    if (state?.state === "watching") return [TEXT.watching];
    const result = progress.read(page.name)[at]?.result;
    if (!result) return [step.seen ? TEXT.unseen : TEXT.none];
    if (result.value === null) return [TEXT.diverged];
    const value = (result.stored ? TEXT.stored : TEXT.own)(TEXT.value[result.measure](result.value));
    const asked = asking(page, at);
    const mine = asked === null ? null : (progress.read(page.name)[asked]?.predicted ?? null);
    if (asked === null || mine === null || result.right === null) return [value];
    const { options } = page.steps[asked];
    const hit = mine === result.right;
    const { why } = options[mine];
    return [
      el("span", {}, [
        value,
        " ",
        hit ? el("b", { text: TEXT.hit }) : TEXT.missed(options[mine].text, options[result.right].text),
      ]),
      ...(why.length ? [el("span", { class: "why" }, lessons.spans(why))] : []),
    ];
  }

  /** What an experiment came to, in words. @type {Tp["lessons"]["came"]} */
  const came = ({ measure, value }) =>
    value === null ? TEXT.diverged : (TEXT.value[measure]?.(value) ?? String(value));

  Object.assign(lessons, { asking, prediction, judge, verdict, came });
})();
