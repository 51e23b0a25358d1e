/* `tp.part`: the script of a view, loaded when the view is first looked at, and kept by the browser.
 *
 * Gradio draws a tab when it is first opened and then calls the view with what its script gets. The script is a
 * file beside the page (playground/page/views.py), whose name changes with its content.
 *
 *   tp.part(view, script)   what such a file calls
 *   tp.draw(file, given, initial)   run the script of a file: `given` are its parameters, `initial` its properties
 *                                   as the server built them; where one has changed since, its watchers are called
 *   tp.needed(view)         load what this view needs beside its own script, if anything
 */
(() => {
  "use strict";

  const TEXT = window.tp.words({
    en: { failed: "This part of the page could not be loaded.", again: "Load the page again" },
    zh: { failed: "页面的这一部分没能加载。", again: "重新加载页面" },
  });
  const TRIES = 3;
  const WAIT = 700; // ms before the next try

  /** @type {Map<string, Script<any>>} */
  const scripts = new Map();
  /** @type {Map<string, Promise<void>>} */
  const loading = new Map();

  /** @param {string} file */
  function tried(file) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = window.tp.url.served(`parts/${file}`);
      script.onload = () => resolve(undefined);
      script.onerror = () => {
        script.remove();
        reject(new Error(`${file} did not load`));
      };
      document.head.append(script);
    });
  }

  /** Load a file once, with a few tries.
   *
   * @param {string} file
   * @returns {Promise<void>} */
  function load(file) {
    const attempt = async () => {
      for (let left = TRIES - 1; ; left--) {
        try {
          return void (await tried(file));
        } catch (error) {
          if (!left) throw error;
          await new Promise((wake) => setTimeout(wake, WAIT));
        }
      }
    };
    const found = loading.get(file) ?? attempt();
    loading.set(file, found);
    return found;
  }

  /** @param {View} element */
  function failed(element) {
    const button = Object.assign(document.createElement("button"), { className: "tp-button", textContent: TEXT.again });
    button.addEventListener("click", () => location.reload());
    const message = Object.assign(document.createElement("p"), { className: "tp-failed", textContent: TEXT.failed });
    message.setAttribute("role", "alert");
    message.append(" ", button);
    element.replaceChildren(message);
  }

  /** @type {Tp["draw"]} */
  async function draw(file, { element, trigger, props, server, upload, watch }, initial) {
    const view = file.replace(/-[0-9a-f]+\.js$/, "");
    needed(view);
    load(file);
    if (window.tp.language in files) load(files[window.tp.language]);
    await new Promise((wake) => setTimeout(wake)); // the other views of this tab
    // All begin together, in the order of the page: they speak to each other.
    await Promise.allSettled(loading.values());
    try {
      await Promise.all([needed(view), load(file)]);
    } catch {
      return failed(element);
    }
    /** @type {[string[], () => void][]} */
    const watched = [];
    const watching = (/** @type {string | string[]} */ names, /** @type {() => void} */ callback) => {
      watched.push([[names].flat(), callback]);
      watch(names, callback);
    };
    // What changes while a tab was never open reaches its view alone: Gradio forgets the other properties.
    const whole = new Proxy(props, {
      get: (target, name) => (target[name] === undefined ? initial[String(name)] : target[name]),
    });
    scripts.get(view)?.(element, trigger, whole, server, upload, watching);
    const changed = (/** @type {string} */ name) => JSON.stringify(whole[name]) !== JSON.stringify(initial[name]);
    for (const [names, callback] of watched) if (names.some(changed)) callback();
  }

  /** The file with the translations of each language but English.
   *
   * @type {{[language: string]: string}} */
  const files = {};

  /** The file that a view needs before its own.
   *
   * @type {{[view: string]: string}} */
  const needs = {};
  /** @type {Tp["needed"]} */
  const needed = async (view) => (view in needs ? load(needs[view]) : undefined);

  Object.assign(window.tp, {
    part: (/** @type {string} */ view, /** @type {Script<any>} */ script) => scripts.set(view, script),
    draw,
    catalogues: files,
    needs,
    needed,
  });
})();
