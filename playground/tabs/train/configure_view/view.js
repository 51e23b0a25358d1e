/* The form that configures a run. What it shows is data: `props.layout` is JSON text of its sections (see
 * controls.py), cards (see cards.py), presets [{name, title, layer, about, values}] and sources [{value, group, title,
 * about, and of a task size, smallest, largest}].
 *
 * The learner's choice is a preset, the fields that differ from it, and perhaps a checkpoint to start from. At
 * every move the server is asked what there is to say about it, `server.describe(choice)`: what is wrong with
 * which field, the name, the costs, and the picture of the model, which goes to the view `props.picture`;
 * `props.answer` is what it says of the first preset, `props.limits` what this host allows, where that is limited.
 * The server sets another choice through `props.choice`, and says a sentence through `props.said`. A text of one's own
 * stays in the browser until Start. `server.going(ids)` are those of this browser's runs that train, `server.halt(run)`
 * stops one. Event: "start" {choice, text, own: the ids of this browser's runs}.
 *
 * In sight are four things: what to learn, a size, Start, and the button that opens all settings.
 *
 * The choice is in the page's address too, as "preset" and "c.FIELD", where it differs from the defaults. An address
 * with neither means the stories of the visitor's language.
 */

const { el, number } = tp;
const SAID = ["label", "help", "empty", "title", "about", "layer", "group", "size"]; // to people
/** @typedef {{ name: string, title: string, layer: string, about: string,
 *   values: { [field: string]: Value | number[] } }} Preset */
/** @typedef {{ value: string, group: string, title: string, about: string, size?: string, smallest?: number,
 *   largest?: number }} Source */
/** @typedef {{ preset: string, source: string | null, picture: string, title: string, about: string }} Card */
/** @type {{ sections: Section[], presets: Preset[], sources: Source[], cards: Card[] }} */
const layout = JSON.parse(props.layout, (key, told) => (SAID.includes(key) ? tp.translate(told) : told));
/** Values as the controls hold them: a list is text with commas. */
const flat = (/** @type {{ [field: string]: Value | number[] }} */ values) =>
  Object.fromEntries(
    Object.entries(values).map(([name, wanted]) => [name, Array.isArray(wanted) ? wanted.join(",") : wanted]),
  );
const form = element.querySelector(".configure");
const named = layout.presets.map((preset) => ({ ...preset, values: flat(preset.values) }));
const presets = new Map(named.map((preset) => [preset.name, preset]));
const sources = new Map(layout.sources.map((source) => [source.value, source]));
const DEFAULT = named[0].name;
const SHOWN = tp.language === "zh" ? "stories-zh" : "stories-words"; // what the first screen's model has learned
const FIRST = presets.has(SHOWN) ? SHOWN : DEFAULT;
/** @typedef {{ name: string, widths: Values, values: Values, parameters: number | null, seconds: number | null,
 *   ready: boolean }} Size */
/** @typedef {{ preset: string, changes: Values, fork: { run: string, step: number, name: string } | null }} Choice */
/** @typedef {{ preset: string, changes: Values, link: true }} Linked  what an address asks for */
/** @typedef {{ ready: boolean, name: string, problems: { [field: string]: string }, remedies: Values,
 *   obstacles: string[] }} Verdict */
/** @typedef {{ refused: [field: string, given: string, why: string][], auto: Values, command: string | null,
 *   sizes: Size[] }} Detail */
/** @typedef {Verdict & Detail & { costs: { [name: string]: number | null } | null, choice?: Choice,
 *   spec?: object }} Described */
/** @type {Map<string, DrawnRow>} */
const rows = new Map();
/** @type {Choice} */
const choice = { preset: FIRST, changes: {}, fork: null };
/** @type {Described} */
let answer = props.answer;
let text = "";
/** @type {ReturnType<typeof factsOf> | null} */
let facts = null;

/* ---------------------------------------------------------------- the choice */

const preset = () => presets.get(choice.preset) ?? named[0];
const value = (/** @type {string} */ name) => (name in choice.changes ? choice.changes[name] : preset().values[name]);

/** @param {string} name @param {Value} wanted */
const set = (name, wanted) => setAll({ [name]: wanted });
const restore = (/** @type {string} */ name) => set(name, preset().values[name]);

function setAll(/** @type {Values} */ wanted) {
  if (link) Object.assign(meanwhile, wanted);
  for (const [name, one] of Object.entries(wanted)) {
    if (one === preset().values[name]) delete choice.changes[name];
    else choice.changes[name] = one;
  }
  render();
  send();
}

function choosePreset(/** @type {string} */ name, changes = {}) {
  link = null; // what is chosen now takes the place of a link that is still on its way
  Object.assign(choice, { preset: name, changes: {}, fork: null });
  setAll(changes);
}

