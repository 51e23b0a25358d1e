/* Optimizers: several of them train the same small model side by side, and what each makes of a gradient.
 *
 * `race` is the race that is shown: the stored one at first (`server.follow("", 0)`), then the learner's own, which is
 * followed while it runs. `coming` is a race that has not made its first step: the one before stays in sight until
 * then. `state` is what was chosen. Everything that is drawn follows from these.
 */
const HZ = 3;

let race = new Race("");
/** @type {Race | null} */
let coming = null;
/** @type {ReturnType<typeof tp.poll> | null} */
let poller = null;

const setup = makeSetup({ changed: settingsChanged, start, stop });
const result = makeResult({ chosen, again });
const inside = makeInside({ chosen });
const wait = el("p", { class: "wait", role: "status", text: TEXT.wait });
const lesson = el("a", { class: "lesson", href: tp.lessons.address("optimizers"), text: TEXT.lesson });

const header = el("header", {}, el("h2", { text: TEXT.title }), el("p", { class: "intro", text: TEXT.intro }), lesson);
root.append(
  header,
  wait,
  el("div", { class: "body" }, [
    result.node,
    el("section", { class: "own" }, el("h3", { text: TEXT.own }), setup.node, result.source),
    inside.node,
  ]),
);
for (const node of [header, inside.node]) tp.terms.mark(node, props.terms ?? []);

/** The step that is looked into: the chosen one, or the newest with singular values. */
function shownMoment() {
  const { moments } = race;
  const { moment } = state;
  const before = moment === null ? [] : moments.filter((step) => step <= moment);
  return before.at(-1) ?? (moment === null ? moments.at(-1) : moments[0]) ?? null;
}

const matrixName = () => TEXT.matrixName(state.block + 1, state.matrix);

function settingsChanged() {
  address.save();
  setup.say("");
  schedule(draw);
}

function chosen(/** @type {Partial<Chosen>} */ change) {
  Object.assign(state, change);
  address.save();
  schedule(draw);
}

function draw() {
  setup.draw(coming ?? race);
  wait.hidden = Boolean(race.plan);
  result.draw();
  inside.draw();
  describe();
}

/** For scripts, tests and lessons: which race, how far, and what it shows. */
function describe() {
  Object.assign(root.dataset, {
    ready: String(Boolean(race.plan)),
    state: coming?.state ?? (race.id ? race.state : "stored"),
    race: race.id,
    entries: race.names.length,
    step: race.at.step,
    moment: shownMoment() ?? "",
    verdicts: race.verdicts.filter(Boolean).length,
  });
  for (const [name, value] of Object.entries(lessonValues())) {
    if (Number.isFinite(value)) root.dataset[name] = value.toFixed(4);
    else delete root.dataset[name];
  }
}

/** What the lesson asks about, of the learner's own race of AdamW and Muon that is over: by how many nats Muon ended
 * lower, and which share of directions share its last step in the matrix "up" of the first block. */
function lessonValues() {
  const [adamw, muon] = ["adamw", "muon"].map((name) =>
    (race.plan?.entries ?? []).findIndex(({ optimizer }) => optimizer === name),
  );
  if (!race.id || race.state !== "over" || !race.plan || adamw < 0 || muon < 0) return { gain: NaN, directions: NaN };
  const update = race.record(muon, race.plan.steps)?.update["0.up"];
  return { gain: race.mean(adamw) - race.mean(muon), directions: update ? directions(update) / update.length : NaN };
}

/* ------------------------------------------------------------------ asking */

async function start() {
  setup.say("");
  const fresh = new Race("");
  coming = fresh;
  draw();
  const answer = await call("begin", state.entries, state.steps, state.seeds);
  if (coming !== fresh) return;
  if (answer.error) return ended(answer.error);
  fresh.id = answer.race;
  poller?.now();
}

/** The race that was to come does not come; the one before stays. */
function ended(/** @type {string} */ reason) {
  coming = null;
  setup.say(reason);
  draw();
}

function again() {
  state.seeds = 3;
  if (!race.id && race.plan) state.entries = race.plan.entries.map((entry) => ({ ...entry }));
  address.save();
  start();
}

async function stop() {
  const asked = coming ?? race;
  if (!asked.id) return ended("");
  const answer = await call("stop", asked.id);
  if (answer.error) setup.say(answer.error);
  poller?.now();
}

/** Read on of the race that runs, or read the stored one. */
async function look() {
  const asked = coming ?? race;
  if (coming ? !coming.id : asked.plan && !asked.active) return;
  const news = await call("follow", asked.id, asked.offset);
  if (asked !== (coming ?? race)) return;
  if (news.error) {
    setup.say(news.error);
    if (news.error !== TEXT.offline) asked.state = "failed";
    if (asked === coming && !asked.active) coming = null;
    return schedule(draw);
  }
  asked.learn(news);
  if (asked === coming && asked.at.step > 0) {
    [race, coming, state.moment] = [asked, null, null];
    address.save();
  }
  if (asked === coming && !asked.active) return ended(standing(asked));
  schedule(draw);
}

const told = address.read();
Object.assign(state, told, { entries: read(told.entries) ?? FIRST.map((entry) => ({ ...entry })) });
if (state.block >= props.blocks) state.block = 0;
tp.onTheme(() => schedule(draw));
tp.whenSeen(root, () => {
  poller = tp.poll(look, { hz: HZ, hidden_hz: 0.5, element: root });
});
