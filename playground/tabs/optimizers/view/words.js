/* Every sentence and word of the view. */
const TEXT = tp.words({
  en: {
    title: "Optimizers",
    intro:
      "Training changes the weights a little at every step, and an optimizer decides how. Here several of them train the " +
      "same tiny model, from the same first weights and on the same text. The lower its curve, the better a model guesses.",
    own: "A race of your own",
    wait: "Reading the stored race …",
    offline: "The page's server does not answer. Is it still running?",
    names: /** @type {{ [name: string]: string }} */ ({ adamw: "AdamW", muon: "Muon", lion: "Lion", sgd: "SGD" }),
    fields: { max_lr: "Learning rate", weight_decay: "Weight decay", momentum: "Momentum", beta1: "β₁", beta2: "β₂" },
    momentumOf: "Momentum",
    fieldTitles: {
      max_lr: "The highest learning rate, after warm-up over a tenth of the steps; then it falls to zero",
      weight_decay: "How strongly matrices are pulled towards zero",
      momentum: "The memory of the gradient, for matrices: 0.95 is about 20 steps",
      beta1: "The memory of the gradient: 0.9 is about 10 steps",
      beta2: "The memory of the squared gradient (Lion: of the gradient): 0.99 is about 100 steps",
    },
    about: /** @type {{ [name: string]: string }} */ ({
      adamw: "divides each weight's averaged gradient by its usual size",
      muon: "makes the step of each matrix about equally large in all its directions",
      lion: "moves each weight by the same amount: only the sign counts",
      sgd: "follows the gradient, with momentum",
    }),
    optimizer: (/** @type {number} */ number) => `Optimizer ${number}`,
    remove: (/** @type {string} */ name) => `Remove ${name}`,
    add: "+ Add an optimizer",
    steps: "Steps",
    seeds: "Seeds",
    start: "Start the race",
    stop: "Stop",
    more: "Repeat with three seeds",
    notNumber: (/** @type {string} */ field) => `${field} must be a number.`,
    shownStored: "Shown: a race that is stored with the project, computed by",
    shownOwn: "Shown: your race. The same in a terminal:",
    changed: "You changed the race: press “Start the race” to run it.",
    states: {
      waiting: (/** @type {number} */ place) => `Waiting for a place on this host: number ${place} in the queue.`,
      starting: "Starting …",
      /** @type {(step: number, steps: number, seed: number, seeds: number) => string} */
      running: (step, steps, seed, seeds) => `Step ${step} of ${steps}${seeds > 1 ? `, seed ${seed} of ${seeds}` : ""}`,
      over: (/** @type {string} */ seconds) => `Done: ${seconds} s of processor time.`,
      stopped: "Stopped.",
      failed: "The race ended before its last step. The server's log says why.",
    },
    axis: "Horizontal axis",
    axes: { steps: "steps", seconds: "seconds", flops: "FLOPs" },
    axisNames: { steps: "step", seconds: "seconds of one processor core", flops: "FLOPs of training" },
    loss: "Training loss",
    lossUnit: "nats per token, smoothed",
    directions: (/** @type {string} */ matrix) => `Directions · ${matrix}`,
    directionsUnit: (/** @type {number} */ most) => `over which a step is spread, of ${most}`,
    chartSummary: (/** @type {string} */ found) => `Loss over training. ${found}`,
    chartHelp:
      "Drag over the curves to zoom in, double-click to see all. The dashed line is the step shown at “Inside a step”.",
    verdict: "Result",
    verdictNone: "The validation loss is measured at the last step.",
    /** @type {(name: string, step: number) => string} */
    fell: (name, step) => `${name} diverged at step ${step}: its learning rate is too high.`,
    heads: { name: "optimizer", loss: "validation loss", seconds: "processor time", flops: "FLOPs" },
    seconds: (/** @type {string} */ value) => `${value} s`,
    /** @type {(name: string, base: string, by: string, interval: string, seeds: number) => string} */
    better: (name, base, by, interval, seeds) =>
      `${name} ended lower than ${base} by ${by} nats, 95% interval ${interval}, over ${seeds} seeds.`,
    /** @type {(name: string, base: string, by: string, interval: string, seeds: number) => string} */
    worse: (name, base, by, interval, seeds) =>
      `${name} ended higher than ${base} by ${by} nats, 95% interval ${interval}, over ${seeds} seeds.`,
    /** @type {(name: string, base: string, by: string, interval: string, seeds: number) => string} */
    noise: (name, base, by, interval, seeds) =>
      `${name} and ${base} cannot be told apart: difference ${by} nats, 95% interval ${interval}, over ${seeds} seeds.`,
    /** @type {(name: string, base: string, by: string, lower: boolean) => string} */
    one: (name, base, by, lower) =>
      `${name} ended ${by} nats ${lower ? "lower" : "higher"} than ${base}, with one seed: another seed may say otherwise.`,
    meaning:
      "The loss is that of a tiny model after a few hundred steps; each optimizer's usual learning rate is the best of a few. " +
      "At another size or length the order may be another one.",
    inside: "Inside a step",
    insideHelp:
      "A matrix stretches what it multiplies in several directions, each by a factor of its own: its singular values. " +
      "The step that an optimizer subtracts is a matrix, too. If its curve falls steeply, a few directions get nearly all " +
      "of the step; if it is flat (1: all alike), every direction moves as far. Muon aims at that. More directions are " +
      "not better in themselves: the loss decides.",
    block: "Block",
    matrix: "Matrix",
    matrices: {
      q: "queries (q)",
      k: "keys (k)",
      v: "values (v)",
      o: "attention output (o)",
      up: "feed-forward (up)",
      down: "feed-forward (down)",
    },
    /** @type {(block: number, matrix: string) => string} */
    matrixName: (block, matrix) => `${matrix}, block ${block}`,
    film: "Step",
    play: "Play over training",
    pause: "Pause",
    moment: (/** @type {string} */ step) => `step ${step}`,
    update: "Step",
    updateUnit: "singular values, scaled",
    weight: "Weights",
    weightUnit: "singular values",
    order: "number, the largest first",
    even: "all alike",
    /** @type {(name: string, count: string, most: number) => string} */
    sharing: (name, count, most) => `${name}: ${count} of ${most} directions share the step`,
    sharingHelp:
      "(Σ s²)² / Σ s⁴ of the step's singular values s, their participation ratio: 1 if one direction has it all.",
    spectraSummary: (/** @type {string} */ found) => `Singular values of the step and of the weights. ${found}`,
    lesson: "Lesson: why a step is not just a gradient",
    noSpectra: "The singular values come with the first steps.",
  },
  zh: {
    title: "优化器",
    intro:
      "训练的每一步都把权重改动一点，怎么改由优化器决定。这里让几个优化器训练同一个小模型：初始权重相同，文本也相同。曲线越低，模型猜得越准。",
    own: "你自己的比赛",
    wait: "正在读取保存好的比赛……",
    offline: "页面的服务器没有响应。它还在运行吗？",
    names: { adamw: "AdamW", muon: "Muon", lion: "Lion", sgd: "SGD" },
    fields: { max_lr: "学习率", weight_decay: "权重衰减", momentum: "动量", beta1: "β₁", beta2: "β₂" },
    momentumOf: "动量",
    fieldTitles: {
      max_lr: "最高学习率：在前十分之一的步数里升到这个值，之后降到零",
      weight_decay: "把矩阵往零拉的力度",
      momentum: "矩阵的梯度记忆：0.95 大约是 20 步",
      beta1: "梯度的记忆：0.9 大约是 10 步",
      beta2: "梯度平方的记忆（Lion 为梯度的记忆）：0.99 大约是 100 步",
    },
    about: {
      adamw: "把每个权重的平均梯度除以它平时的大小",
      muon: "让每个矩阵的更新在各个方向上大致一样大",
      lion: "每个权重移动同样的距离：只看正负号",
      sgd: "沿着梯度走，带动量",
    },
    optimizer: (number) => `优化器 ${number}`,
    remove: (name) => `移除 ${name}`,
    add: "+ 再加一个优化器",
    steps: "步数",
    seeds: "种子数",
    start: "开始比赛",
    stop: "停止",
    more: "用三个种子重复",
    notNumber: (field) => `“${field}”必须是数字。`,
    shownStored: "图中是随项目保存的一场比赛，由以下命令算出：",
    shownOwn: "图中是你的比赛。在终端里运行同样的比赛：",
    changed: "设置已改动：点“开始比赛”来运行。",
    states: {
      waiting: (place) => `正在排队等这台服务器的位置：第 ${place} 位。`,
      starting: "正在启动……",
      running: (step, steps, seed, seeds) =>
        `第 ${step} / ${steps} 步${seeds > 1 ? `，第 ${seed} / ${seeds} 个种子` : ""}`,
      over: (seconds) => `完成：处理器时间 ${seconds} 秒。`,
      stopped: "已停止。",
      failed: "比赛在最后一步之前结束了，原因见服务器日志。",
    },
    axis: "横轴",
    axes: { steps: "步数", seconds: "秒", flops: "FLOPs" },
    axisNames: { steps: "步", seconds: "单个处理器核的秒数", flops: "训练的 FLOPs" },
    loss: "训练损失",
    lossUnit: "奈特/词元，已平滑",
    directions: (matrix) => `这一步由几个方向分担 · ${matrix}`,
    directionsUnit: (most) => `共 ${most} 个`,
    chartSummary: (found) => `训练过程中的损失。${found}`,
    chartHelp: "在曲线上拖动可放大，双击看全部。虚线是“一步更新的内部”里显示的那一步。",
    verdict: "结果",
    verdictNone: "最后一步时才测量验证损失。",
    fell: (name, step) => `${name} 在第 ${step} 步发散：学习率太高了。`,
    heads: { name: "优化器", loss: "验证损失", seconds: "处理器时间", flops: "FLOPs" },
    seconds: (value) => `${value} 秒`,
    better: (name, base, by, interval, seeds) =>
      `${name} 最终比 ${base} 低 ${by} 奈特，95% 区间 ${interval}，共 ${seeds} 个种子。`,
    worse: (name, base, by, interval, seeds) =>
      `${name} 最终比 ${base} 高 ${by} 奈特，95% 区间 ${interval}，共 ${seeds} 个种子。`,
    noise: (name, base, by, interval, seeds) =>
      `${name} 与 ${base} 分不出高低：相差 ${by} 奈特，95% 区间 ${interval}，共 ${seeds} 个种子。`,
    one: (name, base, by, lower) =>
      `${name} 最终比 ${base} ${lower ? "低" : "高"} ${by} 奈特，只有一个种子：换一个种子，结果可能不同。`,
    meaning:
      "这是一个小模型训练几百步之后的损失；每个优化器的常用学习率，是试过的几个值里最好的。换一个规模或训练长度，名次可能不同。",
    inside: "一步更新的内部",
    insideHelp:
      "矩阵会在几个方向上拉伸它所乘的向量，每个方向有自己的倍数，这就是奇异值。优化器减去的“更新”也是一个矩阵。" +
      "曲线陡降，说明少数几个方向占了几乎全部更新；曲线平（1 表示各方向相同），说明每个方向走得一样远，这正是 Muon 的目标。" +
      "方向多本身并不更好，还要看损失。",
    block: "块",
    matrix: "矩阵",
    matrices: {
      q: "查询 (q)",
      k: "键 (k)",
      v: "值 (v)",
      o: "注意力输出 (o)",
      up: "前馈网络 (up)",
      down: "前馈网络 (down)",
    },
    matrixName: (block, matrix) => `${matrix}，第 ${block} 块`,
    film: "步",
    play: "播放训练过程",
    pause: "暂停",
    moment: (step) => `第 ${step} 步`,
    update: "更新",
    updateUnit: "奇异值，已缩放",
    weight: "权重",
    weightUnit: "奇异值",
    order: "序号，从大到小",
    even: "各方向相同",
    sharing: (name, count, most) => `${name}：${most} 个方向中有 ${count} 个分担这一步`,
    sharingHelp: "由更新的奇异值 s 算出的参与比：(Σ s²)² / Σ s⁴。全在一个方向上时为 1。",
    spectraSummary: (found) => `更新与权重的奇异值。${found}`,
    lesson: "课程：为什么一步不只是梯度",
    noSpectra: "走完头几步就有奇异值。",
  },
});
