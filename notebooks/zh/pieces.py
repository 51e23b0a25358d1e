# %% [markdown]
# 分词器把文字切成**子词**（subword）：按照学到的先后顺序，一次次合并相邻的两段。在这个笔记本里，你要亲手切开单词，
# 再看看学出来的词表里有哪些子词。

# %%
from collections import Counter

import numpy as np

from engine.data import CORPORA
from engine.tokenizers import BPETokenizer, train_merges
from notebooks.exercises.zh import check
from playground.figures import one_run

# %% [markdown]
# ## 动手写
#
# 写出 `pieces`：把一个词切成子词。`merges` 是按学到的先后排列的合并规则，例如 `[("t", "h"), ("th", "e")]`。
# 先把词拆成单个字符，再按顺序逐条应用规则：凡是规则里的两个子词相邻，就从左到右把它们合并。返回子词的列表。
#
# <details><summary>提示</summary>
#
# 对每条规则新建一个列表：如果接下来的两个子词正好是这一对，就添加它们的拼接并前进两步，否则添加一个并前进一步。
#
# </details>
#
# <details><summary>答案</summary>
#
# ```python
# def pieces(word, merges):
#     parts = list(word)
#     for left, right in merges:
#         joined, i = [], 0
#         while i < len(parts):
#             if parts[i : i + 2] == [left, right]:
#                 joined.append(left + right)
#                 i += 2
#             else:
#                 joined.append(parts[i])
#                 i += 1
#         parts = joined
#     return parts
# ```
#
# </details>


# %%
def pieces(word, merges):
    return ...  # 你的代码


check(pieces)

# %% [markdown]
# ## 学出来的词表
#
# 引擎从小故事里学习合并规则。最先合并的是最常见的字母对。运行下一格之前，先猜出前三个里的一个。

# %%
text = CORPORA["stories"].path.read_text(encoding="utf-8")
merges = list(train_merges([text], 1000))
for merge in merges[:8]:
    print(f"{merge.new_bytes.decode()!r:>8} occurs {merge.count} times")
print("later:", [merge.new_bytes.decode() for merge in merges[-8:]])

# %% [markdown]
# ## 一个词会被切成什么样
#
# 空格属于它后面的那一段，所以 ` fox` 和 `fox` 是不同的词元。训练文本里没有的词会被切成更小的段；没有什么是“未知”的。

# %%
tokenizer = BPETokenizer.from_merges(merges)
for word in (" fox", "fox", " Fox", " transformer", " 1234", " 狐狸"):
    tokens = [tokenizer.decode_bytes([token]) for token in tokenizer.encode(word)]
    print(f"{word!r:>15} -> {tokens}")

# %% [markdown]
# ## 有多少个词元？
#
# 合并得越多，序列越短；而每多合并一次，收效都比前一次小。

# %%
sizes = np.array([256, 300, 400, 500, 700, 1000])
lengths = np.array(
    [len(BPETokenizer.from_merges(merges[: size - 256]).encode(text)) for size in sizes]
)
figure = one_run.blank("Characters per token", "characters", "light")
one_run.add_points(figure, sizes, len(text) / lengths, "the stories", one_run.line_of(0, "light"))
figure.update_xaxes(title_text="Size of the vocabulary")
figure.show()
for size, length in zip(sizes, lengths, strict=True):
    print(f"vocabulary {size:>5}: {len(text) / length:.2f} characters per token")

# %% [markdown]
# ## 练习
#
# - 你的名字、一个电子邮箱地址和一行代码，各有多少个词元？
#
#   <details><summary>答案</summary>
#
#   用上面的词表，“Ada Lovelace”的 12 个字符是 9 个词元，`ada@example.org` 的 15 个字符是 10 个，
#   `for i in range(10):` 的 19 个字符是 11 个。小故事本身平均每个字符只要 0.28 个词元：分词器没有学过的文字，
#   要多用一到两倍。
#
#   </details>
#
# - 从中文小故事 `CORPORA["stories-zh"]` 学习合并规则。一个汉字有多少字节，一个词元呢？
#
#   <details><summary>答案</summary>
#
#   平均每个字符 2.98 个字节：几乎都是三个。从中文小故事学到的 744 次合并，使词元平均有 4.6 个字节，
#   于是每个字符要 0.65 个词元。最先合并的是常用字内部的字节，因为同样的半个字会出现在许多字里。
#
#   </details>
#
# - 为什么读这种词元的模型，很难数清一个词里有几个字母？
#
#   <details><summary>答案</summary>
#
#   它从来看不到字母。` strawberry` 在这里是五个词元（` str`、`a`、`w`、`b`、`erry`），每个都只是一个编号；
#   `erry` 里有两个 r，这件事在输入里根本没有。每个词元怎样拼写，模型只能从提到它的文字里去学。
#
#   </details>
