/* What was written, and how it goes on. */
/** @typedef {{ title: string, description: string, type: string, default: number, examples: number[],
 *   step?: number }} Described */
/** @typedef {Described & { minimum?: number, maximum?: number, exclusiveMaximum?: number }} Field */
/** JSON Schema of the sampler's fields: engine/generation/sampler.py. @type {{ [name: string]: Field }} */
const FIELDS = props.fields;
const DEFAULTS = Object.fromEntries(Object.entries(FIELDS).map(([name, field]) => [name, field.default]));
const SLIDERS = Object.keys(FIELDS).filter((name) => "step" in FIELDS[name]);
const OFF = Object.fromEntries(SLIDERS.map((name) => [name, DEFAULTS[name]]));

/** The smallest and the largest number that a field can be. */
const low = (/** @type {Field} */ { minimum, step }) => minimum ?? step ?? 0; // above 0: one step
const high = (/** @type {Field} */ { maximum, exclusiveMaximum }) => maximum ?? (exclusiveMaximum ?? Infinity) - 1;

/** What was typed, as a number that the field can be.
 *
 * @param {string} name @param {number} value */
function allowed(name, value) {
  const field = FIELDS[name];
  if (!Number.isFinite(value)) return field.default;
  return Math.min(Math.max(field.type === "integer" ? Math.round(value) : value, low(field)), high(field));
}
const SPEEDS = [1, 2, 4, 8, 16, 0]; // tokens a second; 0: no pause between them

/** @typedef {Answers.Record & Partial<Answers.Comparison>} Cost */
/** @typedef {{ id: number, parent: number | null, token: number, record: Cost, children: number[] }} Written */
/** @typedef {Answers.Opened & { shown: string[], promptTokens: number[] }} Text */
/** @type {Answers.Distribution} */
const NO_CHOICE = { before: "", after: "", removed: "", entropy: [0, 0], drawn: 0 };
/** @type {Text} */
const NO_TEXT = {
  ...{ run: "", name: "", step: 0, steps: [], prompt: "", examples: [], right: null, end: null, pieces: [] },
  ...{ context: 0, layers: 0, alone: true, kv_heads: 0, head_dim: 0, limit: 0, tokens: [], records: [] },
  ...{ now: NO_CHOICE, shown: [], promptTokens: [] },
};

let text = NO_TEXT;
/** @type {Written[]} */
let nodes = [];
let at = 0;
let now = decoded(NO_CHOICE, -1);
let settings = { ...DEFAULTS };
/** @type {{ at: number, settings: string } | null} */
let auto = null; // the node and settings that a reload would come to by itself
let playing = false;
let stepping = false;
let pristine = true; // nothing was touched yet: what the address says still holds
let epoch = 0; // counts texts that were opened, so that late answers are known
let active = 0; // the row of the list that the keyboard is on
let focused = 0; // the node of the tree that the keyboard is on

/* ------------------------------------------------------------------ the server */

const call = tp.asker(server, () => TEXT.offline);
/** @type {Promise<unknown>} */
let queue = Promise.resolve();

/** Ask the server, one question after the other. Answers null, and says why, when there is no answer.
 *
 * @template {Answer} Found @param {() => Promise<Found>} question @returns {Promise<Found | null>} */
async function ask(question) {
  const asked = queue.then(question);
  queue = asked;
  const answer = await asked;
  if (answer.error === undefined) return answer;
  complain(answer.error, answer.tab);
  return null;
}

/** @param {string | null} problem @param {string | null} [tab] */
function complain(problem, tab = null) {
  message.textContent = problem ?? "";
  tp.elsewhere(root, message, problem ?? "", tab);
  if (problem && !tab) root.dataset.problem = "true";
  else delete root.dataset.problem;
}

/** @typedef {{ run: string, step?: number | null, prompt?: string | null, quiet?: boolean }} Place */
/** @typedef {Place & { path?: number[] | null, ahead?: number | null }} Wish */
/** @type {Wish | null} */
let wanted = null;
let opening = false;

/** Open a prompt at a step of the run: the newest wish wins.
 *
 * `quiet`: where the prompt does not fit this run, its own example is opened without a complaint.
 */
async function open(/** @type {Wish} */ request) {
  wanted = request;
  stop();
  if (opening) return;
  opening = true;
  waiting.hidden = Boolean(text.run);
  root.dataset.busy = "true";
  while (wanted) {
    const { run, step = null, prompt = null, path = null, ahead = null, quiet = false } = wanted;
    wanted = null;
    epoch += 1;
    complain(null);
    let answer = await ask(() => call("begin", run, step, prompt, settings, path, path ? 0 : ahead));
    const problem = message.textContent;
    const empty = text.run !== run;
    if (!answer && !wanted && empty && (step !== null || prompt !== null)) {
      // A link of which something does not fit: open what does, and say what does not.
      answer = await ask(() => call("begin", run, null, null, settings, null, null));
      if (answer) complain(quiet ? null : problem);
      if (answer && !quiet && prompt !== null) promptBox.value = prompt;
    }
    if (wanted) continue;
    if (answer) opened(answer, { keep: Boolean(message.textContent), asked: ahead, path });
    else if (empty) closed();
  }
  opening = false;
  delete root.dataset.busy;
  compare();
}

