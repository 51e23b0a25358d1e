/* One head, as the text with lines from the chosen token to what it reads, and as a list. */
const CELL = { height: 28, gap: 24, top: 26, least: 19, pad: 8 };
/** @type {{ x: number, y: number, width: number }[]} */
let places = []; // by token
/** @type {ReturnType<typeof cellOf>[]} */
let tokenParts = []; // by token
let lineGroup = tp.el("g");
let svg = tp.el("svg");

function showHead(/** @type {boolean} */ newText) {
  const [rule, share, token] = frame.patterns[shownLayer()][shownHead()];
  const named = share >= PATTERN_LEAST;
  page.title.textContent = TEXT.layerHead(shownLayer(), shownHead());
  page.pattern.textContent = named
    ? TEXT.patternSentences[rule](percent(share), token === null ? "" : visible(token))
    : unruled(shownLayer(), shownHead());
  page.pattern.title = named ? TEXT.patternShare : "";
  const [layer, head] = frame.suggested;
  page.why.textContent =
    state.followsSuggestion && layer === shownLayer() && head === shownHead() ? TEXT.suggested : "";
  Object.assign(root.dataset, { layer: String(shownLayer()), head: String(shownHead()) });
  if (newText) layoutTokens();
  svg.setAttribute("aria-label", TEXT.textFigure(shownLayer() + 1, shownHead() + 1));
  showQuery();
}

/** What can be said of a head that follows no rule: how many tokens it reads, how far back, and its sharpest pair.
 *
 * @param {number} layer @param {number} head */
function unruled(layer, head) {
  const start = offset(layer, head);
  let [spread, distance] = [0, 0];
  for (let query = 0; query < frame.size; query++) {
    let entropy = 0;
    for (let key = 0; key <= query; key++) {
      const share = frame.attention[start + query * frame.size + key] / 255;
      if (share) entropy -= share * Math.log(share);
      distance += share * (query - key);
    }
    spread += Math.exp(entropy); // so many tokens, if it read them evenly
  }
  const pair = sharpest(layer, head);
  return tp.sentences([
    TEXT.patternNone(Math.round(spread / frame.size), Math.round(distance / frame.size)),
    pair && TEXT.patternPair(frame.shown[pair.query], frame.shown[pair.key], rounded(pair.share)),
  ]);
}

/** Of two tokens that can be read, the later of which reads the earlier one: the pair with the largest weight.
 *
 * @param {number} layer @param {number} head */
function sharpest(layer, head) {
  const start = offset(layer, head);
  const words = frame.pieces.map((piece) => /[\p{L}\p{N}]/u.test(piece));
  /** @type {{ query: number, key: number, share: number } | null} */
  let best = null;
  for (let query = 1; query < frame.size; query++) {
    for (let key = 0; words[query] && key < query; key++) {
      const share = frame.attention[start + query * frame.size + key] / 255;
      if (words[key] && share > (best?.share ?? 0)) best = { query, key, share };
    }
  }
  return best;
}

function resized() {
  if (page.tokens.clientWidth !== layoutWidth) {
    layoutTokens();
    showQuery();
  }
  matrixSide = Math.min(page.matrix.parentElement?.clientWidth ?? 0, 460);
  showMatrix();
}

let layoutWidth = 0;
/** @type {CanvasRenderingContext2D | null} */
let measure = null;

/** The tokens of each line of text, broken after spaces where that is possible and after every newline.
 *
 * @param {number[]} widths of the tokens, in pixels */
function linesOf(widths) {
  /** @type {number[][]} */
  const lines = [];
  /** @type {number[]} */
  let line = [];
  let used = 0;
  frame.pieces.forEach((piece, token) => {
    if (used + widths[token] > layoutWidth && line.length) {
      const space = line.findLastIndex((other) => /\s$/.test(frame.pieces[other]));
      const cut = space > line.length * 0.5 ? space + 1 : line.length;
      lines.push(line.slice(0, cut));
      line = line.slice(cut);
      used = line.reduce((sum, other) => sum + widths[other], 0);
    }
    line.push(token);
    used += widths[token];
    if (piece.endsWith("\n")) {
      lines.push(line);
      line = [];
      used = 0;
    }
  });
  return line.length ? [...lines, line] : lines;
}

/** A token at its place: a box that is an option of the list, and its text. */
function cellOf(/** @type {number} */ token) {
  const { x, y, width } = places[token];
  const shown = frame.shown[token];
  const rect = el("rect", {
    id: `inside-token-${token}`,
    role: "option",
    "aria-label": shown,
    "data-token": token,
    x: x + 0.5,
    y: y + 0.5,
    width: width - 1,
    height: CELL.height - 1,
    rx: 3,
  });
  const blank = frame.pieces[token].trim() === "" ? "blank" : "";
  const text = el("text", {
    class: blank,
    x: x + width / 2,
    y: y + CELL.height / 2 + 5,
    "text-anchor": "middle",
    text: shown,
  });
  return { rect, text, blank, drawn: "" };
}

