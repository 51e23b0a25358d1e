/* Generate: a model writes one token at a time, and every choice it had can be seen and changed.
 *
 * `text` is what the server's `begin` answered for one run, step and prompt. `nodes` is the tree of all that was
 * written from there: node 0 is the prompt, every other node one token; `at` is the node that the page stands on.
 * `now` is the distribution of the token after it. They live in writing.js, with what changes them. Everything drawn
 * follows from them: `drawText` the line of tokens (strip.js), `drawNow` the distribution (next.js), `drawTree` the
 * branches (branches.js), `drawCache` what the text cost to compute (cache.js).
 */

const { el } = tp;
const root = element.querySelector(".generate");

/* ------------------------------------------------------------------ the page's parts */

const message = el("p", { class: "message", role: "alert" });
const promptBox = el("textarea", {
  id: "generate-prompt",
  rows: "2",
  spellcheck: "false",
  autocomplete: "off",
  "aria-describedby": "generate-prompt-hint",
});
const useButton = el("button", { type: "submit", class: "button", text: TEXT.use, disabled: true });
const examples = el("p", { class: "examples" });
const stepSlider = el("input", { type: "range", min: "0", max: "0", step: "1", id: "generate-checkpoint" });
const stepNote = el("span");
const toNewest = () => choose(text.steps.length - 1);
const newestButton = tp.button(TEXT.writeNewest, { class: "example", id: "generate-newest" }, toNewest);

const line = el("div", {
  class: "strip",
  tabindex: "0",
  role: "group",
  "aria-label": TEXT.textLabel,
  id: "generate-text",
});
const stepButton = tp.button(TEXT.step, { class: "primary", id: "generate-step", title: TEXT.stepTitle }, userStep);
const playButton = tp.button(TEXT.play, { class: "button", id: "generate-play", title: TEXT.playTitle }, togglePlay);
const backButton = tp.button(TEXT.back, { class: "button", id: "generate-back", title: TEXT.backTitle }, goBack);
const restartButton = tp.button(
  TEXT.restart,
  { class: "button", id: "generate-restart", title: TEXT.restartTitle },
  goHome,
);
const speed = el("input", {
  type: "range",
  min: "0",
  max: String(SPEEDS.length - 1),
  value: "3",
  step: "1",
  "aria-label": TEXT.speed,
});
const speedNote = el("span", { class: "muted" });
const seedBox = el("input", {
  type: "number",
  min: String(low(FIELDS.seed)),
  max: String(high(FIELDS.seed)),
  step: "1",
  id: "generate-seed",
  title: tp.translate(FIELDS.seed.description),
});
const reseed = tp.button(TEXT.reseed, { class: "link", id: "generate-reseed", title: TEXT.reseedTitle }, () =>
  change({ seed: (settings.seed + 1) % (high(FIELDS.seed) + 1) }),
);
const room = el("p", { class: "hint room" });
const verdict = el("p", { class: "verdict" });

const upcoming = el("p", { class: "upcoming" });
/** @type {{ [field: string]: { range: HTMLInputElement, number: HTMLInputElement, state: HTMLElement } }} */
const controls = {};
const list = el("div", { class: "list", role: "listbox", tabindex: "0", "aria-label": TEXT.list, id: "generate-list" });
const rows = el("div", { class: "rows" });
const removal = el("p", { class: "hint" });
const entropy = el("p", { class: "hint" });

const treeFrame = el("div", { class: "tree-frame" });
const treeHint = el("p", { class: "hint" });
const prune = tp.button(TEXT.prune, { class: "link", title: TEXT.pruneTitle }, pruneOthers);

const cacheFrame = el("div", { class: "figure" });
const cacheLegend = el("p", { class: "legend" });
const costTable = el("table", { class: "costs" });
const saved = el("p");
const proof = el("p", { class: "proof" });
const chartFrame = el("div", { class: "figure charts" });
const offstage = el("div", { class: "offstage", "aria-hidden": "true" });
const waiting = el("p", { class: "muted", role: "status", text: TEXT.wait });
const main = el("div", { class: "workspace", hidden: true });

