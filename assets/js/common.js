/* What every view of the page shares, as `window.tp`. No framework, no dependency.
 *
 *   url         read and write the query string          visible    how one token is shown
 *   bytes       base64 -> Uint8Array                     floats     base64 -> Float32Array
 *   el          build an element; text only as text      saveBar    PNG, SVG and CSV buttons for a figure
 *   save, csv   write a figure, or its data, to a file   number     a short figure for people: 12.3k
 *   colour      a theme colour's current value           onTheme    call back when dark and light flip
 *   heat        0..1 -> [r, g, b]                        diverge    -1..1 -> [r, g, b]
 *   poll        call again and again, never overlapping  say        a polite announcement
 *   tip         one tooltip for the whole page           chart      curves over one axis: chart.js
 *   memory      the runs that this browser knows       elsewhere  say that another tab shows this run
 *   put         change a node's text where it differs   scheduler  draw before the next frame, once
 *   asker       ask the server, never throw             percent    a share for people: 12 %
 *   keyed, keyedTrigger  send the keys of this browser's runs along: every view has them
 *   duration    seconds for people: 3 min 5 s           size       bytes for people: 295 MB
 *   series      one after the other: "a, b"             named      a name and what it has: "a: b"
 *   sentences   several as one text                     halves     how wide a text is, in half-width characters
 *   kind        a kind of token, in words
 *   whenSeen    begin when a view is first shown        unsaid   its parent's label says it all
 *   player      play the stops of a slider, one by one   film     a slider over training: film.js
 *   readText    a file that was chosen, as text: textfile.js
 *
 * Text that a learner or a model wrote reaches the page as `textContent` only: use `el`.
 */
