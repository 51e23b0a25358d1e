/* `tp.point`: a ring around one thing of the page, which a lesson or the tour speaks about.
 *
 *   tp.point.at(selector, {seconds, found, block})   the first that is displayed, for so long; `found()` once it rests
 *                                                    in view; `block` as in scrollIntoView
 *   tp.point.stop()
 *
 * The page may grow above the thing while it loads: until the learner scrolls, it is brought into view again. What
 * lies over the window's edges, as the coach does on a phone, is the document's scroll padding.
 */
(() => {
  "use strict";

  const WIDTH = 3; // pixels around the thing
  const LEAST = 8; // pixels of a thing that has been drawn
  const PATIENCE = 60_000; // until it must be there
  const SCROLL = 700; // milliseconds that a smooth scroll is given
  const REST = 300; // milliseconds without a move, after which it has arrived
  const { el } = window.tp;
  const ring = el("div", { class: "tp-ring", hidden: true, "aria-hidden": "true" });
  let pointing = 0;
  let led = false; // nobody has scrolled since the thing was asked for
  for (const kind of ["wheel", "touchmove", "keydown"]) addEventListener(kind, () => (led = false), { passive: true });

  /** Whether a thing is there to be seen: what is still to be filled is a thin line.
   *
   * @param {Element} node */
  function drawn(node) {
    if (!node.getClientRects().length) return false;
    const { width, height } = node.getBoundingClientRect();
    return Math.min(width, height) >= LEAST;
  }

  /** The part of the window that nothing lies over. */
  function room() {
    const { scrollPaddingTop, scrollPaddingBottom } = getComputedStyle(document.documentElement);
    const [top, bottom] = [scrollPaddingTop, scrollPaddingBottom].map((padding) => Number.parseFloat(padding) || 0);
    return { top, bottom: innerHeight - bottom };
  }

  /** Whether all of a box is in the room; of one that is higher, its beginning.
   *
   * @param {DOMRect} box */
  function inView(box) {
    const { top, bottom } = room();
    if (box.height <= bottom - top) return box.top >= top - 1 && box.bottom <= bottom + 1;
    return box.top >= top - 1 && box.top < (top + bottom) / 2;
  }

  /** Scroll smoothly the first time, if motion is wanted; returns the milliseconds that it is given.
   *
   * @param {Element} target @param {ScrollLogicalPosition} block @param {boolean} first */
  function scroll(target, block, first) {
    const { top, bottom } = room();
    const high = target.getBoundingClientRect().height > bottom - top;
    const calm = !first || matchMedia("(prefers-reduced-motion: reduce)").matches;
    target.scrollIntoView({ block: high ? "start" : block, behavior: calm ? "auto" : "smooth" });
    return calm ? 0 : SCROLL;
  }

  /** @type {Tp["point"]["at"]} */
  function at(selector, { seconds = 12, found = () => {}, block = "center" } = {}) {
    stop();
    if (!selector) return;
    if (!ring.isConnected) document.body.append(ring);
    led = true;
    const began = performance.now();
    /** @type {Element | null} */
    let target = null;
    /** @type {number | null} */
    let scrolling = null; // until this time; null: it was never scrolled
    let [moved, arrived, place] = [0, false, ""];
    const follow = () => {
      const now = performance.now();
      const there = [...document.querySelectorAll(selector)].find(drawn);
      if (there) {
        const box = there.getBoundingClientRect();
        const again = target === there;
        target = there;
        if (!again || `${box.left} ${box.top}` !== place) moved = now;
        place = `${box.left} ${box.top}`;
        if (led && !inView(box) && now > (scrolling ?? 0)) scrolling = now + scroll(there, block, scrolling === null);
        if (!arrived && (!led || inView(box)) && now - moved >= REST) {
          arrived = true;
          found();
        }
        const [left, top, width, height] = [
          box.left - WIDTH,
          box.top - WIDTH,
          box.width + 2 * WIDTH,
          box.height + 2 * WIDTH,
        ];
        Object.assign(ring.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
        ring.hidden = false;
      }
      if (now - began < (target ? 1000 * seconds : PATIENCE)) pointing = requestAnimationFrame(follow);
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
