/* What was chosen, in the page's address where it differs from the defaults. Layers, experts and tokens count
 * from 0 here, and from 1 where a person reads them. */
const { el, visible, put, percent } = tp;
const schedule = tp.scheduler();
const call = tp.asker(server, () => TEXT.offline);
const root = element.querySelector(".experts");
const LONGEST_URL = 1500; // characters of text that a link may hold
const FEW = 4; // layers that have room beside the maps
const PAIR = "transformer-playground-pair";

const state = {
  run: "", // the run on the page
  layer: null, // a place among the expert layers; null: all
  step: null, // null: the newest
  axis: "steps",
  text: null, // null: the text that training recorded
  token: 0,
  row: 0, // the expert layer of the token that is read
  locked: false,
  hover: null, // {token, row} under the pointer, while nothing is held
};

function readUrl() {
  const number = (name) => (/^\d{1,12}$/.test(tp.url.get(name) ?? "") ? Number(tp.url.get(name)) : null);
  state.block = number("e.layer"); // becomes `layer` when it is known which blocks have experts
  state.step = number("e.step");
  state.text = tp.url.get("e.text");
  const axis = tp.url.get("e.x");
  state.axis = Object.hasOwn(TEXT.axes, axis ?? "") ? axis : "steps";
}

let saving = 0;

/** Soon, and once for many changes: browsers refuse many of them a second. */
function saveUrl() {
  clearTimeout(saving);
  saving = setTimeout(() => {
    const layers = first?.about?.layers ?? [];
    tp.url.set({
      "e.layer": state.layer === null || layers.length < 2 ? null : layers[state.layer] + 1,
      "e.step": state.step,
      "e.x": state.axis === "steps" ? null : state.axis,
      "e.text": state.text === null || state.text.length > LONGEST_URL ? null : state.text,
      // The id of a learner's own run is the key to it, so it never stands in an address.
      "e.with": second?.about?.shipped ? second.run : null,
    });
  }, 200);
}

/** The run that was last compared with this one, in this browser. */
function partnerOf(run) {
  try {
    const stored = JSON.parse(tp.browser.recall(PAIR)) ?? {};
    return stored.first === run && typeof stored.second === "string" ? stored.second : null;
  } catch {
    return null;
  }
}
const rememberPair = (run, other) => tp.browser.remember(PAIR, JSON.stringify({ first: run, second: other }));

const rounded = (share) => (share >= 0.005 ? `${Math.round(share * 100)} %` : share > 0 ? "< 1 %" : "0 %"); // of a byte
const loss3 = (value) => (Number.isFinite(value) ? value.toFixed(3) : "–");
const fileName = (what) => `${(first?.name || "run").replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60)}-${what}`;
