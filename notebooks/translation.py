# %% [markdown]
# The **encoder** reads the complete sentence in both directions. The **decoder** writes the translation token by token,
# and attends to the sentence at each token. In this notebook you train a model that translates numbers to words, and
# see that it learns which word belongs to which digit.

# %%
import inspect

import torch

from engine import RunConfig, Transformer, new_state, train, translate
from engine.data import PairData, make_data
from engine.inspection import observe
from engine.model.attention import CrossAttention
from engine.model.block import CrossBlock
from engine.presets import PRESETS
from engine.runs.events import Evaluated
from engine.tokenizers import BEGIN, END
from notebooks.exercises import check
from playground.figures import one_run
from playground.figures.curves import Curves, column

STEPS = 500  # about fifteen seconds

# %% [markdown]
# ## Write it yourself
#
# Write `cross_attention` with one head: x (T, C) is the translation so far, `memory` (S, C) the encoder's output.
# wq, wk, wv and wo are (C, C), used as `x @ wq.T`. Return (T, C).
#
# <details><summary>Hint</summary>
#
# Who asks, and who is asked? No mask is needed: the whole sentence is known.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# def cross_attention(x, memory, wq, wk, wv, wo):
#     q, k, v = x @ wq.T, memory @ wk.T, memory @ wv.T
#     return (q @ k.T / q.shape[-1] ** 0.5).softmax(-1) @ v @ wo.T
# ```
#
# </details>


# %%
def cross_attention(x, memory, wq, wk, wv, wo):
    return ...  # your code


check(cross_attention)

# %% [markdown]
# ## Cross-attention
#
# A decoder block has one more sub-layer: **cross-attention**. Its queries come from the translation so far; its keys
# and values come from the output of the encoder.

# %%
print(inspect.getsource(CrossBlock.forward))
print(inspect.getsource(CrossAttention))

# %% [markdown]
# ## From `4721` to words
#
# The training data does not say which word belongs to which digit. **Sharpness** is the largest weight of a row of
# cross-attention, averaged over the rows. Before you run the next cell, predict: which comes first, sharp attention
# or right answers?

# %%
base = PRESETS["numbers"].changes | {"total_steps": STEPS, "warmup_steps": STEPS // 10}
config = RunConfig.from_flat(base | {"eval_interval": max(1, STEPS // 20)})
state = new_state(config, make_data(config))
model, data, tokenizer = state.model, state.data, state.data.tokenizer
assert isinstance(model, Transformer) and isinstance(data, PairData)
text = data.probe()
sources = [*tokenizer.encode(text), END]
ids = [BEGIN, *tokenizer.encode(data.answer(text) or "")]

events, snapshots = [], []
for event in train(state):
    events.append(event)
    if isinstance(event, Evaluated):  # record the attention at each evaluation
        snapshots.append(observe.probe(model, ids, event.step, sources))
curves = Curves.of(events)
sharpness = column(snapshot.sharpness()[-1, -1] for snapshot in snapshots)

figure = one_run.blank(f"Translating {text}", "Share", "light")
for number, (name, values) in enumerate({"sharpness": sharpness, "right": curves.accuracy}.items()):
    one_run.add_points(figure, curves.evaluated, values, name, one_run.line_of(number, "light"))
figure.update_yaxes(range=[0, 1.02], tickformat=".0%").show()
print(f"at the end: sharpness {sharpness[-1]:.0%}, {curves.accuracy[-1]:.1%} right, "
      f"validation loss {curves.validation[-1]:.3f}")  # fmt: skip

# %% [markdown]
# ## The alignment
#
# Each row is a token of the translation, each column a token of the source. The weights are the mean over all heads of
# the last layer. At step 0 they are almost uniform.


# %%
def names(tokens):
    known = {BEGIN: "begin", END: "end"}
    return [known.get(token) or one_run.visible(tokenizer.decode([token])) for token in tokens]


for snapshot in (snapshots[0], snapshots[-1]):
    weights = snapshot.cross[-1].mean(0) / 255  # (T, S)
    figure = one_run.blank(f"Cross-attention at step {snapshot.step}", "Written so far", "light")
    # An axis merges equal labels, so positions are numbers and tokens are tick texts.
    figure.add_heatmap(z=weights, zmin=0, zmax=1, colorscale=list(one_run.HEAT["light"]))
    for axis, tokens in ((figure.update_xaxes, sources), (figure.update_yaxes, ids)):
        axis(tickvals=list(range(len(tokens))), ticktext=names(tokens), showgrid=False)
    figure.update_xaxes(title_text="Read").update_yaxes(autorange="reversed")
    figure.update_layout(height=560).show()

# %% [markdown]
# ## Does it translate?

# %%
pairs = data.pairs()[:8]
encoded = [[*tokenizer.encode(source), END] for source, _ in pairs]
for (source, wanted), written in zip(pairs, translate(model, encoded), strict=True):
    translation = tokenizer.decode(written.text)
    right = "" if translation == wanted else f"   (right: {wanted})"
    print(f"{source:>7} → {translation}{right}")

# %% [markdown]
# A sharp alignment shows where a model attends. It does not explain why the model wrote a token.
#
# ## Exercises
#
# - Plot one head instead of the mean: `snapshot.cross[0, 0]`, and `snapshot.cross[1, 3]`. Do all heads attend to
#   digits?
#
#   <details><summary>Answer</summary>
#
#   No. In our run the first head of block 1 puts 55 to 100% of every row on one digit. The last head of block 2
#   gives the end token nearly everything at four of the words, and a third of its attention on average: a place where
#   there is nothing to read.
#
#   </details>
#
# - Train on dates: `PRESETS["dates"]`. The year often comes last: does the model attend to it first?
#
#   <details><summary>Answer</summary>
#
#   Yes: it reads in the order in which it writes, year, month, day. For `April 24, 2017` the row in which it chooses
#   the first digit has 0.59 on the 2 of 2017; the row that begins the month has 0.97 on `April`, and that of the last
#   digit 0.99 on the 4 of 24. After 500 steps 99% of the dates are right.
#
#   </details>
#
# - Translate numbers with zeros, such as `40007`. To which digit does “thousand” attend?
#
#   <details><summary>Answer</summary>
#
#   Our model translated it correctly, `forty thousand seven`. The row of `forty`, in which it chooses ` thousand`,
#   has 0.56 on the first zero; the row of ` thousand` already has 0.75 on the 7, the next digit that has a word. No
#   word belongs to a zero, but how many digits follow decides that it is thousands.
#
#   </details>