function slider(/** @type {string} */ name) {
  const field = FIELDS[name];
  const label = tp.translate(field.title);
  const id = `generate-${name.replace("_", "-")}`;
  const range = el("input", {
    type: "range",
    id,
    min: String(low(field)),
    max: String(Math.max(...field.examples)),
    step: String(field.step),
    "aria-describedby": `${id}-hint`,
  });
  const number = el("input", {
    type: "number",
    min: String(low(field)),
    max: String(high(field)),
    step: "any",
    "aria-label": label,
  });
  const state = el("span", { class: "state" });
  controls[name] = { range, number, state };
  range.addEventListener("input", () => change({ [name]: Number(range.value) }));
  number.addEventListener("change", () => change({ [name]: allowed(name, number.valueAsNumber) }));
  return el("div", { class: "setting" }, [
    el("label", { for: id, text: label }),
    range,
    number,
    state,
    el("span", { class: "setting-hint", id: `${id}-hint`, text: tp.translate(field.description) }),
  ]);
}

const neutral = tp.button(TEXT.neutral, { class: "link", title: TEXT.neutralTitle }, () => change(OFF));

const form = el("form", { class: "opening" }, [
  el("div", { class: "field" }, [
    el("label", { for: "generate-prompt", text: TEXT.prompt }),
    promptBox,
    el("div", { class: "under" }, examples, useButton),
    el("p", { class: "tp-hidden", id: "generate-prompt-hint", text: TEXT.promptHint }),
    message,
  ]),
  el("div", { class: "field" }, [
    el("label", { for: "generate-checkpoint", text: TEXT.checkpoint }),
    stepSlider,
    el("p", { class: "hint" }, stepNote, newestButton),
  ]),
]);

main.append(
  el("section", { class: "writing" }, [
    el("div", { class: "heading" }, [
      el("h3", { text: TEXT.text }),
      el("p", { class: "legend" }, [
        el("span", {}, el("i", { class: "swatch prompt" }), TEXT.legendPrompt),
        el("span", {}, TEXT.legendUnsure, el("i", { class: "ramp" }), TEXT.legendSure),
      ]),
    ]),
    line,
    el("div", { class: "transport", role: "group", "aria-label": TEXT.step }, [
      el("div", { class: "buttons" }, stepButton, playButton, backButton, restartButton),
      el("label", { class: "inline" }, el("span", { text: TEXT.speed }), speed, speedNote),
      el("label", { class: "inline" }, el("span", { text: tp.translate(FIELDS.seed.title) }), seedBox),
      reseed,
    ]),
    verdict,
    room,
    el("p", { class: "hint keys", text: TEXT.textKeys }),
  ]),
  el("div", { class: "columns" }, [
    el("section", { class: "next" }, [
      el("h3", { text: TEXT.next }),
      el("p", { class: "hint", text: TEXT.nextNote }),
      el("div", { class: "settings" }, SLIDERS.map(slider)),
      el("p", { class: "legend" }, [
        el("span", {}, el("i", { class: "swatch before" }), TEXT.legendBefore),
        el("span", {}, el("i", { class: "swatch after" }), TEXT.legendAfter),
        neutral,
      ]),
      upcoming,
      el("div", { class: "list-head", "aria-hidden": "true" }, [
        el("span", { text: TEXT.columns[0] }),
        el("span"),
        el("span", { class: "number", text: TEXT.columns[1] }),
        el("span", { class: "number", text: TEXT.columns[2] }),
        el("span"),
      ]),
      list,
      el("div", { class: "foot" }, [
        el("p", { class: "hint keys", text: TEXT.listKeys }),
        tp.saveBar({ figure: listFigure, rows: () => listRows(), name: () => FILES.list }),
      ]),
      removal,
      entropy,
    ]),
    el("div", { class: "aside" }, [
      el("section", { class: "branches" }, [
        el("div", { class: "heading" }, el("h3", { text: TEXT.tree }), prune),
        el("p", { class: "hint", text: TEXT.treeNote }),
        treeFrame,
        el("div", { class: "foot" }, [
          el("p", { class: "hint keys", text: TEXT.treeKeys }),
          tp.saveBar({ figure: () => treeFrame, rows: () => treeRows(), name: () => FILES.tree }),
        ]),
        treeHint,
      ]),
      el("section", { class: "cache" }, [
        el("h3", { text: TEXT.cache }),
        el("p", { class: "hint", text: TEXT.cacheNote }),
        cacheFrame,
        el("div", { class: "foot" }, cacheLegend, tp.saveBar({ figure: () => cacheFrame, name: () => FILES.cache })),
        el("div", { class: "table-frame" }, costTable),
        saved,
        proof,
        chartFrame,
        el("div", { class: "foot" }, [
          el("span"),
          tp.saveBar({ figure: () => chartFrame, rows: () => costRows(), name: () => FILES.cost }),
        ]),
      ]),
    ]),
  ]),
);
list.append(rows);
root.append(
  el("h2", { text: TEXT.title }),
  el("p", { class: "intro", text: TEXT.intro }),
  form,
  waiting,
  main,
  offstage,
);