function remember() {
  const usual = Object.keys(choice.changes).length ? DEFAULT : FIRST; // what an address without a preset means
  /** @type {Values} */
  const wanted = { preset: choice.preset === usual ? null : choice.preset };
  for (const name of rows.keys()) {
    const changed = name in choice.changes;
    wanted[`c.${name}`] = changed ? (choice.changes[name] ?? "") : null;
  }
  for (const name of new URLSearchParams(location.search).keys()) {
    if (name.startsWith("c.") && !(name in wanted)) wanted[name] = null; // of a link that asked for more
  }
  tp.url.set(wanted);
}

/* ---------------------------------------------------------------- the form: what to learn, and a size */

const rough = (/** @type {number} */ seconds) => tp.duration(seconds, { rough: true });
const notes = el("div", { class: "notes", id: "link-notes", role: "status", hidden: true });
const cards = makeCards((name, source) => choosePreset(name, source === null ? {} : { source }));
const presetAbout = el("p", { class: "about", id: "preset-about" });
const presetName = el("p", { id: "preset-name" }); // in a link for a class, which has no list of presets
/** @type {HTMLSelectElement} */
const presetSelect = el(
  "select",
  { id: "preset", "aria-describedby": "preset-about", on: { change: () => choosePreset(presetSelect.value) } },
  [
    grouped(layout.presets, ({ layer }) => layer).map(([label, entries]) =>
      el("optgroup", { label }, [entries.map(({ name, title }) => el("option", { value: name, text: title }))]),
    ),
  ],
);
const presetLabel = el("label", { class: "caption", for: "preset" });
const own = ownText();
const limits = el("p", {
  class: "about",
  id: "host-limits",
  hidden: !props.limits,
  text: props.limits ? TEXT.limits(props.limits) : "",
});
const forkLine = el("p", { class: "fork", id: "fork-line" });
const sizes = makeSizes(setAll);
const resetAll = tp.button(TEXT.reset, { class: "link", id: "reset-to-preset" }, () => choosePreset(choice.preset));
const chips = el("span", { class: "chips" });
const changedLine = el("div", { class: "changed-line", role: "group", "aria-label": TEXT.differs }, chips, resetAll);

/* ---------------------------------------------------------------- all settings */

/** @type {HTMLInputElement} */
const search = el("input", {
  type: "text",
  id: "settings-search",
  placeholder: TEXT.search,
  "aria-label": TEXT.search,
  spellcheck: "false",
  on: { input: () => seek(search.value) },
});
search.addEventListener("keydown", ({ key }) => {
  if (key === "Escape") clear();
});
const none = el("p", { class: "about", role: "status", id: "settings-none" });
const code = el("code");
const copy = tp.button(TEXT.copy, { class: "link" }, async () => {
  if (!(await tp.browser.copy(code.textContent))) return getSelection()?.selectAllChildren(code);
  copy.textContent = TEXT.copied;
  tp.say(TEXT.copied);
  setTimeout(() => (copy.textContent = TEXT.copy), 1500);
});
const command = el("details", { class: "command" }, [
  el("summary", { text: TEXT.command }),
  el("pre", { tabindex: 0 }, code),
  copy,
]);
const settings = el("div", { class: "settings", id: "settings", hidden: true }, [
  search,
  none,
  ...layout.sections.map(section),
  command,
]);
const settingsButton = tp.button(
  TEXT.settings,
  { class: "tp-button", id: "all-settings", "aria-expanded": "false", "aria-controls": "settings" },
  () => open(Boolean(settings.hidden)),
);

function open(/** @type {boolean} */ shown) {
  settings.hidden = !shown;
  settingsButton.setAttribute("aria-expanded", String(shown));
  form.toggleAttribute("data-settings", shown);
}

function seek(/** @type {string} */ text) {
  sought = text.trim().toLowerCase();
  present();
}

function clear() {
  search.value = "";
  seek("");
}

/** Lead to the control of a field: open the settings, and put the focus there. */
function goTo(/** @type {string} */ name) {
  const drawn = rows.get(name)?.drawn;
  if (!drawn) return;
  open(true);
  if (sought) clear();
  const folded = drawn.closest("details");
  if (folded) folded.open = true;
  drawn.scrollIntoView({ block: "center" });
  /** @type {HTMLElement | null} */
  const entry = drawn.querySelector("input:not([type=range]), select, button:not(.ask, .undo, .link)");
  entry?.focus({ preventScroll: true });
}

/* ---------------------------------------------------------------- costs and Start */

