/* The singular values of one matrix and of its step, for every optimizer, as a film over training. */
function makeInside(/** @type {{ chosen(change: Partial<Chosen>): void }} */ { chosen }) {
  /** @param {string} id @param {string} name @param {[value: string | number, text: string][]} options */
  const pick = (id, name, options) => {
    /** @type {HTMLSelectElement} */
    const select = el(
      "select",
      { id, on: { change: () => chosen({ [name]: name === "block" ? Number(select.value) : select.value }) } },
      [options.map(([value, text]) => el("option", { value, text }))],
    );
    return select;
  };
  /** @type {[value: number, text: string][]} */
  const blocks = Array.from({ length: props.blocks }, (_, i) => [i, String(i + 1)]);
  const block = pick("optimizers-block", "block", blocks);
  const matrix = pick("optimizers-matrix", "matrix", Object.entries(TEXT.matrices));
  const film = tp.film({
    id: "optimizers-moment",
    label: TEXT.film,
    text: { play: TEXT.play, pause: TEXT.pause },
    count: () => race.moments.length,
    at: () => race.moments.indexOf(shownMoment() ?? 0),
    goTo: (index) => chosen({ moment: index === race.moments.length - 1 ? null : race.moments[index] }),
    name: (index) => TEXT.moment(count(race.moments[index] ?? 0)),
  });
  const host = el("div", { class: "chart-host" });
  const chart = tp.chart(host);
  const sharing = el("ul", { class: "sharing" });
  const none = el("p", { class: "help", text: TEXT.noSpectra });
  const body = el("div", {}, [
    film.node,
    sharing,
    el("p", { class: "help", text: TEXT.sharingHelp }),
    host,
    el("div", { class: "under" }, tp.saveBar({ figure: () => chart.svg, rows, name: () => "singular-values" })),
  ]);
  const node = el("section", { class: "inside-step" }, [
    el("h3", { text: TEXT.inside }),
    el("p", { class: "help", text: TEXT.insideHelp }),
    el("div", { class: "line" }, [
      el("label", { class: "choice" }, el("span", { text: TEXT.block }), block),
      el("label", { class: "choice" }, el("span", { text: TEXT.matrix }), matrix),
    ]),
    none,
    body,
  ]);

  /** What is shown of each entry: {entry, name, update, weight}. */
  function records() {
    const moment = shownMoment();
    const name = `${state.block}.${state.matrix}`;
    return race.names
      .map((title, entry) => {
        const record = race.record(entry, moment ?? 0);
        return { entry, name: title, update: record?.update[name] ?? [], weight: record?.weight[name] ?? [] };
      })
      .filter(({ update }) => update.length);
  }

  function draw() {
    [block.value, matrix.value] = [String(state.block), state.matrix];
    const found = records();
    none.hidden = found.length > 0;
    body.hidden = !found.length;
    film.draw();
    if (!found.length) return;
    const numbers = found[0].update.map((_, i) => i + 1);
    const line = (/** @type {{ entry: number, name: string }} */ { entry, name }, /** @type {number[]} */ y) => ({
      id: entry,
      name,
      style: `e${entry}`,
      x: numbers,
      y,
      n: y.length,
      dots: true,
      fit: true,
      format: (/** @type {number} */ value) => tp.fixed(value, 2),
    });
    chart.update({
      x: { low: 1, high: numbers.length, name: TEXT.order },
      panels: [
        {
          id: "update",
          title: TEXT.update,
          unit: TEXT.updateUnit,
          height: 190,
          zero: true,
          lines: found.map((each) => line(each, scaled(each.update))),
          references: [{ y: 1, text: TEXT.even }],
        },
        {
          id: "weight",
          title: TEXT.weight,
          unit: TEXT.weightUnit,
          height: 130,
          zero: true,
          lines: found.map((each) => line(each, each.weight)),
        },
      ],
      marks: [],
      summary: TEXT.spectraSummary(tp.series(found.map(shared))),
    });
    const texts = found.map(shared);
    if (sharing.dataset.key !== texts.join())
      sharing.replaceChildren(
        ...found.map((each) =>
          el("li", { class: `e${each.entry}` }, el("i", { class: "swatch" }), el("span", { text: shared(each) })),
        ),
      );
    sharing.dataset.key = texts.join();
  }

  const shared = (/** @type {{ name: string, update: number[] }} */ { name, update }) =>
    TEXT.sharing(name, tp.fixed(directions(update), 1), update.length);

  function rows() {
    const lines = records().flatMap(({ name, update, weight }) =>
      scaled(update).map((value, i) => [name, shownMoment(), i + 1, value, weight[i]]),
    );
    return [["optimizer", "step", "number", "update", "weight"], ...lines];
  }

  return { node, draw };
}
