/* The first screen: a trained model writes, one word at a time, until the visitor takes over.
 *
 * `seen` is what the server's `look` answered for one sentence: a forward pass. All that is drawn follows from it.
 * While `writing`, one of the guesses is drawn by its probability and appended, and the sentence is looked at
 * again. A story that ends is followed by another, unless its beginning is the visitor's own: that one can be written
 * again. Typing, a click on a word or a guess, and Pause stop the writing. What is typed counts at once: whatever is
 * pressed before it has been looked at goes on from it, and an answer about an older text is dropped. Nothing moves while the page or this tab is hidden, or for
 * visitors who want no motion, until they press the button.
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
const go = (tab, text, kind) =>
  el("button", { type: "button", class: kind, id: `home-${tab}`, text, on: { click: () => open(tab) } });

root.replaceChildren(
  el("header", {}, el("h2", { text: TEXT.title }), el("p", { text: TEXT.intro })),
  el(
    "section",
    { class: "story" },
    el("label", { for: "home-text", text: TEXT.own }),
    el("div", { class: "own" }, page.input, page.play),
    el(
      "p",
      { class: "examples" },
      el("span", { text: TEXT.begin }),
      TEXT.examples.map((text) =>
        el("button", { type: "button", class: "example", text, on: { click: () => begin(text) } }),
      ),
    ),
    el("p", { class: "wait", role: "status", text: TEXT.wait }),
    page.caption,
    sentence,
    page.note,
  ),
  el(
    "section",
    { class: "model" },
    page.picture,
    el("h3", { id: "home-guesses", text: TEXT.guesses }),
    page.guesses,
    el("p", { class: "caption", text: TEXT.take }),
  ),
  el(
    "nav",
    { class: "ways" },
    go("train", TEXT.train, "tp-button primary"),
    go("learn", TEXT.learn, "tp-button"),
    el(
      "span",
      { class: "others" },
      go("generate", TEXT.generate, "tp-button quiet"),
      go("inside", TEXT.inside, "tp-button quiet"),
      go("translate", TEXT.translate, "tp-button quiet"),
    ),
  ),
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

/** Look at a sentence, and at a guess that follows it. True when it is drawn: nothing newer was asked for, and the model could read some of it. */
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

/* ------------------------------------------------------------------ drawing */

const shown = (/** @type {string} */ piece) => (piece.includes("\n") ? TEXT.storyEnds : piece.trim() || TEXT.space);

/** A token of the sentence, for people: of a word that is spelled, the word. */
function wordAt(/** @type {number} */ i) {
  const spelled = (/** @type {number} */ j) => seen.known[j] === false && seen.pieces[j].trim() !== "";
  let [first, last] = [i, i];
  if (seen.known[i] === false && !spelled(i)) first = last = i + 1; // the space before it
  if (!spelled(first)) return shown(seen.pieces[i]);
  while (spelled(first - 1)) first -= 1;
  while (spelled(last + 1)) last += 1;
  return seen.pieces.slice(first, last + 1).join("");
}
const last = () => seen.pieces.length - 1;
/** @param {number} query @param {number} key */
const weight = (query, key) => weights[query * seen.pieces.length + key] / 255;

/** Words that a token looks at, but for itself, the strongest first; `shares` are its weights.
 *
 * @param {number} query @param {number} most */
function looked(query, most, shares = weights.subarray(query * seen.pieces.length)) {
  return seen.pieces
    .map((_, key) => ({ word: wordAt(key), key, share: key < query ? shares[key] / 255 : 0 }))
    .filter(({ share }) => share >= LEAST)
    .sort((a, b) => b.share - a.share)
    .slice(0, most);
}

/** The words behind these tokens, each once, as [word, share].
 *
 * @param {number} query @param {number} most @param {Uint8Array<ArrayBuffer>} [shares] */
function lookedAt(query, most, shares) {
  /** @type {Map<string, number>} */
  const found = new Map();
  for (const { word, share } of looked(query, seen.pieces.length, shares))
    if (word !== wordAt(query) && !found.has(word)) found.set(word, share);
  return [...found].slice(0, most);
}

function show() {
  if (document.activeElement !== page.input) {
    page.input.value = seen.text;
    page.input.scrollLeft = page.input.scrollWidth;
  }
  const unknown = seen.unknown.length
    ? TEXT.unknown(tp.series(seen.unknown.map(TEXT.quoted)), seen.unknown.length)
    : "";
  const dropped = seen.dropped.length ? TEXT.dropped(tp.series(seen.dropped.map(TEXT.quoted))) : "";
  tp.put(page.note, tp.sentences([unknown, dropped]));
  showWords();
  showLines();
  showPicture();
  showGuesses();
  Object.assign(root.dataset, { ready: "true", tokens: seen.pieces.length, text: seen.text });
}

/** @returns {HTMLElement[]} */
const wordNodes = () => /** @type {HTMLElement[]} */ ([...page.words.children]);

