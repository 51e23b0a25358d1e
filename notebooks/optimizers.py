# %% [markdown]
# The **gradient** is the rate at which the loss rises with each weight. An **optimizer** turns gradients into steps. In
# this notebook you compute the steps of SGD, AdamW and Muon for a matrix of four weights, compare them with the
# engine's optimizers, and let the optimizers race.

# %%
import inspect

import plotly.graph_objects as go
import torch
from torch.nn import Parameter

from engine.ablation.races import RacePlan
from engine.training.optim import NEWTON_SCHULZ, SGD, AdamW, Muon, newton_schulz, orthogonalized
from engine.training.race import Lap, Measured, Spectra, race
from notebooks.exercises import check

STEPS = 200  # about five seconds

torch.set_default_dtype(torch.float64)
torch.set_printoptions(precision=4, sci_mode=False)


def singular_values(matrix):
    return torch.linalg.svdvals(matrix)


# %% [markdown]
# ## Write it yourself
#
# Write `orthogonalize`, the heart of Muon, for a matrix g with at least as many columns as rows. Divide it by the
# root of the sum of its squares. Then repeat five times: X ← a X + b (X Xᵀ) X + c (X Xᵀ)² X, with a, b, c =
# `NEWTON_SCHULZ`.
#
# <details><summary>Hint</summary>
#
# `x.T` is the transpose and `@` the matrix product; compute X Xᵀ once per iteration.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# def orthogonalize(g):
#     a, b, c = NEWTON_SCHULZ
#     x = g / g.square().sum().sqrt()
#     for _ in range(5):
#         gram = x @ x.T
#         x = a * x + b * gram @ x + c * gram @ gram @ x
#     return x
# ```
#
# </details>


# %%
def orthogonalize(g):
    return ...  # your code


check(orthogonalize)

# %% [markdown]
# ## A gradient has directions
#
# This gradient stretches the direction (1, 1) by 7 and the direction (1, -1) by 1: its singular values. A step along the
# gradient moves the strong direction seven times as far as the weak one.

# %%
gradients = [torch.tensor([[4.0, 3.0], [3.0, 4.0]]), torch.tensor([[2.0, -1.0], [-1.0, 2.0]])]
for gradient in gradients:
    print(gradient, singular_values(gradient))


def engine_steps(make):
    """The steps of one of the engine's optimizers for these gradients, with learning rate 1."""
    weight = Parameter(torch.zeros(2, 2))
    optimizer = make([weight])
    steps = []
    for gradient in gradients:
        before = weight.detach().clone()
        weight.grad = gradient.clone()
        optimizer.step()
        steps.append(before - weight.detach())
    return steps


# %% [markdown]
# ## Momentum
#
# The buffer is multiplied by `beta` in each step, and the gradient is added. Entries on which the gradients agree grow.

# %%
beta = 0.9
buffer = torch.zeros(2, 2)
for gradient, expected in zip(
    gradients, engine_steps(lambda w: SGD(w, lr=1.0, momentum=beta)), strict=True
):
    buffer = beta * buffer + gradient
    assert torch.allclose(buffer, expected)
    print(buffer, singular_values(buffer))

# %% [markdown]
# ## AdamW
#
# Two averages for each weight: `m` of the gradient and `v` of its square. Both start at zero, so they are divided by the
# sum of their coefficients. The first step has only the signs of the gradient, and the weak direction gets nothing.

# %%
beta1, beta2 = 0.9, 0.99
m, v = torch.zeros(2, 2), torch.zeros(2, 2)
adamw = engine_steps(lambda w: AdamW(w, lr=1.0, betas=(beta1, beta2), weight_decay=0.0))
for t, (gradient, expected) in enumerate(zip(gradients, adamw, strict=True), start=1):
    m = beta1 * m + (1 - beta1) * gradient
    v = beta2 * v + (1 - beta2) * gradient**2
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    step = m_hat / v_hat.sqrt()
    assert torch.allclose(step, expected, rtol=1e-6)
    print(f"step {t}: m {m.tolist()}, v {v.tolist()}")
    print(step, singular_values(step))

# %% [markdown]
# ## Muon
#
# Muon keeps the directions of its momentum and replaces the singular values by numbers near 1. The Newton-Schulz
# iteration does this with matrix products only. Before you run the cell, guess how many iterations the weak direction
# needs to catch up.

# %%
print(inspect.getsource(newton_schulz))

