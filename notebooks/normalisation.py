# %% [markdown]
# Every sub-layer of a Transformer **adds** its output to the residual stream. Over many layers, the vectors can
# grow or shrink. A **norm** scales every token's vector to the same size. Its position decides whether a deep
# model learns.

# %%
import inspect

import numpy as np
import torch

from engine import RunConfig, new_state, train
from engine.data import make_data
from engine.inspection import observe
from engine.model.block import PostNormResidual, Residual
from engine.model.norms import RMSNorm
from engine.presets import PRESETS
from engine.training.loss import cross_entropy
from notebooks.exercises import check
from playground.figures import one_run, several_runs
from playground.figures.curves import Curves

STEPS = 200  # about ten seconds a model: it has twelve blocks

# %% [markdown]
# ## Write it yourself
#
# Write `rms_norm`: divide every vector of x (T, C) by its root mean square, and multiply by the learned `weight`
# (C,). Add 10⁻⁵ to the mean of the squares, so that a vector of zeros is no problem.
#
# <details><summary>Hint</summary>
#
# `x.square().mean(-1, keepdim=True)` is (T, 1).
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# def rms_norm(x, weight):
#     mean_square = x.square().mean(-1, keepdim=True)
#     return x / (mean_square + 1e-5).sqrt() * weight
# ```
#
# </details>


# %%
def rms_norm(x, weight):
    return ...  # your code


check(rms_norm)

# %% [markdown]
# The engine's own, in fp32 also where the model computes in 16 bits:

# %%
print(inspect.getsource(RMSNorm))

# %% [markdown]
# ## Before or after?
#
# **Post-norm**, used in the original paper, normalises the sum after the addition. **Pre-norm** normalises only
# the input of the sub-layer, and leaves the stream itself unchanged.

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
    """The gradient norm of each block, for one batch."""
    batch = next(iter(state.data.validation(32, 1)))
    logits = state.model(torch.from_numpy(batch.inputs))
    cross_entropy(logits, torch.from_numpy(batch.targets)).backward()
    blocks = [[weight.grad for weight in block.parameters()] for block in state.model.blocks]
    state.model.zero_grad()
    return [sum(g.square().sum() for g in grads if g is not None) ** 0.5 for grads in blocks]


# %% [markdown]
# ## Before the first step
#
# These two models have twelve blocks and random weights. The next cell plots the size of the stream after each
# sub-layer, and the gradient norm of each block.

# %%
stream = one_run.blank("The residual stream", "Root mean square", "light")
arriving = one_run.blank("What reaches each block", "Gradient norm", "light")
for number, placement in enumerate(("pre", "post")):
    state, line = new(placement=placement), one_run.line_of(number, "light")
    size, grads = sizes(state), np.array([float(g) for g in gradients(state)])
    one_run.add_points(stream, np.arange(len(size), dtype=float), size, placement, line)
    one_run.add_points(arriving, np.arange(1.0, 13), grads, placement, line)
    print(f"{placement:>4}: the size of the stream changes from {size[0]:.2f} to {size[-1]:.2f}; "
          f"gradients from {grads.min():.2f} to {grads.max():.2f}")  # fmt: skip
stream.update_xaxes(title_text="Sub-layers passed").update_yaxes(rangemode="tozero")
stream.show()
arriving.update_xaxes(title_text="Block").update_yaxes(rangemode="tozero")
arriving.show()

# %% [markdown]
# With post-norm the stream has the same size everywhere; with pre-norm it grows. Both models get gradients, so
# the start does not show which of them will learn.
#
# ## Twelve blocks without warm-up
#
# The learning rate is high, and there is no warm-up. Before you run the next cell, predict: which model learns?

# %%
runs = {placement: Curves.of(train(new(placement=placement))) for placement in ("pre", "post")}
for placement, curves in runs.items():
    last = curves.grad_norm[-20:].mean()
    print(f"{placement:>4}: loss {curves.validation[-1]:.3f}, {curves.accuracy[-1]:.1%} right, "
          f"gradient norm {last:.2f} at the end")  # fmt: skip
several_runs.compare(runs).show()
several_runs.compare(runs, metric="gradient", title="Gradients", log=True).show()

# %% [markdown]
# Post-norm can work, but it needs more careful settings. This is why most large models today use pre-norm.
#
# ## Exercises
#
# - Add warm-up: `new(placement="post", warmup_steps=100)`. Or halve the learning rate.
#
#   <details><summary>Answer</summary>
#
#   Half the rate, `max_lr=0.003`, is enough: all rows are right after 200 steps, with a loss of 0.050. A warm-up of
#   100 steps helps less: about a tenth of the rows after 400 steps, on average over three seeds
#   (`assets/lessons/results/post-norm`). Post-norm can learn this task; it does not bear the high rate.
#
#   </details>
#
# - At which depth does post-norm stop learning? Try `n_layer=2, 4, 8`.
#
#   <details><summary>Answer</summary>
#
#   Between 8 and 12 blocks, in our runs. With 4 and with 8 blocks all rows are right after 200 steps, with 12 none.
#   With 2 blocks 59% are right: they learn, but more slowly.
#
#   </details>
#
# - Remove the norm: `new(norm="none")`. Plot the stream before you train it.
#
#   <details><summary>Answer</summary>
#
#   It diverges at step 4. The picture before training does not show it: the stream starts at a root mean square of
#   0.02 and grows to only 0.024, because nothing scales up such small vectors. But nothing holds them back either
#   once large steps have made the weights large.
#
#   </details>
