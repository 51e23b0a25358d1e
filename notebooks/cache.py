# %% [markdown]
# # The cache
#
# To write one token, a model reads the whole text before it. For the next token it would read nearly
# the same text once more. The **KV cache** spares it that. Here you see that it changes nothing, what
# it saves, and what a smaller one costs.

# %%
import inspect
import sys
from time import perf_counter

sys.path[:0] = [".", ".."]  # the repository's root, from wherever this is run

import numpy as np
import torch

from engine import KVCache, RunConfig, new_state, train
from engine.data import make_data
from engine.model.attention import Attention
from engine.presets import PRESETS
from playground import figures, figures_runs
from playground.curves import Curves

STEPS = 300  # about seven seconds a model

# %% [markdown]
# ## What can be kept
#
# Of a token that came earlier, a new token needs its **key** and its **value**. No token sees what
# comes after it, so neither of them ever changes. The **query** is not kept: nobody asks for it again.

# %%
print(inspect.getsource(KVCache.extend))
print(inspect.getsource(Attention.for_every_query_head))


# %%
def new(**changes):
    base = PRESETS["stories"].changes | {"total_steps": STEPS, "warmup_steps": STEPS // 6}
    config = RunConfig.from_flat(base | changes)
    return new_state(config, make_data(config))


# %% [markdown]
# ## It changes nothing
#
# A model of four layers reads a text as if it wrote it: for each token once the whole text up to it,
# and once that token alone, with the cache. All logits are compared; what is left is the rounding of
# 32-bit floating-point numbers.

# %%
length = 128
model = new(max_seq_len=length, d_model=128, n_layer=4).model.eval()
torch.manual_seed(0)
tokens = torch.randint(len(model.embedding.weight), (1, length))
cache = model.new_cache()
seconds = np.zeros((2, length))
worst, largest, read = 0.0, 0.0, np.zeros(2)
with torch.inference_mode():
    for at in range(length):
        began = perf_counter()
        whole = model.run(tokens[:, : at + 1]).logits[0, -1]
        between = perf_counter()
        one = model.run(tokens[:, at : at + 1], cache=cache).logits[0, -1]
        seconds[:, at] = between - began, perf_counter() - between
        worst = max(worst, (whole - one).abs().max().item())
        largest = max(largest, whole.abs().max().item())
        read += at + 1, 1

print(f"logits differ by at most {worst:.1e}; the largest is {largest:.1f}")
print(f"tokens computed: {read[0]:,.0f} without the cache, {read[1]:,.0f} with it")
print(f"seconds: {seconds[0].sum():.2f} without, {seconds[1].sum():.2f} with")

figure = figures.blank("Time of each token", "Milliseconds", "light")
for number, name in enumerate(("without the cache", "with it")):
    line, places = figures.line_of(number, "light"), np.arange(1.0, length + 1)
    figures.add_line(figure, places, 1000 * seconds[number], name, line)
figure.update_xaxes(title_text="Tokens in the text").update_yaxes(rangemode="tozero").show()

# %% [markdown]
# A small model spends most of its time on starting each step, so it saves less time than arithmetic.
#
# ## What it costs
#
# Memory: a key and a value for every token, in every layer. So several query heads may **share** the
# keys and values of one head: **GQA**, in groups; **MQA**, all of them. Before you run it: what does a
# quarter of the cache cost?

# %%
runs = {}
for name, heads in (("MHA, 4 heads", 4), ("GQA, 2 of 4", 2), ("MQA, 1 of 4", 1)):
    state = new(n_kv_head=heads)
    runs[name] = Curves.of(train(state))
    cache = state.model.eval().new_cache()
    with torch.inference_mode():
        state.model.run(tokens[:, : cache.capacity], cache=cache)
    print(f"{name}: {cache.nbytes / 1024:.0f} KiB for {cache.length} tokens, "
          f"held-out loss {runs[name].validation[-1]:.3f}")  # fmt: skip
figures_runs.compare(runs).show()

# %% [markdown]
# One seed each: small differences here say nothing. `python -m engine ablate heads --seeds 3` trains
# three, with intervals.
#
# ## To try
#
# - Ask with one head only: `new(n_head=1)`. Is it the queries or the keys that count?
# - The time of each token at `d_model=512`. When does the cache save as much time as arithmetic?
# - How large is the cache of a model of 80 layers, 8 KV heads of 128, for 100,000 tokens in 16 bits?
