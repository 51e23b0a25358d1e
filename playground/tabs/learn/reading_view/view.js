/* The reading page: one lesson from its beginning to its end, in the place of the list.
 *
 * Which lesson stands in the address (?read=softmax; &at=3 begins at its third section). A section is done when its
 * questions are solved, its prediction is made and its experiment is done; one without any, when its end has been
 * reached. An experiment is done on another tab with the coach beside it, and what it came to is told here.
 */
const { el } = tp;
const call = tp.asker(server, () => TEXT.offline);
const root = element.querySelector(".reading");
tp.lessons.draw.game = game;

/** @type {Answers.LessonPage | null} */
let lesson = null;
/** @type {IntersectionObserver | null} */
let watcher = null;
const alone = Boolean(tp.url.first("only")); // a class link to this lesson, and to no other
/** The lesson that the address named last: it may still be on its way here.
 *
 * @type {string | null} */
let wanted = null;
const address = tp.address("lesson", () => ({ lesson: wanted, at: null }));
/** What must be solved before a section is done. */
const TASKS = ".tp-question, .tp-game, .tp-experiment.asks";
/** How the experiments of this lesson stand, as `check` answered last.
 *
 * @type {Map<number, Answers.StepResult | null>} */
const states = new Map();
/** Predictions and experiments, which are drawn again when something is known of them. @type {Drawn[]} */
let parts = [];

/** @type {(name: string, i: number) => Progress} */
const known = (name, i) => tp.lessons.progress.read(name)[i] ?? {};
/** @type {(name: string, i: number) => boolean} */
const isDone = (name, i) => Boolean(known(name, i).done);

/* ------------------------------------------------------------------ drawing */

/** @param {Answers.LessonPage} page */
function draw(page) {
  parts = [];
  const sections = page.steps.map((step, i) => section(page, step, i));
  const list = el(
    "ol",
    {},
    page.steps.map(({ title }, i) =>
      el(
        "li",
        { "data-section": i },
        el("a", { href: `#section-${i + 1}`, text: title, on: { click: jump(sections[i]) } }),
      ),
    ),
  );
  const { next, place } = page;
  root.replaceChildren(
    el("div", { class: "bar", "aria-hidden": "true" }, el("i")),
    el(
      "nav",
      { "aria-label": TEXT.sections },
      alone
        ? ""
        : el("p", {}, tp.lessons.link(null, null, { class: "back", id: "reading-back", text: `← ${TEXT.all}` })),
      el("p", { class: "title", text: TEXT.sections }),
      list,
      el("p", { class: "count" }),
    ),
    el(
      "article",
      {},
      el(
        "p",
        { class: "place" },
        alone ? "" : tp.lessons.link(null, null, { class: "back small", text: `← ${TEXT.all}` }),
        el("span", { text: TEXT.place[page.part](place[0], place[1], page.minutes) }),
      ),
      el("h2", { tabindex: -1, text: page.title }),
      el("p", { class: "goal", text: page.goal }),
      el(
        "div",
        { class: "objectives" },
        page.objectives.length
          ? el(
              "div",
              {},
              el("h3", { text: TEXT.objectives }),
              el(
                "ul",
                {},
                page.objectives.map((text) => el("li", { text })),
              ),
            )
          : "",
        el("div", { class: "cover" }, tp.lessons.picture(page.picture, "")),
      ),
      tp.lessons.blocks(page.intro),
      sections,
      el(
        "footer",
        {},
        el("p", { class: "paper" }, el("b", { text: `${TEXT.source} ` }), page.readings.map(reading)),
        el(
          "p",
          { class: "paper" },
          el("b", { text: `${TEXT.notebook[0]} ` }),
          el("a", { href: tp.url.served(page.notebook), download: true, text: page.notebook }),
          ` ${TEXT.notebook[1]}`,
        ),
        next && !alone
          ? tp.lessons.link(next.name, null, {
              class: "tp-button primary",
              id: "reading-next",
              text: TEXT.next(next.title),
            })
          : "",
      ),
    ),
  );
  tp.terms.mark(root, props.terms ?? []);
  Object.assign(root.dataset, { lesson: page.name, ready: true });
  refresh();
  observe(sections);
}

/** Something to read elsewhere, after what is named before it.
 *
 * @param {{text: string, address: string}} source @param {number} i */
