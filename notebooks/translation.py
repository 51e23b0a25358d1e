# %% [markdown]
# # Translation
#
# The **encoder** reads the whole sentence, to the left and to the right. The **decoder** writes the
# translation token by token, and before each token it looks back at the sentence. Here you train a
# translator from numbers to words, and see it find out by itself which word belongs to which digit.

# %%
import inspect
import sys

sys.path[:0] = [".", ".."]  # the repository's root, from wherever this is run

from engine import RunConfig, Transformer, new_state, observe, train, translate
from engine.data import PairData, make_data
from engine.events import Evaluated
from engine.model.attention import CrossAttention
from engine.model.block import CrossBlock
from engine.presets import PRESETS
from engine.tokenizers import BEGIN, END
from playground import figures
from playground.curves import Curves, column

STEPS = 500  # about fifteen seconds

# %% [markdown]
# ## Looking across
#
# A block of the decoder has one residual line more: **cross-attention**. Its queries come from what is
# being written, keys and values from what the encoder has read.

# %%
print(inspect.getsource(CrossBlock.forward))
print(inspect.getsource(CrossAttention))

# %% [markdown]
# ## From `4721` to words
#
# Nobody tells the model which word belongs to which digit. **Sharpness** is the largest weight of a
# row of cross-attention, on average. Before you run it: which comes first, sharp looks or right
# answers?

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
    if isinstance(event, Evaluated):  # look inside, now and then
        snapshots.append(observe.probe(model, ids, event.step, sources))
curves = Curves.of(events)
sharpness = column(snapshot.sharpness()[-1, -1] for snapshot in snapshots)

figure = figures.blank(f"Reading {text}", "Share", "light")
for number, (name, values) in enumerate({"sharpness": sharpness, "right": curves.accuracy}.items()):
    figures.add_points(figure, curves.evaluated, values, name, figures.line_of(number, "light"))
figure.update_yaxes(range=[0, 1.02], tickformat=".0%").show()
print(f"in the end: sharpness {sharpness[-1]:.0%}, {curves.accuracy[-1]:.1%} right, "
      f"held-out loss {curves.validation[-1]:.3f}")  # fmt: skip

# %% [markdown]
# ## Which word looks where?
#
# Each row is a token that is being written, each column one that was read; the mean over all heads of
# the last layer. At step 0 it is a haze.


# %%
def names(tokens):
    known = {BEGIN: "begin", END: "end"}
    return [known.get(token) or figures.visible(tokenizer.decode([token])) for token in tokens]


for snapshot in (snapshots[0], snapshots[-1]):
    weights = snapshot.cross[-1].mean(0) / 255  # (T, S)
    figure = figures.blank(f"Cross-attention at step {snapshot.step}", "Written so far", "light")
    # An axis merges equal labels, so the places are numbers and the tokens only their names.
    figure.add_heatmap(z=weights, zmin=0, zmax=1, colorscale=list(figures.HEAT["light"]))
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
    said = tokenizer.decode(written.text)
    print(f"{source:>7} → {said}" + ("" if said == wanted else f"   (right: {wanted})"))

# %% [markdown]
# A sharp line says where a model looks, not why it wrote what it wrote.
#
# ## To try
#
# - Watch one head instead of the mean: `snapshot.cross[0, 0]`. Do all look at digits?
# - Dates: `PRESETS["dates"]`. The year often comes last: is it looked for first?
# - Numbers with zeros, such as `40007`: which digit does “thousand” look at?
