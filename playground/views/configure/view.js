/* The form that configures a run. What it shows is data: `props.layout` is JSON text of its sections (see
 * controls.py), presets [{name, title, layer, about, values}] and sources [{value, group, title, about, and of a
 * task size, smallest, largest}].
 *
 * The learner's choice is a preset, the fields that differ from it, and perhaps a checkpoint to start from. At
 * every move the server is asked what there is to say about it, `server.describe(choice)`: what is wrong with
 * which field, the name, the costs, and the picture of the model, which goes to the view `props.picture`;
 * `props.answer` is what it says of the first preset, `props.limits` what this host allows, where that is limited. The server sets another choice through `props.choice`, and
 * says a sentence through `props.said`. A text of one's own stays in the browser until Start. Event: "start"
 * {choice, text}.
 *
 * The choice is in the page's address too, as "preset" and "c.FIELD", where it differs from the defaults.
 */

const { el, number } = tp;
const SAID = ["label", "help", "empty", "title", "about", "layer", "group", "size"]; // to people
const layout = JSON.parse(props.layout, (key, told) => (SAID.includes(key) ? tp.translate(told) : told));
/** Values as the controls hold them: a list is text with commas. */
const flat = (values) =>
  Object.fromEntries(Object.entries(values).map(([name, wanted]) => [name, Array.isArray(wanted) ? wanted.join(",") : wanted]));
const form = element.querySelector(".configure");
const presets = new Map(layout.presets.map((preset) => [preset.name, { ...preset, values: flat(preset.values) }]));
const sources = new Map(layout.sources.map((source) => [source.value, source]));
const FIRST = layout.presets[0].name;
const rows = new Map();
const choice = { preset: FIRST, changes: {}, fork: null };
let answer = props.answer;
let text = "";
let facts = null;

/* ---------------------------------------------------------------- the choice */

const preset = () => presets.get(choice.preset);
const value = (name) => (name in choice.changes ? choice.changes[name] : preset().values[name]);

function set(name, wanted) {
  if (wanted === preset().values[name]) delete choice.changes[name];
  else choice.changes[name] = wanted;
  render();
  send();
}

function choosePreset(name) {
  Object.assign(choice, { preset: name, changes: {}, fork: null });
  render();
  send();
}

function remember() {
  const wanted = { preset: choice.preset === FIRST ? null : choice.preset };
  for (const name of rows.keys()) {
    const changed = name in choice.changes;
    wanted[`c.${name}`] = changed ? (choice.changes[name] ?? "") : null;
  }
  for (const name of new URLSearchParams(location.search).keys()) {
    if (name.startsWith("c.") && !(name in wanted)) wanted[name] = null; // of a link that asked for more
  }
  tp.url.set(wanted);
}

/* ---------------------------------------------------------------- asking the server */

let turn = 0;
let asking = false;
let stale = false;
let link = null; // what the address asks for, until the server has said what of it can be understood

/** Ask what there is to say about the choice: never two questions at once, and the newest at last. */
async function send() {
  stale = asking;
  if (asking) return;
  asking = true;
  form.dataset.asked = ++turn;
  try {
    told(await server.describe({ ...choice, text: facts, ...link }));
  } catch {
    later(); // the server is not there; perhaps it starts again
  }
  asking = false;
  if (stale) send();
}

let again = 0;
function later() {
  clearTimeout(again);
  again = setTimeout(send, 2000);
}

function told(news) {
  answer = news;
  if (answer.choice) {
    link = null;
    Object.assign(choice, answer.choice, { changes: flat(answer.choice.changes) }); // a link, as far as it could be understood
    render();
  }
  if (answer.spec) {
    const picture = document.querySelector(`#${props.picture} .picture`);
    picture?.dispatchEvent(new CustomEvent("spec", { detail: answer.spec }));
  }
  show();
}

/* ---------------------------------------------------------------- the form */

