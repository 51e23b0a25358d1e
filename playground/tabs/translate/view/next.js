/* What could have come at one place of the translation: the five most probable tokens. */
const SURE = 0.95; // a share above which there was no doubt
function makeNext(/** @type {{ chosen(place: number, id: number): void }} */ { chosen }) {
  const title = el("p", { class: "next-title" });
  const list = el("ol", { class: "candidates", id: "translate-candidates" });
  const help = el("p", { class: "help", text: TEXT.nextHelp });
  const node = el("section", { class: "next" }, el("h3", { text: TEXT.next }), title, list, help);

  /** The place that is shown: the held one, the next to come, or where the model was least sure.
   *
   * @returns {{ place: number, hesitated?: boolean, sure?: boolean }} */
  function placeOf() {
    const focus = state.hover ?? state.held;
    if (focus?.row === "target" && focus.index < shownCount()) return { place: focus.index };
    if (shownCount() < frame.T) return { place: shownCount() };
    let least = 0;
    frame.candidates.forEach((row, t) => {
      if (row[0][2] < frame.candidates[least][0][2]) least = t;
    });
    return { place: least, hesitated: true, sure: frame.candidates[least][0][2] >= SURE };
  }

  let key = "";
  function draw() {
    if (!frame.run) return;
    const none = !frame.candidates.length;
    list.hidden = none;
    put(help, none ? TEXT.nextRecorded : TEXT.nextHelp);
    if (none) {
      key = "";
      return put(title, "");
    }
    const { place, hesitated, sure } = placeOf();
    const name = sure ? TEXT.nextSure : hesitated ? TEXT.nextHesitated : TEXT.nextPlace;
    put(title, name(place + 1));
    const now = JSON.stringify([place, frame.candidates[place], frame.ids[place], place < shownCount()]);
    if (now === key) return;
    key = now;
    const items = frame.candidates[place].map(([id, text, share]) => {
      const on = id === frame.ids[place] && (place < shownCount() || !hesitated);
      const parts = tokenParts(text);
      const bar = el("i", { class: "bar" });
      bar.style.width = `${100 * share}%`;
      return el("li", {}, [
        el(
          "button",
          {
            type: "button",
            class: on ? "candidate on" : "candidate",
            "data-id": id,
            "aria-pressed": String(on),
            "aria-label": TEXT.nextOption(parts.word, percent(share), on),
            on: { click: () => chosen(place, id) },
          },
          tp.unsaid(
            el("span", { class: "piece", dir: "auto", translate: "no" }, [
              parts.space && el("span", { class: "space", text: tp.visible(" ") }),
              el("span", { text: parts.word }),
            ]),
            el("span", { class: "track" }, bar),
            el("span", { class: "share", text: percent(share) }),
          ),
        ),
      ]);
    });
    list.replaceChildren(...items);
  }

  return { node, draw };
}
