/* The controls: one row for each field, drawn from its description in `layout.sections` (see controls.py).
 *
 * `MAKERS` has one function for each kind of control. It gives the row's parts, {label, beside, below}, and
 * `update(value, auto)`, which shows a value; `auto` is what a field left empty stands for.
 */
/** @typedef {string | number | boolean | null} Value  of a field, as a control holds it */
/** @typedef {{ [field: string]: Value }} Values */
/** @typedef {{ field: string, among: Value[], above: number | null }} Needs */
/** @typedef {"number" | "choice" | "switch" | "blocks" | "source"} ControlKind */
/** @typedef {{ name: string, kind: ControlKind, label: string, help: string, integer: boolean,
 *   empty: string | null }} Field */
/** @typedef {{ choices: (string | boolean | null)[], stops: number[], only_with: Needs[],
 *   words: { [value: string]: string } }} Offered */
/** @typedef {Field & Offered} Control */
/** @typedef {{ name: string, groups: { name: string, controls: Control[] }[] }} Section */
/** @typedef {{ label: HTMLElement, beside: Child, below: Child, update(wanted: Value, auto?: Value): void }} Made */
/** @typedef {{ drawn: HTMLElement, help: HTMLElement, undo: HTMLElement, update: Made["update"] }} Drawing */
/** @typedef {Drawing & { control: Control, words: string, complain(why?: string): void }} DrawnRow */

/** @template Entry @param {Entry[]} entries @param {(entry: Entry) => string} by @returns {[string, Entry[]][]} */
function grouped(entries, by) {
  const groups = new Map();
  for (const entry of entries) groups.set(by(entry), [...(groups.get(by(entry)) ?? []), entry]);
  return [...groups];
}

/** @type {((changed: Set<string>) => void)[]} */
const folds = []; // for each group: a function that shows what of it was changed, and whether anything is left of it

function section(/** @type {Section} */ { name, groups }) {
  return el("section", { "aria-label": tp.translate(name) }, [
    groups.map((group) => {
      const [inPage, inEnglish] = [tp.translate(group.name), group.name];
      const drawn = group.controls.map((control) => row(control, wordsOf(control, inPage, inEnglish, name)));
      const count = el("span", { class: "count" });
      const folded = el(
        "details",
        { id: `group-${group.name.toLowerCase().replaceAll(" ", "-")}`, class: "group", open: true },
        [el("summary", {}, el("span", { text: inPage }), count), drawn],
      );
      folds.push((changed) => {
        folded.hidden = drawn.every((one) => one.hidden); // nothing in it means anything now, or is searched for
        const inside = group.controls.filter((control) => changed.has(control.name)).length;
        count.textContent = inside ? TEXT.changed(inside) : "";
        if (sought && !folded.hidden) folded.open = true;
      });
      return folded;
    }),
  ]);
}

/** All that a search finds a field by: what it is called, in both languages, what it can be, and what it does.
 *
 * @param {Control} control @param {...string} names */
const wordsOf = (control, ...names) =>
  [
    ...[control.name, control.name.replaceAll("_", " "), control.label, tp.labels?.[control.name], control.help],
    ...[...control.choices, ...Object.values(control.words), ...names],
  ]
    .join(" ")
    .toLowerCase();

/** What is searched for in the settings, in lower case. */
let sought = "";
const isSought = (/** @type {DrawnRow} */ { words }) => sought.split(/\s+/).every((word) => words.includes(word));