/** Lay the text out in lines of the page's width. */
function layoutTokens() {
  layoutWidth = page.tokens.clientWidth || 700;
  measure ??= el("canvas").getContext("2d");
  if (measure) measure.font = `15px ${theme.mono}`;
  const wide = (/** @type {string} */ text) => Math.ceil(measure?.measureText(text).width ?? 0);
  const widths = frame.shown.map((text) => Math.max(CELL.least, wide(text) + CELL.pad));
  const lines = linesOf(widths);
  places = [];
  lines.forEach((tokens, row) => {
    let x = 0;
    const y = CELL.top + row * (CELL.height + CELL.gap);
    for (const token of tokens) {
      places[token] = { x, y, width: widths[token] };
      x += widths[token];
    }
  });
  const height = CELL.top + lines.length * (CELL.height + CELL.gap) - CELL.gap + 4;
  tokenParts = frame.shown.map((_, token) => cellOf(token));
  lineGroup = el("g", { class: "lines", "aria-hidden": "true" });
  const fresh = tp.drawing(
    layoutWidth,
    height,
    {
      class: "text-figure",
      role: "listbox",
      tabindex: 0,
      on: { pointermove: tokenMoved, pointerleave: tokenLeft, click: tokenClicked, keydown: tokenKeys },
    },
    [
      el("g", { class: "rects" }, [tokenParts.map(({ rect }) => rect)]),
      lineGroup,
      el("g", { class: "texts", translate: "no", "aria-hidden": "true" }, [tokenParts.map(({ text }) => text)]),
    ],
  );
  const focused = document.activeElement === svg;
  svg = fresh;
  page.tokens.replaceChildren(svg);
  if (focused) svg.focus();
}

/** A line from the query to a key: an arc within one line of text, else a curve up to the key's line.
 *
 * @param {number} query @param {number} key */
function curve(query, key) {
  const from = places[query];
  const to = places[key];
  const x1 = from.x + from.width / 2;
  const x2 = to.x + to.width / 2;
  if (query === key)
    return `M${x1 - 5},${from.y} C${x1 - 9},${from.y - 13} ${x1 + 9},${from.y - 13} ${x1 + 5},${from.y}`;
  if (from.y === to.y) {
    const rise = Math.min(CELL.gap + 4, 10 + Math.abs(x1 - x2) * 0.09);
    return `M${x1},${from.y} C${x1},${from.y - rise} ${x2},${from.y - rise} ${x2},${from.y}`;
  }
  const below = to.y + CELL.height;
  const pull = Math.max(20, (from.y - below) * 0.5);
  return `M${x1},${from.y} C${x1},${from.y - pull} ${x2},${below + pull} ${x2},${below}`;
}

/** Draw what the shown token reads: in the text, in the table and in the list. */
function showQuery() {
  const query = shownQuery();
  /** @type {{ share: number, key: number }[]} */
  const paths = [];
  const row = offset(shownLayer(), shownHead()) + query * frame.size;
  tokenParts.forEach((part, token) => {
    const level = token <= query ? frame.attention[row + token] : 0; // 0..255
    const role = token === query ? "query" : token === state.key ? "key" : token > query ? "future" : "";
    if (level >= THRESHOLD * 255) paths.push({ share: level / 255, key: token });
    const drawn = `${level} ${role} ${themes}`;
    if (part.drawn === drawn) return; // most stay as they are
    part.drawn = drawn;
    part.rect.style.fill = level ? shadeTexts[level] : "";
    part.text.style.fill = level ? shadeInks[level] : "";
    part.rect.setAttribute("class", role);
    part.text.setAttribute("class", role === "future" ? `${part.blank} future` : part.blank);
    part.rect.setAttribute("aria-selected", String(token === query));
  });
  paths.sort((a, b) => a.share - b.share);
  lineGroup.replaceChildren(
    ...paths.map(({ share, key }) => {
      const path = el("path", { d: curve(query, key), "data-key": key });
      path.style.strokeWidth = (1 + 5 * share).toFixed(2);
      path.style.strokeOpacity = (state.key === null || state.key === key ? 0.16 + 0.74 * sqrt(share) : 0.08).toFixed(
        2,
      );
      return path;
    }),
  );
  svg.setAttribute("aria-activedescendant", `inside-token-${query}`);
  svg.classList.toggle("held", state.locked);
  Object.assign(root.dataset, { locked: String(state.locked), query: String(query) });
  showList(query);
  showMatrix();
}

