/* One text as a line of tokens, and the facts of the token that is pointed at. */
const COLOURS = 6; // neighbours never have the same

function makeLine(/** @type {Kind} */ kind, /** @type {{ label(): string }} */ { label }) {
  const node = el("div", {
    class: "line",
    tabindex: "0",
    role: "group",
    dir: "auto",
    translate: "no",
    "data-kind": kind,
  });
  let drawn = { key: "", cut: NO_TOKENS }; // the cut that is drawn
  /** @type {HTMLElement[]} */
  let chips = []; // of each token, the node that shows it

  /** What of a text is shown: its spaces as a sign, what cannot be seen by its name. */
  const words = (/** @type {string} */ text) =>
    [...text].map((character) => {
      if (character === " ") return el("span", { class: "space", text: visible(character) });
      const seen = character === "\u200d" ? "U+200D" : visible(character);
      return seen.startsWith("U+") && character !== "U" ? el("span", { class: "unseen", text: seen }) : seen;
    });

  function draw(/** @type {Cut} */ cut) {
    const key = `${shown.text}\u0000${cut.starts.join()}\u0000${cut.ids.join()}`;
    if (drawn.key === key) return;
    chips = [];
    const groups = groupsOf(cut).map(({ text, from, to }) => {
      const colour = (/** @type {number} */ i) => `c${i % COLOURS}`;
      if (to - from === 1) {
        const chip = el(
          "span",
          { class: `chip ${cut.ids[from] === null ? "unknown" : colour(from)}`, "data-token": from },
          [words(text)],
        );
        chips.push(chip);
        if (text.endsWith("\n")) return [chip, el("br")];
        return text === " " ? [chip, el("wbr")] : text[0] === " " ? [el("wbr"), chip] : chip;
      }
      const parts = Array.from({ length: to - from }, (_, i) => {
        const part = el("span", {
          class: `part ${colour(from + i)}`,
          "data-token": from + i,
          text: hex(bytesOf(cut, from + i)),
        });
        chips.push(part);
        return part;
      });
      return el("span", { class: "several" }, [
        el("span", { class: "whole" }, words(text)),
        el("span", { class: "parts" }, parts),
      ]);
    });
    node.replaceChildren(...groups.flat());
    node.setAttribute("aria-label", TEXT.line(label(), cut.starts.length));
    drawn = { key, cut };
    mark();
  }

  /** Show which token is pointed at, and where else it is. */
  function mark() {
    const at = pointed();
    const mine = at?.kind === kind && at.index < chips.length ? at : null;
    const id = mine ? drawn.cut.ids[mine.index] : null;
    chips.forEach((chip, i) => {
      chip.classList.toggle("on", mine?.index === i);
      chip.classList.toggle("same", id !== null && mine?.index !== i && drawn.cut.ids[i] === id);
    });
  }

  const tokenOf = (/** @type {Event} */ event) => {
    /** @type {HTMLElement | null} */
    const chip = event.target instanceof Element ? event.target.closest("[data-token]") : null;
    const token = chip?.dataset.token;
    return token === undefined ? null : { kind, index: Number(token) };
  };
  node.addEventListener("pointermove", (event) => point(tokenOf(event)));
  node.addEventListener("pointerleave", () => point(null));
  node.addEventListener("click", (event) => {
    const at = tokenOf(event);
    if (at) hold(state.held?.kind === kind && state.held.index === at.index ? null : at);
  });
  node.addEventListener("keydown", (event) => {
    if (!chips.length) return;
    const here = pointed();
    const at = here?.kind === kind ? here.index : -1;
    const last = chips.length - 1;
    /** @type {{ [key: string]: number }} */
    const targets = { ArrowLeft: Math.max(0, at - 1), ArrowRight: Math.min(last, at + 1), Home: 0, End: last };
    const target = targets[event.key];
    if (target !== undefined) hold({ kind, index: target });
    else if (event.key === "Escape") hold(null);
    else return;
    event.preventDefault();
    tp.say(tp.series(factsOf(state.held) ?? []));
  });

  return { node, draw, mark };
}

/** The token that is pointed at or held. */
const pointed = () => state.hover ?? state.held;

/** The facts of a token, as short sentences. */
function factsOf(/** @type {At | null} */ at) {
  const cut = at && cutOf(at.kind === "recut" ? "bpe" : at.kind);
  if (!cut || at.index >= cut.starts.length) return null;
  const bytes = bytesOf(cut, at.index);
  const id = cut.ids[at.index];
  const facts = [id === null ? TEXT.cannot : `${TEXT.id} ${count(id)}`, `${TEXT.bytes} ${hex(bytes)}`];
  const points = whole(bytes);
  if (points !== null && points.length <= 4) {
    facts.push(`${TEXT.points} ${points.map((char) => tp.codePoint(char.codePointAt(0) ?? 0)).join(" ")}`);
  }
  if (points === null) {
    const group = groupsOf(cut).find(({ from, to }) => at.index >= from && at.index < to);
    facts.push(TEXT.partOf(group?.text.trim() ?? ""));
  }
  if (id !== null && (at.kind === "bpe" || at.kind === "recut")) {
    const merge = learned.madeBy[id];
    const { left, right } = learned.merges[merge - 1] ?? {};
    facts.push(merge ? TEXT.made(merge, readable(learned.tokens[left]), readable(learned.tokens[right])) : TEXT.aByte);
  }
  if (id !== null) facts.push(TEXT.here(cut.ids.filter((other) => other === id).length));
  return facts;
}

/** The characters of some bytes; null where they are not whole. */
function whole(/** @type {Uint8Array} */ bytes) {
  try {
    return [...decoder.decode(bytes)];
  } catch {
    return null;
  }
}

/** @param {HTMLElement} node @param {Kind[]} kinds */
function drawReadout(node, kinds) {
  const at = pointed();
  const cut = at && kinds.includes(at.kind) ? cutOf(at.kind === "recut" ? "bpe" : at.kind) : null;
  const facts = factsOf(at);
  if (!at || !cut || !facts) return put(node, TEXT.readout);
  node.replaceChildren(
    el("b", { translate: "no", text: readable(bytesOf(cut, at.index)) }),
    ...facts.map((fact) => el("span", { text: fact })),
  );
}
