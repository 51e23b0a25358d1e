# %% [markdown]
# 语言模型给每个可能的下一个字符一个概率。它好不好，可以用**每个字符的比特数**（bits per character）来衡量。
# 在这个笔记本里，你要写出这个指标，数一数字母和字母对，再拿两者与一个训练好的 Transformer 相比。

# %%
import math
from collections import Counter
from itertools import pairwise

import torch

from engine import RunStore
from engine.data import CORPORA
from engine.runs.events import Evaluated
from engine.training.shipped import ROOT
from notebooks.exercises.zh import check
from playground.figures import one_run

# %% [markdown]
# ## 动手写
#
# 写出 `bits`：平均每个字符多少比特。`probabilities`，形状 (N,)，是模型给实际出现的字符的概率。
# 概率为 p 的字符要花 −log₂ p 比特。
#
# <details><summary>提示</summary>
#
# `torch.log2` 对每个数取以 2 为底的对数，`.mean()` 求平均。
#
# </details>
#
# <details><summary>答案</summary>
#
# ```python
# def bits(probabilities):
#     return -torch.log2(probabilities).mean()
# ```
#
# </details>


# %%
def bits(probabilities):
    return ...  # 你的代码


check(bits)

# %% [markdown]
# ## 数字母
#
# 最简单的模型只会数数：在小故事的前十分之九里数每个字符出现多少次，再用剩下的部分来测试。运行下一格之前，先猜一猜：
# 它比均匀猜测好多少？

# %%
text = CORPORA["stories"].path.read_text(encoding="utf-8")
cut = len(text) * 9 // 10
known, new = text[:cut], text[cut:]
alphabet = sorted(set(text))


def mean_bits(probability):
    """The mean bits per character of the new text; `probability(before, character)` is a model."""
    given = torch.tensor([probability(before, character) for before, character in pairwise(new)])
    return -given.log2().mean().item()


letters = Counter(known)
uniform = mean_bits(lambda before, character: 1 / len(alphabet))
unigram = mean_bits(lambda before, character: letters[character] / len(known))
print(f"uniform guess: {uniform:.2f} bits per character")
print(f"letter counts: {unigram:.2f}")

# %% [markdown]
# ## 数字母对
#
# `q` 后面是 `u`。**二元模型**（bigram）数的是哪个字符跟在哪个字符后面。为了让从没出现过的字母对不至于完全不可能，
# 每一对都从一个很小的计数开始，而不是从 0 开始。

# %%
pairs, firsts = Counter(pairwise(known)), Counter(known[:-1])
START = 0.01  # 每一对的初始计数


def bigram_model(before, character):
    return (pairs[before, character] + START) / (firsts[before] + START * len(alphabet))


bigram = mean_bits(bigram_model)
print(f"pair counts:   {bigram:.2f}")

# %% [markdown]
# ## Transformer
#
# 随项目附带的模型学的是同样的文字。它看到的不止前面一个字符，而是很多个。训练任务的损失是在验证文本上测的，
# 单位是奈特（nat）；除以 ln 2 就是比特。

# %%
run = RunStore(ROOT).open("stories")
measured = [event for event in run.history() if isinstance(event, Evaluated)]
transformer = measured[-1].loss / math.log(2)
print(f"Transformer:   {transformer:.2f}")

bars = {"uniform guess": uniform, "letters": unigram, "pairs": bigram, "Transformer": transformer}
figure = one_run.blank("Bits per character of new text", "bits", "light")
figure.add_bar(x=list(bars), y=list(bars.values()), marker_color=one_run.PALETTE["light"][0])
figure.update_xaxes(title_text="")
figure.show()

# %% [markdown]
# 每个模型都比前一个看到得更多，也猜得更好。页面上的每条损失曲线，都会依次降到这几个水平以下。
#
# ## 练习
#
# - 数一数三个字符的组合：由前两个字符猜下一个。要多少比特？从没出现过的组合会怎样？
#
#   <details><summary>答案</summary>
#
#   2.11 比特，而字母对是 3.19：上下文多一个字符，又省下一个多比特。这些故事出自不多的几种套路，
#   所以新文本里没有一个组合是没见过的。换成别的文字，很多组合从没出现过，它们的概率全靠 `START` 留下的那一点。
#
#   </details>
#
# - 只数前 2,000 个字符，即 `known = text[:2000]`，把 `START` 设为 1、0.1 和 0.0001。为什么两头都不是最好？
#
#   <details><summary>答案</summary>
#
#   分别是 3.91、3.57 和 4.02 比特。新文本的 60,055 个字母对里，有 3,794 个没有数到过。`START` 为 0.0001 时，
#   每一个都要花很多比特；为 1 时，56 个相同的计数又盖过了真正数到的。用上全部文字，没有哪一对是新的，
#   `START` 几乎没有影响：1 时 3.20 比特，0.0001 时 3.19。
#
#   </details>
#
# - 让二元模型来写：用 `random.choices` 抽出每个下一个字符。它写对了什么？
#
#   <details><summary>答案</summary>
#
#   我们得到的开头是 `Towalant thamenomivy'save ous.`。词的长短、空格和句号，以及 `th` 这样的字母对，都像英文。
#   真正的词却几乎没有：前 21 个里只有三个。只看得见一个字符的模型，不知道自己这个词是怎样开头的。
#
#   </details>
