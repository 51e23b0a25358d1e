/* The prompt, the step of training, the settings and the buttons, as they stand. */
function drawAll() {
  drawText();
  drawNow();
  drawTree();
  drawCache();
  drawButtons();
  address.save();
  Object.assign(root.dataset, { run: text.run, step: String(text.step) });
  root.dataset.length = String(nodes[at].record.length);
  root.dataset.nodes = String(nodes.length);
  root.dataset.branches = String(nodes.filter((node) => !node.children.length).length);
}

function drawExamples() {
  examples.replaceChildren(
    el("span", { class: "muted", text: TEXT.examples }),
    ...text.examples
      .slice(0, 6)
      .map((example) =>
        tp.button(visibleText(example), { class: "example", translate: "no" }, () => restartWith(example)),
      ),
  );
  drawUse();
}

/** A text to be read in one line: only what would break the line is replaced. */
const visibleText = (/** @type {string} */ value) =>
  [...value].map((char) => (char === " " ? char : tp.visible(char))).join("");

function drawUse() {
  useButton.disabled = Boolean(text.run) && promptBox.value === text.prompt;
}

function drawSteps() {
  const { steps } = text;
  stepSlider.max = String(steps.length - 1);
  stepSlider.value = String(steps.indexOf(text.step));
  stepSlider.disabled = steps.length < 2;
  drawStepNote(text.step);
}

function drawStepNote(/** @type {number} */ step) {
  const last = text.steps.at(-1) ?? step;
  const label = TEXT.checkpointAt(step, last);
  newestButton.hidden = step === last;
  stepSlider.setAttribute("aria-valuetext", label);
  stepNote.textContent = text.steps.length < 2 ? TEXT.checkpointOne(label) : label;
}

function drawSettings() {
  for (const [name, { range, number, state }] of Object.entries(controls)) {
    const value = settings[name];
    range.value = String(value);
    number.value = String(value);
    const off = value === DEFAULTS[name] && name !== "temperature";
    state.textContent = off ? TEXT.off : name === "temperature" && value === 0 ? TEXT.greedy : "";
    range.setAttribute("aria-valuetext", state.textContent || String(value));
  }
  seedBox.value = String(settings.seed);
  if (text.run) drawRoom();
  neutral.hidden = SLIDERS.every((name) => settings[name] === DEFAULTS[name]);
}

function drawButtons() {
  playButton.textContent = playing ? TEXT.pause : TEXT.play;
  playButton.setAttribute("aria-pressed", String(playing));
  root.dataset.playing = String(playing);
  backButton.disabled = restartButton.disabled = !text.run || at === 0;
  speedNote.textContent = TEXT.speedValue(SPEEDS[Number(speed.value)]);
  speed.setAttribute("aria-valuetext", speedNote.textContent);
}
