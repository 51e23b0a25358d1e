/* What trains just now, of this browser's runs: in the header, so that none goes on unseen. A press shows it on the tab
 * Train, from every tab. */
const TRAINS = tp.words({
  en: {
    /** @type {(count: number) => string} */
    several: (count) => `${count} runs train`,
    title: "Show the run that trains",
  },
  zh: {
    /** @type {(count: number) => string} */
    several: (count) => `${count} 个任务在训练`,
    title: "显示正在训练的任务",
  },
});

/** @type {Going[]} */
let going = [];
const trains = tp.el("button", {
  type: "button",
  class: "trains",
  id: "trains",
  hidden: true,
  translate: "no",
  on: { click: () => showNext() },
});

/** Of several, each press shows the next one. */
function showNext() {
  const at = going.findIndex(({ id }) => id === onPage);
  const next = going[(at + 1) % going.length];
  if (next) pick(next.id);
  tp.tabs.open("train");
}

/** @param {Going} run */
const progress = ({ step = 0, total = 1 }) => `${Math.floor((100 * step) / total)}%`;

function watchTraining() {
  let were = { ids: "", states: "" };
  tp.poll(
    async () => {
      const ids = tp.memory.read().runs;
      const answer = ids.length ? await server.going(ids) : [];
      going = Array.isArray(answer) ? answer : [];
      trains.hidden = going.length === 0;
      trains.title = [TRAINS.title, ...going.map((run) => tp.named(tp.runName(run), progress(run)))].join("\n");
      if (going.length) put(trains, `● ${going.length > 1 ? TRAINS.several(going.length) : progress(going[0])}`);
      const now = going.map(({ id }) => id).join();
      const states = going.map(({ id, state }) => `${id} ${state}`).join();
      if (states !== were.states) list(); // one has begun, pauses, goes on or has ended
      if (now !== were.ids && were.ids) dispatchEvent(new CustomEvent("tp-runs"));
      were = { ids: now, states };
    },
    { hz: 1, hidden_hz: 0.2 },
  );
}
