/* This browser's own runs: when each was started and how it stands; to show, rename, delete, or pass on as a link.
 *
 * `props.run` is the run on the page. Server: listed(ids), rename(run, name). Events: "show" {run}, "remove" {run}. Two
 * are compared in the chart of the one on the page, which hears "tp-compare" {run}.
 */
const TEXT = tp.words({
  en: {
    title: "Your runs",
    rename: (/** @type {string} */ name) => `Rename “${name}”`,
    link: (/** @type {string} */ name) => `Copy a link to “${name}”, for somebody to look at`,
    copied: "Link copied. Others can open it to look and to fork, but they cannot change the run.",
    remove: (/** @type {string} */ name) => `Delete “${name}”`,
    damaged: "cannot be read",
    more: (/** @type {number} */ count) => `${count} older ones`,
    /** @type {(step: number, total: number) => string} */
    at: (step, total) => `${step.toLocaleString("en")} / ${total.toLocaleString("en")}`,
    /** @type {(count: number) => string} */
    compare: (count) => (count === 2 ? "Compare the two" : "Compare with the newest other run"),
    compareTitle: "Both losses in one chart",
  },
  zh: {
    title: "你的训练任务",
    rename: (/** @type {string} */ name) => `给“${name}”改名`,
    link: (/** @type {string} */ name) => `复制“${name}”的链接，给别人看`,
    copied: "链接已复制。打开它的人可以查看和分叉，但不能改动这个训练任务。",
    remove: (/** @type {string} */ name) => `删除“${name}”`,
    damaged: "无法读取",
    more: (/** @type {number} */ count) => `更早的 ${count} 个`,
    /** @type {(step: number, total: number) => string} */
    at: (step, total) => `${step.toLocaleString("en")} / ${total.toLocaleString("en")}`,
    compare: (count) => (count === 2 ? "比较这两个" : "与最新的另一个比较"),
    compareTitle: "把两者的损失画在同一张图上",
  },
});
const FEW = 8; // runs in the list at first
const MOST = 60; // runs that the list asks about

const { el, put } = tp;
const root = element.querySelector(".runs");
const list = el("ul");
const more = el("button", { type: "button", class: "more", on: { click: showAll } });
const problem = el("p", { class: "problem", role: "status", hidden: true });
const compare = el("button", {
  type: "button",
  class: "tp-button",
  id: "runs-compare",
  title: TEXT.compareTitle,
  hidden: true,
  on: { click: compareThem },
});
root.append(el("h2", { text: TEXT.title }), list, more, compare, problem);
root.hidden = true;

let shown = FEW;
/** @type {Answers.Entry[]} */
let known = []; // the runs, as the server last said
let drawn = "";
/** @type {string | null} */
let renaming = null; // the id of the run whose name is being typed
/** @type {Map<string, ReturnType<typeof item>>} */
const items = new Map(); // by id

function showAll() {
  shown = MOST;
  draw();
}

const ICONS = {
  rename: "M3 13l.8-3.2L10.6 3 13 5.4 6.2 12.2 3 13z",
  link: "M6.5 9.5 9.5 6.5M7.3 4.7l1.5-1.5a2.8 2.8 0 0 1 4 4l-1.5 1.5M8.7 11.3l-1.5 1.5a2.8 2.8 0 0 1-4-4l1.5-1.5",
  remove: "M3 4.5h10M6.5 4.5V3h3v1.5M4.5 4.5l.6 8.5h5.8l.6-8.5",
};
/** @type {(what: keyof typeof ICONS, label: string, action: () => unknown) => HTMLElement} */
const tool = (what, label, action) =>
  el("button", { type: "button", class: what, title: label, "aria-label": label, on: { click: action } }, [
    el("svg", { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" }, [
      el("path", {
        d: ICONS[what],
        fill: "none",
        stroke: "currentColor",
        "stroke-width": 1.25,
        "stroke-linejoin": "round",
      }),
    ]),
  ]);

/** @param {Answers.Entry} run */
function item(run) {
  const mark = el("span", { class: "mark", "aria-hidden": "true" });
  const name = el("button", {
    type: "button",
    class: "name",
    translate: "no",
    on: { click: () => trigger("show", { run: run.id }) },
  });
  const facts = el("span", { class: "facts" });
  const node = el("li", { "data-run": run.id }, [
    mark,
    name,
    facts,
    el("span", { class: "tools" }, [
      !run.damaged && tool("rename", TEXT.rename(tp.runName(run)), () => rename(run.id)),
      !run.damaged && tool("link", TEXT.link(tp.runName(run)), () => copyLink(run.id)),
      tool("remove", TEXT.remove(tp.runName(run)), () => remove(run.id)),
    ]),
  ]);
  return { node, mark, name, facts, called: run.name };
}

