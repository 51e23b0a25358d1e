# %% [markdown]
# The weights of a new model are random numbers. **Training** repeats one step: the model predicts each next token of
# some text, the loss measures the error, and every weight changes a little to reduce the loss. In this notebook you
# write such steps yourself, and study the effect of the learning rate.

# %%
import inspect
import math

import torch

from engine import AdamW, RunConfig, new_state, train
from engine.data import make_data
from engine.presets import PRESETS
from engine.training import optim
from engine.training.loss import cross_entropy
from notebooks.exercises import check
from playground.figures import one_run, several_runs
from playground.figures.curves import Curves

STEPS = 300  # a few seconds a model

# %% [markdown]
# ## Write it yourself
#
# Write `adamw`: one update, the t-th (t starts at 1). w, g, m and v are tensors of the same shape: weights,
# gradient, and the two averages so far. β₁ = 0.9, β₂ = 0.999, ε = 10⁻⁸, decay 0.01. Return the new w, m and v.
#
# <details><summary>Hint</summary>
#
# m = β₁ m + (1 − β₁) g, v = β₂ v + (1 − β₂) g². Divide m by 1 − β₁ᵗ and v by 1 − β₂ᵗ; then w = w − lr (m / (√v +
# ε) + decay · w).
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# def adamw(w, g, m, v, t, lr):
#     m = 0.9 * m + 0.1 * g
#     v = 0.999 * v + 0.001 * g.square()
#     step = (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
#     return w - lr * (step + 0.01 * w), m, v
# ```
#
# </details>


# %%
def adamw(w, g, m, v, t, lr):
    return ...  # your code


check(adamw)

# %% [markdown]
# Write `cosine`: the learning rate of the update that follows `step` updates. While step < warmup it is high ·
# (step + 1) / (warmup + 1). Then it falls from `high` to `low` like half a cosine, and reaches `low` at step =
# total.
#
# <details><summary>Hint</summary>
#
# Let d go from 0 to 1 on the way down. Then (1 + cos π d) / 2 goes from 1 to 0.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# def cosine(step, warmup, total, high, low):
#     if step < warmup:
#         return high * (step + 1) / (warmup + 1)
#     done = (step - warmup) / (total - warmup)
#     return low + (high - low) * (1 + math.cos(math.pi * done)) / 2
# ```
#
# </details>


# %%
def cosine(step, warmup, total, high, low):
    return ...  # your code


check(cosine)

# %% [markdown]
# ## The loss
#
# The **loss** is minus the logarithm of the probability that the model gave to the actual next token. A uniform guess
# among V tokens has a loss of ln V, and the runs here start close to it.


# %%
def new(**changes):
    base = PRESETS["tiny"].changes | {"total_steps": STEPS, "warmup_steps": STEPS // 6}
    config = RunConfig.from_flat(base | changes)
    return new_state(config, make_data(config))


print(inspect.getsource(cross_entropy))

# %% [markdown]
# ## A few steps by hand
#
# The **gradient** is the rate at which the loss rises with each weight, so every weight takes a step in the opposite
# direction. AdamW divides an average of the gradient by the square root of an average of its square. The size of the
# gradients therefore cancels. Each weight changes by at most about the **learning rate**, and by less if its gradient
# is mostly noise.

# %%
print(inspect.getsource(AdamW.step))

# %%
state = new()
model, vocabulary = state.model, state.data.tokenizer.vocab_size
optimizer = AdamW(model.parameters(), lr=0.01)
print(f"guessing: ln {vocabulary} = {math.log(vocabulary):.3f}")
for number in range(5):
    batch = state.data.batch(16)
    inputs, targets = torch.from_numpy(batch.inputs), torch.from_numpy(batch.targets)
    loss = cross_entropy(model(inputs), targets)
    before = [weight.detach().clone() for weight in model.parameters()]
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    moves = [
        (moved - old).abs().mean() for moved, old in zip(model.parameters(), before, strict=True)
    ]
    print(
        f"step {number + 1}: loss {loss.item():.3f}; the weights moved by {max(moves):.4f} at most, on average"
    )

# %% [markdown]
# `train(state)` does the same and yields an event for every step.
#
# ## The learning rate
#
# The next cell compares five learning rates, from a hundred times too small to a hundred times too large. Before you
# run it, predict the result of each.

# %%
rates = {
    f"{rate:g}": Curves.of(train(new(max_lr=rate, min_lr=0)))
    for rate in (0.0001, 0.001, 0.01, 0.1, 1.0)
}
for name, curves in rates.items():
    print(f"{name:>6}: {curves.validation[-1]:.3f} nats per character on validation text")
several_runs.compare(rates, title="Five learning rates").show()

# %% [markdown]
# A loss of about 3 is that of a model that only knows the frequency of each character: the largest steps destroyed
# everything else.
#
# ## Learning-rate schedules
#
# The learning rate rises from zero during **warm-up**, because at first AdamW's averages are based on few gradients.
# Then it falls like half a cosine: large steps make fast progress, and small steps reduce the noise at the end. The
# next cell trains for twice as many steps at a high learning rate.

# %%
print(inspect.getsource(optim.learning_rate))

# %%
long = {"max_lr": 0.03, "total_steps": 2 * STEPS}
recipes = {
    "warm-up and cosine": new(**long),
    "constant after warm-up": new(**long, schedule="constant"),
    "no warm-up": new(**long, warmup_steps=0),
}
schedules = {name: Curves.of(train(state)) for name, state in recipes.items()}
for name, curves in schedules.items():
    print(f"{name:>22}: {curves.validation[-1]:.3f}")
several_runs.compare(schedules, metric="learning rate", title="Schedules").show()
several_runs.compare(schedules, title="Loss with each schedule").show()
one_run.gradient_norm(schedules["warm-up and cosine"]).show()

# %% [markdown]
# With one seed each, small differences are not significant. `python -m engine ablate recipe --seeds 3` trains three
# seeds and computes confidence intervals.
#
# ## Exercises
#
# - Find the best learning rate within a factor of two. Is it the same for `d_model=64`?
#
#   <details><summary>Answer</summary>
#
#   0.01 for this model: 1.917 with 0.005, 1.849 with 0.01, 1.893 with 0.02. With `d_model=64` it is 1.822, 1.834 and
#   1.916, so 0.005 is as good as 0.01 there: wider models usually want smaller steps. Differences below 0.05 are
#   within the noise of one seed.
#
#   </details>
#
# - Use SGD: `new(optimizer="sgd", max_lr=0.1, weight_decay=0.0001)`. Which learning rate is best?
#
#   <details><summary>Answer</summary>
#
#   0.3, with a validation loss of 1.849: exactly as good as AdamW with 0.01. 0.1 gives 1.890 and 1 gives 2.103. The
#   weight decay must change too, because a step takes lr · decay of every weight: with the 0.1 that suits AdamW, the
#   learning rate 0.3 gives 2.786.
#
#   </details>
#
# - Write the loop above with `torch.optim.SGD`. What must change?
#
#   <details><summary>Answer</summary>
#
#   Only the line that makes the optimizer, and its learning rate. The step is now lr times the gradient: with 0.01
#   the loss falls only to 4.006 in five steps, with 0.1 to 3.621, and with 1 it jumps up to 5.578 in the fourth.
#   AdamW, with 0.01, falls to 3.426.
#
#   </details>
