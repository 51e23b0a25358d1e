/* The text as a line of tokens. */
const shownLine = []; // {node, token, holder} of each token in the line

function chip(node, token, place) {
  const { record } = nodes[node];
  const mine = node !== 0;
  const title = mine
    ? TEXT.chipMine(TEXT.chip(quoted(token), place), percent(record.before), percent(record.after))
    : TEXT.chip(quoted(token), place);
  const button = el("button", {
    type: "button",
    tabindex: "-1",
    class: mine ? "chip mine" : "chip",
    translate: "no",
    text: piece(token),
    title,
  });
  if (mine) button.style.setProperty("--sure", record.before.toFixed(3));
  if (/^[\s]+$/.test(text.pieces[token])) button.classList.add("blank");
  const holder = el("span", { class: "holder" }, button);
  if (text.pieces[token] === "\n") holder.append(el("br"));
  return { node, token, place, holder, button };
}

function drawText() {
  const goal = [
    ...text.promptTokens.map((token) => [0, token]),
    ...pathTo(at)
      .slice(1)
      .map((node) => [node, nodes[node].token]),
  ];
  let same = 0;
  while (
    same < goal.length &&
    same < shownLine.length &&
    shownLine[same].epoch === epoch &&
    shownLine[same].node === goal[same][0] &&
    shownLine[same].token === goal[same][1]
  )
    same += 1;
  for (const old of shownLine.splice(same)) old.holder.remove();
  for (let i = same; i < goal.length; i++) {
    const made = { ...chip(...goal[i], i + 1), epoch };
    shownLine.push(made);
    line.append(made.holder);
  }
  const { start, window: used, length } = nodes[at].record;
  const prompt = nodes[0].record;
  shownLine.forEach(({ button }, i) => {
    button.classList.toggle("forgotten", i < start);
    button.classList.toggle("current", i === goal.length - 1);
  });
  line.scrollTop = line.scrollHeight;
  room.textContent = tp.sentences([
    TEXT.room(used, text.context),
    start && (prompt.start === start ? TEXT.longPrompt(start) : TEXT.slid(start, (text.context / 2) | 0)),
    used === text.context ? TEXT.almost : "",
    text.end !== null && nodes[at].token === text.end && at !== 0 ? TEXT.ended : "",
    length >= text.limit ? TEXT.limit(text.limit) : "",
  ]);
  drawVerdict();
}

/** For a task: the right answer, and whether the model has written it. */
function drawVerdict() {
  verdict.hidden = text.right === null;
  if (text.right === null) return;
  const tokens = written(at);
  const ended = text.end !== null && tokens.includes(text.end);
  const said = (ended ? tokens.slice(0, tokens.indexOf(text.end)) : tokens).map((token) => text.pieces[token]).join("");
  const complete = ended || (text.end === null && said.length >= text.right.length);
  const state = (ended ? said === text.right : complete && said.startsWith(text.right))
    ? "right"
    : complete || !text.right.startsWith(said)
      ? "wrong"
      : "open";
  verdict.dataset.state = state;
  verdict.replaceChildren(
    `${TEXT.right} `,
    el("span", { class: "token", translate: "no", text: visibleText(text.right) }),
    ` ${{ right: "✓ ", wrong: "✗ ", open: "" }[state]}${TEXT.verdicts[state]}`,
  );
}
