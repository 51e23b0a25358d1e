/* The first screen: a trained model writes, one word at a time, until the visitor takes over.
 *
 * `seen` is what the server's `look` answered for one sentence: a forward pass. All that is drawn follows from it.
 * While `writing`, one of the guesses is drawn by its probability and appended, and the sentence is looked at
 * again. A story that ends is followed by another, unless its beginning is the visitor's own: that one can be written
 * again. Typing, a click on a word or a guess, and Pause stop the writing. What is typed counts at once: whatever is
 * pressed before it has been looked at goes on from it, and an answer about an older text is dropped. Nothing moves
 * while the page or this tab is hidden, or for visitors who want no motion, until they press the button.
 */
const { el } = tp;
const root = element.querySelector(".home");
const ask = tp.asker(server, () => TEXT.offline);

const [LOOKED, CHOSEN] = tp.language === "zh" ? [350, 300] : [600, 400]; // a character is read sooner than a word
/* LOOKED: ms for the eye to go from the lines to the guesses. CHOSEN: ms that the chosen guess is marked before it is
 * written. */
const TYPED = 400; // ms after the last key
const ENDED = 3000; // ms between two stories
const RESTED = 250; // ms until a hidden page looks again whether it is seen
const LONG = 44; // tokens after which a story ends with its sentence ...
const LONGEST = 60; // ... or anyway
const LEAST = 0.04; // attention below it has no line
const SENTENCE_END = /[.!?。！？]["”]?$/;

const calm = matchMedia("(prefers-reduced-motion: reduce)");
/** `own` is the beginning that the visitor typed: its story is not followed by another.
 *
 * @type {{ writing: boolean, query: number | null, example: number, own: string }} */
const state = { writing: false, query: null, example: 0, own: "" };
const NOTHING = {
  pieces: [],
  known: [],
  unknown: [],
  dropped: [],
  layer: 0,
  head: 0,
  reads: "",
  stages: 0,
  guesses: [],
};
/** What the server answered last; without a run before the first answer. @type {Answers.Seen} */
let seen = { run: "", text: "", attention: "", stream: "", ...NOTHING };
let weights = new Uint8Array(); // (T, T)
/** What the visitor has typed and the model has not looked at yet. @type {string | null} */
let unread = null;
let timer = 0; // of the writing
let typing = 0; // of a pause in the typing
let asked = 0;

/* ------------------------------------------------------------------ the page */

const page = {
  input: el("input", {
    id: "home-text",
    type: "text",
    autocomplete: "off",
    spellcheck: "false",
    maxlength: 300,
    on: { input: typed, focus: entered, keydown: inputKey },
  }),
  play: el("button", { type: "button", class: "tp-button", id: "home-play", on: { click: toggle } }),
  words: el("div", { class: "words", role: "group", "aria-label": TEXT.sentence, translate: "no" }),
  lines: el("svg", { class: "lines", "aria-hidden": "true" }),
  caption: el("p", { class: "caption" }),
  note: el("p", { class: "note", role: "status" }),
  picture: el("div", { class: "passage" }),
  guesses: el("ol", { class: "guesses" }),
};
const sentence = el("div", { class: "sentence" }, page.lines, page.words);
sentence.addEventListener("focusin", () => stop());

/** @param {string} tab @param {string} text @param {string} kind */
const go = (tab, text, kind) => tp.button(text, { class: kind, id: `home-${tab}` }, () => open(tab));

root.replaceChildren(
  el("header", {}, el("h2", { text: TEXT.title }), el("p", { text: TEXT.intro })),
  el("section", { class: "story" }, [
    el("label", { for: "home-text", text: TEXT.own }),
    el("div", { class: "own" }, page.input, page.play),
    el("p", { class: "examples" }, [
      el("span", { text: TEXT.begin }),
      TEXT.examples.map((text) => tp.button(text, { class: "example" }, () => begin(text))),
    ]),
    page.note,
    el("p", { class: "wait", role: "status", text: TEXT.wait }),
    page.caption,
    sentence,
  ]),
  el("section", { class: "model" }, [
    page.picture,
    el("h3", { id: "home-guesses", text: TEXT.guesses }),
    page.guesses,
    el("p", { class: "caption", text: TEXT.take }),
  ]),
  el("nav", { class: "ways" }, [
    go("train", TEXT.train, "tp-button primary"),
    go("learn", TEXT.learn, "tp-button"),
    el("span", { class: "others" }, [
      go("generate", TEXT.generate, "tp-button quiet"),
      go("inside", TEXT.inside, "tp-button quiet"),
      go("translate", TEXT.translate, "tp-button quiet"),
    ]),
  ]),
);

/** Another tab; those that look at a run look at this one, with the sentence that stands in the box. */
function open(/** @type {string} */ tab) {
  stop();
  const text = unread ?? seen.text;
  /** @type {{ [tab: string]: { [name: string]: string } }} */
  const texts = { generate: { prompt: text, gen_path: "none" }, inside: { text } };
  if (!texts[tab] || !seen.run) return tp.tabs.open(tab);
  tp.lessons.open(String(new URLSearchParams({ tab, run: seen.run, ...texts[tab] })));
  tp.point.at(PROMISED[tab], { seconds: 3 });
}
/** What a link promises, where it is not the first thing of its tab. @type {{ [tab: string]: string }} */
const PROMISED = { generate: "#generate-list", inside: ".inside .text-figure" };

/* ------------------------------------------------------------------ writing */

/** @param {() => unknown} act @param {number} ms */
const later = (act, ms) => {
  clearTimeout(timer);
  timer = setTimeout(act, ms);
};
const hidden = () => document.hidden || root.offsetParent === null;

function setWriting(/** @type {boolean} */ writing) {
  state.writing = writing;
  root.dataset.writing = String(writing);
  const again = state.own && seen.run && over();
  tp.put(page.play, writing ? TEXT.pause : again ? TEXT.again : TEXT.write);
}

function stop() {
  clearTimeout(timer);
  setWriting(false);
  for (const row of page.guesses.children) row.classList.remove("chosen");
}

function start() {
  setWriting(true);
  state.query = null;
  turn();
}

function toggle() {
  if (state.writing) {
    stop();
    tp.say(seen.text);
  } else if (unread !== null) begin(unread, true);
  else if (seen.run && !over()) start();
  else if (state.own) begin(state.own, true);
  else begin(TEXT.examples[nextExample()]);
}

const nextExample = () => (state.example = (state.example + 1) % TEXT.examples.length);
let ended = false; // it has written that the story is over
const over = () =>
  ended || seen.pieces.length >= LONGEST || (seen.pieces.length >= LONG && SENTENCE_END.test(seen.text));

/** An index, by chance, each as likely as its share. */
function drawn(/** @type {number[]} */ shares) {
  let left = Math.random() * shares.reduce((sum, share) => sum + share, 0);
  for (const [i, share] of shares.entries()) {
    left -= share;
    if (left <= 0) return i;
  }
  return 0;
}

/** Choose one of the guesses by its probability, and write it. */
function turn() {
  if (!root.isConnected) return;
  if (hidden()) return later(turn, RESTED);
  if (over()) return end();
  const index = drawn(seen.guesses.map(({ share }) => share));
  page.guesses.children[index]?.classList.add("chosen");
  later(() => take(seen.guesses[index].piece), CHOSEN);
}

async function take(/** @type {string} */ piece) {
  if (piece.includes("\n")) return end();
  const before = seen.text;
  if (!(await look(before, piece))) return;
  if (seen.text === before)
    end(); // nothing came of it, and nothing would again
  else next();
}

function next() {
  if (state.writing) later(turn, LOOKED);
}

function end() {
  ended = true;
  if (state.own) {
    stop();
    tp.put(page.note, TEXT.ownEnd);
    return tp.say(seen.text);
  }
  tp.put(page.note, TEXT.end);
  if (state.writing) later(() => (hidden() ? later(end, RESTED) : begin(TEXT.examples[nextExample()])), ENDED);
}

/** A story from this beginning; it writes on. */
async function begin(/** @type {string} */ text, isOwn = false) {
  stop();
  state.own = isOwn ? text : "";
  if (!(await look(text))) return;
  setWriting(true);
  next();
}

/* ------------------------------------------------------------------ the visitor's own words */

function entered() {
  stop();
  page.input.select();
}

function typed() {
  stop();
  asked += 1; // an answer that is on its way is about an older text
  state.own = page.input.value.trim();
  unread = state.own || null;
  clearTimeout(typing);
  typing = setTimeout(read, TYPED);
}

function read() {
  if (unread !== null) look(unread);
}

function inputKey(/** @type {KeyboardEvent} */ event) {
  if (event.key !== "Enter" || event.isComposing || !page.input.value.trim()) return;
  begin(page.input.value, true);
}

/** Look at a sentence, and at a guess that follows it. True when it is drawn: nothing newer was asked for, and the
 * model could read some of it. */
async function look(/** @type {string} */ text, piece = "") {
  const mine = ++asked;
  clearTimeout(typing);
  const answer = await ask("look", text, tp.language, piece);
  if (mine !== asked) return false;
  if (answer.error) {
    stop();
    tp.put(page.note, answer.error);
    root.dataset.problem = "true";
    return false;
  }
  delete root.dataset.problem;
  unread = null;
  seen = answer;
  ended = false;
  weights = tp.bytes(seen.attention);
  state.query = null;
  show();
  return true;
}

/* ------------------------------------------------------------------ guesses and words, by mouse and by keys */

async function taken(/** @type {string} */ piece) {
  stop();
  if (unread !== null) return read(); // the guesses are those for an older text
  if (piece.includes("\n")) return end();
  const at = [...page.guesses.children].findIndex((row) => row.contains(document.activeElement));
  if (!(await look(seen.text, piece))) return;
  tp.say(seen.text);
  const moved = document.activeElement !== document.body; // to the box, say
  if (at >= 0 && !moved) page.guesses.children[at]?.querySelector("button")?.focus();
}

function choose(/** @type {number} */ query) {
  stop();
  state.query = state.query === query ? null : query;
  showLines();
  tp.say(page.caption.textContent);
}

page.words.addEventListener("click", (event) => {
  const node = event.target instanceof Element && event.target.closest(".word");
  if (node instanceof HTMLElement) choose(Number(node.dataset.word));
});
page.words.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
  if (step === undefined || !(event.target instanceof HTMLElement)) return;
  const at = Math.min(last(), Math.max(0, Number(event.target.dataset.word) + step));
  const words = wordNodes();
  const node = words[at];
  event.preventDefault();
  for (const word of words) word.tabIndex = word === node ? 0 : -1;
  node.focus();
});

new ResizeObserver(() => seen.run && root.offsetParent && showLines()).observe(page.words);
tp.onTheme(() => seen.run && showPicture());

setWriting(false);
tp.whenSeen(root, async () => {
  if (!(await look(TEXT.examples[0])) || calm.matches) return;
  setWriting(true);
  next();
});
