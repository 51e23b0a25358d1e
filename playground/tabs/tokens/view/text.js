/* Every sentence and word of the view. */
const { count } = tp;
const TEXT = tp.words({
  en: {
    title: "Tokens",
    intro:
      "A model does not read letters: it reads numbers. A tokenizer cuts the text into pieces and gives each piece its " +
      "number. How it cuts decides how long a text is for the model, and what the model can see of it.",
    wait: "Learning from the stories …",
    offline: "The page's server does not answer. Is it still running?",

    text: "A text to cut",
    /** @type {(characters: number, bytes: number) => string} */
    hint: (characters, bytes) =>
      `${count(characters)} ${characters === 1 ? "character" : "characters"}, ${count(bytes)} bytes in UTF-8.`,
    cut: "The rest is not cut:",
    examples: "Or take one:",
    exampleNames: ["English", "中文", "emoji", "numbers", "code", "languages"],

    rows: "One text, cut in different ways",
    rowsHelp: "Every coloured piece is one token. Point at one to see its number and its bytes; a click holds it.",
    names: {
      byte: "Bytes",
      char: "Characters",
      bpe: "BPE (subwords)",
      word: "Words",
      run: (/** @type {string} */ name) => `“${name}”`,
    },
    about: {
      byte: "A token for each byte. Writes everything; makes long rows.",
      char: "A token for each character of the learned text.",
      bpe: "Frequent strings are one token, all else falls apart into bytes.",
      word: "A token for each word it knows; others are spelled.",
      run: (/** @type {string} */ kind) => `The tokenizer of the run at the top of the page: ${kind}.`,
    },
    kinds: /** @type {{ [kind: string]: string }} */ ({
      char: "characters",
      word: "words",
      bpe: "BPE (subwords)",
      byte: "bytes",
      ids: "numbers only",
      "": "its own",
    }),
    figures: (/** @type {number} */ tokens) => `${count(tokens)} ${tokens === 1 ? "token" : "tokens"}`,
    perToken: (/** @type {string} */ value) => `${value} characters each`,
    vocabulary: (/** @type {number} */ size) => `vocabulary ${count(size)}`,
    unknown: (/** @type {number} */ many) =>
      many === 1 ? "1 character it cannot write" : `${count(many)} characters it cannot write`,
    /** @type {(name: string, tokens: number) => string} */
    line: (name, tokens) =>
      `${name}: ${tokens} tokens. Arrow keys move from token to token, Enter holds one, Escape lets go.`,

    id: "number",
    bytes: "bytes",
    points: "code points",
    /** @type {(merge: number, left: string, right: string) => string} */
    made: (merge, left, right) => `made by merge ${count(merge)}: ${left} + ${right}`,
    aByte: "one of the 256 bytes it began with",
    partOf: (/** @type {string} */ text) => `a part of “${text}”`,
    here: (/** @type {number} */ times) => (times === 1 ? "once in this text" : `${count(times)} times in this text`),
    cannot: "not in its vocabulary: a model with this tokenizer could not read the text",
    readout: "Point at a token.",

    learn: "How the pieces are learned: byte-pair encoding",
    learnHelp:
      "At first every byte is a token. Then, again and again, the pair of neighbours that is most frequent in a text becomes " +
      "one new token. Move through the merges and watch your text get shorter.",
    learnFrom: "Learn from",
    sources: { stories: "Stories", "stories-zh": "小故事", own: "My own text" },
    ownLabel: "Your own text to learn from",
    ownHint: (/** @type {number} */ most) =>
      `Paste a text here, at most ${count(most)} characters: it stays in this page and in the server's memory.`,
    /** @type {(characters: number, most: number) => string} */
    ownLong: (characters, most) =>
      `Your text has ${count(characters)} characters; at most ${count(most)} are read here. Nothing of it is used.`,
    file: "Open a file …",
    fileHint: "a text file in UTF-8, at most 1 MB",
    /** @type {(name: string, size: number) => string} */
    fileLarge: (name, size) => `“${name}” has ${tp.number(size)}B; at most 1 MB is read.`,
    /** @type {(name: string, why: string) => string} */
    fileWrong: (name, why) => `“${name}”: ${why}`,
    fileEmpty: (/** @type {string} */ name) => `“${name}” is empty.`,
    size: "Largest vocabulary",
    button: "Learn",
    learning: "Learning …",
    /** @type {(merges: number, characters: number, time: string) => string} */
    learned: (merges, characters, time) =>
      `${count(merges)} merges from ${count(characters)} characters, learned in ${time}.`,
    instant: "under 0.1 s",
    seconds: (/** @type {string} */ seconds) => `${seconds} s`,
    fewer: "There are no more pairs to merge.",
    train: "Train a model on this text",
    trainTitle: "Trains a model on this text with this tokenizer, at once, in the tab “Train”",

    film: "Merges",
    filmPlay: "Play through the merges",
    filmPause: "Pause",
    none: "No merges yet: every byte is a token.",
    /** @type {(number: number, of: number) => string} */
    merge: (number, of) => `merge ${count(number)} of ${count(of)}`,
    /** @type {(times: number, merged: number) => string} */
    occurs: (times, merged) =>
      `this pair stood ${count(times)} ${times === 1 ? "time" : "times"} in the learned text` +
      (merged < times ? `, ${count(merged)} of them could be merged` : ""),
    recut: "Your text, cut with the merges so far",
    /** @type {(tokens: number, per: string) => string} */
    recutFigures: (tokens, per) => `${count(tokens)} ${tokens === 1 ? "token" : "tokens"}, ${per} characters each`,
    around: "Merges around this one",
    /** @type {(number: number, left: string, right: string, times: string) => string} */
    goTo: (number, left, right, times) => `Merge ${number}: ${left} and ${right}, ${times} times`,
    chart: "Tokens for each character",
    chartUnit: "fewer is shorter",
    chartX: "vocabulary",
    trained: "learned text",
    typed: "your text",
    /** @type {(size: number, trained: string, typed: string) => string} */
    chartSummary: (size, trained, typed) =>
      `Tokens for each character over the size of the vocabulary; at ${count(size)}: learned text ${trained}, your text ${typed}.`,
    chartHelp: "Drag to zoom in, double-click to see all.",
    csv: {
      merges: [
        "merge",
        "left",
        "right",
        "new token",
        "number",
        "count",
        "tokens of the learned text",
        "tokens of your text",
      ],
      rows: ["tokenizer", "place", "token", "number", "bytes"],
    },
  },
  zh: {
    title: "词元",
    intro:
      "模型读的不是文字，而是数字。分词器把文本切成词元，给每个词元一个编号。怎么切，决定了一段文本" +
      "对模型来说有多长，以及模型能从中看到什么。",
    wait: "正在从故事中学习……",
    offline: "页面的服务器没有响应。它还在运行吗？",

    text: "要切分的文本",
    hint: (characters, bytes) => `${count(characters)} 个字符，按 UTF-8 为 ${count(bytes)} 个字节。`,
    cut: "其余部分不切分：",
    examples: "或选一个：",
    exampleNames: ["英文", "中文", "表情符号", "数字", "代码", "多种语言"],

    rows: "同一段文本，不同的切法",
    rowsHelp: "每个彩色的小格是一个词元。把鼠标指向它，可以看到它的编号和字节；点击把它固定。",
    names: { byte: "字节", char: "字符", bpe: "BPE（子词）", word: "单词", run: (name) => `“${name}”` },
    about: {
      byte: "一个字节一个词元。什么都能写，但序列很长。",
      char: "学习过的文本中，一个字符一个词元。",
      bpe: "常见的字符串是一个词元，其余的拆成字节。",
      word: "认识的单词是一个词元，其余的逐个字母拼写。",
      run: (kind) => `页面顶部那个训练任务所用的分词器：${kind}。`,
    },
    kinds: { char: "字符", word: "单词", bpe: "BPE（子词）", byte: "字节", ids: "只有编号", "": "自带的分词器" },
    figures: (tokens) => `${count(tokens)} 个词元`,
    perToken: (value) => `平均每个 ${value} 个字符`,
    vocabulary: (size) => `词表大小 ${count(size)}`,
    unknown: (many) => `有 ${count(many)} 个字符写不出来`,
    line: (name, tokens) => `${name}：${tokens} 个词元。方向键移动，Enter 固定，Esc 放开。`,

    id: "编号",
    bytes: "字节",
    points: "码位",
    made: (merge, left, right) => `由第 ${count(merge)} 次合并产生：${left} + ${right}`,
    aByte: "最初的 256 个字节之一",
    partOf: (text) => `“${text}”的一部分`,
    here: (times) => `在这段文本中出现 ${count(times)} 次`,
    cannot: "不在词表中：用这个分词器的模型读不了这段文本",
    readout: "把鼠标指向一个词元。",

    learn: "词元是怎样学来的：字节对编码",
    learnHelp:
      "一开始，每个字节都是一个词元。然后一次又一次，把文本中出现最多的一对相邻词元合并成一个新词元。" +
      "拖动滑块经过各次合并，看看你的文本怎样变短。",
    learnFrom: "学习的文本",
    sources: { stories: "英文小故事", "stories-zh": "中文小故事", own: "我自己的文本" },
    ownLabel: "用来学习的你自己的文本",
    ownHint: (most) => `在这里粘贴文本，最多 ${count(most)} 个字符：它只留在本页和服务器的内存里。`,
    ownLong: (characters, most) =>
      `你的文本有 ${count(characters)} 个字符；这里最多读 ${count(most)} 个。它完全没有用上。`,
    file: "打开文件……",
    fileHint: "UTF-8 编码的文本文件，最大 1 MB",
    fileLarge: (name, size) => `“${name}”有 ${tp.number(size)}B；最大只能读 1 MB。`,
    fileWrong: (name, why) => `“${name}”：${why}`,
    fileEmpty: (name) => `“${name}”是空的。`,
    size: "词表上限",
    button: "学习",
    learning: "正在学习……",
    learned: (merges, characters, time) =>
      `从 ${count(characters)} 个字符中学到 ${count(merges)} 次合并，用时：${time}。`,
    instant: "不到 0.1 秒",
    seconds: (seconds) => `${seconds} 秒`,
    fewer: "已经没有可以合并的字节对了。",
    train: "用这段文本训练模型",
    trainTitle: "立刻用这段文本和这个分词器训练一个模型，并打开“训练”标签页",

    film: "合并",
    filmPlay: "依次播放各次合并",
    filmPause: "暂停",
    none: "还没有合并：每个字节都是一个词元。",
    merge: (number, of) => `第 ${count(number)} 次合并，共 ${count(of)} 次`,
    occurs: (times, merged) =>
      `这一对在学习的文本中出现了 ${count(times)} 次${merged < times ? `，其中 ${count(merged)} 次可以合并` : ""}`,
    recut: "你的文本，按目前的合并来切",
    recutFigures: (tokens, per) => `${count(tokens)} 个词元，平均每个 ${per} 个字符`,
    around: "前后的合并",
    goTo: (number, left, right, times) => `第 ${number} 次合并：${left} 和 ${right}，${times} 次`,
    chart: "每个字符的词元数",
    chartUnit: "越少越短",
    chartX: "词表大小",
    trained: "学习的文本",
    typed: "你的文本",
    chartSummary: (size, trained, typed) =>
      `每个字符的词元数随词表大小的变化；在 ${count(size)} 处：学习的文本 ${trained}，你的文本 ${typed}。`,
    chartHelp: "拖动可以放大，双击看全部。",
    csv: {
      merges: ["合并", "左", "右", "新词元", "编号", "次数", "学习文本的词元数", "你的文本的词元数"],
      rows: ["分词器", "位置", "词元", "编号", "字节"],
    },
  },
});
