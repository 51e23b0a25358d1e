/* The sequences of a batch, painted by loss, and one of them with its inputs and targets one above the other. */
const IGNORE = -100;
const MAX_OPEN = 96; // places of the open sequence that are shown

/** The text of a token: every character can be seen. */
const piece = (/** @type {number} */ id) => visible(frame.pieces.get(id) ?? `#${id}`);

/** How strongly a token is painted: 0 is no surprise, 1 as much as guessing has. */
const strength = (/** @type {number} */ loss) => Math.min(1, loss / frame.even);

const at = (/** @type {number} */ row, /** @type {number} */ place) => row * frame.columns + place;

/** Places of a sequence up to the last one that a loss is taken on. */
function lengthOf(/** @type {number} */ row) {
  let length = frame.columns;
  if (!frame.read) return length;
  while (length > 1 && frame.targets[at(row, length - 1)] === IGNORE) length -= 1;
  return length;
}

/** A target, painted; where no loss is taken, the token that stands there. */
function chip(/** @type {number} */ row, /** @type {number} */ place) {
  const target = frame.targets[at(row, place)];
  const shownToken = target === IGNORE ? frame.inputs[at(row, place + 1)] : target;
  if (shownToken === undefined || (target === IGNORE && place + 1 >= frame.columns)) return null;
  const node = el("span", {
    class: target === IGNORE ? "chip quiet" : "chip",
    "data-place": at(row, place),
    text: piece(shownToken),
  });
  if (target !== IGNORE) node.style.setProperty("--loss", strength(frame.losses[at(row, place)]).toFixed(3));
  return node;
}

/** With the places where a line may end: at spaces, which are dots here.
 *
 * @param {HTMLElement} node @param {string | undefined} text */
function breakable(node, text) {
  if (text === " " || text === "\n") return [node, el("wbr")];
  return text?.startsWith(" ") ? [el("wbr"), node] : node;
}

function sourceOf(/** @type {number} */ row) {
  const ids = Array.from(frame.sources?.subarray(row * frame.read, (row + 1) * frame.read) ?? []);
  return ids
    .filter((id) => id !== 0)
    .map(piece)
    .join("");
}

/** @param {HTMLElement} list */
function drawRows(list) {
  list.replaceChildren(
    ...Array.from({ length: frame.rows }, (_, row) => {
      const chips = Array.from({ length: lengthOf(row) }, (_, place) => chip(row, place)).map(
        (node, place) => node && breakable(node, frame.pieces.get(frame.targets[at(row, place)])),
      );
      const first = el("span", { class: "chip given", "data-first": row, text: piece(frame.inputs[at(row, 0)]) });
      return el("li", { class: row === state.row ? "open" : "" }, [
        tp.button(
          row + 1,
          {
            class: "number",
            title: TEXT.toOpen(row + 1),
            "aria-label": TEXT.toOpen(row + 1),
            "aria-pressed": String(row === state.row),
          },
          () => open(row),
        ),
        el("div", { class: "tokens", translate: "no" }, [
          frame.read ? el("div", { class: "reads", text: sourceOf(row) }) : null,
          first,
          chips,
        ]),
      ]);
    }),
  );
}

/** @param {HTMLElement} box */
function drawOpen(box) {
  const row = Math.min(state.row, frame.rows - 1);
  const length = lengthOf(row);
  const shown = Math.min(length, MAX_OPEN);
  box.replaceChildren(
    el("h4", { text: TEXT.open(row + 1) }),
    el("p", { class: "help", text: frame.read ? TEXT.openHelpPairs : TEXT.openHelp }),
    frame.read
      ? el("p", { class: "reads" }, [
          el("b", { text: `${TEXT.reads} ` }),
          el("span", { translate: "no", text: sourceOf(row) }),
        ])
      : "",
    el("div", { class: "aligned", translate: "no" }, [
      Array.from({ length: shown }, (_, place) => {
        const target = frame.targets[at(row, place)];
        const below =
          target === IGNORE
            ? el("span", { class: "chip quiet", text: "–", "data-place": at(row, place) })
            : chip(row, place);
        return el("span", { class: "place" }, [
          el("span", { class: "input", text: piece(frame.inputs[at(row, place)]) }),
          below,
        ]);
      }),
    ]),
    length > shown ? el("p", { class: "help", text: TEXT.more(length - shown) }) : "",
  );
}

function factsOf(/** @type {number} */ place) {
  const target = frame.targets[place];
  if (target === IGNORE) return [TEXT.ignored(piece(frame.inputs[place + 1] ?? frame.inputs[place]))];
  const loss = frame.losses[place];
  const guess = frame.guesses[place];
  return [
    TEXT.target(piece(target), loss.toFixed(2), percent(Math.exp(-loss))),
    guess === target ? TEXT.right : TEXT.best(piece(guess), percent(frame.sure[place])),
  ];
}
