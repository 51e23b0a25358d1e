# %% [markdown]
# **梯度**是每个权重变大时损失上升的快慢，**优化器**（optimizer）把梯度变成一步更新。在这个笔记本里，
# 你要为一个四个权重的矩阵算出 SGD、AdamW 和 Muon 的更新，与引擎的优化器对照，再让它们比赛。

# %%
import inspect

import plotly.graph_objects as go
import torch
from torch.nn import Parameter

from engine.ablation.races import RacePlan
from engine.training.optim import NEWTON_SCHULZ, SGD, AdamW, Muon, newton_schulz, orthogonalized
from engine.training.race import Lap, Measured, Spectra, race
from notebooks.exercises.zh import check

STEPS = 200  # 大约五秒

torch.set_default_dtype(torch.float64)
torch.set_printoptions(precision=4, sci_mode=False)


def singular_values(matrix):
    return torch.linalg.svdvals(matrix)


# %% [markdown]
# ## 动手写
#
# 写出 `orthogonalize`，即 Muon 的核心，矩阵 g 的列数不少于行数。先除以所有元素平方和的平方根，再重复五次：
# X ← a X + b (X Xᵀ) X + c (X Xᵀ)² X，其中 a, b, c = `NEWTON_SCHULZ`。
#
# <details><summary>提示</summary>
#
# `x.T` 是转置，`@` 是矩阵乘法；每次迭代只需算一次 X Xᵀ。
#
# </details>
#
# <details><summary>答案</summary>
#
# ```python
# def orthogonalize(g):
#     a, b, c = NEWTON_SCHULZ
#     x = g / g.square().sum().sqrt()
#     for _ in range(5):
#         gram = x @ x.T
#         x = a * x + b * gram @ x + c * gram @ gram @ x
#     return x
# ```
#
# </details>


# %%
def orthogonalize(g):
    return ...  # 你的代码


check(orthogonalize)

# %% [markdown]
# ## 梯度有方向
#
# 这个梯度把方向 (1, 1) 拉伸 7 倍，把方向 (1, -1) 拉伸 1 倍：这就是它的奇异值。沿着梯度走一步，
# 强的方向移动的距离是弱的方向的七倍。

# %%
gradients = [torch.tensor([[4.0, 3.0], [3.0, 4.0]]), torch.tensor([[2.0, -1.0], [-1.0, 2.0]])]
for gradient in gradients:
    print(gradient, singular_values(gradient))


def engine_steps(make):
    """The steps of one of the engine's optimizers for these gradients, with learning rate 1."""
    weight = Parameter(torch.zeros(2, 2))
    optimizer = make([weight])
    steps = []
    for gradient in gradients:
        before = weight.detach().clone()
        weight.grad = gradient.clone()
        optimizer.step()
        steps.append(before - weight.detach())
    return steps


# %% [markdown]
# ## 动量
#
# 每一步先把缓冲乘以 `beta`，再加上梯度。各次梯度一致的元素会越来越大。

# %%
beta = 0.9
buffer = torch.zeros(2, 2)
for gradient, expected in zip(
    gradients, engine_steps(lambda w: SGD(w, lr=1.0, momentum=beta)), strict=True
):
    buffer = beta * buffer + gradient
    assert torch.allclose(buffer, expected)
    print(buffer, singular_values(buffer))

# %% [markdown]
# ## AdamW
#
# 每个权重有两个平均值：`m` 是梯度的平均，`v` 是梯度平方的平均。两者都从零开始，所以要除以系数之和。
# 第一步只剩下梯度的正负号，弱的方向什么也得不到。

# %%
beta1, beta2 = 0.9, 0.99
m, v = torch.zeros(2, 2), torch.zeros(2, 2)
adamw = engine_steps(lambda w: AdamW(w, lr=1.0, betas=(beta1, beta2), weight_decay=0.0))
for t, (gradient, expected) in enumerate(zip(gradients, adamw, strict=True), start=1):
    m = beta1 * m + (1 - beta1) * gradient
    v = beta2 * v + (1 - beta2) * gradient**2
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    step = m_hat / v_hat.sqrt()
    assert torch.allclose(step, expected, rtol=1e-6)
    print(f"step {t}: m {m.tolist()}, v {v.tolist()}")
    print(step, singular_values(step))

# %% [markdown]
# ## Muon
#
# Muon 保留动量的方向，把奇异值换成接近 1 的数。牛顿-舒尔茨迭代只用矩阵乘法就能做到。运行下面的格子之前，先猜一猜：
# 弱的方向要迭代几次才能追上？

# %%
print(inspect.getsource(newton_schulz))

