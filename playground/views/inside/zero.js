/* Switching heads off. */
const requestZero = asker("zero", (answer) => showZero(answer));
let zeroFor = null;

function toggleZero(layer, head) {
  const name = `${layer}.${head}`;
  if (!state.zeroed.delete(name)) state.zeroed.add(name);
  markGrid();
  saveUrl();
  if (page.zero.details.open) refreshPanel();
  else page.zero.details.open = true;
}

const zeroedHeads = () => [...state.zeroed].map((name) => name.split(".").map(Number)).sort((a, b) => a[0] - b[0] || a[1] - b[1]);

function askZero() {
  zeroFor = { query: state.query, heads: zeroedHeads(), shown: frame.shown };
  requestZero(state.run, frame.step, frame.text === null ? null : sent(), zeroFor.heads, zeroFor.query);
}

function showZero(answer) {
  const { body } = page.zero;
  if (failed(body, answer)) return;
  const { query, heads, shown } = zeroFor;
  const some = heads.length > 0;
  const isOff = state.zeroed.has(`${state.layer}.${state.head}`);
  const context = shown.slice(Math.max(0, query - 15), query + 1).join("");
  const difference = answer.loss_after - answer.loss_before;
  const loss =
    answer.loss_before === null
      ? el("p", { class: "muted", text: TEXT.lossOne })
      : el(
          "p",
          { class: "loss" },
          el("span", { class: "muted", text: `${TEXT.loss} ` }),
          el("b", { text: some ? TEXT.lossValue(fixed(answer.loss_before, 3), fixed(answer.loss_after, 3)) : TEXT.lossSame(fixed(answer.loss_before, 3)) }),
          some && el("span", { class: difference > 0 ? "worse" : "better", text: ` ${(difference > 0 ? TEXT.worse : TEXT.better)(fixed(Math.abs(difference), 3))}` }),
        );
  const changes = answer.changes.filter(({ before, after }, i) => i < 3 || Math.max(before, after) >= 0.0005);
  const drawing = zeroFigure(changes, some);
  body.replaceChildren(
    note(TEXT.zeroNote, TEXT.zeroTry),
    el(
      "p",
      { class: "zero-state" },
      el("span", { text: some ? TEXT.zeroSome(heads.map((head) => TEXT.zeroHead(...head))) : TEXT.zeroNone }),
      " ",
      some && el("span", { class: "muted", text: TEXT.zeroMaps }),
    ),
    el(
      "p",
      { class: "zero-buttons" },
      el("button", { type: "button", class: "tp-button", text: (isOff ? TEXT.zeroThisOn : TEXT.zeroThis)(state.layer, state.head), on: { click: () => toggleZero(state.layer, state.head) } }),
      some && el("button", { type: "button", class: "link", text: TEXT.zeroClear, on: { click: clearZero } }),
    ),
    loss,
    el("p", { class: "next" }, el("span", { text: TEXT.next(context) })),
    drawing,
    some && el("p", { class: "muted", text: TEXT.moved(percent(answer.moved)) }),
    tp.saveBar({
      figure: () => drawing,
      rows: () => [TEXT.csv.zero, ...answer.changes.map(({ piece, before, after }) => [piece, before, after])],
      name: () => fileName(`without-${heads.map(([layer, head]) => `${layer + 1}.${head + 1}`).join("-") || "none"}`),
    }),
  );
  body.dataset.ready = heads.map((pair) => pair.join(".")).join(",") || "none";
}

function clearZero() {
  state.zeroed.clear();
  markGrid();
  saveUrl();
  refreshPanel();
}

/** Paired bars: each token's probability before and after. */
function zeroFigure(changes, some) {
  const width = Math.min(page.zero.body.clientWidth || 600, 620);
  const left = 70;
  const right = 104;
  const row = some ? 34 : 24;
  const top = 26;
  const scale = (width - left - right) / Math.max(0.05, ...changes.flatMap(({ before, after }) => [before, after]));
  const height = top + changes.length * row + 4;
  const legend = el(
    "g",
    { class: "legend" },
    el("rect", { class: "before", x: left, y: 4, width: 12, height: 10, rx: 2 }),
    el("text", { x: left + 18, y: 13, text: TEXT.before }),
    some && el("rect", { class: "after", x: left + 120, y: 4, width: 12, height: 10, rx: 2 }),
    some && el("text", { x: left + 138, y: 13, text: TEXT.after }),
  );
  const bars = changes.map(({ piece, before, after }, i) => {
    const y = top + i * row;
    const end = left + Math.max(before, some ? after : 0) * scale + 8;
    return el(
      "g",
      {},
      el("text", { class: "mono", translate: "no", x: left - 12, y: y + (some ? 18 : 14), "text-anchor": "end", text: visible(piece) }),
      el("rect", { class: "before", x: left, y: y + 3, width: Math.max(1, before * scale), height: some ? 10 : 14, rx: 2 }),
      some && el("rect", { class: "after", x: left, y: y + 15, width: Math.max(1, after * scale), height: 10, rx: 2 }),
      el("text", { class: "value", x: end, y: y + (some ? 18 : 14), text: some ? `${percent(before)} → ${percent(after)}` : percent(before) }),
    );
  });
  const words = tp.series(changes.map(({ piece, before, after }) => `${visible(piece)} ${percent(before)}${some ? ` → ${percent(after)}` : ""}`));
  return el("svg", { class: "bars", role: "img", "aria-label": tp.named(TEXT.zeroFigure, words), width, height, viewBox: `0 0 ${width} ${height}` }, legend, bars);
}
