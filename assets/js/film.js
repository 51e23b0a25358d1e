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
      step: (/** @type {number} */ step, /** @type {number} */ last) =>
        step === last ? `step ${grouped(step)}, the newest` : `step ${grouped(step)} of ${grouped(last)}`,
    },
    zh: {
      label: "训练到第几步",
      play: "依次播放训练的各步",
      pause: "暂停",
      step: (/** @type {number} */ step, /** @type {number} */ last) =>
        step === last ? `第 ${grouped(step)} 步，最新` : `第 ${grouped(step)} 步，共 ${grouped(last)} 步`,
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

  /** A film of the checkpoints of what is shown: `frame()` has its `step` and all `steps`, `choose({ step })` shows
   * another one; null is the newest.
   *
   * @type {Tp["checkpointFilm"]} */
  function checkpointFilm({ id, frame, choose }) {
    const steps = () => frame()?.steps ?? [];
    return film({
      id,
      label: TEXT.label,
      text: TEXT,
      count: () => steps().length,
      at: () => steps().indexOf(frame()?.step ?? -1),
      goTo: (index) => choose({ step: index === steps().length - 1 ? null : steps()[index] }),
      name: (index) => (frame() ? TEXT.step(steps()[index], steps()[steps().length - 1]) : ""),
    });
  }

  /** What a view does that shows one checkpoint of the page's run at a time: it asks when it is first seen and
   * when something else was chosen, and follows the run while it trains.
   *
   * `state` has `run` and `step` (null: the newest). `ask()` asks the server, and `show(answer)` shows what it said;
   * `steps()` are the checkpoints that are shown, null before any; `stored()` asks which there are by now, and
   * `forget(other)` drops what is shown when another run comes. Returns {load, turn}: ask now; the page turned to another run.
   *
   * @type {Tp["checkpointView"]} */
  function checkpointView({ root, message, film: slider, state, ask, show, steps, stored, renew, forget }) {
    let asked = 0;
    let begun = false;

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
      if (!steps()) return load();
      const answer = await stored();
      const shown = steps();
      if (answer.error || !shown || answer.steps.join() === shown.join()) return;
      if (state.step === null) return load();
      renew(answer.steps);
      slider.draw();
    }

    /** @param {string} run */
    function turn(run) {
      if (!run || run === state.run) return;
      forget(state.run !== "");
      state.run = run;
      slider.stop();
      root.dataset.ready = "false";
      if (begun) load();
    }

    whenSeen(root, () => {
      begun = true;
      load();
    });
    poll(follow, { hz: 0.5, hidden_hz: 0.1, element: root });
    return { load, turn };
  }

  /** Of `steps`, of which some have a checkpoint (`stored`), the newest that has: what is shown while none is chosen. */
  const newest = (/** @type {{ steps: number[], stored: boolean[] }} */ { steps, stored }) =>
    steps[stored.lastIndexOf(true)];

  Object.assign(window.tp, { film, checkpointFilm, checkpointView, newest });
})();
