/* `tp.memory`: the runs that this browser knows, and the keys of those that it started on a host that asks for them.
 *
 *   read(), write(stored)   all of it: {runs, shown, keys}; add(id, key), key(id) one run's
 *   watch(callback)         another tab of this browser has written
 *
 *   tp.keyed(server), tp.keyedTrigger(trigger)   send the run's key along: every view has them (page/views.py)
 */
(() => {
  "use strict";

  const { browser } = window.tp;

  const STORAGE = "transformer-playground";
  const MAX_RUNS = 200;

  /** The ids of this browser's runs, the newest first, the one it showed last, and the keys of those that it started
   * on a host that asks for them: {id: key}.
   *
   * @type {Tp["memory"]} */
  const memory = {
    read() {
      try {
        const stored = JSON.parse(browser.recall(STORAGE) ?? "{}") ?? {};
        const listed = Array.isArray(stored.runs) ? stored.runs : [];
        /** @type {string[]} */
        const runs = listed.filter((/** @type {unknown} */ id) => typeof id === "string");
        const keys = Object.fromEntries(
          runs.filter((id) => typeof stored.keys?.[id] === "string").map((id) => [id, stored.keys[id]]),
        );
        return { runs, shown: typeof stored.shown === "string" ? stored.shown : null, keys };
      } catch {
        return { runs: [], shown: null, keys: {} };
      }
    },
    write: (stored) => browser.remember(STORAGE, JSON.stringify(stored)),

    /** Call back when another tab of this browser has written. */
    watch: (callback) => addEventListener("storage", ({ key }) => key === STORAGE && callback()),

    /** Remember a run as this browser's own, and its key if it has one. */
    add(id, key = null) {
      const stored = memory.read();
      stored.runs = [id, ...stored.runs.filter((other) => other !== id)].slice(0, MAX_RUNS);
      if (typeof key === "string" && key) stored.keys[id] = key; // not the index of `forEach`
      memory.write(stored);
    },

    /** The key of a run; empty where this browser has none. */
    key: (id) => memory.read().keys[id] ?? "",
  };

  /** A view's server, which sends the key of a run along to the functions that ask for one (`props.keyed`): the run
   * is their first argument, its key the last.
   *
   * @type {Tp["keyed"]} */
  function keyed(server, names = []) {
    return new Proxy(/** @type {any} */ (server ?? {}), {
      get: (asked, name) =>
        names.includes(String(name))
          ? (/** @type {[run: string, ...unknown[]]} */ ...args) => asked[name](...args, memory.key(args[0]))
          : asked[name],
    });
  }

  /** A view's `trigger`, which sends the key of the run along that the event names.
   *
   * @type {Tp["keyedTrigger"]} */
  const keyedTrigger = (trigger) => (event, data) => {
    const key = data?.run ? memory.key(data.run) : "";
    return trigger(event, key ? { ...data, key } : data);
  };

  Object.assign(window.tp, { memory, keyed, keyedTrigger });
})();
