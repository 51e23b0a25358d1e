/* Elements of the page, and what is said about them. A learner's or a model's text reaches the page as text only.
 *
 *   el(tag, attributes, ...children)   build an element        button(text, attributes, click)  one that acts
 *   put(node, text)       change a text where it differs       drawing(width, height, attributes, children)  as SVG
 *   unsaid(...nodes)      a parent's label says it all         whenSeen(node, act)  begin when it is first shown
 *   scheduler()           draw before the next frame, once     say(text)            a polite announcement
 *   tip(content, x, y)    the one tooltip of the page          elsewhere(...)       another tab shows this run
 *   fold(attributes, title, teaser, body)                      details under a title, and what they are about
 *   segments(label, options, pick)                             buttons of which one is pressed
 *   table(attributes, columns, rows, foot)                     with a name over each column
 *   tableHead(columns), tableRow(attributes, name, cells)      its parts, for one that is drawn again
 */
(() => {
  "use strict";

  const TEXT = window.tp.words({
    en: { open: (/** @type {string | null} */ tab) => `Open ${tab}` },
    zh: { open: (/** @type {string | null} */ tab) => `打开“${tab}”` },
  });

  const SVG = "http://www.w3.org/2000/svg";
  const SVG_TAGS = new Set(
    (
      "svg g path line rect circle ellipse polyline polygon text tspan defs marker clipPath mask " +
      "pattern linearGradient radialGradient stop use symbol image foreignObject title desc"
    ).split(" "),
  );

  /** Build an element: `el("button", {class: "x", text: "Go", "aria-label": "Go", on: {click: go}}, child, ...)`.
   *
   * `class`, `text` (as textContent) and `on` are special; every other name is an attribute, left out
   * when null, undefined or false. A child is a node, a string (as text), an array of these, or null; children
   * that need more than a line stand in one array, so that the formatter keeps the tag beside its attributes.
   * SVG elements get their namespace (an HTML <title> cannot be built here).
   *
   * @type {Tp["el"]} */
  function el(tag, props = {}, ...children) {
    /** @type {any} */
    const node = SVG_TAGS.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
    const { on = {}, ...attributes } = props ?? {};
    for (const [event, handler] of Object.entries(on)) node.addEventListener(event, handler);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (name === "text") node.textContent = value;
      else node.setAttribute(name, value === true ? "" : value);
    }
    const flat = /** @type {any[]} */ (children).flat(Infinity);
    node.append(...flat.filter((child) => child !== null && child !== undefined && child !== false));
    return node;
  }

  /** Details that open under a title, which stands beside a sentence on what they are about.
   *
   * @type {Tp["fold"]} */
  function fold(attributes, title, teaser, body) {
    return el("details", { class: "tp-fold", ...attributes }, [
      el("summary", {}, [
        el("span", { class: "tp-fold-title", text: title }),
        el("span", { class: "tp-fold-teaser", text: teaser }),
      ]),
      body,
    ]);
  }

  /** A button that acts on a click.
   *
   * @type {Tp["button"]} */
  const button = (text, attributes, click) => el("button", { type: "button", text, ...attributes, on: { click } });

  /** A drawing of this size, in pixels.
   *
   * @type {Tp["drawing"]} */
  const drawing = (width, height, attributes, children) =>
    el("svg", { width, height, viewBox: `0 0 ${width} ${height}`, ...attributes }, children);

  /** Buttons beside their name, one for each of `options`, of which `press(value)` presses one.
   *
   * @type {Tp["segments"]} */
  function segments(label, options, pick, { id, titles = {} } = {}) {
    const buttons = Object.entries(options).map(([value, text]) =>
      button(text, { id: id ? `${id}-${value}` : null, title: titles[value], "data-value": value }, () =>
        pick(/** @type {any} */ (value)),
      ),
    );
    return {
      field: el("div", { class: "choice" }, [
        el("span", { text: label }),
        el("div", { class: "segments", role: "group", "aria-label": label }, buttons),
      ]),
      buttons,
      press(value) {
        for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.value === value));
      },
    };
  }

  /** Whether a row takes it as it is: a cell, or false, which `el` leaves out. */
  const isCell = (/** @type {unknown} */ child) => child === false || child instanceof HTMLTableCellElement;

  /** The head of a table; a column is its name, or the attributes of its cell, or the cell.
   *
   * @type {Tp["tableHead"]} */
  function tableHead(columns) {
    const cell = (/** @type {any} */ column) =>
      isCell(column) ? column : el("th", { scope: "col", ...(typeof column === "string" ? { text: column } : column) });
    return el("thead", {}, el("tr", {}, columns.map(cell)));
  }

  /** A row of a table; a name or a cell that is none yet becomes one.
   *
   * @type {Tp["tableRow"]} */
  function tableRow(attributes, name, cells) {
    return el("tr", attributes, [
      isCell(name) ? name : el("th", { scope: "row" }, name),
      cells.map((cell) => (isCell(cell) ? cell : el("td", {}, cell))),
    ]);
  }

  /** A table; `caption` is one of its attributes.
   *
   * @type {Tp["table"]} */
  function table({ caption, ...attributes }, columns, rows, foot) {
    return el("table", attributes, [
      caption && el("caption", { text: caption }),
      tableHead(columns),
      el("tbody", {}, rows),
      foot && el("tfoot", {}, foot),
    ]);
  }

  /** Keep nodes from screen readers, which read the label of what they stand in instead.
   *
   * @type {Tp["unsaid"]} */
  function unsaid(...nodes) {
    /** @type {any[]} */ (nodes).flat(Infinity).forEach((node) => node?.setAttribute?.("aria-hidden", "true"));
    return nodes;
  }

  /** Change a node's text only where it differs, so that nothing is laid out for nothing.
   *
   * @type {Tp["put"]} */
  function put(node, content) {
    if (node.textContent !== content) node.textContent = content;
  }

  /** Say what a drawing shows. It is a picture from then on: one without a name is none to a screen reader.
   *
   * @type {Tp["depict"]} */
  function depict(node, label) {
    if (node.getAttribute("aria-label") === label) return;
    node.setAttribute("role", "img");
    node.setAttribute("aria-label", label);
  }

  /** A function that runs drawing functions before the next frame, each once however often it was asked for.
   *
   * Where there is nothing to draw by then, as `ready` says, they are forgotten.
   *
   * @type {Tp["scheduler"]} */
  function scheduler(ready = () => true) {
    const waiting = new Set();
    return (...draws) => {
      if (!waiting.size) {
        requestAnimationFrame(() => {
          const due = [...waiting];
          waiting.clear();
          if (ready()) due.forEach((draw) => draw());
        });
      }
      draws.forEach((draw) => waiting.add(draw));
    };
  }

  /** Begin when a node is first seen: a tab that is never opened requests nothing.
   *
   * @type {Tp["whenSeen"]} */
  function whenSeen(node, begin) {
    new IntersectionObserver((entries, observer) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      begin();
    }).observe(node);
  }

  /** @type {HTMLElement | null} */
  let announcer = null;

  /** Say something to a screen reader, politely.
   *
   * @type {Tp["say"]} */
  function say(text) {
    announcer ??= document.body.appendChild(el("div", { class: "tp-hidden", role: "status", "aria-live": "polite" }));
    const said = announcer;
    said.textContent = "";
    requestAnimationFrame(() => (said.textContent = text));
  }

  /** Say in `message` that another tab shows the run, with a button that leads there, and mark the view, whose
   * style hides what makes no sense then (`data-elsewhere`). Without a tab, take the mark away.
   *
   * @type {Tp["elsewhere"]} */
  function elsewhere(root, message, sentence, tab) {
    root.toggleAttribute("data-elsewhere", Boolean(tab));
    if (!tab) return;
    const opener = document.getElementById(`tab-${tab}-button`);
    const open = opener && button(TEXT.open(opener.textContent), { class: "tp-button" }, () => opener.click());
    message.replaceChildren(sentence, " ", open ?? "");
  }

  /** @type {HTMLElement | null} */
  let tooltip = null;

  /** Show `content` (a string or a node) beside the point (x, y) of the window; `tip(null)` hides it.
   *
   * @type {Tp["tip"]} */
  function tip(content, x = 0, y = 0) {
    if (content === null) {
      if (tooltip) tooltip.hidden = true;
      return;
    }
    tooltip ??= document.body.appendChild(el("div", { class: "tp-tip", "aria-hidden": "true" }));
    tooltip.replaceChildren(content);
    tooltip.hidden = false;
    const { width, height } = tooltip.getBoundingClientRect();
    const left = x + 14 + width > innerWidth - 4 ? x - 14 - width : x + 14;
    const top = y + 14 + height > innerHeight - 4 ? y - 14 - height : y + 14;
    tooltip.style.left = `${Math.max(4, left)}px`;
    tooltip.style.top = `${Math.max(4, top)}px`;
  }

  Object.assign(window.tp, { el, button, drawing, fold, segments, table, tableHead, tableRow, put, unsaid, depict });
  Object.assign(window.tp, { scheduler, whenSeen, say, elsewhere, tip });
})();
