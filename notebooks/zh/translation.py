# %% [markdown]
# **编码器**（encoder）从两个方向读整个句子。**解码器**（decoder）一个词元一个词元地写出译文，每写一个都要关注原句。
# 在这个笔记本里，你要训练一个把数字写成单词的模型，看它怎样学会哪个词对应哪一位数字。

# %%
import inspect

import torch

from engine import RunConfig, Transformer, new_state, train, translate
from engine.data import PairData, make_data
from engine.inspection import observe
from engine.model.attention import CrossAttention
from engine.model.block import CrossBlock
from engine.presets import PRESETS
from engine.runs.events import Evaluated
from engine.tokenizers import BEGIN, END
from notebooks.exercises.zh import check
from playground.figures import one_run
from playground.figures.curves import Curves, column

STEPS = 500  # 大约十五秒

# %% [markdown]
# ## 动手写
#
# 写出单头的 `cross_attention`（交叉注意力）：x (T, C) 是到目前为止的译文，`memory` (S, C) 是编码器的输出。wq、wk、
# wv、wo 形状 (C, C)，用法是 `x @ wq.T`。返回 (T, C)。
#
# <details><summary>提示</summary>
#
# 谁来查询，谁被查询？不需要掩码：整个句子都是已知的。
#
# </details>
#
# <details><summary>答案</summary>
#
# ```python
# def cross_attention(x, memory, wq, wk, wv, wo):
#     q, k, v = x @ wq.T, memory @ wk.T, memory @ wv.T
#     return (q @ k.T / q.shape[-1] ** 0.5).softmax(-1) @ v @ wo.T
# ```
#
# </details>


# %%
def cross_attention(x, memory, wq, wk, wv, wo):
    return ...  # 你的代码


check(cross_attention)

# %% [markdown]
# ## 交叉注意力
#
# 解码器的块多一个子层：**交叉注意力**（cross-attention）。它的查询来自写到这里的译文，键和值来自编码器的输出。

# %%
print(inspect.getsource(CrossBlock.forward))
print(inspect.getsource(CrossAttention))

# %% [markdown]
# ## 从 `4721` 到单词
#
# 训练数据并不说明哪个词对应哪一位数字。**集中度**（sharpness）是交叉注意力每一行里最大的权重，再对各行取平均。
# 运行下一格之前，先猜一猜：哪个先到，集中的注意力还是正确的答案？

# %%
base = PRESETS["numbers"].changes | {"total_steps": STEPS, "warmup_steps": STEPS // 10}
config = RunConfig.from_flat(base | {"eval_interval": max(1, STEPS // 20)})
state = new_state(config, make_data(config))
model, data, tokenizer = state.model, state.data, state.data.tokenizer
assert isinstance(model, Transformer) and isinstance(data, PairData)
text = data.probe()
sources = [*tokenizer.encode(text), END]
ids = [BEGIN, *tokenizer.encode(data.answer(text) or "")]

events, snapshots = [], []
for event in train(state):
    events.append(event)
    if isinstance(event, Evaluated):  # 每次评估时记录注意力
        snapshots.append(observe.probe(model, ids, event.step, sources))
curves = Curves.of(events)
sharpness = column(snapshot.sharpness()[-1, -1] for snapshot in snapshots)

figure = one_run.blank(f"Translating {text}", "Share", "light")
for number, (name, values) in enumerate({"sharpness": sharpness, "right": curves.accuracy}.items()):
    one_run.add_points(figure, curves.evaluated, values, name, one_run.line_of(number, "light"))
figure.update_yaxes(range=[0, 1.02], tickformat=".0%").show()
print(f"at the end: sharpness {sharpness[-1]:.0%}, {curves.accuracy[-1]:.1%} right, "
      f"validation loss {curves.validation[-1]:.3f}")  # fmt: skip

# %% [markdown]
# ## 对齐
#
# 每一行是译文的一个词元，每一列是原文的一个词元。权重是最后一层所有头的平均。第 0 步时，它们几乎是均匀的。


# %%
def names(tokens):
    known = {BEGIN: "begin", END: "end"}
    return [known.get(token) or one_run.visible(tokenizer.decode([token])) for token in tokens]


for snapshot in (snapshots[0], snapshots[-1]):
    weights = snapshot.cross[-1].mean(0) / 255  # (T, S)
    figure = one_run.blank(f"Cross-attention at step {snapshot.step}", "Written so far", "light")
    # 坐标轴会合并相同的标签，所以位置用数字，词元用刻度文字。
    figure.add_heatmap(z=weights, zmin=0, zmax=1, colorscale=list(one_run.HEAT["light"]))
    for axis, tokens in ((figure.update_xaxes, sources), (figure.update_yaxes, ids)):
        axis(tickvals=list(range(len(tokens))), ticktext=names(tokens), showgrid=False)
    figure.update_xaxes(title_text="Read").update_yaxes(autorange="reversed")
    figure.update_layout(height=560).show()

# %% [markdown]
# ## 翻译得对吗？

# %%
pairs = data.pairs()[:8]
encoded = [[*tokenizer.encode(source), END] for source, _ in pairs]
for (source, wanted), written in zip(pairs, translate(model, encoded), strict=True):
    translation = tokenizer.decode(written.text)
    right = "" if translation == wanted else f"   (right: {wanted})"
    print(f"{source:>7} → {translation}{right}")

# %% [markdown]
# 清楚的对齐说明模型在看哪里，并不说明它为什么写出某个词元。
#
# ## 练习
#
# - 画出单个头而不是平均：`snapshot.cross[0, 0]` 和 `snapshot.cross[1, 3]`。所有的头都关注数字吗？
#
#   <details><summary>答案</summary>
#
#   不是。在我们的训练里，第 1 块的第一个头，每一行都有 55% 到 100% 的权重在一位数字上。
#   第 2 块的最后一个头在四个词上把权重几乎全给了结束符，平均有三分之一：那里没有什么可读。
#
#   </details>
#
# - 在日期上训练：`PRESETS["dates"]`。年份往往在最后：模型会先关注它吗？
#
#   <details><summary>答案</summary>
#
#   会：它按书写的顺序去读，先年，再月，后日。对 `April 24, 2017`，选出第一位数字的那一行，
#   有 0.59 的权重在 2017 的 2 上；写月份的那一行，0.97 在 `April` 上；写最后一位的那一行，0.99 在 24 的 4 上。
#   500 步之后，99% 的日期是对的。
#
#   </details>
#
# - 翻译带零的数字，例如 `40007`。“thousand” 关注的是哪一位？
#
#   <details><summary>答案</summary>
#
#   我们的模型译对了：`forty thousand seven`。在 `forty` 那一行，它选出的是 ` thousand`，权重有 0.56 在第一个零上；
#   到了 ` thousand` 那一行，已经有 0.75 在 7 上，也就是下一个有对应单词的数字。零没有对应的单词，但后面还有几位数字，
#   决定了这里是“千”。
#
#   </details>