/* One row: the label with its help, the control, what the preset has, and what is wrong. */
/** @param {Control} control @param {string} words */
function row(control, words) {
  const id = `field-${control.name}`;
  const said = el("span");
  const remedy = el("button", {
    type: "button",
    class: "link",
    on: { click: () => set(control.name, answer.remedies[control.name] ?? null) },
  });
  const problem = el("p", { class: "problem", id: `${id}-problem`, hidden: true }, said, " ", remedy);
  const help = el("p", { class: "help", id: `${id}-help`, text: control.help, hidden: true });
  const toggle = tp.button(
    "?",
    {
      class: "ask",
      "aria-expanded": "false",
      "aria-controls": help.id,
      "aria-label": TEXT.help(control.label),
      title: control.help,
    },
    explain,
  );
  function explain() {
    help.hidden = !help.hidden;
    toggle.setAttribute("aria-expanded", String(!help.hidden));
  }
  const undo = el("button", {
    type: "button",
    class: "undo",
    hidden: true,
    on: { click: () => restore(control.name) },
  });
  const made = MAKERS[control.kind](control, id, { describedby: `${id}-problem ${id}-help` });
  const drawn = el("div", { class: `row ${control.kind}`, id: `row-${control.name}`, "data-field": control.name }, [
    el("div", { class: "top" }, made.label, toggle, undo, made.beside),
    made.below,
    problem,
    help,
  ]);
  const complain = (/** @type {string | undefined} */ why) => {
    problem.hidden = why === undefined;
    said.textContent = tp.translate(why ?? "");
    remedy.hidden = !(control.name in answer.remedies);
    if (!remedy.hidden) remedy.textContent = TEXT.remedy(spelled(control, answer.remedies[control.name]));
  };
  rows.set(control.name, { control, words, drawn, help, undo, complain, update: made.update });
  return drawn;
}

/** Does a control mean anything, as the other fields are? One whose field is at fault is shown anyway. */
const meant = (/** @type {Control} */ control) =>
  control.name in answer.problems ||
  control.only_with.every(({ field, among, above }) =>
    above === null ? among.includes(value(field)) : Number(value(field)) > above,
  );

/** @param {Control} control @param {Value | undefined} wanted */
const spelled = (control, wanted) => {
  if (wanted === null || wanted === undefined) return control.empty ?? TEXT.nothing;
  if (control.kind === "blocks") return TEXT.blocks(blocksOf(wanted));
  if (typeof wanted === "boolean") return wanted ? TEXT.yes : TEXT.no;
  if (control.kind === "source") return sources.get(String(wanted))?.title ?? String(wanted);
  if (typeof wanted === "number") return plain(wanted);
  return control.kind === "choice" ? tp.translate(control.words[wanted] ?? wanted) : String(wanted);
};
const plain = (/** @type {number} */ wanted) =>
  wanted !== 0 && Math.abs(wanted) < 1e-3 ? wanted.toExponential().replace("+", "") : String(wanted);

const MAX_BLOCKS = 512;
const blocksOf = (/** @type {Value} */ text) => String(text).split(",").map(Number);

/** @param {Control} control @param {string} target */
const labelled = (control, target) => el("label", { for: target, text: control.label, title: control.name });

/** The name of several controls as one. @param {Control} control @param {string} id  of the field */
const groupLabel = (control, id) =>
  el("span", { class: "label", id: `${id}-label`, text: control.label, title: control.name });

