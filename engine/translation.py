"""From a text to its translation: greedy, by drawing, or by beam search.

The encoder reads the text once. The decoder starts from BEGIN and writes one token at a time until it
writes END; its cache keeps the keys and values of what is written, and the memory those of what was
read, so that a step computes one token only. Everything works on a batch of texts of different lengths.

B texts, K beams, T tokens written, V vocabulary.
"""

# Many of PyTorch's functions have no types yet.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from engine.generation import Sampler, evaluating, next_token
from engine.model.context import KVCache, Memory
from engine.model.encoder_decoder import Transformer
from engine.tokenizers.marked import BEGIN, END, PAD

LONGER = 50
"""A translation may have this many tokens more than its source (Vaswani et al. 2017, section 6.1)."""

NEVER = (PAD, BEGIN)
"""Tokens that are never written, however probable."""

GREEDY = Sampler(temperature=0.0)


@dataclass(frozen=True)
class Translation:
    """What was written, and how probable the model finds it."""

    tokens: tuple[int, ...]
    """Without BEGIN; the last one is END, unless there was no more room."""
    log_probabilities: tuple[float, ...]
    """Of each token given those before, in nats, under the model's own distribution."""

    @property
    def ended(self) -> bool:
        """Did it come to its END?"""
        return self.tokens[-1:] == (END,)

    @property
    def text(self) -> tuple[int, ...]:
        """The tokens without END."""
        return self.tokens[:-1] if self.ended else self.tokens

    @property
    def log_probability(self) -> float:
        """Of the whole, in nats."""
        return math.fsum(self.log_probabilities)

    def score(self, length_penalty: float) -> float:
        """What beam search ranks by: log P / ((5 + T) / 6)^α (Wu et al. 2016, eq. 14).

        Without a penalty (α = 0) short translations win, since every further token costs.
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
    most: int | None = None,
    start: Sequence[int] = (),
) -> list[Translation]:
    """Translate each source, one token of every text in a pass; by default the most probable one.

    Args:
        model: an encoder-decoder.
        sources: token ids of each text, END included.
        sampler: how a token is chosen; by default the most probable one.
        generator: on the CPU, for drawing; without one, a fresh generator seeded with 0.
        most: tokens to write, END included; by default the source's and `LONGER` more.
        start: tokens that every translation begins with.

    Raises:
        ValueError: for no source, an empty one, one that does not fit, or ids outside the vocabulary.
    """
    rows, limits = checked(model, sources, most)
    if not all(0 <= token < len(model.embedding.weight) for token in start):
        raise ValueError(f"start: ids must be from 0 to {len(model.embedding.weight) - 1}")
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
            at = len(written[active[0]])  # every active row is as long as the others
            if at < len(start):
                tokens = [start[at]] * len(active)
            else:
                tokens = _chosen(logits, sampler, generator)
            feed = torch.tensor(tokens, device=device)[:, None]  # (B, 1)
            paid = log_probabilities.gather(1, feed)[:, 0].tolist()
            for row, token, cost in zip(active, tokens, paid, strict=True):
                written[row].append(token)
                costs[row].append(cost)
            going = [
                place
                for place, row in enumerate(active)
                if written[row][-1] != END and len(written[row]) < limits[row]
            ]
            if len(going) < len(active):  # the others go on alone
                active = [active[place] for place in going]
                kept = torch.tensor(going, device=device, dtype=torch.long)
                feed, memory = feed[kept], memory.select(kept)
                cache.select(kept)
    return [Translation(tuple(t), tuple(c)) for t, c in zip(written, costs, strict=True)]


def _next(
    model: Transformer, feed: Tensor, cache: KVCache, memory: Memory
) -> tuple[Tensor, Tensor]:
    """After the tokens (B, 1): logits, and log-probabilities of the model's own distribution, (B, V)."""
    logits = model.run(feed, cache=cache, memory=memory).logits[:, -1].float()
    return logits, logits.log_softmax(-1)


def _chosen(logits: Tensor, sampler: Sampler, generator: torch.Generator) -> list[int]:
    """A token for each row (B, V), none of `NEVER`."""
    logits = logits.index_fill(-1, torch.tensor(NEVER, device=logits.device), -math.inf)
    if sampler.temperature == 0:
        return logits.argmax(-1).tolist()
    return [next_token(row, sampler, generator) for row in logits]


# Beam search -------------------------------------------------------------------------------------

KEPT, PRUNED, ENDED = "kept", "pruned", "ended"


@dataclass(frozen=True)
class Candidate:
    """One token that beam search considered: a node of its tree."""

    parent: int
    """The candidate it continues, by its place in the list; -1: the beginning."""
    token: int
    log_probability: float
    """Of this token given those before, in nats."""
    total: float
    """Of all tokens up to this one."""
    fate: str
    """`kept` was continued; `ended` wrote END; `pruned` was not among the best."""


@dataclass(frozen=True)
class Search:
    """What beam search found for one text."""

    found: list[Translation]
    """The best first, at most as many as there are beams."""
    tree: list[Candidate]
    """Every candidate that was considered, parents before children."""


