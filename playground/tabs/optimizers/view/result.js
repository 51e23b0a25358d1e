/* The loss of every optimizer, how many directions share its step, and what came out. */
function makeResult(/** @type {{ chosen(change: Partial<Chosen>): void, again(): void }} */ { chosen, again }) {
  const axes = tp.segments(TEXT.axis, TEXT.axes, (axis) => chosen({ axis }));
  const source = el("p", { class: "help source" });
  const command = el("code", { translate: "no" });
  const host = el("div", { class: "chart-host" });
  const chart = tp.chart(host);
  const table = el("table", { class: "outcome" });
  const said = el("ul", { class: "verdicts" });
  const more = tp.button(TEXT.more, { class: "tp-button", id: "optimizers-more" }, again);
  const node = el("section", { class: "result" }, [
    axes.field,
    host,
    el("div", { class: "under" }, [
      el("p", { class: "help", text: TEXT.chartHelp }),
      tp.saveBar({ figure: () => chart.svg, rows, name: () => "optimizers" }),
    ]),
    el("div", { class: "measured" }, el("h3", { text: TEXT.verdict }), table, said, more),
  ]);

  const matrix = () => `${state.block}.${state.matrix}`;
  const shown = () => race.laps.map((laps, entry) => ({ laps, entry, name: race.names[entry] }));

  function draw() {
    race.smooth();
    axes.press(state.axis);
    drawSource();
    if (!race.plan) return;
    chart.update(data(race.plan));
    drawOutcome(race.plan);
  }

  function drawSource() {
    put(command, race.plan?.command ?? "");
    const text = race.id ? TEXT.shownOwn : TEXT.shownStored;
    if (source.dataset.text !== text) {
      source.dataset.text = text;
      source.replaceChildren(`${text} `, command);
    }
    source.hidden = !race.plan;
  }

  function data(/** @type {Plan} */ plan) {
    const { axis } = state;
    const lines = shown().map(({ laps, entry, name }) => {
      const x = axis === "steps" ? laps.step : laps[axis];
      return {
        id: entry,
        name,
        style: `e${entry}`,
        x,
        y: laps.smooth,
        n: x.length,
        fit: true,
        format: (/** @type {number} */ value) => tp.fixed(value, 2),
      };
    });
    const shared = shown().map(({ entry, name }) => {
      const records = race.spectra[entry];
      return {
        id: entry,
        name,
        style: `e${entry}`,
        x: records.map(({ step }) => race.x(entry, step, axis)),
        y: records.map(({ update }) => directions(update[matrix()])),
        n: records.length,
        dots: true,
        fit: true,
        format: (/** @type {number} */ value) => tp.fixed(value, 1),
      };
    });
    const most = race.spectra.flat()[0]?.update[matrix()].length ?? 32;
    const last = Math.max(0, ...lines.map(({ x }) => x.at(-1) ?? 0));
    const high = race.active && axis === "steps" ? plan.steps : last || 1;
    const moment = shownMoment();
    const mark = moment && { x: race.x(0, moment, axis), text: "", kind: "changed" };
    return {
      x: { low: 0, high, name: TEXT.axisNames[axis] },
      panels: [
        { id: "loss", title: TEXT.loss, unit: TEXT.lossUnit, height: 230, lines },
        {
          id: "directions",
          title: TEXT.directions(matrixName()),
          unit: TEXT.directionsUnit(most),
          height: 120,
          range: [0, most],
          lines: shared,
        },
      ],
      marks: axis === "steps" && mark ? [mark] : [],
      summary: TEXT.chartSummary(tp.series(lines.map((line) => tp.named(line.name, tp.loss(line.y.at(-1) ?? NaN))))),
    };
  }

  function drawOutcome(/** @type {Plan} */ plan) {
    const known = shown().filter(({ entry }) => Number.isFinite(race.mean(entry)));
    more.hidden = race.active || plan.seeds >= 3 || plan.entries.length < 2;
    const key = JSON.stringify([
      race.id,
      race.finals,
      race.verdicts,
      race.fell,
      race.laps.map(({ step }) => step.length && race.active),
    ]);
    if (table.dataset.key === key) return;
    table.dataset.key = key;
    const row = (/** @type {{ entry: number, name: string, laps: Laps }} */ { entry, name, laps }) =>
      tp.tableRow(
        { class: `e${entry}` },
        [el("i", { class: "swatch" }), name],
        [
          tp.fixed(race.mean(entry), 3),
          TEXT.seconds(tp.fixed(laps.seconds.at(-1) ?? NaN, 1)),
          tp.number(laps.flops.at(-1)),
        ],
      );
    table.hidden = !known.length;
    table.replaceChildren(tp.tableHead(Object.values(TEXT.heads)), el("tbody", {}, known.map(row)));
    const sentences = [
      ...race.fell.map(({ entry, step }) => TEXT.fell(race.names[entry], step)),
      ...race.verdicts.map((verdict, entry) => verdict && judged(verdict, race.names[entry])).filter(Boolean),
      known.length ? TEXT.meaning : TEXT.verdictNone,
    ];
    said.replaceChildren(...sentences.map((text) => el("li", { text })));
    tp.terms.mark(said, props.terms ?? []);
  }

  /** One entry against the first, in words: an interval needs three seeds. */
  function judged(
    /** @type {Answers.Verdict} */ { mean, low, high, count: seeds, within_noise: noise },
    /** @type {string} */ name,
  ) {
    const base = race.names[0];
    if (seeds < 3) return TEXT.one(name, base, tp.fixed(Math.abs(mean), 3), mean < 0);
    const interval = `[${tp.fixed(low ?? NaN, 3)}, ${tp.fixed(high ?? NaN, 3)}]`;
    if (noise) return TEXT.noise(name, base, tp.fixed(mean, 3), interval, seeds);
    return (mean < 0 ? TEXT.better : TEXT.worse)(name, base, tp.fixed(Math.abs(mean), 3), interval, seeds);
  }

  function rows() {
    const lines = shown().flatMap(({ laps, name }) =>
      laps.step.map((step, i) => [name, step, laps.seconds[i], laps.flops[i], laps.loss[i]]),
    );
    return [["optimizer", "step", "seconds", "flops", "loss"], ...lines];
  }

  return { node, source, draw };
}
