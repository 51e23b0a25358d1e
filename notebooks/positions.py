# %% [markdown]
# Attention compares pairs of tokens, independently of their order. Most Transformers therefore have a **position
# encoding**. In this notebook you see what is lost without it, and how RoPE works.

# %%
import inspect

import torch

from engine import ModelConfig, RunConfig, TransformerLM, new_state, train
from engine.data import make_data
from engine.model import positions
from engine.presets import PRESETS
from notebooks.exercises import check
from playground.figures import one_run, several_runs
from playground.figures.curves import Curves

STEPS = 300  # about four seconds a model

# %% [markdown]
# ## Write it yourself
#
# Write `rope`: x is (T, D), the queries of T tokens at positions 0 to T − 1. Rotate each pair of neighbouring
# numbers, 2i and 2i + 1, of the token at position p by the angle p · base^(−2i / D). A rotation by a turns (a₁,
# a₂) into (a₁ cos a − a₂ sin a, a₁ sin a + a₂ cos a).
#
# <details><summary>Hint</summary>
#
# `x[:, 0::2]` and `x[:, 1::2]` are the first and the second numbers of all pairs;
# `torch.outer(positions, frequencies)` are all angles.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# def rope(x, base):
#     length, width = x.shape
#     frequencies = base ** (-torch.arange(0, width, 2) / width)  # (D/2,)
#     angles = torch.outer(torch.arange(length).float(), frequencies)  # (T, D/2)
#     first, second = x[:, 0::2], x[:, 1::2]
#     turned = torch.empty_like(x)
#     turned[:, 0::2] = first * angles.cos() - second * angles.sin()
#     turned[:, 1::2] = first * angles.sin() + second * angles.cos()
#     return turned
# ```
#
# </details>


# %%
def rope(x, base):
    return ...  # your code


check(rope)

# %% [markdown]
# ## Shuffle the past
#
# Without positions, the last token collects the same information if the tokens before it are shuffled. With one
# layer, the output changes only by the rounding error of 32-bit floating-point numbers. With more layers, the
# causal mask gives some information: the number of earlier tokens that a token sees.

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
# ## Rotated by the position
#
# RoPE **rotates** queries and keys by an angle that grows with the position. The product of a query and a key
# then depends only on the difference of their angles, and so on their **distance**.

# %%
print(inspect.getsource(positions.Rotary))
print(inspect.getsource(positions.rotate))

# %%
rotary = positions.Rotary(ModelConfig.parse(size | {"rope_theta": 100}))
places = torch.arange(16)
query, key = torch.randn(2, 1, 1, 1, 16).expand(2, 1, 16, 1, 16)  # the same at every position
turn = rotary.rotations(places)
turned = [positions.rotate(vectors, turn)[0, :, 0] for vectors in (query, key)]  # (16, 16) each
products = turned[0] @ turned[1].T  # (T, T)

figure = one_run.blank("RoPE: the same query and key at increasing distance", "q · k", "light")
for place, colour in zip((5, 10, 15), one_run.PALETTE["light"], strict=False):
    apart = place - places[: place + 1]
    line = {"color": colour, "width": 7 - place / 3}
    values = products[place, : place + 1]
    one_run.add_line(figure, apart.numpy(), values.numpy(), f"query at {place}", line)
figure.update_xaxes(title_text="Distance")
figure.show()
difference = (products[1:, 1:] - products[:-1, :-1]).abs().max()
print(f"at equal distance, q · k differs by at most {difference:.1e}")

# %% [markdown]
# The three curves coincide: the position of the query makes no difference.
#
# ## Reverse a row
#
# A model has to reverse a row of letters. Before you run the next cell, predict: which of the three is best?


# %%
def trained(**changes):
    base = PRESETS["reverse"].changes | {"total_steps": STEPS, "warmup_steps": STEPS // 6}
    config = RunConfig.from_flat(base | changes)
    return Curves.of(train(new_state(config, make_data(config))))


runs = {scheme: trained(position=scheme) for scheme in ("none", "learned", "rope")}
for scheme, curves in runs.items():
    print(f"{scheme:>8}: loss {curves.validation[-1]:.3f}, {curves.accuracy[-1]:.1%} right")
several_runs.compare(runs, metric="right answers", title="Right answers").show()

# %% [markdown]
# To reverse a row, a model has to attend to a certain absolute **position**, and learned positions are better
# at this. On the stories, after 600 steps, RoPE is better.
#
# ## Exercises
#
# - Train on the stories: `PRESETS["llama-style"]`, and `metric="loss"`. Which position encoding is best there?
#
#   <details><summary>Answer</summary>
#
#   RoPE and ALiBi: validation losses of 0.969 and 0.958 after 600 steps, a difference within the noise of three
#   seeds. Learned positions have 1.641, sinusoidal ones 1.943, and no positions at all 1.997. From
#   `assets/lessons/results/positions`.
#
#   </details>
#
# - Use the usual base, `rope_theta=10_000`, on these short rows. What do slow rotations cost?
#
#   <details><summary>Answer</summary>
#
#   33% of the rows are right, instead of 43% with 100 (one seed each). With base 10,000 and heads of 16 numbers,
#   half of the pairs turn by at most 0.01 radians a position: in a row of at most a few dozen tokens they say nothing
#   about the distance.
#
#   </details>
#
# - Try `position="sinusoidal"`, alone and with `scale_embeddings=True`.
#
#   <details><summary>Answer</summary>
#
#   It is no good choice here: 19% of the rows are right, and 15% with larger embeddings, a difference that one seed
#   cannot show. Both are better than no positions, 6%, and far below learned ones, 87%, which the model can change.
#   On the stories larger embeddings help: 1.389 against 1.943 (`assets/lessons/results/positions`).
#
#   </details>
