/* What is chosen around the figure: the sentence, which attention is drawn, and how far the translation has come. */
const TYPING = 350; // ms after the last key before a sentence is read
const PACE = 420; // ms for each token that is played
/** @type {{ stopped: boolean } | null} */
let player = null;

function makeSource(/** @type {{ written(text: string | null, entered?: boolean): void }} */ { written }) {
  const input = el("textarea", {
    id: "translate-text",
    rows: 1,
    dir: "auto",
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "off",
  });
  const hint = el("p", { class: "hint" });
  const message = el("p", { class: "message", role: "alert", hidden: true });
  const examples = el("div", { class: "examples", hidden: true });
  let typing = 0;
  function typed() {
    clearTimeout(typing);
    grow();
    vocabulary.draw();
    vocabulary.judge(false);
    typing = setTimeout(() => written(input.value), TYPING);
  }
  const vocabulary = makeVocabulary(input, typed);
  input.addEventListener("input", typed);
  input.addEventListener("blur", () => vocabulary.draw());
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") input.blur();
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      clearTimeout(typing);
      written(input.value, true);
    }
  });

  function grow() {
    input.style.height = "auto";
    input.style.height = `${Math.min(input.scrollHeight + 2, 200)}px`;
  }

  function show(/** @type {string} */ text) {
    if (input.value === text) return;
    input.value = text;
    grow();
    vocabulary.draw();
  }

  /** @type {string | null} */
  let drawnFor = null;
  function draw() {
    if (drawnFor !== frame.text) offer();
    drawnFor = frame.text;
    if (document.activeElement !== input || input.value === "") show(frame.text);
    const parts = [el("span", { text: TEXT.hint(frame.S - 1, frame.limit) })];
    if (frame.unknown.size)
      parts.push(el("span", { class: "unknown-hint", text: ` ${TEXT.unknownHint(frame.unknown.size)}` }));
    if (frame.rest)
      parts.push(
        el("span", { text: ` ${TEXT.cut} ` }),
        el("s", { class: "rest", translate: "no", text: tp.beginning(frame.rest) }),
      );
    if (!frame.default)
      parts.push(
        el("span", { text: " " }),
        tp.button(TEXT.reset, { class: "link" }, () => take(null)),
      );
    hint.replaceChildren(...parts);
  }

  function take(/** @type {string | null} */ text) {
    input.blur();
    if (text !== null) show(text);
    else input.value = "";
    written(text, true);
  }

  /** Sentences to begin with, but for the one that is there. */
  /** @type {string[]} */
  let offered = [];
  function offer(texts = offered) {
    offered = texts;
    const others = texts.filter((text) => text !== frame.text);
    examples.hidden = !others.length;
    const label = (/** @type {string} */ text) =>
      [...text].length > 36 ? `${[...text].slice(0, 35).join("").trim()}…` : text;
    examples.replaceChildren(
      el("span", { class: "muted", text: TEXT.examples }),
      ...others.map((text) =>
        tp.button(label(text), { class: "example", dir: "auto", translate: "no", title: text }, () => take(text)),
      ),
    );
  }

  function problem(/** @type {string | null} */ sentence) {
    message.hidden = sentence === null;
    put(message, sentence ?? "");
    root.toggleAttribute("data-problem", sentence !== null);
  }

  const node = el("div", { class: "source" }, [
    el("div", { class: "source-head" }, el("label", { for: "translate-text", text: TEXT.source }), hint),
    input,
    message,
    vocabulary.nodes.slice(0, -1),
    examples,
    vocabulary.nodes.slice(-1),
  ]);
  return { node, vocabulary, draw, offer, problem, take, clear: () => (input.value = "") };
}