const costs = new Map(
  Object.entries(TEXT.costs).map(([name, [, about]]) => [name, el("dd", { id: `cost-${name}`, title: about })]),
);
/** @type {{ [cost: string]: (value: number) => string }} */
const SPELL = { parameters: number, active: number, flops: number, memory: tp.size, seconds: rough };
const start = el("button", {
  type: "button",
  class: "tp-button primary",
  id: "start",
  title: TEXT.startTitle,
  "aria-keyshortcuts": "s",
  on: { click: begin },
});
const runName = el("p", { class: "run-name", id: "run-name", translate: "no" });
const reasons = el("div", { class: "problem", id: "start-problem", role: "status" });
form.append(
  notes,
  el("h2", { id: "choose-title", text: TEXT.choose }),
  el("div", { class: "choose" }, cards.node, el("div", { class: "choose-more" }, presetLabel, presetSelect)),
  presetName,
  presetAbout,
  own.drawn,
  limits,
  forkLine,
  sizes.node,
  changedLine,
  el("div", { class: "go" }, [
    el("dl", { class: "costs" }, [
      Object.entries(TEXT.costs).map(([name, [title, about]]) =>
        el("div", {}, el("dt", { text: title, title: about }), costs.get(name)),
      ),
    ]),
    start,
    runName,
    reasons,
  ]),
  settingsButton,
  settings,
);
let started = 0;
function busy(/** @type {boolean} */ on) {
  clearTimeout(started);
  started = on ? setTimeout(() => busy(false), 8000) : 0;
  start.textContent = on ? TEXT.starting : TEXT.start;
  start.disabled = on || link !== null || !answer.ready;
}
form.addEventListener("submit", (event) => event.preventDefault()); // Enter in a box is not Start

/** Start the run, if it can be; ask first where another one trains. */
async function begin() {
  wanted = false;
  if (!answer.ready || started) return;
  reasons.textContent = "";
  busy(true);
  const ids = tp.memory.read().runs;
  const others = ids.length ? await server.going(ids) : [];
  const allowed = await tp.beside(Array.isArray(others) ? others : []);
  if (allowed === null) return busy(false);
  if (allowed === "stop") for (const { id } of others) await server.halt(id);
  busy(true);
  trigger("start", { choice: { ...choice, text: facts }, text: value("source") === "text" ? text : null, own: ids });
}

/* ---------------------------------------------------------------- drawing */

/** What the learner has chosen; the server's answer comes later and is drawn by `show`. */
function render() {
  presetSelect.value = choice.preset;
  const hasCard = cards.draw(choice.preset, value("source"));
  presetName.textContent = preset().title;
  presetAbout.textContent = preset().about;
  presetAbout.hidden = hasCard; // which has its own line
  own.drawn.hidden = value("source") !== "text" || choice.fork !== null;
  tp.put(presetLabel, own.drawn.hidden ? TEXT.preset : TEXT.presetOwn);
  const changed = Object.keys(choice.changes).filter((name) => rows.has(name));
  changedLine.hidden = changed.length === 0;
  chips.replaceChildren(...changed.flatMap((name) => rows.get(name) ?? []).map(chip));
  forkLine.hidden = choice.fork === null;
  if (choice.fork) {
    forkLine.replaceChildren(
      el("span", { text: TEXT.fork(tp.runName(choice.fork), choice.fork.step) }),
      tp.button(TEXT.unfork, { class: "link" }, () => {
        choice.fork = null;
        render();
        send();
      }),
    );
  }
  for (const [name, { control, drawn, undo, help, update }] of rows) {
    update(value(name), answer.auto[name]);
    const different = name in choice.changes;
    drawn.classList.toggle("changed", different);
    undo.hidden = !different;
    if (different) {
      const before = spelled(control, preset().values[name]);
      undo.textContent = TEXT.was(before);
      undo.setAttribute("aria-label", TEXT.undo(control.label, before));
    }
    if (name === "task_length") help.textContent = sources.get(String(value("source")))?.size ?? control.help;
  }
  present();
  remember();
}

/** One field that differs from the preset: its name leads to its control, the cross takes the change back. */
function chip(/** @type {DrawnRow} */ { control }) {
  const { name } = control;
  return el("span", { class: "chip", "data-field": name }, [
    tp.button(tp.named(control.label, spelled(control, value(name))), { class: "chip-name" }, () => goTo(name)),
    tp.button(
      "×",
      { class: "chip-undo", "aria-label": TEXT.undo(control.label, spelled(control, preset().values[name])) },
      () => restore(name),
    ),
  ]);
}

