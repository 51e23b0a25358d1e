/* Small, medium and large: what each costs is the server's answer to the choice as it is. */

/** `pick(values)` is called with the fields of the size that was chosen. */
function makeSizes(/** @type {(values: Values) => void} */ pick) {
  /** @type {Map<string, ReturnType<typeof make>>} */
  const buttons = new Map();
  const node = el("div", { class: "sizes", role: "radiogroup", "aria-labelledby": "size-title" });
  const known = el("p", { class: "known", text: TEXT.sizesKnown });
  const section = el("section", { class: "choose-size" }, el("h2", { id: "size-title", text: TEXT.size }), node, known);

  function make(/** @type {string} */ name) {
    const [parameters, seconds] = [el("span"), el("span")];
    const input = el("input", { type: "radio", name: "size", id: `size-${name}`, value: name });
    const label = el("label", { class: "size" }, [
      input,
      el("b", { text: name, title: TEXT.sizes[/** @type {"S" | "M" | "L"} */ (name)] }),
      parameters,
      seconds,
    ]);
    const made = { label, input, parameters, seconds, values: /** @type {Values} */ ({}) };
    input.addEventListener("change", () => pick(made.values));
    node.append(label);
    return made;
  }

  /** Show the answer; is one of the sizes the present choice?
   *
   * @param {Size[]} sizes @param {boolean} measuring */
  function draw(sizes, measuring) {
    section.hidden = sizes.length === 0;
    let chosen = false;
    const some = sizes.some(({ ready }) => ready); // else it is not the size that is at fault
    for (const size of sizes) {
      const { name, widths, values, parameters, seconds, ready } = size;
      const button = buttons.get(name) ?? make(name);
      buttons.set(name, button);
      const here = Object.entries(widths).every(([field, wanted]) => value(field) === wanted);
      button.values = values;
      button.input.checked = here;
      button.label.classList.toggle("impossible", some && !ready);
      chosen ||= here;
      tp.put(button.parameters, parameters === null ? "–" : tp.number(parameters));
      tp.put(button.seconds, seconds === null ? (measuring ? TEXT.measuring : "–") : TEXT.about(rough(seconds)));
    }
    return chosen;
  }
  return { node: section, draw };
}
