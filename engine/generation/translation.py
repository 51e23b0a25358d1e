"""Translate a text: greedy, by sampling, or by beam search.

The encoder reads the text once. The decoder starts from BEGIN and generates one token at a time until
END. Its cache has keys and values of generated tokens, and the memory those of the source, so a step
computes one token only. All functions work on batches of texts of different lengths.

B texts, K beams, T generated tokens, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from engine.generation.sampling import Sampler, evaluating, next_token
from engine.model.context import KVCache, Memory
from engine.model.encoder_decoder import Transformer
from engine.tokenizers.marked import BEGIN, END, PAD

LONGER = 50
"""Maximum length of a translation beyond that of its source (Vaswani et al. 2017, section 6.1)."""

SUPPRESSED = (PAD, BEGIN)
"""Tokens that are never generated."""

GREEDY = Sampler(temperature=0.0)


@dataclass(frozen=True)
class Translation:
    """A translation and its probability under the model."""

    tokens: tuple[int, ...]
    """Without BEGIN; the last one is END, unless the maximum length was reached."""
    log_probabilities: tuple[float, ...]
    """Of each token given the earlier ones, in nats, under the model's own distribution."""

    @property
    def ended(self) -> bool:
        """Whether it ends with END."""
        return self.tokens[-1:] == (END,)

    @property
    def text(self) -> tuple[int, ...]:
        """The tokens without END."""
        return self.tokens[:-1] if self.ended else self.tokens

    @property
    def log_probability(self) -> float:
        """Of the complete translation, in nats."""
        return math.fsum(self.log_probabilities)

    def score(self, length_penalty: float) -> float:
        """The score of beam search: log P / ((5 + T) / 6)^α (Wu et al. 2016, eq. 14).

        Without a penalty (α = 0), short translations win, since every token lowers log P.
        """
        return self.log_probability / penalty(len(self.tokens), length_penalty)


def penalty(length: int, alpha: float) -> float:
    """((5 + T) / 6)^α"""
    return ((5 + length) / 6) ** alpha


@torch.inference_mode()
def translate(
    model: Transformer,
    sources: Sequence[Sequence[int]],
    sampler: Sampler = GREEDY,
    generator: torch.Generator | None = None,
    max_new_tokens: int | None = None,
    forced_prefix: Sequence[int] = (),
) -> list[Translation]:
    """Translate each source; one forward pass adds a token to every translation.

    Args:
        model: an encoder-decoder.
        sources: token ids of each text, END included.
        sampler: how a token is chosen; the default is greedy.
        generator: a CPU generator to draw from; the default is a new one with seed 0.
        max_new_tokens: limit, END included; the default is the source's length plus `LONGER`.
        forced_prefix: tokens with which every translation begins.

    Raises:
        ValueError: no source, an empty one, one longer than the context, or ids outside the vocabulary.
    """
    rows, limits = checked(model, sources, max_new_tokens)
    if not all(0 <= token < len(model.embedding.weight) for token in forced_prefix):
        raise ValueError(f"forced_prefix: ids must be from 0 to {len(model.embedding.weight) - 1}")
    generator = generator or torch.Generator().manual_seed(0)
    device = model.embedding.weight.device
    written: list[list[int]] = [[] for _ in sources]
    costs: list[list[float]] = [[] for _ in sources]
    with evaluating(model):
        memory, cache = model.encode(rows), model.new_cache(len(sources))
        active = list(range(len(sources)))
        feed = torch.full((len(sources), 1), BEGIN, device=device)  # (B, 1)
        while active:
            logits, log_probabilities = _next(model, feed, cache, memory)  # (B, V) each
            length = len(written[active[0]])  # the same for every active row
            if length < len(forced_prefix):
                tokens = [forced_prefix[length]] * len(active)
            else:
                tokens = _chosen(logits, sampler, generator)
            feed = torch.tensor(tokens, device=device)[:, None]  # (B, 1)
            paid = log_probabilities.gather(1, feed)[:, 0].tolist()
            for row, token, cost in zip(active, tokens, paid, strict=True):
                written[row].append(token)
                costs[row].append(cost)
            going = [
                index
                for index, row in enumerate(active)
                if written[row][-1] != END and len(written[row]) < limits[row]
            ]
            if len(going) < len(active):  # drop the rows that have ended
                active = [active[index] for index in going]
                kept = torch.tensor(going, device=device, dtype=torch.long)
                feed, memory = feed[kept], memory.select(kept)
                cache.select(kept)
    return [Translation(tuple(t), tuple(c)) for t, c in zip(written, costs, strict=True)]


