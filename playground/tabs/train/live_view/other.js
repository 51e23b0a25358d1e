/* A second run in the same chart: its smoothed loss and its validation loss. */

/** @typedef {{ id: string, name: string, damaged?: string }} Listed */
/** @typedef {[value: string, text: string]} Option */
const COMPARE = "tp-compare"; // an event on the document: {run}

/** `runs(ids)` lists the runs there are, `poll` reads one on, `drawn()` draws the chart again. */
function makeOther(
  /** @type {{ runs: Servers["live"]["runs"], poll: Servers["live"]["poll"], drawn(): void }} */ { runs, poll, drawn },
) {
  /** @type {HTMLSelectElement} */
  const select = el("select", { id: "compare-with", on: { change: () => choose(select.value || null) } });
  const node = el("label", { class: "compare" }, label(TEXT.compare), select);
  /** @type {Feed | null} */
  let feed = null;
  let rest = 0;

  function choose(/** @type {string | null} */ run) {
    choices.other = run;
    address.save();
    follow();
  }

  function follow() {
    const run = choices.other === props.run ? null : choices.other;
    if ((feed?.run ?? null) === run) return;
    feed = run ? new tp.Feed(run, choices.smoothing) : null;
    rest = 0;
    drawn();
    look().catch(() => {}); // the server is away: the next look will tell
  }

  /** Read on, as often as a run that trains; one that is over is asked about rarely. */
  async function look() {
    const asking = feed;
    if (!asking || performance.now() < rest) return;
    const isNew = await asking.read(poll, () => asking === feed);
    if (asking !== feed) return;
    if (asking.error || (asking.over && !isNew)) rest = performance.now() + 4 * IDLE;
    if (asking.error && !asking.loaded) feed = null; // it was deleted
    if (isNew) drawn();
  }

  /** The runs to choose from: all but the one on the page. */
  async function list() {
    /** @type {{ shipped?: Listed[], own?: Listed[] }} */
    const { shipped = [], own } = await runs(tp.memory.read().runs).catch(() => ({}));
    if (!own) return; // the server is away
    /** @type {[title: string, all: Option[]][]} */
    const groups = [
      [TEXT.compareOwn, own.filter(({ damaged }) => !damaged).map((run) => [run.id, tp.runName(run)])],
      [TEXT.compareShipped, shipped.map((run) => [run.id, tp.runName({ ...run, shipped: true })])],
    ];
    const option = (/** @type {Option} */ [value, text]) => el("option", { value, text });
    select.replaceChildren(
      option(["", TEXT.compareNone]),
      ...groups
        .map(([title, all]) => ({ title, others: all.filter(([id]) => id !== props.run) }))
        .filter(({ others }) => others.length)
        .map(({ title, others }) => el("optgroup", { label: title }, others.map(option))),
    );
    select.value = feed?.run ?? "";
  }

  document.addEventListener(COMPARE, (event) => {
    choose(/** @type {CustomEvent} */ (event).detail.run);
    list();
  });
  tp.memory.watch(list);
  addEventListener("tp-runs", list);
  return {
    node,
    look,
    list,
    follow,
    smooth: (/** @type {number} */ window) => feed?.smooth(window),
    current: () => (feed?.loaded ? feed : null),
  };
}
