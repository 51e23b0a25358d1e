/* Switching heads off: what changes stands beside the maps, where it was clicked, and in full in the panel below. */
const requestZero = asker((/** @type {Answers.ZeroAnswer & Answer} */ answer) => showZero(answer));
let clicked = false; // a head was switched at its map: what that changes is brought into view
let below = false; // it was switched in the panel, which says what that changes
const SWITCHES = 16; // heads that have a switch of their own in the panel, at most
const EFFECTS = 4; // tokens whose change stands beside the maps
let zeroFor = { query: 0, heads: zeroedHeads(), pieces: NO_FRAME.pieces };

/** @param {number} layer @param {number} head */
function toggleZero(layer, head, inPanel = false) {
  const name = `${layer}.${head}`;
  if (!state.zeroed.delete(name)) state.zeroed.add(name);
  markGrid();
  address.save();
  clicked = !inPanel;
  below = inPanel;
  refreshPanel();
}

/** @returns {[layer: number, head: number][]} */
function zeroedHeads() {
  const heads = [...state.zeroed].map((name) => /** @type {[number, number]} */ (name.split(".").map(Number)));
  return heads.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
}

function askZero() {
  const [query, heads] = [heldQuery(), zeroedHeads()];
  zeroFor = { query, heads, pieces: frame.pieces };
  const [run, step, text] = [state.run, frame.step, sent()];
  requestZero(() => call("zero", run, step, text, heads, query));
}

function showZero(/** @type {Answers.ZeroAnswer & Answer} */ answer) {
  showEffect(answer);
  if (state.panel === "zero") showZeroPanel(answer);
}

/** @param {Answers.ZeroAnswer} answer @param {boolean} some */
function lossLine(answer, some) {
  if (answer.loss_before === null) return el("p", { class: "muted", text: TEXT.lossOne });
  const [before, after] = [answer.loss_before, answer.loss_after].map((loss) => fixed(loss ?? NaN, 3));
  const difference = Number(after) - Number(before); // of the numbers that are shown
  return el("p", { class: "loss" }, [
    el("span", { class: "muted", text: `${TEXT.loss} ` }),
    el("b", { text: some ? TEXT.lossValue(before, after) : TEXT.lossSame(before) }),
    some &&
      difference !== 0 &&
      el("span", {
        class: difference > 0 ? "worse" : "better",
        text: ` ${(difference > 0 ? TEXT.worse : TEXT.better)(fixed(Math.abs(difference), 3))}`,
      }),
  ]);
}

const CONTEXT = 32; // tokens of the text before the next one, at most

/** The end of the text up to the token that is held: from the beginning of a word, and with "…" where something is
 * left out. */
function contextOf(/** @type {typeof zeroFor} */ { query, pieces }) {
  let first = Math.max(0, query + 1 - CONTEXT);
  const begins = (/** @type {number} */ i) => /^\s/.test(pieces[i]) || /\s$/.test(pieces[i - 1]);
  const word = first ? pieces.findIndex((_, i) => i >= first && i <= query && begins(i)) : 0;
  if (word > 0) first = word;
  const text = Array.from(pieces.slice(first, query + 1).join(""), (char) => (char === " " ? char : visible(char)));
  return (first ? "…" : "") + text.join("").trim();
}
const offLine = (/** @type {[layer: number, head: number][]} */ heads) =>
  TEXT.zeroSome(heads.map((head) => TEXT.zeroHead(...head)));
const clearButton = () => tp.button(TEXT.zeroClear, { class: "link" }, clearZero);

/** What changes, in short, beside the maps. */
function showEffect(/** @type {Answers.ZeroAnswer & Answer} */ answer) {
  const { heads } = zeroFor;
  page.effect.hidden = !heads.length || !state.zeroed.size || below;
  if (page.effect.hidden || failed(page.effect, answer)) return;
  page.effect.replaceChildren(
    el("p", {}, offLine(heads), " ", clearButton()),
    lossLine(answer, true),
    el("p", { class: "next", text: TEXT.next(contextOf(zeroFor)) }),
    zeroFigure(answer.changes.slice(0, EFFECTS), true, page.effect.clientWidth),
  );
  if (clicked) page.effect.scrollIntoView({ block: "nearest", behavior: tp.calm() ? "auto" : "smooth" });
  clicked = false;
  page.effect.dataset.ready = heads.map((pair) => pair.join(".")).join(",");
}

