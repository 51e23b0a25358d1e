# %% [markdown]
# # Mixture of experts
#
# A **mixture of experts** has many feed-forwards side by side, and sends each token to a few of them.
# So a model can have many more weights, while a token costs the same. Here you see a router give all
# the work to a few experts, and bring the others back.

# %%
import inspect
import sys

sys.path[:0] = [".", ".."]  # the repository's root, from wherever this is run

from collections import Counter

import torch

from engine import RunConfig, new_state, train
from engine.data import make_data
from engine.events import Routed
from engine.model.moe import Router
from engine.model.routing import nudge, switch_loss
from engine.presets import PRESETS
from playground import figures, figures_runs
from playground.curves import Curves

STEPS = 300  # about seven seconds a model

# %% [markdown]
# A small matrix, the **router**, gives every expert a score for every token. The K experts with the
# highest scores work on the token, and their scores say how much of each answer is taken.

# %%
print(inspect.getsource(Router))

# %% [markdown]
# ## Nobody balances
#
# An expert that is chosen more often learns more, and so it is chosen even more often. **MaxVio**
# measures how uneven the work is: 0 where all have the same, 1 where the busiest has twice its fair
# share, 15 when one of sixteen does everything. Two cures: a second **loss** that is smallest when all
# are even, or a **bias** that makes an idle expert more attractive after every step.

# %%
print(inspect.getsource(switch_loss))
print(inspect.getsource(nudge))


# %% [markdown]
# Sixteen experts, one for each token. Before you run it: what will MaxVio be in the end, without a
# cure and with each?


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
    print(f"{name}: MaxVio {curves.imbalance[-1]:.2f}, held-out loss {curves.validation[-1]:.3f}")

curves_by_name = {name: curves for name, (_, curves, _) in runs.items()}
figures_runs.compare(curves_by_name, metric="balance", title="How uneven the work is").show()
figures_runs.compare(curves_by_name).show()

# %% [markdown]
# ## Where did the work go?
#
# Each row is a block, each column an expert. Who is pale gets no tokens, so no gradient, so it learns
# nothing: it is **dead**. The model pays for sixteen experts and uses a few.

# %%
for name, (_, _, records) in runs.items():
    record = records[-1]
    for layer, load in zip(record.layers, record.load, strict=True):
        idle = sum(share < 0.1 / len(load) for share in load)
        print(f"{name}, block {layer + 1}: {idle} of {len(load)} below a tenth of their share")
    figures_runs.expert_load(record, title=f"Load of experts: {name}", most=8).show()

# %% [markdown]
# ## What are they experts for?
#
# Of every character of some held-out text, which expert of the last block took it, in the run with
# the balance loss?

# %%
state, _, _ = runs["balance loss"]
batch = next(iter(state.data.validation(32, 1)))
with torch.inference_mode():
    chosen = state.model.predict(torch.from_numpy(batch.inputs)).routing[-1].gates.argmax(-1)
taken = [Counter[str]() for _ in range(16)]
for token, expert in zip(batch.inputs.ravel().tolist(), chosen.ravel().tolist(), strict=True):
    taken[expert][figures.visible(state.data.tokenizer.decode([token]))] += 1
for number, counter in enumerate(taken, 1):
    most = ", ".join(f"{char} {count}" for char, count in counter.most_common(6))
    print(f"expert {number:>2}, {counter.total():>4} characters: {most}")

# %% [markdown]
# The work is more even now, but is the loss lower? Within so few steps, the few experts that did most
# of the work were enough. Balance pays where experts stand on different machines.
#
# ## To try
#
# - A balance loss ten times as large, `switch_loss=0.1`. What does it do to the loss on the text?
# - Two experts for each token, `trained(router="topk", top_k=2)`. Does the router still collapse?
# - Another seed, `trained(seed=1)`: which of the differences above stay?
