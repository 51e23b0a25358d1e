/* From q·k to what a head hands on, in numbers. */
const requestNumbers = asker((/** @type {Answers.HeadStages & Answer} */ answer) => showNumbers(answer));
let numbersFor = { query: 0, layer: 0, head: 0, shown: NO_FRAME.shown, pieces: NO_FRAME.pieces, position: "" };

function askNumbers() {
  numbersFor = {
    query: heldQuery(),
    layer: shownLayer(),
    head: shownHead(),
    shown: frame.shown,
    pieces: frame.pieces,
    position: frame.position,
  };
  const { query, layer, head } = numbersFor;
  const [run, step, text] = [state.run, frame.step, sent()];
  requestNumbers(() => call("stages", run, step, text, layer, head, query));
}

/** A vector as a strip of coloured cells, `most` being the strongest colour.
 *
 * @param {Float32Array} values @param {number} most */
function strip(values, most) {
  const canvas = el("canvas", { class: "strip", width: values.length, height: 1, "aria-hidden": "true" });
  const context = canvas.getContext("2d");
  if (!context) return canvas;
  const image = context.createImageData(values.length, 1);
  values.forEach((value, i) => {
    const [r, g, b] = tp.diverge(most ? value / most : 0);
    image.data.set([r, g, b, 255], 4 * i);
  });
  context.putImageData(image, 0, 0);
  canvas.title = Array.from(values, (value) => fixed(value)).join("  ");
  return canvas;
}

const shownNumber = (/** @type {number | null} */ value) => fixed(value ?? NaN);
const strongest = (/** @type {Float32Array} */ values) =>
  values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

