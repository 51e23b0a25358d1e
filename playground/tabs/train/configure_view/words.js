/* What the form says. */
const TEXT = tp.words({
  en: {
    choose: "What to learn",
    preset: "or any preset:",
    presetOwn: "with the settings of:",
    size: "Size: parameters, and time on this machine",
    sizesKnown: "As measured here last; other programs make it slower.",
    sizes: { S: "Small: half the width", M: "Medium: as designed", L: "Large: twice the width" },
    about: (/** @type {string} */ time) => `about ${time}`,
    settings: "All settings",
    search: "Search the settings",
    noneFound: "No setting that matters now is called so.",
    unused: (/** @type {string[]} */ labels) => `Without effect as the others are: ${labels.join(", ")}.`,
    differs: "Different from the preset",
    changed: (/** @type {number} */ count) => (count === 1 ? "1 change" : `${count} changes`),
    reset: "Reset to preset",
    was: (/** @type {string} */ value) => `${value} in the preset`,
    /** @type {(label: string, value: string) => string} */
    undo: (label, value) => `${label}: back to ${value}`,
    help: (/** @type {string} */ label) => `About ${label}`,
    /** @type {(word: string, value: Value | undefined) => string} */
    empty: (word, value) => (value === null || value === undefined ? word : `${word}: ${value}`),
    yes: "on",
    no: "off",
    remedy: (/** @type {string} */ value) => `Use ${value}`,
    block: (/** @type {number} */ number) => `Block ${number}`,
    blocks: (/** @type {number[]} */ blocks) => blocks.map((block) => block + 1).join(", "),
    lastBlock: "One block has to keep its experts. Without any, choose dense.",
    text: "Your text",
    textHint: "Paste at least a few thousand characters: the more, the better the model.",
    file: "Choose a .txt file",
    fileLimit: "at most 1 MB",
    fileTooLarge: (/** @type {string} */ size) => `This file has ${size} MB; at most 1 MB is taken.`,
    /** @type {(characters: number, kinds: number) => string} */
    counted: (characters, kinds) => `${characters.toLocaleString("en")} characters, ${kinds} different`,
    /** @type {(name: string, step: number) => string} */
    fork: (name, step) =>
      `A new run that continues “${name}” from step ${step.toLocaleString("en")}. Change what you like, then press Start.`,
    unfork: "Start from random weights instead",
    costs: {
      parameters: ["Parameters", "Numbers that are learned."],
      active: ["Active", "Parameters that work on one token; the other experts rest."],
      flops: [
        "FLOPs per token",
        "Multiplications and additions to predict one token; training takes three times this.",
      ],
      memory: ["Memory", "Estimated for the whole process."],
      seconds: ["Time", "Estimated for the whole run on this machine."],
    },
    limits: (/** @type {{ [limit: string]: number | null }} */ host) => {
      const count = (/** @type {number} */ value) => value.toLocaleString("en");
      const most = [
        host.max_parameters && `${count(host.max_parameters)} parameters`,
        host.max_context && `a context of ${count(host.max_context)}`,
        host.max_steps && `${count(host.max_steps)} steps`,
        host.max_minutes && `${count(host.max_minutes)} minutes`,
      ].filter(Boolean);
      return [
        most.length && `On this host a run has at most ${most.join(", ").replace(/, ([^,]*)$/, " and $1")}.`,
        host.max_runs &&
          (host.max_runs === 1
            ? "One run trains at a time, the next ones wait."
            : `${count(host.max_runs)} runs train at once, the next ones wait.`),
        host.keep_hours &&
          `A run is deleted ${count(host.keep_hours)} hours after its last step: download what you want to keep.`,
      ]
        .filter(Boolean)
        .join(" ");
    },
    start: "Start training",
    startTitle: "Key: s",
    starting: "Starting…",
    blocked: "Cannot start yet.",
    command: "The same from the command line",
    copy: "Copy",
    copied: "Copied",
    refused: "Some of this link could not be understood and is left out:",
    /** @type {(field: string, value: string, why: string) => string} */
    refusal: (field, value, why) => `${field} = ${value}: ${why}`,
    nothing: "–",
    measuring: "measuring…",
  },
  zh: {
    choose: "学什么",
    preset: "其他预设：",
    presetOwn: "沿用设置：",
    size: "大小：参数量，和在这台机器上的时间",
    sizesKnown: "按这台机器上次测得的速度；其他程序会让它变慢。",
    sizes: { S: "小：宽度减半", M: "中：按预设", L: "大：宽度加倍" },
    about: (time) => `约 ${time}`,
    settings: "全部设置",
    search: "搜索设置",
    noneFound: "没有叫这个名字而且现在起作用的设置。",
    unused: (labels) => `按目前的其他设置，这些不起作用：${labels.join("、")}。`,
    differs: "与预设不同之处",
    changed: (count) => `${count} 处改动`,
    reset: "恢复预设",
    was: (value) => `预设为 ${value}`,
    undo: (label, value) => `${label}：恢复为 ${value}`,
    help: (label) => `关于“${label}”`,
    empty: (word, value) => (value === null || value === undefined ? word : `${word}：${value}`),
    yes: "开",
    no: "关",
    remedy: (value) => `改用 ${value}`,
    block: (number) => `第 ${number} 块`,
    blocks: (blocks) => blocks.map((block) => block + 1).join("、"),
    lastBlock: "至少要有一个块保留专家。如果一个也不要，请选择稠密模型。",
    text: "你的文本",
    textHint: "请粘贴至少几千个字符：越多，模型学得越好。",
    file: "选择 .txt 文件",
    fileLimit: "最大 1 MB",
    fileTooLarge: (size) => `这个文件有 ${size} MB；最大只能用 1 MB。`,
    counted: (characters, kinds) => `${characters.toLocaleString("en")} 个字符，其中不同的有 ${kinds} 个`,
    fork: (name, step) =>
      `新的训练任务，接着“${name}”的第 ${step.toLocaleString("en")} 步继续。先改你想改的，再按“开始训练”。`,
    unfork: "改为从随机权重开始",
    costs: {
      parameters: ["参数", "模型学习的数的个数。"],
      active: ["激活参数", "处理一个词元时实际工作的参数；其余专家在休息。"],
      flops: ["每个词元的 FLOPs", "预测一个词元所需的乘法和加法次数；训练时是它的三倍。"],
      memory: ["内存", "整个进程的估计值。"],
      seconds: ["时间", "在这台机器上完成整个训练任务的估计时间。"],
    },
    limits: (host) => {
      const count = (/** @type {number} */ value) => value.toLocaleString("en");
      const most = [
        host.max_parameters && `${count(host.max_parameters)} 个参数`,
        host.max_context && `${count(host.max_context)} 的上下文`,
        host.max_steps && `${count(host.max_steps)} 步`,
        host.max_minutes && `${count(host.max_minutes)} 分钟`,
      ].filter(Boolean);
      return [
        most.length && `在这台服务器上，一个训练任务最多 ${most.join("、")}。`,
        host.max_runs && `同时最多 ${count(host.max_runs)} 个训练任务，之后的要排队。`,
        host.keep_hours && `训练任务在最后一步的 ${count(host.keep_hours)} 小时后删除：要保留的请下载。`,
      ]
        .filter(Boolean)
        .join("");
    },
    start: "开始训练",
    startTitle: "快捷键：s",
    starting: "正在启动……",
    blocked: "现在还不能开始。",
    command: "用命令行做同样的事",
    copy: "复制",
    copied: "已复制",
    refused: "链接中有些内容无法识别，已略去：",
    refusal: (field, value, why) => `${field} = ${value}：${why}`,
    nothing: "–",
    measuring: "测量中……",
  },
});
