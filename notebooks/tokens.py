# %% [markdown]
# # Tokens
#
# A model reads numbers. A **tokenizer** cuts the text into pieces and gives each piece its number.
# Here you cut one text in several ways, watch pieces being learned, and compare two models that do
# not read the same tokens.

# %%
import inspect
import sys

sys.path[:0] = [".", ".."]  # the repository's root, from wherever this is run

import numpy as np

from engine import RunConfig, new_state, train
from engine.data import CORPORA, make_data
from engine.events import Evaluated
from engine.metrics import bits_per_character
from engine.presets import PRESETS
from engine.tokenizers import BPETokenizer, ByteTokenizer, CharTokenizer, train_merges
from engine.tokenizers.bpe_training import learn_merges
from playground import figures, figures_runs
from playground.curves import Curves

STEPS = 600  # about fifteen seconds a model

# %% [markdown]
# ## Bytes, characters, pieces
#
# A token for each **byte** can write every text there is, but makes long rows. A token for each
# **character** is short, but cannot write what was not in the learned text. **BPE** lies between.

# %%
text = CORPORA["stories"].path.read_text(encoding="utf-8")
merges = list(train_merges([text], 1000))
tokenizers = {
    "bytes": ByteTokenizer(),
    "characters": CharTokenizer.train(text),
    "BPE, vocabulary 500": BPETokenizer.from_merges(merges[: 500 - 256]),
    "BPE, vocabulary 1000": BPETokenizer.from_merges(merges),
}
for said in ("Once upon a time there was a small fox.", "Das Kätzchen 🐱"):
    for name, tokenizer in tokenizers.items():
        try:
            pieces = [tokenizer.decode([token]) for token in tokenizer.encode(said)]
            shown = "|".join(map(figures.visible, pieces))
            print(f"{name:>20}: {len(pieces):>2} tokens  {shown}")
        except ValueError as error:
            print(f"{name:>20}: {error}")

# %% [markdown]
# ## How pieces are learned
#
# At first every byte is a token. Then the pair of neighbours that is most frequent becomes **one** new
# token, and again, and again. To cut a new text, the same merges are applied in the same order.

# %%
print(inspect.getsource(learn_merges))
for merge in merges[:10]:
    print(f"{merge.count:>5} times: {figures.visible(merge.new_bytes.decode())}")

# %%
used = np.unique(np.geomspace(1, len(merges), 20).astype(int))
per_character = np.array(
    [len(BPETokenizer.from_merges(merges[:count]).encode(text)) / len(text) for count in used]
)
figure = figures.blank("What merges give", "Tokens for each character", "light")
figures.add_points(figure, used.astype(float), per_character, "stories", {"color": "#0072b2"})
figure.update_xaxes(title_text="Merges").update_yaxes(rangemode="tozero").show()

# %% [markdown]
# The first merges bring most; later ones less and less.
#
# ## Which model is better?
#
# The same model reads characters, and then pieces of BPE. Before you run it: which loss will be lower?


# %%
def trained(**changes):
    base = PRESETS["stories"].changes | {"total_steps": STEPS, "warmup_steps": STEPS // 12}
    config = RunConfig.from_flat(base | changes)
    events = list(train(new_state(config, make_data(config))))
    return Curves.of(events), [event.bits for event in events if isinstance(event, Evaluated)][-1]


runs = {
    "characters": trained(),
    "BPE, vocabulary 500": trained(tokenizer="bpe", tokenizer_size=500),
}
for name, (curves, bits) in runs.items():
    print(f"{name:>20}: {curves.validation[-1]:.3f} nats a token, {bits:.3f} bits a character")
figures_runs.compare({name: curves for name, (curves, _) in runs.items()}).show()

# %% [markdown]
# The loss is counted **per token**, and these are not the same tokens: a longer token says more, and
# is harder to guess. What may be compared is what both have to say in the end, the text.

# %%
print(inspect.getsource(bits_per_character))

# %% [markdown]
# The same steps read far more text with BPE, and the stories have so few words that a piece is
# soon a whole word. What a richer text would give, this does not say.
#
# ## To try
#
# - A thousand pieces, or bytes: `trained(tokenizer="byte")`. Which is best, by either unit?
# - Is it only that more text is read? Give the characters three times the context: `max_seq_len=384`.
# - The stories in Chinese: `CORPORA["stories-zh"]`. How many tokens does a character take there?
