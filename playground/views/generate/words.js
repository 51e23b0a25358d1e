/* Every word of the view, and how numbers are said. */
const TEXT = {
  title: "Generate",
  intro:
    "A language model writes one token at a time. It gives every token it knows a probability, one of them is drawn, " +
    "and the longer text is read again. Press Step and watch.",
  prompt: "Prompt",
  promptHint: "Enter starts again from this prompt; Shift+Enter is a line break.",
  use: "Use this prompt",
  examples: "Try:",
  checkpoint: "The model, at this step of its training",
  checkpointAt: (step, last) => (step === last ? `step ${count(step)}, the newest` : `step ${count(step)} of ${count(last)}`),
  checkpointOne: "This run has one checkpoint; more come while it trains.",
  wait: "Reading the model …",
  offline: "The page's server does not answer. Is it still running?",

  text: "The text",
  textLabel: "The text so far. Right arrow: next token; left arrow: one back; space: play or pause.",
  textKeys: "Keys, when the text is in focus: → step, ← back, space play, Home restart.",
  legendPrompt: "prompt",
  legendUnsure: "unsure",
  legendSure: "sure",
  legendForgotten: "no longer seen",
  chip: (token, place) => `${token}, token ${place}`,
  chipChance: (before, after) => `probability ${before}, with your settings ${after}`,
  chipGo: "Click to go back to here.",
  step: "Step",
  stepTitle: "Write one more token",
  play: "Play",
  playTitle: "Keep writing",
  pause: "Pause",
  back: "Back",
  backTitle: "Go back by one token; what was written stays in the tree",
  restart: "Restart",
  restartTitle: "Go back to the prompt; what was written stays in the tree",
  speed: "Speed",
  speedValue: (value) => (value ? `${value} a second` : "as fast as it can"),
  seed: "Seed",
  seedTitle: "Fixes every draw: the same seed writes the same text again",
  reseed: "New seed",
  reseedTitle: "Another seed draws other tokens from here on",
  room: (used, context) => `${count(used)} of the ${count(context)} tokens that the model can see at once`,
  slid: (start, used) =>
    `The context was full, so the window slid: the model no longer sees the first ${count(start)} tokens, ` +
    `and the cache was filled again from the last ${count(used)}.`,
  longPrompt: (start) => `The prompt is longer than the context: the model does not see its first ${count(start)} tokens.`,
  almost: "The context is full: with the next token the window slides to its last half.",
  limit: (limit) => `This page stops at ${count(limit)} tokens. Go back, or restart.`,
  ended: "The model wrote its end token, so the answer is complete. Restart, or choose another prompt.",
  right: "Right answer:",
  verdicts: { right: "the model has it right", wrong: "the model wrote something else", open: "not written to its end yet" },

  next: "The next token",
  nextNote: "How probable the model thinks each token is, all of them. Click one to write that one instead.",
  drawn: (share) => `is drawn by the next step (${share})`,
  settings: {
    temperature: ["temperature", "below 1 safer, above 1 more surprising, 0 always the most probable"],
    top_k: ["top-k", "keep only the k most probable tokens"],
    top_p: ["top-p", "keep the fewest tokens that together reach this probability"],
    min_p: ["min-p", "keep tokens at least this share as probable as the best one"],
  },
  off: "off",
  greedy: "greedy",
  neutral: "All off",
  neutralTitle: "The model's own distribution: temperature 1, no filter",
  legendBefore: "the model's own",
  legendAfter: "with your settings",
  filters: [null, "temperature 0", "top-k", "top-p", "min-p"],
  nextMark: "next",
  kept: (kept, all) => (kept === all ? `All ${count(all)} tokens can be drawn.` : `${count(kept)} of ${count(all)} tokens can be drawn.`),
  removed: (filter, tokens, share) => `${filter} removes ${count(tokens)} (${share})`,
  impossible: "With temperature 0 the other filters have nothing left to do.",
  entropy: (before, after) =>
    before === after
      ? `${capital(openness(before))}.`
      : `${capital(openness(after))}; before your settings, ${openness(before)}.`,
  made: "there is nothing to choose (0 bits)",
  decided: (amount) => `the choice is all but made (${amount})`,
  open: (equal, amount) => `as open as a choice between ${equal} equally likely tokens (${amount})`,
  list: "All tokens, the most probable first. Arrows move, Enter writes the token.",
  listKeys: "↑ ↓ move through the list, Enter writes the token.",
  row: (token, before, after, note) => `${token}: ${before}, with your settings ${after}${note ? `, ${note}` : ""}`,
  removedBy: (filter) => `removed by ${filter}`,
  columns: ["token", "model", "settings"],
  listFigure: "The most probable next tokens",

  tree: "Branches",
  treeNote: "Every way the text has gone. Click a token to go there.",
  treeOne: "There is one way so far. Click another token in the list, or go back, press New seed and step: the other way appears here.",
  treeKeys: "← → ↑ ↓ move through the tree, Enter goes there.",
  treeLabel: (nodes, branches) => `Tree of ${nodes} tokens in ${branches} ${branches === 1 ? "branch" : "branches"}`,
  treePrompt: "the prompt",
  prune: "Keep only this way",
  pruneTitle: "Forget all other branches",

  cache: "The cache",
  cacheNote:
    "For every token, each layer computes a key (what it offers) and a value (what it hands on). They never change, " +
    "so they are kept: the next token needs only its own.",
  cacheFigure: (used, context, layers, size) => `The cache holds keys and values of ${used} of ${context} positions in ${layers} layers: ${size}`,
  cacheSize: (size, all) => `${size} of ${all}`,
  cachePositions: (first, last) => `positions ${count(first)} to ${count(last)} of the text`,
  layer: (layer) => `layer ${layer}`,
  keys: "keys",
  values: "values",
  newest: "new with this token",
  with: "with the cache",
  without: "without",
  costs: {
    here: "This token",
    all: (tokens) => `Whole text (${count(tokens)} tokens)`,
    computed: "positions computed",
    flops: "FLOPs",
    ms: "milliseconds, measured",
  },
  saved: (flops, time) => `So far the cache has saved ${flops} of the arithmetic and ${time} of the time.`,
  savedOnlyFlops: (flops) =>
    `So far the cache has saved ${flops} of the arithmetic but no time: the model is so small that starting each step costs more than the numbers.`,
  savedNothing: "Nothing is saved yet: the prompt is computed all at once. Press Step.",
  proof: (difference) => `And it changes nothing: with and without it, no logit of this text differs by more than ${difference}.`,
  proofRounding: "That is rounding in 32-bit numbers.",
  proofFailed: "That is more than rounding: the cache would be wrong here.",
  notAlone: (difference) =>
    `With and without it, logits of this text differ by up to ${difference}, and have to: in this model the experts of a token depend on the other tokens that are computed with it.`,
  chartFlops: "FLOPs for each token",
  chartMs: "milliseconds for each token",
  chartLabel: (what) => `${what}, over the positions of the text, with and without the cache`,
  position: "position",

  announce: (token, share) => `${token}, ${share}`,
  files: { list: "next-token", tree: "branches", cache: "cache", cost: "cache-cost" },
  csv: {
    list: ["id", "token", "model", "settings", "removed by"],
    tree: ["node", "parent", "id", "token", "position", "model", "settings", "current"],
    cost: ["position", "token", "window start", "in window", "computed", "cache bytes", "flops", "flops without", "ms", "ms without", "largest logit difference"],
  },
};

const count = (value) => value.toLocaleString("en-US");
const bits = (value) => `${value < 0.05 ? Number(value.toPrecision(1)) : value.toFixed(1)} bits`;
const openness = (value) => {
  const equal = 2 ** value;
  if (value < 1e-6) return TEXT.made;
  if (equal < 1.05) return TEXT.decided(bits(value));
  return TEXT.open(equal < 10 ? String(Number(equal.toFixed(1))) : count(Math.round(equal)), bits(value));
};
const percent = (share) => {
  if (share === 0) return "0 %";
  if (share > 0.9995 && share < 1) return "> 99.9 %";
  if (share < 0.00005) return `${tp.number(share * 100, 1)} %`;
  return `${Number((share * 100).toPrecision(share < 0.0995 ? 2 : 3)).toFixed(share < 0.01 ? 2 : share < 0.0995 ? 1 : 0)} %`;
};
const bytes = (value) => (value < 1000 ? `${value} B` : value < 999_500 ? `${(value / 1e3).toPrecision(3)} kB` : `${(value / 1e6).toPrecision(3)} MB`);
const piece = (token) => text.shown[token];
const quoted = (token) => `“${piece(token)}”`;