function makeChoices(/** @type {{ changed(): void, rightChanged(right: boolean): void }} */ { changed, rightChanged }) {
  function choose(/** @type {Partial<typeof state>} */ change) {
    Object.assign(state, change);
    changed();
  }
  const pick = (/** @type {Kind} */ of) => choose({ of, hover: null });
  const kind = tp.segments(TEXT.attention, TEXT.of, pick, { titles: TEXT.ofTitle });
  const ways = { own: TEXT.own, right: TEXT.right };
  const titles = { own: TEXT.ownTitle, right: TEXT.rightTitle };
  const way = tp.segments(TEXT.shown, ways, (value) => rightChanged(value === "right"), { titles });
  /** @param {"layer" | "head"} what @param {string} id @param {string} name */
  const select = (what, id, name) => {
    /** @type {HTMLSelectElement} */
    const node = el("select", {
      id,
      on: { change: () => choose({ [what]: node.value === "" ? null : Number(node.value) }) },
    });
    return { node, field: el("label", { class: "choice" }, el("span", { text: name }), node) };
  };
  const layer = select("layer", "translate-layer", TEXT.layer);
  const head = select("head", "translate-head", TEXT.head);
  const about = el("p", { class: "help" });
  const sharpest = el("button", {
    type: "button",
    class: "link sharpest",
    id: "translate-sharpest",
    title: TEXT.sharpestTitle,
    on: { click: toSharpest },
  });
  const node = el("div", {}, [
    el("div", { class: "choices" }, [kind.field, layer.field, head.field, sharpest, way.field]),
    about,
  ]);

  const fill = (
    /** @type {{ node: HTMLSelectElement }} */ { node: list },
    /** @type {number} */ count,
    /** @type {number | null} */ value,
  ) => {
    if (list.length !== count + 1) {
      list.replaceChildren(
        el("option", { value: "", text: TEXT.average }),
        ...Array.from({ length: count }, (_, i) => el("option", { value: i, text: i + 1 })),
      );
    }
    list.value = String(value ?? "");
  };

  function draw() {
    const [layers] = frame.shape[state.of];
    if (state.layer !== null && state.layer >= layers) state.layer = null;
    if (state.head !== null && state.head >= frame.heads) state.head = null;
    fill(layer, layers, state.layer);
    fill(head, frame.heads, state.head);
    kind.press(state.of);
    way.press(frame.right ? "right" : "own");
    for (const button of way.buttons) {
      const right = button.dataset.value === "right";
      button.disabled = right ? expectedText === null && !frame.right : frame.recorded;
      if (right) button.title = button.disabled ? TEXT.rightUnknown : TEXT.rightTitle;
    }
    put(about, TEXT.about[state.of]);
    const [best, which] = sharpestHead();
    const there = state.layer === best && state.head === which;
    put(sharpest, there ? TEXT.toAverage : TEXT.toSharpest(best + 1, which + 1));
    sharpest.hidden = layers * frame.heads < 2;
    Object.assign(root.dataset, { of: state.of, layer: state.layer ?? "", head: state.head ?? "" });
  }

  function toSharpest() {
    const [best, which] = sharpestHead();
    const there = state.layer === best && state.head === which;
    [state.layer, state.head] = there ? [null, null] : [best, which];
    changed();
  }

  return { node, draw };
}

