/* Every sentence and word of the view. */
const { count } = tp;
const TEXT = tp.words({
  en: {
    title: "What the model reads: batches",
    help:
      "Training shows the model many short pieces at once. From each beginning of a piece it has to predict the token that comes " +
      "next. The stronger a token's colour, the more it surprised the model.",
    offline: "The page's server does not answer. Is it still running?",
    part: "From",
    parts: { train: "training text", valid: "validation text" },
    partTitle: {
      train: "The batches of the run, in the order in which its seed draws them",
      valid: "The text it never learns from: the validation loss is the mean over it",
    },
    number: "Batch",
    earlier: "The batch before",
    later: "The next batch",
    of: (/** @type {number} */ last) => `of ${count(last)}`,
    loss: (/** @type {string | number} */ loss, /** @type {string | number} */ even) =>
      `${loss} nats a token on this batch; guessing without looking would cost ${even}`,
    legend: ["no surprise", "as surprised as by guessing, or more"],
    shape: (/** @type {number} */ rows, /** @type {number} */ columns, /** @type {number} */ whole) =>
      `${count(rows)} ${rows === 1 ? "sequence" : "sequences"} of ${count(columns)} tokens` +
      (whole > rows ? `, the first of ${count(whole)}` : ""),
    openHelp:
      "At every place the model reads all inputs up to there, and should predict the target below. The targets are the inputs, one place on.",
    openHelpPairs:
      "The model reads the text and, at every place, all inputs up to there, and should predict the target below.",
    more: (/** @type {number} */ hidden) => `… and ${count(hidden)} more places`,
    reads: "reads",
    open: (/** @type {string | number} */ number) => `Sequence ${number}: input above, target below`,
    toOpen: (/** @type {string | number} */ number) => `Open sequence ${number}`,
    readout: "Point at a token.",
    target: (
      /** @type {string | number} */ text,
      /** @type {string | number} */ loss,
      /** @type {string | number} */ share,
    ) => `“${text}”: ${loss} nats, it gave it ${share}`,
    best: (/** @type {string | number} */ text, /** @type {string | number} */ share) =>
      `it expected “${text}” (${share})`,
    right: "which is what it expected",
    ignored: (/** @type {string | number} */ text) => `“${text}”: no loss is taken here`,
    given: (/** @type {string | number} */ text) => `“${text}”: the first token is given, so nothing predicts it`,
    csv: ["sequence", "place", "input", "target", "loss in nats", "expected", "its probability"],
  },
  zh: {
    title: "模型在读什么：批次",
    help: "训练时，模型同时读许多小段文本。对每一段的每个开头，它都要预测接下来的那个词元。一个词元的颜色越浓，模型就越没有料到它。",
    offline: "页面的服务器没有响应。它还在运行吗？",
    part: "取自",
    parts: { train: "训练用的文本", valid: "验证用的文本" },
    partTitle: {
      train: "这个训练任务的批次，按随机种子抽取的顺序排列",
      valid: "模型从不用来学习的文本：验证损失就是在它上面的平均值",
    },
    number: "批次",
    earlier: "上一个批次",
    later: "下一个批次",
    of: (/** @type {number} */ last) => `/ ${count(last)}`,
    loss: (/** @type {string | number} */ loss, /** @type {string | number} */ even) =>
      `这个批次上每个词元的损失为 ${loss} 奈特；均匀猜测的损失是 ${even}`,
    legend: ["完全料到", "和均匀猜测一样意外，或更意外"],
    shape: (/** @type {number} */ rows, /** @type {number} */ columns, /** @type {number} */ whole) =>
      `${count(rows)} 个序列，每个 ${count(columns)} 个词元` +
      (whole > rows ? `，是全部 ${count(whole)} 个中的前几个` : ""),
    openHelp: "在每个位置，模型读到这里为止的全部输入，然后要说出下方的目标。目标就是输入往后移一位。",
    openHelpPairs: "模型读这段文本，并在每个位置读到这里为止的全部输入，然后要说出下方的目标。",
    more: (/** @type {number} */ hidden) => `……还有 ${count(hidden)} 个位置`,
    reads: "读",
    open: (/** @type {string | number} */ number) => `序列 ${number}：上面是输入，下面是目标`,
    toOpen: (/** @type {string | number} */ number) => `展开序列 ${number}`,
    readout: "把鼠标指向一个词元。",
    target: (
      /** @type {string | number} */ text,
      /** @type {string | number} */ loss,
      /** @type {string | number} */ share,
    ) => `“${text}”：${loss} 奈特，模型给它的概率是 ${share}`,
    best: (/** @type {string | number} */ text, /** @type {string | number} */ share) =>
      `模型预期的是“${text}”（${share}）`,
    right: "正是模型预期的",
    ignored: (/** @type {string | number} */ text) => `“${text}”：这里不计损失`,
    given: (/** @type {string | number} */ text) => `“${text}”：第一个词元是给定的，不需要预测`,
    csv: ["序列", "位置", "输入", "目标", "损失（奈特）", "预期", "预期的概率"],
  },
});
