/* Greedy beside beam search, and the search as a tree: a column for each token, the best of it on top. */
/** @typedef {Answers.BeamTree["tree"][number]} TreeNode */
const NODE = { height: 22, lane: 40, between: 40, top: 8 };

function makeBeam(/** @type {{ toggled(): void }} */ { toggled }) {
  const beams = el("input", {
    type: "range",
    class: "slider",
    id: "translate-beams",
    min: BEAMS.least,
    max: BEAMS.most,
    step: 1,
    on: { input: changed },
  });
  const beamsText = el("output", { for: "translate-beams" });
  const alpha = el("input", {
    type: "range",
    class: "slider",
    id: "translate-penalty",
    min: 0,
    max: ALPHA.most,
    step: 0.1,
    title: TEXT.penaltyTitle,
    on: { input: changed },
  });
  const alphaText = el("output", { for: "translate-penalty" });
  const message = el("p", { class: "message", role: "alert", hidden: true });
  const said = el("p", { class: "said", role: "status" });
  const table = el("table", { class: "found" });
  const scroll = el("div", { class: "tree-frame", tabindex: 0, role: "group", "aria-label": TEXT.tree });
  const legend = el("p", { class: "legend" });
  const left = el("p", { class: "help" });
  const saves = tp.saveBar({ figure: () => scroll, rows: treeRows, name: () => fileName("beam-tree") });
  const body = el("div", { class: "panel-body" }, [
    el("p", { class: "help", text: TEXT.beamNote }),
    el("div", { class: "beam-controls" }, [
      el("label", { class: "setting" }, el("span", { text: TEXT.beams }), beams, beamsText),
      el("label", { class: "setting", title: TEXT.penaltyTitle }, el("span", { text: TEXT.penalty }), alpha, alphaText),
    ]),
    message,
    el("div", { class: "table-frame" }, table),
    said,
    el("h4", { text: TEXT.tree }),
    el("p", { class: "help", text: TEXT.treeHelp }),
    legend,
    scroll,
    el("div", { class: "under" }, left, saves),
  ]);
  const node = tp.fold({ id: "translate-beam" }, TEXT.beam, TEXT.beamTeaser, body);
  node.addEventListener("toggle", () => {
    state.open = node.open;
    toggled();
    ask();
  });

  /** @type {Answers.BeamTree | null} */
  let answer = null;
  let shown = ""; // the question that `answer` answers
  let asking = false;

  function changed() {
    state.beams = Number(beams.value);
    state.alpha = Number(alpha.value);
    settings();
    toggled();
    ask();
  }

  function settings() {
    beams.value = String(state.beams);
    alpha.value = String(state.alpha);
    put(beamsText, String(state.beams));
    put(alphaText, state.alpha.toFixed(1));
    for (const slider of [beams, alpha]) {
      const [value, low, high] = [slider.value, slider.min, slider.max].map(Number);
      slider.style.setProperty("--filled", `${(100 * (value - low)) / (high - low)}%`);
    }
  }

  /** Ask for this sentence and these settings, when they have changed and the panel is open. */
  async function ask() {
    if (!frame.run || !state.open || asking) return;
    const question = () => JSON.stringify([frame.run, checkpoint(), state.text, state.beams, state.alpha]);
    asking = true;
    while (state.open && frame.run && shown !== question()) {
      const now = question();
      const found = await call("beams", frame.run, checkpoint(), state.text, state.beams, state.alpha);
      shown = now;
      message.hidden = !found.error;
      put(message, found.error ?? "");
      if (!found.error && shown === question()) {
        answer = found;
        draw();
      }
    }
    asking = false;
  }

  /** The checkpoint that is nearest to what is shown: between two there is no model to search with. */
  function checkpoint() {
    const stored = frame.steps.filter((_, i) => frame.stored[i]);
    return stored.reduce((best, step) => (Math.abs(step - frame.step) < Math.abs(best - frame.step) ? step : best));
  }

  function draw() {
    if (!answer) return;
    drawTable(answer);
    drawTree(answer);
    const { greedy, found } = answer;
    const gain = found[0].log_probability - greedy.log_probability;
    put(
      said,
      found[0].written === greedy.written
        ? TEXT.same
        : gain > 0
          ? TEXT.better(tp.number(Math.exp(gain), 2))
          : TEXT.worse,
    );
    Object.assign(root.dataset, { nodes: answer.tree.length, beams: found.length });
  }

  function drawTable(/** @type {Answers.BeamTree} */ { greedy, found }) {
    /** @param {string} name @param {Answers.BeamEntry} each @param {string} kind */
    const row = (name, each, kind) =>
      tp.tableRow({ class: kind }, name, [
        el("td", { class: "text", dir: "auto", translate: "no", text: each.written || "∅" }),
        el("td", { class: "number", text: fixed(each.log_probability) }),
        el("td", { class: "number", text: each.length }),
        el("td", { class: "number", text: fixed(each.score) }),
      ]);
    table.replaceChildren(
      tp.tableHead(
        TEXT.columns.map((text, i) => ({
          text,
          class: i > 1 ? "number" : "",
          title: i === 4 ? TEXT.scoreTitle : null,
        })),
      ),
      el("tbody", {}, [
        row(TEXT.greedy, greedy, "greedy"),
        found.map((each, i) => row(TEXT.beamNumber(i + 1), each, i ? "" : "best")),
      ]),
    );
  }

  /* ------------------------------------------------------------ the tree */

  const fateOf = (/** @type {TreeNode} */ [, , , , fate, marks]) => (marks.includes("b") ? "best" : fate);

  function drawTree(/** @type {Answers.BeamTree} */ { tree, left_out: leftOut }) {
    const measure = el("canvas").getContext("2d");
    if (measure) measure.font = `13px ${tp.colour("--tp-sans")}`;
    const widthOf = (/** @type {string} */ text) => (measure?.measureText(text).width ?? 0) + 16;
    /** @type {{ [of in "depth" | "rank" | "counts" | "columns"]: number[] }} */
    const { depth, rank, counts, columns } = { depth: [], rank: [], counts: [], columns: [] };
    tree.forEach(([parent, text], i) => {
      depth[i] = parent < 0 ? 0 : depth[parent] + 1;
      rank[i] = counts[depth[i]] ?? 0;
      counts[depth[i]] = rank[i] + 1;
      const wide = Math.max(30, widthOf(word(text)));
      columns[depth[i]] = Math.max(columns[depth[i]] ?? 0, wide);
    });
    const begin = widthOf(TEXT.begin);
    const xs = [begin + NODE.between];
    columns.forEach((wide, d) => (xs[d + 1] = xs[d] + wide + NODE.between));
    const width = Math.ceil((xs.at(-1) ?? begin) - NODE.between + 8);
    const height = NODE.top + Math.max(1, ...counts) * NODE.lane;
    const y = (/** @type {number} */ i) => NODE.top + rank[i] * NODE.lane;
    const middle = (/** @type {number} */ i) => y(i) + NODE.height / 2;
    const order = tree.map((_, i) => i).sort((a, b) => weight(tree[a]) - weight(tree[b])); // what matters is drawn last
    const links = order.map((i) => {
      const [parent] = tree[i];
      const x2 = xs[depth[i]];
      const x1 = parent < 0 ? begin : xs[depth[parent]] + columns[depth[parent]];
      const y1 = parent < 0 ? NODE.top + NODE.height / 2 : middle(parent);
      const half = (x1 + x2) / 2;
      return el("path", {
        class: `link ${fateOf(tree[i])}`,
        d: `M${x1},${y1} C${half},${y1} ${half},${middle(i)} ${x2},${middle(i)}`,
      });
    });
    const nodes = order.map((i) => {
      const [, text, share, total, , marks] = tree[i];
      const fate = fateOf(tree[i]);
      const x = xs[depth[i]];
      const wide = columns[depth[i]];
      const plain = TEXT.node(word(text), percent(share), fixed(total), TEXT.fates[fate]);
      const name = marks.includes("g") ? TEXT.greedyToo(plain) : plain;
      const group = el("g", { class: `node ${fate} ${marks.includes("g") ? "greedy" : ""}`, "data-node": i }, [
        el("rect", { x, y: y(i), width: wide, height: NODE.height, rx: 5 }),
        el("text", {
          class: "piece",
          translate: "no",
          x: x + wide / 2,
          y: y(i) + 15.5,
          "text-anchor": "middle",
          text: word(text),
        }),
        marks.includes("g") &&
          el("path", { class: "greedy-mark", d: `M${x + 5},${y(i) + NODE.height - 0.5}h${wide - 10}` }),
        el("text", {
          class: "total",
          x: x + wide / 2,
          y: y(i) + NODE.height + 11,
          "text-anchor": "middle",
          text: fixed(total),
        }),
      ]);
      group.addEventListener("pointermove", (event) =>
        tp.tip(el("span", { text: name }), event.clientX, event.clientY),
      );
      group.addEventListener("pointerleave", () => tp.tip(null));
      return group;
    });
    const count = (/** @type {string} */ fate) => tree.filter((each) => each[4] === fate).length;
    const root0 = el("g", { class: "node best" }, [
      el("rect", { x: 0.5, y: NODE.top, width: begin, height: NODE.height, rx: 5 }),
      el("text", {
        class: "piece",
        translate: "no",
        x: begin / 2,
        y: NODE.top + 15.5,
        "text-anchor": "middle",
        text: TEXT.begin,
      }),
    ]);
    const svg = tp.drawing(
      width,
      height,
      {
        class: "tree",
        role: "img",
        "aria-label": TEXT.treeLabel(tree.length, count("kept"), count("ended"), count("pruned")),
      },
      [links, root0, nodes],
    );
    scroll.replaceChildren(svg);
    put(left, leftOut ? TEXT.leftOut(leftOut) : "");
  }
  const weight = (/** @type {TreeNode} */ each) => ["pruned", "ended", "kept", "best"].indexOf(fateOf(each));

  function treeRows() {
    return [
      TEXT.csv.tree,
      ...(answer?.tree ?? []).map(([parent, text, share, total, fate], i) => [
        i,
        parent < 0 ? "" : parent,
        text,
        share,
        total,
        fate,
      ]),
    ];
  }

  legend.replaceChildren(
    ...["best", "kept", "ended", "pruned", "greedy"].map((fate) =>
      el("span", { class: `key ${fate}` }, el("i"), el("span", { text: TEXT.fates[fate] })),
    ),
  );
  settings();
  return { node, ask, settings, draw, forget: () => (shown = "") };
}
