/* Every sentence and word of the view. */
const whole = (value) => value.toLocaleString("en-US");
const TEXT = {
  title: "Experts",
  intro:
    "In a mixture of experts a block has several feed-forwards side by side. A router sends each token to a few of " +
    "them. Here you see which experts work, how evenly, and on what.",
  wait: "Reading the run …",
  offline: "The page's server does not answer. Is it still running?",
  none: "No run yet. Choose one above, or start one in the tab Train.",
  nothing: (name) => `“${name}” has recorded nothing yet. The figures appear when it trains.`,
  nothingEver: (name) => `“${name}” has recorded nothing, and trains no further: there is nothing to show.`,
  unrecorded: (name) =>
    `“${name}” has not recorded yet how its batches are routed. Work over time and load appear with its first record; ` +
    "below is how its router sends a text now.",
  unrecordedEver: (name) =>
    `Of “${name}” no training was recorded, and it trains no further: so there is no work over time to show. ` +
    "Below is how its router sends a text.",
  denseShown: (name, other) => `“${name}” has no experts: each block has one feed-forward for all. So this page shows “${other}”, which has.`,
  denseNone: (name) => `“${name}” has no experts: each block has one feed-forward for all. Train a run that has some, and watch its router here.`,
  toTrain: "Set the form for a run with experts",
  facts: (name, a) =>
    `“${name}”: ${a.experts} experts in ${a.layers.length === 1 ? "one block" : `each of ${a.layers.length} blocks`}, ` +
    `${a.top_k === 1 ? "one works" : `${a.top_k} work`} on each token (router “${a.router}”).` +
    (a.active ? ` Of ${tp.number(a.parameters)} parameters ${tp.number(a.active)} work on a token.` : ""),

  layer: "Block",
  layers: "all",
  layerName: (block) => `Block ${block + 1}`,
  axis: "Across",
  axes: { steps: "steps", flops: "FLOPs", seconds: "seconds" },
  axisNames: { steps: "step", flops: "FLOPs of training", seconds: "seconds of training" },
  compare: "Compare with",
  compareNone: "no other run",
  compareGroups: { own: "Your runs", shipped: "Trained for you" },
  dense: (name) => `${name} (dense)`,
  denseMap: (name) => `${name} (dense, so without a map)`,
  pair: "A/B: balance on and off",
  pairTitle:
    "Start two new runs of this configuration, with the same seed and the same batches: one with balancing, one without",
  pairStarting: "Starting two runs …",
  pairStarted: "Two runs train now: A with balancing, B without. Same seed, same batches.",

  timeline: "Work over time",
  timelineHelp:
    "One row is one expert, from left to right runs training. The stronger the colour, the more tokens the expert " +
    "got. Drag over the map, or move the slider, to go to a step.",
  scale: { none: "no token", fair: "fair share", most: (times) => `${times} × or more` },
  mapLabel: (run, block, experts, now) =>
    `Load of the ${experts} experts of block ${block + 1} over training${run ? `, run ${run}` : ""}. ${now}`,
  mapNow: (step, busiest, share) => `At step ${whole(step)}, expert ${busiest + 1} has the most: ${share}.`,
  mapTip: (expert, step, share, fair) => `Expert ${expert + 1}, step ${whole(step)}: ${share} of the choices (fair: ${fair})`,
  loss: "Loss",
  lossUnit: "nats per token",
  training: "training",
  batch: "one batch",
  heldOut: "held-out",
  vio: "MaxVio",
  vioUnit: "busiest expert above the mean",
  vioWorst: "busiest expert above the mean, in the worst block",
  record: "each record",
  smooth: "smoothed",
  chartSummary: (step, loss, vio) => `Loss and MaxVio over training, to step ${whole(step)}. Loss ${loss}, MaxVio ${vio}.`,
  step: "Step",
  chartHelp: "Drag over the curves to zoom in, double-click to see all; a click goes to a step.",
  stepText: (step, newest) => `step ${whole(step)}${newest ? ", the newest" : ""}`,
  newest: "Newest",
  runKey: { A: "A", B: "B" },
  balancingOff: "balancing off",
  biasOnly: "loss-free bias",
  mark: (field, value) => `${field} ${tp.number(value)}`,

  bars: "Load at this step",
  barsHelp:
    "f is the share of tokens that an expert got. P is the mean probability that the router gave it. The dashed line is the fair share.",
  f: "f, load",
  p: "P, probability",
  fair: "fair share",
  barsLabel: (block, facts) => `Load of every expert in block ${block + 1}. ${facts}`,
  balanceFacts: {
    vio: (value) => `MaxVio ${value}`,
    entropy: (value, most) => `entropy ${value} of ${most} nats`,
    dropped: (value) => `${value} dropped`,
    dead: (list) => `✕ dead: ${list}`,
    alive: "no dead expert",
  },
  factsHelp:
    "MaxVio is the largest load over the mean, minus one: 0 is perfectly even. Entropy says how undecided the router " +
    "is about a token. A dead expert got no token in this batch.",

  balance: "Balancing",
  balanceLive: "Changes hold from the next step on, and are marked on the curves.",
  balanceOver: "This run does not train now. Its weights of balancing, as they were at the end:",
  balanceShipped: "This run comes with the project and is trained already. Start one of your own to change these while it learns.",
  balanceNever: { hash: "A hash decides here, and it learns nothing: balancing changes nothing.", expert_choice: "Here experts choose their tokens, so their load is always even." },
  toBias: "Switch to the loss-free bias",
  toBiasTitle: "Set the weight of every loss that balances to 0 and the bias rate to 0.01; the z loss stays, it balances nothing",
  toOff: "Turn balancing off",
  toOffTitle: "Set the weight of every loss that balances and the bias rate to 0; the z loss stays, it balances nothing",
  notNumber: (label) => `${label} must be a number.`,

  tokens: "Who works on which token",
  tokensHelp:
    "The colour and the number of a token are those of its strongest expert. Point at a token to see what the router " +
    "thought; a click holds it. With the keyboard: arrows move, Enter holds, Esc lets go.",
  text: "Text to route",
  textHint: (count, limit) => `${count} ${count === 1 ? "token" : "tokens"}; there is room for ${limit}.`,
  textCut: "There is no room for the rest:",
  textReset: "Back to the text that training recorded",
  textBegin: "Back to the text of the beginning",
  routedAt: (step, recorded) => (recorded ? `As recorded at step ${whole(step)}.` : `Routed by the checkpoint of step ${whole(step)}, the nearest.`),
  gridLabel: "The text, once for each block with experts; each token with its strongest expert",
  cellLabel: (piece, block, expert) => `${piece}: ${expert === null ? "no expert" : `expert ${expert + 1}`} in block ${block + 1}`,
  noExpert: "–",
  place: (t, block) => `token ${t + 1}, block ${block + 1}`,
  held: "held",
  gates: "What the router thought",
  gatesLabel: (piece, block) => `Router probabilities for ${piece} in block ${block + 1}`,
  cut: (k, chosen) =>
    chosen === 0 ? "no expert took this token: it passes by" : chosen < k ? `${chosen} above the line worked; others had no room or were not chosen` : `the ${k === 1 ? "one" : k} above the line ${k === 1 ? "works" : "work"} on the token`,
  others: (count, share) => `and ${count} others, together ${share}`,
  path: "Its path through the blocks",
  pathLabel: "Experts of this token, block by block",

  special: "What experts have in common",
  counting: "Counting …",
  specialStep: (step, tokens) => `Counted over ${whole(tokens)} held-out tokens, with the checkpoint of step ${whole(step)}.`,
  together: "Experts that work together",
  togetherHelp: "Of the tokens of the expert in the row, the share that the expert in the column also works on.",
  togetherOne: "Here one expert works on each token, so no two ever work together: this table would be empty.",
  togetherLabel: (block, best) => `How often two experts share a token in block ${block + 1}. ${best}`,
  togetherBest: (i, j, share) => `Most often together: ${share} of the tokens of expert ${i + 1} also go to expert ${j + 1}.`,
  togetherTip: (i, j, share) => `Of the tokens of expert ${i + 1}, ${share} also go to expert ${j + 1}`,
  kinds: "Kinds of tokens",
  kindsHelp: "A row is a kind of token. A cell is the share of its choices that went to the expert in the column.",
  kindsReal: "as routed",
  kindsDealt: "with the kinds shuffled",
  kind: "kind",
  kindsSentence: (bits, chance, all) =>
    `Knowing the expert tells ${bits} of the ${all} bits that there are to know about a token's kind. With the kinds ` +
    `shuffled among the tokens it would tell ${chance}: that much is chance. The difference is what this block has learned to separate.`,
  kindsWarning:
    "Experts of small models often follow the surface: single letters, spaces, capitals. They are rarely experts for grammar or topics.",

  measured: "What was measured",
  measuredOne: (name, loss, step, flops) => `“${name}” has a held-out loss of ${loss} nats per token at step ${whole(step)}${flops ? `, after ${flops} FLOPs` : ""}.`,
  measuredNone: (name) => `“${name}” has no held-out loss yet.`,
  measuredTwo: (where, a, b) => `At ${where}, the held-out loss is ${a} for A and ${b} for B.`,
  measuredEach: (where, [a, stepA], [b, stepB]) =>
    `Up to ${where}, the last held-out loss of A is ${a}, at step ${whole(stepA)}, and that of B is ${b}, at step ${whole(stepB)}.`,
  measuredSoon: "Wait until both have measured their loss on held-out text: then it is compared here.",
  measuredAt: { steps: (x) => `step ${whole(Math.round(x))}`, flops: (x) => `${tp.number(x)} FLOPs`, seconds: (x) => `${tp.number(x)} seconds of training` },
  measuredData: "The two runs read different texts, so their losses cannot be compared.",
  measuredDense: "B is dense.",
  measuredSeed: "That is one run each: another seed may turn a small difference around.",
  measuredSmall: "At this size a mixture may not beat a dense model that does as much work for each token.",

  files: { map: "expert-load", bars: "load", tokens: "routing", together: "together", kinds: "kinds", curves: "expert-curves" },
  csv: {
    load: ["run", "step", "block", "expert", "load", "probability"],
    curves: ["run", "step", "flops", "seconds", "block", "maxvio", "entropy", "dropped"],
    tokens: ["block", "position", "token", "expert", "probability", "gate"],
    kinds: ["block", "kind", "expert", "tokens", "tokens_shuffled"],
    together: ["block", "expert", "other", "share"],
  },
};
