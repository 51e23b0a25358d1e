/* The controls of the run on the page: pause, one step, stop, again from the start, the learning rate, a fork.
 *
 * `props.run` is its id. The view asks the server how the run is, `props.hz` times a second while it trains, and
 * enables what makes sense. Server: status(run), send_command(run, what, value), download(run), going(ids), halt(run).
 * Events that lead to another run on the page: "reset" {run, own}, "fork" {run, step}, "remove" {run}. `props.said`
 * {text} is an answer to one of these. A run that is neither shipped nor this browser's own came by a link, and is only
 * looked at.
 */
const TEXT = tp.words({
  en: {
    controls: "Control the run",
    pause: "Pause",
    resume: "Resume",
    step: "One step",
    stop: "Stop",
    reset: "Start over",
    resetTitle: "Trains a new run of the same configuration at once, with the same initial weights; this one is kept",
    guest: "Somebody shared this run with you. You can look at everything and fork it, and not change it.",
    stepTitle: "Make one update, then pause",
    stopTitle: "Save and end; it can be resumed",
    begin: "Start",
    leave: "Leave the queue",
    leaveTitle: "Give up this run's place in the queue; it can be started later",
    waiting: (/** @type {[number, number]} */ [place, waiting]) =>
      `Every place to train is taken. This run is ${place} of ${waiting} in the queue and starts by itself. Closing ` +
      "the page gives up its place.",
    fork: "Fork…",
    forkTitle:
      "Prepares a new run that continues from this checkpoint: in the form you say what is different, and start it",
    from: "Checkpoint",
    option: (/** @type {number} */ step) => `step ${step.toLocaleString("en")}`,
    rate: "Learning rate",
    rateTitle: "The highest learning rate of the schedule; changes at the next step",
    download: "Download",
    downloadTitle: "The run as a zip: configuration, newest weights, events, and a script that generates",
    remove: "Delete",
    result: "Predicted and measured",
    columns: ["", "predicted", "measured"],
    rows: {
      seconds: (/** @type {Answers.Measured} */ { steps }) =>
        `Time for ${steps.toLocaleString("en")} ${steps === 1 ? "step" : "steps"}`,
      memory: () => "Memory",
      parameters: () => "Parameters",
    },
  },
  zh: {
    controls: "控制训练任务",
    pause: "暂停",
    resume: "继续",
    step: "走一步",
    stop: "停止",
    reset: "重新开始",
    resetTitle: "立刻用同样的配置和同样的初始权重训练一个新任务；现在这个会保留",
    guest: "这是别人分享给你的训练任务。你可以查看一切、也可以分叉，但不能改动它。",
    stepTitle: "做一次更新，然后暂停",
    stopTitle: "保存并结束；之后可以继续",
    begin: "开始",
    leave: "退出排队",
    leaveTitle: "放弃这个训练任务的排队位置；之后还可以再开始",
    waiting: (/** @type {[number, number]} */ [place, waiting]) =>
      `训练位置都满了。这个训练任务排在第 ${place} 位，共 ${waiting} 位，轮到时会自动开始。关闭页面就会放弃位置。`,
    fork: "分叉……",
    forkTitle: "准备一个从这个检查点继续的新任务：在表单里改好不同之处，再开始",
    from: "检查点",
    option: (/** @type {number} */ step) => `第 ${step.toLocaleString("en")} 步`,
    rate: "学习率",
    rateTitle: "学习率调度中的最高值；从下一步起生效",
    download: "下载",
    downloadTitle: "把这个训练任务打包成 zip：配置、最新的权重、事件，以及一个生成文本的脚本",
    remove: "删除",
    result: "预计与实际",
    columns: ["", "预测", "实测"],
    rows: {
      seconds: (/** @type {Answers.Measured} */ { steps }) => `${steps.toLocaleString("en")} 步的时间`,
      memory: () => "内存",
      parameters: () => "参数",
    },
  },
});
const RATES = [1e-5, 3e-5, 1e-4, 3e-4, 6e-4, 1e-3, 2e-3, 3e-3, 6e-3, 1e-2, 3e-2];

