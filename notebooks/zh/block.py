# %% [markdown]
# Transformer 由一摞结构相同的**块**（block）叠成。每个块有两个子层：**注意力**在词元之间搬运信息，
# **前馈网络**（feed-forward）单独处理每个词元。在这个笔记本里，你要读出各块之间的残差流，再拿掉前馈网络的计算能力。

# %%
import inspect

import numpy as np
import torch

from engine import RunConfig, new_state, train
from engine.data import make_data
from engine.inspection import observe
from engine.model.block import Block
from engine.model.feedforward import GatedFeedForward
from engine.presets import PRESETS
from notebooks.exercises.zh import check
from playground.figures import one_run, several_runs
from playground.figures.curves import Curves

STEPS = 600  # 每个模型大约七秒

# %% [markdown]
# ## 动手写
#
# 写出 `swiglu`：如今大多数模型用的前馈网络。x 形状 (T, C)，`gate` 和 `up` 形状 (F, C)，`down` 形状 (C, F)，
# 用法是 `x @ gate.T`。门控先经过 SiLU，即 z · sigmoid(z)，再与 `up` 的结果逐个相乘；`down` 把乘积变回 C 个数。
#
# <details><summary>提示</summary>
#
# 三次矩阵乘法，加一次逐元素相乘（`*`）。
#
# </details>
#
# <details><summary>答案</summary>
#
# ```python
# def swiglu(x, gate, up, down):
#     z = x @ gate.T
#     return (z * z.sigmoid() * (x @ up.T)) @ down.T
# ```
#
# </details>


# %%
def swiglu(x, gate, up, down):
    return ...  # 你的代码


check(swiglu)

# %% [markdown]
# ## 残差流
#
# 子层从不替换残差流：它读取残差流，再把自己的输出**加**上去。前馈网络把向量投影到更大的宽度，经过一个门，再投影回来。

# %%
print(inspect.getsource(Block.forward))
print(inspect.getsource(GatedFeedForward.hidden))


# %%
def trained(preset, **changes):
    base = PRESETS[preset].changes | {"total_steps": STEPS, "warmup_steps": STEPS // 12}
    config = RunConfig.from_flat(base | changes)
    state = new_state(config, make_data(config))
    return state, Curves.of(train(state))


# %% [markdown]
# ## 搬运与计算
#
# 宽度为**一**的前馈网络几乎什么也算不了。第一个任务是抄写单词，只需要搬运信息。第二个任务是两数相加，需要计算。
# 运行下一格之前，先猜一猜：窄模型会在哪个任务上失败？

# %%
runs = {
    f"{task}, {'full width' if width is None else 'width 1'}": trained(
        preset, source=task, d_ff=width
    )
    for preset, task in (("copy", "copy"), ("addition", "addition_reversed"))
    for width in (None, 1)
}
for name, (state, curves) in runs.items():
    count = sum(weight.numel() for weight in state.model.parameters())
    print(f"{name}: {curves.accuracy[-1]:.1%} right, {count:,} parameters")

curves_by_name = {name: curves for name, (_, curves) in runs.items()}
several_runs.compare(curves_by_name, metric="right answers", title="Right answers").show()

# %% [markdown]
# ## logit lens
#
# 所有的块都写进同一条残差流。所以在任何一个子层之后都可以接上输出层，就当模型到此为止。这就是 **logit lens**。
# 正确答案在哪里出现，是哪个子层算出来的？

# %%
state, _ = runs["addition_reversed, full width"]
text = state.data.probe()
ids = state.data.tokenizer.encode(text)
trace = observe.trace_sequence(state.model, ids)
stages = observe.residual_hook_points(state.model.config)
asked = range(text.index("=") + 1, len(ids))  # 答案所在的位置

lens = one_run.blank(f"Logit lens of {text}", "Probability", "light")
right = np.array(
    [
        [read[place - 1, ids[place]] for place in asked]
        for read in observe.logit_lens(state.model, trace)
    ]
)  # (2 L + 1, 答案的位数)
for number, place in enumerate(asked):
    name, line = f"digit {number + 1}: {text[place]}", one_run.line_of(number, "light")
    one_run.add_points(lens, np.arange(len(stages), dtype=float), right[:, number], name, line)
labels = [
    "embedding",
    *(stage.removeprefix("blocks.")[: -len(".residual")] for stage in stages[1:]),
]
lens.update_xaxes(title_text="After", tickvals=list(range(len(stages))), ticktext=labels)
lens.update_yaxes(range=[0, 1.02]).show()
for label, probability in zip(labels, right.mean(1), strict=True):
    print(f"{label:>14}: {probability:.3f} for the right digit, on average")

# %% [markdown]
# 注意力**搬运**信息：它的输出是各个值的加权平均。前馈网络**计算**。
#
# ## 练习
#
# - 加法需要多宽？试试 `d_ff=4, 8, 16`，哪个宽度太小？
#
#   <details><summary>答案</summary>
#
#   三个都太小：答对 46%、55% 和 39% 的算式，不比宽度 1（52%）强，而完整宽度是 92%。三者的先后只是偶然：
#   各只有一个种子。
#
#   </details>
#
# - 去掉门：`feedforward="relu"`，或者 `"gelu"`。差别比两个随机种子之间的还大吗？
#
#   <details><summary>答案</summary>
#
#   去掉门的 ReLU 答对 58% 的算式，GELU 95%，SwiGLU 92%；换别的种子，SwiGLU 是 80% 和 98%。
#   所以 GELU 的差别还在种子之间的差别以内，ReLU 则低于这三个种子。ReLU 只训练了一次，这是线索，不是证明。
#
#   </details>
#
# - 训练一个块，或者四个：`n_layer=4`。现在是哪个块得出答案？
#
#   <details><summary>答案</summary>
#
#   无论有几个块，都是最后一个前馈网络。一个块时，正确数字的概率在注意力之后是 0.10，前馈网络之后是 0.68；两个块时，
#   最后一个前馈网络之前是 0.39，之后是 0.79；四个块时是 0.34 和 0.97。答对的算式是 50%、92% 和 98%。
#
#   </details>
