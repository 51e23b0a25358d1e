/* A page without a browser: runs the shared scripts on a small fake document.
 *
 * Time passes only when a test calls `pass`.
 */
import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { createContext, runInContext } from "node:vm";

const SCRIPTS = new URL("../../assets/js/", import.meta.url);

/** The file of each shared script by its name, whichever room it is in. */
const FILES = Object.fromEntries(
  readdirSync(SCRIPTS, { recursive: true }).map((path) => [
    basename(String(path), ".js"),
    new URL(String(path), SCRIPTS),
  ]),
);

/** The scripts that most others need, in the page's order (SCRIPTS in playground/page/views.py). */
export const SHARED = "browser language url memory text numbers colours elements saving asking".split(" ");

class Element extends EventTarget {
  constructor(tag) {
    super();
    Object.assign(this, { tag, attributes: {}, children: [], dataset: {}, hidden: false, parent: null, text: "" });
    this.style = { setProperty: (name, value) => Object.assign(this.style, { [name]: value }) };
    this.classes = new Set();
    this.classList = { toggle: (name, on) => (on ? this.classes.add(name) : this.classes.delete(name)) };
    this.boxes = [];
  }

  get textContent() {
    return this.text + this.children.map((child) => child.textContent ?? child).join("");
  }

  set textContent(text) {
    this.children = [];
    this.text = text;
  }

  get isConnected() {
    return this.parent !== null && (this.parent.isRoot || this.parent.isConnected);
  }

  append(...children) {
    for (const child of children) if (child instanceof Element) child.parent = this;
    this.children.push(...children);
  }

  replaceChildren(...children) {
    this.textContent = "";
    this.append(...children);
  }

  setAttribute(name, value) {
    this.attributes[name] = String(value);
    if (name === "hidden") this.hidden = true;
  }

  getAttribute(name) {
    return this.attributes[name] ?? null;
  }

  getClientRects() {
    return this.boxes;
  }

  getBoundingClientRect() {
    return this.boxes[0];
  }

  scrollIntoView(how) {
    this.scrolled = [...(this.scrolled ?? []), how];
    if (this.scrolls) this.boxes = [this.scrolls(this.boxes[0])];
  }
}

/** Wait until the callbacks of all settled promises have run. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A copy with the prototypes of this realm: `deepEqual` compares them. */
export const plain = (value) => structuredClone(value);

/** Load these scripts into a new page. Returns {tp, body, now(), pass(milliseconds)}. */
export function page(scripts, { language = "en", catalogue = {} } = {}) {
  let now = 0;
  let number = 0;
  const due = new Map(); // number -> {at, run}
  const after = (run, wait = 0) => {
    due.set(++number, { at: now + wait, run });
    return number;
  };
  const cancel = (timer) => due.delete(timer);

  const body = Object.assign(new Element("body"), { isRoot: true });
  const document = {
    documentElement: {},
    addEventListener() {},
    removeEventListener() {},
    createElement: (tag) => new Element(tag),
    createElementNS: (_, tag) => new Element(tag),
    querySelectorAll: (selector) => body.children.filter((child) => child.attributes.id === selector.slice(1)),
  };
  const window = {
    document,
    location: { search: `?lang=${language}`, pathname: "/", hash: "" },
    navigator: { language },
    performance: { now: () => now },
    setTimeout: after,
    clearTimeout: cancel,
    innerHeight: 900,
    addEventListener: (kind, act) => body.addEventListener(kind, act),
    matchMedia: () => ({ matches: false }),
    getComputedStyle: ({ padding }) => ({ scrollPaddingTop: "auto", scrollPaddingBottom: padding ?? "auto" }),
    requestAnimationFrame: (run) => after(run, 16),
    cancelAnimationFrame: cancel,
    console: { warn() {} },
    ...{ atob, Blob, TextDecoder, TextEncoder, URLSearchParams },
  };
  window.window = window;
  const context = createContext(window);
  for (const name of scripts) {
    runInContext(readFileSync(FILES[name], "utf-8"), context, { filename: `${name}.js` });
    if (name === "language") window.tp.catalogue = { [language]: catalogue };
  }
  document.body = body;

  async function pass(milliseconds) {
    const end = now + milliseconds;
    for (;;) {
      await settled();
      const [next] = [...due].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at);
      if (!next) break;
      const [timer, { at, run }] = next;
      due.delete(timer);
      now = Math.max(now, at);
      run(now);
    }
    now = end;
  }

  const padded = (padding) => Object.assign(document.documentElement, { padding });
  return { tp: window.tp, body, pass, padded, now: () => now };
}

/** Load these scripts without a page: returns their `window.tp`.
 *
 * @param {string[]} names @param {object} tp  what earlier scripts would have put there @param {object} globals */
export function load(names, tp = {}, globals = {}) {
  const window = { tp };
  const context = createContext({ window, console, URLSearchParams, atob, setTimeout, clearTimeout, ...globals });
  for (const name of names) runInContext(readFileSync(FILES[name], "utf-8"), context);
  return window.tp;
}