const { el } = tp;
const root = element.querySelector(".transport");
/** @type {Answers.StatusAnswer | null} */
let status = null;
let expecting = 0;

/** @typedef {"pause" | "step" | "stop" | "reset" | "download" | "remove" | "fork"} Does */
/** @type {(name: Does, action: () => unknown, classes?: string) => HTMLButtonElement} */
const button = (name, action, classes = "") =>
  tp.button(
    TEXT[name],
    {
      id: name,
      class: `tp-button ${classes}`,
      title: /** @type {{ [key: string]: any }} */ (TEXT)[`${name}Title`],
      disabled: true,
    },
    action,
  );
const toggle = button("pause", () => send(status?.state === "paused" || !status?.alive ? "resume" : "pause"));
const step = button("step", () => send("step", 1));
const stop = button("stop", () => send("stop"));
const reset = button("reset", startOver);
const download = button("download", fetchZip, "quiet");
const remove = button("remove", askToRemove, "quiet");
const forkStep = el("select", { id: "fork-step", "aria-label": TEXT.from });
const fork = button("fork", () => trigger("fork", { run: props.run, step: Number(forkStep.value) }));

const rateSlider = el("input", {
  type: "range",
  class: "slider",
  id: "rate-slider",
  min: 0,
  max: RATES.length - 1,
  step: 1,
  "aria-label": TEXT.rate,
});
const rateBox = el("input", {
  type: "text",
  inputmode: "decimal",
  class: "typed",
  id: "rate",
  "aria-label": TEXT.rate,
});
rateSlider.addEventListener("input", () => {
  rateBox.value = spell(RATES[Number(rateSlider.value)]);
  fill();
});
rateSlider.addEventListener("change", () => changeRate(RATES[Number(rateSlider.value)]));
rateBox.addEventListener("change", () => changeRate(Number(rateBox.value.replace(",", "."))));
const rate = el("div", { class: "rate", title: TEXT.rateTitle }, [
  el("label", { for: "rate", text: TEXT.rate }),
  rateSlider,
  rateBox,
]);

const message = el("p", { class: "message", role: "status" });
const result = el("table", { class: "result" });

root.append(
  el("div", { class: "line" }, [
    el("div", { class: "buttons", role: "group", "aria-label": TEXT.controls }, toggle, step, stop, reset),
    el("div", { class: "fork" }, forkStep, fork),
    el("div", { class: "aside" }, download, remove),
  ]),
  rate,
  message,
  result,
);

/* ---------------------------------------------------------------- sending */

/** @param {string} what @param {number | null} wanted */
async function send(what, wanted = null) {
  const run = status?.id ?? props.run; // the one that the buttons were drawn for
  const answer = await server.send_command(run, what, wanted);
  say(answer.error ?? "");
  expecting = performance.now() + 2000; // look often until it has obeyed
  asking.now();
}

/** A new run like this one. The one on the page stops, if it trains; whether others go on is asked. */
async function startOver() {
  reset.disabled = true;
  const own = tp.memory.read().runs;
  const going = own.length ? await server.going(own) : [];
  const others = Array.isArray(going) ? going.filter(({ id }) => id !== props.run) : [];
  const allowed = await tp.beside(others);
  if (allowed === "stop") for (const { id } of others) await server.halt(id);
  if (allowed !== null) trigger("reset", { run: props.run, own });
  else reset.disabled = false;
}

/** @param {number} wanted */
function changeRate(wanted) {
  if (!(wanted > 0)) {
    if (status) rateBox.value = spell(status.rate);
    return;
  }
  send("change", wanted);
}

async function fetchZip() {
  download.disabled = true;
  const answer = await server.download(props.run);
  download.disabled = false;
  if (answer.error) return say(answer.error);
  tp.fetchFile(answer.url, answer.name);
}

/** @param {string} sentence */
function say(sentence) {
  message.textContent = sentence;
  message.hidden = sentence === "";
}