const notes = el("div", { class: "notes", id: "link-notes", role: "status", hidden: true });
const presetAbout = el("p", { class: "about", id: "preset-about" });
const presetName = el("p", { id: "preset-name" }); // in a link for a class, which has no list of presets
const presetSelect = el(
  "select",
  { id: "preset", "aria-describedby": "preset-about", on: { change: () => choosePreset(presetSelect.value) } },
  grouped(layout.presets, "layer").map(([label, entries]) =>
    el("optgroup", { label }, entries.map(({ name, title }) => el("option", { value: name, text: title })))),
);
const limits = el("p", { class: "about", id: "host-limits", hidden: !props.limits, text: props.limits ? TEXT.limits(props.limits) : "" });
const changedCount = el("span");
const resetAll = el("button", { type: "button", class: "link", id: "reset-to-preset", text: TEXT.reset, on: { click: () => choosePreset(choice.preset) } });
const changedLine = el("p", { class: "changed-line" }, changedCount, resetAll);
const forkLine = el("p", { class: "fork" });

form.append(
  notes,
  el("label", { class: "caption", for: "preset", text: TEXT.preset }),
  presetSelect,
  presetName,
  presetAbout,
  limits,
  forkLine,
  changedLine,
  ...layout.sections.map(section),
);

/* ---------------------------------------------------------------- costs and Start */

const costs = new Map(
  Object.entries(TEXT.costs).map(([name, [title, about]]) => [name, el("dd", { id: `cost-${name}`, title: about })]),
);
const rough = (seconds) => tp.duration(seconds, { rough: true });
const SPELL = { parameters: number, active: number, flops: number, memory: tp.size, seconds: rough };
const start = el("button", { type: "button", class: "tp-button primary", id: "start", on: { click: begin } });
const runName = el("p", { class: "run-name", id: "run-name", translate: "no" });
const reasons = el("p", { class: "problem", id: "start-problem", role: "status" });
const code = el("code");
const copy = el("button", {
  type: "button", class: "link", text: TEXT.copy,
  on: {
    click: async () => {
      if (!(await tp.browser.copy(code.textContent))) return getSelection().selectAllChildren(code);
      copy.textContent = TEXT.copied;
      tp.say(TEXT.copied);
      setTimeout(() => (copy.textContent = TEXT.copy), 1500);
    },
  },
});
form.append(
  el("details", { class: "command" }, el("summary", { text: TEXT.command }), el("pre", { tabindex: 0 }, code), copy),
  el(
    "div",
    { class: "go" },
    el("dl", { class: "costs" }, Object.entries(TEXT.costs).map(([name, [title, about]]) =>
      el("div", {}, el("dt", { text: title, title: about }), costs.get(name)))),
    start,
    runName,
    reasons,
  ),
);
let started = 0;
function busy(on) {
  clearTimeout(started);
  started = on ? setTimeout(() => busy(false), 8000) : 0;
  start.textContent = on ? TEXT.starting : TEXT.start;
  start.disabled = on || link !== null || !answer.ready;
}
form.addEventListener("submit", (event) => event.preventDefault()); // Enter in a box is not Start
function begin() {
  reasons.textContent = "";
  busy(true);
  trigger("start", { choice: { ...choice, text: facts }, text: value("source") === "text" ? text : null });
}

/* ---------------------------------------------------------------- drawing */

