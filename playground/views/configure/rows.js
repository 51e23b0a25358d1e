/* The controls: one row for each field, drawn from its description in `layout.sections` (see controls.py).
 *
 * `MAKERS` has one function for each kind of control. It gives the row's parts, {label, beside, below}, and
 * `update(value, auto)`, which shows a value; `auto` is what a field left empty stands for.
 */
function grouped(entries, by) {
  const groups = new Map();
  for (const entry of entries) groups.set(entry[by], [...(groups.get(entry[by]) ?? []), entry]);
  return [...groups];
}

function section({ name, groups }) {
  return el(
    "section",
    { "aria-label": name },
    el("h2", { text: name }),
    groups.map((group) => {
      const drawn = group.controls.map(row);
      if (!group.name) return drawn;
      const count = el("span", { class: "count" });
      const folded = el("details", { id: `group-${group.name.toLowerCase()}` }, el("summary", {}, el("span", { text: group.name }), count), drawn);
      folded.update = (changed, wrong) => {
        const inside = group.controls.filter((control) => changed.has(control.name)).length;
        count.textContent = inside ? TEXT.changed(inside) : "";
        if (group.controls.some((control) => wrong.has(control.name))) folded.open = true;
      };
      return folded;
    }),
  );
}

/* One row: the label with its help, the control, what the preset has, and what is wrong. */
function row(control) {
  const id = `field-${control.name}`;
  const problem = el("p", { class: "problem", id: `${id}-problem`, hidden: true });
  const help = el("p", { class: "help", id: `${id}-help`, text: control.help, hidden: true });
  const toggle = el("button", {
    type: "button", class: "ask", text: "?", "aria-expanded": "false", "aria-controls": help.id,
    "aria-label": TEXT.help(control.label), title: control.help,
    on: { click: () => toggle.setAttribute("aria-expanded", String(!(help.hidden = !help.hidden))) },
  });
  const undo = el("button", { type: "button", class: "undo", hidden: true, on: { click: () => set(control.name, preset().values[control.name]) } });
  const made = MAKERS[control.kind](control, id, { describedby: `${id}-problem ${id}-help` });
  const drawn = el(
    "div",
    { class: `row ${control.kind}`, id: `row-${control.name}`, "data-field": control.name },
    el("div", { class: "top" }, made.label, toggle, undo, made.beside),
    made.below,
    problem,
    help,
  );
  rows.set(control.name, { control, drawn, problem, help, undo, update: made.update });
  return drawn;
}

const spelled = (control, wanted) => {
  if (wanted === null || wanted === undefined) return TEXT.auto;
  if (typeof wanted === "boolean") return wanted ? TEXT.yes : TEXT.no;
  if (control.kind === "source") return sources.get(wanted)?.title ?? String(wanted);
  return typeof wanted === "number" ? plain(wanted) : String(wanted);
};
const plain = (wanted) =>
  wanted !== 0 && Math.abs(wanted) < 1e-3 ? wanted.toExponential().replace("+", "") : String(wanted);

const labelled = (control, target) => el("label", { for: target, text: control.label, title: control.name });

const MAKERS = {
  /* A slider over the values worth trying, and a box that takes any other. */
  number(control, id, { describedby }) {
    const typed = el("input", {
      type: "text", inputmode: control.integer ? "numeric" : "decimal", id, class: "typed", spellcheck: "false",
      "aria-describedby": describedby,
    });
    const read = () => {
      const entered = typed.value.trim().replace(",", ".");
      if (entered === "" && control.empty) return null;
      const parsed = Number(entered);
      return entered === "" || Number.isNaN(parsed) ? entered : parsed;
    };
    typed.addEventListener("change", () => set(control.name, read()));
    if (!control.stops.length) return { label: labelled(control, id), beside: typed, below: null, update: fill };

    let stops = [];
    const slider = el("input", { type: "range", min: 0, step: 1, class: "slider", "aria-label": control.label, "aria-describedby": describedby });
    slider.addEventListener("input", () => set(control.name, stops[Number(slider.value)]));
    function fill(wanted, auto) {
      if (document.activeElement !== typed) typed.value = wanted === null ? "" : typeof wanted === "number" ? plain(wanted) : wanted;
      typed.placeholder = control.empty ? TEXT.empty(auto) : "";
    }
    function update(wanted, auto) {
      const { smallest = -Infinity, largest = Infinity } = (control.name === "task_length" && sources.get(value("source"))) || {};
      stops = control.stops.filter((stop) => stop >= smallest && stop <= largest);
      if (control.empty) stops.unshift(null);
      slider.max = stops.length - 1;
      slider.value = nearest(stops, wanted);
      slider.style.setProperty("--filled", `${(100 * slider.value) / Math.max(1, stops.length - 1)}%`);
      slider.setAttribute("aria-valuetext", spelled(control, wanted));
      fill(wanted, auto);
    }
    return { label: labelled(control, id), beside: typed, below: slider, update };

    function nearest(among, wanted) {
      if (wanted === null) return 0;
      let best = 0;
      among.forEach((stop, i) => {
        if (stop !== null && (among[best] === null || Math.abs(stop - wanted) < Math.abs(among[best] - wanted))) best = i;
      });
      return best;
    }
  },

  choice(control, id, { describedby }) {
    const inputs = control.choices.map((option) =>
      el("input", { type: "radio", name: id, id: `${id}-${option}`, value: option, on: { change: () => set(control.name, option) } }),
    );
    const below = el(
      "div",
      { class: "choices", role: "radiogroup", "aria-labelledby": `${id}-label`, "aria-describedby": describedby },
      inputs.map((input) => el("label", {}, input, el("span", { text: input.value }))),
    );
    const update = (wanted) => inputs.forEach((input) => (input.checked = input.value === wanted));
    return { label: el("span", { class: "label", id: `${id}-label`, text: control.label, title: control.name }), beside: null, below, update };
  },

  switch(control, id, { describedby }) {
    const input = el("input", { type: "checkbox", role: "switch", id, class: "switch", "aria-describedby": describedby });
    input.addEventListener("change", () => set(control.name, input.checked));
    return { label: labelled(control, id), beside: input, below: null, update: (wanted) => (input.checked = wanted === true) };
  },

  /* Whole numbers with commas between; they travel as text. */
  list(control, id, { describedby }) {
    const typed = el("input", {
      type: "text", inputmode: "text", id, class: "typed", spellcheck: "false", "aria-describedby": describedby,
      on: { change: () => set(control.name, typed.value.trim() || null) },
    });
    const update = (wanted, auto) => {
      if (document.activeElement !== typed) typed.value = wanted === null ? "" : String(wanted);
      typed.placeholder = TEXT.empty(auto);
    };
    return { label: labelled(control, id), beside: typed, below: null, update };
  },

  source(control, id, { describedby }) {
    const select = el(
      "select",
      { id, "aria-describedby": `${id}-about ${describedby}`, on: { change: () => set(control.name, select.value) } },
      grouped(layout.sources, "group").map(([label, entries]) =>
        el("optgroup", { label }, entries.map((entry) => el("option", { value: entry.value, text: entry.title }))),
      ),
    );
    const about = el("p", { class: "about", id: `${id}-about` });
    const own = ownText();
    return {
      label: labelled(control, id),
      beside: null,
      below: [select, about, own.drawn],
      update(wanted) {
        select.value = wanted;
        about.textContent = sources.get(wanted)?.about ?? "";
        own.drawn.hidden = wanted !== "text" || choice.fork !== null;
      },
    };
  },
};