function opened(
  /** @type {Answers.Opened} */ answer,
  /** @type {{ keep: boolean, asked: number | null, path: number[] | null }} */ { keep, asked, path },
) {
  const { records, tokens } = answer;
  text = { ...answer, shown: answer.pieces.map(tp.visible), promptTokens: tokens.slice(0, records[0].length) };
  nodes = [];
  at = add(null, records[0]);
  for (const record of records.slice(1)) at = add(at, record);
  focused = at;
  now = decoded(answer.now, at);
  active = now.rank[now.drawn];
  auto = path || asked !== null ? null : { at, settings: JSON.stringify(settings) };
  if (!keep) promptBox.value = text.prompt;
  controls.top_k.range.max = String(Math.min(text.pieces.length, Math.max(...FIELDS.top_k.examples)));
  waiting.hidden = true;
  main.hidden = false;
  list.scrollTop = 0;
  drawExamples();
  drawSteps();
  drawSettings();
  drawAll();
  root.dataset.ready = "true";
}

/** There is nothing to show, and the message says why. */
function closed() {
  text = NO_TEXT;
  waiting.hidden = main.hidden = true;
  root.dataset.ready = "false";
  examples.replaceChildren();
  stepNote.textContent = "";
}

/** @param {Answers.Distribution} answer @param {number} place */
function decoded(answer, place) {
  const before = tp.floats(answer.before);
  const order = Uint32Array.from(before.keys());
  order.sort((a, b) => before[b] - before[a] || a - b);
  const rank = new Uint32Array(order.length);
  order.forEach((token, i) => (rank[token] = i));
  return {
    place,
    before,
    order,
    rank,
    after: tp.floats(answer.after),
    removed: tp.bytes(answer.removed),
    entropy: answer.entropy,
    drawn: answer.drawn,
    most: 1, // the largest probability
  };
}

/* ------------------------------------------------------------------ the tree of what was written */

/** @param {number | null} parent @param {Cost} record */
function add(parent, record) {
  const id = nodes.length;
  nodes.push({ id, parent, token: record.token, record, children: [] });
  if (parent !== null) nodes[parent].children.push(id);
  return id;
}

/** From the prompt (node 0) to a node. */
function pathTo(/** @type {number} */ id) {
  const path = [];
  /** @type {number | null} */
  let node = id;
  for (; node !== null; node = nodes[node].parent) path.push(node);
  return path.reverse();
}

const written = (/** @type {number} */ id) =>
  pathTo(id)
    .slice(1)
    .map((node) => nodes[node].token);
const tokensAt = (/** @type {number} */ id) => [...text.promptTokens, ...written(id)];

/** Write one token from where the page stands: the drawn one, or the one given. True if it was written.
 *
 * @param {number | null} [token] */
async function step(token = null) {
  if (!text.run || stepping || opening) return false;
  if (nodes[at].record.length >= text.limit) {
    complain(TEXT.limit(text.limit));
    return false;
  }
  pristine = false;
  stepping = true;
  const from = at;
  const mine = epoch;
  try {
    const answer = await ask(() => call("advance", text.run, text.step, tokensAt(from), settings, token));
    if (!answer || mine !== epoch || at !== from) return false;
    complain(null);
    const known = nodes[from].children.find((child) => nodes[child].token === answer.record.token);
    at = known ?? add(from, answer.record);
    focused = at;
    now = decoded(answer.now, at);
    active = now.rank[now.drawn];
    list.scrollTop = 0;
    drawAll();
    return true;
  } finally {
    stepping = false;
  }
}

/** Stand on another node; its distribution comes from the logits that the server stored. */
function go(/** @type {number} */ id) {
  pristine = false;
  at = id;
  focused = id;
  complain(null);
  drawAll();
  reweigh();
}

let reweighing = false;
let again = false;

/** The distribution for the node and settings of now; while one answer is awaited, only the newest wish is kept. */
async function reweigh() {
  again = true;
  if (reweighing) return;
  reweighing = true;
  while (again && text.run) {
    again = false;
    const place = at;
    const mine = epoch;
    const answer = await ask(() => call("reweigh", text.run, text.step, tokensAt(place), settings));
    if (!answer || mine !== epoch || place !== at) continue;
    const moved = now.place !== place;
    now = decoded(answer.now, place);
    active = now.rank[now.drawn];
    if (moved) list.scrollTop = 0;
    drawNow();
  }
  reweighing = false;
}

function change(/** @type {{ [field: string]: number }} */ values) {
  pristine = false;
  settings = { ...settings, ...values };
  drawSettings();
  address.save();
  if (text.run) reweigh();
}

async function play() {
  if (playing || !text.run) return;
  playing = true;
  drawButtons();
  while (playing) {
    const began = performance.now();
    const place = at;
    if (!(await step())) {
      if (stepping || opening || at !== place) {
        await sleep(30); // the learner was quicker: go on from where they are
        continue;
      }
      break;
    }
    if (nodes[at].token === text.end) break;
    const rate = SPEEDS[Number(speed.value)];
    if (rate) await sleep(Math.max(0, 1000 / rate - (performance.now() - began)));
  }
  stop();
}

function stop() {
  playing = false;
  drawButtons();
  compare();
}

const sleep = (/** @type {number} */ ms) => new Promise((done) => setTimeout(done, ms));