/** What the learner has chosen; the server's answer comes later and is drawn by `show`. */
function render() {
  presetSelect.value = choice.preset;
  presetName.textContent = preset().title;
  presetAbout.textContent = preset().about;
  const changed = new Set(Object.keys(choice.changes));
  changedLine.hidden = changed.size === 0;
  changedCount.textContent = TEXT.changed(changed.size);
  forkLine.hidden = choice.fork === null;
  if (choice.fork) {
    forkLine.replaceChildren(
      el("span", { text: TEXT.fork(choice.fork.name, choice.fork.step) }),
      el("button", { type: "button", class: "link", text: TEXT.unfork, on: { click: () => { choice.fork = null; render(); send(); } } }),
    );
  }
  for (const [name, { control, drawn, undo, help, update }] of rows) {
    update(value(name), answer.auto[name]);
    const different = changed.has(name);
    drawn.classList.toggle("changed", different);
    undo.hidden = !different;
    if (different) {
      const before = spelled(control, preset().values[name]);
      undo.textContent = TEXT.was(before);
      undo.setAttribute("aria-label", TEXT.undo(control.label, before));
    }
    drawn.hidden = !meant(control);
    if (name === "task_length") help.textContent = sources.get(value("source"))?.size ?? control.help;
  }
  fold();
  remember();
}

/** What the groups that fold show of what is in them. */
function fold() {
  const [changed, wrong] = [choice.changes, answer.problems].map((named) => new Set(Object.keys(named)));
  form.querySelectorAll("details[id^=group-]").forEach((folded) => folded.update(changed, wrong));
}

/** What the server says about it. */
function show() {
  for (const [name, { control, drawn, complain, update }] of rows) {
    drawn.classList.toggle("wrong", name in answer.problems);
    complain(answer.problems[name]);
    drawn.hidden = !meant(control);
    update(value(name), answer.auto[name]);
  }
  fold();
  for (const [name, cell] of costs) {
    const cost = answer.costs?.[name] ?? null;
    if (name === "active" && answer.costs) cell.parentElement.hidden = cost === null; // every parameter works
    cell.textContent = cost !== null ? SPELL[name](cost) : answer.costs ? TEXT.measuring : TEXT.nothing;
  }
  if (answer.costs?.seconds === null) later(); // the machine is being measured
  const elsewhere = Object.entries(answer.problems).filter(([name]) => !rows.has(name));
  const why = [...answer.obstacles.map(tp.translate), ...elsewhere.map(([name, problem]) => tp.named(name, tp.translate(problem)))];
  reasons.textContent = answer.ready ? "" : tp.sentences([TEXT.blocked, ...why]);
  runName.textContent = answer.ready ? answer.name : "";
  code.textContent = answer.command ?? "";
  form.querySelector(".command").hidden = !answer.command;
  notes.hidden = answer.refused.length === 0;
  notes.replaceChildren(
    el("p", { text: TEXT.refused }),
    el("ul", {}, answer.refused.map(([field, wanted, why]) => el("li", { text: TEXT.refusal(field, wanted, tp.translate(why)) }))),
  );
  if (!started) busy(false);
  form.dataset.answered = turn;
  form.dataset.ready = answer.ready;
}

watch("choice", () => {
  link = null;
  Object.assign(choice, { preset: props.choice.preset, changes: flat(props.choice.changes), fork: props.choice.fork });
  busy(false);
  render();
  send();
});
watch("said", () => {
  busy(false);
  reasons.textContent = tp.translate(props.said.text);
});

/* Another view hands over what to learn from: {source, text, tokenizer, size}. */
form.addEventListener("learnfrom", ({ detail: { source, tokenizer, size } }) => {
  Object.assign(choice, { preset: FIRST, changes: {}, fork: null });
  for (const [name, wanted] of Object.entries({ source, tokenizer, tokenizer_size: size })) {
    if (wanted !== preset().values[name]) choice.changes[name] = wanted;
  }
  render();
  send();
});

/* ---------------------------------------------------------------- the beginning: a link, or the first preset */

const linked = { preset: tp.url.get("preset") ?? FIRST, changes: {}, link: true };
for (const name of new URLSearchParams(location.search).keys()) {
  if (name.startsWith("c.")) linked.changes[name.slice(2)] = tp.url.get(name);
}
if (linked.preset === FIRST && !Object.keys(linked.changes).length) {
  render();
  show();
} else {
  link = linked;
  busy(false); // not to be started: until it is understood, that would be another run
  send();
}
