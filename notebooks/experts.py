# %% [markdown]
# A **mixture of experts** has many feed-forwards in parallel and sends each token to a few of them. So a
# model can have many more weights at the same cost per token. In this notebook you see a router collapse to
# a few experts, and you balance it.

# %%
import inspect
from collections import Counter

import torch

from engine import RunConfig, new_state, train
from engine.data import make_data
from engine.model.balance import switch_loss, update_expert_bias
from engine.model.routers import Router
from engine.presets import PRESETS
from engine.runs.events import Routed
from notebooks.exercises import check
from playground.figures import one_run, several_runs
from playground.figures.curves import Curves

STEPS = 300  # about seven seconds a model

# %% [markdown]
# ## Write it yourself
#
# Write `top_k_gates`: `logits` (N, E), a score of each expert for each token. The gate of the k most probable
# experts of a token is their probability among all experts; all other gates are 0. Return (N, E).
#
# <details><summary>Hint</summary>
#
# `probabilities.topk(k, dim=-1)` returns values and indices;
# `torch.zeros_like(logits).scatter(-1, indices, values)` puts them back.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# def top_k_gates(logits, k):
#     values, indices = logits.softmax(-1).topk(k, dim=-1)
#     return torch.zeros_like(logits).scatter(-1, indices, values)
# ```
#
# </details>


# %%
def top_k_gates(logits, k):
    return ...  # your code


check(top_k_gates)

# %% [markdown]
# Write `balance_loss`, the loss of Switch Transformers. `probabilities` is (N, E). f is, for each expert, the
# share of tokens whose most probable expert it is; P is its mean probability. The loss is E Σ f P: 1 if the work
# is even.
#
# <details><summary>Hint</summary>
#
# `torch.bincount(probabilities.argmax(-1), minlength=E)` counts the tokens of each expert.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# def balance_loss(probabilities):
#     tokens, experts = probabilities.shape
#     f = torch.bincount(probabilities.argmax(-1), minlength=experts) / tokens
#     return experts * (f * probabilities.mean(0)).sum()
# ```
#
# </details>


# %%
def balance_loss(probabilities):
    return ...  # your code


check(balance_loss)

# %% [markdown]
# ## The router
#
# The **router**, a small matrix, computes a score of every expert for every token. The K experts with the
# highest scores process the token. Their outputs are weighted by gates computed from the scores.

# %%
print(inspect.getsource(Router))

# %% [markdown]
# ## Without balancing
#
# An expert that is chosen more often gets more training, and is then chosen even more often. **MaxVio**
# measures the imbalance: 0 if all experts have the same load, 1 if the busiest one has twice its fair share,
# 15 if one of sixteen experts processes everything. There are two remedies: an additional **loss** that is
# smallest for an even load, or a **bias** that raises the score of an idle expert after every step.

# %%
print(inspect.getsource(switch_loss))
print(inspect.getsource(update_expert_bias))


# %% [markdown]
# The model has sixteen experts, and one processes each token. Before you run the next cell, predict: what
# will MaxVio be at the end, without balancing and with each remedy?


# %%
def trained(**changes):
    base = PRESETS["collapse"].changes | {"total_steps": STEPS, "warmup_steps": STEPS // 6}
    config = RunConfig.from_flat(base | changes)
    state = new_state(config, make_data(config))
    events = list(train(state))
    return state, Curves.of(events), [event for event in events if isinstance(event, Routed)]


runs = {
    "no balancing": trained(),
    "balance loss": trained(switch_loss=0.01),
    "bias, no loss": trained(bias_rate=0.01),
}
for name, (_, curves, _) in runs.items():
    print(f"{name}: MaxVio {curves.imbalance[-1]:.2f}, validation loss {curves.validation[-1]:.3f}")

curves_by_name = {name: curves for name, (_, curves, _) in runs.items()}
several_runs.compare(curves_by_name, metric="balance", title="Imbalance").show()
several_runs.compare(curves_by_name).show()

# %% [markdown]
# ## The load of each expert
#
# Each row is a block, each column an expert. A pale expert gets no tokens. It then gets no gradient and
# learns nothing: it is **dead**. The model stores sixteen experts but uses only a few.

# %%
for name, (_, _, records) in runs.items():
    record = records[-1]
    for layer, load in zip(record.layers, record.load, strict=True):
        idle = sum(share < 0.1 / len(load) for share in load)
        print(f"{name}, block {layer + 1}: {idle} of {len(load)} below a tenth of their share")
    several_runs.expert_load(record, title=f"Load of experts: {name}", most=8).show()

# %% [markdown]
# ## What do they specialise in?
#
# The next cell counts which expert of the last block processes each character of validation text, in the
# run with the balance loss.

# %%
state, _, _ = runs["balance loss"]
batch = next(iter(state.data.validation(32, 1)))
with torch.inference_mode():
    chosen = state.model.predict(torch.from_numpy(batch.inputs)).routing[-1].gates.argmax(-1)
taken = [Counter[str]() for _ in range(16)]
for token, expert in zip(batch.inputs.ravel().tolist(), chosen.ravel().tolist(), strict=True):
    taken[expert][one_run.visible(state.data.tokenizer.decode([token]))] += 1
for number, counter in enumerate(taken, 1):
    most = ", ".join(f"{char} {count}" for char, count in counter.most_common(6))
    print(f"expert {number:>2}, {counter.total():>4} characters: {most}")

# %% [markdown]
# The load is more even now, but is the loss lower? In so few steps, a few experts were enough. Balance
# matters most when experts are on different machines.
#
# ## Exercises
#
# - Use a balance loss ten times as large, `switch_loss=0.1`. How does it change the validation loss?
#
#   <details><summary>Answer</summary>
#
#   It is higher: 1.604, against 1.475 with 0.01 and 1.427 without balancing (one seed each). MaxVio is 0.92, no
#   better than the 0.77 with 0.01. A loss that is too large pulls the router towards even probabilities, at the cost
#   of the text.
#
#   </details>
#
# - Use two experts per token, `trained(router="topk", top_k=2)`. Does the router still collapse?
#
#   <details><summary>Answer</summary>
#
#   Less, but it still does: MaxVio is 3.8 instead of 7.9, so the busiest expert has nearly five times its fair share.
#   The validation loss of 1.467 is no lower than the 1.427 with one expert per token, within the noise of seeds.
#
#   </details>
#
# - Use another seed, `trained(seed=1)`. Which of the differences above remain?
#
#   <details><summary>Answer</summary>
#
#   That of the load remains: MaxVio is 7.5 without balancing, 0.7 with the balance loss and 1.3 with the bias. That
#   of the loss does not: 1.452, 1.466 and 1.454. Over eight seeds the balance loss costs 0.037 ± 0.033 nats, the bias
#   nothing that can be told from noise (`assets/lessons/results/collapse`).
#
#   </details>