const reading = ({ text, address: href }, i) => [
  i ? TEXT.and : "",
  el("a", { href, target: "_blank", rel: "noopener", text }),
];

/** @type {(section: HTMLElement) => (event: Event) => void} */
const jump = (section) => (event) => {
  event.preventDefault();
  section.scrollIntoView({ behavior: tp.calm() ? "auto" : "smooth" });
  section.querySelector("h3")?.focus({ preventScroll: true });
};

/** A section; what has been solved in it before stays solved.
 *
 * @param {Answers.LessonPage} page @param {Answers.LessonStep} step @param {number} i */
function section(page, { title, blocks, open, options, place }, i) {
  const asked = options.length ? tp.lessons.prediction(page, i) : null;
  const tried = open ? experiment(page, i) : null;
  const drawn = [asked, tried].filter((each) => each !== null);
  parts.push(...drawn);
  const content = blocks.map((block) =>
    block.id ? { ...block, solved: isDone(page.name, i) || tp.record.solved(block.id) } : block,
  );
  const node = el(
    "section",
    { class: "part", "data-section": i },
    el("h3", { tabindex: -1, text: title }),
    tp.lessons.blocks(tried ? content.slice(0, place) : content),
    drawn.map((each) => each.node),
    tp.lessons.blocks(tried ? content.slice(place) : []),
    el("span", { class: "section-end" }),
  );
  node.addEventListener("tp-solved", () => settle(page, i));
  return node;
}

/** What is to be done on another tab: the way there, how it stands, and what it came to.
 *
 * @param {Answers.LessonPage} page @param {number} i @returns {Drawn} */
function experiment(page, i) {
  const { measure, until, stored, seconds } = page.steps[i];
  const asks = Boolean(measure || until);
  const said = el("div", { class: "said", role: "status" });
  const go = el("button", {
    type: "button",
    class: "tp-button",
    "data-go": i,
    on: { click: () => tp.lessons.experiment(page.name, i) },
  });
  const watch = el("button", {
    type: "button",
    class: "tp-button",
    "data-watch": i,
    text: TEXT.watch,
    on: { click: () => tp.lessons.experiment(page.name, i, true) },
  });
  const node = el(
    "div",
    {
      class: asks ? "tp-experiment asks" : "tp-experiment",
      role: "group",
      "aria-label": TEXT.experiment[asks ? 1 : 0],
    },
    asks ? el("h4", { text: TEXT.experiment[1] }) : "",
    said,
    el("p", { class: "ways" }, go, stored && measure ? watch : ""),
  );
  function draw() {
    const { result, seen } = known(page.name, i);
    const done = measure ? Boolean(result) : Boolean(seen);
    if (done) node.dataset.solved = "true";
    node.dataset.state = result ? "over" : (states.get(i)?.state ?? "");
    go.classList.toggle("primary", asks && !done);
    const trains = measure && !page.steps[i].seen;
    const long = seconds ? TEXT.about(tp.duration(seconds, { rough: true })) : "";
    tp.put(go, trains ? `${result && !result.stored ? TEXT.again : TEXT.train}${long}` : TEXT.show);
    said.replaceChildren(
      ...(measure ? tp.lessons.verdict(page, i, states.get(i) ?? null) : asks ? [done ? TEXT.did : TEXT.todo] : []),
    );
  }
  return { node, draw };
}

/** A section is done when nothing in it is left to be answered or done.
 *
 * @param {Answers.LessonPage} page @param {number} i */
function settle(page, i) {
  const node = root.querySelector(`.part[data-section="${i}"]`);
  if (node?.querySelector(TASKS) && !node.querySelector(`:is(${TASKS}):not([data-solved])`)) finish(page, i);
}

/** Watch for the end of each section without a task. What is above the window counts too: whoever presses End or
 * scrolls fast passes several ends between two pictures, and the observer looks once for each picture.
 *
 * @param {HTMLElement[]} sections */
function observe(sections) {
  watcher?.disconnect();
  watcher = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        const i = sections.indexOf(/** @type {HTMLElement} */ (target.parentElement));
        if (isIntersecting && lesson) finish(lesson, i);
      }
    },
    { rootMargin: "1000000px 0px 0px 0px" },
  );
  for (const part of sections)
    if (!part.querySelector(TASKS)) watcher.observe(/** @type {Element} */ (part.querySelector(".section-end")));
}

