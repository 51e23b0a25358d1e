# %% [markdown]
# # The whole model
#
# You know the parts by now: attention, positions, norms, blocks. Here you put them together, follow
# one token from its number to the next token, and see why the order in which a model writes can
# decide.

# %%
import inspect
import sys

sys.path[:0] = [".", ".."]  # the repository's root, from wherever this is run

import numpy as np
import torch

from engine import RunConfig, Sampler, generate, new_state, train
from engine.data import make_data
from engine.generation import adjust
from engine.model.decoder import Decoder
from engine.presets import PRESETS
from playground import figures, figures_runs
from playground.curves import Curves

STEPS = 1000  # about twenty seconds a model

# %% [markdown]
# ## From a token to scores
#
# The **embedding** is a table with a vector for every token: there the stream begins. All blocks add
# to it. In the end each token of the vocabulary gets a score, its **logit**.

# %%
print(inspect.getsource(Decoder.compute))


# %%
def trained(preset, **changes):
    base = PRESETS[preset].changes | {"total_steps": STEPS, "warmup_steps": STEPS // 20}
    config = RunConfig.from_flat(base | changes)
    state = new_state(config, make_data(config))
    return state, Curves.of(train(state))


stories, curves = trained("stories")
tokenizer = stories.data.tokenizer
figures.loss(curves, title="Stories", vocab_size=tokenizer.vocab_size).show()
for name, part in stories.model.named_children():
    print(f"{name:>10}: {sum(weight.numel() for weight in part.parameters()):>7,} parameters")

# %% [markdown]
# ## From scores to a text
#
# The **softmax** turns scores into probabilities; one token is drawn by them and put behind the text.
# The **temperature** makes the likely likelier, or brings all tokens closer together; **top-k** keeps
# the k most probable. None of this changes what the model knows, only what is drawn.

# %%
prompt = tokenizer.encode("Once upon a time")
with torch.inference_mode():
    logits = stories.model(torch.tensor([prompt]))[0, -1]  # (V,)

next_token = figures.blank("What follows “Once upon a time”", "Probability", "light")
samplers = {f"temperature {t}": Sampler(temperature=t) for t in (0.5, 1.0, 1.5)}
samplers["top-k 3"] = Sampler(top_k=3)
likeliest = logits.argsort(descending=True)[:8]
names = [figures.visible(tokenizer.decode([token])) for token in likeliest.tolist()]
for number, (name, sampler) in enumerate(samplers.items()):
    colour = figures.PALETTE["light"][number]
    shown = adjust(logits, sampler).after[likeliest]
    next_token.add_bar(x=names, y=shown.numpy(), name=name, marker_color=colour)
next_token.update_xaxes(title_text="Next token", type="category").update_layout(barmode="group")
next_token.show()

for name, sampler in samplers.items():
    written = [step.token for step in generate(stories.model, prompt, 60, sampler)]
    print(f"{name:>15}: {tokenizer.decode(prompt + written)!r}")

# %% [markdown]
# ## The order in which it writes
#
# A model writes from left to right, and takes nothing back. In `457+85=542` the digit it has to write
# **first** depends on all the others, because carries run from right to left. Written from its
# **last** digit, `457+85=245`, each needs two digits and one carry. Before you run it: how many of the
# sums will be right, in either order?

# %%
orders = {
    "first digit first": trained("addition", task_length=3),
    "last digit first": trained("addition_reversed", task_length=3),
}
for name, (state, curves) in orders.items():
    batch = next(iter(state.data.validation(256, 1)))
    with torch.inference_mode():
        said = state.model(torch.from_numpy(batch.inputs)).argmax(-1).numpy()
    counted = batch.targets >= 0
    place = np.cumsum(counted, 1)[counted] - 1  # which digit of its answer each target is
    hits = (said == batch.targets)[counted]
    by_place = ", ".join(f"{hits[place == digit].mean():.0%}" for digit in range(3))
    print(f"{name}: {curves.accuracy[-1]:.1%} of the sums; as written, digits 1 to 3: {by_place}")

by_name = {name: curves for name, (_, curves) in orders.items()}
figures_runs.compare(by_name, metric="right answers", title="Right answers").show()

# %% [markdown]
# Nothing of the model was changed, only the **order**. What has been written can be read by every
# later token, so each digit becomes a note for the next.
#
# ## To try
#
# - Three times the steps. Does it learn the other order, too?
# - Is it the width, or the order? `d_model=128` for “first digit first”.
# - Find a temperature at which the stories are neither dull nor broken.
