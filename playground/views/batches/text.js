/* Every sentence and word of the view. */
const count = (value) => value.toLocaleString("en-US");
const TEXT = {
  title: "What the model reads: batches",
  help:
    "Training shows the model many short pieces at once. From each beginning of a piece it has to predict the token that comes " +
    "next. The stronger a token's colour, the more it surprised the model.",
  offline: "The page's server does not answer. Is it still running?",
  part: "From",
  parts: { train: "what it learns from", valid: "what is held out" },
  partTitle: { train: "The batches of the run, in the order in which its seed draws them", valid: "The text it never learns from: the validation loss is the mean over it" },
  number: "Batch",
  earlier: "The batch before",
  later: "The next batch",
  of: (last) => `of ${count(last)}`,
  film: "Checkpoint",
  filmPlay: "Play through the checkpoints",
  filmPause: "Pause",
  step: (step, last) => (step === last ? `step ${count(step)}, the newest` : `step ${count(step)} of ${count(last)}`),
  loss: (loss, even) => `${loss} nats a token on this batch; guessing without looking would cost ${even}`,
  legend: ["no surprise", "as surprised as by guessing, or more"],
  shape: (rows, columns, whole) =>
    `${count(rows)} ${rows === 1 ? "sequence" : "sequences"} of ${count(columns)} tokens` + (whole > rows ? `, the first of ${count(whole)}` : ""),
  open: "Input above, target below",
  openHelp: "At every place the model reads all inputs up to there, and is to say the target below. The targets are the inputs, one place on.",
  openHelpPairs: "The model reads the text and, at every place, all inputs up to there, and is to say the target below.",
  more: (hidden) => `… and ${count(hidden)} more places`,
  reads: "reads",
  sequence: (number) => `Sequence ${number}`,
  toOpen: (number) => `Open sequence ${number}`,
  readout: "Point at a token.",
  target: (text, loss, share) => `“${text}”: ${loss} nats, it gave it ${share}`,
  best: (text, share) => `it expected “${text}” (${share})`,
  right: "which is what it expected",
  ignored: (text) => `“${text}”: no loss is taken here`,
  given: (text) => `“${text}”: the first token is given, so nothing predicts it`,
  csv: ["sequence", "place", "input", "target", "loss in nats", "expected", "its probability"],
};
