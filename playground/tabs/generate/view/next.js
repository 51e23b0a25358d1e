/* The next token: its distribution as a list of the whole vocabulary. */
const ROW = 26; // height of a row, as in view.css

function drawNow() {
  const most = Math.max(
    ...(now.order.length ? [now.before[now.order[0]]] : [1]),
    now.after.reduce((a, b) => Math.max(a, b), 0),
  );
  now.most = most || 1;
  rows.style.height = `${now.order.length * ROW}px`;
  list.classList.toggle("stale", now.place !== at);
  drawRows();
  upcoming.replaceChildren(
    el("span", { class: "token", translate: "no", text: piece(now.drawn) }),
    ` ${TEXT.drawn(percent(now.after[now.drawn]))}`,
  );

  const tokens = TEXT.filters.map(() => 0);
  const mass = TEXT.filters.map(() => 0);
  now.removed.forEach((code, token) => {
    tokens[code] += 1;
    mass[code] += now.before[token];
  });
  const parts = TEXT.filters
    .map((filter, code) => (filter && tokens[code] ? TEXT.removed(filter, tokens[code], percent(mass[code])) : ""))
    .filter(Boolean);
  const filtered = settings.top_k || settings.top_p < 1 || settings.min_p;
  removal.textContent = tp.sentences([
    TEXT.kept(tokens[0], now.order.length),
    parts.length ? TEXT.removals(parts) : "",
    settings.temperature === 0 && filtered ? TEXT.impossible : "",
  ]);
  entropy.textContent = TEXT.entropy(now.entropy[0], now.entropy[1]);
  root.dataset.kept = String(tokens[0]);
}

const capital = (/** @type {string} */ value) => value[0].toUpperCase() + value.slice(1);

/** The rows of the list that can be seen; the rest are height only, so a vocabulary of any size scrolls. */
function drawRows() {
  const isLong = text.pieces.some((token) => token.length > 5); // words, or parts of them
  root.style.setProperty("--piece", isLong ? "6.5rem" : "");
  const first = Math.max(0, Math.floor(list.scrollTop / ROW) - 4);
  const last = Math.min(now.order.length, first + Math.ceil((list.clientHeight || 400) / ROW) + 8);
  const made = [];
  for (let i = first; i < last; i++) {
    const token = now.order[i];
    const code = now.removed[token];
    const [before, after] = [now.before[token], now.after[token]];
    const note = code ? TEXT.removedBy(TEXT.filters[code] ?? "") : token === now.drawn ? TEXT.nextMark : "";
    made.push(
      el(
        "div",
        {
          class: ["choice", code && "removed", token === now.drawn && "drawn", i === active && "active"]
            .filter(Boolean)
            .join(" "),
          role: "option",
          id: `generate-row-${i}`,
          "data-token": token,
          "aria-selected": String(i === active),
          "aria-posinset": i + 1,
          "aria-setsize": now.order.length,
          "aria-label": TEXT.row(piece(token), percent(before), percent(after), note),
          title: `${before} → ${after}`,
          style: `top:${i * ROW}px`,
        },
        tp.unsaid(
          el("span", { class: "token", translate: "no", text: piece(token) }),
          el("span", { class: "bars" }, [
            el("i", { class: "before", style: `width:${(100 * before) / now.most}%` }),
            el("i", { class: "after", style: `width:${(100 * after) / now.most}%` }),
          ]),
          el("span", { class: "number muted", text: percent(before) }),
          el("span", { class: "number", text: code ? "–" : percent(after) }),
          el("span", { class: "note", text: code ? TEXT.filters[code] : token === now.drawn ? TEXT.nextMark : "" }),
        ),
      ),
    );
  }
  rows.replaceChildren(...made);
  list.setAttribute("aria-activedescendant", `generate-row-${active}`);
}

function moveTo(/** @type {number} */ row) {
  active = Math.min(Math.max(row, 0), now.order.length - 1);
  const top = active * ROW;
  if (top < list.scrollTop) list.scrollTop = top;
  else if (top + ROW > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW - list.clientHeight;
  drawRows();
}

/** The list's first rows as a drawing of its own, for saving. */
function listFigure() {
  const shown = Array.from(now.order.slice(0, 24));
  const width = 520;
  const height = 30 + shown.length * 20;
  const scale = (width - 220) / now.most;
  const svg = tp.drawing(width, height, {}, [el("text", { class: "title", x: 0, y: 14, text: TEXT.listFigure })]);
  shown.forEach((token, i) => {
    const y = 30 + i * 20;
    const code = now.removed[token];
    svg.append(
      el("text", { class: code ? "name struck" : "name", x: 60, y: y + 13, text: piece(token) }),
      el("rect", { class: "before", x: 72, y: y + 2, width: now.before[token] * scale, height: 14 }),
      el("rect", { class: "after", x: 72, y: y + 5, width: now.after[token] * scale, height: 8 }),
      el("text", {
        class: "value",
        x: width,
        y: y + 13,
        text: `${percent(now.before[token])} → ${code ? TEXT.filters[code] : percent(now.after[token])}`,
      }),
    );
  });
  offstage.replaceChildren(svg);
  return svg;
}

const listRows = () => [
  TEXT.csv.list,
  ...Array.from(now.order, (token) => [
    token,
    text.pieces[token],
    now.before[token],
    now.after[token],
    TEXT.filters[now.removed[token]],
  ]),
];
