# %% [markdown]
# # The block
#
# A Transformer is a stack of equal **blocks**. Each does two things: with **attention** the tokens
# read from each other, with the **feed-forward** each token computes on its own. Here you read the
# stream half-way, and take the computing away.

# %%
import inspect
import sys

sys.path[:0] = [".", ".."]  # the repository's root, from wherever this is run

import numpy as np

from engine import RunConfig, new_state, observe, train
from engine.data import make_data
from engine.model.block import Block
from engine.model.feedforward import GatedFeedForward
from engine.presets import PRESETS
from playground import figures, figures_runs
from playground.curves import Curves

STEPS = 600  # about seven seconds a model

# %% [markdown]
# ## The residual stream
#
# A sub-layer never replaces the stream: it reads it, computes something, and **adds** that. The
# feed-forward makes the vector wider, bends it with a gate, and makes it narrow again.

# %%
print(inspect.getsource(Block.forward))
print(inspect.getsource(GatedFeedForward.hidden))


# %%
def trained(preset, **changes):
    base = PRESETS[preset].changes | {"total_steps": STEPS, "warmup_steps": STEPS // 12}
    config = RunConfig.from_flat(base | changes)
    state = new_state(config, make_data(config))
    return state, Curves.of(train(state))


# %% [markdown]
# ## Moving, and computing
#
# A feed-forward that is only **one** number wide can compute next to nothing. First a task that only
# moves things: a word is to be written again. Then one in which something is worked out: two numbers
# are added. Before you run it: where will the narrow model fail?

# %%
runs = {
    f"{preset}, {'whole' if width is None else 'one number wide'}": trained(preset, d_ff=width)
    for preset in ("copy", "addition_reversed")
    for width in (None, 1)
}
for name, (state, curves) in runs.items():
    count = sum(weight.numel() for weight in state.model.parameters())
    print(f"{name}: {curves.accuracy[-1]:.1%} right, {count:,} parameters")

curves_by_name = {name: curves for name, (_, curves) in runs.items()}
figures_runs.compare(curves_by_name, metric="right answers", title="Right answers").show()

# %% [markdown]
# ## Read it half-way
#
# Since all blocks write into the same stream, it can be read out after any of them, as if the model
# ended there: the **logit lens**. Where does the right answer come up, and which sub-layer brought it?

# %%
state, _ = runs["addition_reversed, whole"]
text = state.data.probe()
ids = state.data.tokenizer.encode(text)
trace = observe.trace_of(state.model, ids)
stages = observe.stream_places(state.model.config)
asked = range(text.index("=") + 1, len(ids))  # the places of the answer

lens = figures.blank(f"What the stream would say of {text}", "Probability", "light")
right = np.array(
    [
        [read[place - 1, ids[place]] for place in asked]
        for read in observe.logit_lens(state.model, trace)
    ]
)  # (2 L + 1, answers)
for number, place in enumerate(asked):
    name, line = f"digit {number + 1}: {text[place]}", figures.line_of(number, "light")
    figures.add_points(lens, np.arange(len(stages), dtype=float), right[:, number], name, line)
labels = [
    "embedding",
    *(stage.removeprefix("blocks.")[: -len(".residual")] for stage in stages[1:]),
]
lens.update_xaxes(title_text="After", tickvals=list(range(len(stages))), ticktext=labels)
lens.update_yaxes(range=[0, 1.02]).show()
for label, probability in zip(labels, right.mean(1), strict=True):
    print(f"{label:>14}: {probability:.3f} for the right digit, on average")

# %% [markdown]
# Attention **moves**: what it hands on is a mixture of what is there. The feed-forward **computes**.
#
# ## To try
#
# - How narrow is too narrow? `d_ff=4, 8, 16` for the sums.
# - Without a gate: `feedforward="relu"`, or `"gelu"`. Can you tell the difference from another seed?
# - One block, or four: `n_layer=4`. Read the lens again: which block brings the answer now?
