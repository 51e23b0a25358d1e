# %% [markdown]
# Transformer 的每个子层都往残差流上**加**自己的输出。块数一多，向量就可能变大或变小。
# **归一化**（norm）把每个词元的向量缩放到同样的大小。它放在哪里，决定了深的模型学不学得会。

# %%
import inspect

import numpy as np
import torch

from engine import RunConfig, new_state, train
from engine.data import make_data
from engine.inspection import observe
from engine.model.block import PostNormResidual, Residual
from engine.model.norms import RMSNorm
from engine.presets import PRESETS
from engine.training.loss import cross_entropy
from notebooks.exercises.zh import check
from playground.figures import one_run, several_runs
from playground.figures.curves import Curves

STEPS = 200  # 每个模型大约十秒：它有十二个块

# %% [markdown]
# ## 动手写
#
# 写出 `rms_norm`：把 x (T, C) 的每个向量除以它的均方根（RMS），再逐个乘以可学习的 `weight` (C,)。
# 在平方的平均值上加 10⁻⁵，这样全零的向量也不会出错。
#
# <details><summary>提示</summary>
#
# `x.square().mean(-1, keepdim=True)` 的形状是 (T, 1)。
#
# </details>
#
# <details><summary>答案</summary>
#
# ```python
# def rms_norm(x, weight):
#     mean_square = x.square().mean(-1, keepdim=True)
#     return x / (mean_square + 1e-5).sqrt() * weight
# ```
#
# </details>


# %%
def rms_norm(x, weight):
    return ...  # 你的代码


check(rms_norm)

# %% [markdown]
# 引擎自己的版本，在模型用 16 位计算时也用 fp32：

# %%
print(inspect.getsource(RMSNorm))

# %% [markdown]
# ## 之前还是之后？
#
# 原论文用的**后置归一化**（post-norm）是先相加，再对和做归一化。**前置归一化**（pre-norm）只对子层的输入做归一化，
# 残差流本身不变。

# %%
print(inspect.getsource(Residual))
print(inspect.getsource(PostNormResidual))


# %%
def new(**changes):
    base = PRESETS["reverse"].changes | {
        "n_layer": 12, "max_lr": 0.006, "warmup_steps": 0, "task_length": 4, "max_seq_len": 16,
        "total_steps": STEPS, "eval_interval": 25, "eval_steps": 4,
    }  # fmt: skip
    config = RunConfig.from_flat(base | changes)
    return new_state(config, make_data(config))


def sizes(state):
    """The root mean square of the stream after every sub-layer, (2 L + 1,)."""
    ids = state.data.tokenizer.encode(state.data.probe())
    return observe.probe(state.model, ids).norms.mean(1)


def gradients(state):
    """The gradient norm of each block, for one batch."""
    batch = next(iter(state.data.validation(32, 1)))
    logits = state.model(torch.from_numpy(batch.inputs))
    cross_entropy(logits, torch.from_numpy(batch.targets)).backward()
    blocks = [[weight.grad for weight in block.parameters()] for block in state.model.blocks]
    state.model.zero_grad()
    return [sum(g.square().sum() for g in grads if g is not None) ** 0.5 for grads in blocks]


# %% [markdown]
# ## 第一步之前
#
# 这两个模型都有十二个块，权重是随机的。下一格画出每个子层之后残差流的大小，以及每个块的梯度范数。

# %%
stream = one_run.blank("The residual stream", "Root mean square", "light")
arriving = one_run.blank("What reaches each block", "Gradient norm", "light")
for number, placement in enumerate(("pre", "post")):
    state, line = new(placement=placement), one_run.line_of(number, "light")
    size, grads = sizes(state), np.array([float(g) for g in gradients(state)])
    one_run.add_points(stream, np.arange(len(size), dtype=float), size, placement, line)
    one_run.add_points(arriving, np.arange(1.0, 13), grads, placement, line)
    print(f"{placement:>4}: the size of the stream changes from {size[0]:.2f} to {size[-1]:.2f}; "
          f"gradients from {grads.min():.2f} to {grads.max():.2f}")  # fmt: skip
stream.update_xaxes(title_text="Sub-layers passed").update_yaxes(rangemode="tozero")
stream.show()
arriving.update_xaxes(title_text="Block").update_yaxes(rangemode="tozero")
arriving.show()

# %% [markdown]
# 用后置归一化，残差流处处一样大；用前置归一化，它越来越大。两个模型都有梯度，所以单看开头，看不出哪个学得会。
#
# ## 十二个块，没有预热
#
# 学习率很高，而且没有预热。运行下一格之前，先猜一猜：哪个模型学得会？

# %%
runs = {placement: Curves.of(train(new(placement=placement))) for placement in ("pre", "post")}
for placement, curves in runs.items():
    last = curves.grad_norm[-20:].mean()
    print(f"{placement:>4}: loss {curves.validation[-1]:.3f}, {curves.accuracy[-1]:.1%} right, "
          f"gradient norm {last:.2f} at the end")  # fmt: skip
several_runs.compare(runs).show()
several_runs.compare(runs, metric="gradient", title="Gradients", log=True).show()

# %% [markdown]
# 后置归一化也能用，只是设置要更小心。所以今天的大模型大多用前置归一化。
#
# ## 练习
#
# - 加上预热：`new(placement="post", warmup_steps=100)`；或者把学习率减半。
#
#   <details><summary>答案</summary>
#
#   把学习率减半，`max_lr=0.003`，就够了：200 步后全部答对，损失 0.050。预热 100 步的作用小一些：
#   400 步后答对大约十分之一的行，三个随机种子平均（`assets/lessons/results/post-norm`）。后置归一化学得会这个任务，
#   只是承受不了那么高的学习率。
#
#   </details>
#
# - 深到多少个块，后置归一化就学不会了？试试 `n_layer=2, 4, 8`。
#
#   <details><summary>答案</summary>
#
#   在我们的训练里，在 8 个块和 12 个块之间。4 个块和 8 个块时，200 步后全部答对；12 个块时一行也不对。2 个块时答对 59%：学得会，
#   只是慢一些。
#
#   </details>
#
# - 去掉归一化：`new(norm="none")`。训练之前先画出残差流。
#
#   <details><summary>答案</summary>
#
#   它在第 4 步就发散了。训练之前的图看不出来：残差流的均方根从 0.02 开始，只长到 0.024，
#   因为没有什么来放大这么小的向量。可是等大步子把权重变大之后，也没有什么来拦住它们。
#
#   </details>