/** @type {{ [kind in ControlKind]: (control: Control, id: string, how: { describedby: string }) => Made }} */
const MAKERS = {
  /* A slider over the values worth trying, and a box that takes any other. */
  number(control, id, { describedby }) {
    const typed = el("input", {
      type: "text",
      inputmode: control.integer ? "numeric" : "decimal",
      id,
      class: "typed",
      spellcheck: "false",
      "aria-describedby": describedby,
    });
    const read = () => {
      const entered = typed.value.trim().replace(",", ".");
      if (entered === "" && control.empty !== null) return null;
      const parsed = Number(entered);
      return entered === "" || Number.isNaN(parsed) ? entered : parsed;
    };
    typed.addEventListener("change", () => set(control.name, read()));
    if (!control.stops.length) return { label: labelled(control, id), beside: typed, below: null, update: fill };

    /** @type {(number | null)[]} */
    let stops = [];
    const slider = el("input", {
      type: "range",
      min: 0,
      step: 1,
      class: "slider",
      "aria-label": control.label,
      "aria-describedby": describedby,
    });
    slider.addEventListener("input", () => set(control.name, stops[Number(slider.value)]));
    /** @param {Value} wanted @param {Value | undefined} auto */
    function fill(wanted, auto) {
      if (document.activeElement !== typed)
        typed.value = wanted === null ? "" : typeof wanted === "number" ? plain(wanted) : String(wanted);
      typed.placeholder = control.empty === null ? "" : TEXT.empty(control.empty, auto);
    }
    /** @param {Value} wanted @param {Value | undefined} auto */
    function update(wanted, auto) {
      const { smallest = -Infinity, largest = Infinity } =
        (control.name === "task_length" && sources.get(String(value("source")))) || {};
      stops = control.stops.filter((stop) => stop >= smallest && stop <= largest);
      if (control.empty !== null) stops.unshift(null);
      const [at, last] = [nearest(stops, wanted), stops.length - 1];
      slider.max = String(last);
      slider.value = String(at);
      slider.style.setProperty("--filled", `${(100 * at) / Math.max(1, last)}%`);
      slider.setAttribute("aria-valuetext", spelled(control, wanted));
      fill(wanted, auto);
    }
    return { label: labelled(control, id), beside: typed, below: slider, update };

    /** @param {(number | null)[]} among @param {Value} wanted */
    function nearest(among, wanted) {
      if (wanted === null) return 0;
      let best = 0;
      const far = (/** @type {number | null} */ stop) => (stop === null ? Infinity : Math.abs(stop - Number(wanted)));
      among.forEach((stop, i) => {
        if (far(stop) < far(among[best])) best = i;
      });
      return best;
    }
  },

  choice(control, id, { describedby }) {
    const options = control.choices.map((option) => ({
      option,
      name: el("span", { text: spelled(control, option) }),
      input: el("input", {
        type: "radio",
        name: id,
        id: `${id}-${option}`,
        value: option,
        on: { change: () => set(control.name, option) },
      }),
    }));
    const below = el(
      "div",
      { class: "choices", role: "radiogroup", "aria-labelledby": `${id}-label`, "aria-describedby": describedby },
      [options.map(({ input, name }) => el("label", {}, input, name))],
    );
    /** @type {Made["update"]} */
    const update = (wanted, auto) =>
      options.forEach(({ option, input, name }) => {
        input.checked = option === wanted;
        if (option === null)
          name.textContent = TEXT.empty(control.empty ?? "", auto === undefined ? auto : spelled(control, auto));
      });
    return { label: groupLabel(control, id), beside: null, below, update };
  },

  switch(control, id, { describedby }) {
    const input = el("input", {
      type: "checkbox",
      role: "switch",
      id,
      class: "switch",
      "aria-describedby": describedby,
    });
    input.addEventListener("change", () => set(control.name, input.checked));
    return {
      label: labelled(control, id),
      beside: input,
      below: null,
      update: (wanted) => (input.checked = wanted === true),
    };
  },

  /* A switch for each block of the model. The value is text, the blocks counted from 0: "1,3". */
  blocks(control, id, { describedby }) {
    const below = el("div", {
      class: "choices blocks",
      role: "group",
      "aria-labelledby": `${id}-label`,
      "aria-describedby": describedby,
    });
    /** @type {number[]} */
    let on = [];
    const press = (/** @type {number} */ block) => {
      const wanted = on.includes(block) ? on.filter((other) => other !== block) : [...on, block].sort((a, b) => a - b);
      if (wanted.length) set(control.name, wanted.length === below.childElementCount ? null : wanted.join(","));
      else tp.say(TEXT.lastBlock);
    };
    const update = (/** @type {Value} */ wanted) => {
      const count = Math.max(1, Math.min(MAX_BLOCKS, Number(value("n_layer")) || 1));
      on = wanted === null ? Array.from({ length: count }, (_, block) => block) : blocksOf(wanted);
      while (below.childElementCount > count) below.lastChild?.remove();
      while (below.childElementCount < count) {
        const block = below.childElementCount;
        below.append(
          tp.button(block + 1, { id: `${id}-${block}`, "aria-label": TEXT.block(block + 1) }, () => press(block)),
        );
      }
      [...below.children].forEach((button, block) => button.setAttribute("aria-pressed", String(on.includes(block))));
    };
    return { label: groupLabel(control, id), beside: null, below, update };
  },

  source(control, id, { describedby }) {
    /** @type {HTMLSelectElement} */
    const select = el(
      "select",
      { id, "aria-describedby": `${id}-about ${describedby}`, on: { change: () => set(control.name, select.value) } },
      [
        grouped(layout.sources, ({ group }) => group).map(([label, entries]) =>
          el("optgroup", { label }, [entries.map((entry) => el("option", { value: entry.value, text: entry.title }))]),
        ),
      ],
    );
    const about = el("p", { class: "about", id: `${id}-about` });
    return {
      label: labelled(control, id),
      beside: null,
      below: [select, about],
      update(wanted) {
        select.value = String(wanted);
        about.textContent = sources.get(String(wanted))?.about ?? "";
      },
    };
  },
};
