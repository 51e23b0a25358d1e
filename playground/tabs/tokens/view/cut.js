/* What is shown: texts cut into tokens, worked out of what the server said. Nothing here draws.
 *
 * `bytes` is the text in UTF-8. A cut is {starts, ids}: the first byte of each token, and its number or null. Tokens
 * that end inside a character are shown together with those that hold the rest of it, as one group.
 */
const { el, visible, put, fixed } = tp;
const call = tp.asker(server, () => TEXT.offline);
const schedule = tp.scheduler();
const root = element.querySelector(".tokens");

/** @typedef {"byte" | "char" | "bpe" | "word" | "run"} RowKind  a tokenizer */
/** @typedef {RowKind | "recut"} Kind  or the text in the part about learning */
/** @typedef {{ kind: Kind, index: number }} At  a token */
/** @typedef {{ starts: number[], ids: (number | null)[], size: number }} Cut */
/** @type {RowKind[]} */
const KINDS = ["byte", "char", "bpe", "word", "run"];
const DELAY = 250; // ms after the last key before a text is cut
const MAX_OWN = 1_000_000;
const MAX_FILE = 1_000_000; // as where a model is trained on it
const EXAMPLES = [
  "Once upon a time there was a little fox who couldn't sleep.",
  "从前，有一只小兔，它很喜欢胡萝卜。",
  "I ❤️ Transformers! 🤗 👩‍🚀 🇨🇳",
  "12 + 345 = 357, and 3.14159 is not 22/7.",
  "def attention(q, k, v):\n    return softmax(q @ k.T / d**0.5) @ v",
  "Ça va? Größe Привет नमस्ते مرحبا 한국어",
];
const USUAL = EXAMPLES[tp.language === "zh" ? 1 : 0];
const address = tp.address("tokens", () => ({
  ...state,
  text: state.text === USUAL ? "" : state.text,
  source: state.source === "own" ? null : state.source,
}));
const SIZES = address.choices("size");
const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * @type {{ run: string, text: string, source: string, size: number, own: string, merges: number | null,
 *          held: At | null, hover: At | null }}
 */
const state = {
  run: "",
  text: "", // view.js begins with an example
  source: address.usual.source,
  size: address.usual.size,
  own: "", // the text to learn from, where it is one's own
  merges: null, // how many are applied; null: all
  held: null, // a token whose facts stay
  hover: null,
};
const UNTRAINED = { key: "", source: "", merges: "", size: 256, characters: 0, bytes: 0, seconds: 0 };
let learned = unpackLearned({ ...UNTRAINED, vocabularies: { char: 0, word: 0 } }); // what the server's `learn` answered
/** @type {Cut} */
const NO_TOKENS = { starts: [], ids: [], size: 0 };
/** @type {Answers.CutText} */
const NO_TEXT = { text: "", rest: "", bytes: "", closed: "", rows: { char: NO_TOKENS, word: NO_TOKENS, run: null } };
const noCut = () => ({ ...unpackCut(NO_TEXT), waits: true });
let shown = noCut(); // what its `cut` answered; `waits` until it has

const hex = (/** @type {Iterable<number>} */ bytes) =>
  [...bytes].map((byte) => byte.toString(16).toUpperCase().padStart(2, "0")).join(" ");

/** The merges, and what follows from them: the bytes of every token, and the vocabulary's size after each merge.
 *
 * @param {Answers.LearnedTokenizers} answer */
function unpackLearned(answer) {
  const values = new Int32Array(tp.bytes(answer.merges).buffer);
  const M = values.length / 5;
  const tokens = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
  const made = new Int32Array(256); // by which merge, from 1; 0: a byte
  const madeBy = [...made];
  const sizes = new Float64Array(M + 1).fill(256);
  const lengths = new Float64Array(M + 1).fill(answer.bytes); // tokens of the learned text
  const merges = [];
  for (let i = 0; i < M; i++) {
    const [left, right, id, times, merged] = values.subarray(5 * i, 5 * i + 5);
    if (id === tokens.length) {
      tokens.push(Uint8Array.of(...tokens[left], ...tokens[right]));
      madeBy.push(i + 1);
    }
    merges.push({ left, right, id, times, merged });
    sizes[i + 1] = tokens.length;
    lengths[i + 1] = lengths[i] - merged;
  }
  return { ...answer, merges, M, tokens, madeBy, sizes, lengths };
}