function showList(/** @type {number} */ query) {
  const order = keysByWeight(query);
  const listed = order.slice(0, LISTED).filter(({ share }, i) => i === 0 || share >= 0.005);
  const rest = order.slice(listed.length);
  const restShare = rest.reduce((sum, { share }) => sum + share, 0);
  const head = el("p", { class: "list-title" }, [
    el("span", { class: "token big", translate: "no", text: frame.shown[query] }),
    el("span", { class: "muted", text: TEXT.place(query) }),
    el("span", { text: ` ${TEXT.reads} ` }),
    state.locked && el("span", { class: "held-mark", text: TEXT.held }),
  ]);
  const items = listed.map(({ key, share }) => {
    const bar = el("span", { class: "bar" });
    bar.style.width = `${100 * share}%`;
    return el("li", { class: key === state.key ? "key" : "" }, [
      el("span", { class: "token", translate: "no", text: frame.shown[key] }),
      el("span", { class: "muted place", text: key === query ? TEXT.itself : TEXT.place(key) }),
      el("span", { class: "bar-track" }, bar),
      el("span", { class: "share", text: rounded(share) }),
    ]);
  });
  const longest = Math.max(...listed.map(({ key }) => tp.halves(frame.shown[key])));
  page.list.style.setProperty("--token", `${Math.max(2.4, 0.5 * longest + 1)}rem`);
  page.list.replaceChildren(
    head,
    el("ol", {}, items),
    rest.length && restShare >= 0.0005
      ? el("p", { class: "muted", text: TEXT.others(rest.length, rounded(restShare)) })
      : "",
  );
}

function announce() {
  const query = shownQuery();
  const parts = keysByWeight(query)
    .slice(0, 3)
    .map(({ key, share }) => TEXT.announcePart(rounded(share), key === query ? TEXT.itself : frame.shown[key]));
  tp.say(TEXT.announce(frame.shown[query], query + 1, tp.series(parts)));
}

/** The token that an event happened at.
 *
 * @param {Event} event */
function tokenOf(event) {
  const token = event.target instanceof SVGElement ? event.target.dataset.token : undefined;
  return token === undefined ? null : Number(token);
}

function tokenMoved(/** @type {PointerEvent} */ event) {
  const token = tokenOf(event);
  if (token === null || event.pointerType === "touch") return;
  if (state.locked) {
    if (state.key === token) return;
    state.key = token <= heldQuery() ? token : null;
  } else {
    if (state.hover === token) return;
    state.hover = token;
  }
  schedule(showQuery);
}

function tokenLeft() {
  if (state.hover === null && state.key === null) return;
  state.hover = state.key = null;
  schedule(showQuery);
}

/** @param {number} token @param {boolean} locked */
function hold(token, locked) {
  state.query = token;
  state.hover = state.key = null;
  state.locked = locked;
  schedule(showQuery);
  refreshPanel();
  address.save();
}

function tokenClicked(/** @type {Event} */ event) {
  const token = tokenOf(event);
  if (token !== null) hold(token, !(state.locked && state.query === token));
}

/** The token on the line above (-1) or below (1) that is closest sideways.
 *
 * @param {number} token @param {number} direction */
function neighbour(token, direction) {
  const { x, y, width } = places[token];
  const rows = [...new Set(places.map((place) => place.y))];
  const row = rows[rows.indexOf(y) + direction];
  if (row === undefined) return token;
  let best = token;
  let least = Infinity;
  places.forEach((place, other) => {
    const distance = Math.abs(place.x + place.width / 2 - x - width / 2);
    if (place.y === row && distance < least) [best, least] = [other, distance];
  });
  return best;
}

function tokenKeys(/** @type {KeyboardEvent} */ event) {
  if (!frame.run) return;
  const query = shownQuery();
  const last = frame.size - 1;
  /** @type {{ [key: string]: () => number }} */
  const targets = {
    ArrowLeft: () => Math.max(0, query - 1),
    ArrowRight: () => Math.min(last, query + 1),
    ArrowUp: () => neighbour(query, -1),
    ArrowDown: () => neighbour(query, 1),
    Home: () => 0,
    End: () => last,
  };
  const target = targets[event.key];
  if (target) hold(target(), state.locked);
  else if (event.key === "Enter" || event.key === " ") hold(query, !state.locked);
  else if (event.key === "Escape" && state.locked) hold(query, false);
  else return;
  event.preventDefault();
  announce();
}
