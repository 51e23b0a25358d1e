/* `tp.film`: a slider over the moments of something that was learned, with a button that plays it. Below it
 * `tp.checkpointFilm`, whose moments are a run's checkpoints, and `tp.checkpointView`.
 *
 * film({id, label, text, count, at, goTo, name}) builds it, with nothing shown yet; `draw()` shows where it stands.
 * `count()` and `at()` say how many moments there are and which is shown, `goTo(index)` shows another and may take its
 * time, `name(index)` says it in words. `text` is {play, pause}; `marks()` says for each moment whether its mark is
 * tall; `stops()` are the moments that playing stops at, all of them if it is not given; `above` is a node over the
 * slider. `ahead` is called when somebody reaches for the slider, `begun` and `rested` when it begins and ends to
 * play.
 */
(() => {
  "use strict";

  const { count: grouped, el, put, poll, whenSeen } = window.tp;
  const TEXT = window.tp.words({
    en: {
      label: "Step of training",
      play: "Play through the steps of training",
      pause: "Pause",
      newest: (/** @type {number} */ step) => `step ${grouped(step)}, the newest`,
      step: (/** @type {number} */ step, /** @type {number} */ last) => `step ${grouped(step)} of ${grouped(last)}`,
    },
    zh: {
      label: "训练到第几步",
      play: "依次播放训练的各步",
      pause: "暂停",
      newest: (step) => `第 ${grouped(step)} 步，最新`,
      step: (step, last) => `第 ${grouped(step)} 步，共 ${grouped(last)} 步`,
    },
  });

  /** Plays the stops of a slider, from where it stands or from the first: about nine seconds for all of them.
   *
   * `count` and `at` say how many there are and where it stands, `goTo(index)` shows one and may take its time,
   * and `changed(playing)` is called when it begins and when it ends.
   *
   * @param {Pick<FilmOptions, "count" | "at" | "goTo"> & { changed(playing: boolean): void }} of */
  function player({ count, at, goTo, changed }) {
    /** @type {{stopped: boolean} | null} */
    let current = null;
    const stop = () => {
      if (!current) return;
      current.stopped = true;
      current = null;
      changed(false);
    };
    const start = () => {
      const mine = { stopped: false };
      current = mine;
      const period = Math.min(1200, Math.max(100, 9000 / count()));
      let index = at() === count() - 1 ? -1 : at();
      const turn = async () => {
        if (mine.stopped) return;
        index += 1;
        const began = performance.now();
        await goTo(index);
        if (mine.stopped) return;
        if (index >= count() - 1) stop();
        else setTimeout(turn, Math.max(0, period - (performance.now() - began)));
      };
      changed(true);
      turn();
    };
    return { start, stop, playing: () => current !== null };
  }

  /** @type {Tp["film"]} */
  function film({
    id,
    label,
    text,
    count,
    at,
    goTo,
    name,
    marks = () => [],
    stops = null,
    above = null,
    ahead = () => {},
    begun = () => {},
    rested = () => {},
  }) {
    const on = { pointerdown: ahead, focus: ahead };
    const slider = el("input", {
      type: "range",
      id,
      class: "slider",
      min: 0,
      max: 0,
      step: 1,
      "aria-label": label,
      on,
    });
    const button = el("button", { type: "button", id: `${id}-play`, class: "tp-play" });
    const ticks = el("div", { class: "tp-ticks", "aria-hidden": "true" });
    const words = el("output", { class: "tp-moment", for: id });
    const node = el("div", { class: "tp-film" }, button, el("div", { class: "tp-track" }, above, slider, ticks), words);

    const moments = () => stops?.() ?? Array.from({ length: count() }, (_, i) => i);
    const playing = player({
      count: () => moments().length,
      at: () => moments().findLastIndex((moment) => moment <= at()),
      goTo: (index) => goTo(moments()[index]),
      changed(plays) {
        (plays ? begun : rested)();
        drawButton();
      },
    });
    slider.addEventListener("input", () => {
      playing.stop();
      goTo(Number(slider.value));
    });
    button.addEventListener("click", () => (playing.playing() ? playing.stop() : playing.start()));

    function drawButton() {
      const plays = playing.playing();
      put(button, plays ? "❚❚" : "▶");
      button.title = plays ? text.pause : text.play;
      button.setAttribute("aria-label", button.title);
      button.classList.toggle("playing", plays);
    }

    function draw() {
      const all = count();
      const index = Math.max(0, at());
      slider.max = String(Math.max(0, all - 1));
      slider.value = String(index);
      slider.disabled = button.disabled = all < 2;
      slider.style.setProperty("--filled", `${all > 1 ? (100 * index) / (all - 1) : 100}%`);
      slider.setAttribute("aria-valuetext", name(index));
      put(words, name(index));
      const tall = marks();
      if (ticks.dataset.key !== tall.join()) {
        ticks.dataset.key = tall.join();
        ticks.replaceChildren(
          ...tall.map((whole, i) => {
            const tick = el("i", { class: whole ? "whole" : "" });
            tick.style.left = `${tall.length > 1 ? (100 * i) / (tall.length - 1) : 0}%`;
            return tick;
          }),
        );
      }
      drawButton();
    }

    /** There is nothing to show for now. */
    function clear() {
      slider.disabled = button.disabled = true;
    }

    return { node, draw, clear, stop: playing.stop, playing: playing.playing };
  }

  /** A film of the checkpoints of what is shown: `frame()` has its `step` and all `steps`, and may say which of them
   * are `stored`. `more` is the rest of `FilmOptions`.
   *
   * @type {Tp["checkpointFilm"]} */
  function checkpointFilm({ frame, ...more }) {
    const steps = () => frame()?.steps ?? [];
    const last = () => steps()[steps().length - 1];
    const newestOf = (/** @type {{ steps: number[], stored?: boolean[] }} */ { stored }) =>
      stored ? newest({ steps: steps(), stored }) : last();
    return film({
      label: TEXT.label,
      text: TEXT,
      count: () => steps().length,
      at: () => steps().indexOf(frame()?.step ?? -1),
      name(index) {
        const shown = frame();
        if (!shown) return "";
        const step = steps()[index];
        return step === newestOf(shown) ? TEXT.newest(step) : TEXT.step(step, last());
      },
      ...more,
    });
  }

  /** What a view does that shows one checkpoint of the page's run at a time: it asks when it is first seen and
   * when something else was chosen, and follows the run while it trains.
   *
   * `id` is the film's. `state` is what was chosen, kept in the address of the view `name`: its `run`, its `step`
   * (null: the newest), and what else `fresh` has, which is chosen for another run. `ask()`
   * asks the server, and `show(answer)` shows the answer as `frame()`, which `forget()` drops; `stored()` asks which
   * checkpoints there are by now.
   * Returns the film of the checkpoints, where an error is shown, and `choose(change)`, which changes the state.
   *
   * @type {Tp["checkpointView"]} */
  function checkpointView({ id, name, root, props, watch, state, fresh, ask, show, frame, stored, forget }) {
    const message = el("p", { class: "message", role: "alert", hidden: true });
    const slider = checkpointFilm({
      id,
      frame,
      goTo(index) {
        const steps = frame()?.steps ?? [];
        return choose({ step: index === steps.length - 1 ? null : steps[index] });
      },
    });
    const address = window.tp.address(name, () => state);
    let asked = 0;
    let begun = false;

    function choose(/** @type {object} */ change) {
      Object.assign(state, change);
      address.save();
      return load();
    }

    async function load() {
      if (!state.run) return;
      const mine = ++asked;
      root.setAttribute("aria-busy", "true");
      const answer = await ask();
      if (mine !== asked) return;
      root.removeAttribute("aria-busy");
      message.hidden = !answer.error;
      put(message, answer.error ?? "");
      root.toggleAttribute("data-problem", Boolean(answer.error));
      if (!answer.error) show(answer);
    }

    /** While the run trains, show each checkpoint as it is stored, unless an earlier one was chosen. */
    async function follow() {
      if (!begun || slider.playing()) return;
      if (!frame()) return load();
      const answer = await stored();
      const shown = frame();
      if (answer.error || !shown || answer.steps.join() === shown.steps.join()) return;
      if (state.step === null) return load();
      shown.steps = answer.steps;
      slider.draw();
    }

    function turn() {
      const { run } = props;
      if (!run || run === state.run) return;
      forget();
      if (state.run !== "") Object.assign(state, fresh);
      state.run = run;
      slider.stop();
      root.dataset.ready = "false";
      if (begun) load();
    }

    Object.assign(state, address.read());
    turn();
    watch("run", turn);
    whenSeen(root, () => {
      begun = true;
      load();
    });
    poll(follow, { hz: 0.5, hidden_hz: 0.1, element: root });
    return { film: slider, message, choose };
  }

  /** Of `steps`, of which some have a checkpoint (`stored`), the newest that has one: shown while none is chosen. */
  const newest = (/** @type {{ steps: number[], stored: boolean[] }} */ { steps, stored }) =>
    steps[stored.lastIndexOf(true)];

  Object.assign(window.tp, { film, checkpointFilm, checkpointView, newest });
})();
