/* Tokens: a text cut by several tokenizers side by side, and byte-pair encoding as it is learned.
 *
 * The server learns and cuts; how many merges are applied is the page's own choice, since the server says for each
 * place between two bytes which merge closes it. `state` is what the learner chose, `learned` and `shown` what the
 * server answered; what is drawn follows from these.
 */
/** @typedef {ReturnType<typeof makeRow>} DrawnRow */
/** @typedef {{ input: HTMLTextAreaElement, rows: { [kind in RowKind]: DrawnRow },
 *   learn: ReturnType<typeof makeLearn> }} Parts */
const page = /** @type {Parts & { [part in "hint" | "message" | "examples" | "readout"]: HTMLElement }} */ ({});

function build() {
  page.input = el("textarea", {
    id: "tokens-text",
    rows: 2,
    dir: "auto",
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "off",
    on: { input: typed },
  });
  page.hint = el("p", { class: "hint" });
  page.message = el("p", { class: "message", role: "alert", hidden: true });
  page.examples = el("div", { class: "examples" }, [
    el("span", { class: "muted", text: TEXT.examples }),
    EXAMPLES.map((text, i) =>
      tp.button(TEXT.exampleNames[i], { class: "example", translate: "no", title: text }, () => take(text)),
    ),
  ]);
  const rows = KINDS.map((kind) => [kind, makeRow(kind)]);
  page.rows = /** @type {Parts["rows"]} */ (Object.fromEntries(rows));
  page.readout = el("p", { class: "readout" });
  page.learn = makeLearn({ learnAgain: learn, goTo, toTrain });
  root.replaceChildren(
    el("header", {}, el("h2", { text: TEXT.title }), el("p", { class: "intro", text: TEXT.intro })),
    el("div", { class: "source" }, [
      el("div", { class: "source-head" }, el("label", { for: "tokens-text", text: TEXT.text }), page.hint),
      page.input,
      page.message,
      page.examples,
    ]),
    el("p", { class: "wait", role: "status", text: TEXT.wait }),
    el("div", { class: "body" }, [
      el("section", { class: "rows" }, [
        el("h3", { text: TEXT.rows }),
        el("p", { class: "help", text: TEXT.rowsHelp }),
        KINDS.map((kind) => page.rows[kind].node),
        el("div", { class: "under" }, page.readout, tp.saveBar({ rows: tokenRows, name: () => "tokens" })),
      ]),
      page.learn.node,
    ]),
  );
}

/** One tokenizer: its name, what it makes of the text in numbers, and the text in its tokens. */
function makeRow(/** @type {RowKind} */ kind) {
  const name = el("h4");
  const about = el("p", { class: "help" });
  const figures = el("p", { class: "figures" });
  const bar = el("i");
  const label = () => name.textContent;
  const line = makeLine(kind, { label });
  const node = el("div", { class: "row", id: `tokens-row-${kind}` }, [
    el("div", { class: "who" }, name, about),
    el("div", { class: "what" }, [
      el("div", { class: "measure" }, figures, el("div", { class: "track" }, bar)),
      line.node,
    ]),
  ]);

  function draw(/** @type {number} */ most) {
    const cut = cutOf(kind);
    node.hidden = !cut;
    if (!cut) return;
    const { run } = shown.rows;
    put(name, kind === "run" ? TEXT.names.run(run ? tp.runName(run) : "") : TEXT.names[kind]);
    put(about, kind === "run" ? TEXT.about.run(TEXT.kinds[run?.kind ?? ""] ?? run?.kind) : TEXT.about[kind]);
    const tokens = cut.starts.length;
    const unknown = cut.ids.filter((id) => id === null).length;
    figures.replaceChildren(
      el("b", { text: TEXT.figures(tokens) }),
      el("span", { text: TEXT.perToken(fixed(shown.characters / tokens)) }),
      el("span", { text: TEXT.vocabulary(cut.size) }),
      unknown ? el("span", { class: "warn", text: TEXT.unknown(unknown) }) : "",
    );
    bar.style.width = `${(100 * tokens) / most}%`;
    line.draw(cut);
    node.dataset.tokens = String(tokens);
  }
  return { node, draw, mark: line.mark };
}

/* ------------------------------------------------------------------ drawing */

function draw() {
  if (shown.waits) return;
  const most = Math.max(...KINDS.map((kind) => cutOf(kind)?.starts.length ?? 0));
  KINDS.forEach((kind) => page.rows[kind].draw(most));
  page.learn.draw();
  drawFacts();
  page.hint.replaceChildren(
    el("span", { text: TEXT.hint(shown.characters, shown.bytes.length) }),
    shown.rest ? el("span", { text: ` ${TEXT.cut} ` }) : "",
    shown.rest ? el("s", { class: "rest", text: `${shown.rest}…` }) : "",
  );
  Object.assign(root.dataset, { ready: "true", source: learned.source, merges: applied() });
}

function drawFacts() {
  KINDS.forEach((kind) => page.rows[kind].mark());
  drawReadout(page.readout, KINDS);
  page.learn.drawFacts();
}

