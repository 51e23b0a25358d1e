/* What happened in the run, in words. */

function makeNotes() {
  const list = el("ul");
  const node = el("details", { class: "notes", hidden: true }, el("summary", { text: TEXT.events }), list);
  let drawn = 0;
  /** @type {Feed["notes"] | null} */
  let known = null;

  function draw(/** @type {Feed} */ { notes }, /** @type {boolean} */ rebuild) {
    node.hidden = !notes.length;
    if (rebuild || notes !== known) {
      known = notes;
      drawn = 0;
      list.replaceChildren();
    }
    for (; drawn < notes.length; drawn++) {
      const note = notes[drawn];
      const at = el("span", { class: "at", text: TEXT.step(note.step) });
      list.append(el("li", {}, at, " ", TEXT.notes[note.kind](note)));
    }
  }

  return { node, draw };
}
