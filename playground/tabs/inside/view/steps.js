/* The slider over the steps of training. */
const { newest } = tp;

const makeFilm = () =>
  tp.checkpointFilm({
    id: "inside-step",
    frame: () => frame,
    label: TEXT.step,
    text: { play: TEXT.play, pause: TEXT.pause },
    goTo,
    marks: () => frame.stored,
    ahead: prefetch,
    begun: prefetch,
    rested: () => refreshPanel(true),
  });

function showSteps() {
  page.film.draw();
  const index = frame.steps.indexOf(frame.step);
  page.stepNote.textContent = frame.steps.length < 2 ? TEXT.stepOne : frame.stored[index] ? "" : TEXT.stepBetween;
}

/** Show the step at this place of the slider. */
function goTo(/** @type {number} */ index) {
  const step = frame.steps[index];
  state.step = step === newest(frame) ? null : step;
  return load(step);
}

let fetching = false;

/** Fetch the frames of all steps in the background, those after the current one first. */
async function prefetch() {
  if (fetching || !frame.run) return;
  fetching = true;
  const { run, text } = state;
  const { steps } = frame;
  const here = steps.indexOf(frame.step);
  const order = [...steps.slice(here), ...steps.slice(0, here).reverse()];
  const room = KEPT / frame.attention.length;
  try {
    for (const step of order.slice(0, room)) {
      if (state.run !== run || state.text !== text) break;
      await frameOf(step);
    }
  } catch (error) {
    console.warn("prefetch:", /** @type {Error} */ (error).message);
  }
  fetching = false;
}

/** Follow a run that trains: new checkpoints appear on the slider, and the newest is shown. */
async function follow() {
  if (!begun || !state.run || page.film.playing() || root.hasAttribute("data-elsewhere")) return;
  if (!frame.run) return load(state.step); // it has no checkpoint yet, or the server was away
  const { run, text } = state;
  const answer = await call("stops", run, text);
  if (answer.error || run !== state.run || text !== state.text || !frame.run) return;
  if (answer.steps.join() === frame.steps.join() && answer.stored.join() === frame.stored.join()) return;
  const grown = newest(answer) !== newest(frame);
  for (const kept of frames.values()) {
    if (kept.run === run && kept.text === text) Object.assign(kept, answer);
  }
  const gone = !answer.steps.includes(frame.step);
  if (gone) state.step = null;
  if (gone || (grown && state.step === null && !state.locked)) await load(state.step);
  else showSteps();
}
