# %% [markdown]
# 新模型的权重都是随机数。**训练**就是重复同样的一步：模型预测一些文字里的每个下一个词元，损失衡量误差，
# 每个权重再稍微改一点，让损失变小。在这个笔记本里，你要亲手写出这样的几步，再研究学习率的作用。

# %%
import inspect
import math

import torch

from engine import AdamW, RunConfig, new_state, train
from engine.data import make_data
from engine.presets import PRESETS
from engine.training import optim
from engine.training.loss import cross_entropy
from notebooks.exercises.zh import check
from playground.figures import one_run, several_runs
from playground.figures.curves import Curves

STEPS = 300  # 每个模型几秒钟

# %% [markdown]
# ## 动手写
#
# 写出 `adamw`：第 t 次更新（t 从 1 开始）。w、g、m、v 形状相同：权重、梯度，以及到目前为止的两个移动平均。β₁ = 0.9，
# β₂ = 0.999，ε = 10⁻⁸，权重衰减 0.01。返回新的 w、m、v。
#
# <details><summary>提示</summary>
#
# m = β₁ m + (1 − β₁) g，v = β₂ v + (1 − β₂) g²。把 m 除以 1 − β₁ᵗ，v 除以 1 − β₂ᵗ；
# 然后 w = w − lr (m / (√v + ε) + 衰减 · w)。
#
# </details>
#
# <details><summary>答案</summary>
#
# ```python
# def adamw(w, g, m, v, t, lr):
#     m = 0.9 * m + 0.1 * g
#     v = 0.999 * v + 0.001 * g.square()
#     step = (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
#     return w - lr * (step + 0.01 * w), m, v
# ```
#
# </details>


# %%
def adamw(w, g, m, v, t, lr):
    return ...  # 你的代码


check(adamw)

# %% [markdown]
# 写出 `cosine`：已经做了 `step` 次更新之后，下一次更新的学习率。step < warmup 时为 high · (step + 1) / (warmup + 1)；
# 之后沿半个余弦从 `high` 降到 `low`，在 step = total 时到达 `low`。
#
# <details><summary>提示</summary>
#
# 设下降阶段的进度 d 从 0 到 1，那么 (1 + cos πd) / 2 从 1 变到 0。
#
# </details>
#
# <details><summary>答案</summary>
#
# ```python
# def cosine(step, warmup, total, high, low):
#     if step < warmup:
#         return high * (step + 1) / (warmup + 1)
#     done = (step - warmup) / (total - warmup)
#     return low + (high - low) * (1 + math.cos(math.pi * done)) / 2
# ```
#
# </details>


# %%
def cosine(step, warmup, total, high, low):
    return ...  # 你的代码


check(cosine)

# %% [markdown]
# ## 损失
#
# **损失**是模型给真正的下一个词元的概率，取对数再取负。在 V 个词元里均匀猜测，损失是 ln V；
# 这里的训练都从那附近开始。


