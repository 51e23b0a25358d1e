# %% [markdown]
# 第一次训练大多会失败，而曲线几乎总能告诉你为什么。在这个笔记本里，你要故意让几次训练失败，从曲线上找出原因，
# 再把它们救回来。

# %%
import inspect

import torch

from engine import RunConfig, new_state, train
from engine.data import make_data
from engine.presets import PRESETS
from engine.runs.events import Diverged
from engine.training.optim import clip_grad_norm
from notebooks.exercises.zh import check
from playground.figures import one_run, several_runs
from playground.figures.curves import Curves

STEPS = 600  # 每个模型几秒钟

# %% [markdown]
# ## 动手写
#
# 写出 `clip`：如果梯度 (n,) 作为一个向量的长度超过 `max_norm`，就把它缩短到这个长度。方向不变。
#
# <details><summary>提示</summary>
#
# `gradient.norm()` 是长度（范数）。
#
# </details>
#
# <details><summary>答案</summary>
#
# ```python
# def clip(gradient, max_norm):
#     return gradient * min(1.0, max_norm / gradient.norm())
# ```
#
# </details>


# %%
def clip(gradient, max_norm):
    return ...  # 你的代码


check(clip)

# %% [markdown]
# ## 会说明自己怎样结束的训练
#
# 下一格训练一个很小的模型，并打印出训练是怎样结束的。


# %%
def trained(name, **changes):
    base = PRESETS["tiny"].changes | {"total_steps": STEPS, "warmup_steps": STEPS // 12}
    config = RunConfig.from_flat(base | changes)
    events = list(train(new_state(config, make_data(config))))
    curves, last = Curves.of(events), events[-1]
    if isinstance(last, Diverged):
        print(
            f"{name}: diverged after step {last.step}, loss {last.loss}, gradient {last.grad_norm}"
        )
    else:
        at = int(curves.validation.argmin())
        print(f"{name}: validation loss {curves.validation[-1]:.3f}, "
              f"lowest {curves.validation[at]:.3f} at step {curves.evaluated[at]:.0f}")  # fmt: skip
    return curves


# %% [markdown]
# ## 一次不稳定的训练
#
# 这个小模型没有归一化，用动量为 0.9 的 SGD 训练。步长与梯度成正比：学习率为 1 时，最长可达梯度的十倍。梯度没有裁剪。
# 运行下一格之前，先猜一猜：它能走到最后一步吗？

# %%
wild = {
    "total_steps": STEPS // 2,
    "norm": "none",
    "optimizer": "sgd",
    "max_lr": 1.0,
    "weight_decay": 0.0001,
    "max_grad_norm": 0,
}
failed = trained("unstable", **wild)
one_run.loss(failed, title="An unstable run", log=True, smoothing=0).show()
one_run.gradient_norm(failed, title="An unstable run").update_yaxes(type="log").show()

# %% [markdown]
# 看曲线的末尾。梯度大，步子就大；步子大，又走到梯度更大的地方。
#
# ## 三种救法
#
# 梯度裁剪把长于 1 的梯度缩短到 1，方向不变。另外两种救法是更低的学习率和归一化。

# %%
print(inspect.getsource(clip_grad_norm))

# %%
rescues = {"clipping": {"max_grad_norm": 1}, "a tenth of the rate": {"max_lr": 0.1},
           "RMSNorm": {"norm": "rmsnorm"}}  # fmt: skip
saved = {name: trained(name, **wild | changes) for name, changes in rescues.items()}
several_runs.compare(saved, title="Three fixes").show()

# %% [markdown]
# ## 过拟合
#
# 这次的设置没有问题，只是文字太少：训练数据只有小故事的 1,200 个字符，模型把它们读了一遍又一遍。运行下一格之前，
# 先猜一猜：验证损失会是多少？均匀猜测是 4.03。

# %%
page = {"valid_fraction": 0.998}
by_heart = trained("one page", **page)
one_run.loss(by_heart, title="One page of text", vocab_size=56).show()

# %% [markdown]
# 训练损失一直在下降，验证损失却早早开始上升：从那里起，模型是在背这段文字。它变得自信，却常常是错的，
# 到最后和随机猜测差不多。更多的文字最有用。还有什么有用？

# %%
helped = {
    "one page": by_heart,
    "dropout 0.2": trained("dropout 0.2", **page, dropout=0.2),
    "weight decay 1": trained("weight decay 1", **page, weight_decay=1.0),
    "all the text": trained("all the text"),
}
several_runs.compare(helped, title="What helps").show()

# %% [markdown]
# 如果训练发散：打开梯度裁剪，把学习率减半，或者延长预热。如果过拟合：用更多的文字，其次是 dropout，或者提前停下。
# 如果结束时两条曲线都还在下降，那就没有什么毛病，多训练几步就好。
#
# ## 练习
#
# - `wild` 从多大的学习率开始发散？把学习率一次次减半，直到它不再发散。
#
#   <details><summary>答案</summary>
#
#   0.5 时仍然发散，在第 53 步；0.25 时走到了最后一步，验证损失 2.34。再减半是 2.55：安全的也更慢。
#   这个界限在 0.25 和 0.5 之间，但只对这个模型、这个种子成立。
#
#   </details>
#
# - 更小的模型过拟合得轻一些吗？在一页文字上试试 `d_model=16`。
#
#   <details><summary>答案</summary>
#
#   会轻一些，但照样过拟合：它的损失降到 2.65，又升到 3.13；宽度 32 的模型降到 2.63，又升到 4.03（三个种子的平均，
#   `assets/lessons/results/over-fitting`）。它背得慢一些，但最好的时候并不更好。
#
#   </details>
#
# - 在 `wild` 里把 SGD 换成 AdamW：它能走到最后一步。这样就算修好了吗？
#
#   <details><summary>答案</summary>
#
#   没有：最后的验证损失是 8 · 10¹¹，比均匀猜测（4.03）差得多。AdamW 每一步大约就是学习率那么大，与梯度无关，
#   所以不会变成无穷大；但步长为 1，把权重学到的东西都毁了。训练走到了最后，并不等于学会了什么。
#
#   </details>