@dataclass
class _Beams:
    """The search for one text."""

    limit: int
    width: int
    alpha: float
    alive: list[Translation] = field(default_factory=lambda: [Translation((), ())])
    nodes: list[int] = field(default_factory=lambda: [-1])
    """The candidate of each living beam."""
    finished: list[Translation] = field(default_factory=lambda: list[Translation]())
    tree: list[Candidate] = field(default_factory=lambda: list[Candidate]())

    @property
    def done(self) -> bool:
        """Can no living beam become better than those that are found?"""
        if not self.alive:
            return True
        if len(self.finished) < self.width:
            return False
        # A beam can only lose probability from here on, and at most gain the longest penalty.
        hope = max(beam.log_probability for beam in self.alive) / penalty(self.limit, self.alpha)
        return hope <= self.finished[self.width - 1].score(self.alpha)

    def advance(self, values: list[float], places: list[int], vocabulary: int) -> list[int]:
        """Take the best candidates, best first; returns the beam that each living one comes from.

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
    most: int | None = None,
) -> list[Search]:
    """Follow the `beams` best beginnings of a translation side by side (Sutskever et al. 2014).

    At each step the 2 K best of all K V continuations are considered: those that end are set aside,
    the best K of the others live on. It stops when no living beam can become better than the K best
    that ended. One beam without a penalty is not quite greedy: it may go on past an END.

    Args:
        model: an encoder-decoder.
        sources: token ids of each text, END included.
        beams: K; the paper of 2017 has 4.
        length_penalty: α of `Translation.score`; the paper has 0.6.
        most: tokens to write, END included; by default the source's and `LONGER` more.

    Raises:
        ValueError: for sources as `translate`, for `beams` below 1 or a negative penalty.
    """
    if beams < 1:
        raise ValueError(f"beams = {beams}: must be at least 1")
    if not 0 <= length_penalty <= 10:
        raise ValueError(f"length_penalty = {length_penalty}: must be from 0 to 10")
    rows, limits = checked(model, sources, most)
    device, vocabulary = model.embedding.weight.device, len(model.embedding.weight)
    searches = [_Beams(limit, beams, length_penalty) for limit in limits]
    with evaluating(model):
        memory, cache = model.encode(rows), model.new_cache(len(sources))
        owners = list(range(len(sources)))  # the text of each row of the batch
        feed = [BEGIN] * len(sources)
        while owners:
            alive = [beam for owner, _, _ in _runs(owners) for beam in searches[owner].alive]
            before = torch.tensor([beam.log_probability for beam in alive], dtype=torch.float64)
            tokens = torch.tensor(feed, device=device)[:, None]  # (N, 1)
            costs = _next(model, tokens, cache, memory)[1].double().cpu()  # (N, V)
            costs[:, NEVER] = -math.inf
            totals = before[:, None] + costs  # (N, V), of every beam with every further token
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
            if next_owners != owners:  # else every row still translates the same text
                memory, owners = memory.select(kept), next_owners
            feed = [
                beam.tokens[-1] for owner, _, _ in _runs(owners) for beam in searches[owner].alive
            ]
    return [
        Search(search.finished[:beams] or search.alive[:beams], search.tree) for search in searches
    ]


def _runs(owners: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Each text, the first of its rows, and how many it has."""
    first = 0
    while first < len(owners):
        count = owners[first:].count(owners[first])
        yield owners[first], first, count
        first += count


# Both --------------------------------------------------------------------------------------------


def score(model: Transformer, source: Sequence[int], tokens: Sequence[int]) -> Translation:
    """The log-probability of a given translation, from one whole pass without a cache."""
    rows, _ = checked(model, [source], None)
    with torch.inference_mode(), evaluating(model):
        given = torch.tensor([[BEGIN, *tokens[:-1]]], device=rows.device)  # (1, T)
        costs = model.predict(given, rows).logits[0].float().log_softmax(-1)  # (T, V)
    chosen = [costs[place, token].item() for place, token in enumerate(tokens)]
    return Translation(tuple(tokens), tuple(chosen))


def padded(rows: Sequence[Sequence[int]], device: torch.device | str | None = None) -> Tensor:
    """Rows of different lengths as one tensor (B, S), filled up with PAD."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[PAD] * (longest - len(row))] for row in rows], device=device)


def checked(
    model: Transformer, sources: Sequence[Sequence[int]], most: int | None
) -> tuple[Tensor, list[int]]:
    """The sources (B, S) and how many tokens each translation may have. Raises `ValueError`."""
    context, vocabulary = model.config.max_seq_len, len(model.encoder.embedding.weight)
    if not sources or not all(sources):
        raise ValueError("sources: give at least one text, and no empty one")
    longest = max(map(len, sources))
    if longest > context:
        raise ValueError(f"a source of {longest} tokens: the model reads at most {context}")
    if not all(0 < token < vocabulary for row in sources for token in row):
        raise ValueError(f"source ids must be from 1 to {vocabulary - 1}")
    if most is not None and most < 1:
        raise ValueError(f"most = {most}: must be at least 1")
    limits = [min(context, len(row) + LONGER if most is None else most) for row in sources]
    return padded(sources, model.embedding.weight.device), limits
