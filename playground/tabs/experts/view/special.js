/* What experts have in common over many tokens: which work together, and which kinds of tokens they take. */
const CLOSE = 250; // milliseconds that the cursor rests before the tokens are counted again

/** @typedef {Omit<Answers.Specialisation, "together"> & { run: string, together: Float32Array }} Counted */

function makeSpecial() {
  const title = el("h3", { text: TEXT.special });
  const counted = el("p", { class: "help" });
  const message = el("p", { class: "message", role: "alert", hidden: true });
  const together = el("figure", { class: "together" });
  const kinds = el("figure", { class: "kinds" });
  const node = el("section", { class: "special" }, [
    title,
    counted,
    message,
    el("div", { class: "special-pair" }, together, kinds),
  ]);
  /** What was counted last, and for which checkpoint, also where it could not be. @type {Counted | null} */
  let latest = null;
  let done = { run: "", asked: -1, failed: false };
  let inSight = false;
  let timer = 0;
  let running = false;

  new IntersectionObserver(
    ([entry]) => {
      inSight = entry.isIntersecting;
      if (inSight) look();
    },
    { rootMargin: "300px" },
  ).observe(node);

  const layerShown = () => state.layer ?? state.row;
  const wantedStep = () => (first.saved.length ? first.saved[nearestOf(first.saved, cursorStep())] : null);
  const isNew = () =>
    first.experts > 0 && wantedStep() !== null && (done.run !== first.run || done.asked !== wantedStep());

  /** Count at the cursor's step, once it rests and where somebody looks. */
  function look() {
    clearTimeout(timer);
    if (inSight && isNew()) timer = setTimeout(ask, CLOSE);
  }

  async function ask() {
    const { run } = first;
    const asked = wantedStep();
    if (running || asked === null || !isNew()) return;
    running = true;
    const found = await call("specialise", run, asked);
    running = false;
    if (run !== first.run) return look();
    message.hidden = !found.error;
    put(message, found.error ?? "");
    done = { run, asked, failed: found.error !== undefined };
    latest = done.failed ? null : { ...found, run, together: tp.floats(found.together) };
    draw();
    look();
  }

  function draw() {
    node.hidden = !first.saved.length; // only a checkpoint can be counted with
    const answer = latest?.run === first.run ? latest : null;
    together.hidden = kinds.hidden = !answer;
    if (!answer) return put(counted, done.failed ? "" : TEXT.counting);
    put(counted, TEXT.specialStep(answer.step, answer.tokens));
    root.dataset.counted = String(answer.step);
    drawTogether(answer);
    drawKinds(answer);
  }

  const heading = (/** @type {string} */ text) =>
    el("h4", {}, [
      el("span", { text }),
      el("span", { class: "muted", text: ` · ${TEXT.layerName(first.layers[layerShown()])}` }),
    ]);

  /* ------------------------------------------------------------ together */

  function drawTogether(/** @type {Counted} */ answer) {
    if ((first.about?.top_k ?? 0) < 2 && first.about?.router !== "expert_choice") {
      together.replaceChildren(heading(TEXT.together), el("p", { class: "help", text: TEXT.togetherOne }));
      return;
    }
    const { experts } = first;
    const layer = layerShown();
    /** @param {number} i @param {number} j */
    const share = (i, j) => answer.together[(layer * experts + i) * experts + j];
    /** @type {[i: number, j: number]} */
    let best = [0, 1];
    for (let i = 0; i < experts; i++)
      for (let j = 0; j < experts; j++) if (i !== j && share(i, j) > share(...best)) best = [i, j];
    const sentence = TEXT.togetherBest(...best, percent(share(...best)));
    const room = Math.min(380, together.clientWidth || 380);
    const cell = Math.max(4, Math.floor((room - 30) / experts));
    const side = 26 + cell * experts;
    const canvas = el("canvas", {
      role: "img",
      "aria-label": TEXT.togetherLabel(first.layers[layer], sentence),
      width: 2 * side,
      height: 2 * side,
    });
    canvas.style.width = canvas.style.height = `${side}px`;
    const context = canvas.getContext("2d");
    if (!context) return;
    context.scale(2, 2);
    context.font = `11px ${tp.colour("--tp-sans")}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const every = Math.ceil(16 / cell);
    const [panel, ink] = ["--tp-panel", "--tp-muted"].map(tp.colour);
    for (let i = 0; i < experts; i++) {
      context.fillStyle = ink;
      if (i % every === 0) {
        context.fillText(String(i + 1), 26 + (i + 0.5) * cell, 13);
        context.fillText(String(i + 1), 12, 26 + (i + 0.5) * cell);
      }
      for (let j = 0; j < experts; j++) {
        const rgb = tp.heat(Math.sqrt(share(i, j)));
        context.fillStyle = i === j ? panel : css(rgb);
        context.fillRect(26 + j * cell, 26 + i * cell, cell - (cell > 8 ? 1 : 0), cell - (cell > 8 ? 1 : 0));
        if (cell >= 30 && i !== j) {
          context.fillStyle = inkOn(rgb);
          context.fillText(String(Math.round(100 * share(i, j))), 26 + (j + 0.5) * cell, 26 + (i + 0.5) * cell);
        }
      }
    }
    canvas.addEventListener("pointermove", (event) => {
      const box = canvas.getBoundingClientRect();
      const [j, i] = [event.clientX - box.left, event.clientY - box.top].map((at) => Math.floor((at - 26) / cell));
      const outside = i < 0 || j < 0 || i >= experts || j >= experts || i === j;
      tp.tip(outside ? null : TEXT.togetherTip(i, j, percent(share(i, j))), event.clientX, event.clientY);
    });
    canvas.addEventListener("pointerleave", () => tp.tip(null));
    const rows = () => [
      TEXT.csv.together,
      ...Array.from({ length: experts * experts }, (_, k) => [
        first.layers[layer] + 1,
        Math.floor(k / experts) + 1,
        (k % experts) + 1,
        share(Math.floor(k / experts), k % experts).toFixed(4),
      ]),
    ];
    together.replaceChildren(
      heading(TEXT.together),
      el("p", { class: "help", text: TEXT.togetherHelp }),
      canvas,
      el("figcaption", {}, [
        el("p", { class: "said", text: sentence }),
        tp.saveBar({ figure: () => canvas, rows, name: () => fileName(FILES.together) }),
      ]),
    );
  }

  /* ------------------------------------------------------------ kinds */

  /** The kinds that there are any tokens of. */
  const kindsOf = (/** @type {Counted} */ { classes, table: tables }) =>
    classes.map((_, kind) => kind).filter((kind) => tables[layerShown()][kind].some(Boolean));

  function drawKinds(/** @type {Counted} */ answer) {
    const layer = layerShown();
    const [real, dealt] = [answer.table[layer], answer.baseline[layer]];
    const some = kindsOf(answer);
    const bits = (/** @type {number} */ value) => value.toFixed(value < 0.05 ? 3 : 2);
    const rows = () => [
      TEXT.csv.kinds,
      ...some.flatMap((kind) =>
        real[kind].map((count, expert) => [
          first.layers[layer] + 1,
          tp.kind(answer.classes[kind]),
          expert + 1,
          count,
          dealt[kind][expert],
        ]),
      ),
    ];
    kinds.replaceChildren(
      heading(TEXT.kinds),
      el("p", { class: "help", text: TEXT.kindsHelp }),
      el("div", { class: "tables" }, table(answer, TEXT.kindsReal, real), table(answer, TEXT.kindsDealt, dealt)),
      el("figcaption", {}, [
        el("p", {
          class: "said",
          text: TEXT.kindsSentence(
            bits(answer.information[layer]),
            bits(answer.chance[layer]),
            bits(answer.uncertainty),
          ),
        }),
        el("p", { class: "help", text: TEXT.kindsWarning }),
        tp.saveBar({ figure: () => picture(answer, real, dealt), rows, name: () => fileName(FILES.kinds) }),
      ]),
    );
    Object.assign(kinds.dataset, { information: bits(answer.information[layer]), chance: bits(answer.chance[layer]) });
  }

  /** @param {Counted} answer @param {string} caption @param {number[][]} counts */
  function table(answer, caption, counts) {
    const { experts } = first;
    const wide = experts > 16;
    const columns = Array.from({ length: experts }, (_, expert) =>
      el("th", { scope: "col" }, wide ? el("span", { class: "tiny", text: expert + 1 }) : chip(expert)),
    );
    const rows = kindsOf(answer).map((kind) => {
      const total = counts[kind].reduce((sum, count) => sum + count, 0);
      const cells = counts[kind].map((count) => {
        const share = total ? count / total : 0;
        const rgb = tp.heat(Math.sqrt(share));
        const text = wide ? "" : Math.round(100 * share);
        const cell = el("td", { text, title: percent(share), "aria-label": percent(share) });
        cell.style.background = css(rgb);
        cell.style.color = inkOn(rgb);
        return cell;
      });
      return tp.tableRow({}, tp.kind(answer.classes[kind]), cells);
    });
    return el("div", { class: "table-frame", tabindex: 0, role: "group", "aria-label": caption }, [
      tp.table({ class: wide ? "kind-table wide" : "kind-table", caption }, [TEXT.kind, ...columns], rows),
    ]);
  }

  /** Both tables as one picture.
   *
   * @param {Counted} answer @param {number[][]} real @param {number[][]} dealt */
  function picture(answer, real, dealt) {
    const { experts } = first;
    const some = kindsOf(answer);
    const [cell, high, left] = [experts > 16 ? 8 : 28, 22, 130];
    const wide = left + cell * experts + 16;
    return pictureOf(2 * wide, (some.length + 2) * high + 16, (context) => {
      [
        { caption: TEXT.kindsReal, counts: real },
        { caption: TEXT.kindsDealt, counts: dealt },
      ].forEach(({ caption, counts }, i) => {
        const x = i * wide + 8;
        const ink = tp.colour("--tp-ink");
        context.fillStyle = ink;
        context.textAlign = "left";
        context.fillText(caption, x, high / 2 + 4);
        some.forEach((kind, row) => {
          const y = (row + 2) * high;
          const total = counts[kind].reduce((sum, count) => sum + count, 0) || 1;
          context.fillStyle = ink;
          context.textAlign = "left";
          context.fillText(tp.kind(answer.classes[kind]), x, y + high / 2);
          context.textAlign = "center";
          counts[kind].forEach((count, expert) => {
            const place = x + left - 8 + expert * cell;
            const rgb = tp.heat(Math.sqrt(count / total));
            if (row === 0 && cell > 8) {
              context.fillStyle = ink;
              context.fillText(String(expert + 1), place + cell / 2, y - high / 2);
            }
            context.fillStyle = css(rgb);
            context.fillRect(place, y, cell - 1, high - 1);
            context.fillStyle = inkOn(rgb);
            if (cell > 8) context.fillText(String(Math.round((100 * count) / total)), place + cell / 2, y + high / 2);
          });
        });
      });
    });
  }

  return { node, look, draw };
}
