# %% [markdown]
# # Training
#
# The weights of a new model are random numbers. **Training** shows it some text, measures how
# surprised it is by each next token, and moves every weight a little, so that it would have been less
# surprised. Here you make such steps by hand, and find out what the learning rate decides.

# %%
import inspect
import math
import sys

sys.path[:0] = [".", ".."]  # the repository's root, from wherever this is run

import torch

from engine import AdamW, RunConfig, new_state, optim, train
from engine.data import make_data
from engine.loss import cross_entropy
from engine.presets import PRESETS
from playground import figures, figures_runs
from playground.curves import Curves

STEPS = 300  # a few seconds a model

# %% [markdown]
# ## How surprised?
#
# The **loss** is minus the logarithm of the probability that the model gave to the token that came.
# A model that guesses uniformly among V tokens has ln V, and the runs here begin close to that.


# %%
def new(**changes):
    base = PRESETS["tiny"].changes | {"total_steps": STEPS, "warmup_steps": STEPS // 6}
    config = RunConfig.from_flat(base | changes)
    return new_state(config, make_data(config))


print(inspect.getsource(cross_entropy))

# %% [markdown]
# ## A few steps by hand
#
# The **gradient** says for each weight how fast the loss rises when it grows, so every weight takes a
# step against it. AdamW divides an average of the gradient by the root of an average of its square. So
# how large the gradients are cancels, and what counts is how well they agree: each weight moves by at
# most about the **learning rate**, and by less where its gradient is mostly noise.

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
# That is all there is to it: `train(state)` does the same, and tells of every step.
#
# ## The learning rate
#
# A hundred times too small, right, and a hundred times too large. Before you run it: what will become
# of each?

# %%
rates = {
    f"{rate:g}": Curves.of(train(new(max_lr=rate, min_lr=0)))
    for rate in (0.0001, 0.001, 0.01, 0.1, 1.0)
}
for name, curves in rates.items():
    print(f"{name:>6}: {curves.validation[-1]:.3f} nats a character on held-out text")
figures_runs.compare(rates, title="Five learning rates").show()

# %% [markdown]
# About 3 is what a model reaches that only knows how frequent each character is: the largest steps
# destroyed all else.
#
# ## A rate that changes
#
# The rate rises from zero: **warm-up**. One reason is that at first the averages of AdamW rest on few
# gradients. Then it falls like half a cosine: large steps find the valley, small steps go down into it. Twice as many steps, at a
# rate that is high:

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
figures_runs.compare(schedules, metric="learning rate", title="Schedules").show()
figures_runs.compare(schedules, title="What they come to").show()
figures.gradient_norm(schedules["warm-up and cosine"]).show()

# %% [markdown]
# One run of one seed each: small differences here say nothing. `python -m engine ablate recipe
# --seeds 3` trains three, with intervals.
#
# ## To try
#
# - Find the best rate to within a factor of two. Is it the same for `d_model=64`?
# - SGD: `new(optimizer="sgd", max_lr=0.1)`. Which rate is its best?
# - The loop by hand with `torch.optim.SGD`: what must change in it?
