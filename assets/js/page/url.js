/* `tp.url`: the query string of the page's address.
 *
 *   first(name)                     a value as the page began to load, before anything on it could change that
 *   cameWith()                      did the address have anything then but the language and the theme?
 *   get(name)                       a value now, or null
 *   set(changes, {push, kept})      change some; null drops one. Returns whether the query string is another one now
 *   served(path)                    the address of a file that the page's server has
 */
(() => {
  "use strict";

  const { browser } = window.tp;

  const first = new URLSearchParams(location.search);
  /** @type {string | null} */
  let unseen = null; // the query string, where the browser does not let the page change its address
  const current = () => new URLSearchParams(unseen ?? location.search);
  let written = location.search; // as this page last wrote it: Back shows an older one

  /** @type {Tp["url"]} */
  const url = {
    /** What the address had when the page began to load, before anything on it could change that. */
    first: (name) => first.get(name),

    /** Did the address have anything then but the language and the theme? */
    cameWith: () => [...first.keys()].some((name) => !["lang", "__theme"].includes(name)),

    /** The value of one name in the query string, or null. */
    get: (name) => current().get(name),

    /** Set some names; null drops one. The page is not reloaded, and the history grows with `push` alone; `kept`:
     * all else is as the page wrote it last, before the browser went back. Returns whether the query string is
     * another one now. */
    set(changes, { push = false, kept = false } = {}) {
      const query = kept && unseen === null ? new URLSearchParams(written) : current();
      const before = query.toString();
      for (const [name, value] of Object.entries(changes)) {
        if (value === null || value === undefined) query.delete(name);
        else query.set(name, String(value));
      }
      const text = query.toString();
      const next = location.pathname + (text ? `?${text}` : "") + location.hash;
      const shown = next === location.pathname + location.search + location.hash || browser.address(next, push);
      unseen = shown ? null : text;
      if (shown) written = location.search;
      return text !== before;
    },

    /** The address of a file: below the root of the page, which Gradio knows behind a proxy too. */
    served(path) {
      const root = /** @type {any} */ (window).gradio_config?.root || "/";
      return `${new URL(root, location.href).pathname.replace(/\/$/, "")}/${path}`;
    },
  };

  Object.assign(window.tp, { url });
})();
