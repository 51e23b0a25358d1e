# %% [markdown]
# # Normalisation
#
# Every sub-layer of a Transformer **adds** to what flows through the model, the residual stream.
# After many layers, sums may grow or shrink. A **norm** brings every token's vector back to one size,
# and where it stands decides whether a deep model learns.

# %%
import inspect
import sys

sys.path[:0] = [".", ".."]  # the repository's root, from wherever this is run

import numpy as np
import torch

from engine import RunConfig, new_state, observe, train
from engine.data import make_data
from engine.loss import cross_entropy
from engine.model.block import PostNormResidual, Residual
from engine.model.norms import RMSNorm
from engine.presets import PRESETS
from playground import figures, figures_runs
from playground.curves import Curves

STEPS = 200  # about ten seconds a model: it has twelve layers

# %%
print(inspect.getsource(RMSNorm))

# %% [markdown]
# ## Before or after?
#
# **Post-norm** is the place of the original paper: add first, then norm the sum. **Pre-norm** norms
# only what the sub-layer reads, and the stream itself is never touched.

# %%
print(inspect.getsource(Residual))
print(inspect.getsource(PostNormResidual))


# %%
def new(**changes):
    base = PRESETS["reverse"].changes | {
        "n_layer": 12, "max_lr": 0.006, "warmup_steps": 0, "task_length": 4, "max_seq_len": 16,
        "total_steps": STEPS, "eval_interval": 25, "eval_steps": 4,
    }  # fmt: skip
    config = RunConfig.from_flat(base | changes)
    return new_state(config, make_data(config))


def sizes(state):
    """The root mean square of the stream after every sub-layer, (2 L + 1,)."""
    ids = state.data.tokenizer.encode(state.data.probe())
    return observe.probe(state.model, ids).norms.mean(1)


def gradients(state):
    """The length of the gradient of each block, for one batch."""
    batch = next(iter(state.data.validation(32, 1)))
    logits = state.model(torch.from_numpy(batch.inputs))
    cross_entropy(logits, torch.from_numpy(batch.targets)).backward()
    blocks = [[weight.grad for weight in block.parameters()] for block in state.model.blocks]
    state.model.zero_grad()
    return [sum(g.square().sum() for g in grads if g is not None) ** 0.5 for grads in blocks]


# %% [markdown]
# ## Before the first step
#
# Two models of twelve layers whose weights are still random. How large is the stream after each
# sub-layer, and how long is the gradient that each block gets?

# %%
stream = figures.blank("The residual stream", "Root mean square", "light")
arriving = figures.blank("What reaches each block", "Gradient norm", "light")
for number, placement in enumerate(("pre", "post")):
    state, line = new(placement=placement), figures.line_of(number, "light")
    size, grads = sizes(state), np.array([float(g) for g in gradients(state)])
    figures.add_points(stream, np.arange(len(size), dtype=float), size, placement, line)
    figures.add_points(arriving, np.arange(1.0, 13), grads, placement, line)
    print(f"{placement:>4}: the stream is {size[0]:.2f} at first, {size[-1]:.2f} at the end; "
          f"gradients from {grads.min():.2f} to {grads.max():.2f}")  # fmt: skip
stream.update_xaxes(title_text="Sub-layers passed").update_yaxes(rangemode="tozero")
stream.show()
arriving.update_xaxes(title_text="Block").update_yaxes(rangemode="tozero")
arriving.show()

# %% [markdown]
# With post-norm the stream has one size everywhere; with pre-norm it grows. Both get gradients: a
# look at the beginning does not say yet which of the two will learn.
#
# ## Twelve layers, at full speed
#
# The learning rate is high, and there is no warm-up. Before you run it: which of the two learns?

# %%
runs = {placement: Curves.of(train(new(placement=placement))) for placement in ("pre", "post")}
for placement, curves in runs.items():
    last = curves.grad_norm[-20:].mean()
    print(f"{placement:>4}: loss {curves.validation[-1]:.3f}, {curves.accuracy[-1]:.1%} right, "
          f"gradient norm {last:.2f} in the end")  # fmt: skip
figures_runs.compare(runs).show()
figures_runs.compare(runs, metric="gradient", title="Gradients", log=True).show()

# %% [markdown]
# Post-norm is not bad as such: it bears less. That is why large models of today put the norm before
# the sub-layer.
#
# ## To try
#
# - Warm up: `new(placement="post", warmup_steps=100)`. Or halve the learning rate.
# - At what depth does post-norm give up? `n_layer=2, 4, 8`.
# - No norm at all: `new(norm="none")`. Look at the stream before you train it.