async function askToRemove() {
  const run = props.run;
  if (status && (await tp.sureToDelete(tp.runName(status), "remove-sure"))) trigger("remove", { run });
}

/* ---------------------------------------------------------------- drawing */

const spell = (/** @type {number} */ value) =>
  value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential().replace("+", "") : String(value);
/** @type {{ [cost: string]: (value: number) => string }} */
const SPELL = { seconds: tp.duration, memory: tp.size, parameters: (value) => value.toLocaleString("en") };

function fill() {
  rateSlider.style.setProperty("--filled", `${(100 * Number(rateSlider.value)) / (RATES.length - 1)}%`);
}

/** @param {Answers.StatusAnswer} status  of the run on the page */
function show(status) {
  const { state: now, alive } = status;
  root.dataset.state = now;
  root.dataset.step = String(status.step);
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
  const place = waits ? status.place : null;
  if (place) say(TEXT.waiting(place));
  root.dataset.place = place ? place.join("/") : "";
  const linked = tp.url.first("run") === status.id && !tp.memory.read().runs.includes(status.id);
  const guest = linked && !status.shipped;
  root.toggleAttribute("data-guest", guest);
  if (guest) for (const part of [toggle, step, stop]) part.hidden = true;
  if (guest && message.hidden) say(TEXT.guest);
  remove.hidden = status.shipped || guest;
  remove.disabled = alive;
  download.disabled = status.checkpoints.length === 0;
  drawForks(status.checkpoints);
  rate.hidden = !alive || guest;
  if (document.activeElement !== rateBox && !rateSlider.matches(":active")) {
    rateBox.value = spell(status.rate);
    const distances = RATES.map((rate) => Math.abs(Math.log(rate / status.rate)));
    rateSlider.value = String(distances.indexOf(Math.min(...distances)));
    fill();
  }
  root.dataset.rate = String(status.rate);
  drawResult(status);
}

/** @param {number[]} steps */
function drawForks(steps) {
  fork.disabled = forkStep.disabled = steps.length === 0;
  if (fork.parentElement) fork.parentElement.hidden = fork.disabled;
  if (forkStep.dataset.steps === String(steps)) return;
  const newest = forkStep.selectedIndex === forkStep.length - 1;
  const before = forkStep.value;
  forkStep.replaceChildren(...steps.map((value) => el("option", { value, text: TEXT.option(value) })));
  forkStep.dataset.steps = String(steps);
  forkStep.value = newest || !steps.includes(Number(before)) ? String(steps.at(-1) ?? "") : before;
}

/** @param {Answers.StatusAnswer} status */
function drawResult({ predicted, measured }) {
  result.hidden = !predicted || !measured;
  if (!predicted || !measured) return;
  /** @param {string} name @param {{ [cost: string]: number | null | undefined }} values */
  const cell = (name, values) => {
    const value = values[name];
    return value === null || value === undefined ? "–" : SPELL[name](value);
  };
  result.replaceChildren(
    el("caption", { text: TEXT.result }),
    tp.tableHead(TEXT.columns),
    el("tbody", {}, [
      Object.entries(TEXT.rows).map(([name, title]) =>
        tp.tableRow({}, title(measured), [cell(name, predicted), cell(name, { ...measured })]),
      ),
    ]),
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
      tp.say(tp.named(tp.runName(status), tp.states[status.state].word));
      if (status.reason && !status.alive) say(status.reason);
      else if (status.state !== "failed") say("");
    }
    if ((!before || before.id !== status.id) && !status.alive) say(status.reason ?? "");
    show(status);
  },
  { hz: props.hz ?? 4, hidden_hz: 0.5, element },
);
watch("run", () => {
  say("");
  const { top } = element.getBoundingClientRect(); // on a narrow page, the curves are below the form
  const far = top < -innerHeight / 2 || top > innerHeight / 2;
  if (status && far) element.scrollIntoView({ block: "start", behavior: tp.calm() ? "auto" : "smooth" });
  status = null;
  expecting = performance.now() + 3000;
  asking.now();
});
watch("said", () => say(tp.translate(props.said.text)));
