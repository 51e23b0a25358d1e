/* Every sentence and word of the view. */
const { count } = tp;
const FILES = {
  map: "expert-load",
  bars: "load",
  tokens: "routing",
  together: "together",
  kinds: "kinds",
  curves: "expert-curves",
};
const TEXT = tp.words({
  en: {
    title: "Experts",
    intro:
      "In such a model several small networks, its experts, stand side by side. For each token a router picks a few of " +
      "them to work on it; the others rest. Below, each letter has the colour and the number of its strongest expert.",
    evenly: "How evenly the work is shared",
    wait: "Reading the run …",
    offline: "The page's server does not answer. Is it still running?",
    none: "No run yet. Choose one above, or start one in the tab “Train”.",
    nothing: (/** @type {string} */ name) => `“${name}” has recorded nothing yet. The figures appear when it trains.`,
    nothingEver: (/** @type {string} */ name) =>
      `“${name}” has recorded nothing, and trains no further: there is nothing to show.`,
    unrecorded: (/** @type {string} */ name) =>
      `“${name}” has not recorded yet how its batches are routed. Work over time and load appear with its first record; ` +
      "below is how its router sends a text now.",
    unrecordedEver: (/** @type {string} */ name) =>
      `“${name}” has no recorded training and does not train any more, so there is no load over time to show. ` +
      "Below is how its router sends a text.",
    /** @type {(name: string, other: string) => string} */
    denseShown: (name, other) =>
      `“${name}” has no experts: each block has one feed-forward for all. So this page shows “${other}”, which has some.`,
    denseNone: (/** @type {string} */ name) =>
      `“${name}” has no experts: each block has one feed-forward for all. Train a run that has some, and watch its router here.`,
    toTrain: "Set the form for a run with experts",
    /** @type {(name: string, a: ExpertsAbout) => string} */
    facts: (name, a) =>
      `“${name}”: ${a.experts} experts in ${a.layers.length === 1 ? "one block" : `each of ${a.layers.length} blocks`}, ` +
      `${a.top_k === 1 ? "one works" : `${a.top_k} work`} on each token (router: ${tp.translate(a.router_name)}).` +
      (a.active ? ` ${tp.number(a.active)} of ${tp.number(a.parameters)} parameters are active for each token.` : ""),

    layer: "Block",
    layers: "all",
    layerName: (/** @type {number} */ block) => `Block ${block + 1}`,
    axis: "Horizontal axis",
    axes: { steps: "steps", flops: "FLOPs", seconds: "seconds" },
    axisNames: { steps: "step", flops: "FLOPs of training", seconds: "seconds of training" },
    compare: "Compare with",
    compareNone: "no other run",
    compareGroups: { own: "Your runs", shipped: "Trained for you" },
    dense: (/** @type {string} */ name) => `${name} (dense)`,
    denseMap: (/** @type {string} */ name) => `${name} (dense, so without a map)`,
    pair: "A/B: balance on and off",
    pairTitle:
      "Start two new runs of this configuration, with the same seed and the same batches: one with balancing, one without",
    pairStarting: "Starting two runs …",
    pairStarted: "Two runs train now: A with balancing, B without. Same seed, same batches.",

    timeline: "Work over time",
    timelineHelp:
      "One row is one expert, from left to right runs training. The stronger the colour, the more tokens the expert " +
      "got. Drag over the map, or move the slider, to go to a step.",
    scale: { none: "no token", fair: "fair share", most: (/** @type {number} */ times) => `${times} × or more` },
    /** @type {(run: string | null, block: number, experts: number, now: string) => string} */
    mapLabel: (run, block, experts, now) =>
      `Load of the ${experts} experts of block ${block + 1} over training${run ? `, run ${run}` : ""}. ${now}`,
    /** @type {(step: number, busiest: number, share: string) => string} */
    mapNow: (step, busiest, share) => `At step ${count(step)}, expert ${busiest + 1} has the most: ${share}.`,
    /** @type {(expert: number, step: number, share: string, fair: string) => string} */
    mapTip: (expert, step, share, fair) =>
      `Expert ${expert + 1}, step ${count(step)}: ${share} of the choices (fair: ${fair})`,
    loss: "Loss",
    lossUnit: "nats per token",
    training: "training",
    batch: "one batch",
    heldOut: "validation",
    vio: "MaxVio",
    vioUnit: "busiest expert above the mean",
    vioWorst: "busiest expert above the mean, in the worst block",
    record: "each record",
    smooth: "smoothed",
    /** @type {(step: number, loss: string, vio: string) => string} */
    chartSummary: (step, loss, vio) =>
      `Loss and MaxVio over training, to step ${count(step)}. Loss ${loss}, MaxVio ${vio}.`,
    step: "Step",
    chartHelp: "Drag over the curves to zoom in, double-click to see all; a click goes to a step.",
    /** @type {(step: number, newest: boolean) => string} */
    stepText: (step, newest) => `step ${count(step)}${newest ? ", the newest" : ""}`,
    newest: "Newest",
    runKey: { A: "A", B: "B" },
    balancingOff: "balancing off",
    biasOnly: "loss-free bias",
    /** @type {(field: string, value: number) => string} */
    mark: (field, value) => `${field} ${tp.number(value)}`,

    bars: "Load at this step",
    barsHelp:
      "f is the expert's share of all choices. P is the mean probability that the router gives it. The dashed line is the fair share.",
    f: "f, load",
    p: "P, probability",
    fair: "fair share",
    /** @type {(block: number, facts: string) => string} */
    barsLabel: (block, facts) => `Load of every expert in block ${block + 1}. ${facts}`,
    balanceFacts: {
      vio: "MaxVio",
      entropy: "routing entropy",
      /** @type {(value: string, most: string) => string} */
      ofMost: (value, most) => `${value} of ${most} nats`,
      dropped: "dropped tokens",
      dead: "dead experts",
      deadList: (/** @type {string} */ list) => `✕ ${list}`,
      alive: "none",
    },

    balance: "Balancing",
    balanceLive: "Changes take effect at the next step, and are marked on the curves.",
    balanceOver: "This run does not train now. Its weights of balancing, as they were at the end:",
    balanceShipped:
      "This run comes with the project and is trained already. Start one of your own to change these while it learns.",
    balanceNever: /** @type {{ [router: string]: string }} */ ({
      hash: "The hash router has nothing to learn, so balancing has no effect.",
      expert_choice: "Here experts choose their tokens, so their load is always even.",
    }),
    toBias: "Switch to the loss-free bias",
    toBiasTitle:
      "Set the weight of every loss that balances to 0 and the bias rate to 0.01; the z loss stays, it balances nothing",
    toOff: "Turn balancing off",
    toOffTitle:
      "Set the weight of every loss that balances and the bias rate to 0; the z loss stays, it balances nothing",
    notNumber: (/** @type {string} */ label) => `${label} must be a number.`,

    tokens: "Who works on which token",
    tokensHelp:
      "The colour and the number of a token are those of its strongest expert. Point at a token to see what the router " +
      "thought; a click holds it. With the keyboard: arrows move, Enter holds, Esc lets go.",
    text: "Text to route",
    /** @type {(count: number, limit: number) => string} */
    textHint: (count, limit) => `${count} ${count === 1 ? "token" : "tokens"}; there is room for ${limit}.`,
    textCut: "There is no room for the rest:",
    textReset: "Back to the text that training recorded",
    textBegin: "Back to the text of the beginning",
    /** @type {(step: number, recorded: boolean) => string} */
    routedAt: (step, recorded) =>
      recorded
        ? `As recorded at step ${count(step)}.`
        : `Routed by the checkpoint of step ${count(step)}, the nearest.`,
    gridLabel: "The text, once for each block with experts; each token with its strongest expert",
    /** @type {(piece: string, block: number, expert: number | null) => string} */
    cellLabel: (piece, block, expert) =>
      `${piece}: ${expert === null ? "no expert" : `expert ${expert + 1}`} in block ${block + 1}`,
    noExpert: "–",
    /** @type {(t: number, block: number) => string} */
    place: (t, block) => `token ${t + 1}, block ${block + 1}`,
    held: "held",
    gate: (/** @type {string} */ value) => `gate ${value}`,
    gates: "What the router thought",
    /** @type {(piece: string, block: number) => string} */
    gatesLabel: (piece, block) => `Router probabilities for ${piece} in block ${block + 1}`,
    /** @type {(k: number, chosen: number) => string} */
    cut: (k, chosen) =>
      chosen === 0
        ? "no expert took this token: it passes by"
        : chosen < k
          ? `${chosen} above the line worked; others had no room or were not chosen`
          : `the ${k === 1 ? "one" : k} above the line ${k === 1 ? "works" : "work"} on the token`,
    /** @type {(count: number, share: string) => string} */
    others: (count, share) => `and ${count} others, together ${share}`,
    path: "Its path through the blocks",
    pathLabel: "Experts of this token, block by block",

    special: "What experts have in common",
    counting: "Counting …",
    /** @type {(step: number, tokens: number) => string} */
    specialStep: (step, tokens) =>
      `Counted over ${count(tokens)} validation tokens, with the checkpoint of step ${count(step)}.`,
    together: "Experts that work together",
    togetherHelp: "Of the tokens of the expert in the row, the share that the expert in the column also works on.",
    togetherOne: "Here one expert works on each token, so no two ever work together: this table would be empty.",
    /** @type {(block: number, best: string) => string} */
    togetherLabel: (block, best) => `How often two experts share a token in block ${block + 1}. ${best}`,
    /** @type {(i: number, j: number, share: string) => string} */
    togetherBest: (i, j, share) =>
      `Most often together: ${share} of the tokens of expert ${i + 1} also go to expert ${j + 1}.`,
    /** @type {(i: number, j: number, share: string) => string} */
    togetherTip: (i, j, share) => `Of the tokens of expert ${i + 1}, ${share} also go to expert ${j + 1}`,
    kinds: "Kinds of tokens",
    kindsHelp: "A row is a kind of token. A cell is the share of its choices that went to the expert in the column.",
    kindsReal: "as routed",
    kindsDealt: "with the kinds shuffled",
    kind: "kind",
    /** @type {(bits: string, chance: string, all: string) => string} */
    kindsSentence: (bits, chance, all) =>
      `The expert tells ${bits} of the ${all} bits of a token's kind (mutual information). With the kinds ` +
      `shuffled among the tokens it would tell ${chance}: that much is chance. The difference is what this block has learned to separate.`,
    kindsWarning:
      "Experts of small models often follow the surface: single letters, spaces, capitals. They are rarely experts for grammar or topics.",

    measured: "What was measured",
    /** @type {(name: string, loss: string, step: number, flops: string) => string} */
    measuredOne: (name, loss, step, flops) =>
      `“${name}” has a validation loss of ${loss} nats per token at step ${count(step)}${flops ? `, after ${flops} FLOPs` : ""}.`,
    measuredNone: (/** @type {string} */ name) => `“${name}” has no validation loss yet.`,
    /** @type {(where: string, a: string, b: string) => string} */
    measuredTwo: (where, a, b) => `At ${where}, the validation loss is ${a} for A and ${b} for B.`,
    /** @type {(where: string, a: { loss: string, step: number }, b: { loss: string, step: number }) => string} */
    measuredEach: (where, a, b) =>
      `Up to ${where}, the last validation loss of A is ${a.loss}, at step ${count(a.step)}, and that of B is ${b.loss}, at step ${count(b.step)}.`,
    measuredSoon: "Wait until both have measured their loss on validation text: then it is compared here.",
    measuredAt: {
      steps: (/** @type {number} */ x) => `step ${count(Math.round(x))}`,
      flops: (/** @type {number} */ x) => `${tp.number(x)} FLOPs`,
      seconds: (/** @type {number} */ x) => `${tp.number(x)} seconds of training`,
    },
    measuredData: "The two runs read different texts, so their losses cannot be compared.",
    measuredDense: "B is dense.",
    measuredSeed: "That is one run each: another seed may turn a small difference around.",
    measuredSmall: "At this size a mixture may not beat a dense model that does as much work for each token.",

    csv: {
      load: ["run", "step", "block", "expert", "load", "probability"],
      curves: ["run", "step", "flops", "seconds", "block", "maxvio", "entropy", "dropped"],
      tokens: ["block", "position", "token", "expert", "probability", "gate"],
      kinds: ["block", "kind", "expert", "tokens", "tokens_shuffled"],
      together: ["block", "expert", "other", "share"],
    },
  },
  zh: {
    title: "专家",
    intro:
      "这种模型里并排放着几个小网络，叫作专家。每来一个词元，路由器就挑出其中几个来处理它，其余的休息。" +
      "下面每个字母的颜色和编号，就是处理它最多的那个专家。",
    evenly: "工作分得有多均匀",
    wait: "正在读取这个训练任务……",
    offline: "页面的服务器没有响应。它还在运行吗？",
    none: "还没有训练任务。请在上方选一个，或到“训练”标签页开始一个。",
    nothing: (name) => `“${name}”还没有记录任何内容。它训练起来之后，图就会出现。`,
    nothingEver: (name) => `“${name}”没有记录任何内容，也不再训练：没有可以显示的东西。`,
    unrecorded: (name) =>
      `“${name}”还没有记录它的批次是怎样分配的。有了第一条记录，这里就会出现工作量和负载的变化；下方是它的路由器现在怎样分配一段文本。`,
    unrecordedEver: (name) =>
      `“${name}”的训练过程没有记录，它也不再训练，所以没有工作量的变化可看。下方是它的路由器怎样分配一段文本。`,
    denseShown: (name, other) =>
      `“${name}”没有专家：每个块只有一个供所有词元使用的前馈网络。所以本页显示有专家的“${other}”。`,
    denseNone: (name) =>
      `“${name}”没有专家：每个块只有一个供所有词元使用的前馈网络。请训练一个有专家的模型，然后在这里看它的路由器。`,
    toTrain: "把表单设置成有专家的模型",
    facts: (name, a) =>
      `“${name}”：${a.layers.length === 1 ? "一个块里" : `${a.layers.length} 个块里各`}有 ${a.experts} 个专家，` +
      `每个词元由 ${a.top_k} 个专家处理（路由器：${tp.translate(a.router_name)}）。` +
      (a.active ? `全部 ${tp.number(a.parameters)} 个参数中，处理一个词元时有 ${tp.number(a.active)} 个在工作。` : ""),

    layer: "块",
    layers: "全部",
    layerName: (block) => `第 ${block + 1} 块`,
    axis: "横轴",
    axes: { steps: "步数", flops: "FLOPs", seconds: "秒数" },
    axisNames: { steps: "步数", flops: "训练的 FLOPs", seconds: "训练的秒数" },
    compare: "对比",
    compareNone: "不对比",
    compareGroups: { own: "你的训练任务", shipped: "已训练好的模型" },
    dense: (name) => `${name}（稠密）`,
    denseMap: (name) => `${name}（稠密，所以没有负载图）`,
    pair: "A/B：均衡开与关",
    pairTitle: "用这个配置开始两个新训练任务，随机种子和批次都相同：一次开启负载均衡，一次关闭",
    pairStarting: "正在启动两个训练任务……",
    pairStarted: "两个训练任务正在进行：A 开启均衡，B 关闭均衡。随机种子相同，批次也相同。",

    timeline: "工作量的变化",
    timelineHelp:
      "每一行是一个专家，从左到右是训练过程。颜色越浓，这个专家分到的词元越多。在图上拖动或移动滑块，可以到达某一步。",
    scale: { none: "没有词元", fair: "公平份额", most: (times) => `${times} 倍或更多` },
    mapLabel: (run, block, experts, now) =>
      `第 ${block + 1} 块的 ${experts} 个专家在训练中的负载${run ? `，训练任务 ${run}` : ""}。${now}`,
    mapNow: (step, busiest, share) => `在第 ${count(step)} 步，专家 ${busiest + 1} 分到的最多：${share}。`,
    mapTip: (expert, step, share, fair) =>
      `专家 ${expert + 1}，第 ${count(step)} 步：占全部选择的 ${share}（公平份额：${fair}）`,
    loss: "损失",
    lossUnit: "奈特/词元",
    training: "训练",
    batch: "单个批次",
    heldOut: "验证",
    vio: "MaxVio",
    vioUnit: "最忙的专家超出平均值多少",
    vioWorst: "最不均匀的块里，最忙的专家超出平均值多少",
    record: "每条记录",
    smooth: "平滑后",
    chartSummary: (step, loss, vio) => `训练到第 ${count(step)} 步的损失和 MaxVio。损失 ${loss}，MaxVio ${vio}。`,
    step: "步",
    chartHelp: "在曲线上拖动可以放大，双击看全部；点击则到达那一步。",
    stepText: (step, newest) => `第 ${count(step)} 步${newest ? "，最新" : ""}`,
    newest: "最新",
    runKey: { A: "A", B: "B" },
    balancingOff: "关闭均衡",
    biasOnly: "无辅助损失偏置",
    mark: (field, value) => `${field} ${tp.number(value)}`,

    bars: "这一步的负载",
    barsHelp: "f 是一个专家在所有选择中所占的份额，P 是路由器给它的平均概率。虚线是公平份额。",
    f: "f，负载",
    p: "P，概率",
    fair: "公平份额",
    barsLabel: (block, facts) => `第 ${block + 1} 块中每个专家的负载。${facts}`,
    balanceFacts: {
      vio: "MaxVio",
      entropy: "路由熵",
      ofMost: (value, most) => `${value} 奈特，最多 ${most}`,
      dropped: "丢弃的词元",
      dead: "死专家",
      deadList: (list) => `✕ ${list}`,
      alive: "无",
    },

    balance: "负载均衡",
    balanceLive: "改动从下一步起生效，并会标在曲线上。",
    balanceOver: "这个训练任务现在没有进行。下面是它结束时用于均衡的权重：",
    balanceShipped: "这个模型随项目提供，已经训练好了。自己开始一个训练任务，就可以在它学习时改变这些数。",
    balanceNever: {
      hash: "这里由哈希函数决定，没有东西可学：均衡不起作用。",
      expert_choice: "这里由专家挑选词元，所以它们的负载总是均匀的。",
    },
    toBias: "改用无辅助损失偏置",
    toBiasTitle: "把所有用于均衡的损失的权重设为 0，偏置步长设为 0.01；z 损失保留，它不起均衡作用",
    toOff: "关闭均衡",
    toOffTitle: "把所有用于均衡的损失的权重和偏置步长都设为 0；z 损失保留，它不起均衡作用",
    notNumber: (label) => `“${label}”必须是一个数。`,

    tokens: "谁处理哪个词元",
    tokensHelp:
      "词元的颜色和数字表示处理它的最强专家。把鼠标指向一个词元，可以看路由器是怎么想的；点击把它固定。用键盘：方向键移动，" +
      "Enter 固定，Esc 放开。",
    text: "要分配的文本",
    textHint: (count, limit) => `${count} 个词元；最多 ${limit} 个。`,
    textCut: "放不下的部分：",
    textReset: "回到训练时记录的文本",
    textBegin: "回到最初的文本",
    routedAt: (step, recorded) =>
      recorded ? `第 ${count(step)} 步时的记录。` : `由最近的检查点（第 ${count(step)} 步）分配。`,
    gridLabel: "这段文本，每个有专家的块一行；每个词元旁是处理它的最强专家",
    cellLabel: (piece, block, expert) =>
      `${piece}：第 ${block + 1} 块，${expert === null ? "没有专家" : `专家 ${expert + 1}`}`,
    noExpert: "–",
    place: (t, block) => `词元 ${t + 1}，第 ${block + 1} 块`,
    held: "已固定",
    gate: (value) => `门值 ${value}`,
    gates: "路由器是怎么想的",
    gatesLabel: (piece, block) => `第 ${block + 1} 块中路由器给 ${piece} 的概率`,
    cut: (k, chosen) =>
      chosen === 0
        ? "没有专家接收这个词元：它直接通过"
        : chosen < k
          ? `线以上的 ${chosen} 个处理了它；其余的没有空位，或没有被选中`
          : `线以上的 ${k} 个处理这个词元`,
    others: (count, share) => `另外 ${count} 个，合计 ${share}`,
    path: "它经过各块的路径",
    pathLabel: "这个词元在各块中的专家",

    special: "专家之间的异同",
    counting: "正在统计……",
    specialStep: (step, tokens) => `用第 ${count(step)} 步的检查点，在 ${count(tokens)} 个验证词元上统计。`,
    together: "一起工作的专家",
    togetherHelp: "行中的专家处理的词元里，有多大份额也由列中的专家处理。",
    togetherOne: "这里每个词元只由一个专家处理，没有两个专家会一起工作：这张表是空的。",
    togetherLabel: (block, best) => `第 ${block + 1} 块中，两个专家有多经常处理同一个词元。${best}`,
    togetherBest: (i, j, share) => `最常一起工作的：专家 ${i + 1} 的词元有 ${share} 也送给了专家 ${j + 1}。`,
    togetherTip: (i, j, share) => `专家 ${i + 1} 的词元，有 ${share} 也送给了专家 ${j + 1}`,
    kinds: "词元的种类",
    kindsHelp: "每一行是一种词元。格子里是这种词元的选择中，落在列中专家上的份额。",
    kindsReal: "实际的分配",
    kindsDealt: "打乱种类之后",
    kind: "种类",
    kindsSentence: (bits, chance, all) =>
      `一个词元属于哪一种，一共有 ${all} 比特的信息；知道它去了哪个专家，就能得到其中的 ${bits} 比特。把种类在词元之间打乱，` +
      `也会得到 ${chance} 比特：这一部分出于偶然。两者之差，才是这个块学会区分的东西。`,
    kindsWarning: "小模型的专家往往只看表面：单个字母、空格、大写字母。它们很少成为语法或话题的专家。",

    measured: "测量结果",
    measuredOne: (name, loss, step, flops) =>
      `“${name}”在第 ${count(step)} 步${flops ? `（用了 ${flops} FLOPs）` : ""}的验证损失为每个词元 ${loss} 奈特。`,
    measuredNone: (name) => `“${name}”还没有验证损失。`,
    measuredTwo: (where, a, b) => `到${where}，A 的验证损失为 ${a}，B 为 ${b}。`,
    measuredEach: (where, a, b) =>
      `到${where}，A 最后一次测得的验证损失为 ${a.loss}（第 ${count(a.step)} 步），B 为 ${b.loss}（第 ${count(b.step)} 步）。`,
    measuredSoon: "等两个训练任务都在验证文本上测过损失，这里就会作比较。",
    measuredAt: {
      steps: (x) => `第 ${count(Math.round(x))} 步`,
      flops: (x) => ` ${tp.number(x)} FLOPs`,
      seconds: (x) => `训练 ${tp.number(x)} 秒`,
    },
    measuredData: "这两个训练任务读的文本不同，损失不能比较。",
    measuredDense: "B 是稠密模型。",
    measuredSeed: "两边都只有一个训练任务：换一个随机种子，小的差别可能会反过来。",
    measuredSmall: "在这么小的规模下，混合专家不一定胜过对每个词元做同样多计算的稠密模型。",

    csv: {
      load: ["训练任务", "步", "块", "专家", "负载", "概率"],
      curves: ["训练任务", "步", "FLOPs", "秒", "块", "MaxVio", "熵", "丢弃"],
      tokens: ["块", "位置", "词元", "专家", "概率", "门值"],
      kinds: ["块", "种类", "专家", "词元数", "打乱后的词元数"],
      together: ["块", "专家", "另一个专家", "份额"],
    },
  },
});
