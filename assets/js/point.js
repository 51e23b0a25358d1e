/* `tp.point`: a ring around one thing of the page, which a lesson or the tour speaks about.
 *
 *   tp.point.at(selector, {seconds, found, block})   the first that is displayed, for so long; `found()` when it is
 *                                                    there; `block` as in scrollIntoView
 *   tp.point.stop()
 */
(() => {
  "use strict";

  const WIDTH = 3; // pixels around the thing
  const PATIENCE = 60_000; // until it must be there
  const { el } = window.tp;
  const ring = el("div", { class: "tp-ring", hidden: true, "aria-hidden": "true" });
  let pointing = 0;

  function at(selector, { seconds = 12, found = () => {}, block = "center" } = {}) {
    stop();
    if (!selector) return;
    if (!ring.isConnected) document.body.append(ring);
    const began = performance.now();
    let target = null;
    const follow = () => {
      const there = [...document.querySelectorAll(selector)].find((node) => node.getClientRects().length);
      if (there) {
        if (target !== there) {
          there.scrollIntoView({ block, behavior: "smooth" });
          found();
        }
        target = there;
        const box = target.getBoundingClientRect();
        const [left, top, width, height] = [box.left - WIDTH, box.top - WIDTH, box.width + 2 * WIDTH, box.height + 2 * WIDTH];
        Object.assign(ring.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
        ring.hidden = false;
      }
      if (performance.now() - began < (target ? 1000 * seconds : PATIENCE)) pointing = requestAnimationFrame(follow);
      else stop();
    };
    follow();
  }

  function stop() {
    cancelAnimationFrame(pointing);
    ring.hidden = true;
  }

  window.tp.point = { at, stop };
})();
