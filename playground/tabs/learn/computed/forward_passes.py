"""What the lessons on attention, positions, the block and norms measure with forward passes of the engine.

    python -m playground.tabs.learn.computed.forward_passes            measures everything again (some minutes)
    python -m playground.tabs.learn.computed.forward_passes carries    ... or one of `MEASURED`

Each measurement is a file of assets/lessons/figures with the columns name, place, seed, value. A lesson writes
{computed: circuit whole} for a mean over the seeds; `drawings.forward_passes` draws figures from the same files.

Nothing in this file loads PyTorch before it measures.
"""

from __future__ import annotations

import csv
import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from playground.tabs.learn import FIGURES

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from engine.training.loop import TrainState

SEEDS = (0, 1, 2)
CLEAR = 0.4
"""The share of its attention from which a head counts as one of a pattern; see `engine.inspection.observe`."""
ROWS = 512
"""Validation rows on which a share of right letters is measured."""
STORY = '"What can I do for'
"""The beginning of a story that the logit lens reads."""
DEEP = {
    "n_layer": 12, "max_lr": 0.006, "warmup_steps": 0, "task_length": 4, "max_seq_len": 16, "total_steps": 400,
}  # fmt: skip
"""The runs of the suite `post-norm`: changes to the preset `reverse`."""
MOMENTS = (0, 2, 20)
"""Steps of training at which the stream and its gradients are measured."""


class Value(NamedTuple):
    """One measured number."""

    name: str
    place: int
    seed: int
    value: float


def circuit() -> Iterator[Value]:
    """The induction circuit: how many letters stay right when heads are switched off, and where its heads look.

    "other off" is the control: another head of the first layer, the mean over all of them.
    """
    import numpy as np

    from engine.inspection import observe

    for seed in SEEDS:
        state = _trained("induction", seed, n_layer=2)
        rows = _validation_rows(state, 16)
        patterns = [observe.head_patterns(_weights(state, row), row) for row in rows]
        shares = np.mean(patterns, axis=0)  # (L, H, patterns)
        previous, repeat = (
            [
                int(head)
                for head in shares[layer, :, observe.PATTERNS.index(name)].argsort()[::-1]
                if shares[layer, head, observe.PATTERNS.index(name)] > CLEAR
            ]
            for layer, name in ((0, "previous"), (1, "repeat"))
        )  # fmt: skip
        off = {
            "whole": {},
            "one previous off": {0: previous[:1]},
            "previous off": {0: previous},
            "one matching off": {1: repeat[:1]},
            "matching off": {1: repeat},
            "both off": {0: previous, 1: repeat},
        }
        yield Value("previous heads", 0, seed, len(previous))
        yield Value("matching heads", 0, seed, len(repeat))
        for name, heads in off.items():
            yield Value(name, 0, seed, _accuracy(state, heads))
        others = [head for head in range(len(shares[0])) if head not in previous]
        yield Value("other off", 0, seed, fmean(_accuracy(state, {0: [head]}) for head in others))
        if seed == SEEDS[0]:
            yield from _maps(state, shares, rows[0])


def _maps(state: TrainState, shares: npt.NDArray[np.float32], row: list[int]) -> Iterator[Value]:
    """The weights of the clearest previous-token head and matching head on one row, and the row itself.

    A weight's place is query · T + key; weights below 0.02 are left out.
    """
    from engine.inspection import observe

    weights = _weights(state, row)
    for layer, pattern in ((0, "previous"), (1, "repeat")):
        head = int(shares[layer, :, observe.PATTERNS.index(pattern)].argmax())
        for place, value in enumerate(weights[layer, head].ravel().tolist()):
            if value >= 0.02:
                yield Value(f"map {pattern}", place, SEEDS[0], value)
    for place, token in enumerate(row):
        yield Value("row", place, SEEDS[0], ord(state.data.tokenizer.decode([token])))


