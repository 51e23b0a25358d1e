/* The slider over the steps of training. */
const player = tp.player({
  count: () => frame.steps.length,
  at: () => frame.steps.indexOf(frame.step),
  goTo,
  changed(playing) {
    showPlay();
    if (playing) prefetch();
    else refreshPanel(true);
  },
});

/** The step of the newest checkpoint: what is shown while no step is chosen. */
const newest = ({ steps, stored }) => steps[stored.lastIndexOf(true)];

function showSteps() {
  const { steps, stored } = frame;
  const text = frame.step === newest(frame) ? TEXT.stepNewest(frame.step) : TEXT.stepOf(frame.step, steps[steps.length - 1]);
  const index = steps.indexOf(frame.step);
  page.slider.max = Math.max(steps.length - 1, 0);
  page.slider.value = index;
  page.slider.style.setProperty("--filled", `${steps.length > 1 ? (100 * index) / (steps.length - 1) : 100}%`);
  page.slider.disabled = page.play.disabled = steps.length < 2;
  page.slider.setAttribute("aria-valuetext", text);
  page.stepText.textContent = text;
  page.stepNote.textContent = steps.length < 2 ? TEXT.stepOne : stored[index] ? "" : TEXT.stepBetween;
  showPlay();
  const key = stored.join();
  if (page.ticks.dataset.key !== key) {
    page.ticks.dataset.key = key;
    page.ticks.replaceChildren(
      ...stored.map((whole, i) => {
        const tick = el("i", { class: whole ? "whole" : "" });
        tick.style.left = `${stored.length > 1 ? (100 * i) / (stored.length - 1) : 0}%`;
        return tick;
      }),
    );
  }
}

function showPlay() {
  const playing = player.playing();
  const text = playing ? TEXT.pause : TEXT.play;
  page.play.setAttribute("aria-label", text);
  page.play.title = text;
  page.play.textContent = playing ? "❚❚" : "▶";
  page.play.classList.toggle("playing", playing);
}

/** Show the step at this place of the slider. */
function goTo(index) {
  const step = frame.steps[index];
  state.step = step === newest(frame) ? null : step;
  return load(step);
}

function slid() {
  player.stop();
  goTo(Number(page.slider.value));
}

let fetching = false;

/** Fetch the frames of all steps in the background, those after the current one first. */
async function prefetch() {
  if (fetching || !frame) return;
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
    console.warn("prefetch:", error.message);
  }
  fetching = false;
}

/** Follow a run that trains: new checkpoints appear on the slider, and the newest is shown. */
async function follow() {
  if (!begun || !state.run || player.playing() || root.hasAttribute("data-elsewhere")) return;
  if (!frame) return load(state.step); // it has no checkpoint yet, or the server was away
  const { run, text } = state;
  const answer = await call("stops", run, text);
  if (answer.error || run !== state.run || text !== state.text || !frame) return;
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