function showNumbers(/** @type {Answers.HeadStages & Answer} */ answer) {
  const { body } = page.numbers;
  if (failed(body, answer)) return;
  const { query, shown, pieces, position, layer, head } = numbersFor;
  const { width } = answer;
  const q = tp.floats(answer.q);
  const keys = tp.floats(answer.k);
  const weighted = tp.floats(answer.weighted);
  const output = tp.floats(answer.output);
  /** @param {Float32Array} vectors @param {number} token */
  const row = (vectors, token) => vectors.subarray(token * width, (token + 1) * width);
  const alibi = position === "alibi";
  const most = { k: strongest(keys), q: strongest(q), v: strongest(output) };
  const weights = answer.weights.map((share) => share ?? 0);
  const exponents = answer.masked.map((value) => (value === null ? 0 : Math.exp(value)));
  const total = exponents.reduce((sum, value) => sum + value, 0);
  const worked = el("p", { class: "worked", "aria-live": "off" });
  const explain = (/** @type {number} */ token) => {
    const parts = [
      el("span", { class: "token", translate: "no", text: shown[token] }),
      el("span", { class: "muted", text: ` ${token + 1}:  ` }),
    ];
    if (answer.masked[token] === null) worked.replaceChildren(...parts, TEXT.workedFuture(shown[token]));
    else {
      const bias = answer.bias[token] ?? 0;
      const distance = alibi ? ` ${bias < 0 ? "−" : "+"} ${Math.abs(bias).toFixed(2)}` : "";
      worked.replaceChildren(
        ...parts,
        `${shownNumber(answer.products[token])} ÷ √${width}${distance} = `,
        el("b", { text: shownNumber(answer.masked[token]) }),
        ",   ",
        "e",
        el("sup", { text: shownNumber(answer.masked[token]) }),
        ` ÷ ${TEXT.sum} = ${tp.number(exponents[token])} ÷ ${tp.number(total)} = `,
        el("b", { text: percent(weights[token]) }),
      );
    }
  };
  const columns = TEXT.columns;
  const numeric = (/** @type {string | number} */ text) => el("td", { class: "number", text });
  const heads = [
    { class: "number", text: columns.place },
    columns.token,
    columns.key,
    { class: "number", text: columns.product },
    { class: "number", text: columns.scaled(width) },
    alibi && { class: "number", title: TEXT.biasTitle, text: columns.bias },
    { class: "number", text: columns.masked },
    columns.weight,
    columns.value,
  ];
  const rows = shown.map((token, i) => {
    const future = answer.masked[i] === null;
    const bar = el("span", { class: "bar" });
    bar.style.width = `${100 * weights[i]}%`;
    const kind = (future ? "future" : "") + (i === query ? " query" : "");
    return el("tr", { class: kind, "data-key": i, on: { pointerenter: () => explain(i) } }, [
      el("td", { class: "number muted", text: i + 1 }),
      el("th", { scope: "row", class: "token-cell" }, el("span", { class: "token", translate: "no", text: token })),
      el("td", {}, strip(row(keys, i), most.k)),
      numeric(shownNumber(answer.products[i])),
      numeric(shownNumber(answer.scaled[i])),
      alibi && numeric(future ? "" : shownNumber(answer.bias[i])),
      numeric(future ? TEXT.future : shownNumber(answer.masked[i])),
      el("td", { class: "weight" }, [
        el("span", { class: "bar-track" }, bar),
        el("span", { class: "share", text: percent(weights[i]) }),
      ]),
      el("td", {}, strip(row(weighted, i), most.v)),
    ]);
  });
  const top = weights.indexOf(Math.max(...weights));
  explain(top);
  const frameBox = el("div", { class: "table-frame", tabindex: 0, role: "region", "aria-label": TEXT.numbers }, [
    tp.table({ class: "stages" }, heads, rows, [
      tp.tableRow({}, el("td"), [
        el("td", { colspan: alibi ? 6 : 5, class: "sum-name", text: TEXT.output }),
        el("td", { class: "weight" }, el("span"), el("span", { class: "share", text: percent(1) })),
        strip(output, most.v),
      ]),
    ]),
  ]);
  const kept = body.querySelector(".table-frame")?.scrollTop;
  body.replaceChildren(
    note(TEXT.numbersNote(shown[query], width), TEXT.numbersTry),
    el("p", { class: "formula", "aria-label": TEXT.formula.spoken }, formula(width, alibi)),
    el("p", { class: "vector" }, [
      el("span", { text: `${TEXT.query} ` }),
      el("span", { class: "token", translate: "no", text: shown[query] }),
      strip(q, most.q),
    ]),
    worked,
    frameBox,
    tp.saveBar({
      rows: () => [
        [...TEXT.csv.numbers, ...Array.from(q, (_, d) => TEXT.csv.vector(d + 1))],
        ...pieces.map((piece, i) => [
          layer + 1,
          head + 1,
          query + 1,
          pieces[query],
          i + 1,
          piece,
          answer.products[i],
          answer.scaled[i],
          answer.bias[i],
          answer.masked[i] ?? "-inf",
          answer.weights[i],
          ...row(weighted, i),
        ]),
      ],
      name: () => fileName(`${headName()}-token-${query + 1}-numbers`),
    }),
  );
  if (kept !== undefined) frameBox.scrollTop = kept;
  body.dataset.ready = `${layer}.${head}.${query}.${frame.step}`;
}

/** The equation of the paper, for one row.
 *
 * @param {number} width @param {boolean} alibi */
function formula(width, alibi) {
  const words = TEXT.formula;
  const i = (/** @type {string} */ text) => el("i", { text });
  const sub = (/** @type {string} */ text) => el("sub", {}, i(text));
  return [
    words.weight,
    sub("j"),
    " = softmax",
    sub("j"),
    " ( ",
    i("q"),
    " · ",
    i("k"),
    sub("j"),
    " ÷ √",
    String(width),
    alibi ? ` + ${words.distance}` : "",
    " )",
    el("span", { class: "then", text: words.thenWord }),
    i(words.output),
    " = Σ",
    sub("j"),
    ` ${words.weight}`,
    sub("j"),
    " × ",
    i("v"),
    sub("j"),
  ];
}