/* ------------------------------------------------------------------ what the learner does */

function restartWith(/** @type {string} */ prompt) {
  if (!props.run) return;
  pristine = false;
  promptBox.value = prompt;
  open({ run: props.run, step: text.run ? text.step : null, prompt });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  restartWith(promptBox.value);
});
promptBox.addEventListener("input", drawUse);
promptBox.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    restartWith(promptBox.value);
  }
});

stepSlider.addEventListener("input", () => choose(Number(stepSlider.value)));

/** Another step of training writes on from the same prompt. */
function choose(/** @type {number} */ place) {
  if (!text.run) return;
  pristine = false;
  const chosen = text.steps[place];
  drawStepNote(chosen);
  open({
    run: text.run,
    step: chosen,
    prompt: text.prompt,
    ahead: auto?.at === at ? null : Math.min(tp.MAX_IDS, written(at).length),
  });
}

async function userStep() {
  stop();
  if (await step()) tp.say(TEXT.announce(piece(nodes[at].token), percent(nodes[at].record.before)));
}
function togglePlay() {
  return playing ? stop() : play();
}
function goBack() {
  stop();
  if (text.run && at !== 0) go(nodes[at].parent ?? 0);
}
function goHome() {
  stop();
  if (text.run && at !== 0) go(0);
}

speed.addEventListener("input", drawButtons);
seedBox.addEventListener("change", () => change({ seed: allowed("seed", seedBox.valueAsNumber) }));

/** The part of this kind that an event happened in.
 *
 * @param {Event} event
 * @param {string} selector
 * @returns {HTMLElement | null} */
const partOf = (event, selector) => /** @type {Element} */ (event.target).closest(selector);

line.addEventListener("click", (event) => {
  const holder = partOf(event, ".holder");
  const found = shownLine.find((shown) => shown.holder === holder);
  if (!found) return;
  stop();
  if (found.node !== at) go(found.node);
});
line.addEventListener("keydown", (event) => {
  /** @type {{ [key: string]: () => unknown }} */
  const actions = { ArrowRight: userStep, ArrowLeft: goBack, " ": togglePlay, Home: goHome };
  const action = actions[event.key];
  if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  action();
});

list.addEventListener("scroll", drawRows, { passive: true });
list.addEventListener("click", (event) => {
  const row = partOf(event, ".choice");
  if (!row || now.place !== at) return; // the rows of another place, which are about to be redrawn
  stop();
  step(Number(row.dataset.token));
});
list.addEventListener("keydown", (event) => {
  if (now.place !== at) return;
  const page = Math.max(1, Math.floor(list.clientHeight / ROW) - 1);
  /** @type {{ [key: string]: number }} */
  const moves = {
    ArrowDown: active + 1,
    ArrowUp: active - 1,
    PageDown: active + page,
    PageUp: active - page,
    Home: 0,
    End: now.order.length - 1,
  };
  if (event.key in moves) moveTo(moves[event.key]);
  else if (event.key === "Enter" || event.key === " ") {
    stop();
    step(now.order[active]);
  } else return;
  event.preventDefault();
});

