# %% [markdown]
# # Positions
#
# Attention compares tokens two by two, and for that it does not matter where they stand. Most
# Transformers are **told the order**. Here you see what is lost without, and how RoPE tells it.

# %%
import inspect
import sys

sys.path[:0] = [".", ".."]  # the repository's root, from wherever this is run

import torch

from engine import ModelConfig, RunConfig, TransformerLM, new_state, train
from engine.data import make_data
from engine.model import positions
from engine.presets import PRESETS
from playground import figures, figures_runs
from playground.curves import Curves

STEPS = 300  # about four seconds a model

# %% [markdown]
# ## Shuffle the past
#
# Without positions, the last token collects the very same from tokens in another order. With one
# layer nothing moves but the rounding of 32-bit floating-point numbers; with more, the causal mask tells
# a little: a token sees how many stand before it.

# %%
size = {"d_model": 32, "n_head": 2, "n_layer": 1, "vocab_size": 20, "max_seq_len": 16}
row = torch.arange(12)[None]
shuffled = torch.cat([row[:, torch.randperm(11)], row[:, -1:]], 1)
for scheme in ("none", "learned", "rope", "alibi"):
    torch.manual_seed(0)
    model = TransformerLM(**size, position=scheme)
    with torch.inference_mode():
        change = (model(row)[0, -1] - model(shuffled)[0, -1]).abs().max()
    print(f"{scheme:>8}: the last logits move by at most {change:.1e}")

# %% [markdown]
# ## Turned by the place
#
# RoPE **turns** queries and keys by an angle that grows with the place. When a query meets a key,
# only the difference of their angles is left: how far **apart** they are.

# %%
print(inspect.getsource(positions.Rotary))
print(inspect.getsource(positions.rotate))

# %%
rotary = positions.Rotary(ModelConfig.parse(size | {"rope_theta": 100}))
places = torch.arange(16)
query, key = torch.randn(2, 1, 1, 1, 16).expand(2, 1, 16, 1, 16)  # the same at every place
turn = rotary.rotation(places)
turned = [positions.rotate(vectors, turn)[0, :, 0] for vectors in (query, key)]  # (16, 16) each
products = turned[0] @ turned[1].T  # (T, T)

figure = figures.blank("RoPE: the same query and key, further and further apart", "q · k", "light")
for place, colour in zip((5, 10, 15), figures.PALETTE["light"], strict=False):
    apart = place - places[: place + 1]
    line = {"color": colour, "width": 7 - place / 3}
    values = products[place, : place + 1]
    figures.add_line(figure, apart.numpy(), values.numpy(), f"query at {place}", line)
figure.update_xaxes(title_text="Distance")
figure.show()
difference = (products[1:, 1:] - products[:-1, :-1]).abs().max()
print(f"at equal distance, q · k differs by at most {difference:.1e}")

# %% [markdown]
# The three curves lie on each other: where the query stands makes no difference.
#
# ## Reverse a row
#
# A model has to write a row of letters in reverse. Before you run it: which of the three will be ahead?


# %%
def trained(**changes):
    base = PRESETS["reverse"].changes | {"total_steps": STEPS, "warmup_steps": STEPS // 6}
    config = RunConfig.from_flat(base | changes)
    return Curves.of(train(new_state(config, make_data(config))))


runs = {scheme: trained(position=scheme) for scheme in ("none", "learned", "rope")}
for scheme, curves in runs.items():
    print(f"{scheme:>8}: loss {curves.validation[-1]:.3f}, {curves.accuracy[-1]:.1%} right")
figures_runs.compare(runs, metric="right answers", title="Right answers").show()

# %% [markdown]
# To reverse a row, a model has to go to a certain **place**, and there learned places are ahead. On
# the stories, within 600 steps, RoPE is ahead of them.
#
# ## To try
#
# - The stories: `PRESETS["stories"]`, and `metric="loss"`. Which scheme is ahead there?
# - `rope_theta=10_000`, the usual base, on these short rows. What do slow turns cost?
# - Other waves: `position="sinusoidal"`, alone and with `scale_embeddings=True`.
