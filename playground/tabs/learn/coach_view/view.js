/* The coach: the experiment of one section of a lesson, beside the tab that it is about. It shows where, asks to
 * predict, sees what was done, and leads back to the lesson.
 *
 * Which lesson, and which section, stand in the address (?tab=train&read=attention&at=5), so that a link opens them.
 * The page is narrower while it is there (`tp-docked`, assets/css/common.css), on a phone shorter: it covers nothing.
 * On the tab Learn the lesson itself is read, and the coach is gone.
 */
const { el } = tp;
const call = tp.asker(server, () => TEXT.offline);
const root = element.querySelector(".coach");
const LESSONS = "learn";

/** @type {Answers.LessonPage | null} */
let lesson = null;
let at = 0;
const address = tp.address("lesson", () => ({ lesson: lesson?.name ?? tp.url.get("read"), at: lesson ? at : null }));
let folded = false;
/** How the experiment stands, as `check` answered. @type {Answers.StepResult | null} */
let state = null;
/** @type {Drawn | null} */
let question = null;

/** @typedef {Answers.LessonPage} Page */
const known = (/** @type {Page} */ page) => tp.lessons.progress.read(page.name)[at] ?? {};

function isDone(/** @type {Page} */ page) {
  const { until, measure } = page.steps[at];
  return measure ? Boolean(known(page).result) : until ? Boolean(known(page).seen) : true;
}

/* ------------------------------------------------------------------ drawing */

let drawnFor = "";

function draw() {
  root.hidden = !lesson;
  document.body.classList.toggle("tp-docked", lesson !== null && !folded);
  if (!lesson) return;
  const page = lesson;
  const { title, task, open, until, measure } = page.steps[at];
  const done = isDone(page);
  const asked = tp.lessons.asking(page, at);
  const predicted = asked === null ? null : tp.lessons.progress.read(page.name)[asked]?.predicted;
  const now = JSON.stringify([page.name, at, folded, done, known(page), predicted, state]);
  if (now === drawnFor) return;
  drawnFor = now;
  question ??= asked === null || predicted !== undefined ? null : tp.lessons.prediction(page, asked);
  question?.draw();
  /** @param {string} id @param {string} text @param {string} label @param {() => void} click */
  const icon = (id, text, label, click) =>
    el("button", { type: "button", id, class: "icon", text, title: label, "aria-label": label, on: { click } });
  /** @param {string} id @param {string} kind @param {string} text @param {() => void} click */
  const button = (id, kind, text, click) =>
    el("button", { type: "button", id, class: `tp-button ${kind}`, text, on: { click } });
  root.classList.toggle("folded", folded);
  const focused = root.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement) : null;
  root.replaceChildren(
    el(
      "header",
      {},
      el("span", { class: "where", text: page.title }),
      icon("coach-fold", folded ? "▴" : "▾", folded ? TEXT.unfold : TEXT.fold, fold),
      icon("coach-close", "×", TEXT.close, close),
    ),
    el(
      "div",
      { class: "body" },
      el("h3", { id: "coach-title", tabindex: -1, text: title }),
      tp.lessons.blocks(task),
      question?.node ?? "",
      measure
        ? el("p", { class: "result", role: "status" }, tp.lessons.verdict(page, at, state))
        : until
          ? el("p", { class: done ? "result good" : "result", role: "status", text: done ? TEXT.did : TEXT.until })
          : "",
    ),
    el(
      "footer",
      {},
      open ? button("coach-show", done ? "" : "primary", TEXT.show, () => show(page)) : "",
      button("coach-back", done ? "primary" : "quiet", TEXT.back, () => back(page)),
    ),
  );
  if (focused) focusAgain(focused);
  Object.assign(root.dataset, { lesson: page.name, at: at + 1, done, folded, state: state?.state ?? "" });
}

/** Whoever uses the keyboard goes on where they were: what had the focus was taken out, or drawn anew.
 *
 * @param {HTMLElement} before */
function focusAgain(before) {
  const node = root.contains(before) ? before : (document.getElementById(before.id) ?? root.querySelector("h3"));
  node?.focus({ preventScroll: true });
}

function fold() {
  folded = !folded;
  draw();
}

/** Play a stored run of the experiment on the tab Train, where its settings are chosen, too: whoever presses “Start
 * training” trains the same. */
function playStored(/** @type {Page} */ page) {
  const { open, stored } = page.steps[at];
  tp.lessons.open(`${open}&run=${stored}`);
  tp.point.at(".live", { seconds: 3, block: "start" });
}

