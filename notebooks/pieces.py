# %% [markdown]
# A tokenizer splits a text into **subwords** by merging pairs of neighbouring pieces, in the order in which the merges
# were learned. In this notebook you split words yourself, and look at the pieces of a learned vocabulary.

# %%
from collections import Counter

import numpy as np

from engine.data import CORPORA
from engine.tokenizers import BPETokenizer, train_merges
from notebooks.exercises import check
from playground.figures import one_run

# %% [markdown]
# ## Write it yourself
#
# Write `pieces`: split a word into subwords. `merges` is a list of pairs in the order in which they were learned,
# such as `[("t", "h"), ("th", "e")]`. Begin with the characters of the word. Then, for each merge in order, join
# every place where its two pieces are neighbours, from left to right. Return the list of pieces.
#
# <details><summary>Hint</summary>
#
# For one merge, build a new list: if the next two pieces are the pair, append their sum and go on by two, else
# append one.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# def pieces(word, merges):
#     parts = list(word)
#     for left, right in merges:
#         joined, i = [], 0
#         while i < len(parts):
#             if parts[i : i + 2] == [left, right]:
#                 joined.append(left + right)
#                 i += 2
#             else:
#                 joined.append(parts[i])
#                 i += 1
#         parts = joined
#     return parts
# ```
#
# </details>


# %%
def pieces(word, merges):
    return ...  # your code


check(pieces)

# %% [markdown]
# ## A learned vocabulary
#
# The engine learns merges from the stories. The first merges are the most frequent pairs of letters. Before you run the
# next cell, predict one of the first three.

# %%
text = CORPORA["stories"].path.read_text(encoding="utf-8")
merges = list(train_merges([text], 1000))
for merge in merges[:8]:
    print(f"{merge.new_bytes.decode()!r:>8} occurs {merge.count} times")
print("later:", [merge.new_bytes.decode() for merge in merges[-8:]])

# %% [markdown]
# ## What becomes of a word
#
# A space belongs to the piece after it, so that ` fox` and `fox` are different tokens. A word that the text did not
# contain falls into smaller pieces; nothing is unknown.

# %%
tokenizer = BPETokenizer.from_merges(merges)
for word in (" fox", "fox", " Fox", " transformer", " 1234", " 狐狸"):
    tokens = [tokenizer.decode_bytes([token]) for token in tokenizer.encode(word)]
    print(f"{word!r:>15} -> {tokens}")

# %% [markdown]
# ## How many tokens?
#
# More merges make a text shorter, and each new merge helps less than the one before.

# %%
sizes = np.array([256, 300, 400, 500, 700, 1000])
lengths = np.array(
    [len(BPETokenizer.from_merges(merges[: size - 256]).encode(text)) for size in sizes]
)
figure = one_run.blank("Characters per token", "characters", "light")
one_run.add_points(figure, sizes, len(text) / lengths, "the stories", one_run.line_of(0, "light"))
figure.update_xaxes(title_text="Size of the vocabulary")
figure.show()
for size, length in zip(sizes, lengths, strict=True):
    print(f"vocabulary {size:>5}: {len(text) / length:.2f} characters per token")

# %% [markdown]
# ## Exercises
#
# - How many tokens do your name, an e-mail address and a line of code have?
#
#   <details><summary>Answer</summary>
#
#   With the vocabulary above, “Ada Lovelace” has 9 tokens for 12 characters, `ada@example.org` 10 for 15, and
#   `for i in range(10):` 11 for 19. The stories themselves need 0.28 tokens a character: what the tokenizer has not
#   been trained on costs two to three times as many.
#
#   </details>
#
# - Learn merges from the Chinese stories, `CORPORA["stories-zh"]`. How many bytes has a character, how many a token?
#
#   <details><summary>Answer</summary>
#
#   A character has 2.98 bytes: nearly all have three. The 744 merges learned from the Chinese stories make tokens of
#   4.6 bytes on average, so a character needs 0.65 tokens. The first merges join the bytes of common characters,
#   because half a character occurs in many of them.
#
#   </details>
#
# - Why does a model with such tokens find it hard to count the letters of a word?
#
#   <details><summary>Answer</summary>
#
#   It never sees letters. ` strawberry` is five tokens here (` str`, `a`, `w`, `b`, `erry`), each a number; that two
#   r are inside `erry` is nowhere in the input. The model can only learn the spelling of each token from texts that
#   mention it.
#
#   </details>