/** Which controls are in sight: those that mean something, and of these what is searched for. */
function present() {
  const unused = [];
  let found = 0;
  for (const row of rows.values()) {
    const { control, drawn } = row;
    const matches = isSought(row);
    drawn.hidden = !matches || !meant(control);
    found += Number(!drawn.hidden);
    if (sought && matches && drawn.hidden) unused.push(control.label);
  }
  const changed = new Set(Object.keys(choice.changes));
  for (const fold of folds) fold(changed);
  none.hidden = !sought || (found > 0 && unused.length === 0);
  none.textContent = tp.sentences([found === 0 && TEXT.noneFound, unused.length > 0 && TEXT.unused(unused)]);
}

/** Why it cannot start: each reason names its field, leads to it, and offers the nearest value that can be.
 *
 * @param {string} name @param {string} why */
function reason(name, why) {
  const row = rows.get(name);
  const sentence = tp.named(tp.label(name), tp.translate(why));
  if (!row) return el("p", { text: sentence });
  const remedy = answer.remedies[name];
  return el("p", { "data-field": name }, [
    tp.button(sentence, { class: "link" }, () => goTo(name)),
    name in answer.remedies &&
      tp.button(TEXT.remedy(spelled(row.control, remedy)), { class: "tp-button" }, () => set(name, remedy)),
  ]);
}

/** What the server says about it. */
function show() {
  for (const [name, { drawn, complain, update }] of rows) {
    drawn.classList.toggle("wrong", name in answer.problems);
    complain(answer.problems[name]);
    update(value(name), answer.auto[name]);
  }
  present();
  const measuring = answer.costs?.seconds === null;
  const usual = sizes.draw(answer.sizes ?? [], measuring);
  form.toggleAttribute("data-costs", !usual); // else the size says it
  for (const [name, cell] of costs) {
    const cost = answer.costs?.[name] ?? null;
    // Without it, every parameter works.
    if (name === "active" && answer.costs) cell.parentElement?.toggleAttribute("hidden", cost === null);
    cell.textContent = cost !== null ? SPELL[name](cost) : answer.costs ? TEXT.measuring : TEXT.nothing;
  }
  if (measuring) later(); // the machine is being measured
  reasons.replaceChildren(
    ...(answer.ready
      ? []
      : [
          el("p", { class: "blocked", text: TEXT.blocked }),
          ...answer.obstacles.map((why) => el("p", { text: tp.translate(why) })),
          ...Object.entries(answer.problems).map(([name, why]) => reason(name, why)),
        ]),
  );
  runName.textContent = answer.ready ? tp.runName(answer) : "";
  code.textContent = answer.command ?? "";
  command.hidden = !answer.command;
  notes.hidden = answer.refused.length === 0;
  notes.replaceChildren(
    el("p", { text: TEXT.refused }),
    el("ul", {}, [
      answer.refused.map(([field, given, why]) =>
        el("li", { text: TEXT.refusal(tp.label(field), given, tp.translate(why)) }),
      ),
    ]),
  );
  if (!started) busy(false);
  form.dataset.answered = String(turn);
  form.dataset.ready = String(answer.ready);
}

addEventListener("tp-runs", later); // one has ended: the machine's speed may be another
watch("choice", () => {
  link = null;
  Object.assign(choice, { preset: props.choice.preset, changes: flat(props.choice.changes), fork: props.choice.fork });
  busy(false);
  render();
  send();
  if (!choice.fork) return;
  element.scrollIntoView({ block: "start" }); // a fork leads here: what it will do, and Start
  start.focus({ preventScroll: true });
  tp.say(forkLine.textContent);
});
watch("said", () => {
  busy(false);
  reasons.textContent = tp.translate(props.said.text);
});

/* Another view hands over what to learn from, {source, text, tokenizer, size}, and has it trained. */
form.addEventListener("learnfrom", ({ detail: { source, tokenizer, size } }) => {
  wanted = true;
  choosePreset(DEFAULT, { source, tokenizer, tokenizer_size: size });
});
/* ---------------------------------------------------------------- the beginning: a link, or the first preset */

function fromAddress() {
  /** @type {Linked} */
  const linked = { preset: "", changes: {}, link: true };
  for (const name of new URLSearchParams(location.search).keys()) {
    if (name.startsWith("c.")) linked.changes[name.slice(2)] = tp.url.get(name);
  }
  linked.preset = tp.url.get("preset") ?? (Object.keys(linked.changes).length ? DEFAULT : FIRST);
  return linked;
}

function follow(/** @type {Linked} */ linked) {
  link = linked;
  meanwhile = {};
  busy(false); // not to be started: until it is understood, that would be another run
  send();
}

/* A lesson asks for settings. */
tp.lessons.opened(({ preset: wanted }) => {
  if (wanted) follow(fromAddress());
});

const linked = fromAddress();
if (linked.preset === DEFAULT && !Object.keys(linked.changes).length) {
  render();
  show();
} else follow(linked);
