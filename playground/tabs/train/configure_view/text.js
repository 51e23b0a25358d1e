/* A text of one's own: pasted, from a file, or handed over by another view, which sends "learnfrom" {text}. It stays
 * in the browser until Start; the server hears its size. */
const MAX_FILE = 1_000_000;

/* About what engine/tokenizers/word.py takes for a word, and how often it must come to be a token. */
const WORD = / ?\p{L}[\p{L}\p{M}]*(?:['’ʼ\u200c\u200d]\p{L}[\p{L}\p{M}]*)*/gu;
const UNSPACED =
  /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}]/u;
const MIN_COUNT = 2;

function factsOf(/** @type {string} */ text) {
  const counts = new Map();
  for (const [word] of text.matchAll(WORD))
    if (word.length > 1 && !UNSPACED.test(word)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return {
    characters: [...text].length,
    vocabulary: new Set(text).size,
    words: [...counts.values()].filter((count) => count >= MIN_COUNT).length,
    bytes: new TextEncoder().encode(text).length,
  };
}

function ownText() {
  const area = el("textarea", {
    id: "own-text",
    rows: 4,
    placeholder: TEXT.textHint,
    "aria-label": TEXT.text,
    spellcheck: "false",
  });
  const counted = el("p", { class: "about", role: "status" });
  const file = el("input", { type: "file", id: "own-file", accept: ".txt,text/plain", class: "tp-hidden" });
  const taken = (/** @type {string} */ wanted) => {
    text = wanted;
    facts = text ? factsOf(text) : null;
    counted.textContent = facts ? TEXT.counted(facts.characters, facts.vocabulary) : "";
    counted.classList.remove("wrong");
    send();
  };
  const refuse = (/** @type {string} */ sentence) => {
    counted.textContent = sentence;
    counted.classList.add("wrong");
  };
  let pause = 0;
  area.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(() => taken(area.value), 250);
  });
  file.addEventListener("change", async () => {
    const chosen = file.files?.[0];
    file.value = "";
    if (!chosen) return;
    if (chosen.size > MAX_FILE) return refuse(TEXT.fileTooLarge((chosen.size / 1e6).toFixed(1)));
    const { text: read, problem } = await tp.readText(chosen);
    if (problem !== undefined) return refuse(problem);
    area.value = read;
    taken(area.value);
  });
  form.addEventListener("learnfrom", ({ detail }) => {
    if (typeof detail.text !== "string") return;
    area.value = detail.text;
    taken(detail.text);
  });
  const pick = el("label", { class: "tp-button", for: "own-file" }, TEXT.file);
  return {
    drawn: el("div", { class: "own" }, [
      area,
      el("div", { class: "file" }, file, pick, el("span", { text: TEXT.fileLimit }), counted),
    ]),
  };
}
