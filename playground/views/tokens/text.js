/* Every sentence and word of the view. */
const count = (value) => value.toLocaleString("en-US");
const TEXT = {
  title: "Tokens",
  intro:
    "A model does not read letters: it reads numbers. A tokenizer cuts the text into pieces and gives each piece its " +
    "number. How it cuts decides how long a text is for the model, and what the model can see of it.",
  wait: "Learning from the stories …",
  offline: "The page's server does not answer. Is it still running?",

  text: "A text to cut",
  hint: (characters, bytes) => `${count(characters)} ${characters === 1 ? "character" : "characters"}, ${count(bytes)} bytes in UTF-8.`,
  cut: "The rest is not cut:",
  examples: "Or take one:",
  exampleTexts: [
    ["English", "Once upon a time there was a little fox who couldn't sleep."],
    ["中文", "从前，有一只小兔，它很喜欢胡萝卜。"],
    ["emoji", "I ❤️ Transformers! 🤗 👩‍🚀 🇨🇳"],
    ["numbers", "12 + 345 = 357, and 3.14159 is not 22/7."],
    ["code", "def attention(q, k, v):\n    return softmax(q @ k.T / d**0.5) @ v"],
    ["languages", "Ça va? Größe Привет नमस्ते مرحبا 한국어"],
  ],

  rows: "One text, cut in different ways",
  rowsHelp: "Every coloured piece is one token. Point at one to see its number and its bytes; a click holds it.",
  names: { byte: "Bytes", char: "Characters", bpe: "Byte pairs", word: "Words", run: (name) => `“${name}”` },
  about: {
    byte: "A token for each byte. Writes everything; makes long rows.",
    char: "A token for each character of the learned text.",
    bpe: "Frequent strings are one token, all else falls apart into bytes.",
    word: "A token for each word it knows; others are spelled.",
    run: (kind) => `The tokenizer of the run at the top of the page: ${kind}.`,
  },
  kinds: { char: "characters", word: "words", bpe: "byte pairs", byte: "bytes", ids: "numbers only", "": "its own" },
  figures: (tokens) => `${count(tokens)} ${tokens === 1 ? "token" : "tokens"}`,
  perToken: (value) => `${value} characters each`,
  vocabulary: (size) => `vocabulary ${count(size)}`,
  unknown: (many) => (many === 1 ? "1 character it cannot write" : `${count(many)} characters it cannot write`),
  line: (name, tokens) => `${name}: ${tokens} tokens. Arrow keys move from token to token, Enter holds one, Escape lets go.`,

  token: "token",
  id: "number",
  bytes: "bytes",
  points: "code points",
  made: (merge, left, right) => `made by merge ${count(merge)}: ${left} + ${right}`,
  aByte: "one of the 256 bytes it began with",
  partOf: (text) => `a part of “${text}”`,
  here: (times) => (times === 1 ? "once in this text" : `${count(times)} times in this text`),
  cannot: "not in its vocabulary: a model with this tokenizer could not read the text",
  readout: "Point at a token.",

  learn: "How the pieces are learned: byte-pair encoding",
  learnHelp:
    "At first every byte is a token. Then, again and again, the pair of neighbours that is most frequent in a text becomes " +
    "one new token. Move through the merges and watch your text get shorter.",
  learnFrom: "Learn from",
  sources: { stories: "Stories", "stories-zh": "小故事", own: "My own text" },
  ownLabel: "Your own text to learn from",
  ownHint: (most) => `Paste a text here, at most ${count(most)} characters: it stays in this page and in the server's memory.`,
  file: "Open a file …",
  fileHint: "a text file in UTF-8, at most 1 MB",
  fileLarge: (name, size) => `“${name}” has ${tp.number(size)}B; at most 1 MB is read.`,
  fileBinary: (name) => `“${name}” is not a text file in UTF-8.`,
  fileEmpty: (name) => `“${name}” is empty.`,
  size: "Largest vocabulary",
  button: "Learn",
  learning: "Learning …",
  learned: (merges, characters, seconds) =>
    `${count(merges)} merges from ${count(characters)} characters, learned in ${seconds} s.`,
  fewer: "There are no more pairs to merge.",
  train: "Train a model on this text",
  trainTitle: "Opens the Train tab with this text and this tokenizer filled in",

  film: "Merges",
  filmPlay: "Play through the merges",
  filmPause: "Pause",
  none: "No merges yet: every byte is a token.",
  merge: (number, of) => `merge ${count(number)} of ${count(of)}`,
  becomes: "become one token",
  occurs: (times, merged) =>
    `this pair stood ${count(times)} ${times === 1 ? "time" : "times"} in the learned text` +
    (merged < times ? `, ${count(merged)} of them could be merged` : ""),
  recut: "Your text, cut with the merges so far",
  recutFigures: (tokens, per) => `${count(tokens)} ${tokens === 1 ? "token" : "tokens"}, ${per} characters each`,
  around: "Merges around this one",
  goTo: (number, left, right, times) => `Merge ${number}: ${left} and ${right}, ${times} times`,
  chart: "Tokens for each character",
  chartUnit: "fewer is shorter",
  chartX: "vocabulary",
  trained: "learned text",
  typed: "your text",
  chartSummary: (size, trained, typed) => `Tokens for each character over the size of the vocabulary; at ${count(size)}: learned text ${trained}, your text ${typed}.`,
  chartHelp: "Drag to zoom in, double-click to see all.",
  csv: {
    merges: ["merge", "left", "right", "new token", "number", "count", "tokens of the learned text", "tokens of your text"],
    rows: ["tokenizer", "place", "token", "number", "bytes"],
  },
};