# %%
a, b, c = NEWTON_SCHULZ
x = (
    gradients[0] / gradients[0].square().sum().sqrt()
)  # the Frobenius norm: no singular value above 1
path = [singular_values(x)]
for _ in range(5):
    gram = x @ x.T
    x = a * x + b * gram @ x + c * gram @ gram @ x
    path.append(singular_values(x))
assert torch.allclose(x, orthogonalized([gradients[0]])[0])
scale = 0.2 * 2**0.5  # of a step of Muon, for a matrix with two rows and columns
assert torch.allclose(scale * x, engine_steps(lambda w: Muon(w, lr=1.0, weight_decay=0.0))[0])
for number, values in enumerate(path):
    print(f"after {number}: {values.tolist()}")

figure = go.Figure(
    layout={"title": "Newton-Schulz", "xaxis_title": "iteration", "yaxis_title": "singular value"}
)
for number, name in enumerate(("strong direction", "weak direction")):
    figure.add_scatter(y=[values[number].item() for values in path], name=name)
figure.show()

# %% [markdown]
# ## A race
#
# `race` trains one tiny model with several optimizers: the same first weights, the same batches. Each has the best
# learning rate of the few that were tried (`engine.ablation.races.USUAL`).

# %%
torch.set_default_dtype(torch.float32)
torch.set_num_threads(1)
plan = RacePlan.of([{"optimizer": name} for name in ("adamw", "muon", "sgd")], STEPS)
names = ["AdamW", "Muon", "SGD"]
events = list(race(plan.configs(seed=0), plan.moments()))

figure = go.Figure(
    layout={"title": "Loss", "xaxis_title": "processor seconds", "yaxis_title": "nats per token"}
)
for entry, name in enumerate(names):
    laps = [event for event in events if isinstance(event, Lap) and event.entry == entry]
    figure.add_scatter(x=[lap.seconds for lap in laps], y=[lap.loss for lap in laps], name=name)
    measured = [event for event in events if isinstance(event, Measured) and event.entry == entry]
    print(f"{name:>6}: validation loss {measured[-1].loss:.3f}, {laps[-1].flops:.3g} FLOPs")
figure.show()

# %% [markdown]
# ## Inside a step
#
# The singular values of the last step in the matrix `up` of the first block, scaled so that all of them would be 1 if
# they were equal. `shared` is the number of directions that share the step.

# %%
figure = go.Figure(layout={"title": "Singular values of the last step", "xaxis_title": "number"})
for entry, name in enumerate(names):
    (last,) = [e for e in events if isinstance(e, Spectra) and e.entry == entry and e.step == STEPS]
    values = torch.tensor(last.update["0.up"])
    squares = values.square()
    shared = (squares.sum() ** 2 / squares.square().sum()).item()
    print(f"{name:>6}: {shared:.1f} of {len(values)} directions share the step")
    figure.add_scatter(y=(values / squares.mean().sqrt()).tolist(), name=name)
figure.show()

# %% [markdown]
# With one seed, small differences are not significant. The tab Optimizers, or
# `python -m engine race adamw muon sgd --seeds 3`, trains three seeds and computes confidence intervals.
#
# ## Exercises
#
# - Add Lion to the race. Which singular values does its step have, and why?
#
#   <details><summary>Answer</summary>
#
#   Every entry of Lion's step is plus or minus the learning rate: the sign of an average of gradients. Such a matrix
#   still has strong and weak directions: its singular values run from 3.0 to 0.26 times their root mean square, and
#   6.7 of 32 directions share the step; with SGD 4.0, with Muon 27.9. Its validation loss after 200 steps is 2.00,
#   against 1.61 with Muon and 2.05 with SGD (one seed).
#
#   </details>
#
# - Give Muon a learning rate ten times too large. Is it as sensitive as SGD?
#
#   <details><summary>Answer</summary>
#
#   With 0.4 instead of 0.04 its loss after 200 steps is 2.50 instead of 1.61; with SGD, at 3 instead of 0.3, it is
#   3.11 instead of 2.05 (one seed). Both suffer, but SGD falls back to about what the frequencies of the characters
#   alone give, and Muon does not: the size of its step does not depend on the size of the gradient.
#
#   </details>
#
# - Orthogonalize with one iteration instead of five (`orthogonalized(matrices, steps=1)`). What changes on the 2 x 2
#   matrix?
#
#   <details><summary>Answer</summary>
#
#   One iteration already brings the two directions from 7 : 1 to 1.5 : 1, but its values, 0.71 and 0.47, are not yet
#   near 1. Two make 1.17 and 1.10; after that they only move between 0.7 and 1.2. The others are for large matrices,
#   whose weakest direction is far weaker than a seventh of the strongest.
#
#   </details>
