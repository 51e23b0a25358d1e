/* Every word of the view, and how numbers are said. */
const FILES = { list: "next-token", tree: "branches", cache: "cache", cost: "cache-cost" };
const TEXT = tp.words({
  en: {
    title: "Generate",
    intro:
      "A language model writes one token at a time. It gives every token it knows a probability, one of them is drawn, " +
      "and the longer text is read again. Press “Step” and watch.",
    prompt: "Prompt",
    promptHint: "Enter starts again from this prompt; Shift+Enter is a line break.",
    use: "Use this prompt",
    examples: "Try:",
    checkpoint: "The model, at this step of its training",
    /** @type {(step: number, last: number) => string} */
    checkpointAt: (step, last) =>
      step === last ? `step ${count(step)}, the newest` : `step ${count(step)} of ${count(last)}`,
    writeNewest: "Write with the newest",
    checkpointOne: (/** @type {string} */ label) => `${label}. This run has one checkpoint; more come while it trains.`,
    wait: "Reading the model …",
    offline: "The page's server does not answer. Is it still running?",

    text: "The text",
    textLabel: "The text so far. Right arrow: next token; left arrow: one back; space: play or pause.",
    textKeys: "Keys, when the text is in focus: → step, ← back, space play, Home restart.",
    legendPrompt: "prompt",
    legendUnsure: "unsure",
    legendSure: "sure",
    /** @type {(token: string, place: number) => string} */
    chip: (token, place) => `${token}, token ${place}`,
    /** @type {(chip: string, before: string, after: string) => string} */
    chipMine: (chip, before, after) =>
      `${chip}: probability ${before}, with your settings ${after}. Click to go back to here.`,
    step: "Step",
    stepTitle: "Write one more token",
    play: "Play",
    playTitle: "Keep writing",
    pause: "Pause",
    back: "Back",
    backTitle: "Go back by one token; what was written stays in the tree",
    restart: "Restart",
    restartTitle: "Go back to the prompt; what was written stays in the tree",
    speed: "Speed",
    speedValue: (/** @type {number} */ value) => (value ? `${value} a second` : "as fast as it can"),
    reseed: "New seed",
    reseedTitle: "Another seed draws other tokens from here on",
    /** @type {(used: number, context: number) => string} */
    room: (used, context) => `${count(used)} of the ${count(context)} tokens that the model can see at once.`,
    /** @type {(start: number, used: number) => string} */
    slid: (start, used) =>
      `The context was full, so the window slid: the model no longer sees the first ${count(start)} tokens, ` +
      `and the cache was filled again from the last ${count(used)}.`,
    longPrompt: (/** @type {number} */ start) =>
      `The prompt is longer than the context: the model does not see its first ${count(start)} tokens.`,
    changed: (/** @type {string} */ settings) => `Drawn with ${settings}.`,
    almost: "The context is full: with the next token the window slides to its last half.",
    limit: (/** @type {number} */ limit) => `This page stops at ${count(limit)} tokens. Go back, or restart.`,
    ended: "The model wrote its end token: here the text is over. Restart, or choose another prompt.",
    right: "Right answer:",
    verdicts: {
      right: "the model gets it right",
      wrong: "the model wrote something else",
      open: "not written to its end yet",
    },

    next: "The next token",
    nextNote: "How probable the model thinks each token is, all of them. Click one to write that one instead.",
    drawn: (/** @type {string} */ share) => `is what this seed draws next (${share}); another seed may draw another`,
    off: "off",
    greedy: "greedy",
    neutral: "All off",
    neutralTitle: "The model's own distribution: temperature 1, no filter",
    legendBefore: "the model's own",
    legendAfter: "with your settings",
    filters: [null, "temperature 0", "top-k", "top-p", "min-p"],
    nextMark: "next",
    /** @type {(kept: number, all: number) => string} */
    kept: (kept, all) =>
      kept === all ? `All ${count(all)} tokens can be drawn.` : `${count(kept)} of ${count(all)} tokens can be drawn.`,
    /** @type {(filter: string, tokens: number, share: string) => string} */
    removed: (filter, tokens, share) => `${filter} removes ${count(tokens)} (${share})`,
    removals: (/** @type {string[]} */ parts) => `${capital(parts.join(", "))}.`,
    impossible: "With temperature 0 the other filters have nothing left to do.",
    /** @type {(before: number, after: number) => string} */
    entropy: (before, after) =>
      before === after
        ? `${capital(openness(before))}.`
        : `${capital(openness(after))}; before your settings, ${openness(before)}.`,
    bits: (/** @type {string} */ amount) => `${amount} bits`,
    made: "there is nothing to choose (0 bits)",
    decided: (/** @type {string} */ amount) => `the choice is all but made (${amount})`,
    /** @type {(equal: string, amount: string) => string} */
    open: (equal, amount) => `as open as a choice between ${equal} equally likely tokens (${amount})`,
    list: "All tokens, the most probable first. Arrows move, Enter writes the token.",
    listKeys: "↑ ↓ move through the list, Enter writes the token.",
    /** @type {(token: string, before: string, after: string, note: string) => string} */
    row: (token, before, after, note) => `${token}: ${before}, with your settings ${after}${note ? `, ${note}` : ""}`,
    removedBy: (/** @type {string} */ filter) => `removed by ${filter}`,
    columns: ["token", "model", "settings"],
    listFigure: "The most probable next tokens",

    tree: "Branches",
    treeNote: "Every way the text has gone. Click a token to go there.",
    treeOne:
      "There is one way so far. Click another token in the list, or go back, press “New seed” and “Step”: the other way appears here.",
    treeKeys: "← → ↑ ↓ move through the tree, Enter goes there.",
    /** @type {(nodes: number, branches: number) => string} */
    treeLabel: (nodes, branches) => `Tree of ${nodes} tokens in ${branches} ${branches === 1 ? "branch" : "branches"}`,
    treePrompt: "the prompt",
    prune: "Keep only this way",
    pruneTitle: "Forget all other branches",

    cache: "The cache",
    cacheNote:
      "For every token, each layer computes a key (what queries are compared with) and a value (what it hands on). They never change, " +
      "so they are kept: the next token needs only its own.",
    /** @type {(used: number, context: number, layers: number, size: string) => string} */
    cacheFigure: (used, context, layers, size) =>
      `The cache holds keys and values of ${used} of ${context} positions in ${layers} layers: ${size}`,
    /** @type {(size: string, all: string) => string} */
    cacheSize: (size, all) => `${size} of ${all}`,
    /** @type {(first: number, last: number) => string} */
    cachePositions: (first, last) => `positions ${count(first)} to ${count(last)} of the text`,
    layer: (/** @type {number} */ layer) => `layer ${layer}`,
    keys: "keys",
    values: "values",
    newest: "new with this token",
    with: "with the cache",
    without: "without",
    costs: {
      here: "This token",
      all: (/** @type {number} */ tokens) => `Whole text (${count(tokens)} tokens)`,
      computed: "positions computed",
      flops: "FLOPs",
      ms: "milliseconds, measured",
    },
    /** @type {(flops: string, time: string) => string} */
    saved: (flops, time) => `So far the cache has saved ${flops} of the arithmetic and ${time} of the time.`,
    savedOnlyFlops: (/** @type {string} */ flops) =>
      `So far the cache has saved ${flops} of the arithmetic but no time: the model is so small that starting each step costs more than the numbers.`,
    savedFlops: (/** @type {string} */ flops) => `So far the cache has saved ${flops} of the arithmetic.`,
    comparing: "The text is computed again without the cache, to compare the two …",
    savedNothing: "Nothing is saved yet: the prompt is computed all at once. Press “Step”.",
    proof: (/** @type {string} */ difference) =>
      `And it changes nothing: with and without it, no logit of this text differs by more than ${difference}.`,
    proofRounding: "That is rounding in 32-bit floating-point numbers.",
    proofFailed: "That is more than rounding: the cache would be wrong here.",
    notAlone: (/** @type {string} */ difference) =>
      `With and without it, logits of this text differ by up to ${difference}, and have to: in this model the experts of a token depend on the other tokens that are computed with it.`,
    chartFlops: "FLOPs for each token",
    chartMs: "milliseconds for each token",
    chartLabel: (/** @type {string} */ what) => `${what}, over the positions of the text, with and without the cache`,
    position: "position",

    /** @type {(token: string, share: string) => string} */
    announce: (token, share) => `${token}, ${share}`,
    csv: {
      list: ["id", "token", "model", "settings", "removed by"],
      tree: ["node", "parent", "id", "token", "position", "model", "settings", "current"],
      cost: [
        "position",
        "token",
        "window start",
        "in window",
        "computed",
        "cache bytes",
        "flops",
        "flops without",
        "ms",
        "ms without",
        "largest logit difference",
      ],
    },
  },
  zh: {
    title: "生成",
    intro:
      "语言模型一次写一个词元。它给自己认识的每个词元一个概率，从中抽取一个，再把变长了的文本重新读一遍。" +
      "按“下一步”看看。",
    prompt: "提示",
    promptHint: "按 Enter 从这个提示重新开始；Shift+Enter 换行。",
    use: "使用这个提示",
    examples: "试试：",
    checkpoint: "用训练到哪一步的模型",
    checkpointAt: (step, last) =>
      step === last ? `第 ${count(step)} 步，最新` : `第 ${count(step)} 步，共 ${count(last)} 步`,
    writeNewest: "用最新的模型来写",
    checkpointOne: (label) => `${label}。这个训练任务只有一个检查点；继续训练会有更多。`,
    wait: "正在读取模型……",
    offline: "页面的服务器没有响应。它还在运行吗？",

    text: "文本",
    textLabel: "目前的文本。右方向键：下一个词元；左方向键：退回一个；空格：播放或暂停。",
    textKeys: "光标在文本上时的按键：→ 下一步，← 上一步，空格播放，Home 重来。",
    legendPrompt: "提示",
    legendUnsure: "没把握",
    legendSure: "有把握",
    chip: (token, place) => `${token}，第 ${place} 个词元`,
    chipMine: (chip, before, after) => `${chip}：概率 ${before}，按你的设置为 ${after}。点击回到这里。`,
    step: "下一步",
    stepTitle: "再写一个词元",
    play: "播放",
    playTitle: "一直写下去",
    pause: "暂停",
    back: "上一步",
    backTitle: "退回一个词元；写过的内容留在树里",
    restart: "重来",
    restartTitle: "回到提示；写过的内容留在树里",
    speed: "速度",
    speedValue: (value) => (value ? `每秒 ${value} 个` : "尽可能快"),
    reseed: "换一个种子",
    reseedTitle: "换一个种子，从这里开始会抽到别的词元",
    room: (used, context) => `模型一次最多能看到 ${count(context)} 个词元，已用 ${count(used)} 个。`,
    slid: (start, used) =>
      `刚才上下文满了，窗口向后移了一段：模型看不到最前面的 ${count(start)} 个词元了，缓存用最后 ${count(used)} 个词元重新填充。`,
    longPrompt: (start) => `提示比上下文长：模型看不到它最前面的 ${count(start)} 个词元。`,
    changed: (settings) => `抽取时用的是：${settings}。`,
    almost: "上下文满了：写下一个词元时，窗口会移到后一半。",
    limit: (limit) => `本页最多写到 ${count(limit)} 个词元。请退回，或重来。`,
    ended: "模型写出了结束词元，文本到此结束。可以重来，或换一个提示。",
    right: "正确答案：",
    verdicts: { right: "模型答对了", wrong: "模型写的不一样", open: "还没有写完" },

    next: "下一个词元",
    nextNote: "模型认为每个词元有多大可能，全部列在这里。点击一个，就改写那一个。",
    drawn: (share) => `用这个种子，下一步会抽中它（${share}）；换个种子就可能不同`,
    off: "关",
    greedy: "贪心",
    neutral: "全部关闭",
    neutralTitle: "模型自己的分布：温度为 1，不作筛选",
    legendBefore: "模型自己的概率",
    legendAfter: "按你的设置",
    filters: [null, "温度 0", "top-k", "top-p", "min-p"],
    nextMark: "下一个",
    kept: (kept, all) =>
      kept === all
        ? `全部 ${count(all)} 个词元都可能被抽中。`
        : `${count(all)} 个词元中，有 ${count(kept)} 个可能被抽中。`,
    removed: (filter, tokens, share) => `${filter} 去掉了 ${count(tokens)} 个（${share}）`,
    removals: (parts) => `${parts.join("，")}。`,
    impossible: "温度为 0 时，其他筛选不再起作用。",
    entropy: (before, after) =>
      before === after ? `${openness(before)}。` : `${openness(after)}；按你的设置之前，${openness(before)}。`,
    bits: (amount) => `${amount} 比特`,
    made: "没有选择的余地（0 比特）",
    decided: (amount) => `几乎已成定局（${amount}）`,
    open: (equal, amount) => `相当于在 ${equal} 个同样可能的词元中选择（${amount}）`,
    list: "全部词元，概率大的在前。方向键移动，Enter 写下这个词元。",
    listKeys: "↑ ↓ 在列表中移动，Enter 写下这个词元。",
    row: (token, before, after, note) => `${token}：${before}，按你的设置为 ${after}${note ? `，${note}` : ""}`,
    removedBy: (filter) => `被 ${filter} 去掉`,
    columns: ["词元", "模型", "设置后"],
    listFigure: "最可能的下一个词元",

    tree: "分支",
    treeNote: "文本走过的每一条路。点击一个词元就到那里。",
    treeOne: "目前只有一条路。在列表中点另一个词元，或者退回、换一个种子再走一步：另一条路就会出现在这里。",
    treeKeys: "← → ↑ ↓ 在树中移动，Enter 到那里。",
    treeLabel: (nodes, branches) => `${nodes} 个词元、${branches} 条分支的树`,
    treePrompt: "提示",
    prune: "只保留这条路",
    pruneTitle: "丢掉所有其他分支",

    cache: "KV 缓存",
    cacheNote:
      "对每个词元，每一层都算出一个键（它提供的线索）和一个值（它传递的内容）。它们不会再变，所以保存下来：下一个词元只需要算自己的。",
    cacheFigure: (used, context, layers, size) =>
      `缓存在 ${layers} 层中保存了 ${context} 个位置里 ${used} 个位置的键和值：${size}`,
    cacheSize: (size, all) => `${size}，最多 ${all}`,
    cachePositions: (first, last) => `文本的第 ${count(first)} 到第 ${count(last)} 个位置`,
    layer: (layer) => `第 ${layer} 层`,
    keys: "键",
    values: "值",
    newest: "这个词元新增的",
    with: "有缓存",
    without: "没有缓存",
    costs: {
      here: "这个词元",
      all: (tokens) => `整个文本（${count(tokens)} 个词元）`,
      computed: "计算的位置数",
      flops: "FLOPs",
      ms: "毫秒（实测）",
    },
    saved: (flops, time) => `到目前为止，缓存省下了 ${flops} 的计算和 ${time} 的时间。`,
    savedOnlyFlops: (flops) =>
      `到目前为止，缓存省下了 ${flops} 的计算，但没有省时间：模型太小，启动每一步比算这些数还费时。`,
    savedFlops: (flops) => `到目前为止，缓存省下了 ${flops} 的计算。`,
    comparing: "正在不用缓存再算一遍文本，以便比较……",
    savedNothing: "还没有省下什么：提示是一次算完的。按“下一步”。",
    proof: (difference) => `而且它什么都不改变：用缓存和不用缓存，这段文本的 logits 相差不超过 ${difference}。`,
    proofRounding: "这是 32 位浮点数的舍入误差。",
    proofFailed: "这超出了舍入误差：这里的缓存有错。",
    notAlone: (difference) =>
      `用缓存和不用缓存，这段文本的 logits 最多相差 ${difference}，而且必然如此：在这个模型里，一个词元的专家取决于和它一起计算的其他词元。`,
    chartFlops: "每个词元的 FLOPs",
    chartMs: "每个词元的毫秒数",
    chartLabel: (what) => `${what}，沿文本的各个位置，有缓存和没有缓存`,
    position: "位置",

    announce: (token, share) => `${token}，${share}`,
    csv: {
      list: ["编号", "词元", "模型", "设置后", "被什么去掉"],
      tree: ["节点", "父节点", "编号", "词元", "位置", "模型", "设置后", "当前"],
      cost: [
        "位置",
        "词元",
        "窗口起点",
        "窗口中的词元数",
        "计算的位置数",
        "缓存字节数",
        "FLOPs",
        "无缓存 FLOPs",
        "毫秒",
        "无缓存毫秒",
        "logits 最大差",
      ],
    },
  },
});

const { count } = tp;
const bits = (/** @type {number} */ value) =>
  TEXT.bits(`${value < 0.05 ? Number(value.toPrecision(1)) : value.toFixed(1)}`);
/** @returns {string} */
const openness = (/** @type {number} */ value) => {
  const equal = 2 ** value;
  if (value < 1e-6) return TEXT.made;
  if (equal < 1.05) return TEXT.decided(bits(value));
  return TEXT.open(equal < 10 ? String(Number(equal.toFixed(1))) : count(Math.round(equal)), bits(value));
};
const { percent, size: bytes } = tp;
const piece = (/** @type {number} */ token) => text.shown[token];
const quoted = (/** @type {number} */ token) => `“${piece(token)}”`;