/** The address of a section that examines a run: with the learner's newest run of the experiment, else the stored
 * one. */
async function withRun(/** @type {Page} */ page) {
  const { open, stored } = page.steps[at];
  const own = await call("check", page.name, tp.language, at, tp.memory.read().runs);
  const query = new URLSearchParams(open);
  for (const name of [...query.keys()]) if (name === "preset" || name.startsWith("c.")) query.delete(name);
  const run = own.run ?? stored;
  if (run) query.set("run", run);
  return query.toString();
}

/** Is it done on the page? What a view shows while it waits for an answer is of before; and a section that examines a
 * run counts in no run but one of its experiment. */
async function isSeen(/** @type {Page} */ page) {
  const { until, examines } = page.steps[at];
  const node = until && document.querySelector(until);
  if (!node || node.closest("[aria-busy=true]")) return false;
  if (!examines) return true;
  const shown = /** @type {HTMLElement | null} */ (node.closest("[data-run]"))?.dataset.run;
  const answer = shown ? await call("check", page.name, tp.language, at, [shown]) : null;
  return answer?.state === "over";
}

/** Open the tab that the section is about, with its settings or with a run of an experiment, and point at the thing. */
async function show(/** @type {Page} */ page) {
  const { open, point, examines } = page.steps[at];
  const opened = examines ? await withRun(page) : open;
  if (lesson !== page) return;
  tp.lessons.open(opened);
  delete root.dataset.pointed;
  tp.point.at(point, {
    found() {
      root.dataset.pointed = point;
      tp.say(TEXT.shown);
    },
  });
}

function back(/** @type {Page} */ page) {
  const section = at;
  close();
  tp.lessons.read(page.name, section);
}

function close() {
  lesson = null;
  address.save();
  tp.point.stop();
  draw();
}

document.addEventListener("pointerdown", (event) => !event.composedPath().includes(root) && tp.point.stop(), true);

/** Whoever turns to the tab Learn by another way than the coach's button is back in the lesson, too. */
new MutationObserver(() => lesson && document.body.dataset.tab === LESSONS && back(lesson)).observe(document.body, {
  attributeFilter: ["data-tab"],
});

/* ------------------------------------------------------------------ looking at what is done */

async function look() {
  if (!lesson) return;
  const [page, here] = [lesson, at];
  const { until, measure } = page.steps[here];
  if (!measure && until && !known(page).seen && (await isSeen(page)))
    tp.lessons.progress.set(page.name, here, { seen: true }); // some of it can be undone, and is done all the same
  if (lesson !== page || at !== here) return;
  if (measure) {
    const answer = await tp.lessons.judge(call, page, here);
    if (lesson !== page || at !== here) return;
    state = answer ?? state;
  }
  draw();
}

/** A class link to a lesson shows the tabs that the lesson opens, and no others: a rule, since Gradio may draw them
 * again. */
function keepTabs(/** @type {Page} */ page) {
  if (!tp.url.first("only") || document.body.classList.contains("tp-lesson")) return;
  const tabs = new Set(page.steps.map(({ open }) => new URLSearchParams(open).get("tab")).filter(Boolean));
  const kept = [LESSONS, ...tabs].map((tab) => `#tab-${tab}-button`).join(", ");
  document.body.classList.add("tp-lesson");
  element.append(el("style", { text: `.tp-only .tab-container button:not(${kept}) { display: none; }` }));
}

/** @param {string} name @param {number} section @param {((page: Page) => void) | null} lead  where to, if anywhere */
async function open(name, section, lead) {
  const [answer] = await Promise.all([call("read", name, tp.language), tp.needed("reading")]);
  if (answer.error || !answer.steps[section]?.open) return close();
  [lesson, at, state, question, folded] = [answer, section, null, null, false];
  keepTabs(answer);
  address.save();
  draw();
  root.querySelector(".body")?.scrollTo(0, 0);
  if (lead) root.querySelector("h3")?.focus({ preventScroll: true });
  lead?.(answer);
  look();
}

document.addEventListener(tp.lessons.on.experiment, (event) => {
  const { lesson: name, at: section, stored } = /** @type {CustomEvent} */ (event).detail;
  open(name, section, stored ? playStored : show);
});
document.addEventListener(tp.lessons.on.progress, draw);
const linked = address.read();
if (linked.lesson && linked.at !== null && ![LESSONS, null].includes(tp.url.first("tab")))
  open(linked.lesson, linked.at, null);
tp.poll(look, { hz: 1, hidden_hz: 0.2 });
