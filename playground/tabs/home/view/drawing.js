/* What one forward pass looks like: the words, the lines of a head, the row of numbers through the blocks, the guesses.
 * `view.js` asks for the pass, and keeps it in `seen`.
 */
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
  sentence.scrollTop = sentence.scrollHeight; // on a phone its height is fixed
  showPicture();
  showGuesses();
  Object.assign(root.dataset, { ready: "true", tokens: seen.pieces.length, text: seen.text });
}

/** @returns {HTMLElement[]} */
const wordNodes = () => /** @type {HTMLElement[]} */ ([...page.words.querySelectorAll(".word")]);

const CLOSES = /^[，。！？：；、…）》”’]/;
const OPENS = /[（《“‘]$/;

/** Whether no line may begin with this token: in English without a space before it, in Chinese a closing mark. */
function joined(/** @type {number} */ i) {
  if (i === 0) return false;
  if (tp.language === "en") return !/^\s/.test(seen.pieces[i]);
  return CLOSES.test(seen.pieces[i]) || OPENS.test(seen.pieces[i - 1]);
}

/** Put a token's button where it belongs: what stays on one line is one `.unit`.
 *
 * @param {HTMLElement} node @param {HTMLElement | undefined} before */
function place(node, before, together = false) {
  const unit = before?.parentElement;
  if (together && unit) {
    if (node.previousElementSibling !== before) unit.append(node);
  } else if (!node.parentElement || node.previousElementSibling) {
    const own = el("span", { class: "unit" }, node);
    if (unit) unit.after(own);
    else page.words.prepend(own);
  }
}

/** One button a token; those that stay are kept, so that nothing blinks. */
function showWords() {
  const nodes = wordNodes();
  seen.pieces.forEach((piece, i) => {
    nodes[i] ??= el("button", { type: "button", class: "word" });
    const node = nodes[i];
    place(node, nodes[i - 1], joined(i));
    node.className = seen.known[i] ? "word" : "word unknown";
    node.classList.toggle("joined", joined(i) && tp.language === "en");
    tp.put(node, seen.known[i] ? shown(piece) : piece.trim() || "\u00a0");
    node.dataset.word = String(i);
    node.tabIndex = i === last() ? 0 : -1;
  });
  nodes.slice(seen.pieces.length).forEach((node) => node.remove());
  for (const unit of page.words.querySelectorAll(".unit:empty")) unit.remove();
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
  return el("svg", { class: "strip", viewBox: `0 0 ${width} 4`, preserveAspectRatio: "none", "aria-hidden": "true" }, [
    cells,
  ]);
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
    return el("li", {}, [
      el("p", {}, el("span", { text: TEXT.back(block + 1, chips.length > 0) }), chips),
      strip(block + 1),
    ]);
  });
  page.picture.replaceChildren(
    el("ol", { "aria-label": TEXT.picture }, [
      el("li", {}, el("p", {}, el("span", { text: TEXT.goesIn }), word, el("span", { text: TEXT.numbers })), strip(0)),
      steps,
    ]),
  );
}

/** Whole percents: the bars say the rest. */
const percent = (/** @type {number} */ share) =>
  share < 0.01 ? "< 1%" : share > 0.99 && share < 1 ? "> 99%" : `${Math.round(100 * share)}%`;

function showGuesses() {
  page.guesses.replaceChildren(
    ...seen.guesses.map(({ piece, share }) => {
      const bar = el("span", { class: "bar" });
      bar.style.width = `${100 * share}%`;
      const button = el(
        "button",
        { type: "button", "aria-label": TEXT.guess(shown(piece), percent(share)), on: { click: () => taken(piece) } },
        [
          el("span", { class: piece.trim() ? "guess" : "guess end", translate: "no", text: shown(piece) }),
          el("span", { class: "track" }, bar),
          el("span", { class: "share", text: percent(share) }),
        ],
      );
      return el("li", {}, button);
    }),
  );
}
