/* The text as a line of tokens. */
/** Each token in the line. @type {(ReturnType<typeof chip> & { epoch: number })[]} */
const shownLine = [];

/** @param {number} node @param {number} token @param {number} place */
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
    ...text.promptTokens.map((token) => ({ node: 0, token })),
    ...pathTo(at)
      .slice(1)
      .map((node) => ({ node, token: nodes[node].token })),
  ];
  let same = 0;
  while (
    same < goal.length &&
    same < shownLine.length &&
    shownLine[same].epoch === epoch &&
    shownLine[same].node === goal[same].node &&
    shownLine[same].token === goal[same].token
  )
    same += 1;
  for (const old of shownLine.splice(same)) old.holder.remove();
  for (let i = same; i < goal.length; i++) {
    const made = { ...chip(goal[i].node, goal[i].token, i + 1), epoch };
    shownLine.push(made);
    line.append(made.holder);
  }
  const { start } = nodes[at].record;
  shownLine.forEach(({ button }, i) => {
    button.classList.toggle("forgotten", i < start);
    button.classList.toggle("current", i === goal.length - 1);
  });
  line.scrollTop = line.scrollHeight;
  drawRoom();
  drawVerdict();
}

/** What a reader of the text has to know: how much of it the model sees, and settings that are not the usual ones. */
function drawRoom() {
  const { start, window: used, length } = nodes[at].record;
  const prompt = nodes[0].record;
  const changed = SLIDERS.filter((name) => settings[name] !== DEFAULTS[name]).map(
    (name) => `${tp.translate(FIELDS[name].title)} ${settings[name]}`,
  );
  room.textContent = tp.sentences([
    TEXT.room(used, text.context),
    start > 0 && (prompt.start === start ? TEXT.longPrompt(start) : TEXT.slid(start, (text.context / 2) | 0)),
    used === text.context ? TEXT.almost : "",
    changed.length > 0 && TEXT.changed(tp.series(changed)),
    text.end !== null && nodes[at].token === text.end && at !== 0 ? TEXT.ended : "",
    length >= text.limit ? TEXT.limit(text.limit) : "",
  ]);
}

/** For a task: the right answer, and whether the model has written it. */
function drawVerdict() {
  const { right, end } = text;
  verdict.hidden = right === null;
  if (right === null) return;
  const tokens = written(at);
  const ended = end !== null && tokens.includes(end);
  const said = (ended ? tokens.slice(0, tokens.indexOf(end)) : tokens).map((token) => text.pieces[token]).join("");
  const complete = ended || (end === null && said.length >= right.length);
  const state = (ended ? said === right : complete && said.startsWith(right))
    ? "right"
    : complete || !right.startsWith(said)
      ? "wrong"
      : "open";
  verdict.dataset.state = state;
  verdict.replaceChildren(
    `${TEXT.right} `,
    el("span", { class: "token", translate: "no", text: visibleText(right) }),
    ` ${{ right: "✓ ", wrong: "✗ ", open: "" }[state]}${TEXT.verdicts[state]}`,
  );
}