def stream() -> Iterator[Value]:
    """Twelve blocks, pre-norm and post-norm: size of the stream, gradient of each block, what each norm leaves."""
    import numpy as np
    import torch

    from engine.inspection import observe
    from engine.training.loop import update
    from engine.training.loss import cross_entropy

    for seed in SEEDS:
        for placement in ("pre", "post"):
            state = _new("reverse", seed, **DEEP, placement=placement)
            batch = next(iter(state.data.validation(64, 1)))
            inputs, targets = torch.from_numpy(batch.inputs), torch.from_numpy(batch.targets)
            for step in range(MOMENTS[-1] + 1):
                if step in MOMENTS:
                    at = f"{placement} {step}"
                    cross_entropy(state.model(inputs), targets).backward()
                    for block, module in enumerate(state.model.blocks):
                        squares = [
                            float(w.grad.square().sum())
                            for w in module.parameters()
                            if w.grad is not None
                        ]
                        yield Value(f"gradient {at}", block, seed, sum(squares) ** 0.5)
                    state.model.zero_grad(set_to_none=True)
                    ids = inputs[0][inputs[0] >= 0].tolist()
                    sizes = observe.probe(state.model, ids).norms.mean(1)
                    for place, size in enumerate(sizes.tolist()):
                        yield Value(f"size {at}", place, seed, size)
                    if placement == "post":
                        yield Value(f"left {at}", 0, seed, float(np.prod(_kept(state, ids))))
                update(state)


def _kept(state: TrainState, ids: list[int]) -> list[float]:
    """For each norm of a post-norm model but the first: the factor by which it multiplies the old stream x.

    norm(x + f) = x · w/rms(x + f) + f · w/rms(x + f). The first norm only brings the embedding to size one.
    """
    import torch

    from engine.model.block import Block

    factors: list[float] = []

    def note(
        module: torch.nn.Module, given: tuple[torch.Tensor, ...], output: torch.Tensor
    ) -> None:
        weight = module.weight
        assert isinstance(weight, torch.Tensor)
        factors.append(float((weight.abs().mean() / given[0].square().mean(-1).sqrt()).mean()))

    hooks: list[torch.utils.hooks.RemovableHandle] = []
    for block in state.model.blocks:
        assert isinstance(block, Block)
        for line in (block.attention_residual, block.feedforward_residual):
            hooks.append(line.norm.register_forward_hook(note))
    with torch.no_grad():
        state.model(torch.tensor([ids]))
    for hook in hooks:
        hook.remove()
    return factors[1:]


def carries() -> Iterator[Value]:
    """Addition with a feed-forward one number wide: the share of right sums, by the number of carries."""
    import numpy as np
    import torch

    for seed in SEEDS:
        state = _trained("addition", seed, source="addition_reversed", d_ff=1, total_steps=600)
        tokenizer = state.data.tokenizer
        right: dict[int, list[bool]] = {0: [], 1: [], 2: []}
        for batch in state.data.validation(64, None):
            with torch.no_grad():
                found = state.model(torch.from_numpy(batch.inputs)).argmax(-1).numpy()
            for inputs, targets, best in zip(batch.inputs, batch.targets, found, strict=True):
                asked = targets >= 0
                a, b = tokenizer.decode(inputs[inputs >= 0].tolist()).split("=")[0].split("+")
                right[_carries(int(a), int(b))].append(bool(np.all(best[asked] == targets[asked])))
        for count, answers in right.items():
            yield Value("right", count, seed, fmean(answers))
            yield Value("sums", count, seed, len(answers))


def _carries(a: int, b: int) -> int:
    """The number of carries of a sum, by hand."""
    count = carry = 0
    while a or b:
        carry = int(a % 10 + b % 10 + carry > 9)
        count += carry
        a, b = a // 10, b // 10
    return count


def lens() -> Iterator[Value]:
    """The logit lens of the shipped model of the stories in words, at the end of `STORY`: its three favourites.

    A stage's place is its number; the name is "N WORD", N being 0 for the favourite.
    """
    from engine.inspection import observe
    from playground.runs import models, run_lookup

    loaded = models.load(run_lookup.find("stories-words"))
    trace = observe.trace_sequence(loaded.model, loaded.tokenizer.encode(STORY))
    for place, shares in enumerate(observe.logit_lens(loaded.model, trace)):
        for rank, token in enumerate(shares[-1].argsort()[::-1][:3].tolist()):
            yield Value(
                f"{rank} {loaded.tokenizer.decode([token]).strip()}",
                place,
                0,
                float(shares[-1][token]),
            )