function showZeroPanel(/** @type {Answers.ZeroAnswer & Answer} */ answer) {
  const { body } = page.zero;
  if (failed(body, answer)) return;
  const { heads } = zeroFor;
  const some = heads.length > 0;
  const many = frame.layers * frame.heads > SWITCHES; // too many for a switch each
  const [layer, head] = [shownLayer(), shownHead()];
  const isOff = state.zeroed.has(`${layer}.${head}`);
  const changes = answer.changes.filter(({ before, after }, i) => i < 3 || Math.max(before, after) >= 0.0005);
  const drawing = zeroFigure(changes, some, body.clientWidth);
  const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.head : undefined;
  body.replaceChildren(
    note(TEXT.zeroNote, TEXT.zeroTry),
    many ? "" : switches(),
    el("p", { class: "zero-state" }, [
      el("span", { text: some ? offLine(heads) : TEXT.zeroNone }),
      " ",
      some && el("span", { class: "muted", text: TEXT.zeroMaps }),
    ]),
    some || many
      ? el("p", { class: "zero-buttons" }, [
          many &&
            tp.button((isOff ? TEXT.zeroThisOn : TEXT.zeroThis)(layer, head), { class: "tp-button" }, () =>
              toggleZero(layer, head, true),
            ),
          some && clearButton(),
        ])
      : "",
    lossLine(answer, some),
    el("p", { class: "next" }, el("span", { text: TEXT.next(contextOf(zeroFor)) })),
    drawing,
    ...(some ? [el("p", { class: "muted", text: TEXT.moved(percent(answer.moved)) })] : []),
    tp.saveBar({
      figure: () => drawing,
      rows: () => [TEXT.csv.zero, ...answer.changes.map(({ piece, before, after }) => [piece, before, after])],
      name: () => fileName(`without-${heads.map(([l, h]) => `${l + 1}.${h + 1}`).join("-") || "none"}`),
    }),
  );
  /** @type {HTMLElement | null} */ (focused ? body.querySelector(`[data-head="${focused}"]`) : null)?.focus();
  body.dataset.ready = heads.map((pair) => pair.join(".")).join(",") || "none";
}

/** A switch for each head, beside what it changes: the maps may be a screen further up. */
function switches() {
  const button = (/** @type {number} */ layer, /** @type {number} */ head) =>
    tp.button(
      TEXT.headColumn(head),
      {
        class: "tp-button switch",
        "data-head": `${layer}.${head}`,
        "aria-pressed": String(state.zeroed.has(`${layer}.${head}`)),
        "aria-label": TEXT.zeroOne(layer, head),
      },
      () => toggleZero(layer, head, true),
    );
  return el("div", { class: "switches", role: "group", "aria-label": TEXT.zeroHeads }, [
    Array.from({ length: frame.layers }, (_, layer) =>
      el("p", {}, [
        el("span", { class: "muted", text: TEXT.layer(layer) }),
        Array.from({ length: frame.heads }, (_, head) => button(layer, head)),
      ]),
    ),
  ]);
}

function clearZero() {
  state.zeroed.clear();
  markGrid();
  address.save();
  refreshPanel();
}

/** Paired bars: each token's probability before and after.
 *
 * @param {Answers.Shift[]} changes @param {boolean} some @param {number} room */
function zeroFigure(changes, some, room) {
  const width = Math.min(room || 600, 620);
  const left = 70;
  const right = 104;
  const row = some ? 34 : 24;
  const top = 26;
  const scale = (width - left - right) / Math.max(0.05, ...changes.flatMap(({ before, after }) => [before, after]));
  const height = top + changes.length * row + 4;
  const legend = el("g", { class: "legend" }, [
    el("rect", { class: "before", x: left, y: 4, width: 12, height: 10, rx: 2 }),
    el("text", { x: left + 18, y: 13, text: TEXT.before }),
    some && el("rect", { class: "after", x: left + 120, y: 4, width: 12, height: 10, rx: 2 }),
    some && el("text", { x: left + 138, y: 13, text: TEXT.after }),
  ]);
  const bars = changes.map(({ piece, before, after }, i) => {
    const y = top + i * row;
    const end = left + Math.max(before, some ? after : 0) * scale + 8;
    return el("g", {}, [
      el("text", {
        class: "mono",
        translate: "no",
        x: left - 12,
        y: y + (some ? 18 : 14),
        "text-anchor": "end",
        text: visible(piece),
      }),
      el("rect", {
        class: "before",
        x: left,
        y: y + 3,
        width: Math.max(1, before * scale),
        height: some ? 10 : 14,
        rx: 2,
      }),
      some && el("rect", { class: "after", x: left, y: y + 15, width: Math.max(1, after * scale), height: 10, rx: 2 }),
      el("text", {
        class: "value",
        x: end,
        y: y + (some ? 18 : 14),
        text: some ? `${percent(before)} → ${percent(after)}` : percent(before),
      }),
    ]);
  });
  const words = tp.series(
    changes.map(
      ({ piece, before, after }) => `${visible(piece)} ${percent(before)}${some ? ` → ${percent(after)}` : ""}`,
    ),
  );
  return tp.drawing(width, height, { class: "bars", role: "img", "aria-label": tp.named(TEXT.zeroFigure, words) }, [
    legend,
    bars,
  ]);
}
