/* The coach: one step of a lesson, beside the page it acts on. It shows where, asks to predict, and sees what was done.
 *
 * Which lesson, and which step, stand in the address (?lesson=attention&at=2), so that a link opens them.
 */
const { el, put } = tp;
const call = tp.asker(server, () => TEXT.offline);
const root = element.querySelector(".coach");

const alone = Boolean(tp.url.first("only")); // a class link, which shows no tab Learn
let lesson = null;
let at = 0;
let folded = false;
let result = null; // what `check` answered

const known = () => tp.lessons.progress.read(lesson.name)[at] ?? {};
const step = () => lesson.steps[at];

/** The step whose question the present one's run decides: itself, or the one before. */
const asking = () => (step().options.length ? at : at > 0 && lesson.steps[at - 1].options.length ? at - 1 : null);
const predicted = () => (asking() === null ? null : (tp.lessons.progress.read(lesson.name)[asking()]?.predicted ?? null));

function isDone() {
  const { until, measure, options } = step();
  if (known().done) return true;
  if (options.length && known().predicted === undefined) return false;
  if (measure) return result?.state === "over";
  return until ? Boolean(document.querySelector(until)) : true;
}

function keep(values) {
  tp.lessons.progress.set(lesson.name, at, values);
  document.dispatchEvent(new CustomEvent("tp-progress"));
}

/* ------------------------------------------------------------------ drawing */

let drawnFor = "";

function draw() {
  root.hidden = !lesson;
  if (!lesson) return;
  const { title, blocks, open, point, until, measure, predict, options } = step();
  const last = at === lesson.steps.length - 1;
  const done = isDone();
  const state = JSON.stringify([lesson.name, at, folded, done, known(), result]);
  if (state === drawnFor) return;
  drawnFor = state;
  const button = (kind, label, go, more = {}) => el("button", { type: "button", class: `tp-button ${kind}`, text: label, on: { click: go }, ...more });
  const options_ = options.map((option, i) =>
    el("button", { type: "button", class: "option", id: `coach-option-${i}`, text: option, "aria-pressed": String(known().predicted === i), disabled: known().done || undefined, on: { click: () => (keep({ predicted: i }), draw()) } }),
  );
  root.classList.toggle("folded", folded);
  root.replaceChildren(
    el(
      "header",
      {},
      el("span", { class: "where", text: `${lesson.title} · ${TEXT.step(at + 1, lesson.steps.length)}` }),
      el("button", { type: "button", id: "coach-fold", class: "icon", text: folded ? "▴" : "▾", title: folded ? TEXT.unfold : TEXT.fold, "aria-label": folded ? TEXT.unfold : TEXT.fold, on: { click: () => ((folded = !folded), draw()) } }),
      el("button", { type: "button", id: "coach-close", class: "icon", text: "×", title: TEXT.close, "aria-label": TEXT.close, on: { click: close } }),
    ),
    el(
      "div",
      { class: "body" },
      at === 0 ? tp.lessons.blocks(lesson.intro) : "",
      el("h3", { text: title }),
      tp.lessons.blocks(blocks),
      predict ? el("p", { class: "ask" }, el("b", { text: `${TEXT.predict} ` }), predict) : "",
      options_.length ? el("div", { class: "options", role: "group", "aria-label": predict }, options_) : "",
      measure ? el("p", { class: "result", role: "status", text: verdict() }) : "",
      until && !measure ? el("p", { class: done ? "result good" : "result", role: "status", text: done ? TEXT.did : TEXT.until }) : "",
      last && done ? el("p", { class: "result good", text: alone ? TEXT.endAlone : TEXT.end }) : "",
    ),
    el(
      "footer",
      {},
      at > 0 ? button("quiet", TEXT.back, () => go(at - 1), { id: "coach-back" }) : "",
      open || point ? button(done ? "" : "primary", TEXT.show, show, { id: "coach-show" }) : "",
      done || known().done ? button("primary", last ? TEXT.finish : TEXT.next, next, { id: "coach-next" }) : button("quiet", TEXT.skip, skip, { id: "coach-skip" }),
    ),
  );
  Object.assign(root.dataset, { lesson: lesson.name, at: at + 1, done, folded, state: result?.state ?? "" });
}