function draw() {
  root.hidden = known.length === 0;
  const listed = known.slice(0, shown);
  more.hidden = known.length <= shown;
  put(more, TEXT.more(known.length - shown));
  compare.hidden = whole().length < 2;
  put(compare, TEXT.compare(whole().length));
  for (const run of listed) {
    const before = items.get(run.id);
    const { node, mark, name, facts } = before?.called === run.name ? before : item(run);
    items.set(run.id, { node, mark, name, facts, called: run.name });
    const { word, mark: sign, over } = tp.states[run.state] ?? { word: TEXT.damaged, mark: "✕", over: true };
    node.dataset.state = run.state ?? "damaged";
    node.toggleAttribute("aria-current", run.id === props.run);
    put(mark, sign);
    put(name, tp.runName(run));
    const part = over && run.step === run.total ? null : run.total && TEXT.at(run.step, run.total);
    put(facts, [run.created && tp.when(run.created), word, part].filter(Boolean).join(" · "));
  }
  const order = listed.map(({ id, name }) => [id, name]).join();
  if (order !== drawn && renaming === null) {
    drawn = order;
    list.replaceChildren(...listed.flatMap(({ id }) => items.get(id)?.node ?? []));
  }
}

/** Those that can be read, the newest first. */
const whole = () => known.filter(({ damaged }) => !damaged).sort((a, b) => b.created - a.created);

/** The run on the page, or else the newest, beside the newest other one. */
function compareThem() {
  const own = whole();
  const shown = own.find(({ id }) => id === props.run) ?? own[0];
  const other = own.find(({ id }) => id !== shown?.id);
  if (!shown || !other) return;
  if (shown.id !== props.run) trigger("show", { run: shown.id });
  document.dispatchEvent(new CustomEvent("tp-compare", { detail: { run: other.id } }));
  document.querySelector(".live .chart")?.scrollIntoView({ block: "center", behavior: tp.calm() ? "auto" : "smooth" });
}

/** The name becomes a box; Enter keeps what is typed, Escape what was.
 *
 * @param {string} id */
function rename(id) {
  const shown = items.get(id);
  if (!shown) return;
  const { name, called } = shown;
  const typed = el("input", {
    type: "text",
    class: "typed",
    value: called,
    maxlength: 120,
    "aria-label": TEXT.rename(tp.runName({ name: called })),
  });
  renaming = id;
  name.replaceWith(typed);
  typed.select();
  typed.focus();
  const end = async (/** @type {boolean} */ keep) => {
    if (renaming !== id) return;
    renaming = null;
    const wanted = typed.value.trim();
    typed.replaceWith(name);
    name.focus();
    if (!keep || !wanted || wanted === called) return;
    const answer = await server.rename(id, wanted);
    say(answer.error ?? "");
    await look();
    dispatchEvent(new CustomEvent("tp-runs"));
  };
  typed.addEventListener("keydown", (event) => {
    if (event.key === "Enter") end(true);
    if (event.key === "Escape") end(false);
  });
  typed.addEventListener("blur", () => end(true));
}

/** @param {string} id */
async function copyLink(id) {
  const link = `${location.origin}${location.pathname}?${new URLSearchParams({ run: id, lang: tp.language })}`;
  if (await tp.browser.copy(link)) {
    say("");
    tip(TEXT.copied);
  } else prompt("", link);
}

let tipped = 0;
/** @param {string} text */
function tip(text) {
  tp.say(text);
  clearTimeout(tipped);
  problem.classList.add("good");
  say(text);
  tipped = setTimeout(() => say(""), 6000);
}

/** @param {string} id */
async function remove(id) {
  if (!(await tp.sureToDelete(tp.runName({ name: items.get(id)?.called ?? id }), "runs-remove-sure"))) return;
  trigger("remove", { run: id });
  setTimeout(look, 300);
  setTimeout(look, 1500);
}

/** @param {string} sentence */
function say(sentence) {
  problem.hidden = sentence === "";
  put(problem, sentence);
}

/** Ask how the runs stand. */
async function look() {
  const ids = tp.memory.read().runs.slice(0, MOST);
  const answer = ids.length ? await server.listed(ids) : [];
  if (!Array.isArray(answer)) return;
  known = answer;
  draw();
}

let rested = 0;
const poller = tp.poll(
  async () => {
    const going = known.some(({ state }) => state && !tp.states[state].over);
    if (!going && performance.now() - rested < 4000) return;
    rested = performance.now();
    await look();
  },
  { hz: 1, hidden_hz: 0.2, element },
);
tp.memory.watch(look);
watch("run", () => {
  rested = 0;
  poller.now();
  setTimeout(look, 700); // once the header has made the new run this browser's own
});
