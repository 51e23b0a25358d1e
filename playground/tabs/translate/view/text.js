/* Every sentence and word of the view. */
const { count } = tp;
const TEXT = tp.words({
  en: {
    title: "Translate",
    intro:
      "An encoder reads a sentence, a decoder writes its translation one token at a time. Before each token the " +
      "decoder looks back at the sentence: the lines show where.",
    wait: "Reading the run …",
    offline: "The page's server does not answer. Is it still running?",
    none: "No run yet. Choose one above, or train one below.",
    /** @type {(name: string, other: string) => string} */
    standIn: (name, other) =>
      `“${name}” is a language model: it continues texts and translates none. So this page shows “${other}”, which does.`,
    standInNone: (/** @type {string} */ name) =>
      `“${name}” is a language model: it continues texts and translates none. Train a run that does: one click, below.`,
    /** @type {(name: string, step: number) => string} */
    facts: (name, step) => `“${name}” at step ${count(step)}`,
    /** @type {(share: string, step: number) => string} */
    accuracy: (share, step) =>
      `${share} of unseen sentences of its own small language exactly right (step ${count(step)})`,

    sentence: (/** @type {string} */ facts) => `${facts}.`,

    source: "Sentence to translate",
    examples: "Or take one:",
    /** @type {(count: number, limit: number) => string} */
    hint: (count, limit) => `${count} ${count === 1 ? "token" : "tokens"}; there is room for ${limit}.`,
    cut: "There is no room for the rest:",
    unknownHint: (/** @type {number} */ count) =>
      count === 1
        ? "One of them the model has never seen: it is marked."
        : `${count} of them the model has never seen: they are marked.`,
    reset: "Back to the sentence that training recorded",
    strangers: "It has never seen these words, and what it makes of them means nothing:",
    strangersMore: (/** @type {number} */ count) => `and ${count} more`,
    real: "A model of real sentences, German to English, learns in about an hour on one processor core. This command says how:",
    complete: "Words it knows:",
    vocabulary: (/** @type {number} */ count) => `All ${count} words it knows`,
    outside:
      "It knows every word, but no sentence of its small language is built like this one: what it writes is a guess.",

    attention: "Attention",
    of: { cross: "cross", encoder: "encoder", decoder: "decoder" },
    ofTitle: {
      cross: "Where the decoder looks in the sentence it translates",
      encoder: "Where each word of the sentence looks within the sentence",
      decoder: "Where the decoder looks in what it has written",
    },
    about: {
      cross: "Cross-attention: from each token that is written to the tokens of the sentence it looked at.",
      encoder: "Encoder self-attention: every token of the sentence looks at all others, to the left and to the right.",
      decoder: "Decoder self-attention: a token that is written looks only at what was written before it.",
    },
    layer: "Layer",
    head: "Head",
    average: "average",
    /** @type {(layer: number, head: number) => string} */
    toSharpest: (layer, head) => `Sharpest: layer ${layer}, head ${head}`,
    sharpestTitle: "The head whose rows look most sharply, each at another token",
    toAverage: "Back to the average",
    shown: "Translation",
    own: "the model's own",
    right: "the right one",
    ownTitle: "What the model of this step writes",
    rightTitle: "Give the model the right translation, and see where it looks while it reads that",
    rightUnknown: "The right translation of this sentence is not known",

    play: "▶ Play",
    pause: "❚❚ Pause",
    playTitle: "See the translation form, token by token (space bar)",
    step: "Step ▸",
    stepTitle: "Write one token",
    back: "◂ Back",
    backTitle: "Take one token back",
    restart: "Restart",
    restartTitle: "Take all tokens back",
    /** @type {(at: number, count: number) => string} */
    place: (at, count) => `token ${at} of ${count}`,
    sourceRow: (/** @type {string | undefined} */ language) => (language ? `reads ${tp.translate(language)}` : "reads"),
    targetRow: (/** @type {string | undefined} */ language) =>
      language ? `writes ${tp.translate(language)}` : "writes",
    /** @type {(of: string, source: string, target: string) => string} */
    figure: (of, source, target) =>
      `${of} attention between “${source}” and “${target}”. Arrow keys move from token to token, Enter holds one, Escape lets go.`,
    /** @type {(text: string, place: number) => string} */
    sourceToken: (text, place) => `read ${place}: ${text}`,
    /** @type {(text: string, place: number) => string} */
    targetToken: (text, place) => `written ${place}: ${text}`,
    figureHelp:
      "Point at a word to follow its lines; a click holds it. With the keyboard: arrows move, Enter holds, Esc lets go.",
    unknownToken: "The model has never seen this. It reads ⟨unknown⟩ in its place.",
    looks: /** @type {{ [kind in Kind]: (token: string) => string }} */ ({
      cross: (token) => `While writing “${token}”, the decoder looks at`,
      encoder: (token) => `“${token}” looks at`,
      decoder: (token) => `While writing “${token}”, the decoder looks back at`,
    }),
    seen: /** @type {{ [kind: string]: (token: string) => string }} */ ({
      cross: (token) => `“${token}” is looked at while writing`,
      decoder: (token) => `“${token}” is looked at while writing`,
    }),
    begin: "⟨begin⟩",
    comma: ",",
    nobody: "nobody yet",

    translation: "Translation",
    rightTranslation: "The right translation, given to it",
    byItself: (/** @type {number} */ step) => `By itself, at step ${count(step)}, it wrote`,
    byItselfUnknown: "What it would have written by itself was not kept.",
    correct: "exactly right",
    wrong: "not the expected one:",
    never: "It never came to its end: there was no more room.",
    branched: "You chose a token here, and the model went on from it.",
    branchedBack: "Back to the model's own choice",

    film: "Step of training",
    filmHelp: "Move through training: the same sentence, at each step that was recorded.",
    filmPlay: "Play through the steps of training",
    filmPause: "Pause",
    newest: "Newest",
    recordedNote: "recorded while training, along the right translation",
    sharp: "sharpness",
    sharpTitle: "The largest weight of each row of cross-attention, on average over the rows: 1 is a single word",
    exact: "exact match",
    /** @type {(sharp: string, exact: string) => string} */
    filmLabel: (sharp, exact) =>
      `Over training: the alignment's sharpness, now ${sharp}, and exact match, now ${exact}.`,

    matrix: "The same as a table",
    matrixHelp: {
      cross: "Rows are written, columns are read.",
      encoder: "Each row looks at the columns.",
      decoder: "Rows are written, columns were written before.",
    },
    /** @type {(of: string, rows: number, columns: number) => string} */
    matrixLabel: (of, rows, columns) => `${of} attention, ${rows} rows by ${columns} columns.`,
    /** @type {(row: string, column: string, share: string) => string} */
    cell: (row, column, share) => `“${row}” looks at “${column}” with ${share}`,

    next: "What could come here",
    nextPlace: (/** @type {number} */ place) => `Token ${place}: the five most probable`,
    nextHesitated: (/** @type {number} */ place) => `Token ${place}, where it was least sure`,
    nextSure: (/** @type {number} */ place) => `It was sure everywhere. Token ${place}, as one of them`,
    nextHelp: "Click another token, and the translation goes on from there.",
    nextRecorded:
      "Of this step only where it looked was kept, not the model itself, so there are no other words to choose from. The taller marks on the slider are steps with a model.",
    /** @type {(text: string, share: string, chosen: boolean) => string} */
    nextOption: (text, share, chosen) => `${text}, ${share}${chosen ? ", chosen" : ""}`,

    beam: "Greedy or beam search?",
    beamTeaser: "follow several translations side by side, and see what was given up",
    beamNote:
      "Greedy takes the most probable token each time and cannot go back. Beam search keeps the best few beginnings " +
      "alive, and prunes the rest.",
    beams: "Beams",
    penalty: "Length penalty",
    penaltyTitle: "Each score is divided by ((5 + length) / 6) to this power: 0 favours short translations",
    greedy: "Greedy",
    beamNumber: (/** @type {number} */ place) => `Beam ${place}`,
    columns: ["", "translation", "log-probability", "tokens", "score"],
    scoreTitle: "log-probability ÷ ((5 + length) / 6)^penalty",
    same: "Beam search found the same as greedy.",
    better: (/** @type {string} */ times) =>
      `Beam search found a translation that the model thinks ${times} times as probable as the greedy one.`,
    worse: "The best by score is not more probable than the greedy one: the length penalty decided.",
    tree: "The search as a tree",
    treeHelp: "From left to right, one column a token; the best stand on top. Numbers are the total log-probability.",
    /** @type {(nodes: number, kept: number, ended: number, pruned: number) => string} */
    treeLabel: (nodes, kept, ended, pruned) =>
      `Tree of ${nodes} candidates: ${kept} kept, ${ended} ended, ${pruned} pruned.`,
    fates: /** @type {{ [fate: string]: string }} */ ({
      best: "the best",
      kept: "kept",
      ended: "ended",
      pruned: "pruned",
      greedy: "greedy's path",
    }),
    /** @type {(token: string, share: string, total: string, fate: string) => string} */
    node: (token, share, total, fate) => `“${token}”: ${share} here, in all ${total}; ${fate}`,
    greedyToo: (/** @type {string} */ node) => `${node}; greedy's path`,
    leftOut: (/** @type {number} */ branches) =>
      `${count(branches)} pruned branches are not drawn: there are too many.`,

    training: "Train it live",
    trainingHelp:
      "One click starts a small run on this machine; the page follows it, and the alignment sharpens as it learns.",
    trainStart: "Train",
    trainStarting: "Starting …",
    trainStop: "Stop",
    queued: (/** @type {[number, number]} */ [place, waiting]) => `number ${place} of ${waiting} in the queue`,
    /** @type {(name: string, state: string, step: number, total: number) => string} */
    progress: (name, state, step, total) => `“${name}”: ${state}, step ${count(step)} of ${count(total)}`,
    curves: "Exact match over steps",
    exactUnit: "share of unseen texts, every token right",
    loss: "Loss",
    lossUnit: "nats per token",
    train: "training",
    batch: "one batch",
    heldOut: "validation",
    xName: "step",
    /** @type {(step: number, exact: string, loss: string) => string} */
    chartSummary: (step, exact, loss) =>
      `Exact match and loss over training, to step ${count(step)}. Exact match ${exact}, validation loss ${loss}.`,
    chartHelp: "Drag to zoom in, double-click to see all.",
    samples: "The same sentences, again and again",
    samplesHelp: "Each square is one look during training: green is exactly right. Click a sentence to open it above.",
    samplesStep: (/** @type {number} */ step) => `as written at step ${count(step)}`,
    /** @type {(step: number, text: string) => string} */
    sampleTip: (step, text) => `step ${count(step)}: ${text}`,
    /** @type {(right: number, count: number) => string} */
    sampleStrip: (right, count) => `exactly right at ${right} of ${count} steps`,
    noSamples: "Samples appear as soon as it trains.",
    verdict: /** @type {{ [right: string]: string }} */ ({ true: "✓", false: "✗" }),
    verdictName: /** @type {{ [right: string]: string }} */ ({ true: "exactly right", false: "wrong" }),

    csv: {
      weights: ["attention", "layer", "head", "row", "row token", "column", "column token", "weight"],
      tree: ["node", "parent", "token", "probability", "total log-probability", "fate"],
      curves: ["step", "loss", "validation loss", "exact match"],
      film: ["step", "sharpness", "exact match"],
    },
  },
  zh: {
    title: "翻译",
    intro: "编码器读一个句子，解码器一次一个词元地写出译文。写每个词元之前，解码器都会回头看原句：连线显示它在看哪里。",
    wait: "正在读取这个训练任务……",
    offline: "页面的服务器没有响应。它还在运行吗？",
    none: "还没有训练任务。请在上方选一个，或在下方训练一个。",
    standIn: (name, other) => `“${name}”是语言模型：它续写文本，不会翻译。所以本页显示会翻译的“${other}”。`,
    standInNone: (name) => `“${name}”是语言模型：它续写文本，不会翻译。请训练一个会翻译的模型：在下方点一下就行。`,
    facts: (name, step) => `“${name}”，第 ${count(step)} 步`,
    accuracy: (share, step) => `在它自己的小语言里，没见过的句子有 ${share} 完全正确（第 ${count(step)} 步）`,
    sentence: (facts) => `${facts}。`,

    source: "要翻译的句子",
    examples: "或选一句：",
    hint: (count, limit) => `${count} 个词元；最多 ${limit} 个。`,
    cut: "放不下的部分：",
    unknownHint: (count) => `其中 ${count} 个是模型从没见过的，已标出。`,
    reset: "回到训练时记录的句子",
    strangers: "它从没见过这些词，由它们得出的译文没有意义：",
    strangersMore: (count) => `以及另外 ${count} 个`,
    real: "翻译真实句子（德译英）的模型，一个处理器核大约一小时就能学会。怎么做，运行这条命令就知道：",
    complete: "它认识的词：",
    vocabulary: (count) => `它认识的全部 ${count} 个词`,
    outside: "每个词它都认识，但它的小语言里没有这样的句子：它写出的只是猜测。",

    attention: "注意力",
    of: { cross: "交叉", encoder: "编码器", decoder: "解码器" },
    ofTitle: {
      cross: "解码器在看原句的哪里",
      encoder: "原句中的每个词在看原句的哪里",
      decoder: "解码器在看自己写过的哪里",
    },
    about: {
      cross: "交叉注意力：从写出的每个词元，连到它所看的原句词元。",
      encoder: "编码器的自注意力：原句的每个词元都看所有其他词元，左边和右边都看。",
      decoder: "解码器的自注意力：写出的词元只看在它之前写出的内容。",
    },
    layer: "层",
    head: "头",
    average: "平均",
    toSharpest: (layer, head) => `最清晰的：第 ${layer} 层，头 ${head}`,
    sharpestTitle: "各行看得最集中、而且各看不同词元的那个头",
    toAverage: "回到平均",
    shown: "译文",
    own: "模型自己的",
    right: "正确的",
    ownTitle: "这一步的模型写出的译文",
    rightTitle: "把正确译文交给模型，看它读的时候在看哪里",
    rightUnknown: "不知道这个句子的正确译文",

    play: "▶ 播放",
    pause: "❚❚ 暂停",
    playTitle: "看译文一个词元一个词元地形成（空格键）",
    step: "下一步 ▸",
    stepTitle: "写一个词元",
    back: "◂ 上一步",
    backTitle: "退回一个词元",
    restart: "重来",
    restartTitle: "退回全部词元",
    place: (at, count) => `词元 ${at}/${count}`,
    sourceRow: (language) => (language ? `读${tp.translate(language)}` : "读"),
    targetRow: (language) => (language ? `写${tp.translate(language)}` : "写"),
    figure: (of, source, target) => `“${source}”和“${target}”之间的${of}注意力。方向键移动，Enter 固定，Esc 放开。`,
    sourceToken: (text, place) => `读 ${place}：${text}`,
    targetToken: (text, place) => `写 ${place}：${text}`,
    figureHelp: "把鼠标指向一个词，看它的连线；点击把它固定。用键盘：方向键移动，Enter 固定，Esc 放开。",
    unknownToken: "模型从没见过它。它读到的是 ⟨unknown⟩。",
    looks: {
      cross: (token) => `写“${token}”时，解码器在看：`,
      encoder: (token) => `“${token}”在看：`,
      decoder: (token) => `写“${token}”时，解码器回头看：`,
    },
    seen: { cross: (token) => `看了“${token}”，当时在写：`, decoder: (token) => `看了“${token}”，当时在写：` },
    begin: "⟨begin⟩",
    comma: "，",
    nobody: "还没有",

    translation: "译文",
    rightTranslation: "交给它的正确译文",
    byItself: (step) => `第 ${count(step)} 步时，它自己写的是`,
    byItselfUnknown: "它自己会怎么写，当时没有保存下来。",
    correct: "完全正确",
    wrong: "和预期的不同：",
    never: "它没有写到结尾：已经没有空位了。",
    branched: "你在这里选了一个词元，模型从它接着写。",
    branchedBack: "回到模型自己的选择",

    film: "训练到第几步",
    filmHelp: "拖动滑块经过训练：同一个句子，在每个记录下来的步。",
    filmPlay: "依次播放训练的各步",
    filmPause: "暂停",
    newest: "最新",
    recordedNote: "训练时沿正确译文的记录",
    sharp: "集中度",
    sharpTitle: "交叉注意力每一行的最大权重，对各行取平均：1 表示只看一个词",
    exact: "完全正确率",
    filmLabel: (sharp, exact) => `在训练过程中：对齐的集中度，现在是 ${sharp}；完全正确率，现在是 ${exact}。`,

    matrix: "同样的内容，画成表格",
    matrixHelp: {
      cross: "行是写出的，列是读到的。",
      encoder: "每一行看各列。",
      decoder: "行是写出的，列是在它之前写出的。",
    },
    matrixLabel: (of, rows, columns) => `${of}注意力，${rows} 行，${columns} 列。`,
    cell: (row, column, share) => `“${row}”看“${column}”的权重是 ${share}`,

    next: "这里还可能是什么",
    nextPlace: (place) => `第 ${place} 个词元：最可能的五个`,
    nextHesitated: (place) => `第 ${place} 个词元，模型最没有把握的地方`,
    nextSure: (place) => `它处处都有把握。以第 ${place} 个词元为例`,
    nextHelp: "点另一个词元，译文就从那里接着写。",
    nextRecorded: "这一步只保存了它在看哪里，没有保存模型，所以没有别的词可选。滑块上较高的刻度是保存了模型的步。",
    nextOption: (text, share, chosen) => `${text}，${share}${chosen ? "，已选" : ""}`,

    beam: "贪心，还是束搜索？",
    beamTeaser: "同时跟踪几个译文，看看放弃了什么",
    beamNote: "贪心每次取概率最大的词元，不能回头。束搜索让最好的几个开头都活着，剪掉其余的。",
    beams: "束宽",
    penalty: "长度惩罚",
    penaltyTitle: "每个得分都除以 ((5 + 长度) / 6) 的这个次方：0 偏向短译文",
    greedy: "贪心",
    beamNumber: (place) => `束 ${place}`,
    columns: ["", "译文", "对数概率", "词元", "得分"],
    scoreTitle: "对数概率 ÷ ((5 + 长度) / 6)^惩罚",
    same: "束搜索找到的和贪心一样。",
    better: (times) => `束搜索找到了一个译文，模型认为它的概率是贪心译文的 ${times} 倍。`,
    worse: "得分最高的译文，概率并不比贪心的大：起决定作用的是长度惩罚。",
    tree: "搜索过程画成树",
    treeHelp: "从左到右，一列一个词元；最好的在最上面。数字是总的对数概率。",
    treeLabel: (nodes, kept, ended, pruned) =>
      `有 ${nodes} 个候选的树：保留 ${kept} 个，结束 ${ended} 个，剪掉 ${pruned} 个。`,
    fates: { best: "最好的", kept: "保留", ended: "已结束", pruned: "剪掉", greedy: "贪心的路径" },
    node: (token, share, total, fate) => `“${token}”：这里 ${share}，总计 ${total}；${fate}`,
    greedyToo: (node) => `${node}；贪心的路径`,
    leftOut: (branches) => `有 ${count(branches)} 条剪掉的分支没有画出：太多了。`,

    training: "现场训练",
    trainingHelp: "点一下，就在这台机器上开始一次小训练；页面会跟着它走，随着学习，对齐越来越清晰。",
    trainStart: "训练",
    trainStarting: "正在启动……",
    trainStop: "停止",
    queued: ([place, waiting]) => `排队中，第 ${place} 位，共 ${waiting} 位`,
    progress: (name, state, step, total) => `“${name}”：${state}，第 ${count(step)} 步，共 ${count(total)} 步`,
    curves: "完全正确率随步数的变化",
    exactUnit: "没见过的文本中，每个词元都正确的比例",
    loss: "损失",
    lossUnit: "奈特/词元",
    train: "训练",
    batch: "单个批次",
    heldOut: "验证",
    xName: "步数",
    chartSummary: (step, exact, loss) =>
      `训练到第 ${count(step)} 步的完全正确率和损失。完全正确率 ${exact}，验证损失 ${loss}。`,
    chartHelp: "拖动可以放大，双击看全部。",
    samples: "同样的句子，一遍又一遍",
    samplesHelp: "每个方块是训练中的一次查看：绿色表示完全正确。点一个句子，就在上面打开它。",
    samplesStep: (step) => `第 ${count(step)} 步写出的`,
    sampleTip: (step, text) => `第 ${count(step)} 步：${text}`,
    sampleStrip: (right, count) => `${count} 步中有 ${right} 步完全正确`,
    noSamples: "一开始训练，样例就会出现。",
    verdict: { true: "✓", false: "✗" },
    verdictName: { true: "完全正确", false: "错误" },

    csv: {
      weights: ["注意力", "层", "头", "行", "行的词元", "列", "列的词元", "权重"],
      tree: ["节点", "父节点", "词元", "概率", "总对数概率", "结局"],
      curves: ["步", "损失", "验证损失", "完全正确率"],
      film: ["步", "集中度", "完全正确率"],
    },
  },
});
