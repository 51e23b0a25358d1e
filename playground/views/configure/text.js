/* A text of one's own: pasted, or from a file. It stays in the browser until Start; the server hears its size. */
const MAX_FILE = 1_000_000;

function ownText() {
  const area = el("textarea", { id: "own-text", rows: 5, maxlength: MAX_FILE, placeholder: TEXT.textHint, "aria-label": TEXT.text, spellcheck: "false" });
  const counted = el("p", { class: "about", role: "status" });
  const file = el("input", { type: "file", id: "own-file", accept: ".txt,text/plain", class: "tp-hidden" });
  const taken = (wanted) => {
    text = wanted;
    const kinds = new Set(text).size;
    facts = text ? { characters: [...text].length, vocabulary: kinds } : null;
    counted.textContent = facts ? TEXT.counted(facts.characters, kinds) : "";
    counted.classList.remove("wrong");
    send();
  };
  const refuse = (sentence) => {
    counted.textContent = sentence;
    counted.classList.add("wrong");
  };
  let pause = 0;
  area.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(() => taken(area.value), 250);
  });
  file.addEventListener("change", async () => {
    const [chosen] = file.files;
    file.value = "";
    if (!chosen) return;
    if (chosen.size > MAX_FILE) return refuse(TEXT.fileTooLarge((chosen.size / 1e6).toFixed(1)));
    try {
      area.value = new TextDecoder("utf-8", { fatal: true }).decode(await chosen.arrayBuffer());
    } catch {
      return refuse(TEXT.fileNotText);
    }
    taken(area.value);
  });
  const pick = el("label", { class: "tp-button", for: "own-file" }, TEXT.file);
  return { drawn: el("div", { class: "own" }, area, el("div", { class: "file" }, file, pick, el("span", { text: TEXT.fileLimit })), counted) };
}
