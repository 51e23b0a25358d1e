/* What the page says of runs in its lists, and what it asks before a second one trains.
 *
 *   tp.when(created)      when a run was made, for a list: the time of today, or else the day
 *   tp.beside(others)     "beside", "stop" or null: may another run train beside these? Nothing is asked without any
 *   tp.sureToDelete(name, id)   may a run be deleted? `id` is that of the button which says so
 */
(() => {
  "use strict";

  const { el, language } = window.tp;

  const TEXT = window.tp.words({
    en: {
      title: "Another run is training",
      /** @type {(name: string, percent: string) => string} */
      trains: (name, percent) => `“${name}” is at ${percent}.`,
      why: "Runs that train at the same time share the processors, so each takes longer.",
      beside: "Train beside it",
      stop: "Stop it and start",
      cancel: "Cancel",
      remove: (/** @type {string} */ name) => `Delete “${name}”`,
      confirm: (/** @type {string} */ name) => `Delete “${name}”? Its weights and its history are gone for good.`,
      keep: "Keep it",
      sure: "Delete it",
    },
    zh: {
      title: "另一个训练任务正在进行",
      /** @type {(name: string, percent: string) => string} */
      trains: (name, percent) => `“${name}”已完成 ${percent}。`,
      why: "同时训练的任务共用处理器，所以每个都会变慢。",
      beside: "同时训练",
      stop: "停止它，再开始",
      cancel: "取消",
      remove: (/** @type {string} */ name) => `删除“${name}”`,
      confirm: (/** @type {string} */ name) => `删除“${name}”？它的权重和历史记录将无法恢复。`,
      keep: "保留",
      sure: "删除",
    },
  });

  const spoken = { en: "en-GB", zh: "zh-CN" }[language];
  const time = new Intl.DateTimeFormat(spoken, { hour: "2-digit", minute: "2-digit" });
  const day = new Intl.DateTimeFormat(spoken, { day: "numeric", month: "short" });

  /** @type {Tp["when"]} */
  function when(created) {
    const then = new Date(1000 * created);
    return (then.toDateString() === new Date().toDateString() ? time : day).format(then);
  }

  /** Ask a question over the page. The answer of the pressed button, or null with Escape.
   *
   * @template T
   * @param {{ id?: string, title: string, content: Child[] }} question
   * @param {{ id?: string, text: string, answer: T, kind?: string }[]} choices
   * @returns {Promise<T | null>} */
  function ask({ id, title, content }, choices) {
    const dialog = el("dialog", { class: "tp-ask", id, "aria-label": title });
    return new Promise((settle) => {
      const buttons = choices.map(({ id, text, answer, kind = "" }) => {
        const press = () => {
          settle(answer);
          dialog.close();
        };
        return window.tp.button(text, { id, class: `tp-button ${kind}` }, press);
      });
      dialog.append(el("div", {}, content), el("div", { class: "buttons" }, buttons));
      dialog.addEventListener("close", () => {
        settle(null); // with Escape; after an answer this changes nothing
        dialog.remove();
      });
      (document.querySelector(".gradio-container") ?? document.body).append(dialog);
      dialog.showModal();
    });
  }

  /** @type {Tp["beside"]} */
  async function beside(others) {
    if (!others.length) return "beside";
    const content = [
      el("h2", { text: TEXT.title }),
      ...others.map(({ name, step = 0, total = 1 }) =>
        el("p", { text: TEXT.trains(window.tp.runName({ name }), `${Math.floor((100 * step) / total)}\u00a0%`) }),
      ),
      el("p", { class: "why", text: TEXT.why }),
    ];
    return ask({ id: "beside", title: TEXT.title, content }, [
      { id: "beside-cancel", text: TEXT.cancel, answer: /** @type {"beside" | "stop" | null} */ (null), kind: "quiet" },
      { id: "beside-stop", text: TEXT.stop, answer: "stop" },
      { id: "beside-go", text: TEXT.beside, answer: "beside", kind: "primary" },
    ]);
  }

  /** @type {Tp["sureToDelete"]} */
  const sureToDelete = async (name, id) =>
    (await ask({ title: TEXT.remove(name), content: [el("p", { text: TEXT.confirm(name) })] }, [
      { text: TEXT.keep, answer: false },
      { id, text: TEXT.sure, answer: true, kind: "danger" },
    ])) === true;

  Object.assign(window.tp, { when, beside, sureToDelete });
})();
