/* `tp.tabs`: the page's tabs, in its address and in the browser's history.
 *
 *   tp.tabs.first()        the tab that the address led to when the page came; null until Gradio has drawn the tabs
 *   tp.tabs.shown(name)    Gradio has selected a tab
 *   tp.tabs.open(name)     select one, as a visitor would
 *
 * A visitor's way from tab to tab is in the history: Back is the tab before. What else the views have written into
 * the address stays as it is. The tab is also in `data-tab` of the body, for styles.
 */
(() => {
  "use strict";

  const { url } = window.tp;
  const FIRST = "home";
  const LESSONS = "learn"; // the tab of older links to a lesson
  const WORK = "train"; // the tab of links that name a preset, a setting or a run, and no tab
  let acted = false; // until then Gradio selects tabs by itself
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, () => (acted = true), { capture: true });

  const buttonOf = (/** @type {string} */ name) => document.getElementById(`tab-${name}-button`);

  function first() {
    const linked = url.first("tab") ?? (url.first("lesson") ? LESSONS : null);
    if (!buttonOf(FIRST)) return null;
    return linked && buttonOf(linked) ? linked : url.cameWith() ? WORK : FIRST;
  }

  /** @param {string | null} name */
  function open(name) {
    const button = name ? buttonOf(name) : null;
    if (button?.getAttribute("aria-selected") === "false") button.click();
    return button;
  }

  /** @param {string} name */
  function shown(name) {
    document.body.dataset.tab = name;
    if (acted && name !== (url.get("tab") ?? first())) url.set({ tab: name }, { push: true });
  }

  addEventListener("popstate", () => {
    const [tab, read] = ["tab", "read"].map((name) => new URLSearchParams(location.search).get(name));
    url.set({ tab, read }, { kept: true }); // the two whose changes are entries of the history
    open(tab ?? first());
  });

  window.tp.tabs = { first, shown, open };
})();
