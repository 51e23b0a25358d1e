# %% [markdown]
# # Reading a failed run
#
# Most first runs fail, and their curves nearly always say why. Here you make some fail on purpose,
# read in the curves why, and rescue them.

# %%
import inspect
import sys

sys.path[:0] = [".", ".."]  # the repository's root, from wherever this is run

from engine import RunConfig, new_state, train
from engine.data import make_data
from engine.events import Diverged
from engine.optim import clip_grad_norm
from engine.presets import PRESETS
from playground import figures, figures_runs
from playground.curves import Curves

STEPS = 600  # a few seconds a model


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
        print(f"{name}: held-out loss {curves.validation[-1]:.3f}, "
              f"lowest {curves.validation[at]:.3f} at step {curves.evaluated[at]:.0f}")  # fmt: skip
    return curves


# %% [markdown]
# ## Nothing holds it
#
# A tiny model without norms. It is trained by SGD with momentum 0.9, whose steps are in proportion to
# the gradient: up to ten times as long, at a learning rate of 1. And nothing limits the gradient.
# Before you run it: will it come to its last step?

# %%
wild = {
    "total_steps": STEPS // 2,
    "norm": "none",
    "optimizer": "sgd",
    "max_lr": 1.0,
    "weight_decay": 0.0001,
    "max_grad_norm": 0,
}
failed = trained("nothing", **wild)
figures.loss(failed, title="Nothing holds it", log=True, smoothing=0).show()
figures.gradient_norm(failed, title="Nothing holds it").update_yaxes(type="log").show()

# %% [markdown]
# Look at the end of the curves. A long gradient makes a long step, the step leads to where gradients
# are longer still, and so on.
#
# ## What saves a run
#
# Clipping shortens every gradient that is longer than 1, and leaves its direction. A lower learning
# rate is another rescue, and norms are a third.

# %%
print(inspect.getsource(clip_grad_norm))

# %%
rescues = {"clipping": {"max_grad_norm": 1}, "a tenth of the rate": {"max_lr": 0.1},
           "RMSNorm": {"norm": "rmsnorm"}}  # fmt: skip
saved = {name: trained(name, **wild | changes) for name, changes in rescues.items()}
figures_runs.compare(saved, title="What saves it").show()

# %% [markdown]
# ## One page of text
#
# Now a healthy recipe and too little text: all but 1,200 characters of the stories are held out. The
# model reads this page again and again. Before you run it: what will the loss be on the text that it
# never sees? Guessing has 4.03.

# %%
page = {"valid_fraction": 0.998}
by_heart = trained("one page", **page)
figures.loss(by_heart, title="One page of text", vocab_size=56).show()

# %% [markdown]
# The training loss goes on falling, the validation loss turned round early: from there on the model
# learned the page by heart. It is sure of itself and often wrong, and in the end about as bad as
# guessing. More text helps most; what else does?

# %%
helped = {
    "one page": by_heart,
    "dropout 0.2": trained("dropout 0.2", **page, dropout=0.2),
    "weight decay 1": trained("weight decay 1", **page, weight_decay=1.0),
    "all the text": trained("all the text"),
}
figures_runs.compare(helped, title="What helps").show()

# %% [markdown]
# When a run of yours diverges: turn clipping on, halve the learning rate, or warm up longer. When it
# over-fits: more text, then dropout, or stop earlier. And if both curves still fall at the end,
# nothing is wrong, and more steps help.
#
# ## To try
#
# - From which learning rate on does `wild` diverge? Halve until it lives.
# - Does a smaller model over-fit less? `d_model=16` on one page.
# - AdamW instead of SGD in `wild`: it comes to the last step. Has it been saved?