/** @param {Answers.CutText} answer */
function unpackCut(answer) {
  const bytes = tp.bytes(answer.bytes);
  const closed = new Int32Array(tp.bytes(answer.closed).buffer);
  const characters = [...answer.text].length;
  // How many tokens this text has after each merge: a place that is closed is one token fewer.
  const lengths = new Float64Array(learned.M + 1);
  for (const merge of closed) if (merge <= learned.M) lengths[merge] -= 1;
  lengths[0] += bytes.length;
  for (let k = 1; k <= learned.M; k++) lengths[k] += lengths[k - 1];
  return { ...answer, bytes, waits: false, closed, characters, lengths };
}

/** How many merges are applied. */
const applied = () => Math.min(state.merges ?? learned.M, learned.M);

/** The text cut by the first k merges. A token's number is that of the merge that came last inside it. */
function bpeCut(/** @type {number} */ k) {
  const { bytes, closed } = shown;
  const starts = [];
  const ids = [];
  let last = 0; // the latest merge inside the token
  for (const [i, byte] of bytes.entries()) {
    const open = i === 0 || closed[i - 1] > k;
    if (open) {
      starts.push(i);
      ids.push(byte);
      last = 0;
    } else if (closed[i - 1] > last) {
      last = closed[i - 1];
      ids[ids.length - 1] = learned.merges[last - 1].id;
    }
  }
  return { starts, ids, size: learned.sizes[k] };
}

/** The text as a tokenizer cuts it; null for that of a run, where there is none.
 *
 * @param {RowKind} kind @returns {Cut | null} */
function cutOf(kind) {
  if (kind === "byte") return { starts: Array.from(shown.bytes, (_, i) => i), ids: [...shown.bytes], size: 256 };
  return kind === "bpe" ? bpeCut(applied()) : shown.rows[kind];
}

const isStart = (/** @type {number} */ byte) => (byte & 0xc0) !== 0x80; // the first byte of a character

/** Tokens side by side: [{text, from, to}], each as many tokens as it takes to have whole characters. */
function groupsOf(/** @type {Cut} */ { starts }) {
  const { bytes } = shown;
  /** @type {{ from: number, to: number, text: string }[]} */
  const groups = [];
  for (let i = 0; i < starts.length; i++) {
    const last = groups.at(-1);
    if (!last || isStart(bytes[starts[i]])) groups.push({ from: i, to: i + 1, text: "" });
    else last.to = i + 1;
  }
  for (const group of groups) {
    group.text = decoder.decode(bytes.slice(starts[group.from], starts[group.to] ?? bytes.length));
  }
  return groups;
}

const bytesOf = (/** @type {Cut} */ { starts }, /** @type {number} */ index) =>
  shown.bytes.slice(starts[index], starts[index + 1] ?? shown.bytes.length);

/** Bytes for a person: as text where they are characters, else as ⟨E4 BD⟩; a space as a dot. */
function readable(/** @type {Uint8Array} */ bytes) {
  let out = "";
  /** @type {number[]} */
  let strays = [];
  const flush = () => {
    if (strays.length) out += `⟨${hex(strays)}⟩`;
    strays = [];
  };
  for (let i = 0; i < bytes.length; ) {
    const length = bytes[i] < 0x80 ? 1 : bytes[i] >= 0xf0 ? 4 : bytes[i] >= 0xe0 ? 3 : bytes[i] >= 0xc0 ? 2 : 0;
    let text = null;
    try {
      text = length && i + length <= bytes.length ? decoder.decode(bytes.slice(i, i + length)) : null;
    } catch {
      text = null;
    }
    if (text === null) strays.push(bytes[i++]);
    else {
      flush();
      out += visible(text);
      i += length;
    }
  }
  flush();
  return out;
}
