/* What the first screen says. */
const TEXT = tp.words({
  en: {
    title: "It writes one word at a time",
    intro:
      "This small model has read short stories about animals. All it does is guess the next word, again and again.",
    own: "Type your own beginning",
    write: "Let it write",
    again: "Write it again",
    pause: "Pause",
    begin: "Or begin with",
    examples: ["Once upon a time", "One cold morning Mia", "There was once a small", "It was night"],
    sentence: "The story so far. Choose a word to see what it looks back at.",
    /** @type {(word: string, others: string[]) => [string, string][]} */
    looks: (word, others) => [
      ["b", `“${word}”`],
      ["", " looks back at "],
      ...others.flatMap(
        (other, i) =>
          /** @type {[string, string][]} */ ([
            ["", i ? " and " : ""],
            ["b", `“${other}”`],
          ]),
      ),
      ["", ". A thicker line takes in more of that word. Attention looks in several ways at once: this is one."],
    ],
    alone: "Click a word: the lines show what it looks back at.",
    guesses: "Its guesses for what comes next",
    take: "It draws one by chance, a longer bar more often. Or click one.",
    /** @type {(word: string, share: string) => string} */
    guess: (word, share) => `Take “${word}”, ${share}`,
    storyEnds: "the story ends",
    space: "a space",
    end: "The end. Another story begins.",
    ownEnd: "The end. Written again, your story may go another way: each word is drawn by chance.",
    goesIn: "The last word goes in",
    numbers: "and becomes a row of numbers: each small box is one.",
    /** @type {(layer: number, at: boolean) => string} */
    back: (layer, at) =>
      `${layer === 1 ? "First, attention looks back" : "Then it looks back again"}${at ? " at" : ""}`,
    picture: "The way of the last word through the model",
    /** @type {(words: string, count: number) => string} */
    unknown: (words, count) =>
      `${words} ${count > 1 ? "are" : "is"} not in its stories: read letter by letter, ${count > 1 ? "they make" : "it makes"} little sense to it. It knows words such as mouse, fox, bear, river.`,
    /** @type {(characters: string) => string} */
    dropped: (characters) => `It has never seen ${characters}, and leaves that out.`,
    quoted: (/** @type {string} */ word) => `“${word}”`,
    train: "Train your own",
    learn: "Learn, step by step",
    generate: "Every possible next word",
    inside: "Look inside this model",
    translate: "Watch one translate",
    offline: "The playground does not answer. Is it still running?",
    wait: "The model is on its way …",
  },
  zh: {
    title: "它一次写一个字",
    intro: "这个小模型读过一些动物小故事。它只做一件事：猜下一个字，一遍又一遍。",
    own: "写一个你自己的开头",
    write: "让它写",
    again: "再写一遍",
    pause: "暂停",
    begin: "或者这样开头",
    examples: ["从前，", "有一天，小兔", "晚上，小熊", "一天早上，小猫"],
    sentence: "写到这里的故事。选一个字，看它回头看哪里。",
    looks: (word, others) => [
      ["b", `“${word}”`],
      ["", "回头看"],
      ...others.flatMap(
        (other, i) =>
          /** @type {[string, string][]} */ ([
            ["", i ? "和" : ""],
            ["b", `“${other}”`],
          ]),
      ),
      ["", "。线越粗，从那里取来的越多。注意力同时有好几种看法，这里画的是其中一种。"],
    ],
    alone: "点一个字：连线显示它回头看哪里。",
    guesses: "它猜接下来是",
    take: "它随机抽一个，条越长越容易抽到。也可以自己点。",
    guess: (word, share) => `用“${word}”，${share}`,
    storyEnds: "故事结束",
    space: "空格",
    end: "讲完了。下一个故事开始。",
    ownEnd: "讲完了。再写一遍，故事可能不一样：每个字都是随机抽的。",
    goesIn: "最后一个字进入模型：",
    numbers: "变成一排数，每个小格是一个数。",
    back: (layer, at) => `${layer === 1 ? "注意力先回头看" : "再回头看一次"}${at ? "：" : ""}`,
    picture: "最后一个字在模型里走过的路",
    unknown: (words, _count) => `它读过的故事里没有${words}。它只能一个字母一个字母地读，之后猜的也不太通。`,
    dropped: (characters) => `它从没见过${characters}，略过不读。`,
    quoted: (word) => `“${word}”`,
    train: "训练你自己的模型",
    learn: "一步一步学",
    generate: "所有可能的下一个字",
    inside: "看这个模型的内部",
    translate: "看它翻译",
    offline: "实验场没有回应。它还在运行吗？",
    wait: "模型马上就来……",
  },
});
