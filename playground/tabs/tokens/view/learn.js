/* Byte-pair encoding being learned: what from, the merges one by one, and how much shorter texts become. */
const AROUND = 4; // merges listed on each side of the present one

function makeLearn(
  /** @type {{ learnAgain(): unknown, goTo(merges: number): void, toTrain(): void }} */ { learnAgain, goTo, toTrain },
) {
  const message = el("p", { class: "message", role: "alert", hidden: true });
  const sources = tp.segments(TEXT.learnFrom, TEXT.sources, pick, { id: "tokens-source" });
  const own = el("textarea", { id: "tokens-own", rows: 4, spellcheck: "false", "aria-label": TEXT.ownLabel });
  /** @type {HTMLInputElement} */
  const file = el("input", {
    type: "file",
    id: "tokens-file",
    accept: ".txt,.md,.csv,text/*",
    class: "tp-hidden",
    on: { change: () => openFile() },
  });
  const ownPart = el("div", { class: "own", hidden: true }, [
    own,
    el("p", { class: "hint" }, [
      el("label", { class: "tp-button", for: "tokens-file", text: TEXT.file }),
      file,
      el("span", { text: TEXT.fileHint }),
    ]),
    el("p", { class: "hint", text: TEXT.ownHint(MAX_OWN) }),
  ]);
  /** @type {HTMLSelectElement} */
  const size = el("select", { id: "tokens-size", on: { change: () => choose({ size: Number(size.value) }) } }, [
    SIZES.map((value) => el("option", { value, text: count(value) })),
  ]);
  const button = tp.button(TEXT.button, { class: "tp-button primary", id: "tokens-learn" }, () => {
    state.own = own.value;
    learnAgain();
  });
  const train = tp.button(TEXT.train, { class: "tp-button", id: "tokens-train", title: TEXT.trainTitle }, toTrain);
  const done = el("p", { class: "hint", role: "status" });

  const film = tp.film({
    id: "tokens-merges",
    label: TEXT.film,
    text: { play: TEXT.filmPlay, pause: TEXT.filmPause },
    count: () => learned.M + 1,
    at: applied,
    goTo,
    name: (merges) => TEXT.merge(merges, learned.M),
    stops,
  });
  const now = el("p", { class: "now", role: "status" });
  const figures = el("span", { class: "muted" });
  const line = makeLine("recut", { label: () => TEXT.recut });
  const readout = el("p", { class: "readout" });
  const list = el("ol", { class: "around", id: "tokens-around" });
  const host = el("div", { class: "chart-host" });
  const chart = tp.chart(host);

  const node = el("section", { class: "learn" }, [
    el("h3", { text: TEXT.learn }),
    el("p", { class: "help", text: TEXT.learnHelp }),
    el("div", { class: "choices" }, [
      sources.field,
      el("label", { class: "choice" }, el("span", { text: TEXT.size }), size),
      button,
      train,
    ]),
    ownPart,
    done,
    message,
    film.node,
    now,
    el("h4", {}, el("span", { text: TEXT.recut }), " ", figures),
    line.node,
    readout,
    el("div", { class: "pair" }, [
      el("div", {}, [
        host,
        el("div", { class: "under" }, [
          el("p", { class: "help", text: TEXT.chartHelp }),
          tp.saveBar({ figure: () => chart.svg, rows: mergeRows, name: () => "byte-pairs" }),
        ]),
      ]),
      el("div", {}, el("h4", { text: TEXT.around }), list),
    ]),
  ]);

  /** What the player stops at: every merge, or where there are many, about a hundred of them. */
  function stops() {
    const stride = Math.max(1, Math.round(learned.M / 90));
    const all = Array.from({ length: Math.ceil(learned.M / stride) }, (_, i) => i * stride);
    return [...all, learned.M];
  }

  function pick(/** @type {string} */ source) {
    ownPart.hidden = source !== "own";
    if (source === "own" && own.value.length === 0) {
      state.source = source;
      draw();
      own.focus();
      return;
    }
    state.own = own.value;
    choose({ source });
  }

  function choose(/** @type {{ size?: number, source?: string }} */ change) {
    Object.assign(state, change, { merges: null });
    draw();
    if (state.source !== "own" || own.value) learnAgain();
  }

  async function openFile() {
    const chosen = file.files?.[0];
    file.value = "";
    if (!chosen) return;
    if (chosen.size > MAX_FILE) return problem(TEXT.fileLarge(chosen.name, chosen.size));
    if (chosen.size === 0) return problem(TEXT.fileEmpty(chosen.name));
    const { text, problem: wrong } = await tp.readText(chosen);
    if (wrong !== undefined) return problem(TEXT.fileWrong(chosen.name, wrong));
    own.value = text;
    problem(null);
    pick("own");
  }

  function problem(/** @type {string | null} */ sentence) {
    message.hidden = sentence === null;
    put(message, sentence ?? "");
  }

  function busy(/** @type {boolean} */ yes) {
    button.disabled = yes;
    put(button, yes ? TEXT.learning : TEXT.button);
    node.toggleAttribute("data-busy", yes);
  }

  function draw() {
    sources.press(state.source);
    ownPart.hidden = state.source !== "own";
    size.value = String(state.size);
    if (!learned.key) return;
    const time = learned.seconds < 0.095 ? TEXT.instant : TEXT.seconds(fixed(learned.seconds, 1));
    put(done, TEXT.learned(learned.M, learned.characters, time) + (learned.size < state.size ? ` ${TEXT.fewer}` : ""));
    film.draw();
    drawNow();
    drawList();
    if (shown.waits) return;
    line.draw(bpeCut(applied()));
    put(figures, TEXT.recutFigures(shown.lengths[applied()], fixed(shown.characters / shown.lengths[applied()])));
    drawChart();
    drawFacts();
  }

  function drawFacts() {
    line.mark();
    drawReadout(readout, ["recut"]);
  }

  const piece = (/** @type {number} */ id, kind = "") =>
    el("span", { class: `piece ${kind}`, translate: "no", text: readable(learned.tokens[id]) });

  function stopAt(/** @type {number} */ merges) {
    film.stop();
    goTo(merges);
  }

  function drawNow() {
    const k = applied();
    if (k === 0) return put(now, TEXT.none);
    const { left, right, id, times, merged } = learned.merges[k - 1];
    now.replaceChildren(
      piece(left),
      el("span", { text: " + " }),
      piece(right),
      el("span", { text: " → " }),
      piece(id, "new"),
      el("span", { class: "muted", text: ` ${TEXT.occurs(times, merged)}` }),
    );
  }

  function drawList() {
    const k = applied();
    const first = Math.max(0, Math.min(k - 1 - AROUND, learned.M - 2 * AROUND - 1));
    const rows = learned.merges.slice(first, first + 2 * AROUND + 1);
    const most = Math.max(...rows.map(({ times }) => times), 1);
    list.replaceChildren(
      ...rows.map(({ left, right, id, times }, i) => {
        const at = first + i + 1;
        const bar = el("i");
        bar.style.width = `${(100 * times) / most}%`;
        const label = TEXT.goTo(at, readable(learned.tokens[left]), readable(learned.tokens[right]), count(times));
        const go = el(
          "button",
          {
            type: "button",
            "aria-label": label,
            class: at === k ? "here" : at > k ? "later" : "",
            "aria-current": at === k ? "true" : null,
            on: { click: () => stopAt(at) },
          },
          tp.unsaid(
            el("span", { class: "at", text: count(at) }),
            el("span", { class: "what" }, piece(left), piece(right)),
            el("span", { class: "arrow", text: "→" }),
            piece(id, "new"),
            el("span", { class: "track" }, bar),
            el("span", { class: "times", text: count(times) }),
          ),
        );
        return el("li", {}, go);
      }),
    );
  }

  function drawChart() {
    const k = applied();
    /** @param {ArrayLike<number>} lengths @param {number} characters */
    const ratio = (lengths, characters) => Array.from(lengths, (value) => value / characters);
    const x = learned.sizes;
    const trained = ratio(learned.lengths, learned.characters);
    const typed = ratio(shown.lengths, shown.characters);
    const lines = [
      {
        id: "trained",
        name: TEXT.trained,
        style: "train",
        x,
        y: trained,
        n: learned.M + 1,
        fit: true,
        format: (/** @type {number} */ v) => fixed(v),
      },
      {
        id: "typed",
        name: TEXT.typed,
        style: "validation",
        x,
        y: typed,
        n: learned.M + 1,
        fit: true,
        format: (/** @type {number} */ v) => fixed(v),
      },
    ];
    chart.update({
      x: { low: 256, high: Math.max(257, x[learned.M]), name: TEXT.chartX },
      panels: [
        {
          id: "ratio",
          title: TEXT.chart,
          unit: TEXT.chartUnit,
          height: 190,
          zero: true,
          lines,
          format: (v) => fixed(v, 1),
        },
      ],
      marks: [{ x: x[k], text: `${count(x[k])}: ${fixed(typed[k])}`, kind: "changed" }],
      summary: TEXT.chartSummary(x[k], fixed(trained[k]), fixed(typed[k])),
    });
  }

  function mergeRows() {
    const name = (/** @type {number} */ id) => readable(learned.tokens[id]);
    return [
      TEXT.csv.merges,
      ...learned.merges.map(({ left, right, id, times }, i) => [
        i + 1,
        name(left),
        name(right),
        name(id),
        id,
        times,
        learned.lengths[i + 1],
        shown.lengths[i + 1],
      ]),
    ];
  }

  return { node, draw, drawFacts, busy, problem, stop: film.stop };
}
