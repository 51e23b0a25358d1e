"""The first screen's server function: one forward pass over a sentence.

`look` answers the view (`playground/tabs/home/view`) with everything that it draws: the words as the model reads
them, one head's attention, the vector of the last word on its way through the blocks, and the most probable next
words. Any client may call it, so every argument is checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypedDict

import numpy as np

from engine.runs import snapshots
from playground.hosting import checks
from playground.runs import models, recordings, run_lookup

if TYPE_CHECKING:
    from engine.runs.store import Run
    from engine.tokenizers import Tokenizer

LONGEST = 96
"""Tokens of a sentence that are shown, at most."""
GUESSES = 5
"""Next words that are shown."""

TEXT = {
    "empty": "None of this is known to the model. Type a few words about a small animal, in plain letters.",
}


class NextWord(TypedDict):
    """A next word and its probability."""

    piece: str
    share: float


class Seen(TypedDict):
    """One forward pass over a sentence of T tokens."""

    run: str
    text: str
    """The sentence as the model reads it."""
    pieces: list[str]
    """(T,) its tokens."""
    known: list[bool]
    """(T,) false for the letters of a word that is not in the vocabulary."""
    unknown: list[str]
    """The words that are spelled, letter by letter."""
    dropped: list[str]
    """Characters that no token has: they are left out."""
    layer: int
    head: int
    """The head whose attention is shown."""
    attention: str
    """base64 of bytes (T, T); 255 is a weight of one."""
    reads: str
    """base64 of bytes (L, T): the last token's attention in each layer, of the layer's head that attends farthest back."""
    stream: str
    """base64 of float32 (L + 1, C): the last token's vector, embedded and after each block."""
    stages: int
    """L + 1."""
    guesses: list[NextWord]
    """The most probable first."""


@checks.answer
def look(text: str, language: str = "en", piece: str = "") -> Seen:
    """A forward pass over `text`, and a guess that was chosen to continue it, by the story model of a language.

    Spaces around a text are not part of it. One that the model has drawn is: it begins a word that it spells.
    """
    from engine.inspection import observe

    found = run_lookup.of_language(language)
    loaded = models.load(found)
    sentence = readable(loaded.tokenizer, checks.text(text) + checks.text(piece))
    if not sentence.text:
        raise ValueError(TEXT["empty"])
    if piece == " " and piece in loaded.tokenizer.pieces:
        sentence = sentence._replace(text=sentence.text + piece)
    ids, known = _tokens(loaded.tokenizer, sentence.text)
    limit = min(LONGEST, loaded.config.model.max_seq_len)
    ids, known = ids[-limit:], known[-limit:]
    blocks = range(loaded.config.model.n_layer)
    stages = ["embedding", *(f"blocks.{i}.feedforward.residual" for i in blocks)]
    hooks = (*stages, "blocks.*.attention.weights", "logits")
    trace = observe.trace_sequence(loaded.model, ids, hooks)
    layer, heads = long_range_heads(found.id, loaded.step)
    attention = snapshots.quantise(observe.attention_maps(trace, len(blocks)))
    probabilities = observe.to_numpy(trace["logits"][0, -1].float().softmax(-1))
    best = np.argsort(-probabilities, kind="stable")[:GUESSES]
    pieces = loaded.tokenizer.pieces
    guesses: list[NextWord] = [
        {"piece": pieces[i], "share": float(probabilities[i])} for i in map(int, best)
    ]
    return {
        "run": found.id,
        "text": sentence.text,
        "pieces": [pieces[i] for i in ids],
        "known": known,
        "unknown": sentence.unknown,
        "dropped": sentence.dropped,
        "layer": layer,
        "head": heads[layer],
        "attention": checks.base64_of(attention[layer, heads[layer]]),
        "reads": checks.base64_of(np.stack([attention[i, heads[i], -1] for i in blocks])),
        "stream": checks.base64_of(
            np.stack([observe.to_numpy(trace[stage][0, -1]) for stage in stages])
        ),
        "stages": len(stages),
        "guesses": guesses,
    }


SERVED: checks.Served = (look,)
"""What the view may call."""


class Sentence(NamedTuple):
    """A text that a tokenizer can encode."""

    text: str
    unknown: list[str]
    """Its words that are no tokens."""
    dropped: list[str]
    """Characters of the original that are in no token."""


def readable(tokenizer: Tokenizer, text: str) -> Sentence:
    """What the model can read of a text, on one line.

    A word that is a token with another capital, or as the first one with a space before it, is read as that
    token. Other words are spelled, and characters that cannot be spelled are left out.
    """
    from engine.tokenizers import WordTokenizer
    from engine.tokenizers.word import split_words

    vocabulary = set(tokenizer.pieces)
    line = " ".join(text.split())
    dropped = list(dict.fromkeys(one for one in line if one not in vocabulary))
    line = "".join(one for one in line if one in vocabulary).strip()
    if not isinstance(tokenizer, WordTokenizer):
        return Sentence(line, [], dropped)
    read: list[str] = []
    unknown: list[str] = []
    for i, piece in enumerate(split_words(line)):
        space = piece[: len(piece) - len(piece.lstrip())]
        word = piece[len(space) :]
        forms = [piece, space + word[:1].swapcase() + word[1:], space + word.lower()]
        forms += [f" {form}" for form in forms] if i == 0 else []
        form = next((form for form in forms if form in vocabulary), None)
        if form is None:
            unknown.append(word)
        read.append(form or piece)
    return Sentence("".join(read), list(dict.fromkeys(unknown)), dropped)


def _tokens(tokenizer: Tokenizer, text: str) -> tuple[list[int], list[bool]]:
    """The tokens of a readable text, and which of them are words of the vocabulary."""
    from engine.tokenizers import WordTokenizer
    from engine.tokenizers.word import split_words

    ids = tokenizer.encode(text)
    if not isinstance(tokenizer, WordTokenizer):
        return ids, [True] * len(ids)
    vocabulary = set(tokenizer.pieces)
    known: list[bool] = []
    for piece in split_words(text):
        known += [True] if piece in vocabulary else [False] * len(piece)
    return ids, known


@lru_cache(maxsize=8)
def long_range_heads(run_id: str, step: int) -> tuple[int, tuple[int, ...]]:
    """The head of each layer that attends farthest back in the run's own text, the same for every sentence, and the
    layer where it attends farthest."""
    from engine.inspection import observe

    run: Run = run_lookup.find(run_id)
    loaded = models.load(run, step)
    ids: Sequence[int] = recordings.default_ids(run, loaded, loaded.config.model.max_seq_len)
    trace = observe.trace_sequence(loaded.model, ids, ("blocks.*.attention.weights",))
    shares = observe.long_range_attention(
        observe.attention_maps(trace, loaded.config.model.n_layer)
    )
    return int(shares.max(1).argmax()), tuple(int(head) for head in shares.argmax(1))
