/* The controls of the run on the page: pause, one step, stop, again from the start, the learning rate, a fork.
 *
 * `props.run` is its id. The view asks the server how the run is, `props.hz` times a second while it trains, and
 * enables what makes sense. Server: status(run), tell(run, what, value), download(run). Events that lead to
 * another run on the page: "reset" {run}, "fork" {run, step}, "remove" {run}. `props.said` {text} is an answer
 * to one of these.
 */
const TEXT = tp.words({
  en: {
    states: {
      new: "not started", waiting: "waiting", starting: "starting", running: "training", paused: "paused", finished: "finished",
      stopped: "stopped", diverged: "diverged", failed: "failed", interrupted: "interrupted",
    },
    controls: "Control the run",
    pause: "Pause",
    resume: "Resume",
    step: "One step",
    stop: "Stop",
    reset: "Start over",
    resetTitle: "A new run of the same configuration, with the same initial weights, paused before its first step",
    stepTitle: "Make one update, then pause",
    stopTitle: "Save and end; it can be resumed",
    begin: "Start",
    leave: "Leave the queue",
    leaveTitle: "Give up this run's place in the queue; it can be started later",
    waiting: ([place, waiting]) =>
      `Every place to train is taken. This run is ${place} of ${waiting} in the queue and starts by itself. Closing the page gives up its place.`,
    fork: "Fork",
    forkTitle: "Take this checkpoint as the start of another run, and change how it goes on",
    from: "Checkpoint",
    option: (step) => `step ${step.toLocaleString("en")}`,
    rate: "Learning rate",
    rateTitle: "The highest learning rate of the schedule; changes at the next step",
    download: "Download",
    downloadTitle: "The run as a zip: configuration, newest weights, events, and a script that generates",
    remove: "Delete",
    confirm: (name) => `Delete “${name}”? Its weights and its history are gone for good.`,
    keep: "Keep it",
    sure: "Delete it",
    result: "Predicted and measured",
    columns: ["", "predicted", "measured"],
    rows: {
      seconds: ({ steps }) => `Time for ${steps.toLocaleString("en")} ${steps === 1 ? "step" : "steps"}`,
      memory: () => "Memory",
      parameters: () => "Parameters",
    },
  },
  zh: {
    states: {
      new: "未开始", waiting: "排队中", starting: "正在启动", running: "训练中", paused: "已暂停", finished: "已完成",
      stopped: "已停止", diverged: "已发散", failed: "失败", interrupted: "已中断",
    },
    controls: "控制训练任务",
    pause: "暂停",
    resume: "继续",
    step: "走一步",
    stop: "停止",
    reset: "重新开始",
    resetTitle: "用同样的配置和同样的初始权重新开一个训练任务，停在第一步之前",
    stepTitle: "做一次更新，然后暂停",
    stopTitle: "保存并结束；之后可以继续",
    begin: "开始",
    leave: "退出排队",
    leaveTitle: "放弃这个训练任务的排队位置；之后还可以再开始",
    waiting: ([place, waiting]) => `训练位置都满了。这个训练任务排在第 ${place} 位，共 ${waiting} 位，轮到时会自动开始。关闭页面就会放弃位置。`,
    fork: "分叉",
    forkTitle: "以这个检查点为起点，另开一个训练任务，改变它接下来的走法",
    from: "检查点",
    option: (step) => `第 ${step.toLocaleString("en")} 步`,
    rate: "学习率",
    rateTitle: "学习率计划中的最高值；从下一步起生效",
    download: "下载",
    downloadTitle: "把这个训练任务打包成 zip：配置、最新的权重、事件，以及一个生成文本的脚本",
    remove: "删除",
    confirm: (name) => `删除“${name}”？它的权重和历史记录将无法恢复。`,
    keep: "保留",
    sure: "删除",
    result: "预测与实测",
    columns: ["", "预测", "实测"],
    rows: { seconds: ({ steps }) => `${steps.toLocaleString("en")} 步的时间`, memory: () => "内存", parameters: () => "参数" },
  },
});
const RATES = [1e-5, 3e-5, 1e-4, 3e-4, 6e-4, 1e-3, 2e-3, 3e-3, 6e-3, 1e-2, 3e-2];

