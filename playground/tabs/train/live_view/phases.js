/* Which phase a run is in: noise, letters, words, sentences. The server knows where each begins (phases.py).
 *
 * An evaluation says when a phase is reached. It is shown from the next sample on, so that what the badge says can be
 * read below it.
 */

/** @typedef {{ name: string, from: number }} Reached  a phase, and the step of the sample that first shows it */

/** The phases of a history.
 *
 * @param {Feed} history @returns {Reached[]} */
function phasesOf({ about, evaluated, samples, over }) {
  if (!about?.phases) return [];
  const { by, first, phases } = about.phases;
  const found = [{ name: first, from: 0 }];
  for (const { name, at } of phases) {
    const values = by === "loss" ? evaluated.loss : evaluated.accuracy;
    const row = values.findIndex((value) => (by === "loss" ? value < at : value >= at));
    if (row < 0) break;
    const written = samples.find(({ step }) => step >= evaluated.step[row]);
    if (!written && samples.length && !over) break;
    found.push({ name, from: written?.step ?? evaluated.step[row] });
  }
  return found;
}

/** The phase at a step.
 *
 * @param {Reached[]} phases @param {number} step */
const phaseAt = (phases, step) => phases.findLast(({ from }) => from <= step) ?? null;

/** All phases in a row, the present one marked. */
function makePhases() {
  const node = el("ol", { class: "phases", hidden: true, "aria-label": TEXT.phasesLabel });
  let drawn = "";
  function draw(/** @type {Feed} */ history) {
    const all = history.about?.phases;
    const reached = phasesOf(history);
    node.hidden = !all || !history.evaluated.n;
    const state = JSON.stringify([all, reached]);
    if (!all || node.hidden || state === drawn) return;
    const before = drawn;
    drawn = state;
    const names = [all.first, ...all.phases.map(({ name }) => name)];
    const now = reached.length - 1;
    node.replaceChildren(
      ...names.map((name, i) =>
        el(
          "li",
          {
            class: i < now ? "past" : i === now ? "now" : "ahead",
            "aria-current": i === now ? "step" : null,
            title: i ? TEXT.phaseTitle(all.by, all.phases[i - 1].at) : null,
          },
          el("b", { text: TEXT.phases[name] ?? name }),
          reached[i] &&
            i > 0 &&
            reached[i].from !== reached[i + 1]?.from &&
            el("small", { text: TEXT.step(reached[i].from) }),
        ),
      ),
    );
    if (before && !history.over) tp.say(TEXT.phases[names[now]] ?? "");
  }
  return { node, draw };
}
