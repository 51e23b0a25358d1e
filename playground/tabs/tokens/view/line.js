/* One text as a line of tokens, and the facts of the token that is pointed at. */
const COLOURS = 6; // neighbours never have the same

function makeLine(kind, { label }) {
  const node = el("div", {
    class: "line",
    tabindex: "0",
    role: "group",
    dir: "auto",
    translate: "no",
    "data-kind": kind,
  });
  let drawn = null; // the cut that is drawn
  let chips = []; // of each token, the node that shows it

  /** What of a text is shown: its spaces as a sign, what cannot be seen by its name. */
  const words = (text) =>
    [...text].map((character) => {
      if (character === " ") return el("span", { class: "space", text: visible(" ") });
      const seen = character === "\u200d" ? "U+200D" : visible(character);
      return seen.startsWith("U+") && character !== "U" ? el("span", { class: "unseen", text: seen }) : seen;
    });

  function draw(cut) {
    const key = `${shown.text}\u0000${cut.starts.join()}\u0000${cut.ids.join()}`;
    if (drawn?.key === key) return;
    chips = [];
    const groups = groupsOf(cut).map(({ text, from, to }) => {
      const colour = (i) => `c${i % COLOURS}`;
      if (to - from === 1) {
        const chip = el(
          "span",
          { class: `chip ${cut.ids[from] === null ? "unknown" : colour(from)}`, "data-token": from },
          words(text),
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
      return el(
        "span",
        { class: "several" },
        el("span", { class: "whole" }, words(text)),
        el("span", { class: "parts" }, parts),
      );
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
      chip.classList.toggle("same", id !== null && mine.index !== i && drawn.cut.ids[i] === id);
    });
  }

  const tokenOf = (event) => {
    const token = event.target.closest("[data-token]")?.dataset.token;
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
    const at = pointed()?.kind === kind ? pointed().index : -1;
    const last = chips.length - 1;
    const target = { ArrowLeft: Math.max(0, at - 1), ArrowRight: Math.min(last, at + 1), Home: 0, End: last }[
      event.key
    ];
    if (target !== undefined) hold({ kind, index: target });
    else if (event.key === "Escape") hold(null);
    else return;
    event.preventDefault();
    tp.say(tp.series(factsOf(state.held) ?? []));
  });

  return { node, draw, mark, cut: () => drawn?.cut ?? null };
}

/** The token that is pointed at or held. */
const pointed = () => state.hover ?? state.held;

/** The facts of a token, as short sentences. */
function factsOf(at) {
  const cut = at && shown ? cutOf(at.kind === "recut" ? "bpe" : at.kind) : null;
  if (!cut || at.index >= cut.starts.length) return null;
  const bytes = bytesOf(cut, at.index);
  const id = cut.ids[at.index];
  const facts = [id === null ? TEXT.cannot : `${TEXT.id} ${count(id)}`, `${TEXT.bytes} ${hex(bytes)}`];
  const points = whole(bytes);
  if (points !== null && points.length <= 4) {
    facts.push(
      `${TEXT.points} ${points.map((c) => `U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`).join(" ")}`,
    );
  }
  if (points === null) {
    const group = groupsOf(cut).find(({ from, to }) => at.index >= from && at.index < to);
    facts.push(TEXT.partOf(group.text.trim()));
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
function whole(bytes) {
  try {
    return [...decoder.decode(bytes)];
  } catch {
    return null;
  }
}

function drawReadout(node, kinds) {
  const at = pointed();
  const facts = at && kinds.includes(at.kind) ? factsOf(at) : null;
  if (!facts) return put(node, TEXT.readout);
  const cut = cutOf(at.kind === "recut" ? "bpe" : at.kind);
  node.replaceChildren(
    el("b", { translate: "no", text: readable(bytesOf(cut, at.index)) }),
    ...facts.map((fact) => el("span", { text: fact })),
  );
}
