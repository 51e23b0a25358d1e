# %% [markdown]
# **混合专家**（mixture of experts，MoE）把许多前馈网络并排放着，每个词元只送到其中几个。这样，模型的权重可以多得多，
# 而每个词元的计算量不变。在这个笔记本里，你会看到路由器坍缩到少数几个专家，再把它均衡回来。

# %%
import inspect
from collections import Counter

import torch

from engine import RunConfig, new_state, train
from engine.data import make_data
from engine.model.balance import switch_loss, update_expert_bias
from engine.model.routers import Router
from engine.presets import PRESETS
from engine.runs.events import Routed
from notebooks.exercises.zh import check
from playground.figures import one_run, several_runs
from playground.figures.curves import Curves

STEPS = 300  # 每个模型大约七秒

# %% [markdown]
# ## 动手写
#
# 写出 `top_k_gates`：`logits` 形状 (N, E)，是每个词元对每个专家的分数。每个词元最可能的 k 个专家，
# 门值等于它们在所有专家中的概率；其余的门值为 0。返回 (N, E)。
#
# <details><summary>提示</summary>
#
# `probabilities.topk(k, dim=-1)` 返回数值和下标；
# `torch.zeros_like(logits).scatter(-1, indices, values)` 把它们放回原位。
#
# </details>
#
# <details><summary>答案</summary>
#
# ```python
# def top_k_gates(logits, k):
#     values, indices = logits.softmax(-1).topk(k, dim=-1)
#     return torch.zeros_like(logits).scatter(-1, indices, values)
# ```
#
# </details>


# %%
def top_k_gates(logits, k):
    return ...  # 你的代码


check(top_k_gates)

# %% [markdown]
# 写出 `balance_loss`，即 Switch Transformer 的负载均衡损失。`probabilities` 形状 (N, E)。
# f 是各专家作为“最可能的专家”的词元所占的比例，P 是各专家的平均概率。损失为 E Σ f P：负载均匀时等于 1。
#
# <details><summary>提示</summary>
#
# `torch.bincount(probabilities.argmax(-1), minlength=E)` 统计每个专家得到多少词元。
#
# </details>
#
# <details><summary>答案</summary>
#
# ```python
# def balance_loss(probabilities):
#     tokens, experts = probabilities.shape
#     f = torch.bincount(probabilities.argmax(-1), minlength=experts) / tokens
#     return experts * (f * probabilities.mean(0)).sum()
# ```
#
# </details>


# %%
def balance_loss(probabilities):
    return ...  # 你的代码


check(balance_loss)

# %% [markdown]
# ## 路由器
#
# **路由器**（router）是一个小矩阵，为每个词元给每个专家打分。得分最高的 K 个专家处理这个词元，
# 它们的输出按门值加权，门值由得分算出。

# %%
print(inspect.getsource(Router))

# %% [markdown]
# ## 没有均衡
#
# 被选得多的专家学得多，于是又被选得更多。**MaxVio** 衡量负载有多不均匀：大家一样多时是 0，
# 最忙的专家拿到公平份额的两倍时是 1，十六个专家中由一个包揽一切时是 15。有两种补救办法：一种是额外的**损失**，
# 负载均匀时它最小；另一种是**偏置**，每一步之后给闲着的专家加一点分。

# %%
print(inspect.getsource(switch_loss))
print(inspect.getsource(update_expert_bias))


# %% [markdown]
# 模型有十六个专家，每个词元由其中一个处理。运行下一格之前，先猜一猜：没有均衡时，以及用了每种补救办法之后，
# 最后的 MaxVio 各是多少？


# %%
def trained(**changes):
    base = PRESETS["collapse"].changes | {"total_steps": STEPS, "warmup_steps": STEPS // 6}
    config = RunConfig.from_flat(base | changes)
    state = new_state(config, make_data(config))
    events = list(train(state))
    return state, Curves.of(events), [event for event in events if isinstance(event, Routed)]


runs = {
    "no balancing": trained(),
    "balance loss": trained(switch_loss=0.01),
    "bias, no loss": trained(bias_rate=0.01),
}
for name, (_, curves, _) in runs.items():
    print(f"{name}: MaxVio {curves.imbalance[-1]:.2f}, validation loss {curves.validation[-1]:.3f}")

curves_by_name = {name: curves for name, (_, curves, _) in runs.items()}
several_runs.compare(curves_by_name, metric="balance", title="Imbalance").show()
several_runs.compare(curves_by_name).show()

# %% [markdown]
# ## 每个专家的负载
#
# 每一行是一个块，每一列是一个专家。颜色浅的专家得不到词元，也就没有梯度，什么也学不到：它是**死**的。
# 模型存着十六个专家，真正用上的只有几个。

# %%
for name, (_, _, records) in runs.items():
    record = records[-1]
    for layer, load in zip(record.layers, record.load, strict=True):
        idle = sum(share < 0.1 / len(load) for share in load)
        print(f"{name}, block {layer + 1}: {idle} of {len(load)} below a tenth of their share")
    several_runs.expert_load(record, title=f"Load of experts: {name}", most=8).show()

# %% [markdown]
# ## 它们各自擅长什么？
#
# 下一格统计：在用了均衡损失的那次训练里，验证文本的每个字符由最后一个块的哪个专家处理。

# %%
state, _, _ = runs["balance loss"]
batch = next(iter(state.data.validation(32, 1)))
with torch.inference_mode():
    chosen = state.model.predict(torch.from_numpy(batch.inputs)).routing[-1].gates.argmax(-1)
taken = [Counter[str]() for _ in range(16)]
for token, expert in zip(batch.inputs.ravel().tolist(), chosen.ravel().tolist(), strict=True):
    taken[expert][one_run.visible(state.data.tokenizer.decode([token]))] += 1
for number, counter in enumerate(taken, 1):
    most = ", ".join(f"{char} {count}" for char, count in counter.most_common(6))
    print(f"expert {number:>2}, {counter.total():>4} characters: {most}")

# %% [markdown]
# 负载现在均匀多了，可是损失更低了吗？步数这么少，几个专家就够用了。专家分布在不同机器上时，均衡才最要紧。
#
# ## 练习
#
# - 把均衡损失加大十倍：`switch_loss=0.1`。验证损失怎样变化？
#
#   <details><summary>答案</summary>
#
#   变高了：1.604，而 0.01 时是 1.475，没有均衡时是 1.427（各一个种子）。MaxVio 是 0.92，并不比 0.01 时的 0.77 好。
#   均衡损失太大，会把路由器拉向均匀的概率，代价由文本的损失承担。
#
#   </details>
#
# - 每个词元用两个专家：`trained(router="topk", top_k=2)`。路由器还会坍缩吗？
#
#   <details><summary>答案</summary>
#
#   轻一些，但还是会：MaxVio 是 3.8 而不是 7.9，最忙的专家拿到将近五倍的公平份额。
#   验证损失 1.467 并不比每个词元用一个专家时的 1.427 低，差别在种子的噪声之内。
#
#   </details>
#
# - 换一个随机种子：`trained(seed=1)`。上面的差别，哪些还在？
#
#   <details><summary>答案</summary>
#
#   负载的差别还在：没有均衡时 MaxVio 是 7.5，均衡损失 0.7，偏置 1.3。损失的差别不在了：1.452、1.466 和 1.454。
#   八个种子平均，均衡损失的代价是 0.037 ± 0.033 奈特，偏置的代价与噪声分不开（`assets/lessons/results/collapse`）。
#
#   </details>
