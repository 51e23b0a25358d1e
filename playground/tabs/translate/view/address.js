/* What was chosen, in the page's address where it differs from the defaults. Layers, heads and tokens count
 * from 0 here, and from 1 where a person reads them. */
const { el, visible, put, percent, fixed, rounded, calm, newest } = tp;
const schedule = tp.scheduler();
const call = tp.asker(server, () => TEXT.offline);
const root = element.querySelector(".translate");

const address = tp.address("translate", () => ({
  ...state,
  start: state.start?.length ? state.start : null,
  beams: state.open ? state.beams : null,
  alpha: state.open ? state.alpha : ALPHA.usual,
}));

/** @typedef {"cross" | "encoder" | "decoder"} Kind  of attention */
/** @typedef {"source" | "target"} Side */
/** @typedef {{ row: Side, index: number, column?: number }} Focus  a token, perhaps with what it is compared with */
/** @typedef {{ held(focus: Focus | null): void, hovered(focus: Focus | null): void }} Pointing */
const BEAMS = { least: 1, most: 8, usual: 4 };
const ALPHA = { most: 2, usual: address.usual.alpha };

/** @typedef {{ page: string, run: string, text: string | null, step: number | null, right: boolean,
 *   start: number[] | null }} Asked */
/** @typedef {{ of: Kind, layer: number | null, head: number | null, at: number | null, held: Focus | null,
 *   hover: Focus | null }} Seen */
/** @type {Asked & Seen & { live: boolean, open: boolean, beams: number, alpha: number }} */
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
  const { beams, ...told } = address.read();
  Object.assign(state, told, { open: beams !== null });
  if (beams >= BEAMS.least && beams <= BEAMS.most) state.beams = beams;
}

const fileName = (/** @type {string} */ what) => `translation-step-${frame.step}-${what}`;

/** A token for a person: its leading space apart, since in most scripts it belongs to the word. Where all tokens are
 * whole words, it says nothing. */
function tokenParts(/** @type {string} */ text) {
  const spaced = text.length > 1 && text[0] === " " && text[1] !== " ";
  return { space: spaced && !frame.inWords, word: visible(spaced ? text.slice(1) : text) };
}
const word = (/** @type {string} */ text) => tokenParts(text).word;