(() => {
  "use strict";

  const TEXT = window.tp.words({
    en: {
      save: "Save this figure as",
      csvTitle: "Save the figure's data as CSV",
      pngTitle: "Save the figure as a PNG image",
      svgTitle: "Save the figure as an SVG drawing",
      saved: (name) => `Saved ${name}`,
      open: (tab) => `Open ${tab}`,
      series: ", ",
      named: (name, what) => `${name}: ${what}`,
      between: " ",
      kinds: {
        vowel: "vowel", consonant: "consonant", capital: "capital", digit: "digit", space: "space", newline: "newline",
        punctuation: "punctuation", "Chinese character": "Chinese character", other: "other",
      },
      units: { s: "s", min: "min", h: "h", days: "days", years: "years" },
    },
    zh: {
      save: "将此图保存为",
      csvTitle: "将图中数据保存为 CSV",
      pngTitle: "将图保存为 PNG 图片",
      svgTitle: "将图保存为 SVG 矢量图",
      saved: (name) => `已保存 ${name}`,
      open: (tab) => `打开“${tab}”`,
      series: "，",
      named: (name, what) => `${name}：${what}`,
      between: "",
      kinds: {
        vowel: "元音字母", consonant: "辅音字母", capital: "大写字母", digit: "数字", space: "空格", newline: "换行",
        punctuation: "标点", "Chinese character": "汉字", other: "其他",
      },
      units: { s: "秒", min: "分钟", h: "小时", days: "天", years: "年" },
    },
  });

  /* ---------------------------------------------------------------- the query string */

  const { browser } = window.tp;
  const first = new URLSearchParams(location.search);
  let unseen = null; // the query string, where the browser does not let the page change its address
  const current = () => new URLSearchParams(unseen ?? location.search);

  const url = {
    /** What the address had when the page began to load, before anything on it could change that. */
    first: (name) => first.get(name),

    /** Did the address have anything then but the language and the theme? */
    cameWith: () => [...first.keys()].some((name) => !["lang", "__theme"].includes(name)),

    /** The value of one name in the query string, or null. */
    get: (name) => current().get(name),

    /** Set some names; null drops one. The page is not reloaded and the history does not grow. */
    set(changes) {
      const query = current();
      for (const [name, value] of Object.entries(changes)) {
        if (value === null || value === undefined) query.delete(name);
        else query.set(name, String(value));
      }
      const text = query.toString();
      const next = location.pathname + (text ? `?${text}` : "") + location.hash;
      const shown = next === location.pathname + location.search + location.hash || browser.address(next);
      unseen = shown ? null : text;
    },
  };

  /* ---------------------------------------------------------------- the browser's own runs */

  const STORAGE = "transformer-playground";
  const MOST_RUNS = 200;

  /** The ids of this browser's runs, the newest first, the one it showed last, and the keys of those that it started
   * on a host that asks for them: {id: key}. */
  const memory = {
    read() {
      try {
        const stored = JSON.parse(browser.recall(STORAGE)) ?? {};
        const runs = Array.isArray(stored.runs) ? stored.runs.filter((id) => typeof id === "string") : [];
        const keys = Object.fromEntries(runs.filter((id) => typeof stored.keys?.[id] === "string").map((id) => [id, stored.keys[id]]));
        return { runs, shown: typeof stored.shown === "string" ? stored.shown : null, keys };
      } catch {
        return { runs: [], shown: null, keys: {} };
      }
    },
    write: (stored) => browser.remember(STORAGE, JSON.stringify(stored)),

    /** Call back when another tab of this browser has written. */
    watch: (callback) => addEventListener("storage", ({ key }) => key === STORAGE && callback()),

    /** Remember a run as this browser's own, and its key if it has one. */
    add(id, key = null) {
      const stored = memory.read();
      stored.runs = [id, ...stored.runs.filter((other) => other !== id)].slice(0, MOST_RUNS);
      if (key) stored.keys[id] = key;
      memory.write(stored);
    },

    /** The key of a run; empty where this browser has none. */
    key: (id) => memory.read().keys[id] ?? "",
  };

  /** A view's server, which sends the key of a run along to the functions that ask for one (`props.keyed`): the run
   * is their first argument, its key the last. */
  function keyed(server, names = []) {
    return new Proxy(server ?? {}, {
      get: (asked, name) => (names.includes(name) ? (...args) => asked[name](...args, memory.key(args[0])) : asked[name]),
    });
  }

  /** A view's `trigger`, which sends the key of the run along that the event names. */
  const keyedTrigger = (trigger) => (event, data) => {
    const key = data?.run ? memory.key(data.run) : "";
    return trigger(event, key ? { ...data, key } : data);
  };

  /* ---------------------------------------------------------------- text */

  const NAMED = { " ": "␣", "\n": "⏎", "\t": "⇥" };
  const codePoint = (char) => "U+" + char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");

  /** How one token is shown: every character can be seen, and none changes the text around it. */
  function visible(text) {
    if (text === "") return "∅";
    const chars = [...text];
    return chars
      .map((char, i) => {
        if (char in NAMED) return NAMED[char];
        const code = char.codePointAt(0);
        if (code < 0x20) return String.fromCodePoint(0x2400 + code);
        if (code === 0x7f) return "␡";
        if (char === "\u200d" && i > 0 && i < chars.length - 1) return char; // joins an emoji
        if (/[\p{Cc}\p{Cf}\p{Cs}\p{Cn}\p{Co}\p{Z}]/u.test(char)) return codePoint(char);
        if (/\p{M}/u.test(char) && i === 0) return "◌" + char;
        return char;
      })
      .join("");
  }

  const series = (parts) => Array.from(parts).join(TEXT.series);
  const named = (name, what) => TEXT.named(name, what);
  const sentences = (parts) => parts.filter(Boolean).join(TEXT.between);
  const kind = (name) => TEXT.kinds[name] ?? name;

  const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;

  /** How wide a text is, in half-width characters, where measuring it would force a layout: a Chinese one counts twice. */
  const halves = (text) => [...text].reduce((sum, char) => sum + (WIDE.test(char) ? 2 : 1), 0);

  /** A short figure for people: 950, 12.3k, 4.56M; small ones with `digits` significant digits. */
  function number(value, digits = 3) {
    if (value === null || value === undefined || !Number.isFinite(value)) return "–";
    const size = Math.abs(value);
    for (const [limit, letter] of [
      [1e12, "T"],
      [1e9, "G"],
      [1e6, "M"],
      [1e3, "k"],
    ]) {
      if (size >= limit * 0.9995) return Number((value / limit).toPrecision(digits)) + letter;
    }
    if (size !== 0 && size < 1e-3)
      return value
        .toExponential(digits - 1)
        .replace(/(\.\d*?)0*e-/, "$1e−")
        .replace(".e", "e");
    return String(Number(value.toPrecision(digits)));
  }

  /* ---------------------------------------------------------------- bytes */

  /** Base64 to Uint8Array. */
  function bytes(base64) {
    const text = atob(base64);
    const out = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
    return out;
  }

  /** Base64 of little-endian 32-bit floats to Float32Array. */
  const floats = (base64) => new Float32Array(bytes(base64).buffer);

  /* ---------------------------------------------------------------- elements */

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
   * when null, undefined or false. A child is a node, a string (as text), an array of these, or null.
   * SVG elements get their namespace (an HTML <title> cannot be built here).
   */
  function el(tag, props = {}, ...children) {
    const node = SVG_TAGS.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(props ?? {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name === "text") node.textContent = value;
      else if (name === "class") node.setAttribute("class", value);
      else if (name === "on") {
        for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
      } else node.setAttribute(name, value === true ? "" : value);
    }
    node.append(
      ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
    );
    return node;
  }

  /** Keep nodes from screen readers, which read the label of what they stand in instead. */
  function unsaid(...nodes) {
    nodes.flat(Infinity).forEach((node) => node?.setAttribute?.("aria-hidden", "true"));
    return nodes;
  }

  /* ---------------------------------------------------------------- saving */

  function download(blob, filename) {
    const link = el("a", { href: URL.createObjectURL(blob), download: filename });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    say(TEXT.saved(filename));
  }

  /** Write rows (arrays of values; the first is the heading) to a CSV file. */
  function csv(filename, rows) {
    const cell = (value) => {
      const text = value === null || value === undefined ? "" : String(value);
      return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    const text = rows.map((row) => Array.from(row, cell).join(",")).join("\r\n") + "\r\n";
    download(new Blob(["\ufeff", text], { type: "text/csv;charset=utf-8" }), filename);
  }

  const STYLES = (
    "fill fill-opacity stroke stroke-width stroke-opacity stroke-dasharray stroke-linecap stroke-linejoin " +
    "opacity font-family font-size font-weight font-style font-variant-numeric letter-spacing " +
    "text-anchor dominant-baseline visibility paint-order transform"
  ).split(" ");

  /** Mixed colours are computed as color(srgb r g b), which drawing programs do not know. */
  const plainColour = (value) =>
    value.replace(
      /color\(srgb ([\d.e-]+) ([\d.e-]+) ([\d.e-]+)(?: \/ ([\d.e-]+))?\)/g,
      (_, r, g, b, alpha) => {
        const channels = [r, g, b].map((x) => Math.round(255 * x)).join(", ");
        return alpha === undefined ? `rgb(${channels})` : `rgba(${channels}, ${alpha})`;
      },
    );

  const MARGIN = 16; // around a saved drawing

  /** A copy of a drawing that looks the same outside the page: computed styles become its own. */
  function standalone(svg) {
    const copy = svg.cloneNode(true);
    const from = [svg, ...svg.querySelectorAll("*")];
    const to = [copy, ...copy.querySelectorAll("*")];
    from.forEach((source, i) => {
      const style = getComputedStyle(source);
      if (style.display === "none") {
        to[i].setAttribute("display", "none");
        return;
      }
      for (const name of STYLES) to[i].style.setProperty(name, plainColour(style.getPropertyValue(name)));
    });
    const box = svg.getBoundingClientRect();
    const [width, height] = [Math.ceil(box.width) + 2 * MARGIN, Math.ceil(box.height) + 2 * MARGIN];
    const shape = { xmlns: SVG, width, height, viewBox: `${-MARGIN} ${-MARGIN} ${width} ${height}` };
    for (const [name, value] of Object.entries(shape)) copy.setAttribute(name, value);
    copy.style.overflow = "visible";
    const page = { x: -MARGIN, y: -MARGIN, width, height, fill: colour("--tp-page") || "#fff" };
    copy.insertBefore(el("rect", page), copy.firstChild);
    return { text: new XMLSerializer().serializeToString(copy), width, height };
  }

  function loadImage(source) {
    return new Promise((resolve, reject) => {
      const image = new Image();
      image.onload = () => resolve(image);
      image.onerror = () => reject(new Error("the drawing could not be read"));
      image.src = source;
    });
  }

  /** Save an <svg>, a <canvas>, or an element that holds exactly one of them, as "png" or "svg". */
  async function save(target, filename, format) {
    const figure = /^(svg|canvas)$/i.test(target.tagName) ? target : target.querySelector("svg, canvas");
    const name = filename.replace(/\.(png|svg)$/, "") + "." + format;
    if (figure instanceof HTMLCanvasElement) {
      if (format === "png") return figure.toBlob((blob) => download(blob, name));
      const { width, height } = figure;
      const text =
        `<svg xmlns="${SVG}" width="${width}" height="${height}">` +
        `<image width="${width}" height="${height}" href="${figure.toDataURL()}"/></svg>`;
      return download(new Blob([text], { type: "image/svg+xml" }), name);
    }
    const { text, width, height } = standalone(figure);
    const drawing = new Blob([text], { type: "image/svg+xml;charset=utf-8" });
    if (format === "svg") return download(drawing, name);
    const scale = 2;
    const source = URL.createObjectURL(drawing);
    try {
      const image = await loadImage(source);
      const canvas = el("canvas", { width: Math.ceil(width * scale), height: Math.ceil(height * scale) });
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => download(blob, name));
    } finally {
      URL.revokeObjectURL(source);
    }
  }

  /** The three quiet buttons under a figure. `figure` gives the element, `rows` the data, `name` the file's
   * name without its ending; each is a function, asked when a button is pressed. */
  function saveBar({ figure, rows, name }) {
    const button = (format, title, action) =>
      el("button", {
        type: "button",
        class: "tp-save-button",
        title,
        "aria-label": title,
        text: format.toUpperCase(),
        on: { click: action },
      });
    return el(
      "div",
      { class: "tp-save", role: "group", "aria-label": TEXT.save },
      figure && button("png", TEXT.pngTitle, () => save(figure(), name(), "png")),
      figure && button("svg", TEXT.svgTitle, () => save(figure(), name(), "svg")),
      rows && button("csv", TEXT.csvTitle, () => csv(name() + ".csv", rows())),
    );
  }

  /* ---------------------------------------------------------------- colour */

  const dark = () => document.body.classList.contains("dark");

  /** The current value of a CSS variable of the theme, such as colour("--tp-accent"). */
  const colour = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

  const themeWatchers = new Set();

  /** Call back whenever the page turns dark or light. Returns a function that ends it. */
  function onTheme(callback) {
    themeWatchers.add(callback);
    return () => themeWatchers.delete(callback);
  }

  function watchTheme() {
    let was = dark();
    new MutationObserver(() => {
      if (dark() === was) return;
      was = dark();
      themeWatchers.forEach((callback) => callback());
    }).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  }
  if (document.body) watchTheme();
  else document.addEventListener("DOMContentLoaded", watchTheme);

  /** OKLCH (Ottosson 2020, "A perceptual color space for image processing") to 8-bit sRGB. */
  function oklch(lightness, chroma, hue) {
    const a = chroma * Math.cos((hue * Math.PI) / 180);
    const b = chroma * Math.sin((hue * Math.PI) / 180);
    const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
    const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
    const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
    const gamma = (x) => (x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055);
    return [
      4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
      -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
      -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
    ].map((x) => Math.round(255 * Math.min(1, Math.max(0, gamma(Math.max(0, x))))));
  }

  /** 256 colours through some [lightness, chroma, hue] stops, evenly spaced. */
  function ramp(stops) {
    return Array.from({ length: 256 }, (_, i) => {
      const place = (i / 255) * (stops.length - 1);
      const left = Math.min(Math.floor(place), stops.length - 2);
      const mix = place - left;
      return oklch(...stops[left].map((value, k) => value + mix * (stops[left + 1][k] - value)));
    });
  }

  /* Lightness falls (light page) or rises (dark page) in a straight line, so equal steps of the value look
   * like equal steps, also in grey; zero is almost the page itself. */
  const SCALES = {
    heat: {
      light: ramp([
        [0.975, 0.006, 250],
        [0.8, 0.085, 240],
        [0.625, 0.14, 252],
        [0.45, 0.17, 265],
        [0.275, 0.11, 280],
      ]),
      dark: ramp([
        [0.24, 0.012, 270],
        [0.41, 0.11, 275],
        [0.58, 0.15, 258],
        [0.75, 0.12, 230],
        [0.95, 0.05, 190],
      ]),
    },
    diverge: {
      light: ramp([
        [0.42, 0.13, 35],
        [0.7, 0.13, 50],
        [0.965, 0.004, 260],
        [0.7, 0.12, 240],
        [0.4, 0.14, 262],
      ]),
      dark: ramp([
        [0.88, 0.09, 75],
        [0.58, 0.14, 45],
        [0.25, 0.01, 270],
        [0.55, 0.14, 255],
        [0.88, 0.08, 225],
      ]),
    },
  };
  const pick = (scale, place) =>
    scale[dark() ? "dark" : "light"][Math.round(255 * Math.min(1, Math.max(0, place || 0)))];

  /** A sequential colour for 0..1 as [r, g, b]: even to the eye, for the current theme. */
  const heat = (value) => pick(SCALES.heat, value);

  /** A diverging colour for -1..1 as [r, g, b]: orange below zero, blue above. */
  const diverge = (value) => pick(SCALES.diverge, (value + 1) / 2);

  /* ---------------------------------------------------------------- time */

  /** Call `fn` up to `hz` times a second, `hidden_hz` when the page is hidden, never two at once.
   *
   * A call that fails is tried again ever more slowly (after 0.25 s, 0.5 s, ... 4 s), as after a restart of the
   * server. With `element`, calls rest while it is not displayed and end when it has left the page.
   * Returns {stop(), now()}; `now` makes the next call at once.
   */
  function poll(fn, { hz = 8, hidden_hz = 1, element = null } = {}) {
    let timer = 0;
    let stopped = false;
    let running = false;
    let failures = 0;
    let seen = false;

    async function turn() {
      if (element?.isConnected) seen = true;
      if (stopped || (seen && element && !element.isConnected)) return;
      running = true;
      const began = performance.now();
      const shown = !element || element.offsetParent !== null;
      if (shown) {
        try {
          await fn();
          failures = 0;
        } catch (error) {
          failures = Math.min(failures + 1, 5);
          console.warn("poll:", error?.message ?? error);
        }
      }
      running = false;
      if (stopped) return;
      const period = 1000 / (document.hidden ? hidden_hz : hz);
      const wait = failures ? 125 * 2 ** failures : shown ? period - (performance.now() - began) : 250;
      timer = setTimeout(turn, Math.max(0, wait));
    }

    function now() {
      if (stopped || running) return;
      clearTimeout(timer);
      turn();
    }
    const woken = () => !document.hidden && now();
    document.addEventListener("visibilitychange", woken);
    timer = setTimeout(turn, 0);
    return {
      now,
      stop() {
        stopped = true;
        clearTimeout(timer);
        document.removeEventListener("visibilitychange", woken);
      },
    };
  }

  let announcer = null;

  /** Say something to a screen reader, politely. */
  function say(text) {
    announcer ??= document.body.appendChild(
      el("div", { class: "tp-hidden", role: "status", "aria-live": "polite" }),
    );
    announcer.textContent = "";
    requestAnimationFrame(() => (announcer.textContent = text));
  }

  /** Say in `message` that another tab shows the run, with a button that leads there, and mark the view, whose
   * style hides what makes no sense then (`data-elsewhere`). Without a tab, take the mark away. */
  function elsewhere(root, message, sentence, tab) {
    root.toggleAttribute("data-elsewhere", Boolean(tab));
    if (!tab) return;
    const button = document.getElementById(`tab-${tab}-button`);
    const open = button && el("button", { type: "button", class: "tp-button", text: TEXT.open(button.textContent), on: { click: () => button.click() } });
    message.replaceChildren(sentence, " ", open ?? "");
  }

  let tooltip = null;

  /** Show `content` (a string or a node) beside the point (x, y) of the window; `tip(null)` hides it. */
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

  /* ---------------------------------------------------------------- drawing and asking */

  /** Change a node's text only where it differs, so that nothing is laid out for nothing. */
  function put(node, content) {
    if (node.textContent !== content) node.textContent = content;
  }

  /** A function that runs drawing functions before the next frame, each once however often it was asked for.
   *
   * Where there is nothing to draw by then, as `ready` says, they are forgotten. */
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

  /** A function that asks a view's server by name: its answer, or {error: offline()} where none comes. */
  function asker(server, offline) {
    return async (name, ...args) => {
      try {
        return (await server[name](...args)) ?? { error: offline() };
      } catch {
        return { error: offline() };
      }
    };
  }

  /** Begin when a node is first seen: a tab that nobody opens asks the server for nothing. */
  function whenSeen(node, begin) {
    new IntersectionObserver((entries, observer) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      begin();
    }).observe(node);
  }

  /** Plays the stops of a slider, from where it stands or from the first: about nine seconds for all of them.
   *
   * `count` and `at` say how many there are and where it stands, `goTo(index)` shows one and may take its time,
   * and `changed(playing)` is told when it begins and when it ends. */
  function player({ count, at, goTo, changed }) {
    let current = null;
    const stop = () => {
      if (!current) return;
      current.stopped = true;
      current = null;
      changed(false);
    };
    const start = () => {
      const mine = (current = { stopped: false });
      const period = Math.min(600, Math.max(100, 9000 / count()));
      let index = at() === count() - 1 ? -1 : at();
      const turn = async () => {
        if (mine.stopped) return;
        index += 1;
        const began = performance.now();
        await goTo(index);
        if (mine.stopped) return;
        if (index >= count() - 1) stop();
        else setTimeout(turn, Math.max(0, period - (performance.now() - began)));
      };
      changed(true);
      turn();
    };
    return { start, stop, playing: () => current !== null };
  }

  /** A share from 0 to 1 for a person, as exact as it is near 0 or 1: "12 %", "5.2 %", "0.29 %", "99.71 %".
   *
   * None but 0 and 1 seems to be one of them. `digits` more than two tell more, as on an axis: "12.5 %". */
  function percent(share, digits = 2) {
    if (!Number.isFinite(share)) return "–";
    const near = Math.min(share, 1 - share);
    if (near < 1e-6 && share > 0.5) return "100 %"; // as sums of 32-bit numbers come out
    if (near > 0 && near < 0.00005) return share < 0.5 ? "< 0.01 %" : "> 99.99 %";
    const decimals = (near >= 0.0995 ? 0 : near >= 0.00995 ? 1 : 2) + digits - 2;
    return `${Number((100 * share).toFixed(decimals))} %`;
  }

  const UNITS = [[365 * 24 * 3600, "years"], [24 * 3600, "days"], [3600, "h"], [60, "min"], [1, "s"]];

  /** Seconds for a person: "5.7 s", "10 min 10 s", "3 days 4 h"; `rough`, as an estimate is: "49 s", "2.1 h", "35 days". */
  function duration(seconds, { rough = false } = {}) {
    const said = (value, unit) => `${value} ${TEXT.units[unit]}`;
    if (!Number.isFinite(seconds)) return "–";
    if (seconds < 9.95 && !rough) return said(seconds.toFixed(1), "s");
    const whole = Math.max(1, Math.round(seconds));
    const at = UNITS.findIndex(([length]) => whole >= (rough ? 1.5 * length : length));
    const [[length, unit], next] = [UNITS.at(at), UNITS.at(at + 1)];
    if (rough) return said(number(whole / length, 2), unit);
    const rest = at < UNITS.length - 1 ? Math.floor((whole % length) / next[0]) : 0;
    return said(Math.floor(whole / length), unit) + (rest ? ` ${said(rest, next[1])}` : "");
  }

  /** Bytes for a person: "950 B", "295 MB". */
  function size(bytes) {
    const [limit, unit] = [[1e15, "PB"], [1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"]].find(([each]) => bytes >= each * 0.9995) ?? [1, "B"];
    return `${Number((bytes / limit).toPrecision(3))} ${unit}`;
  }

  Object.assign(window.tp, {
    series,
    named,
    sentences,
    kind,
    halves,
    put,
    unsaid,
    scheduler,
    asker,
    keyed,
    keyedTrigger,
    player,
    whenSeen,
    percent,
    duration,
    size,
    url,
    visible,
    number,
    bytes,
    floats,
    el,
    csv,
    save,
    saveBar,
    colour,
    onTheme,
    heat,
    diverge,
    poll,
    say,
    elsewhere,
    tip,
    memory,
  });
})();
