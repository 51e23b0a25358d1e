# %% [markdown]
# # Attention
#
# A model reads all tokens of a text at once, but each token alone says little. **Attention** is how a
# token collects what it needs from itself and from the tokens before it. Here you train two small
# models, look at what their heads look at, and take heads away.

# %%
import inspect
import sys
from itertools import product

sys.path[:0] = [".", ".."]  # the repository's root, from wherever this is run

from engine import RunConfig, new_state, observe, train
from engine.data import make_data
from engine.model.attention import Attention
from engine.presets import PRESETS
from playground import figures, figures_runs
from playground.curves import Curves

STEPS = 600  # about half a minute a model

# %% [markdown]
# These lines compute softmax(Q Kᵀ / √d) V step by step, and keep each step for you to look at. Find
# the scores, the mask that hides the future, and the softmax. Training computes the same in one call
# of PyTorch.

# %%
print(inspect.getsource(Attention.visible))

# %% [markdown]
# ## Can one layer copy?
#
# A row of random letters repeats: `q x a f … q x a` and then? To say `f`, a model has to find the
# earlier `a` **and** look one place further. Before you run the next cell: how many of the rows will
# a model with **one** layer continue without a mistake, and how many one with two?


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
figures_runs.compare(curves_by_name, metric="right answers", title="Right answers").show()

# %% [markdown]
# ## Which head finds the match?
#
# An **induction head** looks at what followed the last time that the same letter stood there.
# `patterns` measures how much of its attention a head gives to such a place, beyond chance.

# %%
state, _ = runs["2 layer(s)"]
text = state.data.probe()
ids = state.data.tokenizer.encode(text)
tokens = [state.data.tokenizer.decode([token]) for token in ids]

model = state.model
weights = observe.attention_of(observe.trace_of(model, ids), model.config.n_layer)  # (L, H, T, T)
shares = observe.patterns(weights, ids)  # (L, H, patterns)
for pattern in ("previous", "repeat"):
    of_heads = shares[..., observe.PATTERNS.index(pattern)]
    layer, head = divmod(int(of_heads.argmax()), model.config.n_head)
    print(f"{pattern}: layer {layer + 1}, head {head + 1} gives it {of_heads.max():.0%}")
    title = f"“{pattern}”: layer {layer + 1}, head {head + 1}"
    figures.attention(weights[layer, head], tokens, title=title).show()

# %% [markdown]
# ## Take a head away
#
# What a head does shows when it is missing. Each head in turn hands on zeros: how much harder do the
# letters become that can be known, because the row repeats? A head may hardly be missed where others
# do the same, so at the end all those go that find the match.

# %%
known = [i for i in range(2, len(ids)) if ids[i - 1] in ids[: i - 1] and ids[i] in ids[:i]]


def harm(heads):
    effect = observe.head_effect(model, ids, heads)
    return (effect.losses_after - effect.losses_before)[[i - 1 for i in known]].mean()


layers, heads = range(model.config.n_layer), range(model.config.n_head)
for layer, head in product(layers, heads):
    print(f"without layer {layer + 1}, head {head + 1}: {harm([(layer, head)]):+.3f} nats a letter")

repeat = shares[..., observe.PATTERNS.index("repeat")]
matching = [(layer, head) for layer, head in product(layers, heads) if repeat[layer, head] > 0.2]
print(f"without all {len(matching)} that find the match: {harm(matching):+.3f} nats a letter")

# %% [markdown]
# A head of the first layer compares single letters: it does not know what stood before each of them.
# The second layer can, because the first has written it there. Positions alone do not help: every
# distance to the earlier letter is equally likely.
#
# ## To try
#
# - Three layers, or two layers with one head: `trained(n_layer=2, n_head=1)`. What is needed?
# - Give the one layer ten times the steps. Does patience replace the second layer?
# - Other rows: `trained(seed=1)`. Is it the same head again?
