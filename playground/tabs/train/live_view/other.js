/* A second run in the same chart: its smoothed loss and its validation loss. */

const COMPARE = "tp-compare"; // an event on the document: {run}

/** `runs(ids)` lists the runs there are, `poll` reads one on, `drawn()` draws the chart again. */
function makeOther({ runs, poll, drawn }) {
  const select = el("select", { id: "compare-with", on: { change: () => choose(select.value || null) } });
  const node = el("label", { class: "compare" }, label(TEXT.compare), select);
  let feed = null;
  let rest = 0;

  function choose(run) {
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
    const { shipped, own } = await runs(tp.memory.read().runs).catch(() => ({}));
    if (!own) return; // the server is away
    const groups = [
      [TEXT.compareOwn, own.filter(({ damaged }) => !damaged).map((run) => [run.id, tp.runName(run)])],
      [TEXT.compareShipped, shipped.map((run) => [run.id, tp.runName({ ...run, shipped: true })])],
    ];
    const option = ([value, text]) => el("option", { value, text });
    select.replaceChildren(
      option(["", TEXT.compareNone]),
      ...groups
        .map(([title, all]) => [title, all.filter(([id]) => id !== props.run)])
        .filter(([, all]) => all.length)
        .map(([title, all]) => el("optgroup", { label: title }, all.map(option))),
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
    smooth: (window) => feed?.smooth(window),
    current: () => (feed?.loaded ? feed : null),
  };
}