/** One button a token; those that stay are kept, so that nothing blinks. */
function showWords() {
  const nodes = wordNodes();
  seen.pieces.forEach((piece, i) => {
    const node = nodes[i] ?? page.words.appendChild(el("button", { type: "button", class: "word" }));
    node.className = seen.known[i] ? "word" : "word unknown";
    node.classList.toggle("joined", i > 0 && !/^\s/.test(piece) && tp.language === "en");
    tp.put(node, seen.known[i] ? shown(piece) : piece.trim() || "\u00a0");
    node.dataset.word = String(i);
    node.tabIndex = i === last() ? 0 : -1;
  });
  nodes.slice(seen.pieces.length).forEach((node) => node.remove());
}

const SVG_RISE = 6;

/** From each word that is looked at to the one that looks. */
function showLines() {
  const query = state.query ?? last();
  const words = wordNodes();
  const places = words.map((node) => ({
    x: node.offsetLeft + node.offsetWidth / 2,
    top: node.offsetTop,
    bottom: node.offsetTop + node.offsetHeight,
  }));
  const from = places[query];
  const paths = looked(query, words.length)
    .reverse()
    .map(({ key, share }) => {
      const to = places[key];
      const rise = Math.min(30, SVG_RISE + Math.abs(from.x - to.x) * 0.07);
      const d =
        from.top === to.top
          ? `M${from.x},${from.top} C${from.x},${from.top - rise} ${to.x},${to.top - rise} ${to.x},${to.top}`
          : `M${from.x},${from.top} C${from.x},${from.top - 22} ${to.x},${to.bottom + 22} ${to.x},${to.bottom}`;
      const path = el("path", { d, pathLength: 1 });
      path.style.strokeWidth = (1 + 5 * share).toFixed(2);
      path.style.strokeOpacity = (0.25 + 0.7 * Math.sqrt(share)).toFixed(2);
      return path;
    });
  page.lines.style.height = `${page.words.offsetHeight}px`;
  page.lines.replaceChildren(...paths);
  words.forEach((node, key) => {
    node.style.setProperty("--weight", key < query ? weight(query, key).toFixed(3) : "0");
    node.classList.toggle("query", key === query);
    node.setAttribute("aria-pressed", String(key === state.query));
  });
  const others = lookedAt(query, 2).map(([word]) => word);
  const parts = others.length
    ? TEXT.looks(wordAt(query), others).map(([kind, text]) => (kind ? el("b", { text }) : text))
    : [TEXT.alone];
  page.caption.replaceChildren(...parts);
  root.dataset.query = String(query);
}

/** The last token's vector as a row of colours, before the blocks and after each of them. */
function strip(/** @type {number} */ stage) {
  const width = stream.length / seen.stages;
  const values = stream.subarray(stage * width, (stage + 1) * width);
  const most = values.reduce((high, value) => Math.max(high, Math.abs(value)), 1e-9);
  const cells = Array.from(values, (value, i) => {
    const cell = el("rect", { x: i, y: 0, width: 1.02, height: 4 });
    cell.style.fill = `rgb(${tp.diverge(value / most).join(" ")})`;
    return cell;
  });
  return el(
    "svg",
    { class: "strip", viewBox: `0 0 ${width} 4`, preserveAspectRatio: "none", "aria-hidden": "true" },
    cells,
  );
}
let stream = new Float32Array();

function showPicture() {
  stream = tp.floats(seen.stream);
  const word = el("span", { class: "token", translate: "no", text: wordAt(last()) });
  const reads = tp.bytes(seen.reads); // (L, T)
  const steps = Array.from({ length: seen.stages - 1 }, (_, block) => {
    const shares = reads.subarray(block * seen.pieces.length);
    const chips = lookedAt(last(), 3, shares).map(([other, share]) => {
      const chip = el("span", { class: "token", translate: "no", text: other });
      chip.style.setProperty("--weight", share.toFixed(3));
      return chip;
    });
    return el(
      "li",
      {},
      el("p", {}, el("span", { text: TEXT.back(block + 1, chips.length > 0) }), chips),
      strip(block + 1),
    );
  });
  page.picture.replaceChildren(
    el(
      "ol",
      { "aria-label": TEXT.picture },
      el("li", {}, el("p", {}, el("span", { text: TEXT.goesIn }), word, el("span", { text: TEXT.numbers })), strip(0)),
      steps,
    ),
  );
}

/** Whole percents: the bars say the rest. */
const percent = (/** @type {number} */ share) =>
  share < 0.01 ? "< 1 %" : share > 0.99 && share < 1 ? "> 99 %" : `${Math.round(100 * share)} %`;

function showGuesses() {
  page.guesses.replaceChildren(
    ...seen.guesses.map(({ piece, share }) => {
      const bar = el("span", { class: "bar" });
      bar.style.width = `${100 * share}%`;
      const button = el(
        "button",
        { type: "button", "aria-label": TEXT.guess(shown(piece), percent(share)), on: { click: () => taken(piece) } },
        el("span", { class: piece.trim() ? "guess" : "guess end", translate: "no", text: shown(piece) }),
        el("span", { class: "track" }, bar),
        el("span", { class: "share", text: percent(share) }),
      );
      return el("li", {}, button);
    }),
  );
}

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

/* ------------------------------------------------------------------ the words, by mouse and by keys */

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
  const node = page.words.children[at];
  if (!(node instanceof HTMLElement)) return;
  event.preventDefault();
  for (const word of page.words.children) if (word instanceof HTMLElement) word.tabIndex = word === node ? 0 : -1;
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
