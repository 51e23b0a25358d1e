/* `tp.browser`: what a browser may deny. This script comes before the others.
 *
 * Storage is denied where cookies are blocked, and to a frame of another site; the clipboard over plain http and in
 * most frames; the address in a sandboxed frame. Nothing on the page names these features but this file.
 *
 *   recall(key)            the text that this browser keeps under a key, or null
 *   remember(key, text)    keep it; where that is denied, as long as the page is open
 *   copy(text)             true when it is on the clipboard
 *   address(next)          show another address without loading the page again; true when it is shown
 */
(() => {
  "use strict";

  const kept = new Map(); // what storage did not take

  /** What `ask` returns, or `instead` where the browser denies it. */
  function allowed(ask, instead) {
    try {
      return ask();
    } catch {
      return instead;
    }
  }

  const recall = (key) => kept.get(key) ?? allowed(() => localStorage.getItem(key), null);

  function remember(key, text) {
    kept.delete(key);
    if (!allowed(() => (localStorage.setItem(key, text), true), false)) kept.set(key, String(text));
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return copySelected(text);
    }
  }

  /** The older way, which also works over plain http: select the text in a field, and copy that. */
  function copySelected(text) {
    const field = document.createElement("textarea");
    const before = document.activeElement;
    field.value = text;
    field.style.cssText = "position: fixed; opacity: 0";
    (document.querySelector("dialog[open]") ?? document.body).append(field);
    field.select();
    const done = allowed(() => document.execCommand("copy"), false);
    field.remove();
    before?.focus?.({ preventScroll: true });
    return done;
  }

  const address = (next) => allowed(() => (history.replaceState(history.state, "", next), true), false);

  window.tp = { browser: { recall, remember, copy, address } };
})();
