/* The attention of one fixed text, recorded while the run trains: every head of every layer, small. A slider goes
 * back through the steps; otherwise the newest is shown. */

const FOLLOW = 500; // milliseconds between two snapshots while following
const GAP = 6;
const ROW_LABELS = 52;
const COLUMN_LABELS = 20;
const [SMALLEST, LARGEST] = [28, 112]; // side of one map, in pixels

/** @typedef {Answers.ProbeMaps & { bytes: Uint8Array }} Snapshot */

/** `probe(step)` asks the server for one snapshot. */
function makeAttention(
  /** @type {{ current(): Feed, probe(step: number): Promise<Answers.ProbeMaps & Answer> }} */ { current, probe },
) {
  const canvas = el("canvas", { class: "maps" });
  const slider = el("input", { type: "range", min: 0, step: 1, "aria-label": TEXT.recorded });
  const shown = el("output", { class: "value" });
  const newest = tp.button(TEXT.newest, { class: "quiet" }, () => {
    follow = true;
    draw(current());
  });
  const help = el("p", { class: "help", title: TEXT.attentionShade });
  const tokens = el("p", { class: "tokens", translate: "no" });
  const save = tp.saveBar({
    figure: () => canvas,
    rows: () => attentionRows(snapshot),
    name: () => current().fileName(`${FILES.attention}-${snapshot?.step ?? 0}`),
  });
  const node = el("section", { class: "attention", hidden: true }, [
    el("div", { class: "bar" }, el("h4", { text: TEXT.attention }), help, save),
    el("div", { class: "scrub" }, slider, shown, newest),
    el("div", { class: "side" }, [
      el("div", { class: "scroll" }, canvas),
      el("div", { class: "said" }, el("span", { class: "label", text: TEXT.text }), tokens),
    ]),
  ]);

  /** What the server answered, by step. @type {Map<number, Snapshot>} */
  const snapshots = new tp.Recent(80);
  /** @type {Snapshot | null} */
  let snapshot = null; // the one that is drawn
  let follow = true;
  let wanted = -1; // the step to show
  /** @type {number | null} */
  let asked = null; // the step that the server is being asked for
  let askedAt = -FOLLOW;
  let retry = 0;
  let side = 0; // of one map on the canvas
  let inks = null; // 256 colours, for the theme

  slider.addEventListener("input", () => {
    const { probes } = current();
    follow = Number(slider.value) === probes.length - 1;
    wanted = probes[Number(slider.value)];
    draw(current());
  });

  function draw(/** @type {Feed} */ { probes }) {
    node.hidden = !probes.length;
    if (!probes.length) return;
    if (follow || !probes.includes(wanted)) wanted = probes[probes.length - 1];
    const last = String(probes.length - 1);
    if (slider.max !== last) slider.max = last;
    const at = String(probes.indexOf(wanted));
    if (slider.value !== at) slider.value = at;
    newest.setAttribute("aria-pressed", String(follow));
    put(shown, TEXT.step(wanted));
    slider.setAttribute("aria-valuetext", TEXT.step(wanted));
    fetchWanted();
  }

  /** Fetch the wanted snapshot: one at a time and, while following, not too often. */
  async function fetchWanted() {
    const ready = snapshots.get(wanted);
    if (ready) return show(ready);
    if (asked !== null) return;
    const early = FOLLOW - (performance.now() - askedAt);
    if (follow && early > 0) {
      clearTimeout(retry);
      retry = setTimeout(fetchWanted, early);
      return;
    }
    const [history, step] = [current(), wanted];
    [asked, askedAt] = [step, performance.now()];
    let answer;
    try {
      answer = await probe(step);
    } finally {
      asked = null;
    }
    if (history !== current() || answer.error) return;
    const fresh = { ...answer, bytes: tp.bytes(answer.attention) };
    snapshots.set(step, fresh);
    if (follow || wanted === step) show(fresh);
    if (wanted !== step) fetchWanted();
  }

  function show(/** @type {Snapshot | null} */ next) {
    if (snapshot === next) return;
    snapshot = next;
    drawMaps();
  }

  function drawMaps() {
    const width = node.clientWidth;
    if (!snapshot || !width) return;
    const { layers, heads, length, bytes, step } = snapshot;
    inks ??= Array.from({ length: 256 }, (_, i) => tp.heat(Math.sqrt(i / 255)));
    const colours = inks;
    const room = Math.floor((width - ROW_LABELS - GAP * (heads.length - 1)) / heads.length);
    side = Math.max(SMALLEST, Math.min(LARGEST, room));
    const pen = blankCanvas(
      ROW_LABELS + heads.length * (side + GAP) - GAP,
      COLUMN_LABELS + layers.length * (side + GAP) - GAP,
    );
    const tile = el("canvas", { width: length, height: length });
    const tilePen = tile.getContext("2d");
    if (!pen || !tilePen) return;
    drawLabels(pen, layers, heads);
    const image = tilePen.createImageData(length, length); // the future stays transparent
    pen.imageSmoothingEnabled = false;
    layers.forEach((_, row) =>
      heads.forEach((_, column) => {
        const start = (row * heads.length + column) * length * length;
        for (let query = 0; query < length; query++) {
          for (let key = 0; key <= query; key++) {
            const at = query * length + key;
            image.data.set(colours[bytes[start + at]], 4 * at);
            image.data[4 * at + 3] = 255;
          }
        }
        tilePen.putImageData(image, 0, 0);
        const [x, y] = corner(row, column);
        pen.drawImage(tile, x, y, side, side);
      }),
    );
    tp.depict(canvas, TEXT.attentionSummary(layers.length, heads.length, step));
    canvas.dataset.step = String(step);
    put(help, document.body.classList.contains("dark") ? TEXT.attentionHelpDark : TEXT.attentionHelp);
    drawTokens(snapshot.tokens);
  }

  /** @param {number} row @param {number} column */
  const corner = (row, column) => [ROW_LABELS + column * (side + GAP), COLUMN_LABELS + row * (side + GAP)];

  /** @param {number} width @param {number} height */
  function blankCanvas(width, height) {
    const ratio = devicePixelRatio || 1;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d");
    if (!pen) return null;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = tp.colour("--tp-page") || "#fff";
    pen.fillRect(0, 0, width, height);
    return pen;
  }

  /** @param {CanvasRenderingContext2D} pen @param {number[]} layers @param {number[]} heads */
  function drawLabels(pen, layers, heads) {
    const roomy = side >= 44;
    pen.font = "11px system-ui, sans-serif";
    pen.fillStyle = tp.colour("--tp-muted");
    pen.textAlign = "center";
    heads.forEach((head, i) => {
      const [x] = corner(0, i);
      if (roomy || i % 2 === 0) pen.fillText(roomy ? TEXT.head(head) : String(head + 1), x + side / 2, 12);
    });
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    layers.forEach((layer, i) => pen.fillText(TEXT.layer(layer), 0, corner(i, 0)[1] + side / 2));
    pen.textBaseline = "alphabetic";
  }

  function drawTokens(/** @type {string[]} */ texts) {
    const state = JSON.stringify(texts);
    if (tokens.dataset.state === state) return;
    tokens.dataset.state = state;
    tokens.replaceChildren(...texts.map((token) => el("span", { text: tp.visible(token) })));
  }

  /** Show in the text which token looks at which; null: none.
   *
   * @param {number | null} query @param {number | null} key */
  function point(query, key) {
    [...tokens.children].forEach((token, i) => {
      token.classList.toggle("query", i === query);
      token.classList.toggle("key", i === key);
    });
  }

  function leave() {
    tp.tip(null);
    point(null, null);
  }

  canvas.addEventListener("pointerleave", leave);
  canvas.addEventListener("pointermove", (event) => {
    if (!snapshot) return;
    const { layers, heads, length, bytes, tokens: texts } = snapshot;
    const box = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left - ROW_LABELS, event.clientY - box.top - COLUMN_LABELS];
    const [column, row] = [Math.floor(x / (side + GAP)), Math.floor(y / (side + GAP))];
    const key = Math.floor(((x - column * (side + GAP)) / side) * length);
    const query = Math.floor(((y - row * (side + GAP)) / side) * length);
    const inside = x >= 0 && y >= 0 && column < heads.length && row < layers.length && query < length;
    if (!inside || key > query) return leave();
    const at = ((row * heads.length + column) * length + query) * length + key;
    const share = ((100 * bytes[at]) / 255).toFixed(0);
    const heading = tp.series([TEXT.layer(layers[row]), TEXT.head(heads[column])]);
    const sentence = TEXT.cell(tp.visible(texts[query]), tp.visible(texts[key]), share);
    const content = el("div", {}, el("strong", { text: heading }), el("div", { text: sentence }));
    tp.tip(content, event.clientX, event.clientY);
    point(query, key);
  });

  return {
    node,
    draw,
    /** Draw again: the theme or the width is another. */
    redraw() {
      inks = null;
      drawMaps();
    },
    /** Another run is on the page. */
    reset() {
      snapshots.clear();
      [snapshot, follow, wanted, askedAt] = [null, true, -1, -FOLLOW];
    },
  };
}

function attentionRows(/** @type {Snapshot | null} */ snapshot) {
  /** @type {Row[]} */
  const rows = [TEXT.csv.attention];
  if (!snapshot) return rows;
  const { step, layers, heads, length, bytes, tokens } = snapshot;
  let at = 0;
  for (const layer of layers) {
    for (const head of heads) {
      for (let query = 0; query < length; query++) {
        for (let key = 0; key < length; key++, at++) {
          if (key > query) continue;
          rows.push([step, layer + 1, head + 1, tokens[query], tokens[key], (bytes[at] / 255).toFixed(4)]);
        }
      }
    }
  }
  return rows;
}
