/* What was chosen, in the page's address where it differs from the defaults. Layers, experts and tokens count
 * from 0 here, and from 1 where a person reads them. */
const { el, visible, put, percent, fixed, rounded, css, inkOn } = tp;
const schedule = tp.scheduler();
const call = tp.asker(server, () => TEXT.offline);
const root = element.querySelector(".experts");
const FEW = 4; // layers that have room beside the maps
const PAIR = "transformer-playground-pair";

/** @typedef {"steps" | "flops" | "seconds"} Axis */
/** @typedef {{ layer: number | null, block: number | null, step: number | null, axis: Axis }} Chosen */
/** @typedef {{ run: string, partner: string | null, text: string | null, token: number, row: number,
 *   locked: boolean }} Looked */
/** @type {Chosen & Looked & { hover: { token: number, row: number } | null }} */
const state = {
  run: "", // the run on the page
  layer: null, // a place among the expert layers; null: all
  block: null, // the block that an address names: becomes `layer` when it is known which blocks have experts
  step: null, // null: the newest
  partner: null, // the run that a link compares this one with
  axis: "steps",
  text: null, // null: the text that training recorded
  token: 0,
  row: 0, // the expert layer of the token that is read
  locked: false,
  hover: null, // {token, row} under the pointer, while nothing is held
};

const address = tp.address("experts", () => {
  const { layers } = first;
  return {
    ...state,
    block: state.layer === null || layers.length < 2 ? null : layers[state.layer],
    // The id of a learner's own run is the key to it, so it never stands in an address.
    partner: second?.about?.shipped ? second.run : null,
  };
});

/** The run that was last compared with this one, in this browser. */
function partnerOf(/** @type {string} */ run) {
  try {
    const stored = JSON.parse(tp.browser.recall(PAIR) ?? "null") ?? {};
    return stored.first === run && typeof stored.second === "string" ? stored.second : null;
  } catch {
    return null;
  }
}
/** @param {string} run @param {string | null} other */
const rememberPair = (run, other) => tp.browser.remember(PAIR, JSON.stringify({ first: run, second: other }));

const fileName = (/** @type {string} */ what) => first.fileName(what);
