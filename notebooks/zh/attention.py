# %% [markdown]
# 模型一次读入一段文字的所有词元。**注意力**让每个词元从自己和前面的词元那里收集信息。在这个笔记本里，
# 你要训练两个小模型，画出各个头的注意力，再把一些头置零。

# %%
import inspect
from itertools import product

import torch

from engine import RunConfig, new_state, train
from engine.data import make_data
from engine.inspection import observe
from engine.model.attention import Attention
from engine.presets import PRESETS
from notebooks.exercises.zh import check
from playground.figures import one_run, several_runs
from playground.figures.curves import Curves

STEPS = 600  # 每个模型大约半分钟

# %% [markdown]
# ## 动手写
#
# 写出 `many_heads`：多头因果注意力。x 形状 (T, C)；wq、wk、wv、wo 形状 (C, C)，用法是 `x @ wq.T`。把查询、键、
# 值 (T, C) 按相邻的 C / n_head 个数切成 `n_head` 份，每一份是一个头，各自计算注意力。再把各个头的输出并排拼回去，
# 乘以 woᵀ。返回 (T, C)。
#
# <details><summary>提示</summary>
#
# `.view(T, n_head, -1).transpose(0, 1)` 把 (T, C) 变成 (n_head, T, D)，之后 `@` 和 softmax 会同时处理所有的头。
#
# </details>
#
# <details><summary>答案</summary>
#
# ```python
# def many_heads(x, wq, wk, wv, wo, n_head):
#     def heads(w):
#         return (x @ w.T).view(len(x), n_head, -1).transpose(0, 1)  # (H, T, D)
#
#     q, k, v = heads(wq), heads(wk), heads(wv)
#     scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5  # (H, T, T)
#     future = torch.ones(len(x), len(x)).tril() == 0
#     out = scores.masked_fill(future, float("-inf")).softmax(-1) @ v  # (H, T, D)
#     return out.transpose(0, 1).flatten(1) @ wo.T
# ```
#
# </details>


# %%
def many_heads(x, wq, wk, wv, wo, n_head):
    return ...  # 你的代码


check(many_heads)

# %% [markdown]
# ## 引擎的代码
#
# 下面的代码一步一步地计算 softmax(Q Kᵀ / √d) V，并记录每一步。请找出分数、遮住未来的掩码和 softmax。训练时，
# 同样的计算由 PyTorch 的一个函数完成。

# %%
print(inspect.getsource(Attention.visible))

# %% [markdown]
# ## 一层会抄写吗？
#
# 一串随机字母重复出现：`q x a f … q x a`。下一个字母是什么？要猜出 `f`，模型必须找到前面的 `a`，
# **并且**读到它后面的那一位。运行下一格之前，先猜一猜：只有**一层**的模型能正确接上多少行？两层呢？


# %%
def trained(**changes):
    base = PRESETS["induction"].changes | {"total_steps": STEPS, "warmup_steps": STEPS // 6}
    config = RunConfig.from_flat(base | changes)
    state = new_state(config, make_data(config))
    return state, Curves.of(train(state))


runs = {f"{layers} layer(s)": trained(n_layer=layers) for layers in (1, 2)}
for name, (_, curves) in runs.items():
    print(f"{name}: loss {curves.validation[-1]:.3f}, {curves.accuracy[-1]:.1%} right")

curves_by_name = {name: curves for name, (_, curves) in runs.items()}
several_runs.compare(curves_by_name, metric="right answers", title="Right answers").show()

# %% [markdown]
# ## 是哪个头找到了匹配？
#
# **归纳头**（induction head）关注的是：当前词元上一次出现时，跟在它后面的那个词元。
# `head_patterns` 测量一个头的注意力有多少落在这样的位置上（超出均匀分布的部分）。

# %%
state, _ = runs["2 layer(s)"]
text = state.data.probe()
ids = state.data.tokenizer.encode(text)
tokens = [state.data.tokenizer.decode([token]) for token in ids]

model = state.model
weights = observe.attention_maps(
    observe.trace_sequence(model, ids), model.config.n_layer
)  # (L, H, T, T)
shares = observe.head_patterns(weights, ids)  # (L, H, 模式)
for pattern in ("previous", "repeat"):
    of_heads = shares[..., observe.PATTERNS.index(pattern)]
    layer, head = divmod(int(of_heads.argmax()), model.config.n_head)
    print(f"{pattern}: layer {layer + 1}, head {head + 1}, share {of_heads.max():.0%}")
    title = f"“{pattern}”: layer {layer + 1}, head {head + 1}"
    one_run.attention(weights[layer, head], tokens, title=title).show()

# %% [markdown]
# ## 把一个头置零
#
# 消融实验能看出一个头有什么贡献。下一格依次把每个头的输出置零，并在可以由重复推出的字母上测量损失增加了多少。
# 如果有几个头做的是同一件事，去掉其中一个也许看不出来，所以最后一行把所有找到匹配的头一起置零。

# %%
known = [i for i in range(2, len(ids)) if ids[i - 1] in ids[: i - 1] and ids[i] in ids[:i]]


def harm(heads):
    effect = observe.head_effect(model, ids, heads)
    return (effect.losses_after - effect.losses_before)[[i - 1 for i in known]].mean()


layers, heads = range(model.config.n_layer), range(model.config.n_head)
for layer, head in product(layers, heads):
    print(
        f"without layer {layer + 1}, head {head + 1}: {harm([(layer, head)]):+.3f} nats per letter"
    )

repeat = shares[..., observe.PATTERNS.index("repeat")]
matching = [(layer, head) for layer, head in product(layers, heads) if repeat[layer, head] > 0.2]
print(f"without all {len(matching)} that find the match: {harm(matching):+.3f} nats per letter")

# %% [markdown]
# 第一层的头比较的是单个字母，并不知道每个字母前面是什么。第二层的头知道，因为第一层已经把这个信息写进了残差流。
# 只靠位置没有用：到前一次出现的距离，每一种都同样可能。
#
# ## 练习
#
# - 训练两层、每层一个头的模型：`trained(n_layer=2, n_head=1)`。每层一个头够吗？
#
#   <details><summary>答案</summary>
#
#   600 步不够：答对 3% 的行，而每层四个头时是 100%。它的损失 0.794 远低于一层的 3.094，所以它找得到匹配，
#   只是还没有准到能接对一整行。步数再多会怎样，这次训练说明不了。
#
#   </details>
#
# - 把一层的模型训练两倍的步数。更多的步数能代替第二层吗？
#
#   <details><summary>答案</summary>
#
#   不能。1,200 步之后仍然一行也不对，损失从 3.09 降到 2.90。一层注意力比较的是单个字母；步数再多，
#   它也不知道每个字母前面是什么。
#
#   </details>
#
# - 换一个随机种子：`trained(seed=1)`。还是同一个头吗？
#
#   <details><summary>答案</summary>
#
#   不是：头的编号没有意义。种子 0 时，前一词元头是第 1 层的第 1 个头（87%），
#   找匹配最清楚的是第 2 层的第 2 个头（99%）。种子 1 时，是第 4 个头（85%）和第 3 个头（92%）。
#   两次都答对了所有的行。
#
#   </details>
