/* The top of the page: what this is, which run all tabs look at, the language, and dark or light.
 *
 * The browser remembers its own runs here, by id, in its local storage: an id is random, and whoever
 * knows it may read the run. `props.shown` is the run on the page, {id, name, shipped}; a run that is not
 * shipped becomes this browser's own by being shown. `props.granted` are the [id, key] of runs that this page has
 * started, on a host where a run is changed with its key. Events: "arrive" {linked, shown, preset} once at the
 * beginning, "pick" {run, configure}. Server: runs(ids) -> {shipped: [{id, name}], own: [{id, name, created, state,
 * damaged?}]}, going(ids), and where this host has limits (`props.limited`) here(shown, own), which keeps the places of
 * one who still looks at the page.
 */
const TEXT = tp.words({
  en: {
    name: "Transformer playground",
    sentence: "See how a small language model works, and train your own.",
    run: "Run",
    shipped: "Trained for you",
    own: "Your runs",
    damaged: "cannot be read",
    dark: "Switch to dark",
    light: "Switch to light",
    other: ["zh", "中文", "用中文阅读本页"],
  },
  zh: {
    name: "Transformer 实验场",
    sentence: "看一个小语言模型怎样工作，再训练你自己的。",
    run: "训练任务",
    shipped: "已训练好的模型",
    own: "你的训练任务",
    damaged: "无法读取",
    dark: "切换到深色",
    light: "切换到浅色",
    other: ["en", "English", "Read this page in English"],
  },
});
const HERE_SECONDS = 2;
const THEME = "transformer-playground-theme";

const { el, put } = tp;
const root = element.querySelector(".header");

/* ---------------------------------------------------------------- dark and light */

const isDark = () => document.body.classList.contains("dark");
const chosen = tp.browser.recall(THEME);
if (chosen && !tp.url.get("__theme")) document.body.classList.toggle("dark", chosen === "dark");

const SVG_MOON = "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5Z";
const SVG_SUN =
  "M12 7.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9Z" +
  "M12 2v2.5M12 19.5V22M2 12h2.5M19.5 12H22M5 5l1.7 1.7M17.3 17.3 19 19M5 19l1.7-1.7M17.3 6.7 19 5";
const glyph = el("path", { d: SVG_MOON });
const theme = el("button", { type: "button", class: "theme", id: "theme-switch", on: { click: flip } }, [
  el("svg", { viewBox: "0 0 24 24", width: 18, height: 18, "aria-hidden": "true" }, glyph),
]);
function flip() {
  document.body.classList.toggle("dark");
  tp.browser.remember(THEME, isDark() ? "dark" : "light");
}
function labelTheme() {
  glyph.setAttribute("d", isDark() ? SVG_SUN : SVG_MOON);
  theme.title = isDark() ? TEXT.light : TEXT.dark;
  theme.setAttribute("aria-label", theme.title);
}
tp.onTheme(labelTheme);
labelTheme();

/* ---------------------------------------------------------------- language */

const [other, itsName, itsTitle] = TEXT.other;
const language = tp.button(itsName, { class: "language", id: "language-switch", lang: other, title: itsTitle }, () =>
  tp.speak(/** @type {Language} */ (other)),
);
document.title = TEXT.name;

/** Gradio draws the tabs, may do so again, and knows them in English only. */
function nameTabs() {
  for (const tab of document.querySelectorAll("#tabs [role=tab]")) put(tab, tp.translate(tab.textContent.trim()));
}
if (tp.language !== "en") {
  const list = () => document.querySelector("#tabs [role=tablist]");
  const begin = () => {
    const tabs = list()?.parentElement;
    if (!tabs) return requestAnimationFrame(begin);
    new MutationObserver(nameTabs).observe(tabs, { childList: true, characterData: true, subtree: true });
    nameTabs();
  };
  begin();
}

/** Says in a class whether there are tabs beyond the right edge, as on a phone. */
function watchTabs() {
  const strip = document.querySelector("#tabs .tab-container:not(.visually-hidden)");
  if (!strip) return requestAnimationFrame(watchTabs);
  const look = () => {
    const ends = [...strip.children].map((tab) => tab.getBoundingClientRect().right);
    strip.parentElement?.classList.toggle("more", Math.max(...ends) > strip.getBoundingClientRect().right + 1);
  };
  strip.addEventListener("scroll", look);
  const sizes = new ResizeObserver(look);
  [strip, ...strip.children].forEach((node) => sizes.observe(node));
}
watchTabs();

/* ---------------------------------------------------------------- runs */

const select = el("select", { id: "run-select" });
/* On the tab Train the form follows the run that is chosen here; elsewhere it stays as the learner has set it. */
select.addEventListener("change", () => {
  pick(select.value, document.body.dataset.tab === "train");
});
tp.lessons.opened(({ run }) => {
  if (!run || (asking === null && run === props.shown?.id)) return;
  pick(run);
});
const [help, sheet] = keySheet();
element.querySelector(".words").append(el("h1", { text: TEXT.name }), el("p", { text: TEXT.sentence }));
element
  .querySelector(".tools")
  .append(trains, el("label", { class: "run" }, el("span", { text: TEXT.run }), select), language, help, theme);

