/* Every sentence and word of the view. */
const TEXT = tp.words({
  en: {
    title: "Look inside",
    intro:
      "An attention head lets every token read from the tokens before it. Here you see what each head of this " +
      "model reads, for a text of your own, at the stages of its training that were kept.",
    text: "Text to look at",
    /** @type {(kept: number, limit: number, kind: string) => string} */
    textHint: (kept, limit, kind) =>
      `${kept} ${kept === 1 ? "token" : "tokens"}${{ letters: ", one for each letter", words: ", one for each word" }[kind] ?? ""}; there is room for ${limit}.`,
    textCut: "There is no room for the rest:",
    textReset: "Back to the first text",
    step: "Step of training",
    stepOne: "This run has one checkpoint; more come while it trains.",
    stepBetween: "recorded while training",
    play: "Play through the steps of training",
    pause: "Pause",
    wait: "Reading the model …",
    offline: "The page's server does not answer. Is it still running?",

    allHeads: "All heads",
    allHeadsNote:
      "One square is one head. Each row of it is a token that reads, each column a token that is read; the darker " +
      "the cell, the more it takes. Nothing can be read from the future, so the upper half stays empty.",
    allHeadsNoteDark:
      "One square is one head. Each row of it is a token that reads, each column a token that is read; the brighter " +
      "the cell, the more it takes. Nothing can be read from the future, so the upper half stays empty.",
    allHeadsTry: "Press a square to see it large. ⊘ switches a head off.",
    layer: (/** @type {number} */ layer) => `Layer ${layer + 1}`,
    headColumn: (/** @type {number} */ head) => `Head ${head + 1}`,
    /** @type {(layer: number, head: number) => string} */
    layerHead: (layer, head) => `Layer ${layer + 1}, head ${head + 1}`,
    gridLabel: "All heads: layers in rows, heads in columns",
    /** @type {(layer: number, head: number) => string} */
    zeroOne: (layer, head) => `Switch off layer ${layer + 1}, head ${head + 1}`,
    /** @type {(layer: number, head: number) => string} */
    zeroOneOff: (layer, head) => `Switch layer ${layer + 1}, head ${head + 1} on again`,
    scale: "weight",

    patterns: /** @type {{ [rule: string]: string }} */ ({
      itself: "itself",
      previous: "previous",
      first: "first",
      repeat: "repeats",
      same: "same token",
    }),
    patternToken: (/** @type {string} */ token) => `likes ${token}`,
    patternMixed: "mixed",
    patternSentences: /** @type {{ [rule: string]: (share: string, token: string) => string }} */ ({
      itself: (share) => `Often reads the token itself (${share}).`,
      previous: (share) => `Often reads the token just before: a previous-token head (${share}).`,
      first: (share) =>
        `Mostly rests on the first token (${share}): often a sign that there is nothing for it to do here.`,
      repeat: (share) => `Reads what followed the same token earlier (${share}), as an induction head does.`,
      same: (share) => `Looks up earlier copies of the same token (${share}).`,
      token: (share, token) => `In this text it looks mostly for ${token} (${share}), wherever that stands.`,
    }),
    patternShare: "How much more of its attention it gives there than a head that reads everything evenly.",
    /** @type {(count: number, back: number) => string} */
    patternNone: (count, back) =>
      `No simple rule describes it here. A token reads about ${count === 1 ? "1 token" : `${count} tokens`} at a time, on average ${back} back.`,
    /** @type {(query: string, key: string, share: string) => string} */
    patternPair: (query, key, share) => `At its sharpest, “${query}” reads ${share} from “${key}”.`,
    suggested:
      "Shown first: one token of this text reads a single earlier token here, more sharply than in any other head.",
    headTry:
      "Move over the text, or click a token to hold it. With the keyboard: arrows move, Enter holds, Esc lets go.",
    /** @type {(layer: number, head: number) => string} */
    textFigure: (layer, head) =>
      `The text; from the chosen token, lines to the tokens that layer ${layer}, head ${head} reads`,
    matrix: "Every token at once",
    matrixNote: "Rows read, columns are read. Move over it; a click holds the row.",
    /** @type {(layer: number, head: number, size: number) => string} */
    matrixLabel: (layer, head, size) => `Attention weights of layer ${layer}, head ${head}: ${size} by ${size}`,
    /** @type {(query: string, key: string, weight: string) => string} */
    readout: (query, key, weight) => `${query} reads ${weight} from ${key}`,
    reads: "reads from",
    held: "held",
    itself: "itself",
    place: (/** @type {number} */ index) => `${index + 1}`,
    /** @type {(count: number, share: string) => string} */
    others: (count, share) => `and ${share} from ${count} more`,
    /** @type {(query: string, place: number, parts: string) => string} */
    announce: (query, place, parts) => `${query}, token ${place}, reads ${parts}`,
    /** @type {(share: string, key: string) => string} */
    announcePart: (share, key) => `${share} from ${key}`,

    numbers: "In numbers: how one token's attention comes about",
    numbersTeaser: "q·k, scaled, masked, softmax, weighted values",
    /** @type {(query: string, width: number) => string} */
    numbersNote: (query, width) =>
      `The token “${query}” asks with its query q; every token offers a key k and a value v, ${width} numbers each. ` +
      "How well q and k match, their product, decides how much of v is taken.",
    numbersTry:
      "Hold another token above and compare the columns “mask” and “softmax”: the largest score that is left gets the largest share.",
    columns: {
      place: "#",
      token: "token",
      key: "key k",
      product: "q·k",
      scaled: (/** @type {number} */ width) => `÷ √${width}`,
      bias: "+ distance",
      masked: "mask",
      weight: "softmax",
      value: "weight × v",
    },
    biasTitle: "ALiBi's penalty on distance",
    future: "−∞",
    query: "query q",
    output: "Sum: what this head hands on",
    workedFuture: (/** @type {string} */ key) =>
      `${key} lies in the future: the mask makes its score −∞, and e to the −∞ is 0.`,
    sum: "sum",

    zero: "Switch heads off",
    zeroTeaser: "what changes without them?",
    zeroNote:
      "A head that is switched off hands on zeros. If the prediction hardly moves, the model did not need it here. " +
      "The loss can even fall: on this text the head then misled the model, though on others it may help.",
    zeroTry:
      "Switch heads off one by one, here or with ⊘ at the maps, and watch the loss: which one does the model miss most?",
    zeroHeads: "Heads that are switched off",
    /** @type {(layer: number, head: number) => string} */
    zeroThis: (layer, head) => `Switch off layer ${layer + 1}, head ${head + 1}`,
    /** @type {(layer: number, head: number) => string} */
    zeroThisOn: (layer, head) => `Switch layer ${layer + 1}, head ${head + 1} on again`,
    zeroClear: "All heads on",
    zeroNone: "All heads are on.",
    zeroSome: (/** @type {string[]} */ heads) => `Off: ${heads.join("; ")}.`,
    /** @type {(layer: number, head: number) => string} */
    zeroHead: (layer, head) => `layer ${layer + 1}, head ${head + 1}`,
    zeroMaps: "The maps above still show the whole model.",
    next: (/** @type {string} */ context) => `The next token after “${context}”`,
    before: "all heads on",
    after: "switched off",
    loss: "Loss on this text",
    lossOne: "Loss needs a text of at least two tokens.",
    /** @type {(before: string, after: string) => string} */
    lossValue: (before, after) => `${before} → ${after} nats per token`,
    lossSame: (/** @type {string} */ value) => `${value} nats per token`,
    worse: (/** @type {string} */ difference) => `worse by ${difference}`,
    better: (/** @type {string} */ difference) => `better by ${difference}`,
    moved: (/** @type {string} */ share) => `${share} of the probability moved to other tokens.`,
    zeroFigure: "Probabilities of the next token with all heads on and with some switched off",

    lens: "Logit lens: what would the model say after each layer?",
    lensTeaser: "watch a prediction take shape from layer to layer",
    lensNote:
      "After every step through the model, its unfinished state is read out as if it were final (nostalgebraist, " +
      "2020). Each cell shows the token it would then predict next; the stronger the colour, the surer it is.",
    lensTry: "Follow one column downwards: where does the right answer (outlined) first appear, and does it stay?",
    lensRows: {
      embedding: "embedding",
      attention: (/** @type {number} */ n) => `attention ${n}`,
      feedforward: (/** @type {number} */ n) => `feed-forward ${n}`,
    },
    lensInput: "text",
    lensTruth: "came next",
    lensFigure: (/** @type {string[]} */ parts) => `Logit lens. At the last token: ${parts.join("; ")}`,
    /** @type {(stage: string, token: string, share: string) => string} */
    lensPart: (stage, token, share) => `after ${stage} ${token} ${share}`,
    /** @type {(stage: string, token: string, place: number) => string} */
    lensCell: (stage, token, place) => `After ${stage}, at ${token} (token ${place}):`,
    lensKeys: "Arrow keys move from cell to cell.",
    lensRight: (/** @type {string} */ share) => `the token that came next gets ${share}`,

    between: "At this step only the attention was recorded. The rest needs a checkpoint:",
    betweenGo: (/** @type {number} */ step) => `go to step ${count(step)}`,
    formula: {
      weight: "weight",
      output: "output",
      distance: "distance",
      thenWord: "then",
      spoken:
        "weight j = softmax of q · k j divided by the square root of the width; output = sum of weight j times v j",
    },
    csv: {
      weights: ["layer", "head", "query position", "query", "key position", "key", "weight"],
      numbers: [
        "layer",
        "head",
        "query position",
        "query",
        "key position",
        "key",
        "q.k",
        "scaled",
        "bias",
        "masked",
        "weight",
      ],
      vector: (/** @type {number} */ place) => `weighted v ${place}`,
      zero: ["token", "probability before", "probability after"],
      lens: ["stage", "position", "token", "rank", "predicted next", "probability"],
    },
    see: "What you see. ",
    tryIt: "Try. ",
  },
  zh: {
    title: "看内部",
    intro:
      "一个注意力头让每个词元从它前面的词元那里读取信息。在这里可以看到这个模型的每个头在读什么：" +
      "文本由你选，训练中保存下来的每个阶段都可以看。",
    text: "要看的文本",
    textHint: (kept, limit, kind) =>
      `${kept} 个词元${{ letters: "，每个字符一个", words: "，每个词一个" }[kind] ?? ""}；最多 ${limit} 个。`,
    textCut: "放不下的部分：",
    textReset: "回到最初的文本",
    step: "训练到第几步",
    stepOne: "这个训练任务只有一个检查点；继续训练会有更多。",
    stepBetween: "训练时的记录",
    play: "依次播放训练的各步",
    pause: "暂停",
    wait: "正在读取模型……",
    offline: "页面的服务器没有响应。它还在运行吗？",

    allHeads: "所有的头",
    allHeadsNote:
      "一个方块是一个头。方块的每一行是一个在读的词元，每一列是一个被读的词元；格子越深，读得越多。" +
      "未来的词元读不到，所以上半部分总是空的。",
    allHeadsNoteDark:
      "一个方块是一个头。方块的每一行是一个在读的词元，每一列是一个被读的词元；格子越亮，读得越多。" +
      "未来的词元读不到，所以上半部分总是空的。",
    allHeadsTry: "点一个方块把它放大。⊘ 关掉一个头。",
    layer: (layer) => `第 ${layer + 1} 层`,
    headColumn: (head) => `头 ${head + 1}`,
    layerHead: (layer, head) => `第 ${layer + 1} 层，头 ${head + 1}`,
    gridLabel: "所有的头：每行一层，每列一个头",
    zeroOne: (layer, head) => `关掉第 ${layer + 1} 层的头 ${head + 1}`,
    zeroOneOff: (layer, head) => `重新打开第 ${layer + 1} 层的头 ${head + 1}`,
    scale: "权重",

    patterns: { itself: "自己", previous: "前一个", first: "第一个", repeat: "重复", same: "相同词元" },
    patternToken: (token) => `偏爱 ${token}`,
    patternMixed: "混合",
    patternSentences: {
      itself: (share) => `常常读词元自己（${share}）。`,
      previous: (share) => `常常读紧挨着的前一个词元：前一词元头（${share}）。`,
      first: (share) => `主要停在第一个词元上（${share}）：这往往说明它在这里没有事情可做。`,
      repeat: (share) => `读同一个词元上次出现之后的内容（${share}），归纳头就是这样读的。`,
      same: (share) => `查找前面出现过的相同词元（${share}）。`,
      token: (share, token) => `在这段文本里，它主要找 ${token}（${share}），不管它在哪里。`,
    },
    patternShare: "和平均读所有词元的头相比，它在那里多用了多少注意力。",
    patternNone: (count, back) => `在这里没有简单的规律。一个词元一次大约读 ${count} 个词元，平均往回看 ${back} 个。`,
    patternPair: (query, key, share) => `最集中的时候，“${query}”有 ${share} 读自“${key}”。`,
    suggested: "先显示这个头，因为它最集中：有一个词元几乎只看前面的某一个词元。",
    headTry: "在文本上移动鼠标，或点击一个词元把它固定。用键盘：方向键移动，Enter 固定，Esc 放开。",
    textFigure: (layer, head) => `文本；连线从选中的词元指向第 ${layer} 层头 ${head} 所读的词元`,
    matrix: "一次看所有词元",
    matrixNote: "每一行是在看的词元，每一列是被看的词元。移动鼠标查看；点击固定一行。",
    matrixLabel: (layer, head, size) => `第 ${layer} 层头 ${head} 的注意力权重：${size} × ${size}`,
    readout: (query, key, weight) => `${query} 从 ${key} 读 ${weight}`,
    reads: "读的是",
    held: "已固定",
    itself: "自己",
    place: (index) => `${index + 1}`,
    others: (count, share) => `另有 ${share} 来自其余 ${count} 个`,
    announce: (query, place, parts) => `${query}，第 ${place} 个词元，读 ${parts}`,
    announcePart: (share, key) => `${key} ${share}`,

    numbers: "用数字看：一个词元的注意力是怎样算出来的",
    numbersTeaser: "q·k、缩放、掩码、softmax、加权的值",
    numbersNote: (query, width) =>
      `词元“${query}”用它的查询 q 提问；每个词元提供一个键 k 和一个值 v，各有 ${width} 个数。` +
      "q 和 k 有多吻合，也就是它们的点积，决定取多少 v。",
    numbersTry: "在上面固定另一个词元，比较“掩码”和“softmax”两列：剩下的最大分数占的权重最大。",
    columns: {
      place: "#",
      token: "词元",
      key: "键 k",
      product: "q·k",
      scaled: (width) => `÷ √${width}`,
      bias: "+ 距离",
      masked: "掩码",
      weight: "softmax",
      value: "权重 × v",
    },
    biasTitle: "ALiBi 对距离的惩罚",
    future: "−∞",
    query: "查询 q",
    output: "总和：这个头传下去的内容",
    workedFuture: (key) => `${key} 在未来：掩码把它的分数变成 −∞，而 e 的 −∞ 次方是 0。`,
    sum: "总和",

    zero: "关掉注意力头",
    zeroTeaser: "没有它们会怎样？",
    zeroNote:
      "关掉的头输出全是 0。如果预测几乎不变，说明模型在这里不需要它。" +
      "损失甚至会下降：在这段文本上，这个头误导了模型，在别的文本上它也许有用。",
    zeroTry: "把头一个一个关掉（在这里，或用图上的 ⊘），看损失的变化：模型最离不开哪一个？",
    zeroHeads: "关掉的头",
    zeroThis: (layer, head) => `关掉第 ${layer + 1} 层的头 ${head + 1}`,
    zeroThisOn: (layer, head) => `重新打开第 ${layer + 1} 层的头 ${head + 1}`,
    zeroClear: "全部打开",
    zeroNone: "所有的头都开着。",
    zeroSome: (heads) => `已关掉：${heads.join("；")}。`,
    zeroHead: (layer, head) => `第 ${layer + 1} 层头 ${head + 1}`,
    zeroMaps: "上面的图显示的仍是完整的模型。",
    next: (context) => `“${context}”之后的下一个词元`,
    before: "全部打开",
    after: "关掉之后",
    loss: "这段文本的损失",
    lossOne: "至少要有两个词元，才有损失。",
    lossValue: (before, after) => `每个词元 ${before} → ${after} 奈特`,
    lossSame: (value) => `每个词元 ${value} 奈特`,
    worse: (difference) => `变差 ${difference}`,
    better: (difference) => `变好 ${difference}`,
    moved: (share) => `有 ${share} 的概率移到了别的词元上。`,
    zeroFigure: "下一个词元的概率：全部头打开时，以及关掉一些头之后",

    lens: "logit lens：读到每一层时，模型会说什么？",
    lensTeaser: "看一个预测怎样逐层成形",
    lensNote:
      "在模型的每一步之后，把还没有算完的状态当作最后结果读出来（nostalgebraist，2020）。" +
      "每个格子是模型此时会预测的下一个词元；颜色越浓，它越有把握。",
    lensTry: "沿着一列往下看：正确答案（带框）最早在哪里出现？之后还在吗？",
    lensRows: { embedding: "嵌入", attention: (n) => `注意力 ${n}`, feedforward: (n) => `前馈网络 ${n}` },
    lensInput: "文本",
    lensTruth: "实际的下一个",
    lensFigure: (parts) => `logit lens。在最后一个词元处：${parts.join("；")}`,
    lensPart: (stage, token, share) => `${stage}：${token} ${share}`,
    lensCell: (stage, token, place) => `${stage}，在 ${token}（第 ${place} 个词元）处：`,
    lensKeys: "用方向键在格子之间移动。",
    lensRight: (share) => `实际的下一个词元得到 ${share}`,

    between: "这一步只记录了注意力。其余的需要检查点：",
    betweenGo: (step) => `到第 ${count(step)} 步`,
    formula: {
      weight: "权重",
      output: "输出",
      distance: "距离",
      thenWord: "然后",
      spoken: "权重 j 等于 q 与 k j 的点积除以宽度的平方根之后的 softmax；输出等于各个权重 j 乘以 v j 的总和",
    },
    csv: {
      weights: ["层", "头", "查询位置", "查询", "键位置", "键", "权重"],
      numbers: ["层", "头", "查询位置", "查询", "键位置", "键", "q·k", "缩放后", "偏置", "掩码后", "权重"],
      vector: (place) => `加权的 v ${place}`,
      zero: ["词元", "之前的概率", "之后的概率"],
      lens: ["阶段", "位置", "词元", "名次", "预测的下一个", "概率"],
    },
    see: "你看到的：",
    tryIt: "试一试：",
  },
});
