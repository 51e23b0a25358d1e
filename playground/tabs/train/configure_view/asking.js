/* What the server says about the choice: asked at every change, and of what an address asks for. What was chosen while
 * the answer was on its way is kept. */

let wanted = false; // is the run to start as soon as the answer is there?
let turn = 0;
let asking = false;
let stale = false;
/** @type {Linked | null} */
let link = null; // what the address asks for, until the server has said what of it can be understood
/** @type {Values} */
let meanwhile = {}; // fields that were changed until then

/** Ask what there is to say about the choice: never two questions at once, and the newest at last. */
async function send() {
  stale = asking;
  if (asking) return;
  asking = true;
  form.dataset.asked = String(++turn);
  const asked = link;
  try {
    /** @type {Described & Answer} */
    const news = await server.describe({ ...choice, text: facts, ...asked });
    if (news.error !== undefined) refuse(news.error);
    else told(news, asked);
  } catch {
    later(); // the server is not there; perhaps it starts again
  }
  asking = false;
  if (stale) return send();
  if (wanted) begin(); // a start that was asked for waited for this answer
}

/** The server could not say it, for a reason: the form stays as it was. */
function refuse(/** @type {string} */ why) {
  wanted = false;
  reasons.textContent = why;
}

let again = 0;
function later() {
  clearTimeout(again);
  again = setTimeout(send, 2000);
}

function told(/** @type {Described} */ news, /** @type {Linked | null} */ asked) {
  answer = news;
  if (answer.choice && asked === link) {
    link = null;
    // A link, as far as it could be understood, and what was changed since.
    Object.assign(choice, answer.choice, { changes: flat(answer.choice.changes) });
    const since = meanwhile;
    meanwhile = {};
    if (Object.keys(since).length) setAll(since);
    else render();
  }
  if (answer.spec) {
    const picture = document.querySelector(`#${props.picture} .picture`);
    picture?.dispatchEvent(new CustomEvent("spec", { detail: answer.spec }));
  }
  show();
}
