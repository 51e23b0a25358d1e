# %% [markdown]
# Most first runs fail, and their curves almost always show why. In this notebook you make some runs fail on
# purpose, find the reason in their curves, and fix them.

# %%
import inspect

import torch

from engine import RunConfig, new_state, train
from engine.data import make_data
from engine.presets import PRESETS
from engine.runs.events import Diverged
from engine.training.optim import clip_grad_norm
from notebooks.exercises import check
from playground.figures import one_run, several_runs
from playground.figures.curves import Curves

STEPS = 600  # a few seconds a model

# %% [markdown]
# ## Write it yourself
#
# Write `clip`: if the gradient (n,), taken as one vector, is longer than `max_norm`, shorten it to that length.
# Its direction stays.
#
# <details><summary>Hint</summary>
#
# `gradient.norm()` is the length.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# def clip(gradient, max_norm):
#     return gradient * min(1.0, max_norm / gradient.norm())
# ```
#
# </details>


# %%
def clip(gradient, max_norm):
    return ...  # your code


check(clip)

# %% [markdown]
# ## Runs that say how they ended
#
# The next cell trains a tiny model, and prints how the run ended.


# %%
def trained(name, **changes):
    base = PRESETS["tiny"].changes | {"total_steps": STEPS, "warmup_steps": STEPS // 12}
    config = RunConfig.from_flat(base | changes)
    events = list(train(new_state(config, make_data(config))))
    curves, last = Curves.of(events), events[-1]
    if isinstance(last, Diverged):
        print(
            f"{name}: diverged after step {last.step}, loss {last.loss}, gradient {last.grad_norm}"
        )
    else:
        at = int(curves.validation.argmin())
        print(f"{name}: validation loss {curves.validation[-1]:.3f}, "
              f"lowest {curves.validation[at]:.3f} at step {curves.evaluated[at]:.0f}")  # fmt: skip
    return curves


# %% [markdown]
# ## An unstable run
#
# This tiny model has no norms. It is trained by SGD with momentum 0.9, whose steps are proportional to the
# gradient: up to ten times as long, at a learning rate of 1. The gradient is not clipped. Before you run the
# next cell, predict: will the run reach its last step?

# %%
wild = {
    "total_steps": STEPS // 2,
    "norm": "none",
    "optimizer": "sgd",
    "max_lr": 1.0,
    "weight_decay": 0.0001,
    "max_grad_norm": 0,
}
failed = trained("unstable", **wild)
one_run.loss(failed, title="An unstable run", log=True, smoothing=0).show()
one_run.gradient_norm(failed, title="An unstable run").update_yaxes(type="log").show()

# %% [markdown]
# Look at the end of the curves. A large gradient makes a large step, and the step leads to even larger
# gradients.
#
# ## Three fixes
#
# Gradient clipping scales every gradient longer than 1 down to length 1, and keeps its direction. A lower
# learning rate and norms are two other fixes.

# %%
print(inspect.getsource(clip_grad_norm))

# %%
rescues = {"clipping": {"max_grad_norm": 1}, "a tenth of the rate": {"max_lr": 0.1},
           "RMSNorm": {"norm": "rmsnorm"}}  # fmt: skip
saved = {name: trained(name, **wild | changes) for name, changes in rescues.items()}
several_runs.compare(saved, title="Three fixes").show()

# %% [markdown]
# ## Overfitting
#
# This run has good settings but too little text: the training data has only 1,200 characters of the stories.
# The model reads them again and again. Before you run the next cell, predict: what will the validation loss
# be? A uniform guess has 4.03.

# %%
page = {"valid_fraction": 0.998}
by_heart = trained("one page", **page)
one_run.loss(by_heart, title="One page of text", vocab_size=56).show()

# %% [markdown]
# The training loss keeps falling, but the validation loss starts to rise early: from there on the model
# memorises the text. It becomes confident and often wrong, and in the end about as bad as guessing. More
# text helps most. What else helps?

# %%
helped = {
    "one page": by_heart,
    "dropout 0.2": trained("dropout 0.2", **page, dropout=0.2),
    "weight decay 1": trained("weight decay 1", **page, weight_decay=1.0),
    "all the text": trained("all the text"),
}
several_runs.compare(helped, title="What helps").show()

# %% [markdown]
# If your run diverges, turn on clipping, halve the learning rate, or warm up longer. If it overfits, use more
# text, then dropout, or stop earlier. If both curves still fall at the end, nothing is wrong, and more steps
# help.
#
# ## Exercises
#
# - From which learning rate on does `wild` diverge? Halve the rate until it does not.
#
#   <details><summary>Answer</summary>
#
#   At 0.5 it still diverges, at step 53; at 0.25 it reaches the last step, with a validation loss of 2.34. Halving
#   once more gives 2.55: what is safe is also slower. The limit lies between 0.25 and 0.5 for this model and this
#   seed only.
#
#   </details>
#
# - Does a smaller model overfit less? Try `d_model=16` on one page.
#
#   <details><summary>Answer</summary>
#
#   Yes, but it overfits all the same: its loss falls to 2.65 and rises to 3.13, while that of the model of width 32
#   falls to 2.63 and rises to 4.03 (mean of three seeds, `assets/lessons/results/over-fitting`). It learns the page
#   by heart more slowly, and is no better at its best.
#
#   </details>
#
# - Use AdamW instead of SGD in `wild`: it reaches the last step. Is the run fixed?
#
#   <details><summary>Answer</summary>
#
#   No: its validation loss at the end is 8 · 10¹¹, far above a uniform guess (4.03). AdamW's steps are about as large
#   as the learning rate, whatever the gradient is, so that nothing becomes infinite; but steps of 1 destroy what the
#   weights knew. That a run ends does not mean that it has learned.
#
#   </details>