const { el, number } = tp;
const root = element.querySelector(".transport");
let status = null;
let expecting = 0;

const button = (name, action, classes = "") =>
  el("button", {
    type: "button", id: name, class: `tp-button ${classes}`, text: TEXT[name], title: TEXT[`${name}Title`], disabled: true,
    on: { click: action },
  });
const toggle = button("pause", () => tell(status.state === "paused" || !status.alive ? "resume" : "pause"));
const step = button("step", () => tell("step", 1));
const stop = button("stop", () => tell("stop"));
const reset = button("reset", () => trigger("reset", { run: props.run }));
const download = button("download", fetchZip, "quiet");
const remove = button("remove", () => dialog.showModal(), "quiet");
const forkStep = el("select", { id: "fork-step", "aria-label": TEXT.from });
const fork = button("fork", () => trigger("fork", { run: props.run, step: Number(forkStep.value) }));

const rateSlider = el("input", { type: "range", class: "slider", id: "rate-slider", min: 0, max: RATES.length - 1, step: 1, "aria-label": TEXT.rate });
const rateBox = el("input", { type: "text", inputmode: "decimal", class: "typed", id: "rate", "aria-label": TEXT.rate });
rateSlider.addEventListener("input", () => {
  rateBox.value = spell(RATES[rateSlider.value]);
  fill();
});
rateSlider.addEventListener("change", () => changeRate(RATES[rateSlider.value]));
rateBox.addEventListener("change", () => changeRate(Number(rateBox.value.replace(",", "."))));
const rate = el("div", { class: "rate", title: TEXT.rateTitle }, el("label", { for: "rate", text: TEXT.rate }), rateSlider, rateBox);

const message = el("p", { class: "message", role: "status" });
const result = el("table", { class: "result" });
const question = el("p");
const dialog = el(
  "dialog",
  { class: "ask" },
  question,
  el("form", { method: "dialog" },
    el("button", { class: "tp-button", text: TEXT.keep }),
    el("button", { class: "tp-button danger", id: "remove-sure", text: TEXT.sure, on: { click: () => trigger("remove", { run: props.run }) } })),
);

root.append(
  el("div", { class: "line" },
    el("div", { class: "buttons", role: "group", "aria-label": TEXT.controls }, toggle, step, stop, reset),
    el("div", { class: "fork" }, forkStep, fork),
    el("div", { class: "aside" }, download, remove)),
  rate,
  message,
  result,
  dialog,
);

/* ---------------------------------------------------------------- telling */

async function tell(what, wanted = null) {
  const answer = await server.tell(props.run, what, wanted);
  say(answer.error ?? "");
  expecting = performance.now() + 2000; // look often until it has obeyed
  asking.now();
}

function changeRate(wanted) {
  if (!(wanted > 0)) {
    rateBox.value = spell(status.rate);
    return;
  }
  tell("change", wanted);
}

async function fetchZip() {
  download.disabled = true;
  const answer = await server.download(props.run);
  download.disabled = false;
  if (answer.error) return say(answer.error);
  const link = el("a", { href: answer.url, download: answer.name });
  document.body.append(link);
  link.click();
  link.remove();
}

function say(sentence) {
  message.textContent = sentence;
  message.hidden = sentence === "";
}

/* ---------------------------------------------------------------- drawing */

const spell = (value) => (value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential().replace("+", "") : String(value));
const SPELL = { seconds: tp.duration, memory: tp.size, parameters: (value) => value.toLocaleString("en") };

function fill() {
  rateSlider.style.setProperty("--filled", `${(100 * rateSlider.value) / (RATES.length - 1)}%`);
}

