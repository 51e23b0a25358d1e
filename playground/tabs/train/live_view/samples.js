/* What the model writes after the same prompts, step by step, as a strip of cards. */

const MAX_CARDS = 60;

/** Text in which every character can be seen; line breaks break lines. */
const readable = (/** @type {string} */ text) =>
  text.replace(/[^\P{C}\n\u200d]|[\u2028\u2029]/gu, (char) => tp.visible(char));

/** Steps worth a card: all of few; of many, those far apart on a logarithmic scale, the newest always. */
function worthy(/** @type {number[]} */ steps) {
  const kept = [...steps];
  while (kept.length > MAX_CARDS) {
    let least = 1;
    let smallest = Infinity;
    for (let i = 1; i < kept.length - 6; i++) {
      const gap = Math.log((kept[i + 1] + 10) / (kept[i - 1] + 10));
      if (gap < smallest) [least, smallest] = [i, gap];
    }
    kept.splice(least, 1);
  }
  return kept;
}

function makeSamples(/** @type {{ current(): Feed }} */ { current }) {
  const strip = el("ol", { class: "strip", tabindex: "0" });
  const title = el("h4");
  const help = el("p", { class: "help" });
  const choice = el("div", { class: "choice", role: "group", hidden: true });
  const save = tp.saveBar({ rows: () => sampleRows(current()), name: () => current().fileName(FILES.samples) });
  const node = el("section", { class: "samples", hidden: true }, [
    el("div", { class: "bar" }, title, help, choice, save),
    strip,
  ]);
  let prompt = 0; // which prompt the cards show; of a task, all are shown
  /** By step. @type {Map<number, { card: HTMLElement, size: number, phase: string }>} */
  let cards = new Map();

  /** Draw what is new; with `rebuild`, everything.
   *
   * @param {Feed} history @param {boolean} rebuild */
  function draw(history, rebuild) {
    const bySteps = samplesByStep(history);
    const steps = worthy([...bySteps.keys()]);
    node.hidden = !steps.length;
    const isTask = steps.length > 0 && (bySteps.get(steps[0]) ?? []).some(({ correct }) => correct !== null);
    put(title, isTask ? TEXT.tasks : TEXT.samples);
    put(help, isTask ? TEXT.tasksHelp : TEXT.samplesHelp);
    strip.setAttribute("aria-label", title.textContent);
    const prompts = promptsOf(history);
    if (prompt >= prompts.length) prompt = 0;
    drawChoice(isTask ? [] : prompts);

    const before = cards;
    const phases = phasesOf(history);
    cards = new Map();
    for (const step of steps) {
      const samples = bySteps.get(step) ?? [];
      const phase = isTask ? "" : (TEXT.phases[phaseAt(phases, step)?.name ?? ""] ?? "");
      const old = rebuild ? null : before.get(step);
      const kept = old?.size === samples.length && old.phase === phase ? old : null;
      const make = () => (isTask ? taskCard(step, samples) : textCard(step, samples, prompts[prompt], phase));
      cards.set(step, kept ?? { card: make(), size: samples.length, phase });
    }
    const wanted = [...cards.values()].map(({ card }) => card);
    if (wanted.length === strip.children.length && wanted.every((card, i) => card === strip.children[i])) return;
    const atEnd = rebuild || strip.scrollLeft + strip.clientWidth > strip.scrollWidth - 60;
    place(wanted);
    // Not smoothly: an animation would cost more than all other drawing, and take it from the training.
    if (atEnd) strip.scrollLeft = strip.scrollWidth;
  }

  /** Make these the strip's cards; those that stay are not touched. */
  function place(/** @type {Element[]} */ wanted) {
    const keep = new Set(wanted);
    for (const card of [...strip.children]) if (!keep.has(card)) card.remove();
    wanted.forEach((card, i) => {
      if (strip.children[i] !== card) strip.insertBefore(card, strip.children[i] ?? null);
    });
  }

  function drawChoice(/** @type {string[]} */ prompts) {
    choice.hidden = prompts.length < 2;
    const state = JSON.stringify([prompts, prompt]);
    if (choice.dataset.state === state) return;
    choice.dataset.state = state;
    const buttons = prompts.map((text, i) =>
      tp.button(
        readable(text).replaceAll("\n", "⏎").slice(0, 24) || TEXT.prompt(i + 1),
        {
          translate: "no",
          "aria-pressed": String(i === prompt),
          "aria-label": tp.named(TEXT.prompt(i + 1), readable(text)),
        },
        () => show(i),
      ),
    );
    choice.replaceChildren(...buttons);
  }

  function show(/** @type {number} */ i) {
    prompt = i;
    draw(current(), true);
  }

  return { node, draw };
}

/** The samples of each step, in the order of the steps. */
function samplesByStep(/** @type {Feed} */ { samples }) {
  /** @type {Map<number, Answers.LoggedSample[]>} */
  const found = new Map();
  for (const sample of samples) found.set(sample.step, [...(found.get(sample.step) ?? []), sample]);
  return found;
}

/** The run's prompts, in the order in which they came. */
const promptsOf = (/** @type {Feed} */ { samples }) => [...new Set(samples.map(({ prompt }) => prompt))];

/** @param {number} step @param {Answers.LoggedSample[]} samples @param {string} prompt @param {string} phase */
function textCard(step, samples, prompt, phase) {
  const sample = samples.find((one) => one.prompt === prompt) ?? samples[0];
  return el("li", { class: "card" }, [
    el("header", {}, el("b", { text: TEXT.step(step) }), phase && el("span", { class: "phase", text: phase })),
    el(
      "p",
      { tabindex: 0 }, // a long one scrolls
      [
        el("span", { class: "prompt", translate: "no", text: readable(sample.prompt) }),
        el("span", { class: "text", translate: "no", text: readable(sample.text) }),
      ],
    ),
  ]);
}

/** @param {number} step @param {Answers.LoggedSample[]} samples */
function taskCard(step, samples) {
  const right = samples.filter(({ correct }) => correct).length;
  const count = el("span", { text: TEXT.right(right, samples.length) });
  const answer = (/** @type {Answers.LoggedSample} */ { prompt, text, correct }) =>
    el("div", { class: `answer ${correct ? "right" : "wrong"}` }, [
      el("span", { class: "prompt", translate: "no", text: tp.visible(prompt) }),
      el("span", { class: "text", translate: "no", text: text ? tp.visible(text) : "" }),
      el("span", {
        class: "verdict",
        role: "img",
        "aria-label": correct ? TEXT.correct : TEXT.wrong,
        text: correct ? "✓" : "✗",
      }),
    ]);
  return el("li", { class: "card task" }, [
    el("header", {}, el("b", { text: TEXT.step(step) }), count),
    samples.map(answer),
  ]);
}

function sampleRows(/** @type {Feed} */ history) {
  const rows = history.samples.map((s) => [s.step, s.prompt, s.text, s.correct]);
  return [TEXT.csv.samples, ...rows];
}
