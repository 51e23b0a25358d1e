/* What was chosen, in the page's address where it differs from the defaults. Layers, heads and tokens count
 * from 0 here, and from 1 where a person reads them. */
const { el, visible, put, percent } = tp;
const schedule = tp.scheduler();
const call = tp.asker(server, () => TEXT.offline);
const root = element.querySelector(".translate");

const LONGEST_URL = 1500; // characters of text that a link may hold
const KINDS = ["cross", "encoder", "decoder"];
const BEAMS = { least: 1, most: 8, usual: 4 };
const ALPHA = { most: 2, usual: 0.6 };

const state = {
  page: "", // the run on the page
  run: "", // the run that is shown
  text: null, // null: the text that training recorded
  step: null, // null: the newest checkpoint
  right: false, // show the right translation
  start: null, // tokens that the translation was made to begin with
  of: "cross",
  layer: null, // null: the average
  head: null,
  at: null, // tokens of the translation that are shown; null: all
  held: null, // {row: "source" | "target", index}
  hover: null, // the same under the pointer, perhaps with `column`
  live: true, // while it trains, show each step as it is recorded
  open: false, // the beam panel
  beams: BEAMS.usual,
  alpha: ALPHA.usual,
};

function readUrl() {
  const get = (name) => tp.url.get(`t.${name}`);
  const number = (name) => (/^\d{1,12}$/.test(get(name) ?? "") ? Number(get(name)) : null);
  const fromOne = (name) => (number(name) ? number(name) - 1 : null);
  state.text = get("text");
  state.step = number("step");
  state.right = get("right") === "1";
  state.of = KINDS.includes(get("of")) ? get("of") : "cross";
  state.layer = fromOne("layer");
  state.head = fromOne("head");
  if (/^\d{1,6}(\.\d{1,6}){0,95}$/.test(get("start") ?? "")) state.start = get("start").split(".").map(Number);
  const held = /^([rw])(\d{1,3})$/.exec(get("token") ?? "");
  if (held && Number(held[2])) state.held = { row: held[1] === "r" ? "source" : "target", index: held[2] - 1 };
  const beams = number("beams");
  state.open = beams !== null;
  if (beams >= BEAMS.least && beams <= BEAMS.most) state.beams = beams;
  const alpha = Number(get("alpha") ?? NaN);
  if (alpha >= 0 && alpha <= ALPHA.most) state.alpha = alpha;
}

let saving = 0;

/** Soon, and once for many changes: browsers refuse many of them a second. */
function saveUrl() {
  clearTimeout(saving);
  saving = setTimeout(() => {
    const { text, held, start } = state;
    tp.url.set({
      "t.text": text === null || text.length > LONGEST_URL ? null : text,
      "t.step": state.step,
      "t.right": state.right ? 1 : null,
      "t.of": state.of === "cross" ? null : state.of,
      "t.layer": state.layer === null ? null : state.layer + 1,
      "t.head": state.head === null ? null : state.head + 1,
      "t.start": start?.length ? start.join(".") : null,
      "t.token": held ? `${held.row === "source" ? "r" : "w"}${held.index + 1}` : null,
      "t.beams": state.open ? state.beams : null,
      "t.alpha": state.open && state.alpha !== ALPHA.usual ? state.alpha : null,
    });
  }, 200);
}

const rounded = (share) => (share >= 0.005 ? `${Math.round(share * 100)} %` : share > 0 ? "< 1 %" : "0 %"); // of a byte
const fixed = (value, digits = 2) => value.toFixed(digits).replace("-", "−");
const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const fileName = (what) => `translation-step-${frame?.step ?? 0}-${what}`;

/** A token for a person: its leading space apart, since in most scripts it belongs to the word. */
function tokenParts(text) {
  const spaced = text.length > 1 && text[0] === " " && text[1] !== " ";
  return { space: spaced, word: visible(spaced ? text.slice(1) : text) };
}
const word = (text) => tokenParts(text).word;
