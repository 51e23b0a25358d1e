/* `tp.browser`: what a browser may deny. This script comes before the others.
 *
 * Storage is denied where cookies are blocked, and to a frame of another site; the clipboard over plain http and in
 * most frames; the address in a sandboxed frame. Nothing on the page names these features but this file.
 *
 *   recall(key)            the text that this browser keeps under a key, or null
 *   remember(key, text)    keep it; where that is denied, as long as the page is open
 *   copy(text)             true when it is on the clipboard
 *   address(next, push)    show another address without loading the page again; true when it is shown. `push`:
 *                          as a new entry of the history
 */
(() => {
  "use strict";

  /** @type {Map<string, string>} */
  const kept = new Map(); // what storage did not take

  /** What `ask` returns, or `instead` where the browser denies it.
   *
   * @template T
   * @param {() => T} ask
   * @param {T} instead
   * @returns {T} */
  function allowed(ask, instead) {
    try {
      return ask();
    } catch {
      return instead;
    }
  }

  /** Whether the browser let it be done.
   *
   * @param {() => void} act */
  const managed = (act) =>
    allowed(() => {
      act();
      return true;
    }, false);

  /** @type {Tp["browser"]["recall"]} */
  const recall = (key) => kept.get(key) ?? allowed(() => localStorage.getItem(key), null);

  /** @type {Tp["browser"]["remember"]} */
  function remember(key, text) {
    kept.delete(key);
    if (!managed(() => localStorage.setItem(key, text))) kept.set(key, String(text));
  }

  /** @type {Tp["browser"]["copy"]} */
  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return copySelected(text);
    }
  }

  /** The older way, which also works over plain http: select the text in a field, and copy that.
   *
   * @param {string} text */
  function copySelected(text) {
    const field = document.createElement("textarea");
    const before = document.activeElement;
    field.value = text;
    field.style.cssText = "position: fixed; opacity: 0";
    (document.querySelector("dialog[open]") ?? document.body).append(field);
    field.select();
    const done = allowed(() => document.execCommand("copy"), false);
    field.remove();
    if (before instanceof HTMLElement || before instanceof SVGElement) before.focus({ preventScroll: true });
    return done;
  }

  /** @type {Tp["browser"]["address"]} */
  const address = (next, push = false) =>
    managed(() => (push ? history.pushState(null, "", next) : history.replaceState(history.state, "", next)));

  window.tp = /** @type {Tp} */ ({ browser: { recall, remember, copy, address } });
})();
