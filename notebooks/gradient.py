# %% [markdown]
# The **gradient** says, for each weight, how fast the loss rises with it. Learning takes steps in the opposite
# direction. In this notebook you measure a gradient, follow it down, and choose a learning rate.

# %%
import numpy as np
import torch

from notebooks.exercises import check
from playground.figures import one_run

# %% [markdown]
# ## Write it yourself
#
# Write `slope`: the gradient of a function, measured. `function` takes a vector and returns a number; `w` (n,) is
# in double precision. For each number of w, move it by h = 10⁻⁵ in both directions: the slope is the difference
# of the two results, divided by 2 h. Return a tensor (n,).
#
# <details><summary>Hint</summary>
#
# `w.clone()` is a copy that you may change.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# def slope(function, w, h=1e-5):
#     gradient = torch.zeros_like(w)
#     for i in range(len(w)):
#         up, down = w.clone(), w.clone()
#         up[i] += h
#         down[i] -= h
#         gradient[i] = (function(up) - function(down)) / (2 * h)
#     return gradient
# ```
#
# </details>


# %%
def slope(function, w):
    return ...  # your code


check(slope)

# %% [markdown]
# ## A landscape
#
# Two weights, and a loss that is a long valley: steep across, flat along. PyTorch computes its gradient by the chain
# rule (autograd), and it agrees with a measurement.


# %%
def loss(w):
    return 0.5 * (w[..., 0] ** 2 + 20 * w[..., 1] ** 2)


def gradient(w):
    w = w.clone().requires_grad_()
    return torch.autograd.grad(loss(w), w)[0]


start = torch.tensor([4.0, 1.0], dtype=torch.float64)
h = 1e-5
measured = [
    ((loss(start + h * e) - loss(start - h * e)) / (2 * h)).item()
    for e in torch.eye(2, dtype=torch.float64)
]
print(f"by the chain rule {gradient(start).tolist()}, measured {np.round(measured, 6).tolist()}")

# %% [markdown]
# ## Three learning rates
#
# Each step is w ← w − lr · gradient. Before you run the next cell, predict: what does a learning rate of 0.11 do?


# %%
def descend(rate, steps=30, momentum=0.0):
    w, speed, path = start.clone(), torch.zeros_like(start), [start.clone()]
    for _ in range(steps):
        speed = momentum * speed + gradient(w)
        w = w - rate * speed
        path.append(w.clone())
    return torch.stack(path)


rates = (0.01, 0.09, 0.11)
paths = {f"learning rate {rate:g}": descend(rate) for rate in rates}
figure = one_run.blank("Loss", "loss", "light", log=True)
for number, (name, path) in enumerate(paths.items()):
    values = loss(path).numpy()
    line = one_run.line_of(number, "light")
    one_run.add_line(figure, np.arange(float(len(values))), values, name, line)
    print(f"{name}: loss {values[0]:.1f} -> {values[-1]:.3g}")
figure.show()

# %% [markdown]
# Across the valley the slope is 20 times the distance. A step of 0.1 times that is twice the distance: it lands on the
# other side, as high as before. Any larger rate climbs out of the valley. Along the valley the same rate is too small:
# one rate for all directions is a compromise.

# %%
figure = one_run.blank("Three paths down", "weight 2", "light")
x, y = np.linspace(-1, 4.4, 80), np.linspace(-1.6, 1.6, 80)
grid = torch.tensor(np.stack(np.meshgrid(x, y), -1))
figure.add_contour(
    x=x,
    y=y,
    z=loss(grid).sqrt().numpy(),
    showscale=False,
    colorscale="Greys",
    opacity=0.5,
    hoverinfo="skip",
)
for number, (name, path) in enumerate(paths.items()):
    inside = path[(path[:, 1].abs() < 1.6)].numpy()
    one_run.add_points(figure, inside[:, 0], inside[:, 1], name, one_run.line_of(number, "light"))
figure.update_xaxes(title_text="weight 1")
figure.show()

# %% [markdown]
# ## Exercises
#
# - Find the largest learning rate with which the loss still falls. What has it to do with 20?
#
#   <details><summary>Answer</summary>
#
#   Just below 0.1, which is 2 / 20. Across the valley each step multiplies the weight by 1 − 20 lr; the loss falls
#   only while this is between −1 and 1. With 0.099 the loss is 3.0 after 30 steps, with 0.1 it stays at 10 for ever,
#   and with 0.101 it is 33 and rises.
#
#   </details>
#
# - `descend(0.05, momentum=0.9)` keeps a part of the last step. Is it faster along the valley?
#
#   <details><summary>Answer</summary>
#
#   At first: after 10 steps the loss is 1.08 instead of 2.87. Then the kept speed carries it past the lowest point,
#   and it swings: after 30 steps 0.33 against 0.37, and 0.09 without momentum has 0.028. With a fixed direction,
#   steps add up to ten times their size; where the gradient changes its sign, they oscillate.
#
#   </details>
#
# - Divide each part of the gradient by its own size, as AdamW nearly does. What becomes of the valley?
#
#   <details><summary>Answer</summary>
#
#   It disappears: only the signs are left, so both weights move by the learning rate in each step, the flat direction
#   as fast as the steep one. With 0.1 the steep weight arrives after 10 steps and the flat one after 40. But the
#   steps never get smaller: the weights jump to and fro around zero, and the loss stays near 0.1. So the learning
#   rate must fall at the end.
#
#   </details>