# %%
a, b, c = NEWTON_SCHULZ
x = gradients[0] / gradients[0].square().sum().sqrt()  # 弗罗贝尼乌斯范数：没有奇异值大于 1
path = [singular_values(x)]
for _ in range(5):
    gram = x @ x.T
    x = a * x + b * gram @ x + c * gram @ gram @ x
    path.append(singular_values(x))
assert torch.allclose(x, orthogonalized([gradients[0]])[0])
scale = 0.2 * 2**0.5  # Muon 一步的缩放系数，矩阵为两行两列
assert torch.allclose(scale * x, engine_steps(lambda w: Muon(w, lr=1.0, weight_decay=0.0))[0])
for number, values in enumerate(path):
    print(f"after {number}: {values.tolist()}")

figure = go.Figure(
    layout={"title": "Newton-Schulz", "xaxis_title": "iteration", "yaxis_title": "singular value"}
)
for number, name in enumerate(("strong direction", "weak direction")):
    figure.add_scatter(y=[values[number].item() for values in path], name=name)
figure.show()

# %% [markdown]
# ## 比赛
#
# `race` 用几种优化器训练同一个很小的模型：初始权重相同，批次也相同。
# 各自用试过的几个学习率里最好的一个（`engine.ablation.races.USUAL`）。

# %%
torch.set_default_dtype(torch.float32)
torch.set_num_threads(1)
plan = RacePlan.of([{"optimizer": name} for name in ("adamw", "muon", "sgd")], STEPS)
names = ["AdamW", "Muon", "SGD"]
events = list(race(plan.configs(seed=0), plan.moments()))

figure = go.Figure(
    layout={"title": "Loss", "xaxis_title": "processor seconds", "yaxis_title": "nats per token"}
)
for entry, name in enumerate(names):
    laps = [event for event in events if isinstance(event, Lap) and event.entry == entry]
    figure.add_scatter(x=[lap.seconds for lap in laps], y=[lap.loss for lap in laps], name=name)
    measured = [event for event in events if isinstance(event, Measured) and event.entry == entry]
    print(f"{name:>6}: validation loss {measured[-1].loss:.3f}, {laps[-1].flops:.3g} FLOPs")
figure.show()

# %% [markdown]
# ## 一步更新的内部
#
# 最后一步更新在第一个块的矩阵 `up` 里的奇异值，缩放到如果全都相等，每个就是 1。
# `shared` 是有多少个方向分担这一步更新。

# %%
figure = go.Figure(layout={"title": "Singular values of the last step", "xaxis_title": "number"})
for entry, name in enumerate(names):
    (last,) = [e for e in events if isinstance(e, Spectra) and e.entry == entry and e.step == STEPS]
    values = torch.tensor(last.update["0.up"])
    squares = values.square()
    shared = (squares.sum() ** 2 / squares.square().sum()).item()
    print(f"{name:>6}: {shared:.1f} of {len(values)} directions share the step")
    figure.add_scatter(y=(values / squares.mean().sqrt()).tolist(), name=name)
figure.show()

# %% [markdown]
# 只用一个随机种子，小的差别说明不了什么。“优化器”标签页，或者 `python -m engine race adamw muon sgd --seeds 3`，
# 用三个种子训练，并算出置信区间。
#
# ## 练习
#
# - 让 Lion 也参加比赛。它的一步更新有怎样的奇异值，为什么？
#
#   <details><summary>答案</summary>
#
#   Lion 的更新，每个元素都是正或负的学习率，也就是梯度的某种平均的正负号。这样的矩阵仍然有强的方向和弱的方向：
#   奇异值是其均方根的 3.0 倍到 0.26 倍，32 个方向里有 6.7 个分担这一步；SGD 是 4.0 个，Muon 是 27.9 个。
#   200 步后它的验证损失是 2.00，Muon 是 1.61，SGD 是 2.05（一个种子）。
#
#   </details>
#
# - 给 Muon 一个大十倍的学习率。它和 SGD 一样敏感吗？
#
#   <details><summary>答案</summary>
#
#   学习率是 0.4 而不是 0.04 时，200 步后的损失是 2.50 而不是 1.61；SGD 是 3 而不是 0.3 时，
#   是 3.11 而不是 2.05（一个种子）。两者都变差了，但 SGD 退回到大约只知道各个字符有多常见的水平，Muon 没有：
#   它一步的大小与梯度的大小无关。
#
#   </details>
#
# - 只用一次迭代而不是五次来正交化（`orthogonalized(matrices, steps=1)`）。在这个 2 × 2 的矩阵上有什么变化？
#
#   <details><summary>答案</summary>
#
#   一次迭代就把两个方向之比从 7 : 1 变成 1.5 : 1，只是数值 0.71 和 0.47 离 1 还远。两次之后是 1.17 和 1.10，
#   再往后只在 0.7 和 1.2 之间变动。其余几次是为大矩阵准备的：那里最弱的方向，比最强的七分之一还弱得多。
#
#   </details>
