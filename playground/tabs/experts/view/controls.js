/* The controls above the figures, and the balance weights of a run that trains. */

/** @typedef {{ id: string, name: string, experts: number | null }} Listed */
function makeChoices(/** @type {{ chosen(): void, compared(run: string | null): void }} */ { chosen, compared }) {
  function choose(/** @type {Partial<typeof state>} */ change) {
    Object.assign(state, change);
    chosen();
  }
  /** @type {HTMLSelectElement} */
  const layer = el("select", {
    id: "experts-layer",
    on: { change: () => choose({ layer: layer.value === "" ? null : Number(layer.value) }) },
  });
  const layerField = el("label", { class: "choice" }, el("span", { text: TEXT.layer }), layer);
  const axes = tp.segments(TEXT.axis, TEXT.axes, (axis) => choose({ axis }));
  /** @type {HTMLSelectElement} */
  const other = el("select", {
    id: "experts-compare",
    on: { change: () => compared(other.value || null), pointerdown: list, focus: list },
  });
  const pair = tp.button(TEXT.pair, { class: "tp-button", id: "experts-pair", title: TEXT.pairTitle }, startPair);
  const said = el("p", { class: "message", role: "status", hidden: true });
  const node = el("div", { class: "choices" }, [
    el("div", { class: "choice-line" }, [
      layerField,
      axes.field,
      el("label", { class: "choice" }, el("span", { text: TEXT.compare }), other),
      pair,
    ]),
    said,
  ]);

  function say(/** @type {string} */ text) {
    said.hidden = !text;
    put(said, text);
  }

  function startPair() {
    pair.disabled = true;
    say(TEXT.pairStarting);
    trigger("pair", { run: first.run });
  }

  function paired(/** @type {{ error?: string }} */ answer) {
    pair.disabled = false;
    say(answer.error ?? TEXT.pairStarted);
  }

  let listed = "";
  /** Fill the list of runs to compare with; asked each time, since runs come and go. */
  async function list() {
    /** @type {{ own: Listed[], shipped: Listed[] } & Answer} */
    const found = await call("runs", tp.memory.read().runs);
    if (found.error || !first.run) return;
    const key = JSON.stringify([found, first.run, second?.run ?? null]);
    if (key === listed) return;
    listed = key;
    const option = (/** @type {Listed} */ { id, name, experts }) =>
      el("option", { value: id, text: experts ? name : TEXT.dense(name) });
    const groups = /** @type {const} */ (["own", "shipped"]).map((group) => ({
      label: TEXT.compareGroups[group],
      runs: found[group]
        .filter(({ id }) => id !== first.run)
        .map((run) => ({ ...run, name: tp.runName({ ...run, shipped: group === "shipped" }) })),
    }));
    other.replaceChildren(
      el("option", { value: "", text: TEXT.compareNone }),
      ...groups.filter(({ runs }) => runs.length).map(({ label, runs }) => el("optgroup", { label }, runs.map(option))),
    );
    other.value = second?.run ?? "";
  }

  function draw() {
    const blocks = first.layers;
    const key = JSON.stringify([first.run, blocks]);
    if (layer.dataset.key !== key) {
      layer.dataset.key = key;
      layer.replaceChildren(
        el("option", { value: "", text: TEXT.layers }),
        ...blocks.map((block, i) => el("option", { value: i, text: block + 1 })),
      );
    }
    layerField.hidden = blocks.length < 2;
    axes.field.hidden = !first.count;
    layer.value = String(state.layer ?? "");
    axes.press(state.axis);
  }

  return { node, draw, list, paired, say };
}

function makeBalance() {
  const help = el("p", { class: "help" });
  const rows = el("div", { class: "weights" });
  const toBias = tp.button(TEXT.toBias, { class: "tp-button", id: "experts-bias", title: TEXT.toBiasTitle }, () =>
    tell("bias"),
  );
  const toOff = tp.button(TEXT.toOff, { class: "tp-button", id: "experts-off", title: TEXT.toOffTitle }, () =>
    tell("off"),
  );
  const buttons = el("div", { class: "buttons" }, toBias, toOff);
  const message = el("p", { class: "message", role: "status", hidden: true });
  const node = el("section", { class: "balance" }, el("h3", { text: TEXT.balance }), help, rows, buttons, message);
  /** @type {[name: string, row: ReturnType<typeof row>][]} */
  let fields = [];
  let structure = "";

  async function tell(/** @type {string | { [field: string]: number }} */ changes) {
    const answer = await call("balance", first.run, changes);
    message.hidden = !answer.error;
    put(message, answer.error ?? "");
    poller?.now();
  }

  function row(/** @type {BalanceControl} */ control) {
    const id = `experts-${control.name}`;
    const stops = control.stops;
    const [label, about] = [control.label, control.help].map((text) => tp.translate(text));
    const slider = el("input", {
      type: "range",
      class: "slider",
      id: `${id}-slider`,
      min: 0,
      max: stops.length - 1,
      step: 1,
      "aria-label": label,
    });
    const box = el("input", { type: "text", inputmode: "decimal", class: "typed", id, title: about });
    const fill = () => slider.style.setProperty("--filled", `${(100 * Number(slider.value)) / (stops.length - 1)}%`);
    let waits = 0; // until the run has answered, what was asked for stands in the box
    const send = (/** @type {number} */ value) => {
      waits = performance.now() + 2000;
      tell({ [control.name]: value });
    };
    slider.addEventListener("input", () => {
      box.value = spell(stops[Number(slider.value)]);
      slider.setAttribute("aria-valuetext", box.value);
      fill();
    });
    slider.addEventListener("change", () => send(stops[Number(slider.value)]));
    box.addEventListener("change", () => {
      const value = Number(box.value.trim().replace(",", ".") || NaN);
      if (Number.isFinite(value)) return send(value);
      message.hidden = false;
      put(message, TEXT.notNumber(label));
    });
    const line = el("div", { class: "weight", title: about }, el("label", { for: id, text: label }), slider, box);
    return {
      line,
      draw(/** @type {number} */ value, /** @type {boolean} */ tunable) {
        slider.disabled = box.disabled = !tunable;
        if (slider.matches(":active") || (performance.now() < waits && Number(box.value) !== value)) return;
        if (document.activeElement !== box) box.value = spell(value);
        const nearest = stops.reduce(
          (best, stop, i) => (Math.abs(stop - value) < Math.abs(stops[best] - value) ? i : best),
          0,
        );
        slider.value = String(nearest);
        slider.setAttribute("aria-valuetext", spell(value));
        fill();
      },
    };
  }

  function draw() {
    const { about, status } = first;
    if (!about?.controls) return;
    const key = JSON.stringify([first.run, about.controls.map(({ name }) => name)]);
    if (key !== structure) {
      structure = key;
      fields = about.controls.map((control) => [control.name, row(control)]);
      rows.replaceChildren(...fields.map(([, { line }]) => line));
      message.hidden = true;
    }
    const now = first.balance();
    const never = TEXT.balanceNever[about.router];
    const tunable = Boolean(status?.tunable) && !never;
    put(help, never ?? (about.shipped ? TEXT.balanceShipped : tunable ? TEXT.balanceLive : TEXT.balanceOver));
    buttons.hidden = !tunable;
    node.classList.toggle("still", !tunable);
    toBias.hidden = !("bias_rate" in now);
    fields.forEach(([name, field]) => field.draw(now[name], tunable));
    root.dataset.balance = JSON.stringify(now);
  }

  return { node, draw };
}

const spell = (/** @type {number} */ value) =>
  value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential().replace("+", "") : String(value);
