# %% [markdown]
# A language model gives every possible next character a probability. How good it is can be measured in **bits per
# character**. In this notebook you compute this measure, count letters and pairs of letters, and compare both with a
# trained Transformer.

# %%
import math
from collections import Counter
from itertools import pairwise

import torch

from engine import RunStore
from engine.data import CORPORA
from engine.runs.events import Evaluated
from engine.training.shipped import ROOT
from notebooks.exercises import check
from playground.figures import one_run

# %% [markdown]
# ## Write it yourself
#
# Write `bits`: the mean number of bits per character. `probabilities` (N,) are the probabilities that a model
# gave to the characters that came. A character with probability p costs −log₂ p bits.
#
# <details><summary>Hint</summary>
#
# `torch.log2` takes the logarithm of every number; `.mean()` the mean.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# def bits(probabilities):
#     return -torch.log2(probabilities).mean()
# ```
#
# </details>


# %%
def bits(probabilities):
    return ...  # your code


check(bits)

# %% [markdown]
# ## Count letters
#
# The simplest model counts. On the first nine tenths of the stories it counts how often each character occurs; on the
# rest it is tested. Before you run the next cell, predict: by how much is it better than a uniform guess?

# %%
text = CORPORA["stories"].path.read_text(encoding="utf-8")
cut = len(text) * 9 // 10
known, new = text[:cut], text[cut:]
alphabet = sorted(set(text))


def mean_bits(probability):
    """The mean bits per character of the new text; `probability(before, character)` is a model."""
    given = torch.tensor([probability(before, character) for before, character in pairwise(new)])
    return -given.log2().mean().item()


letters = Counter(known)
uniform = mean_bits(lambda before, character: 1 / len(alphabet))
unigram = mean_bits(lambda before, character: letters[character] / len(known))
print(f"uniform guess: {uniform:.2f} bits per character")
print(f"letter counts: {unigram:.2f}")

# %% [markdown]
# ## Count pairs
#
# After `q` comes `u`. A **bigram** model counts which character follows which. So that a pair that never occurred is not
# impossible, every pair starts with a small count instead of 0.

# %%
pairs, firsts = Counter(pairwise(known)), Counter(known[:-1])
START = 0.01  # the count that every pair starts with


def bigram_model(before, character):
    return (pairs[before, character] + START) / (firsts[before] + START * len(alphabet))


bigram = mean_bits(bigram_model)
print(f"pair counts:   {bigram:.2f}")

# %% [markdown]
# ## A Transformer
#
# The model that ships with the project has learned from the same text. It sees not one character before the next, but
# many. The loss of a run is measured on validation text, in nats; divided by ln 2 it is in bits.

# %%
run = RunStore(ROOT).open("stories")
measured = [event for event in run.history() if isinstance(event, Evaluated)]
transformer = measured[-1].loss / math.log(2)
print(f"Transformer:   {transformer:.2f}")

bars = {"uniform guess": uniform, "letters": unigram, "pairs": bigram, "Transformer": transformer}
figure = one_run.blank("Bits per character of new text", "bits", "light")
figure.add_bar(x=list(bars), y=list(bars.values()), marker_color=one_run.PALETTE["light"][0])
figure.update_xaxes(title_text="")
figure.show()

# %% [markdown]
# Each model sees more than the one before it, and guesses better. Every curve on the page falls past these levels.
#
# ## Exercises
#
# - Count triples: the two characters before the next. How many bits? What becomes of triples that never occurred?
#
#   <details><summary>Answer</summary>
#
#   2.11 bits, from 3.19 with pairs: one more character of context saves another bit. In these stories no triple of
#   the new text is new, because they come from a few patterns. In other texts many triples never occurred, and each
#   gets only what `START` leaves it.
#
#   </details>
#
# - Count only the first 2,000 characters, `known = text[:2000]`, and set `START` to 1, 0.1 and 0.0001. Why is neither
#   end best?
#
#   <details><summary>Answer</summary>
#
#   3.91, 3.57 and 4.02 bits. Of the 60,055 pairs in the new text, 3,794 are not among those counted. With 0.0001 each
#   of them costs very many bits; with 1 the 56 equal counts outweigh what was really counted. With all the text no
#   pair is new, and `START` hardly matters: 3.20 bits with 1, 3.19 with 0.0001.
#
#   </details>
#
# - Let the bigram model write: draw each next character with `random.choices`. What does it get right?
#
#   <details><summary>Answer</summary>
#
#   Ours began `Towalant thamenomivy'save ous.` The lengths of the words, the spaces and full stops, and pairs such as
#   `th` look like English. Hardly any word is one: three of the first 21. A model that sees one character does not
#   know how its word began.
#
#   </details>
