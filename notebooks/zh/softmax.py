# %% [markdown]
# 模型最后给每个词元一个分数，叫 **logit**。**softmax** 把分数变成概率，**损失**（loss）衡量这些概率的好坏。
# 在这个笔记本里，你要写出这两者，再看看温度有什么作用。

# %%
import math

import numpy as np
import torch

from engine import Sampler
from engine.generation import adjust
from notebooks.exercises.zh import check
from playground.figures import one_run

# %% [markdown]
# ## 动手写
#
# 写出 `softmax`：`logits`，形状 (N, V) → (N, V)，每一行都是正数，且和为 1。logits 有几百那么大时也要正确。
#
# <details><summary>提示</summary>
#
# e 的 300 次方超出了 32 位浮点数的范围。先减去每一行的最大值：softmax 只取决于差。
#
# </details>
#
# <details><summary>答案</summary>
#
# ```python
# def softmax(logits):
#     powers = (logits - logits.max(-1, keepdim=True).values).exp()
#     return powers / powers.sum(-1, keepdim=True)
# ```
#
# </details>


# %%
def softmax(logits):
    return ...  # 你的代码


check(softmax)

# %% [markdown]
# 写出 `loss`：交叉熵，单位 nat。`logits` 形状 (N, V)，`targets` 形状 (N,)，是正确词元的编号。
# 返回 −ln p(目标) 的平均值。
#
# <details><summary>提示</summary>
#
# −ln p(目标) = logsumexp(z) − z[目标]，即 `logits.logsumexp(-1)` 减去目标的 logit。这样写既不会溢出，
# 也不会对 0 取对数。
#
# </details>
#
# <details><summary>答案</summary>
#
# ```python
# def loss(logits, targets):
#     right = logits[torch.arange(len(targets)), targets]
#     return (logits.logsumexp(-1) - right).mean()
# ```
#
# </details>


# %%
def loss(logits, targets):
    return ...  # 你的代码


check(loss)

# %% [markdown]
# ## 从向量到概率
#
# 一个很小的模型读到的内容是向量 h。每个词都有自己的向量；一个词的 logit 就是这两个向量的点积。

# %%
h = torch.tensor([2.0, 1.0])
words = {"cat": (1.0, 0.0), "dog": (0.0, 1.0), "car": (1.0, -2.0)}
logits = torch.stack([h @ torch.tensor(vector) for vector in words.values()])
for word, logit, probability in zip(words, logits, logits.softmax(0), strict=True):
    print(
        f"{word}: logit {logit:+.0f}, probability {probability:.3f}, loss if it comes {-probability.log():.2f}"
    )

# %% [markdown]
# ## 温度
#
# 在 softmax 之前，所有 logits 都除以温度 T。运行下一格之前，先猜一猜：温度升高时，哪个词的概率增加得最多？

# %%
temperatures = np.geomspace(0.1, 10, 60)
shares = np.array([adjust(logits, Sampler(temperature=t)).after.numpy() for t in temperatures])
figure = one_run.blank("Probability at each temperature", "probability", "light")
for number, word in enumerate(words):
    one_run.add_line(
        figure, temperatures, shares[:, number], word, one_run.line_of(number, "light")
    )
figure.update_xaxes(title_text="Temperature", type="log")
figure.show()
print(f"T = 0.1: {shares[0].round(3)}   T = 10: {shares[-1].round(3)}   even: {1 / 3:.3f}")

# %% [markdown]
# ## softmax 与一个很大的 logit
#
# 损失对 logits 的梯度就是概率，只是在正确的词元处要减 1。模型有把握又答对时，已经没什么可学的；有把握却答错时，
# 梯度达到最大。

# %%
for right in range(3):
    z = logits.clone().requires_grad_()
    loss_here = -z.log_softmax(0)[right]
    (gradient,) = torch.autograd.grad(loss_here, z)
    print(
        f"{list(words)[right]} was right: loss {loss_here:.2f}, gradient {[round(g, 3) for g in gradient.tolist()]}"
    )
print(f"a uniform guess among three: ln 3 = {math.log(3):.2f}")

# %% [markdown]
# ## 练习
#
# - 给三个 logits 都加上 100。什么变了，什么没变？
#
#   <details><summary>答案</summary>
#
#   logits 变了，概率没有变：还是 0.665、0.245 和 0.090。每个幂都乘上了 e¹⁰⁰，它们的和也一样。
#   只有 logits 之间的差才起作用。
#
#   </details>
#
# - 找出使 “cat” 的概率正好是二分之一的温度。
#
#   <details><summary>答案</summary>
#
#   T = 2.08。设 x = e^(1/T)，三个幂就是 x²、x 和 1。“cat” 占一半，就是 x² = x + 1，所以 x 是黄金分割比 1.618，
#   T = 1 / ln x = 2.078。
#
#   </details>
#
# - 为什么梯度的各项之和为零？
#
#   <details><summary>答案</summary>
#
#   梯度是 p − y，而概率 p 与目标 y 的和都是 1。从第一题也能推出来：给所有 logits 加上同一个数，什么也不变，
#   所以损失在这个方向上没有坡度。
#
#   </details>
