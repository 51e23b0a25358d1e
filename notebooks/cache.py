# %% [markdown]
# To generate one token, a model processes all tokens before it. For the next token it would process almost the
# same tokens again. The **KV cache** avoids this. In this notebook you check that the cache does not change
# the output, measure the time that it saves, and make it smaller.

# %%
import inspect
from time import perf_counter

import numpy as np
import torch

from engine import KVCache, RunConfig, new_state, train
from engine.data import make_data
from engine.model.attention import Attention
from engine.presets import PRESETS
from notebooks.exercises import check
from playground.figures import one_run, several_runs
from playground.figures.curves import Curves

STEPS = 300  # about seven seconds a model

# %% [markdown]
# ## Write it yourself
#
# Write `attend_with_cache`: causal attention, one token at a time. q, k and v (D,) belong to the new token.
# `cache` is None for the first token, and afterwards whatever you returned as the cache of the token before.
# Return the output (D,) and the new cache.
#
# <details><summary>Hint</summary>
#
# The cache can be a pair (keys, values) of shape (t, D). No mask is needed: later tokens are not there yet.
#
# </details>
#
# <details><summary>Solution</summary>
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
    return ...  # your code


check(attend_with_cache)

# %% [markdown]
# ## What can be cached
#
# A new token needs the **keys** and **values** of the earlier tokens. They never change, because no token
# sees later tokens. **Queries** are not cached, because each query is used only once.

# %%
print(inspect.getsource(KVCache.extend))
print(inspect.getsource(Attention.for_every_query_head))


# %%
def new(**changes):
    base = PRESETS["llama-style"].changes | {"total_steps": STEPS, "warmup_steps": STEPS // 6}
    config = RunConfig.from_flat(base | changes)
    return new_state(config, make_data(config))


# %% [markdown]
# ## The output is the same
#
# A model of four blocks processes a text token by token in two ways: the complete text up to each token, and
# only that token with the cache. The next cell compares all logits. The remaining difference is the rounding
# error of 32-bit floating-point numbers.

# %%
length = 128
model = new(max_seq_len=length, d_model=128, n_layer=4).model.eval()
torch.manual_seed(0)
tokens = torch.randint(len(model.embedding.weight), (1, length))
seconds = np.full((2, length), np.inf)
worst, largest, read = 0.0, 0.0, np.zeros(2)
with torch.inference_mode():
    for _ in range(5):  # the fastest of five: other programs disturb the clock
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
# A small model spends most of its time on launching operations. So the cache saves less time than arithmetic.
#
# ## The cost
#
# The cache needs memory for a key and a value per token and layer. To reduce it, several query heads can
# **share** one head of keys and values: groups of them in **GQA**, all of them in **MQA**. Before you run
# the next cell, predict: how much does the loss increase with a quarter of the cache?

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
# With one seed each, small differences are not significant. `python -m engine ablate heads --seeds 3` trains
# three seeds and computes confidence intervals.
#
# ## Exercises
#
# - Use a single query head: `new(n_head=1)`. Do the queries or the keys matter more?
#
#   <details><summary>Answer</summary>
#
#   The queries. A single query head has a validation loss of 1.322 after 600 steps, but four query heads that share
#   one head of keys and values have 0.978, as good as four of each (0.970). From `assets/lessons/results/heads`,
#   three seeds.
#
#   </details>
#
# - How many tokens does a model compute for a text of n tokens, without the cache and with it? When does the cache
#   save as much time as arithmetic?
#
#   <details><summary>Answer</summary>
#
#   n (n + 1) / 2 without, n with: 8,256 and 128 above, 64 times fewer. The time falls by as much only when arithmetic
#   is most of the time, so with wide models and long texts. At width 128 most of the time goes into starting
#   operations, and there are as many of them with the cache.
#
#   </details>
#
# - How large is the cache of a model with 80 layers and 8 KV heads of width 128, for 100,000 tokens in 16 bits?
#
#   <details><summary>Answer</summary>
#
#   2 · 80 · 8 · 128 numbers a token, 2 bytes each: 327,680 bytes. For 100,000 tokens that is 32.8 GB (30.5 GiB). With
#   64 KV heads instead of 8 it would be 262 GB: this is why large models share them.
#
#   </details>