function makeTransport(/** @type {{ moved(): void, branchBack(): void }} */ { moved, branchBack }) {
  /** @param {string} id @param {string} text @param {string} title @param {() => unknown} action */
  const button = (id, text, title, action, extra = "") =>
    tp.button(text, { id, class: `tp-button ${extra}`, title }, action);
  const restart = button("translate-restart", TEXT.restart, TEXT.restartTitle, () => go(0));
  const back = button("translate-back", TEXT.back, TEXT.backTitle, () => go(shownCount() - 1));
  const toggle = button("translate-play", TEXT.play, TEXT.playTitle, () => (player ? pause() : play()), "primary");
  const step = button("translate-advance", TEXT.step, TEXT.stepTitle, () =>
    go(shownCount() === frame.T ? 1 : shownCount() + 1),
  );
  const place = el("span", { class: "muted place" });
  const line = el("p", { class: "translation", id: "translate-translation" });
  const byItself = el("p", { class: "by-itself", id: "translate-by-itself", hidden: true });
  const node = el("div", { class: "transport" }, [
    el("div", { class: "buttons" }, toggle, step, back, restart, place),
    line,
    byItself,
  ]);

  /** Show `count` tokens, and release the one that is held. */
  function go(/** @type {number} */ count, playing = false) {
    if (!playing) pause();
    state.at = count >= frame.T && !playing ? null : Math.max(0, count);
    state.held = null;
    if (!playing) state.hover = null;
    moved();
  }

  function play(from = shownCount() === frame.T ? 0 : shownCount()) {
    pause();
    if (calm()) return go(frame.T);
    player = { stopped: false };
    const mine = player;
    go(from, true);
    const turn = () => {
      if (mine.stopped || !frame.run) return;
      if (shownCount() >= frame.T) {
        pause();
        state.at = null;
        return moved();
      }
      go(shownCount() + 1, true);
      setTimeout(turn, PACE * (shownCount() === frame.T ? 2 : 1));
    };
    setTimeout(turn, PACE);
    draw();
  }

  function pause() {
    if (!player) return;
    player.stopped = true;
    player = null;
    draw();
  }

  function draw() {
    if (!frame.run) return;
    const count = shownCount();
    put(toggle, player ? TEXT.pause : TEXT.play);
    back.disabled = restart.disabled = count === 0;
    put(place, TEXT.place(count, frame.T));
    Object.assign(root.dataset, { at: count, tokens: frame.T, playing: String(Boolean(player)) });
    drawLine(count);
  }

  /** The translation as a text, as far as it has come; whole, with a verdict. */
  function drawLine(/** @type {number} */ count) {
    const all = count === frame.T;
    const own = !frame.right;
    const ended = frame.ended && count >= frame.T ? 1 : 0;
    const text = all ? frame.written : frame.targets.slice(0, count - ended).join("");
    const parts = [
      el("span", { class: "muted", text: `${own ? TEXT.translation : TEXT.rightTranslation}: ` }),
      el("span", { class: "written", dir: "auto", translate: "no", text: text || "…" }),
    ];
    if (all && own && expectedText !== null) {
      const correct = frame.written === expectedText;
      parts.push(
        el("span", { class: `verdict ${correct}`, text: correct ? ` ✓ ${TEXT.correct}` : ` ✗ ${TEXT.wrong} ` }),
      );
      if (!correct) parts.push(el("span", { class: "expected", dir: "auto", translate: "no", text: expectedText }));
      root.dataset.correct = String(correct);
    } else delete root.dataset.correct;
    if (all && own && !frame.ended) parts.push(el("span", { class: "muted", text: ` ${TEXT.never}` }));
    if (frame.start)
      parts.push(
        el("span", { class: "muted", text: ` ${TEXT.branched} ` }),
        tp.button(TEXT.branchedBack, { class: "link", id: "translate-unbranch" }, branchBack),
      );
    line.replaceChildren(...parts);
    drawByItself();
  }

  /** While the lines are along the right translation: what the model wrote by itself then, if training kept it. */
  function drawByItself() {
    const kept = history.run === frame.run ? history.samples : [];
    const sample = kept.findLast(({ prompt, step }) => prompt === frame.text && step <= frame.step);
    byItself.hidden = !frame.right;
    if (!frame.right) return;
    if (!sample) return put(byItself, TEXT.byItselfUnknown);
    byItself.replaceChildren(
      el("span", { class: "muted", text: `${TEXT.byItself(sample.step)}: ` }),
      el("span", { class: "said", dir: "auto", translate: "no", text: tp.beginning(sample.text.trim()) || "∅" }),
      sample.correct !== null
        ? el("span", {
            class: `verdict ${sample.correct}`,
            role: "img",
            "aria-label": TEXT.verdictName[String(sample.correct)],
            text: ` ${TEXT.verdict[String(sample.correct)]}`,
          })
        : "",
    );
  }

  return { node, go, play, pause, draw };
}
