# %% [markdown]
# **注意力**（attention）让每个词元从它前面的词元那里收集信息：由查询和键得到权重，再对值加权求和。在这个笔记本里，
# 你要用几行代码写出它，再看看分数为什么要除以 √D。

# %%
import torch

from engine import RunStore, load_model
from engine.inspection import observe
from engine.training.shipped import ROOT
from notebooks.exercises.zh import check
from playground.figures import one_run

# %% [markdown]
# ## 动手写
#
# 写出 `attention`：q、k、v 的形状都是 (T, D)，每个查询关注所有的键。返回 (T, D)。
#
# <details><summary>提示</summary>
#
# softmax(q kᵀ / √D) v。softmax 沿键的方向，也就是最后一维。
#
# </details>
#
# <details><summary>答案</summary>
#
# ```python
# def attention(q, k, v):
#     scores = q @ k.T / q.shape[-1] ** 0.5
#     return scores.softmax(-1) @ v
# ```
#
# </details>


# %%
def attention(q, k, v):
    return ...  # 你的代码


check(attention)

# %% [markdown]
# 写出 `causal_attention`：同上，但第 i 个词元只能关注第 0 到第 i 个词元（因果掩码）。
#
# <details><summary>提示</summary>
#
# `torch.ones(T, T).tril() == 0` 在“未来”的位置为真。怎样的分数在 softmax 之后权重为 0？
#
# </details>
#
# <details><summary>答案</summary>
#
# ```python
# def causal_attention(q, k, v):
#     scores = q @ k.T / q.shape[-1] ** 0.5
#     future = torch.ones_like(scores).tril() == 0
#     return scores.masked_fill(future, float("-inf")).softmax(-1) @ v
# ```
#
# </details>


# %%
def causal_attention(q, k, v):
    return ...  # 你的代码


check(causal_attention)

# %% [markdown]
# ## 三个词元
#
# 三个词元中最后一个的查询是 (2, 0)，三个键是 (1, 0)、(2, 1) 和 (0, 1)。运行下一格之前，先说说它最关注哪个词元。

# %%
query = torch.tensor([2.0, 0.0])
keys = torch.tensor([[1.0, 0.0], [2.0, 1.0], [0.0, 1.0]])
values = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
products = keys @ query
scores = products / 2**0.5
shares = scores.softmax(0)
print(f"q · k    {products.tolist()}")
print(f"÷ √2     {[round(score, 2) for score in scores.tolist()]}")
print(f"softmax  {[round(share, 3) for share in shares.tolist()]}")
print(f"output   {[round(number, 3) for number in (shares @ values).tolist()]}")

# %% [markdown]
# ## 为什么要除以 √D？
#
# 两个随机向量的点积，随它们的宽度 D 变大。如果不除，softmax 会把几乎全部的权重都给一个词元，它的梯度也就消失了。

# %%
torch.manual_seed(0)
widths = torch.tensor([1, 4, 16, 64, 256, 1024])
largest = {"q · k": [], "q · k / √D": []}
for width in widths.tolist():
    q, k = torch.randn(1000, 1, width), torch.randn(1000, 8, width)
    products = (q * k).sum(-1)  # (1000, 8)：一个查询、八个键，重复一千次
    for name, scale in (("q · k", 1.0), ("q · k / √D", width**-0.5)):
        largest[name].append((products * scale).softmax(-1).max(-1).values.mean().item())

figure = one_run.blank("The largest of eight shares", "share", "light")
for number, (name, means) in enumerate(largest.items()):
    one_run.add_points(
        figure, widths.numpy(), torch.tensor(means).numpy(), name, one_run.line_of(number, "light")
    )
    print(f"{name:>11}: {means[0]:.2f} at width 1, {means[-1]:.2f} at width 1024")
figure.update_xaxes(title_text="Width D of queries and keys", type="log")
figure.show()

# %% [markdown]
# ## 训练好的模型也这样算
#
# 随项目附带的模型在每个块、每个头里都做同样的计算。图中每一行是一个词元，表示它对前面每个词元关注多少。

# %%
run = RunStore(ROOT).open("stories")
model, tokenizer, _ = load_model(run.checkpoints()[-1].path)
sentence = "Once upon a time there was a fox."
ids = tokenizer.encode(sentence)
weights = observe.attention_maps(
    observe.trace_sequence(model, ids), model.config.n_layer
)  # (L, H, T, T)
print(
    f"blocks, heads, queries, keys: {weights.shape}; every row sums to {weights.sum(-1).mean():.3f}"
)
tokens = [tokenizer.decode([token]) for token in ids]
one_run.attention(weights[0, 0], tokens, title="Block 1, head 1").show()

# %% [markdown]
# ## 练习
#
# - 把最后一个词元的查询换成 (−2, 0)。现在它最关注哪个词元？
#
#   <details><summary>答案</summary>
#
#   第三个，权重 0.77。各个分数都变了号：−1.41、−2.83 和 0。原来最合适的第二个键，现在最不合适，只得到 0.05；
#   第一个仍是 0.19。
#
#   </details>
#
# - 把所有查询乘以 10。权重会怎样？用什么温度能得到同样的结果？
#
#   <details><summary>答案</summary>
#
#   最合适的键拿走一切：0.9999993，而不是 0.77。所有分数都乘了 10，相当于温度为 1/10。查询和键很大时，
#   注意力几乎成了只选一个，它的梯度也几乎为零。
#
#   </details>
#
# - 在附带的模型里找一个关注前一个字符的头：`observe.head_patterns(weights, ids)`。
#
#   <details><summary>答案</summary>
#
#   第 2 块的第 1 个头：扣除均匀分布的部分，它有 34% 的注意力在前一个字符上；第 1 块的第 3 个头是 33%。
#   这个模型没有哪个头只看前一个字符，这一点与笔记本 `attention` 里训练的模型不同。
#
#   </details>