def shuffle() -> Iterator[Value]:
    """How far the last logits move when the tokens before it are shuffled: fresh models without positions.

    The place is the number of layers.
    """
    import torch

    from engine import TransformerLM

    for seed in SEEDS:
        for layers in (1, 2):
            torch.manual_seed(seed)
            model = TransformerLM(
                d_model=64, n_head=4, n_layer=layers, vocab_size=20, max_seq_len=16, position="none"
            )
            row = torch.arange(12)[None]
            mixed = torch.cat([row[:, torch.randperm(11)], row[:, -1:]], 1)
            with torch.inference_mode():
                change = (model(row)[0, -1] - model(mixed)[0, -1]).abs().max()
            yield Value("moved", layers, seed, float(change))


MEASURED: dict[str, Callable[[], Iterator[Value]]] = {
    "circuit": circuit, "stream": stream, "carries": carries, "lens": lens, "shuffle": shuffle,
}  # fmt: skip


def _new(preset: str, seed: int, **changes: object) -> TrainState:
    from engine import new_state
    from engine.config import RunConfig
    from engine.data import make_data
    from engine.presets import PRESETS

    config = RunConfig.from_flat(PRESETS[preset].changes | {"seed": seed, "threads": 1} | changes)
    return new_state(config, make_data(config))


def _trained(preset: str, seed: int, **changes: object) -> TrainState:
    from engine import train

    state = _new(preset, seed, **changes)
    for _ in train(state):
        pass
    state.model.eval()
    return state


def _validation_rows(state: TrainState, count: int) -> list[list[int]]:
    batch = next(iter(state.data.validation(count, 1)))
    return [row[row >= 0].tolist() for row in batch.inputs]


def _weights(state: TrainState, row: list[int]) -> npt.NDArray[np.float32]:
    """(L, H, T, T)"""
    from engine.inspection import observe

    return observe.attention_maps(
        observe.trace_sequence(state.model, row), state.model.config.n_layer
    )


def _accuracy(state: TrainState, off: dict[int, list[int]]) -> float:
    """The share of targets that are right, with these heads of these layers set to zero."""
    import torch

    from engine import Trace
    from engine.model.context import Edit, zero_head

    edits: dict[str, Edit] = {}
    for layer, heads in off.items():
        edits |= zero_head(layer, *heads)
    right: list[bool] = []
    for batch in state.data.validation(64, ROWS // 64):
        targets = torch.from_numpy(batch.targets)
        with torch.no_grad():
            found = state.model.run(
                torch.from_numpy(batch.inputs), trace=Trace((), edits)
            ).logits.argmax(-1)
        right += (found == targets)[targets >= 0].tolist()
    return fmean(right)


# What is stored -----------------------------------------------------------------------------------


@functools.cache
def stored(name: str) -> tuple[Value, ...]:
    """The values of one measurement."""
    with open(FIGURES / f"{name}.csv", encoding="utf-8", newline="") as file:
        return tuple(
            Value(row["name"], int(row["place"]), int(row["seed"]), float(row["value"]))
            for row in csv.DictReader(file)
        )


def mean(measurement: str, name: str, place: int = 0) -> float:
    """The mean over the seeds. Raises `LookupError` if nothing of this name was measured."""
    found = [each.value for each in stored(measurement) if (each.name, each.place) == (name, place)]
    if not found:
        raise LookupError(measurement, name, place)
    return fmean(found)


def places(measurement: str, name: str) -> list[float]:
    """The means over the seeds, in the order of the places."""
    every = sorted({each.place for each in stored(measurement) if each.name == name})
    return [mean(measurement, name, place) for place in every]


def main(names: list[str], folder: Path = FIGURES) -> None:
    """Measure and write the files."""
    import torch

    torch.set_num_threads(1)  # as the runs of suites: small matrices gain nothing from more
    for name in names or list(MEASURED):
        found = [(*each[:3], f"{each.value:.4g}") for each in MEASURED[name]()]
        with open(folder / f"{name}.csv", "w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(Value._fields)
            rows.writerows(found)
    stored.cache_clear()


if __name__ == "__main__":
    main(sys.argv[1:])
