# %% [markdown]
# **梯度**（gradient）说明：每个权重变大时，损失上升得有多快。学习就是逆着梯度一步步走。在这个笔记本里，
# 你要测量一个梯度，沿着它往下走，再选一个学习率。

# %%
import numpy as np
import torch

from notebooks.exercises.zh import check
from playground.figures import one_run

# %% [markdown]
# ## 动手写
#
# 写出 `slope`：用测量的方法求梯度。`function` 接受一个向量，返回一个数；`w` 形状 (n,)，双精度。
# 把 w 的每个分量分别向两边移动 h = 10⁻⁵：斜率等于两个结果之差除以 2h。返回形状 (n,) 的张量。
#
# <details><summary>提示</summary>
#
# `w.clone()` 得到一个可以改动的副本。
#
# </details>
#
# <details><summary>答案</summary>
#
# ```python
# def slope(function, w, h=1e-5):
#     gradient = torch.zeros_like(w)
#     for i in range(len(w)):
#         up, down = w.clone(), w.clone()
#         up[i] += h
#         down[i] -= h
#         gradient[i] = (function(up) - function(down)) / (2 * h)
#     return gradient
# ```
#
# </details>


# %%
def slope(function, w):
    return ...  # 你的代码


check(slope)

# %% [markdown]
# ## 一片地形
#
# 两个权重，损失是一条长长的山谷：横着走很陡，顺着走很平。PyTorch 用链式法则算出它的梯度（autograd），
# 结果与测量的一致。


# %%
def loss(w):
    return 0.5 * (w[..., 0] ** 2 + 20 * w[..., 1] ** 2)


def gradient(w):
    w = w.clone().requires_grad_()
    return torch.autograd.grad(loss(w), w)[0]


start = torch.tensor([4.0, 1.0], dtype=torch.float64)
h = 1e-5
measured = [
    ((loss(start + h * e) - loss(start - h * e)) / (2 * h)).item()
    for e in torch.eye(2, dtype=torch.float64)
]
print(f"by the chain rule {gradient(start).tolist()}, measured {np.round(measured, 6).tolist()}")

# %% [markdown]
# ## 三个学习率
#
# 每一步是 w ← w − lr · 梯度。运行下一格之前，先猜一猜：学习率 0.11 会怎样？


# %%
def descend(rate, steps=30, momentum=0.0):
    w, speed, path = start.clone(), torch.zeros_like(start), [start.clone()]
    for _ in range(steps):
        speed = momentum * speed + gradient(w)
        w = w - rate * speed
        path.append(w.clone())
    return torch.stack(path)


rates = (0.01, 0.09, 0.11)
paths = {f"learning rate {rate:g}": descend(rate) for rate in rates}
figure = one_run.blank("Loss", "loss", "light", log=True)
for number, (name, path) in enumerate(paths.items()):
    values = loss(path).numpy()
    line = one_run.line_of(number, "light")
    one_run.add_line(figure, np.arange(float(len(values))), values, name, line)
    print(f"{name}: loss {values[0]:.1f} -> {values[-1]:.3g}")
figure.show()

# %% [markdown]
# 横穿山谷的方向上，坡度是距离的 20 倍。一步走坡度的 0.1 倍，就是距离的两倍：正好落到对面，和原来一样高。
# 学习率再大一点，就会爬出山谷。而在顺着山谷的方向上，同样的学习率又太小：所有方向共用一个学习率，只能折中。

# %%
figure = one_run.blank("Three paths down", "weight 2", "light")
x, y = np.linspace(-1, 4.4, 80), np.linspace(-1.6, 1.6, 80)
grid = torch.tensor(np.stack(np.meshgrid(x, y), -1))
figure.add_contour(
    x=x,
    y=y,
    z=loss(grid).sqrt().numpy(),
    showscale=False,
    colorscale="Greys",
    opacity=0.5,
    hoverinfo="skip",
)
for number, (name, path) in enumerate(paths.items()):
    inside = path[(path[:, 1].abs() < 1.6)].numpy()
    one_run.add_points(figure, inside[:, 0], inside[:, 1], name, one_run.line_of(number, "light"))
figure.update_xaxes(title_text="weight 1")
figure.show()

# %% [markdown]
# ## 练习
#
# - 找出损失还会下降的最大学习率。它和 20 有什么关系？
#
#   <details><summary>答案</summary>
#
#   略小于 0.1，也就是 2 / 20。在横穿山谷的方向上，每一步把权重乘以 1 − 20 lr；只有它在 −1 和 1 之间，损失才会下降。
#   学习率 0.099 时，30 步后损失是 3.0；0.1 时永远停在 10；0.101 时是 33，而且还在上升。
#
#   </details>
#
# - `descend(0.05, momentum=0.9)` 保留上一步的一部分。它沿着山谷走得更快吗？
#
#   <details><summary>答案</summary>
#
#   一开始是：10 步之后损失是 1.08，而不是 2.87。然后积累的速度把它带过了最低点，来回摆动：30 步之后是 0.33 对 0.37，
#   而不带动量的 0.09 已经到了 0.028。方向不变时，各步累积起来可达单步的十倍；梯度变号的地方，就会振荡。
#
#   </details>
#
# - 把梯度的每个分量除以它自己的大小（AdamW 差不多就是这样）。山谷会变成什么样？
#
#   <details><summary>答案</summary>
#
#   山谷消失了：只剩下正负号，两个权重每一步都移动一个学习率，平的方向和陡的方向一样快。学习率 0.1 时，
#   陡的那个 10 步到达，平的那个 40 步到达。可是步子永远不会变小：权重在零附近来回跳，损失停在 0.1 左右。
#   所以学习率到最后必须降下来。
#
#   </details>