def _next(
    model: Transformer, feed: Tensor, cache: KVCache, memory: Memory
) -> tuple[Tensor, Tensor]:
    """Feed tokens (B, 1); returns logits and log-probabilities of the next token, (B, V) each."""
    logits = model.run(feed, cache=cache, memory=memory).logits[:, -1].float()
    return logits, logits.log_softmax(-1)


def _chosen(logits: Tensor, sampler: Sampler, generator: torch.Generator) -> list[int]:
    """Choose a token for each row of (B, V), none of `SUPPRESSED`."""
    logits = logits.index_fill(-1, torch.tensor(SUPPRESSED, device=logits.device), -math.inf)
    if sampler.temperature == 0:
        return logits.argmax(-1).tolist()
    return [next_token(row, sampler, generator) for row in logits]


# Beam search -------------------------------------------------------------------------------------

KEPT, PRUNED, ENDED = "kept", "pruned", "ended"


@dataclass(frozen=True)
class Candidate:
    """A token that beam search considered: a node of its tree."""

    parent: int
    """Index of the candidate that it continues; -1: the beginning."""
    token: int
    log_probability: float
    """Of this token given the earlier ones, in nats."""
    total: float
    """Of all tokens up to this one."""
    fate: str
    """`kept` was continued; `ended` is an END; `pruned` was not among the best."""


@dataclass(frozen=True)
class Search:
    """The result of beam search for one text."""

    found: list[Translation]
    """At most K translations, the best first."""
    tree: list[Candidate]
    """All candidates, parents before children."""


@dataclass
class _Beams:
    """The search for one text."""

    limit: int
    width: int
    alpha: float
    alive: list[Translation] = field(default_factory=lambda: [Translation((), ())])
    nodes: list[int] = field(default_factory=lambda: [-1])
    """The candidate of each unfinished beam."""
    finished: list[Translation] = field(default_factory=lambda: list[Translation]())
    tree: list[Candidate] = field(default_factory=lambda: list[Candidate]())

    @property
    def done(self) -> bool:
        """Can no unfinished beam become better than the finished ones?"""
        if not self.alive:
            return True
        if len(self.finished) < self.width:
            return False
        # A beam can only lose probability, and at best reach the penalty of the maximum length.
        hope = max(beam.log_probability for beam in self.alive) / penalty(self.limit, self.alpha)
        return hope <= self.finished[self.width - 1].score(self.alpha)

    def advance(self, values: list[float], places: list[int], vocabulary: int) -> list[int]:
        """Take candidates, best first; returns the parent beam of each unfinished one.

        `values` are total log-probabilities, `places` are beam · V + token.
        """
        parents: list[int] = []
        alive: list[Translation] = []
        nodes: list[int] = []
        kept = 0
        for value, place in zip(values, places, strict=True):
            if value == -math.inf:
                continue
            beam, token = divmod(place, vocabulary)
            before = self.alive[beam]
            cost = value - before.log_probability
            grown = Translation((*before.tokens, token), (*before.log_probabilities, cost))
            full = len(grown.tokens) == self.limit
            fate = ENDED if token == END else KEPT if kept < self.width else PRUNED
            self.tree.append(Candidate(self.nodes[beam], token, cost, value, fate))
            kept += fate == KEPT
            if fate == ENDED or (full and fate == KEPT):
                self.finished.append(grown)
            elif fate == KEPT:
                parents.append(beam)
                alive.append(grown)
                nodes.append(len(self.tree) - 1)
        self.alive, self.nodes = alive, nodes
        self.finished.sort(key=lambda beam: beam.score(self.alpha), reverse=True)
        return parents