# %%
def new(**changes):
    base = PRESETS["tiny"].changes | {"total_steps": STEPS, "warmup_steps": STEPS // 6}
    config = RunConfig.from_flat(base | changes)
    return new_state(config, make_data(config))


print(inspect.getsource(cross_entropy))

# %% [markdown]
# ## 手写几步
#
# **梯度**是每个权重变大时损失上升的快慢，所以每个权重朝相反的方向走一步。AdamW 用梯度的平均，
# 除以梯度平方的平均的平方根。这样，梯度的大小就约掉了：每个权重一步最多移动大约一个**学习率**；梯度多半是噪声时，
# 移动得更少。

# %%
print(inspect.getsource(AdamW.step))

# %%
state = new()
model, vocabulary = state.model, state.data.tokenizer.vocab_size
optimizer = AdamW(model.parameters(), lr=0.01)
print(f"guessing: ln {vocabulary} = {math.log(vocabulary):.3f}")
for number in range(5):
    batch = state.data.batch(16)
    inputs, targets = torch.from_numpy(batch.inputs), torch.from_numpy(batch.targets)
    loss = cross_entropy(model(inputs), targets)
    before = [weight.detach().clone() for weight in model.parameters()]
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    moves = [
        (moved - old).abs().mean() for moved, old in zip(model.parameters(), before, strict=True)
    ]
    print(
        f"step {number + 1}: loss {loss.item():.3f}; the weights moved by {max(moves):.4f} at most, on average"
    )

# %% [markdown]
# `train(state)` 做的是同样的事，并且每一步产生一个事件。
#
# ## 学习率
#
# 下一格比较五个学习率，从小一百倍到大一百倍。运行之前，先猜一猜每个的结果。

# %%
rates = {
    f"{rate:g}": Curves.of(train(new(max_lr=rate, min_lr=0)))
    for rate in (0.0001, 0.001, 0.01, 0.1, 1.0)
}
for name, curves in rates.items():
    print(f"{name:>6}: {curves.validation[-1]:.3f} nats per character on validation text")
several_runs.compare(rates, title="Five learning rates").show()

# %% [markdown]
# 只知道每个字符有多常见的模型，损失大约是 3：步子太大，把其余的都毁掉了。
#
# ## 学习率调度
#
# 学习率在**预热**（warm-up）期间从零升起，因为开始时 AdamW 的平均值只来自很少的梯度。然后它像半个余弦那样下降：
# 大步子进展快，最后的小步子减少噪声。下一格用较高的学习率，训练两倍的步数。

# %%
print(inspect.getsource(optim.learning_rate))

# %%
long = {"max_lr": 0.03, "total_steps": 2 * STEPS}
recipes = {
    "warm-up and cosine": new(**long),
    "constant after warm-up": new(**long, schedule="constant"),
    "no warm-up": new(**long, warmup_steps=0),
}
schedules = {name: Curves.of(train(state)) for name, state in recipes.items()}
for name, curves in schedules.items():
    print(f"{name:>22}: {curves.validation[-1]:.3f}")
several_runs.compare(schedules, metric="learning rate", title="Schedules").show()
several_runs.compare(schedules, title="Loss with each schedule").show()
one_run.gradient_norm(schedules["warm-up and cosine"]).show()

# %% [markdown]
# 每种只用了一个随机种子，小的差别说明不了什么。`python -m engine ablate recipe --seeds 3` 用三个种子训练，
# 并算出置信区间。
#
# ## 练习
#
# - 找出最好的学习率，精确到两倍以内。`d_model=64` 时也一样吗？
#
#   <details><summary>答案</summary>
#
#   这个模型是 0.01：0.005 时 1.917，0.01 时 1.849，0.02 时 1.893。`d_model=64` 时分别是 1.822、1.834 和 1.916，
#   所以 0.005 和 0.01 一样好：更宽的模型通常要用更小的步子。小于 0.05 的差别，都在一个种子的噪声之内。
#
#   </details>
#
# - 用 SGD：`new(optimizer="sgd", max_lr=0.1, weight_decay=0.0001)`。哪个学习率最好？
#
#   <details><summary>答案</summary>
#
#   0.3，验证损失 1.849，和 0.01 的 AdamW 正好一样好。0.1 时是 1.890，1 时是 2.103。权重衰减也必须改，
#   因为每一步要从每个权重里去掉 lr · 衰减：用适合 AdamW 的 0.1，学习率 0.3 时是 2.786。
#
#   </details>
#
# - 把上面的循环改用 `torch.optim.SGD` 来写。什么必须改变？
#
#   <details><summary>答案</summary>
#
#   只要改创建优化器的那一行，以及学习率。现在一步是 lr 乘以梯度：0.01 时，五步只降到 4.006；0.1 时降到 3.621；
#   1 时在第四步跳到 5.578。学习率 0.01 的 AdamW 降到 3.426。
#
#   </details>
