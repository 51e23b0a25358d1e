# %% [markdown]
# A Transformer is a stack of identical **blocks**. Each block has two sub-layers: **attention** moves
# information between tokens, and the **feed-forward** processes each token separately. In this notebook
# you read the residual stream between blocks, and remove the feed-forward's capacity.

# %%
import inspect

import numpy as np
import torch

from engine import RunConfig, new_state, train
from engine.data import make_data
from engine.inspection import observe
from engine.model.block import Block
from engine.model.feedforward import GatedFeedForward
from engine.presets import PRESETS
from notebooks.exercises import check
from playground.figures import one_run, several_runs
from playground.figures.curves import Curves

STEPS = 600  # about seven seconds a model

# %% [markdown]
# ## Write it yourself
#
# Write `swiglu`: the feed-forward of most models today. x is (T, C), `gate` and `up` are (F, C), `down` is (C,
# F), each used as `x @ gate.T`. The gate goes through SiLU, z · sigmoid(z), and multiplies the numbers of `up`;
# `down` brings the product back to C numbers.
#
# <details><summary>Hint</summary>
#
# Three matrix products and one product number by number (`*`).
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# def swiglu(x, gate, up, down):
#     z = x @ gate.T
#     return (z * z.sigmoid() * (x @ up.T)) @ down.T
# ```
#
# </details>


# %%
def swiglu(x, gate, up, down):
    return ...  # your code


check(swiglu)

# %% [markdown]
# ## The residual stream
#
# A sub-layer never replaces the residual stream: it reads the stream and **adds** its output to it. The
# feed-forward projects the vector to a larger width, applies a gate, and projects it back.

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
# ## Moving and computing
#
# A feed-forward of width **one** can compute almost nothing. The first task, copying a word, only moves
# information. The second task, adding two numbers, needs computation. Before you run the next cell,
# predict: in which task will the narrow model fail?

# %%
runs = {
    f"{task}, {'full width' if width is None else 'width 1'}": trained(
        preset, source=task, d_ff=width
    )
    for preset, task in (("copy", "copy"), ("addition", "addition_reversed"))
    for width in (None, 1)
}
for name, (state, curves) in runs.items():
    count = sum(weight.numel() for weight in state.model.parameters())
    print(f"{name}: {curves.accuracy[-1]:.1%} right, {count:,} parameters")

curves_by_name = {name: curves for name, (_, curves) in runs.items()}
several_runs.compare(curves_by_name, metric="right answers", title="Right answers").show()

# %% [markdown]
# ## The logit lens
#
# All blocks write into the same residual stream. So the output layer can be applied after any sub-layer, as
# if the model ended there. This is the **logit lens**. Where does the right answer appear, and which
# sub-layer produces it?

# %%
state, _ = runs["addition_reversed, full width"]
text = state.data.probe()
ids = state.data.tokenizer.encode(text)
trace = observe.trace_sequence(state.model, ids)
stages = observe.residual_hook_points(state.model.config)
asked = range(text.index("=") + 1, len(ids))  # the positions of the answer

lens = one_run.blank(f"Logit lens of {text}", "Probability", "light")
right = np.array(
    [
        [read[place - 1, ids[place]] for place in asked]
        for read in observe.logit_lens(state.model, trace)
    ]
)  # (2 L + 1, answers)
for number, place in enumerate(asked):
    name, line = f"digit {number + 1}: {text[place]}", one_run.line_of(number, "light")
    one_run.add_points(lens, np.arange(len(stages), dtype=float), right[:, number], name, line)
labels = [
    "embedding",
    *(stage.removeprefix("blocks.")[: -len(".residual")] for stage in stages[1:]),
]
lens.update_xaxes(title_text="After", tickvals=list(range(len(stages))), ticktext=labels)
lens.update_yaxes(range=[0, 1.02]).show()
for label, probability in zip(labels, right.mean(1), strict=True):
    print(f"{label:>14}: {probability:.3f} for the right digit, on average")

# %% [markdown]
# Attention **moves** information: its output is a weighted mean of values. The feed-forward **computes**.
#
# ## Exercises
#
# - Which width is too small for the sums? Try `d_ff=4, 8, 16`.
#
#   <details><summary>Answer</summary>
#
#   All three are too small: 46, 55 and 39% of the sums are right, no more than with width 1 (52%), against 92% at
#   full width. The order of the three is chance: one seed each.
#
#   </details>
#
# - Remove the gate: `feedforward="relu"`, or `"gelu"`. Is the difference larger than between two seeds?
#
#   <details><summary>Answer</summary>
#
#   ReLU without a gate gets 58% of the sums right, GELU 95%, SwiGLU 92%; with other seeds SwiGLU gets 80 and 98%.
#   So GELU is within what seeds do, and ReLU is below all three of them. One run of ReLU is a hint, no proof.
#
#   </details>
#
# - Train one block, or four: `n_layer=4`. Which block produces the answer now?
#
#   <details><summary>Answer</summary>
#
#   The last feed-forward, whatever the depth. With one block the right digit has 0.10 after attention and 0.68 after
#   the feed-forward; with two, 0.39 before the last feed-forward and 0.79 after it; with four, 0.34 and 0.97. 50, 92
#   and 98% of the sums are right.
#
#   </details>
