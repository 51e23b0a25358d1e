/* What the next race is to be: its optimizers with their settings, steps and seeds; start and stop. */

/** How a race stands, in words. */
function standing(/** @type {Race} */ race) {
  const { at, plan, state: now } = race;
  if (now === "waiting") return TEXT.states.waiting(race.place ?? 1);
  if (now === "running") return TEXT.states.running(at.step, plan?.steps ?? state.steps, at.seed + 1, plan?.seeds ?? 1);
  if (now === "over")
    return race.id ? TEXT.states.over(tp.fixed(sum(race.laps.map(({ seconds }) => seconds.at(-1) ?? 0)), 1)) : "";
  return race.reason ? tp.translate(race.reason) : TEXT.states[now];
}

function makeSetup(/** @type {{ changed(): void, start(): void, stop(): void }} */ { changed, start, stop }) {
  const list = el("div", { class: "entries" });
  const add = tp.button(TEXT.add, { class: "tp-button quiet add", id: "optimizers-add" }, () => {
    const used = state.entries.map(({ optimizer }) => optimizer);
    state.entries.push(usual(Object.keys(FIELDS).find((name) => !used.includes(name)) ?? "adamw"));
    changed();
  });
  /** @param {string} id @param {"steps" | "seeds"} name */
  const choice = (id, name) => {
    /** @type {HTMLSelectElement} */
    const select = el("select", { id, on: { change: () => choose(name, Number(select.value)) } }, [
      address.choices(name).map((value) => el("option", { value, text: String(value) })),
    ]);
    return select;
  };
  const steps = choice("optimizers-steps", "steps");
  const seeds = choice("optimizers-seeds", "seeds");
  const begin = tp.button(TEXT.start, { class: "tp-button primary", id: "optimizers-start" }, start);
  const end = tp.button(TEXT.stop, { class: "tp-button danger", id: "optimizers-stop" }, stop);
  const bar = el("progress", { max: 1, "aria-label": TEXT.title });
  const said = el("p", { class: "said", role: "status" });
  const message = el("p", { class: "message", role: "alert", hidden: true });
  const node = el("section", { class: "setup" }, [
    list,
    el("div", { class: "line" }, [
      el("label", { class: "choice" }, el("span", { text: TEXT.steps }), steps),
      el("label", { class: "choice" }, el("span", { text: TEXT.seeds }), seeds),
      begin,
      end,
      bar,
      said,
    ]),
    message,
  ]);

  /** @param {"steps" | "seeds"} name @param {number} value */
  function choose(name, value) {
    state[name] = value;
    changed();
  }

  /** @param {Entry} entry @param {Setting} name */
  function box(entry, name) {
    const input = el("input", {
      type: "text",
      inputmode: "decimal",
      value: entry[name],
      title: TEXT.fieldTitles[name],
      "data-field": name,
      on: {
        change: () => {
          const value = Number(input.value.trim().replace(",", ".") || NaN);
          say(Number.isFinite(value) ? "" : TEXT.notNumber(label));
          if (!Number.isFinite(value)) return;
          entry[name] = value;
          changed();
        },
      },
    });
    const label = name === "beta1" && entry.optimizer === "sgd" ? TEXT.momentumOf : TEXT.fields[name];
    return el("label", { class: "field", title: TEXT.fieldTitles[name] }, el("span", { text: label }), input);
  }

  /** @param {Entry} entry @param {number} number */
  function card(entry, number) {
    const select = el(
      "select",
      {
        "aria-label": TEXT.optimizer(number + 1),
        on: {
          change: () => {
            state.entries[number] = usual(select.value);
            changed();
          },
        },
      },
      Object.keys(FIELDS).map((name) => el("option", { value: name, text: TEXT.names[name] })),
    );
    select.value = entry.optimizer;
    const remove = tp.button(
      "×",
      {
        class: "tp-button quiet",
        title: TEXT.remove(TEXT.names[entry.optimizer]),
        "aria-label": TEXT.remove(TEXT.names[entry.optimizer]),
      },
      () => {
        state.entries.splice(number, 1);
        changed();
      },
    );
    return el("fieldset", { class: `entry e${number}` }, [
      el("div", { class: "entry-head" }, select, state.entries.length > 1 ? remove : null),
      el("p", { class: "help", text: TEXT.about[entry.optimizer] }),
      el("div", { class: "fields" }, [FIELDS[entry.optimizer].map((name) => box(entry, name))]),
    ]);
  }

  let built = "";
  /** @param {Race} race */
  function draw(race) {
    const key = JSON.stringify(state.entries);
    if (key !== built) {
      built = key;
      list.replaceChildren(...state.entries.map(card), state.entries.length < props.most.entries ? add : "");
    }
    [steps.value, seeds.value] = [String(state.steps), String(state.seeds)];
    const { active, plan } = race;
    begin.hidden = active;
    end.hidden = !active;
    bar.hidden = !active;
    bar.value = race.progress;
    put(said, plan && !active && !same(plan) ? TEXT.changed : standing(race));
  }

  const same = (/** @type {Plan} */ plan) =>
    written(plan.entries) === written(state.entries) &&
    plan.steps === state.steps &&
    (plan.seeds === state.seeds || !race.id);

  function say(/** @type {string} */ text) {
    message.hidden = !text;
    put(message, text);
  }

  return { node, draw, say };
}
