# %% [markdown]
# 模型读的是数字。**分词器**（tokenizer）把文字切成词元，再把每个词元换成一个编号。在这个笔记本里，
# 你要用几种办法切同一段文字，训练一个分词器，再比较两个词元不同的模型。

# %%
import inspect
from collections import Counter

import numpy as np

from engine import RunConfig, new_state, train
from engine.data import CORPORA, make_data
from engine.generation.metrics import bits_per_character
from engine.presets import PRESETS
from engine.runs.events import Evaluated
from engine.tokenizers import BPETokenizer, ByteTokenizer, CharTokenizer, train_merges
from engine.tokenizers.bpe.training import learn_merges
from notebooks.exercises.zh import check
from playground.figures import one_run, several_runs
from playground.figures.curves import Curves

STEPS = 600  # 每个模型大约十五秒

# %% [markdown]
# ## 动手写
#
# 写出 `train_bpe`：学习合并规则。`words` 把每个词映射到它出现的次数。统计所有相邻子词对的次数（词出现几次就算几次），
# 把最常见的一对在所有词里合并。次数相同时取较大的一对（按 `max` 比较元组的方式）。重复 `number` 次，
# 或直到没有可合并的对为止。返回新子词的列表。
#
# <details><summary>提示</summary>
#
# 合并一个词里的一对，可以用笔记本 `pieces` 里的方法。用 `Counter` 计数，
# 再用 `max(counts, key=lambda pair: (counts[pair], pair))` 找出这一对。
#
# </details>
#
# <details><summary>答案</summary>
#
# ```python
# def train_bpe(words, number):
#     def joined(parts, pair):
#         result = []
#         for part in parts:
#             if result and (result[-1], part) == pair:
#                 result[-1] += part
#                 result.append("")  # what was just joined is not joined again
#             else:
#                 result.append(part)
#         return [part for part in result if part]
#
#     spelled, new = {word: list(word) for word in words}, []
#     for _ in range(number):
#         counts = Counter()
#         for word, parts in spelled.items():
#             for pair in zip(parts, parts[1:]):
#                 counts[pair] += words[word]
#         if not counts:
#             break
#         best = max(counts, key=lambda pair: (counts[pair], pair))
#         new.append(best[0] + best[1])
#         spelled = {word: joined(parts, best) for word, parts in spelled.items()}
#     return new
# ```
#
# </details>


# %%
def train_bpe(words, number):
    return ...  # 你的代码


check(train_bpe)

# %% [markdown]
# ## 字节、字符、子词
#
# 每个**字节**一个词元：什么文字都能编码，但序列很长。每个**字符**一个词元：序列短一些，
# 但训练数据里没有的字符无法编码。**BPE**（子词）什么文字都能编码，序列也最短。

# %%
text = CORPORA["stories"].path.read_text(encoding="utf-8")
merges = list(train_merges([text], 1000))
tokenizers = {
    "bytes": ByteTokenizer(),
    "characters": CharTokenizer.train(text),
    "BPE, vocabulary 500": BPETokenizer.from_merges(merges[: 500 - 256]),
    "BPE, vocabulary 1000": BPETokenizer.from_merges(merges),
}
for sentence in ("Once upon a time there was a small fox.", "Das Kätzchen 🐱"):
    for name, tokenizer in tokenizers.items():
        try:
            pieces = [tokenizer.decode([token]) for token in tokenizer.encode(sentence)]
            shown = "|".join(map(one_run.visible, pieces))
            print(f"{name:>20}: {len(pieces):>2} tokens  {shown}")
        except ValueError as error:
            print(f"{name:>20}: {error}")

# %% [markdown]
# ## 子词是怎样学出来的
#
# 一开始，每个字节是一个词元。然后把最常相邻的一对词元合并成**一个**新词元，如此反复。切新的文字时，
# 按同样的顺序做同样的合并。

# %%
print(inspect.getsource(learn_merges))
for merge in merges[:10]:
    print(f"{merge.count:>5} times: {one_run.visible(merge.new_bytes.decode())}")

# %%
used = np.unique(np.geomspace(1, len(merges), 20).astype(int))
per_character = np.array(
    [len(BPETokenizer.from_merges(merges[:count]).encode(text)) / len(text) for count in used]
)
figure = one_run.blank("Effect of the merges", "Tokens per character", "light")
one_run.add_points(figure, used.astype(float), per_character, "stories", {"color": "#0072b2"})
figure.update_xaxes(title_text="Merges").update_yaxes(rangemode="tozero").show()

# %% [markdown]
# 最初的合并最能缩短文字，后面的作用越来越小。
#
# ## 哪个模型更好？
#
# 同一个模型，一次用字符训练，一次用 BPE 词元训练。运行下一格之前，先猜一猜：哪个的损失更低？


# %%
def trained(**changes):
    base = PRESETS["llama-style"].changes | {"total_steps": STEPS, "warmup_steps": STEPS // 12}
    config = RunConfig.from_flat(base | changes)
    events = list(train(new_state(config, make_data(config))))
    return Curves.of(events), [event.bits for event in events if isinstance(event, Evaluated)][-1]


runs = {
    "characters": trained(),
    "BPE, vocabulary 500": trained(tokenizer="bpe", tokenizer_size=500),
}
for name, (curves, bits) in runs.items():
    print(f"{name:>20}: {curves.validation[-1]:.3f} nats per token, {bits:.3f} bits per character")
several_runs.compare({name: curves for name, (curves, _) in runs.items()}).show()

# %% [markdown]
# 损失是按**每个词元**算的，而两边的词元不一样：词元越长，包含的信息越多，也越难猜。要比较两个模型，
# 就得算文字里每个字符的损失。

# %%
print(inspect.getsource(bits_per_character))

# %% [markdown]
# 用 BPE，同样的步数处理了多得多的文字。小故事里不同的词又很少，所以许多子词就是完整的单词。
# 换成更丰富的文字结果会怎样，这个实验说明不了。
#
# ## 练习
#
# - 试试一千个子词，或者字节：`trained(tokenizer="byte")`。用两种单位，各是哪一种最好？
#
#   <details><summary>答案</summary>
#
#   按每个词元算，1000 个子词的损失最低（0.762），然后是字符（0.970）、字节（1.019）和 500 个子词（1.163）。
#   按每个字符算，次序就变了：1000 个子词 0.308 比特，500 个 0.658，字符 1.400，字节 1.470。只有后一种可以比较。
#   这些是 600 步后三个随机种子的平均，见 `assets/lessons/results/tokens`。
#
#   </details>
#
# - 一步读 8 × 128 个词元。600 步之后，上面的两个模型各读了多少个字符？差别只来自这里吗？
#
#   <details><summary>答案</summary>
#
#   各读了 614,400 个词元。用字符，就是同样多的字符；用 500 个子词，每个词元有 2.5 个字符，大约是 150 万，
#   所以每个故事读到的次数是两倍多。原因不止这一个：128 个词元的上下文也能往前多看 1.5 倍，
#   而且词的内部不必一个字母一个字母地猜。
#
#   </details>
#
# - 给中文小故事 `CORPORA["stories-zh"]` 分词。每个字符要多少个词元？
#
#   <details><summary>答案</summary>
#
#   用英文小故事的分词器要 2.98 个，与它的字节数相同：没有一次合并涉及中文的字节。用在中文小故事上训练的分词器，
#   只要 0.65 个。分词器只适合它学过的那种文字。
#
#   </details>