function verdict() {
  if (!result || result.state === "none") return step().seen ? TEXT.unseen : TEXT.none;
  if (result.state === "training") return TEXT.training(result.step, result.total);
  if (result.value === null) return TEXT.diverged;
  const value = TEXT.value[result.measure](result.value);
  const guess = predicted();
  if (guess === null || result.right === null) return TEXT.open(value);
  return guess === result.right ? TEXT.hit(value) : TEXT.missed(value, lesson.steps[asking()].options[result.right]);
}

/* ------------------------------------------------------------------ going on */

function go(next) {
  at = next;
  result = null;
  tp.url.set({ lesson: lesson.name, at: at + 1 });
  tp.point.stop();
  draw();
  root.querySelector(".body").scrollTop = 0;
  look();
}

function next() {
  keep({ done: true });
  if (at === lesson.steps.length - 1) return close();
  go(at + 1);
}

function skip() {
  if (at === lesson.steps.length - 1) return close();
  go(at + 1);
}

function close() {
  lesson = null;
  tp.url.set({ lesson: null, at: null });
  tp.point.stop();
  draw();
}

/** Open the page that the step is about, with its settings, and point at the thing. */
function show() {
  const { open, point } = step();
  const wanted = new URLSearchParams(open);
  const now = new URLSearchParams(location.search);
  if ([...wanted].some(([name, value]) => now.get(name) !== value)) {
    for (const name of ["lesson", "at", "lang", "only", "__theme"]) if (now.get(name) !== null) wanted.set(name, now.get(name));
    wanted.set("point", "1");
    location.assign(`?${wanted}`);
    return;
  }
  pointAt(point);
}

const pointAt = (selector) => tp.point.at(selector, { found: () => (root.dataset.pointed = selector) });
document.addEventListener("pointerdown", (event) => !root.contains(event.target) && tp.point.stop(), true);

/* ------------------------------------------------------------------ looking at what is done */

/** What the page itself has measured for this step, once it is done there; else null. */
function seen() {
  const { seen: selector, until, measure } = step();
  const node = selector && document.querySelector(until) ? document.querySelector(selector) : null;
  return node ? Number(node.dataset[measure]) : null;
}

async function look() {
  if (!lesson) return;
  if (step().measure) {
    const [name, here] = [lesson.name, at];
    const answer = await call("check", name, tp.language, here, tp.memory.read().runs, seen());
    if (!lesson || lesson.name !== name || at !== here) return;
    if (!answer.error) result = answer;
  }
  draw();
}

/** A class link to a lesson shows the tabs that the lesson opens, and no others: a rule, since Gradio may draw them again. */
function keepTabs() {
  const tabs = new Set(lesson.steps.map(({ open }) => new URLSearchParams(open).get("tab")).filter(Boolean));
  if (!tabs.size) return;
  const kept = [...tabs].map((tab) => `#tab-${tab}-button`).join(", ");
  document.body.classList.add("tp-lesson");
  element.append(el("style", { text: `.tp-only .tab-container button:not(${kept}) { display: none; }` }));
}

async function begin() {
  const name = tp.url.get("lesson");
  if (!name) return;
  const answer = await call("read", name, tp.language);
  if (answer.error) return tp.url.set({ lesson: null, at: null });
  lesson = answer;
  keepTabs();
  at = Math.max(0, Math.min(lesson.steps.length - 1, (Number(tp.url.get("at")) || 1) - 1));
  draw();
  look();
  if (tp.url.get("point") && step().point) pointAt(step().point);
  tp.url.set({ point: null });
}

begin();
tp.poll(look, { hz: 1, hidden_hz: 0.2 });