/** @param {ListedRun} run */
const option = (run) =>
  el("option", { value: run.id, text: run.damaged ? tp.named(run.name, TEXT.damaged) : said(run) });

/** A run of one's own, with when it was made and how it stands.
 *
 * @param {ListedRun} run */
const said = ({ name, created, state }) =>
  created && state ? [tp.runName({ name }), tp.when(created), tp.states[state].word].join(" · ") : name;

/** @typedef {{id: string, name: string, damaged?: string, created?: number, state?: string}} ListedRun */

let asked = 0;
async function list() {
  const turn = ++asked;
  const shown = props.shown;
  /** @type {{shipped: ListedRun[], own: ListedRun[]}} */
  const { shipped, own } = await server.runs(tp.memory.read().runs);
  if (turn !== asked) return;
  const named = shipped.map(({ id, name }) => ({ id, name: tp.runName({ name, shipped: true }) }));
  const groups = [
    { label: TEXT.own, runs: own },
    { label: TEXT.shipped, runs: named },
  ].filter(({ runs }) => runs.length);
  select.replaceChildren(...groups.map(({ label, runs }) => el("optgroup", { label }, runs.map(option))));
  if (shown?.shipped && !named.some(({ id }) => id === shown.id))
    select.append(option({ id: shown.id, name: tp.runName(shown) })); // a stored run of a lesson, while it is watched
  select.value = shown?.id ?? "";
  root.dataset.runs = String(own.length);
}

/** Came this run by somebody's link? Then it is only looked at: the address keeps it, and this browser does not. */
const guest = () => !props.shown.shipped && props.shown.id === came && !tp.memory.read().runs.includes(came);
const address = tp.address("header", () => ({
  run: (props.shown.shipped && props.shown.first !== tp.language) || guest() ? props.shown.id : null,
}));
const came = address.read().run;

/** The id of the run on the page: `shown` comes a moment after the answer that brought a new one.
 *
 * @type {string | null} */
let onPage = null;

/** The run that was asked for last, until it is on the page. @type {string | null} */
let asking = null;

function pick(/** @type {string} */ run, configure = false) {
  asking = run;
  trigger("pick", { run, configure });
}

function follow() {
  const shown = props.shown;
  if (!shown) return;
  onPage = shown.id;
  if (asking === shown.id) asking = null;
  if (!guest()) {
    if (!shown.shipped) tp.memory.add(shown.id);
    tp.memory.write({ ...tp.memory.read(), shown: shown.shipped ? null : shown.id });
  }
  address.save();
  root.dataset.run = shown.id;
  list();
}
watch("shown", follow);
watch("granted", () => {
  /** @type {[run: string, key: string][]} */
  const granted = props.granted ?? [];
  for (const [run, key] of granted) tp.memory.add(run, key);
  if (!granted.length) return;
  onPage = granted[0][0];
  tp.memory.write({ ...tp.memory.read(), shown: onPage }); // now: who reloads before `shown` comes keeps the run
});

/* Who reads a lesson, or looks at another run, is still here: without this their own runs would lose their places. */
if (props.limited) {
  const here = () => server.here(props.shown?.id ?? null, tp.memory.read().runs);
  tp.poll(here, { hz: 1 / HERE_SECONDS, hidden_hz: 1 / HERE_SECONDS });
}
tp.memory.watch(list);
addEventListener("tp-runs", list); // another view has changed a name
watchTraining();

/** Bring a tab's button to the middle of a bar that is too narrow for all, and leave the page where it is scrolled to.
 *
 * @param {Element} button */
function centre(button) {
  for (let bar = button.parentElement; bar; bar = bar.parentElement) {
    if (bar.scrollWidth <= bar.clientWidth || bar === document.documentElement) continue;
    const [box, whole] = [button.getBoundingClientRect(), bar.getBoundingClientRect()];
    bar.scrollLeft += box.left + box.width / 2 - (whole.left + whole.width / 2);
    return;
  }
}

/* The tab that a link names. While a page comes to life, Gradio selects its first tab, before or after this
 * script runs: so the other is asked for until the visitor does something, or for a few seconds.
 */
function openLinked() {
  const until = performance.now() + 5000;
  let taken = false;
  let placed = ""; // the bar is moved when its tabs have moved, and never away from where a visitor has scrolled it
  for (const kind of ["pointerdown", "keydown"])
    addEventListener(kind, () => (taken = true), { once: true, capture: true });
  const look = () => {
    if (taken || performance.now() > until) return;
    const button = tp.tabs.open(tp.tabs.first());
    if (button && !document.body.dataset.tab) document.body.dataset.tab = tp.tabs.first() ?? "";
    const place = button ? [button.id, button.offsetLeft, button.parentElement?.scrollWidth].join() : "";
    if (button && place !== placed) centre(button);
    placed = place;
    setTimeout(look, 100);
  };
  look();
}

/* A link to one tab alone, for a class (?only=1): the style hides what leads away from it, and what configures. */
document.body.classList.toggle("tp-only", Boolean(tp.url.first("only")));
element.append(sheet);

openLinked();
const preset = tp.url.first("only") ? tp.url.first("preset") : null;
trigger("arrive", { linked: came, shown: tp.memory.read().shown, preset, language: tp.language });
