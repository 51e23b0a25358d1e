/* `tp.film`: a slider over the moments of something that was learned, with a button that plays it.
 *
 * film({id, label, text, count, at, goTo, name, marks, busy}) builds it, with nothing shown yet; `draw()` shows where
 * it stands. `count()` and `at()` say how many moments there are and which is shown, `goTo(index)` shows another and
 * may take its time, `name(index)` says it in words. `text` is {play, pause}; `marks()` says for each moment whether
 * its mark is tall; `stops()` are the moments that playing stops at, all of them if it is not given.
 */
(() => {
  "use strict";

  const { el, put, player } = window.tp;

  function film({ id, label, text, count, at, goTo, name, marks = () => [], stops = null, busy = () => {} }) {
    const slider = el("input", { type: "range", id, class: "slider", min: 0, max: 0, step: 1, "aria-label": label });
    const button = el("button", { type: "button", id: `${id}-play`, class: "tp-play" });
    const ticks = el("div", { class: "tp-ticks", "aria-hidden": "true" });
    const words = el("output", { class: "tp-moment", for: id });
    const node = el("div", { class: "tp-film" }, button, el("div", { class: "tp-track" }, slider, ticks), words);

    const moments = () => stops?.() ?? Array.from({ length: count() }, (_, i) => i);
    const playing = player({
      count: () => moments().length,
      at: () => moments().findLastIndex((moment) => moment <= at()),
      goTo: (index) => goTo(moments()[index]),
      changed(plays) {
        if (plays) busy();
        drawButton();
      },
    });
    slider.addEventListener("input", () => {
      playing.stop();
      busy();
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
      slider.max = Math.max(0, all - 1);
      slider.value = index;
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

    return { node, draw, stop: playing.stop, playing: playing.playing };
  }

  window.tp.film = film;
})();