treeFrame.addEventListener("click", (event) => {
  const id = partOf(event, "[data-node]")?.dataset.node;
  if (id === undefined) return;
  stop();
  go(Number(id));
});
treeFrame.addEventListener("keydown", (event) => {
  const id = partOf(event, "[data-node]")?.dataset.node;
  if (id === undefined) return;
  const node = nodes[Number(id)];
  /** @type {{ [key: string]: () => unknown }} */
  const moves = {
    ArrowLeft: () => focusNode(node.parent ?? 0),
    ArrowRight: () => focusNode(node.children[0] ?? node.id),
    ArrowUp: () => focusNode(neighbour(node.id, -1)),
    ArrowDown: () => focusNode(neighbour(node.id, 1)),
    Home: () => focusNode(0),
    Enter: () => go(node.id),
    " ": () => go(node.id),
  };
  if (!(event.key in moves)) return;
  event.preventDefault();
  stop();
  moves[event.key]();
});

new IntersectionObserver((entries) => {
  onScreen = entries.at(-1)?.isIntersecting ?? onScreen;
  compare();
}).observe(cacheFrame.parentElement ?? cacheFrame);

let drawnWidth = 0;
new ResizeObserver(() => {
  const width = root.clientWidth;
  if (!text.run || !width || width === drawnWidth) return;
  drawnWidth = width;
  widths.clear();
  drawRows();
  drawTree();
  drawCache();
}).observe(root);

/* ------------------------------------------------------------------ the run */

function follow() {
  const run = props.run;
  if (!run) return;
  if (linked && (linked.run ?? run) !== run) return; // nothing is written that no link asked for
  if (pristine) {
    const { settings: wanted, ...rest } = asked(linked ?? undefined);
    linked = null;
    settings = { ...DEFAULTS, ...wanted };
    drawSettings();
    open({ run, ...rest, quiet: false });
    return;
  }
  if (text.run === run) return;
  const own = text.run && !text.examples.includes(text.prompt) ? text.prompt : null;
  open({ run, prompt: own, quiet: true });
}

const WAITS_MS = 20_000;

/* A lesson or the first screen opens this tab: what it asks for takes the place of all that was here, and waits for
 * the run that it names. */
tp.lessons.linked("generate", (link) => {
  stop();
  pristine = true;
  linked = link;
  setTimeout(() => {
    if (linked !== link) return;
    linked = null; // its run has not come
    follow();
  }, WAITS_MS);
  if ((link.run ?? props.run) === props.run) follow();
});

watch("run", follow);
drawSettings();
drawButtons();
if (!linked && !opening) follow();

let away = false;
new IntersectionObserver((entries) => (away ||= !entries.at(-1)?.isIntersecting)).observe(root);

/** A run that trains gets new checkpoints: the slider grows, and a run that had none opens. Whoever was on another tab
 * meanwhile, and had touched nothing here, finds the newest. */
tp.poll(
  async () => {
    const run = props.run;
    if (!run || opening || root.hasAttribute("data-elsewhere")) return;
    const answer = await server.checkpoints(run);
    if (answer.error || run !== props.run || opening) return;
    const back = away;
    away = false;
    const grown = text.step === text.steps.at(-1) && text.step !== answer.steps.at(-1);
    if (!text.run || (text.run === run && back && grown && pristine)) {
      if (answer.steps.length) follow();
    } else if (text.run === run) {
      // The step that is looked at stays in the slider, also when its checkpoint has been pruned.
      const steps = [...new Set([...answer.steps, text.step])].sort((a, b) => a - b);
      if (steps.join() === text.steps.join()) return;
      text.steps = steps;
      drawSteps();
      address.save();
    }
  },
  { hz: 0.5, hidden_hz: 0.1, element: root },
);