/** @param {Answers.LessonPage} page @param {number} i */
function finish(page, i) {
  if (!isDone(page.name, i)) tp.lessons.progress.set(page.name, i, { done: true });
}

/** Draw what is known by now. */
function refresh() {
  if (!lesson) return;
  for (const part of parts) part.draw();
  for (const i of lesson.steps.keys()) settle(lesson, i);
  mark();
}

/** How far the lesson is: ticks, the number of sections, the bar. */
function mark() {
  if (!lesson) return;
  const { name, steps } = lesson;
  const done = steps.filter((_, i) => isDone(name, i)).length;
  for (const node of root.querySelectorAll("nav li")) {
    const ticked = isDone(name, Number(node.getAttribute("data-section")));
    if (ticked && !node.classList.contains("done"))
      node.append(el("span", { class: "tp-hidden", text: ` ${TEXT.ticked}` }));
    node.classList.toggle("done", ticked);
  }
  tp.put(element.querySelector(".count"), TEXT.done(done, steps.length));
  element.querySelector(".bar i").style.width = `${(100 * done) / steps.length}%`;
  Object.assign(root.dataset, { done, sections: steps.length });
}

/* ------------------------------------------------------------------ which lesson */

const here = () => ["learn", undefined].includes(document.body.dataset.tab);

/** The name of the lesson that is drawn. */
const shown = () => lesson?.name;

/** The server did not answer: say so, and ask again when told to. */
function drawOffline() {
  const retry = el("button", { class: "tp-button", id: "reading-retry", text: TEXT.retry, on: { click: show } });
  root.replaceChildren(el("p", { role: "alert", text: TEXT.offline }), el("p", {}, retry));
}

/** Back to the list, at the lesson that was read. It is drawn anew when it is opened again: the record, which can be
 * cleared meanwhile, says what is solved. */
function close() {
  const id = `learn-${lesson?.name}`;
  lesson = null;
  requestAnimationFrame(() => document.getElementById(id)?.scrollIntoView({ block: "center" }));
}

/** Show the lesson that the address names, and in it the section, once this tab is in sight. */
async function show() {
  const { lesson: name, at } = address.read();
  wanted = name;
  if (!name && !root.hidden) close();
  root.hidden = !name;
  if (!name || !here()) return;
  const other = shown() !== name;
  if (other) {
    watcher?.disconnect();
    lesson = null; // nothing is told of the one before while this one comes
    root.dataset.ready = "false";
    root.replaceChildren(el("p", { role: "status", text: TEXT.loading }));
    const answer = await call("read", name, tp.language);
    if (wanted !== name) return;
    // It may have been asked for twice: to draw it again would take a click on the first drawing.
    if (shown() !== name) {
      if (answer.error === TEXT.offline) return drawOffline();
      if (answer.error) return tp.lessons.read(null); // there is no such lesson
      lesson = answer;
      states.clear();
      draw(answer);
    }
  }
  while (!root.checkVisibility()) {
    if (!here() || wanted !== name) return;
    await new Promise(requestAnimationFrame); // Gradio has said which tab comes, and draws it later
  }
  address.save(); // the section comes into view, and leaves the address
  /** @type {HTMLElement | null} */
  const heading = at === null ? null : root.querySelector(`.part[data-section="${at}"] > h3`);
  if (heading) heading.scrollIntoView({ block: "start" });
  else if (other) scrollTo({ top: 0 });
  else return;
  (heading ?? element.querySelector("h2")).focus({ preventScroll: true });
}

/** How the experiments stand that were begun and left: whoever goes on reading meanwhile hears of it. */
async function look() {
  const page = lesson;
  if (!page || !root.checkVisibility() || !tp.memory.read().runs.length) return;
  for (const [i, { measure, seen }] of page.steps.entries()) {
    if (!measure || seen || known(page.name, i).result) continue;
    const state = await tp.lessons.judge(call, page, i);
    if (lesson !== page) return;
    if (JSON.stringify(state) === JSON.stringify(states.get(i) ?? null)) continue;
    states.set(i, state);
    refresh();
  }
}

document.addEventListener(tp.lessons.on.read, show);
document.addEventListener(tp.lessons.on.progress, refresh);
addEventListener("popstate", show);
new MutationObserver(show).observe(document.body, { attributeFilter: ["data-tab"] });
tp.poll(look, { hz: 0.5, hidden_hz: 0.1 });
show();
