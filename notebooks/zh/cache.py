# %% [markdown]
# 要生成一个词元，模型得处理它前面的所有词元；生成下一个时，又要把几乎同样的词元再处理一遍。
# **KV 缓存**（KV cache）省掉了这种重复。在这个笔记本里，你要检验缓存不改变输出，测量它省下的时间，再把它变小。

# %%
import inspect
from time import perf_counter

import numpy as np
import torch

from engine import KVCache, RunConfig, new_state, train
from engine.data import make_data
from engine.model.attention import Attention
from engine.presets import PRESETS
from notebooks.exercises.zh import check
from playground.figures import one_run, several_runs
from playground.figures.curves import Curves

STEPS = 300  # 每个模型大约七秒

# %% [markdown]
# ## 动手写
#
# 写出 `attend_with_cache`：每次只算一个词元的因果注意力。q、k、v 形状 (D,)，属于新词元。
# `cache` 在第一个词元时是 None，之后是你上一次返回的缓存。返回输出 (D,) 和新的缓存。
#
# <details><summary>提示</summary>
#
# 缓存可以是一对 (键, 值)，形状 (t, D)。不需要掩码：后面的词元还不存在。
#
# </details>
#
# <details><summary>答案</summary>
#
# ```python
# def attend_with_cache(q, k, v, cache):
#     keys, values = k[None], v[None]
#     if cache is not None:
#         keys, values = torch.cat([cache[0], keys]), torch.cat([cache[1], values])
#     weights = (keys @ q / len(q) ** 0.5).softmax(0)  # (t,)
#     return weights @ values, (keys, values)
# ```
#
# </details>


# %%
def attend_with_cache(q, k, v, cache):
    return ...  # 你的代码


check(attend_with_cache)

# %% [markdown]
# ## 什么可以缓存
#
# 新词元需要前面词元的**键**和**值**。它们永远不变，因为没有词元看得到后面的词元。**查询**不用缓存，
# 因为每个查询只用一次。

# %%
print(inspect.getsource(KVCache.extend))
print(inspect.getsource(Attention.for_every_query_head))


# %%
def new(**changes):
    base = PRESETS["llama-style"].changes | {"total_steps": STEPS, "warmup_steps": STEPS // 6}
    config = RunConfig.from_flat(base | changes)
    return new_state(config, make_data(config))


# %% [markdown]
# ## 输出完全一样
#
# 一个有四个块的模型用两种办法逐个词元地处理一段文字：一种每次都输入到当前为止的全文，另一种只输入当前词元，并使用缓存。
# 下一格比较所有的 logits。剩下的差别是 32 位浮点数的舍入误差。

# %%
length = 128
model = new(max_seq_len=length, d_model=128, n_layer=4).model.eval()
torch.manual_seed(0)
tokens = torch.randint(len(model.embedding.weight), (1, length))
seconds = np.full((2, length), np.inf)
worst, largest, read = 0.0, 0.0, np.zeros(2)
with torch.inference_mode():
    for _ in range(5):  # 取五次里最快的：别的程序会干扰计时
        cache, read = model.new_cache(), np.zeros(2)
        for at in range(length):
            began = perf_counter()
            whole = model.run(tokens[:, : at + 1]).logits[0, -1]
            between = perf_counter()
            one = model.run(tokens[:, at : at + 1], cache=cache).logits[0, -1]
            times = between - began, perf_counter() - between
            seconds[:, at] = np.minimum(seconds[:, at], times)
            worst = max(worst, (whole - one).abs().max().item())
            largest = max(largest, whole.abs().max().item())
            read += at + 1, 1

print(f"logits differ by at most {worst:.1e}; the largest is {largest:.1f}")
print(f"tokens computed: {read[0]:,.0f} without the cache, {read[1]:,.0f} with it")
print(f"seconds: {seconds[0].sum():.2f} without, {seconds[1].sum():.2f} with")

figure = one_run.blank("Time of each token", "Milliseconds", "light")
for number, name in enumerate(("without the cache", "with it")):
    line, places = one_run.line_of(number, "light"), np.arange(1.0, length + 1)
    one_run.add_line(figure, places, 1000 * seconds[number], name, line)
figure.update_xaxes(title_text="Tokens in the text").update_yaxes(rangemode="tozero").show()

# %% [markdown]
# 小模型的时间大多花在启动各个运算上，所以缓存省下的时间没有省下的计算那么多。
#
# ## 代价
#
# 每一层、每个词元，缓存都要存一个键和一个值，这需要内存。为了减少内存，可以让几个查询头**共用**一个键值头：
# 分组共用叫 **GQA**，全部共用一个叫 **MQA**。运行下一格之前，先猜一猜：缓存只留四分之一，损失会增加多少？

# %%
runs = {}
for name, heads in (("MHA, 4 heads", 4), ("GQA, 2 of 4", 2), ("MQA, 1 of 4", 1)):
    state = new(n_kv_head=heads)
    runs[name] = Curves.of(train(state))
    cache = state.model.eval().new_cache()
    with torch.inference_mode():
        state.model.run(tokens[:, : cache.capacity], cache=cache)
    print(f"{name}: {cache.nbytes / 1024:.0f} KiB for {cache.length} tokens, "
          f"validation loss {runs[name].validation[-1]:.3f}")  # fmt: skip
several_runs.compare(runs).show()

# %% [markdown]
# 每种只用了一个随机种子，小的差别说明不了什么。`python -m engine ablate heads --seeds 3` 用三个种子训练，
# 并算出置信区间。
#
# ## 练习
#
# - 只用一个查询头：`new(n_head=1)`。更要紧的是查询还是键？
#
#   <details><summary>答案</summary>
#
#   是查询。只有一个查询头时，600 步后的验证损失是 1.322；四个查询头共用一个键值头时是 0.978，
#   和各有四个（0.970）一样好。见 `assets/lessons/results/heads`，三个随机种子。
#
#   </details>
#
# - 对 n 个词元的文字，没有缓存时模型要计算多少个词元，有缓存时呢？什么时候缓存省下的时间和省下的计算一样多？
#
#   <details><summary>答案</summary>
#
#   没有缓存是 n (n + 1) / 2，有缓存是 n：上面是 8,256 和 128，相差 64 倍。只有当计算占了大部分时间，也就是模型宽、
#   文字长的时候，时间才会省得一样多。宽度 128 时，时间大多花在启动各个运算上，而有了缓存，运算的个数并没有减少。
#
#   </details>
#
# - 一个模型有 80 层、8 个键值头，每个头宽 128，用 16 位存放 100,000 个词元，缓存有多大？
#
#   <details><summary>答案</summary>
#
#   每个词元 2 · 80 · 8 · 128 个数，每个 2 字节：327,680 字节。100,000 个词元就是 32.8 GB（30.5 GiB）。
#   如果是 64 个键值头而不是 8 个，就是 262 GB：所以大模型要共用键值头。
#
#   </details>
