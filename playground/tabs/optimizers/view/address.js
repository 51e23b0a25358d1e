/* What was chosen, in the page's address where it differs from the defaults. */
const { el, put, count } = tp;
const schedule = tp.scheduler();
const call = tp.asker(server, () => TEXT.offline);
const root = element.querySelector(".optimizers");
/** @typedef {"max_lr" | "weight_decay" | "momentum" | "beta1" | "beta2"} Setting */
/** @typedef {{ [name in Setting]?: number }} Settings */
/** @typedef {{ optimizer: string } & Settings} Entry */
/** @typedef {"steps" | "seconds" | "flops"} Axis */
/** @type {{ [optimizer: string]: Setting[] }} */
const FIELDS = props.fields;
/** @type {{ [optimizer: string]: Settings }} */
const USUAL = props.usual;

/** @typedef {{ entries: Entry[], steps: number, seeds: number, axis: Axis, block: number,
 *   moment: number | null }} Numbers */
/** @typedef {Numbers & { matrix: keyof typeof TEXT.matrices }} Chosen */
/** @type {Chosen} */
const state = {
  entries: [], // the next race
  steps: 300,
  seeds: 1,
  axis: "steps",
  block: 0,
  matrix: "up",
  moment: null, // the step that is looked into; null: the newest
};

const usual = (/** @type {string} */ optimizer) => ({ optimizer, ...USUAL[optimizer] });

/** Entries as an address and a command have them: "adamw;muon,max_lr=0.04", only what is not usual. */
const written = (/** @type {Entry[]} */ entries) =>
  entries
    .map(({ optimizer, ...values }) =>
      [
        optimizer,
        ...Object.entries(values)
          .filter(([name, value]) => value !== USUAL[optimizer][/** @type {Setting} */ (name)])
          .map(([name, value]) => `${name}=${value}`),
      ].join(","),
    )
    .join(";");

/** The entries that an address names; what makes no sense is left out. */
function read(/** @type {string | null} */ text) {
  const entries = (text ?? "")
    .split(";")
    .map((entry) => entry.split(","))
    .filter(([optimizer]) => Object.hasOwn(FIELDS, optimizer))
    .map(([optimizer, ...settings]) => {
      const entry = usual(optimizer);
      for (const [name, value] of settings.map((setting) => setting.split("="))) {
        const field = FIELDS[optimizer].find((each) => each === name);
        if (field && value && Number.isFinite(Number(value))) entry[field] = Number(value);
      }
      return entry;
    })
    .slice(0, props.most.entries);
  return entries.length ? entries : null;
}

const FIRST = [usual("adamw"), usual("muon"), usual("sgd")]; // those of the stored race

const address = tp.address("optimizers", () => {
  const text = written(state.entries);
  return { ...state, entries: text === written(FIRST) ? null : text };
});
