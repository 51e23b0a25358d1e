/* Asking the server, and what it answers.
 *
 *   poll(ask, {hz})          call again and again, never two at once    asker(server, offline)   ask, and never throw
 *   withConstants(props)     a view's properties with those that never change
 *   bytes(base64)            base64 -> Uint8Array                       floats(base64)           base64 -> Float32Array
 */
(() => {
  "use strict";

  /** A view's properties, and what never changes of them: see `view` in playground/page/views.py.
   *
   * @type {Tp["withConstants"]} */
  const withConstants = (props, constants) =>
    new Proxy(props, { get: (target, name) => constants[String(name)] ?? target[name] });

  /** Base64 to Uint8Array.
   *
   * @type {Tp["bytes"]} */
  function bytes(base64) {
    const text = atob(base64);
    const out = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
    return out;
  }

  /** Base64 of little-endian 32-bit floats to Float32Array.
   *
   * @type {Tp["floats"]} */
  const floats = (base64) => new Float32Array(bytes(base64).buffer);

  /** A function that asks a view's server by name: its answer, or {error: offline()} where none comes.
   *
   * @type {Tp["asker"]} */
  function asker(server, offline) {
    /** @type {(name: string, ...args: unknown[]) => Promise<any>} */
    const ask = async (name, ...args) => {
      try {
        return (await /** @type {any} */ (server)[name](...args)) ?? { error: offline() };
      } catch {
        return { error: offline() };
      }
    };
    return /** @type {any} */ (ask);
  }

  /** Call `fn` up to `hz` times a second, `hidden_hz` when the page is hidden, never two at once.
   *
   * A call that fails is tried again ever more slowly (after 0.25 s, 0.5 s, ... 4 s), as after a restart of the
   * server. With `element`, calls rest while it is not displayed and end when it has left the page.
   * Returns {stop(), now()}; `now` makes the next call at once.
   *
   * @type {Tp["poll"]} */
  function poll(fn, { hz = 8, hidden_hz = 1, element = null } = {}) {
    let timer = 0;
    let stopped = false;
    let running = false;
    let failures = 0;
    let seen = false;

    async function turn() {
      if (element?.isConnected) seen = true;
      if (stopped || (seen && element && !element.isConnected)) return;
      running = true;
      const began = performance.now();
      const shown = !element || element.offsetParent !== null;
      if (shown) {
        try {
          await fn();
          failures = 0;
        } catch (error) {
          failures = Math.min(failures + 1, 5);
          console.warn("poll:", error instanceof Error ? error.message : error);
        }
      }
      running = false;
      if (stopped) return;
      const period = 1000 / (document.hidden ? hidden_hz : hz);
      const wait = failures ? 125 * 2 ** failures : shown ? period - (performance.now() - began) : 250;
      timer = setTimeout(turn, Math.max(0, wait));
    }

    function now() {
      if (stopped || running) return;
      clearTimeout(timer);
      turn();
    }
    const woken = () => !document.hidden && now();
    document.addEventListener("visibilitychange", woken);
    timer = setTimeout(turn, 0);
    return {
      now,
      stop() {
        stopped = true;
        clearTimeout(timer);
        document.removeEventListener("visibilitychange", woken);
      },
    };
  }

  Object.assign(window.tp, { poll, asker, withConstants, bytes, floats });
})();
