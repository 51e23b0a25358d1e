/* Every sentence and word of the view. */
const count = (value) => value.toLocaleString("en-US");
const TEXT = {
  title: "Where the tokens lie: embeddings",
  help: (dimensions) =>
    `For the model, each token is a point in ${count(dimensions)} dimensions. This is the view from the two directions in which the ` +
    "newest checkpoint's points differ most (principal components). Move through training and see where they go.",
  helpPositions: (dimensions) =>
    `Each place in the text has a vector of ${count(dimensions)} numbers, which is added to the token that stands there. This is the ` +
    "view from the two directions in which they differ most.",
  offline: "The page's server does not answer. Is it still running?",
  what: "Show",
  tables: { tokens: "tokens", positions: "positions" },
  film: "Checkpoint",
  filmPlay: "Play through the checkpoints",
  filmPause: "Pause",
  step: (step, last) => (step === last ? `step ${count(step)}, the newest` : `step ${count(step)} of ${count(last)}`),
  share: (share, dimensions) => `These two directions show ${share} of how the points differ; the other ${count(dimensions - 2)} show the rest. Points that lie close here may be far apart.`,
  some: (shown, all) => `The first ${count(shown)} of ${count(all)} are drawn.`,
  tied: "The same table also makes the probabilities at the end (tied embeddings).",
  near: (name) => `Closest to “${name}”, in all dimensions`,
  nearHelp: "Point at a token, or click one to hold it: the tokens in the most similar directions, by their cosine.",
  position: (number) => `position ${number}`,
  nearItem: (name, cosine) => `${name}, cosine ${cosine}`,
  kinds: {
    vowel: "vowel", consonant: "consonant", capital: "capital", digit: "digit", space: "space", newline: "newline",
    punctuation: "punctuation", "Chinese character": "Chinese character", other: "other",
  },
  first: "first",
  last: "last",
  label: (points, share) => `Scatter of ${points} points; the two directions show ${share} of the variance. Arrow keys move from point to point.`,
  csv: ["number", "token", "kind", "first direction", "second direction"],
};
