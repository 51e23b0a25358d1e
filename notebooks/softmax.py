# %% [markdown]
# A model ends with a score for each token, its **logit**. **Softmax** turns scores into probabilities, and the **loss**
# measures them. In this notebook you write both, and see what temperature does.

# %%
import math

import numpy as np
import torch

from engine import Sampler
from engine.generation import adjust
from notebooks.exercises import check
from playground.figures import one_run

# %% [markdown]
# ## Write it yourself
#
# Write `softmax`: `logits` (N, V) → (N, V), where every row is positive and sums to one. It must also work for
# logits of several hundred.
#
# <details><summary>Hint</summary>
#
# e to the power of 300 is larger than any 32-bit number. Subtract the largest logit of each row first: only
# differences matter.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# def softmax(logits):
#     powers = (logits - logits.max(-1, keepdim=True).values).exp()
#     return powers / powers.sum(-1, keepdim=True)
# ```
#
# </details>


# %%
def softmax(logits):
    return ...  # your code


check(softmax)

# %% [markdown]
# Write `loss`: the cross-entropy in nats. `logits` (N, V), `targets` (N,) are the ids of the right tokens. Return
# the mean of −ln p(target).
#
# <details><summary>Hint</summary>
#
# −ln p(target) is logsumexp(z) − z[target]: `logits.logsumexp(-1)`. Written so, nothing overflows and no
# logarithm of 0 is taken.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# def loss(logits, targets):
#     right = logits[torch.arange(len(targets)), targets]
#     return (logits.logsumexp(-1) - right).mean()
# ```
#
# </details>


# %%
def loss(logits, targets):
    return ...  # your code


check(loss)

# %% [markdown]
# ## From a vector to probabilities
#
# What a tiny model has read is the vector h. Each word has a vector of its own; the logit of a word is the dot product
# of the two.

# %%
h = torch.tensor([2.0, 1.0])
words = {"cat": (1.0, 0.0), "dog": (0.0, 1.0), "car": (1.0, -2.0)}
logits = torch.stack([h @ torch.tensor(vector) for vector in words.values()])
for word, logit, probability in zip(words, logits, logits.softmax(0), strict=True):
    print(
        f"{word}: logit {logit:+.0f}, probability {probability:.3f}, loss if it comes {-probability.log():.2f}"
    )

# %% [markdown]
# ## Temperature
#
# Before softmax, all logits are divided by the temperature T. Before you run the next cell, predict: which word gains most
# from a high temperature?

# %%
temperatures = np.geomspace(0.1, 10, 60)
shares = np.array([adjust(logits, Sampler(temperature=t)).after.numpy() for t in temperatures])
figure = one_run.blank("Probability at each temperature", "probability", "light")
for number, word in enumerate(words):
    one_run.add_line(
        figure, temperatures, shares[:, number], word, one_run.line_of(number, "light")
    )
figure.update_xaxes(title_text="Temperature", type="log")
figure.show()
print(f"T = 0.1: {shares[0].round(3)}   T = 10: {shares[-1].round(3)}   even: {1 / 3:.3f}")

# %% [markdown]
# ## Softmax and one large logit
#
# The gradient of the loss is the probability, minus one at the right token. When the model is sure and right, nothing is
# left to learn; when it is sure and wrong, the gradient is as large as it can be.

# %%
for right in range(3):
    z = logits.clone().requires_grad_()
    loss_here = -z.log_softmax(0)[right]
    (gradient,) = torch.autograd.grad(loss_here, z)
    print(
        f"{list(words)[right]} was right: loss {loss_here:.2f}, gradient {[round(g, 3) for g in gradient.tolist()]}"
    )
print(f"a uniform guess among three: ln 3 = {math.log(3):.2f}")

# %% [markdown]
# ## Exercises
#
# - Add 100 to all three logits. What changes, and what does not?
#
#   <details><summary>Answer</summary>
#
#   The logits change, the probabilities do not: 0.665, 0.245 and 0.090. Every power is multiplied by e¹⁰⁰, and so is
#   their sum. Only differences of logits matter.
#
#   </details>
#
# - Find the temperature at which “cat” has a probability of one half.
#
#   <details><summary>Answer</summary>
#
#   T = 2.08. With x = e^(1/T) the powers are x², x and 1. A half for “cat” means x² = x + 1, so x is the golden
#   ratio, 1.618, and T = 1 / ln x = 2.078.
#
#   </details>
#
# - Why does the gradient sum to zero?
#
#   <details><summary>Answer</summary>
#
#   The gradient is p − y, and both the probabilities p and the target y sum to one. It also follows from the first
#   exercise: the same number added to all logits changes nothing, so the loss has no slope in that direction.
#
#   </details>
