/* Training live: what can be started with one click, and how a run got on: exact match, loss, samples. */
/** @typedef {{ translates: boolean, instead: string | null, languages: [from: string,
 *   to: string] | null }} Translates */
/** @typedef {{ name: string, shipped: boolean } & Translates} TranslateAbout */
/** @typedef {{ name: string, title: string, about: string }} Starter  what can be started with one click */
/** Of the run that is shown.
 *
 * @type {Feed<TranslateAbout, Omit<Answers.RunNews, "about"> & { about: TranslateAbout }>} */
let history = new tp.Feed("");

function makeTraining(
  /** @type {{ starters: Starter[], opened(text: string): void, stopped(): void }} */ { starters, opened, stopped },
) {
  const buttons = starters.map(({ name, title, about }) => {
    const go = el("span", { class: "go", text: `▶ ${TEXT.trainStart}` });
    /** @type {HTMLButtonElement} */
    const button = el(
      "button",
      { type: "button", class: "starter", id: `translate-train-${name}`, on: { click: () => begin(name, go) } },
      [el("b", { text: tp.translate(title) }), el("span", { text: tp.translate(about) }), go],
    );
    return { button, go };
  });
  const message = el("p", { class: "message", role: "alert", hidden: true });
  const progress = el("p", { class: "progress", role: "status" });
  const stop = tp.button(TEXT.trainStop, { class: "tp-button", id: "translate-stop" }, end);
  function end() {
    stop.disabled = true;
    stopped();
  }
  const bar = el("i");
  const live = el("div", { class: "live" }, [
    progress,
    stop,
    el("div", { class: "progress-track", "aria-hidden": "true" }, bar),
  ]);
  const host = el("div", { class: "chart-host" });
  const chart = tp.chart(host);
  const chartSaves = tp.saveBar({ figure: () => chart.svg, rows: curveRows, name: () => fileName("training") });
  const curves = el("div", { class: "curves" }, [
    host,
    el("div", { class: "under" }, el("p", { class: "help", text: TEXT.chartHelp }), chartSaves),
  ]);
  const list = el("ol", { class: "sample-list" });
  const at = el("span", { class: "muted" });
  const samples = el("div", { class: "samples" }, [
    el("h4", {}, el("span", { text: TEXT.samples }), el("span", { text: " " }), at),
    el("p", { class: "help", text: TEXT.samplesHelp }),
    list,
  ]);
  const grown = el("div", { class: "grown" }, curves, samples);
  const node = el("section", { class: "training" }, [
    el("h3", { text: TEXT.training }),
    el("p", { class: "help", text: TEXT.trainingHelp }),
    el("div", { class: "starters" }, [buttons.map(({ button }) => button)]),
    message,
    grown,
  ]);

  /** @param {string} name @param {HTMLElement} go */
  function begin(name, go) {
    for (const { button } of buttons) button.disabled = true;
    say(null);
    put(go, TEXT.trainStarting);
    trigger("train", { preset: name });
  }

  /** The server's answer to `begin`. */
  function begun(/** @type {{ error?: string }} */ answer) {
    for (const { button, go } of buttons) {
      button.disabled = false;
      put(go, `▶ ${TEXT.trainStart}`);
    }
    say(answer.error ?? null);
  }

  function say(/** @type {string | null} */ sentence) {
    message.hidden = !sentence;
    put(message, sentence ?? "");
  }

  function draw() {
    const { status, steps, evaluated } = history;
    const known = history.loaded && history.about?.translates;
    grown.hidden = !known;
    live.hidden = !known || !status?.alive;
    if (!known || !status) return;
    const state = status.place ? TEXT.queued(status.place) : tp.states[status.state].word;
    put(progress, TEXT.progress(history.short(), state, status.step, history.total));
    bar.style.width = `${(100 * status.step) / history.total}%`;
    if (!status.alive) stop.disabled = false;
    Object.assign(root.dataset, { status: status.state, last: status.step });
    grown.hidden = !steps.step.length && !evaluated.step.length;
    curves.hidden = grown.hidden;
    const measured = history.tested;
    const x = { low: 0, high: Math.max(1, history.total, steps.step.at(-1) ?? 0), name: TEXT.xName };
    const n = evaluated.step.length;
    const exact = {
      id: "exact",
      title: TEXT.curves,
      unit: host.clientWidth < 560 ? "" : TEXT.exactUnit,
      height: 120,
      range: [0, 1.02],
      format: percent,
      lines: [
        {
          id: "exact",
          name: TEXT.exact,
          style: "accuracy",
          x: evaluated.step,
          y: evaluated.accuracy,
          n,
          dots: true,
          format: percent,
        },
      ],
    };
    chart.update({
      x,
      panels: [
        ...(measured ? [exact] : []),
        {
          id: "loss",
          title: TEXT.loss,
          unit: TEXT.lossUnit,
          height: 120,
          lines: [
            {
              id: "raw",
              name: TEXT.batch,
              style: "raw",
              x: steps.step,
              y: steps.loss,
              n: steps.step.length,
              fit: true,
              keep: 0.99,
              format: tp.loss,
            },
            {
              id: "train",
              name: TEXT.train,
              style: "train",
              x: steps.step,
              y: steps.smooth,
              n: steps.step.length,
              fit: true,
              format: tp.loss,
            },
            {
              id: "held",
              name: TEXT.heldOut,
              style: "validation",
              x: evaluated.step,
              y: evaluated.loss,
              n,
              fit: true,
              dots: true,
              format: tp.loss,
            },
          ],
        },
      ],
      marks:
        frame.run === history.run && frame.step !== newest(frame) ? [{ x: frame.step, text: "", kind: "changed" }] : [],
      summary: TEXT.chartSummary(
        status.step,
        percent(evaluated.accuracy.at(-1) ?? NaN),
        tp.loss(evaluated.loss.at(-1) ?? NaN),
      ),
    });
    drawSamples();
  }

  let sampled = "";
  function drawSamples() {
    const step = frame.run === history.run ? frame.step : Infinity;
    const newestStep = frame.run === history.run ? frame.step === newest(frame) : true;
    const limit = newestStep ? Infinity : step;
    const key = JSON.stringify([history.run, limit, history.samples.length, history.samples.at(-1)?.step]);
    if (key === sampled) return;
    sampled = key;
    /** @type {number | null} */
    let last = null;
    const prompts = [...new Set(history.samples.map(({ prompt }) => prompt))];
    const items = prompts.map((prompt) => {
      const all = history.samples.filter((sample) => sample.prompt === prompt);
      const past = all.filter((sample) => sample.step <= limit);
      const now = past.at(-1) ?? all[0];
      last = now.step;
      const squares = all.map((sample) => {
        const square = el("i", {
          class: `square ${sample.correct === null ? "" : sample.correct} ${sample === now ? "now" : ""}`,
        });
        square.addEventListener("pointermove", (event) =>
          tp.tip(
            el("span", { text: TEXT.sampleTip(sample.step, sample.text.slice(0, 300) || "∅") }),
            event.clientX,
            event.clientY,
          ),
        );
        square.addEventListener("pointerleave", () => tp.tip(null));
        return square;
      });
      const right = all.filter(({ correct }) => correct).length;
      return el("li", {}, [
        tp.button(prompt, { class: "prompt", dir: "auto", translate: "no" }, () => opened(prompt)),
        el("p", { class: `answer ${now.correct}` }, [
          now.correct !== null &&
            el("span", {
              class: "verdict",
              role: "img",
              "aria-label": TEXT.verdictName[String(now.correct)],
              text: TEXT.verdict[String(now.correct)],
            }),
          el("span", { class: "text", dir: "auto", translate: "no", text: now.text || "∅" }),
        ]),
        el("span", { class: "squares", role: "img", "aria-label": TEXT.sampleStrip(right, all.length) }, squares),
      ]);
    });
    put(at, last === null ? TEXT.noSamples : TEXT.samplesStep(last));
    list.replaceChildren(...items);
  }

  function curveRows() {
    /** @type {Map<number, Cell[]>} */
    const rows = new Map();
    const row = (/** @type {number} */ step) => {
      const found = rows.get(step) ?? [step, "", "", ""];
      rows.set(step, found);
      return found;
    };
    history.steps.step.forEach((step, i) => (row(step)[1] = history.steps.loss[i]));
    history.evaluated.step.forEach((step, i) => {
      row(step)[2] = history.evaluated.loss[i];
      row(step)[3] = Number.isFinite(history.evaluated.accuracy[i]) ? history.evaluated.accuracy[i] : "";
    });
    return [TEXT.csv.curves, ...[...rows].sort(([a], [b]) => a - b).map(([, cells]) => cells)];
  }

  new ResizeObserver(() => schedule(draw)).observe(host);

  function reset() {
    sampled = "";
    chart.reset();
  }
  return { node, live, draw, begun, say, reset };
}