function show() {
  const { state: now, alive } = status;
  root.dataset.state = now;
  root.dataset.step = status.step;
  root.dataset.shown = status.id;
  const paused = now === "paused";
  const waits = now === "waiting";
  const again = !alive && !waits && status.resumable;
  toggle.textContent = again && now === "new" ? TEXT.begin : paused || again ? TEXT.resume : TEXT.pause;
  toggle.classList.toggle("primary", paused || again);
  toggle.disabled = !(alive ? now === "running" || paused : again);
  step.disabled = !(now === "running" || paused);
  stop.disabled = !alive && !waits;
  stop.textContent = waits ? TEXT.leave : TEXT.stop;
  stop.title = waits ? TEXT.leaveTitle : TEXT.stopTitle;
  reset.disabled = now === "starting";
  toggle.hidden = !alive && !again;
  step.hidden = !alive;
  stop.hidden = !alive && !waits;
  if (waits) say(TEXT.waiting(status.place));
  root.dataset.place = waits ? status.place.join("/") : "";
  remove.hidden = status.shipped;
  remove.disabled = alive;
  question.textContent = TEXT.confirm(status.name);
  download.disabled = status.checkpoints.length === 0;
  drawForks();
  rate.hidden = !alive;
  if (document.activeElement !== rateBox && !rateSlider.matches(":active")) {
    rateBox.value = spell(status.rate);
    rateSlider.value = RATES.reduce((best, value, i) => (Math.abs(Math.log(value / status.rate)) < Math.abs(Math.log(RATES[best] / status.rate)) ? i : best), 0);
    fill();
  }
  root.dataset.rate = status.rate;
  drawResult();
}

function drawForks() {
  const steps = status.checkpoints;
  fork.disabled = forkStep.disabled = steps.length === 0;
  if (forkStep.dataset.steps === String(steps)) return;
  const newest = forkStep.selectedIndex === forkStep.length - 1;
  const before = forkStep.value;
  forkStep.replaceChildren(...steps.map((value) => el("option", { value, text: TEXT.option(value) })));
  forkStep.dataset.steps = String(steps);
  forkStep.value = newest || !steps.includes(Number(before)) ? (steps.at(-1) ?? "") : before;
}

function drawResult() {
  const { predicted, measured } = status;
  result.hidden = !predicted || !measured;
  if (result.hidden) return;
  const cell = (name, values) => (values[name] === null || values[name] === undefined ? "–" : SPELL[name](values[name]));
  result.replaceChildren(
    el("caption", { text: TEXT.result }),
    el("thead", {}, el("tr", {}, TEXT.columns.map((text) => el("th", { scope: "col", text })))),
    el("tbody", {}, Object.entries(TEXT.rows).map(([name, title]) =>
      el("tr", {}, el("th", { scope: "row", text: title(measured) }), el("td", { text: cell(name, predicted) }), el("td", { text: cell(name, measured) })))),
  );
}

/* ---------------------------------------------------------------- asking */

let last = 0;
const asking = tp.poll(
  async () => {
    const quiet = status && !status.alive && performance.now() > expecting;
    if (!props.run || (quiet && performance.now() - last < 1500)) return;
    last = performance.now();
    const run = props.run;
    const answer = await server.status(run);
    if (run !== props.run) return;
    if (answer.error) return say(answer.error);
    const before = status;
    status = answer;
    if (before && before.id === status.id && before.state !== status.state) {
      tp.say(tp.named(status.name, TEXT.states[status.state]));
      if (status.reason && !status.alive) say(status.reason);
      else if (status.state !== "failed") say("");
    }
    if ((!before || before.id !== status.id) && !status.alive) say(status.reason ?? "");
    show();
  },
  { hz: props.hz ?? 4, hidden_hz: 0.5, element },
);
watch("run", () => {
  say("");
  const below = element.getBoundingClientRect().top < 0; // the form is below the curves on a narrow page
  if (status && below) element.scrollIntoView({ block: "start", behavior: "smooth" });
  status = null;
  expecting = performance.now() + 3000;
  asking.now();
});
watch("said", () => say(tp.translate(props.said.text)));