@torch.inference_mode()
def beam_search(
    model: Transformer,
    sources: Sequence[Sequence[int]],
    beams: int = 4,
    length_penalty: float = 0.6,
    max_new_tokens: int | None = None,
) -> list[Search]:
    """Extend the `beams` most probable partial translations in parallel (Sutskever et al. 2014).

    Each step considers the 2 K best of all K V continuations. Those with END are finished; the best K of
    the others are continued. The search stops when no unfinished beam can become better than the K best
    finished ones. One beam without a penalty is not greedy decoding: an END that is only second best also
    finishes a translation, which wins if the continuation becomes less probable.

    Args:
        model: an encoder-decoder.
        sources: token ids of each text, END included.
        beams: K; 4 in the paper of 2017.
        length_penalty: α of `Translation.score`; 0.6 in the paper.
        max_new_tokens: limit, END included; the default is the source's length plus `LONGER`.

    Raises:
        ValueError: sources as in `translate`, `beams` below 1, or a penalty outside 0 to 10.
    """
    if beams < 1:
        raise ValueError(f"beams = {beams}: must be at least 1")
    if not 0 <= length_penalty <= 10:
        raise ValueError(f"length_penalty = {length_penalty}: must be from 0 to 10")
    rows, limits = checked(model, sources, max_new_tokens)
    device, vocabulary = model.embedding.weight.device, len(model.embedding.weight)
    searches = [_Beams(limit, beams, length_penalty) for limit in limits]
    with evaluating(model):
        memory, cache = model.encode(rows), model.new_cache(len(sources))
        owners = list(range(len(sources)))  # the text of each row of the batch
        while owners:
            alive = [beam for owner, _, _ in _runs(owners) for beam in searches[owner].alive]
            totals = _totals(model, alive, cache, memory)  # (N, V)
            rows_kept: list[int] = []
            next_owners: list[int] = []
            for owner, first, count in _runs(owners):
                search = searches[owner]
                flat = totals[first : first + count].flatten()  # (K V,)
                best = flat.topk(min(2 * beams, len(flat)))
                parents = search.advance(best.values.tolist(), best.indices.tolist(), vocabulary)
                if not search.done:
                    rows_kept += [first + parent for parent in parents]
                    next_owners += [owner] * len(parents)
            kept = torch.tensor(rows_kept, device=device, dtype=torch.long)
            cache.select(kept)
            if next_owners != owners:  # else every row still belongs to the same text
                memory, owners = memory.select(kept), next_owners
    return [
        Search(search.finished[:beams] or search.alive[:beams], search.tree) for search in searches
    ]


def _totals(
    model: Transformer, alive: Sequence[Translation], cache: KVCache, memory: Memory
) -> Tensor:
    """Log-probabilities (N, V) of N beams, each continued by every token. In fp64, on the CPU."""
    last = [beam.tokens[-1] if beam.tokens else BEGIN for beam in alive]
    feed = torch.tensor(last, device=model.embedding.weight.device)[:, None]  # (N, 1)
    costs = _next(model, feed, cache, memory)[1].double().cpu()  # (N, V)
    costs[:, SUPPRESSED] = -math.inf
    before = torch.tensor([beam.log_probability for beam in alive], dtype=torch.float64)  # (N,)
    return before[:, None] + costs


def _runs(owners: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """For each text: its index, its first row and its number of rows."""
    first = 0
    while first < len(owners):
        count = owners[first:].count(owners[first])
        yield owners[first], first, count
        first += count


# Inputs ------------------------------------------------------------------------------------------


def padded(rows: Sequence[Sequence[int]], device: torch.device | str | None = None) -> Tensor:
    """Rows of different lengths as one tensor (B, S), padded with PAD."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[PAD] * (longest - len(row))] for row in rows], device=device)


def checked(
    model: Transformer, sources: Sequence[Sequence[int]], max_new_tokens: int | None
) -> tuple[Tensor, list[int]]:
    """The sources (B, S) and the maximum length of each translation. Raises `ValueError`."""
    context, vocabulary = model.config.max_seq_len, len(model.encoder.embedding.weight)
    if not sources or not all(sources):
        raise ValueError("sources: give at least one text, and no empty one")
    longest = max(map(len, sources))
    if longest > context:
        raise ValueError(f"a source of {longest} tokens: the model reads at most {context}")
    if not all(0 < token < vocabulary for row in sources for token in row):
        raise ValueError(f"source ids must be from 1 to {vocabulary - 1}")
    if max_new_tokens is not None and max_new_tokens < 1:
        raise ValueError(f"max_new_tokens = {max_new_tokens}: must be at least 1")
    limits = [min(context, max_new_tokens or len(row) + LONGER) for row in sources]
    return padded(sources, model.embedding.weight.device), limits
