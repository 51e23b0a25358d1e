# %% [markdown]
# A model reads numbers. A **tokenizer** splits a text into tokens and maps each token to an id. In this notebook
# you tokenize a text in several ways, train a tokenizer, and compare two models with different tokens.

# %%
import inspect
from collections import Counter

import numpy as np

from engine import RunConfig, new_state, train
from engine.data import CORPORA, make_data
from engine.generation.metrics import bits_per_character
from engine.presets import PRESETS
from engine.runs.events import Evaluated
from engine.tokenizers import BPETokenizer, ByteTokenizer, CharTokenizer, train_merges
from engine.tokenizers.bpe.training import learn_merges
from notebooks.exercises import check
from playground.figures import one_run, several_runs
from playground.figures.curves import Curves

STEPS = 600  # about fifteen seconds a model

# %% [markdown]
# ## Write it yourself
#
# Write `train_bpe`: learn merges. `words` maps each word to how often it occurs. Count all pairs of neighbouring
# pieces, each as often as its word occurs, and merge the most frequent pair everywhere. If several pairs are
# equally frequent, take the largest one, as `max` compares tuples. Repeat `number` times, or until no pair is
# left. Return the list of new pieces.
#
# <details><summary>Hint</summary>
#
# The function of the notebook `pieces` merges one pair in one word. A `Counter` of pairs and
# `max(counts, key=lambda pair: (counts[pair], pair))` give the pair.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# def train_bpe(words, number):
#     def joined(parts, pair):
#         result = []
#         for part in parts:
#             if result and (result[-1], part) == pair:
#                 result[-1] += part
#                 result.append("")  # what was just joined is not joined again
#             else:
#                 result.append(part)
#         return [part for part in result if part]
#
#     spelled, new = {word: list(word) for word in words}, []
#     for _ in range(number):
#         counts = Counter()
#         for word, parts in spelled.items():
#             for pair in zip(parts, parts[1:]):
#                 counts[pair] += words[word]
#         if not counts:
#             break
#         best = max(counts, key=lambda pair: (counts[pair], pair))
#         new.append(best[0] + best[1])
#         spelled = {word: joined(parts, best) for word, parts in spelled.items()}
#     return new
# ```
#
# </details>


# %%
def train_bpe(words, number):
    return ...  # your code


check(train_bpe)

# %% [markdown]
# ## Bytes, characters, subwords
#
# With one token per **byte**, every text can be encoded, but sequences are long. With one token per **character**,
# sequences are shorter, but characters that are not in the training data cannot be encoded. **BPE** (subwords) can
# encode every text, and its sequences are the shortest.

# %%
text = CORPORA["stories"].path.read_text(encoding="utf-8")
merges = list(train_merges([text], 1000))
tokenizers = {
    "bytes": ByteTokenizer(),
    "characters": CharTokenizer.train(text),
    "BPE, vocabulary 500": BPETokenizer.from_merges(merges[: 500 - 256]),
    "BPE, vocabulary 1000": BPETokenizer.from_merges(merges),
}
for sentence in ("Once upon a time there was a small fox.", "Das Kätzchen 🐱"):
    for name, tokenizer in tokenizers.items():
        try:
            pieces = [tokenizer.decode([token]) for token in tokenizer.encode(sentence)]
            shown = "|".join(map(one_run.visible, pieces))
            print(f"{name:>20}: {len(pieces):>2} tokens  {shown}")
        except ValueError as error:
            print(f"{name:>20}: {error}")

# %% [markdown]
# ## How subwords are learned
#
# At first, every byte is a token. Then the most frequent pair of adjacent tokens is merged into **one** new token,
# again and again. To tokenize a new text, the same merges are applied in the same order.

# %%
print(inspect.getsource(learn_merges))
for merge in merges[:10]:
    print(f"{merge.count:>5} times: {one_run.visible(merge.new_bytes.decode())}")

# %%
used = np.unique(np.geomspace(1, len(merges), 20).astype(int))
per_character = np.array(
    [len(BPETokenizer.from_merges(merges[:count]).encode(text)) / len(text) for count in used]
)
figure = one_run.blank("Effect of the merges", "Tokens per character", "light")
one_run.add_points(figure, used.astype(float), per_character, "stories", {"color": "#0072b2"})
figure.update_xaxes(title_text="Merges").update_yaxes(rangemode="tozero").show()

# %% [markdown]
# The first merges shorten the text most; later merges have less and less effect.
#
# ## Which model is better?
#
# The same model is trained with characters, and with BPE tokens. Before you run the next cell, predict: which loss is
# lower?


# %%
def trained(**changes):
    base = PRESETS["llama-style"].changes | {"total_steps": STEPS, "warmup_steps": STEPS // 12}
    config = RunConfig.from_flat(base | changes)
    events = list(train(new_state(config, make_data(config))))
    return Curves.of(events), [event.bits for event in events if isinstance(event, Evaluated)][-1]


runs = {
    "characters": trained(),
    "BPE, vocabulary 500": trained(tokenizer="bpe", tokenizer_size=500),
}
for name, (curves, bits) in runs.items():
    print(f"{name:>20}: {curves.validation[-1]:.3f} nats per token, {bits:.3f} bits per character")
several_runs.compare({name: curves for name, (curves, _) in runs.items()}).show()

# %% [markdown]
# The loss is **per token**, and the tokens differ: a longer token contains more information and is harder to predict.
# To compare the models, measure the loss per character of the text.

# %%
print(inspect.getsource(bits_per_character))

# %% [markdown]
# With BPE, the same number of steps processes much more text. The stories also have few different words, so many
# subwords are complete words. This experiment does not show the result for a richer text.
#
# ## Exercises
#
# - Try a thousand subwords, or bytes: `trained(tokenizer="byte")`. Which one is best in each unit?
#
#   <details><summary>Answer</summary>
#
#   Per token, 1000 subwords have the lowest loss (0.762), then characters (0.970), bytes (1.019) and 500 subwords
#   (1.163). Per character it is another order: 0.308 bits with 1000 subwords, 0.658 with 500, 1.400 with characters
#   and 1.470 with bytes. Only the second can be compared. These are means of three seeds after 600 steps, from
#   `assets/lessons/results/tokens`.
#
#   </details>
#
# - A step reads 8 × 128 tokens. How many characters have the two models above read after 600 steps? Is this the only
#   reason for the difference?
#
#   <details><summary>Answer</summary>
#
#   614,400 tokens each. With characters these are as many characters; with 500 subwords, at 2.5 characters a token,
#   about 1.5 million, so every story was read more than twice as often. It is not the only reason: 128 tokens of
#   context also reach 2.5 times as far back, and the inside of a word need not be predicted letter by letter.
#
#   </details>
#
# - Tokenize the Chinese stories: `CORPORA["stories-zh"]`. How many tokens does a character need?
#
#   <details><summary>Answer</summary>
#
#   With the tokenizer of the English stories 2.98, as many as it has bytes: no merge joins Chinese bytes. With one
#   that was trained on the Chinese stories, 0.65. A tokenizer fits the text it was trained on.
#
#   </details>
