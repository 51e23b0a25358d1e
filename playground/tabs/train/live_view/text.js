/* Every word that the live view shows. */
const FILES = { curves: "curves", samples: "samples", attention: "attention" };
const TEXT = tp.words({
  en: {
    finished: "The training is over. Now:",
    finishedAt: (/** @type {string} */ phase) =>
      `The training is over, at “${phase}”. More steps or a larger size usually take it further. Now:`,
    onward: /** @type {{ [tab: string]: string }} */ ({
      generate: "Let it write",
      inside: "Look inside it",
      translate: "Let it translate",
      experts: "See its experts",
    }),
    example: (/** @type {string} */ name) =>
      `This is an example, “${name}”, trained for you before. Press “Start training”, and your own run takes its place: it learns what the chosen card says.`,
    wait: "Reading the run …",
    none: "No run yet. Choose one, or press “Start training”: its loss, samples and attention are drawn here as it learns.",
    stored: (/** @type {string} */ name) => `${name}: a stored run, seed 0`,
    plays: "played",
    stats: {
      step: "step",
      loss: "training loss",
      validation: "validation loss",
      accuracy: "right answers",
      speed: "tokens/s",
      left: "time left",
      took: "trained for",
    },
    working: /** @type {{ [task: string]: (work: Answers.LoggedWork) => string }} */ ({
      evaluate: ({ done, total }) => `measuring on validation data, ${done} of ${total}`,
      sample: ({ done, total }) => `writing a sample, ${done} of ${total}`,
    }),
    place: (/** @type {[number, number]} */ [place, waiting]) => `number ${place} of ${waiting} in the queue`,
    /** @type {(step: number, total: number) => string[]} */
    of: (step, total) => [step.toLocaleString("en-US"), ` / ${total.toLocaleString("en-US")}`],
    phasesLabel: "Phases of this run",
    phases: /** @type {{ [name: string]: string }} */ ({
      noise: "noise",
      letters: "letters",
      words: "words",
      sentences: "sentences",
      "not yet right": "not yet right",
      "mostly right": "mostly right",
      solved: "solved",
    }),
    /** @type {(by: string, at: number) => string} */
    phaseTitle: (by, at) =>
      by === "loss"
        ? `begins when the validation loss falls below ${at.toFixed(2)}: below what counting alone can reach`
        : `begins when ${Math.round(100 * at)}% of validation items are answered right`,
    loss: "Loss",
    lossUnit: "nats per token",
    accuracy: "Right answers",
    accuracyUnit: "of validation items",
    lr: "Learning rate",
    gradNorm: "Gradient norm",
    gradNormUnit: "before clipping",
    x: "step",
    train: "train",
    raw: "train, this batch",
    validation: "validation",
    nothing: "knows nothing",
    counts: {
      letters: { unigram: "counts letters", bigram: "counts pairs" },
      tokens: { unigram: "counts tokens", bigram: "counts pairs" },
    },
    /** @type {(vocabulary: number, loss: number) => string} */
    uniform: (vocabulary, loss) =>
      `guessing evenly among ${vocabulary} tokens (uniform): ln ${vocabulary} = ${loss.toFixed(2)}`,
    knows: {
      letters: {
        unigram: (/** @type {number} */ counted) =>
          `a table of how often each letter occurs among ${tp.count(counted)} (unigram)`,
        bigram: (/** @type {number} */ counted) =>
          `a table of how often each letter follows the one before it, among ${tp.count(counted)} (bigram)`,
      },
      tokens: {
        unigram: (/** @type {number} */ counted) =>
          `a table of how often each token occurs among ${tp.count(counted)} (unigram)`,
        bigram: (/** @type {number} */ counted) =>
          `a table of how often each token follows the one before it, among ${tp.count(counted)} (bigram)`,
      },
    },
    axis: "Loss axis",
    axes: { linear: "linear", log: "log" },
    smoothing: "smoothing",
    smoothed: (/** @type {number} */ steps) => (steps ? `${steps} steps` : "off"),
    whole: "Show the whole run",
    compare: "compare with",
    compareNone: "no other run",
    compareOwn: "Your runs",
    compareShipped: "Trained for you",
    other: "other run",
    otherValidation: "its validation",
    lossMeans:
      "Loss: how surprised it is by the right next token. Lower is better. Validation: on text kept out of its training.",
    reading:
      "The loss is in nats, a unit of surprise. The levels at the right are what plain counting reaches: of single tokens (unigram), of pairs (bigram). Learning rate: how large each step is. Gradient norm: how strongly the loss still pulls at the weights.",
    chartHelp: "Drag to zoom, double-click to see all. With the keyboard: arrows read values, Escape shows all.",
    /** @type {(name: string, state: string, step: number, losses: string) => string} */
    summary: (name, state, step, losses) => `Training curves of ${name}, ${state} at step ${step}. Loss: ${losses}.`,
    samples: "What it writes",
    tasks: "What it answers",
    samplesHelp: "the same beginning at every step; the model goes on from the grey part",
    tasksHelp: "the same questions at every step",
    prompt: (/** @type {number} */ i) => `prompt ${i}`,
    step: (/** @type {number} */ step) => `step ${step.toLocaleString("en-US")}`,
    /** @type {(right: number, all: number) => string} */
    right: (right, all) => `${right} of ${all} right`,
    correct: "right",
    wrong: "wrong",
    attention: "Attention at each step",
    attentionHelp:
      "Row: a token of one fixed text. Column: what it looks at, darker for more. At first every triangle is evenly shaded; look for lines that appear: a diagonal is a head that looks at the token just before, or a fixed distance back; a dark column is a token that all look at.",
    attentionHelpDark:
      "Row: a token of one fixed text. Column: what it looks at, brighter for more. At first every triangle is evenly shaded; look for lines that appear: a diagonal is a head that looks at the token just before, or a fixed distance back; a bright column is a token that all look at.",
    attentionShade: "The shade is the square root of the weight, so that small weights can be seen.",
    /** @type {(layers: number, heads: number, step: number) => string} */
    attentionSummary: (layers, heads, step) =>
      `Attention weights of ${layers} layers with ${heads} heads each at step ${step}.`,
    layer: (/** @type {number} */ i) => `layer ${i + 1}`,
    head: (/** @type {number} */ i) => `head ${i + 1}`,
    /** @type {(query: string, key: string, share: string) => string} */
    cell: (query, key, share) => `${query} gives ${share}% to ${key}`,
    text: "the text",
    newest: "Newest",
    recorded: "Step of training",
    events: "What happened",
    notes: /** @type {{ [kind in FeedNote["kind"]]: (note: FeedNote) => string }} */ ({
      started: (n) => `training on ${n.device}, ${n.threads} thread${n.threads === 1 ? "" : "s"}`,
      restarted: () => "went on from this checkpoint",
      paused: () => "paused",
      resumed: () => "resumed",
      changed: (n) => `${tp.label(n.field)} is now ${n.value}`,
      noted: (n) => tp.translate(n.text),
      diverged: (n) => `diverged: loss ${n.loss}, gradient norm ${n.grad_norm}`,
      ended: (n) => tp.states[n.how].word + (n.reason ? `: ${tp.translate(n.reason)}` : ""),
    }),
    marks: /** @type {{ [kind in FeedNote["kind"]]?: (note: FeedNote) => string }} */ ({
      restarted: () => "↻",
      paused: () => "‖",
      changed: (n) => `${tp.label(n.field)} ${n.value}`,
      diverged: () => "diverged",
    }),
    /** @type {(value: string | number) => string} */
    value: (value) => ({ nan: "not a number", inf: "infinite", "-inf": "infinite" })[String(value)] ?? String(value),
    /** @param {FeedNote} n @param {number | null} saved @returns {string} */
    diverged: (n, saved) =>
      `At step ${n.step} the loss was ${TEXT.value(n.loss)} and the gradient norm ${TEXT.value(n.grad_norm)}. Nothing can be ` +
      "learned from that, so the run ended without this update. " +
      (saved === null ? "" : `The weights of step ${saved} are kept. `) +
      "A lower learning rate, a longer warm-up or clipping the gradient usually helps.",
    csv: {
      curves: [
        "step",
        "train_loss",
        "learning_rate",
        "gradient_norm",
        "tokens",
        "seconds_per_step",
        "validation_loss",
        "accuracy",
      ],
      samples: ["step", "prompt", "text", "correct"],
      attention: ["step", "layer", "head", "query", "key", "weight"],
    },
  },
  zh: {
    finished: "训练结束了。接下来：",
    finishedAt: (phase) => `训练结束了，停在“${phase}”阶段。增加步数，或把“大小”选大一档，通常能走得更远。接下来：`,
    onward: { generate: "让它写", inside: "看它的内部", translate: "让它翻译", experts: "看它的专家" },
    example: (name) =>
      `这是事先训练好的示例“${name}”。按“开始训练”，这里就会换成你自己的训练任务，它学的是所选卡片上写的内容。`,
    wait: "正在读取这个训练任务……",
    none: "还没有训练任务。选一个，或按“开始训练”：训练时，这里会画出它的损失、样例和注意力。",
    stored: (name) => `${name}：预先存好的训练，种子 0`,
    plays: "播放中",
    stats: {
      step: "步",
      loss: "训练损失",
      validation: "验证损失",
      accuracy: "答对",
      speed: "词元/秒",
      left: "剩余时间",
      took: "训练用时",
    },
    working: {
      evaluate: ({ done, total }) => `正在验证数据上测量，${done} / ${total}`,
      sample: ({ done, total }) => `正在写样例，${done} / ${total}`,
    },
    place: ([place, waiting]) => `排队中，第 ${place} 位，共 ${waiting} 位`,
    of: (step, total) => [step.toLocaleString("en-US"), ` / ${total.toLocaleString("en-US")}`],
    phasesLabel: "这个训练任务的各个阶段",
    phases: {
      noise: "噪声",
      letters: "字符",
      words: "词",
      sentences: "句子",
      "not yet right": "还不对",
      "mostly right": "大多答对",
      solved: "学会了",
    },
    phaseTitle: (by, at) =>
      by === "loss"
        ? `验证损失降到 ${at.toFixed(2)} 以下时开始：低于只会计数的表格所能达到的值`
        : `验证题目答对 ${Math.round(100 * at)}% 时开始`,
    loss: "损失",
    lossUnit: "奈特/词元",
    accuracy: "答对",
    accuracyUnit: "在验证题目中的比例",
    lr: "学习率",
    gradNorm: "梯度范数",
    gradNormUnit: "裁剪之前",
    x: "步数",
    train: "训练",
    raw: "训练，单个批次",
    validation: "验证",
    nothing: "一无所知",
    counts: {
      letters: { unigram: "只数字符", bigram: "只数字符对" },
      tokens: { unigram: "只数词元", bigram: "只数词元对" },
    },
    uniform: (vocabulary, loss) => `在 ${vocabulary} 个词元中均匀猜测：ln ${vocabulary} = ${loss.toFixed(2)}`,
    knows: {
      letters: {
        unigram: (counted) =>
          `一元模型（unigram），只知道字符：统计 ${tp.count(counted)} 个字符，看每个字符出现得多频繁`,
        bigram: (counted) =>
          `二元模型（bigram），只知道字符对：统计 ${tp.count(counted)} 个字符，看前一个字符后面跟着哪个字符`,
      },
      tokens: {
        unigram: (counted) => `一元模型（unigram），只知道词元：统计 ${tp.count(counted)} 个词元，看每个出现得多频繁`,
        bigram: (counted) =>
          `二元模型（bigram），只知道词元对：统计 ${tp.count(counted)} 个词元，看前一个后面跟着哪一个`,
      },
    },
    axis: "损失轴",
    axes: { linear: "线性", log: "对数" },
    smoothing: "平滑",
    smoothed: (steps) => (steps ? `${steps} 步` : "关"),
    whole: "显示全程",
    compare: "对比",
    compareNone: "不对比",
    compareOwn: "你的训练任务",
    compareShipped: "已训练好的模型",
    other: "另一个任务",
    otherValidation: "它的验证",
    lossMeans: "损失：正确的下一个词元让它多意外，越低越好。验证：用没拿来训练的文本来测。",
    reading:
      "损失的单位是奈特，用来量意外的程度。右边的几条虚线是只统计次数能做到多好：只统计单个词元（一元模型），只统计相邻的一对（二元模型）。学习率：每一步走多大。梯度范数：梯度的长度，越大，损失随权重变化得越快。",
    chartHelp: "拖动可以放大，双击看全部。用键盘：方向键读数，Esc 看全部。",
    summary: (name, state, step, losses) => `${name} 的训练曲线，${state}，第 ${step} 步。损失：${losses}。`,
    samples: "它写的内容",
    tasks: "它的回答",
    samplesHelp: "每一步都用同样的开头；灰色部分之后由模型接着写",
    tasksHelp: "每一步都问同样的问题",
    prompt: (i) => `提示 ${i}`,
    step: (step) => `第 ${step.toLocaleString("en-US")} 步`,
    right: (right, all) => `${all} 个中对了 ${right} 个`,
    correct: "对",
    wrong: "错",
    attention: "每一步的注意力",
    attentionHelp:
      "行：同一段文本中的一个词元。列：它在看谁，越深看得越多。起初每个三角形的颜色都很均匀，注意慢慢出现的线条：斜线表示这个头看紧挨着的前一个词元，或固定距离之前的词元；深色的竖线表示大家都在看的词元。",
    attentionHelpDark:
      "行：同一段文本中的一个词元。列：它在看谁，越亮看得越多。起初每个三角形的颜色都很均匀，注意慢慢出现的线条：斜线表示这个头看紧挨着的前一个词元，或固定距离之前的词元；亮的竖线表示大家都在看的词元。",
    attentionShade: "颜色取权重的平方根，好让小的权重也看得见。",
    attentionSummary: (layers, heads, step) => `第 ${step} 步时的注意力权重：${layers} 层，每层 ${heads} 个头。`,
    layer: (i) => `第 ${i + 1} 层`,
    head: (i) => `头 ${i + 1}`,
    cell: (query, key, share) => `${query} 把 ${share}% 给了 ${key}`,
    text: "文本",
    newest: "最新",
    recorded: "训练到第几步",
    events: "发生了什么",
    notes: {
      started: (n) => `开始训练：${n.device}，${n.threads} 个线程`,
      restarted: () => "从这个检查点继续",
      paused: () => "已暂停",
      resumed: () => "已继续",
      changed: (n) => `${tp.label(n.field)}改为 ${n.value}`,
      noted: (n) => tp.translate(n.text),
      diverged: (n) => `发散：损失 ${n.loss}，梯度范数 ${n.grad_norm}`,
      ended: (n) => tp.states[n.how].word + (n.reason ? `：${tp.translate(n.reason)}` : ""),
    },
    marks: {
      restarted: () => "↻",
      paused: () => "‖",
      changed: (n) => `${tp.label(n.field)} ${n.value}`,
      diverged: () => "发散",
    },
    value: (text) => ({ nan: "非数（NaN）", inf: "无穷大", "-inf": "无穷大" })[String(text)] ?? String(text),
    /** @returns {string} */
    diverged: (n, saved) =>
      `在第 ${n.step} 步，损失为 ${TEXT.value(n.loss)}，梯度范数为 ${TEXT.value(n.grad_norm)}。` +
      "从中什么也学不到，所以训练没有做这次更新就结束了。" +
      (saved === null ? "" : `第 ${saved} 步的权重保留着。`) +
      "降低学习率、延长预热或裁剪梯度，通常会有帮助。",
    csv: {
      curves: ["步", "训练损失", "学习率", "梯度范数", "词元数", "每步秒数", "验证损失", "答对"],
      samples: ["步", "提示", "文本", "正确"],
      attention: ["步", "层", "头", "查询", "键", "权重"],
    },
  },
});
