/* The guessing game: a character and how sure one is, against counts and a trained model. Each pays in bits. */
const SURE = [0.2, 0.6, 0.95];
/** @typedef {"uniform" | "unigram" | "bigram" | "you" | "model"} Guesser */
/** @type {Guesser[]} */
const GUESSERS = ["uniform", "unigram", "bigram", "you", "model"];

function game() {
  const words = TEXT.game;
  const root = el("section", { class: "tp-game", "aria-label": words.name, "data-state": "loading" });
  /** @type {Answers.Guess} */
  let round;
  let number = 0;
  let at = 0;
  /** Bits paid so far, over all texts. @type {{[guesser in Guesser]: number}} */
  const paid = { uniform: 0, unigram: 0, bigram: 0, you: 0, model: 0 };
  let guesses = 0;
  /** Places guessed in this text, and whether rightly. @type {Map<number, boolean>} */
  let marks = new Map();

  async function begin() {
    root.dataset.state = "loading";
    root.replaceChildren(el("p", { role: "status", text: words.loading }));
    const answer = await call("guess", tp.language, number);
    if (answer.error) return root.replaceChildren(el("p", { role: "alert", text: answer.error }));
    round = answer;
    at = 0;
    marks = new Map();
    ask();
  }

  const characters = () => [...round.text];
  const shown = (/** @type {string} */ character) => (character === " " ? words.space : tp.visible(character));

  /** The text up to a place; what was guessed in it is marked. */
  const context = (/** @type {number} */ end) =>
    characters()
      .slice(0, end)
      .map((character, i) =>
        marks.has(i) ? el("mark", { class: marks.get(i) ? "good" : "bad", text: character }) : character,
      );

  const head = () =>
    el("p", { class: "where", text: words.place(number + 1, round.rounds, at + 1, round.asked.length) });

  function ask() {
    const { place } = round.asked[at];
    const input = el("input", {
      type: "text",
      "aria-label": words.field,
      autocomplete: "off",
      autocapitalize: "none",
      spellcheck: "false",
      id: "guess-character",
    });
    const said = el("p", { class: "said", role: "status" });
    const space = el("button", { type: "button", class: "tp-button", text: `␣ ${words.space}` });
    space.addEventListener("click", () => {
      input.value = " ";
      input.focus();
    });
    const go = (/** @type {number} */ certainty) => {
      const [character] = input.value.trim() || input.value;
      if (!character) return said.replaceChildren(words.empty);
      const guess = round.characters.indexOf(character);
      if (guess < 0) return said.replaceChildren(words.unknown(character));
      reveal(guess, certainty);
    };
    input.addEventListener("keydown", (event) => event.key === "Enter" && !event.isComposing && go(SURE[1]));
    const sure = SURE.map((certainty, i) =>
      el("button", {
        type: "button",
        class: "tp-button",
        id: `guess-sure-${i}`,
        text: words.sureness[i],
        on: { click: () => go(certainty) },
      }),
    );
    root.replaceChildren(
      head(),
      el("p", { class: "context", translate: "no" }, context(place), el("span", { class: "hole", text: "?" })),
      el("p", { class: "row" }, el("label", {}, `${words.ask} `, input), tp.language === "en" ? space : ""),
      el("p", { class: "row", role: "group", "aria-label": words.sure }, el("span", { text: words.sure }), sure),
      said,
      guesses ? scores() : "",
    );
    Object.assign(root.dataset, { state: "ask", at, guesses });
    if (guesses) input.focus();
  }

  function reveal(/** @type {number} */ guess, /** @type {number} */ certainty) {
    const { place, probabilities, favourites } = round.asked[at];
    const character = characters()[place];
    const right = round.characters.indexOf(character);
    const mine = tp.worked.spread({ guess, right, certainty, shares: round.shares });
    paid.you += tp.worked.bits(mine);
    for (const [who, probability] of Object.entries(probabilities))
      paid[/** @type {Guesser} */ (who)] += tp.worked.bits(probability);
    guesses += 1;
    marks.set(place, guess === right);
    const say = guess === right ? words.hit : words.miss;
    const list = tp.series(favourites.map(([each, share]) => `“${shown(each)}” ${tp.percent(share)}`));
    const last = at === round.asked.length - 1;
    const next = el("button", {
      type: "button",
      class: "tp-button primary",
      id: "guess-next",
      text: last ? words.another : words.next,
    });
    next.addEventListener("click", () => {
      if (last) {
        number = (number + 1) % round.rounds;
        return begin();
      }
      at += 1;
      ask();
    });
    root.replaceChildren(
      head(),
      el("p", { class: "context", translate: "no" }, context(place + 1)),
      el(
        "p",
        { class: "said", role: "status" },
        say(shown(character), tp.percent(mine), tp.fixed(tp.worked.bits(mine)), tp.percent(1 - certainty)),
        " ",
        words.favourites(list),
      ),
      el("p", {}, next),
      scores(),
    );
    Object.assign(root.dataset, { state: last ? "over" : "told", at, guesses });
    next.focus();
    if (last) {
      root.dataset.solved = "true";
      root.dispatchEvent(new CustomEvent("tp-solved", { bubbles: true }));
    }
  }

  /** What each guesser has paid for a character, as bars. */
  function scores() {
    const most = Math.max(...Object.values(paid)) / guesses;
    return el(
      "table",
      { class: "scores" },
      el("caption", { text: words.result }),
      el(
        "tbody",
        {},
        GUESSERS.map((who) => {
          const bits = paid[who] / guesses;
          const fill = el("i");
          fill.style.width = `${(100 * bits) / most}%`;
          return el(
            "tr",
            { class: who, "data-who": who, "data-bits": bits.toFixed(4) },
            el("th", { scope: "row", text: words.who[who] }),
            el(
              "td",
              {},
              el(
                "div",
                { class: "share" },
                el("span", { text: tp.fixed(bits) }),
                el("span", { class: "track", "aria-hidden": "true" }, fill),
              ),
            ),
          );
        }),
      ),
    );
  }

  begin();
  return root;
}
