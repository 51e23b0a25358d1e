/* Every sentence and word of the view. */
const { count } = tp;
const TEXT = tp.words({
  en: {
    title: "Where the tokens lie: embeddings",
    help: (/** @type {number} */ dimensions) =>
      `For the model, each token is a point in ${count(dimensions)} dimensions. This is the view from the two directions in which the ` +
      "newest checkpoint's points differ most (principal components). Move through training and see where they go.",
    helpPositions: (/** @type {number} */ dimensions) =>
      `Each place in the text has a vector of ${count(dimensions)} numbers, which is added to the token that stands there. This is the ` +
      "view from the two directions in which they differ most.",
    offline: "The page's server does not answer. Is it still running?",
    what: "Show",
    tables: { tokens: "tokens", positions: "positions" },
    share: (/** @type {string | number} */ share, /** @type {number} */ dimensions) =>
      `These two directions show ${share} of how the points differ; the other ${count(dimensions - 2)} show the rest. Points that lie close here may be far apart.`,
    some: (/** @type {number} */ shown, /** @type {number} */ all) =>
      `The first ${count(shown)} of ${count(all)} are drawn.`,
    tied: "The same table also makes the probabilities at the end (tied embeddings).",
    near: (/** @type {string | number} */ name) => `Closest to “${name}”, in all dimensions`,
    nearHelp: "Point at a token, or click one to hold it: the tokens in the most similar directions, by their cosine.",
    position: (/** @type {string | number} */ number) => `position ${number}`,
    nearItem: (/** @type {string | number} */ name, /** @type {string | number} */ cosine) =>
      `${name}, cosine ${cosine}`,
    first: "first",
    last: "last",
    label: (/** @type {string | number} */ points, /** @type {string | number} */ share) =>
      `Scatter of ${points} points; the two directions show ${share} of the variance. Arrow keys move from point to point.`,
    csv: ["number", "token", "kind", "first direction", "second direction"],
  },
  zh: {
    title: "词元在哪里：嵌入",
    help: (/** @type {number} */ dimensions) =>
      `对模型来说，每个词元都是 ${count(dimensions)} 维空间中的一个点。这里是从两个方向看过去的样子：最新检查点的各点` +
      "在这两个方向上差别最大（主成分）。拖动滑块，看看这些点在训练中怎样移动。",
    helpPositions: (/** @type {number} */ dimensions) =>
      `文本中的每个位置都有一个由 ${count(dimensions)} 个数组成的向量，它会加到这个位置的词元上。这里是从两个方向看过去的样子：` +
      "这些向量在这两个方向上差别最大。",
    offline: "页面的服务器没有响应。它还在运行吗？",
    what: "显示",
    tables: { tokens: "词元", positions: "位置" },
    share: (/** @type {string | number} */ share, /** @type {number} */ dimensions) =>
      `这两个方向反映了各点差别的 ${share}；其余的差别在另外 ${count(dimensions - 2)} 个方向上。这里靠得近的点，实际上可能离得很远。`,
    some: (/** @type {number} */ shown, /** @type {number} */ all) =>
      `只画出全部 ${count(all)} 个中的前 ${count(shown)} 个。`,
    tied: "最后算概率时用的也是这张表（共用嵌入）。",
    near: (/** @type {string | number} */ name) => `在全部维度中离“${name}”最近的`,
    nearHelp: "把鼠标指向一个词元，或点击把它固定：这里会列出方向最相近的词元（按余弦相似度）。",
    position: (/** @type {string | number} */ number) => `位置 ${number}`,
    nearItem: (/** @type {string | number} */ name, /** @type {string | number} */ cosine) => `${name}，余弦 ${cosine}`,
    first: "第一个",
    last: "最后一个",
    label: (/** @type {string | number} */ points, /** @type {string | number} */ share) =>
      `${points} 个点的散点图；这两个方向反映了方差的 ${share}。用方向键在各点之间移动。`,
    csv: ["编号", "词元", "种类", "第一方向", "第二方向"],
  },
});