function point(/** @type {At | null} */ at) {
  if (state.hover?.kind === at?.kind && state.hover?.index === at?.index) return;
  state.hover = at;
  schedule(drawFacts);
}

function hold(/** @type {At | null} */ at) {
  state.held = at;
  state.hover = null;
  schedule(drawFacts);
}

function goTo(/** @type {number} */ merges) {
  state.merges = merges >= learned.M ? null : merges;
  schedule(draw);
  address.save();
}

function grow() {
  page.input.style.height = "auto";
  page.input.style.height = `${Math.min(page.input.scrollHeight + 2, 220)}px`;
}

function tokenRows() {
  const rows = KINDS.flatMap((kind) => {
    const cut = cutOf(kind);
    return cut
      ? cut.starts.map((_, i) => [
          page.rows[kind].node.querySelector("h4")?.textContent,
          i + 1,
          readable(bytesOf(cut, i)),
          cut.ids[i],
          hex(bytesOf(cut, i)),
        ])
      : [];
  });
  return [TEXT.csv.rows, ...rows];
}

/* ------------------------------------------------------------------ asking */

let typing = 0;
function typed() {
  grow();
  clearTimeout(typing);
  typing = setTimeout(() => change(page.input.value), DELAY);
}

function take(/** @type {string} */ text) {
  page.input.value = text;
  grow();
  clearTimeout(typing);
  change(text);
}

function change(/** @type {string} */ text) {
  state.text = text;
  state.held = state.hover = null;
  address.save();
  cut();
}

function problem(/** @type {string | null} */ sentence) {
  page.message.hidden = sentence === null;
  put(page.message, sentence ?? "");
  root.toggleAttribute("data-problem", sentence !== null);
}

let learning = 0;

/** Train the tokenizer on the chosen text, then split with it. */
async function learn() {
  const own = state.source === "own" ? [...state.own].length : 0;
  if (own > MAX_OWN) return page.learn.problem(TEXT.ownLong(own, MAX_OWN)); // and is not sent
  const mine = ++learning;
  page.learn.busy(true);
  page.learn.stop();
  root.setAttribute("aria-busy", "true");
  const answer = await call("learn", state.source, state.source === "own" ? state.own : null, state.size);
  if (mine !== learning) return;
  page.learn.busy(false);
  page.learn.problem(answer.error ?? null);
  if (answer.error) return root.removeAttribute("aria-busy");
  learned = unpackLearned(answer);
  shown = noCut();
  state.held = state.hover = null;
  address.save();
  await cut();
}

/* A run that has just been started has no tokenizer yet: it is asked for again, after ever longer waits. */
const SHORTEST_WAIT = 500,
  LONGEST_WAIT = 30_000; // milliseconds
let wait = SHORTEST_WAIT;
let cutting = 0;

async function cut() {
  if (!learned.key) return;
  const mine = ++cutting;
  root.setAttribute("aria-busy", "true");
  const answer = await call("cut", state.text, learned.key, state.run || null);
  if (mine !== cutting) return;
  root.removeAttribute("aria-busy");
  if (answer.gone) return learn(); // the server keeps only the last few
  problem(answer.error ?? null);
  if (answer.error) return;
  shown = unpackCut(answer);
  draw();
  if (state.run && !answer.rows.run) {
    wait = Math.min(2 * wait, LONGEST_WAIT);
    setTimeout(() => mine === cutting && cut(), wait);
  } else wait = SHORTEST_WAIT;
}

/** The Train tab, with the text that was learned from and a tokenizer as large as the one that is shown. */
function toTrain() {
  tp.tabs.open("train");
  const form = document.querySelector(`#${props.form} form[data-answered]`);
  if (!form) return requestAnimationFrame(toTrain); // the tab was not open before: it is being drawn
  const text = state.source === "own" ? state.own : null;
  const detail = {
    source: text === null ? state.source : "text",
    text,
    tokenizer: "bpe",
    size: learned.sizes[applied()],
  };
  form.dispatchEvent(new CustomEvent("learnfrom", { detail }));
}

/* ------------------------------------------------------------------ begin */

let begun = false;

function newRun() {
  if (!props.run || props.run === state.run) return;
  state.run = props.run;
  if (begun) cut();
}

/* A lesson asks for a text to learn from, a size with a number of merges, or a text to cut; the rest stays. */
tp.lessons.opened((wanted) => {
  if (!["k.source", "k.size", "k.text"].some((name) => wanted[name])) return;
  const { source, size, merges } = address.read();
  if (wanted["k.source"]) state.source = source;
  if (wanted["k.size"]) Object.assign(state, { size, merges });
  if (wanted["k.text"]) page.input.value = state.text = wanted["k.text"];
  page.learn.draw();
  if (begun) learn();
});

build();
Object.assign(state, address.read());
state.text ||= USUAL;
page.input.value = state.text;
page.learn.draw();
newRun();
watch("run", newRun);
tp.whenSeen(root, () => {
  begun = true;
  grow();
  learn();
});
