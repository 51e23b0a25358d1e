/* Every word that the picture shows, beside those that come with the parts (model_spec.py). */
const TEXT = tp.words({
  en: {
    shape: "shape",
    parameters: "parameters",
    /** @type {(n: number, of: number) => string} */
    block: (n, of) => `Block ${n} of ${of}`,
    slab: (/** @type {number} */ n) => `Block ${n}`,
    /** @type {(first: number, last: number) => string} */
    slabs: (first, last) => `Blocks ${first} to ${last}`,
    blockAbout: "All blocks are built alike, one after the other; each learns weights of its own.",
    slabAbout: "Built like the open block, with weights of its own. Press to open this one instead.",
    blockAboutMixed: "Blocks come in several kinds; each learns weights of its own.",
    slabAboutMixed: "Has weights of its own. Press to open this one instead.",
    strip: "Blocks:",
    /** @type {(number: number, kind: string) => string} */
    stripBlock: (number, kind) => `Block ${number}: ${kind}`,
    /** @type {(many: number, name: string) => string} */
    kinds: (many, name) => `${many} ${name}`,
    unit: "parameters",
    said: (/** @type {string[]} */ parts) => parts.join(". "),
    active: (/** @type {string} */ count) => `${count} of them work on each token`,
    stream: "residual stream",
    tied: "tied",
    lines: ["Queries", "Keys", "Values"],
    point: "Point at a part of the picture: it says what it does.",
    letters:
      "In a shape: B sequences, T tokens, C width of a vector, H heads, Hkv key-value heads, D width of a head, F width of the " +
      "feed-forward network, V vocabulary, E experts, K of them at work, S tokens of the source (in S·F: shared experts).",
    total: (/** @type {string} */ count) => `${count} parameters`,
    keys: "Arrow keys move between the parts; Enter opens a block.",
    csv: ["part", "tensor", "shape", "parameters"],
  },
  zh: {
    shape: "形状",
    parameters: "参数",
    block: (n, of) => `第 ${n} 块，共 ${of} 块`,
    slab: (n) => `第 ${n} 块`,
    slabs: (first, last) => `第 ${first} 到 ${last} 块`,
    blockAbout: "所有的块结构相同，一个接一个；每个块学习自己的权重。",
    slabAbout: "结构和展开的块相同，权重是自己的。点击改为展开这一块。",
    blockAboutMixed: "块有几种；每个块学习自己的权重。",
    slabAboutMixed: "有自己的权重。点击改为展开这一块。",
    strip: "各块：",
    stripBlock: (number, kind) => `第 ${number} 块：${kind}`,
    kinds: (many, name) => `${many} 个${name}`,
    unit: "个参数",
    said: (parts) => parts.join("。"),
    active: (count) => `处理每个词元时有 ${count} 个在工作`,
    stream: "残差流",
    tied: "共用",
    lines: ["查询", "键", "值"],
    point: "指向图中的一个部件，就能看到它做什么。",
    letters:
      "形状里的字母：B 序列数，T 词元数，C 向量宽度，H 头数，Hkv 键值头数，D 头的宽度，F 前馈网络的宽度，V 词表大小，" +
      "E 专家数，K 每个词元所用的专家数，S 原文的词元数（在 S·F 中：共享专家数）。",
    total: (count) => `${count} 个参数`,
    keys: "用方向键在各部分之间移动；Enter 展开一个块。",
    csv: ["部分", "张量", "形状", "参数"],
  },
});
