/* The run's name and state, how far it is, and its newest numbers. */

const { el, put, percent, duration, number } = tp;

function makeHeader() {
  const title = el("h3", { class: "name", translate: "no", hidden: true });
  const shape = el("span", { class: "shape", "aria-hidden": "true" });
  const word = el("span", {});
  const status = el("span", { class: "status" }, shape, word);
  const fill = el("span", { class: "fill" });
  const progress = el(
    "div",
    { class: "progress", role: "progressbar", "aria-valuemin": "0", "aria-label": TEXT.stats.step },
    [fill],
  );
  const message = el("p", { class: "message", role: "status", hidden: true });
  const onward = el("p", { class: "onward", hidden: true });
  let leads = "";
  const stat = (/** @type {keyof typeof TEXT.stats} */ name) => {
    const label = el("dt", { text: TEXT.stats[name] });
    const [value, rest] = [el("span"), el("small")];
    return { label, value, rest, box: el("div", { class: name }, label, el("dd", {}, value, rest)) };
  };
  const stats = {
    ...{ step: stat("step"), loss: stat("loss"), validation: stat("validation") },
    ...{ accuracy: stat("accuracy"), speed: stat("speed"), left: stat("left") },
  };
  const list = el("dl", { class: "stats" }, [Object.values(stats).map(({ box }) => box)]);

  function draw(/** @type {Feed} */ history) {
    const { steps, evaluated, state, over, tested } = history;
    put(title, history.status?.stored ? TEXT.stored(history.name) : history.name);
    title.hidden = !title.textContent;
    status.hidden = !history.status;
    if (history.status) drawStatus(history.status, history.working);
    put(stats.loss.value, steps.n ? tp.loss(steps.last("smooth")) : "–");
    put(stats.validation.value, evaluated.n ? tp.loss(evaluated.last("loss")) : "–");
    stats.accuracy.box.hidden = !tested;
    if (tested) put(stats.accuracy.value, percent(evaluated.last("accuracy")));
    // how fast another machine was says nothing of this one
    const elsewhere = Boolean(history.status?.shipped);
    for (const { box } of [stats.speed, stats.left]) box.hidden = elsewhere;
    put(stats.speed.value, number(history.tokensPerSecond()));
    put(stats.left.label, over ? TEXT.stats.took : TEXT.stats.left);
    const seconds = over ? (steps.n ? history.trained : NaN) : history.secondsLeft();
    put(stats.left.value, duration(seconds));
    const sentence = sentenceOf(history);
    message.hidden = !sentence;
    message.dataset.kind = ["diverged", "failed", "error"].includes(state) ? "bad" : "plain";
    put(message, sentence);
    drawOnward(history);
  }

  /** Where a run that has ended can be used, and what would take it further. */
  function drawOnward(/** @type {Feed} */ history) {
    const { run, state, about } = history;
    const tabs = state === "finished" && about && !about.shipped ? about.tabs : [];
    onward.hidden = !tabs.length;
    const reached = about?.phases && !about.phases.own ? phasesOf(history) : [];
    const phase = reached.length <= (about?.phases?.phases.length ?? 0) ? (reached.at(-1)?.name ?? "") : "";
    const key = [run, phase, ...tabs].join();
    if (leads === key) return;
    leads = key;
    const way = (/** @type {string} */ tab) =>
      tp.button(TEXT.onward[tab], { class: "tp-button", "data-tab": tab }, () =>
        tp.lessons.open(String(new URLSearchParams({ tab, run }))),
      );
    const words = phase ? TEXT.finishedAt(TEXT.phases[phase] ?? phase) : TEXT.finished;
    onward.replaceChildren(el("span", { text: words }), ...tabs.map(way));
  }

  function drawStatus(
    /** @type {Answers.RunStatus} */ { state, step, total_steps: total, place, stored },
    /** @type {Answers.LoggedWork | null} */ working,
  ) {
    status.dataset.state = state;
    put(shape, tp.states[state].mark);
    const plays = stored && state === "running" ? TEXT.plays : null;
    const task = state === "running" && working ? TEXT.working[working.task]?.(working) : null;
    put(word, place ? TEXT.place(place) : (plays ?? task ?? tp.states[state].word));
    fill.style.transform = `scaleX(${Math.min(1, step / total)})`;
    progress.setAttribute("aria-valuemax", String(total));
    progress.setAttribute("aria-valuenow", String(step));
    const [now, of] = TEXT.of(step, total);
    put(stats.step.value, now);
    put(stats.step.rest, of);
  }

  /** Why there is nothing to see, or why the run ended; else nothing. */
  function sentenceOf(/** @type {Feed} */ { run, name, error, state, status: known, notes, saved, over }) {
    if (!run) return TEXT.none;
    if (error) return error;
    const diverged = notes.filter((note) => note.kind === "diverged").pop();
    if (state === "diverged" && diverged) return TEXT.diverged(diverged, saved.at(-1) ?? null);
    if (known?.shipped ?? false) return TEXT.example(name);
    return over ? tp.translate(known?.reason ?? "") : "";
  }

  const loss = el("p", { class: "help", text: TEXT.lossMeans });
  return { nodes: [el("div", { class: "head" }, title, status), progress, message, onward, list, loss], draw };
}
