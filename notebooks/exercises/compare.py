"""Compare a function that a learner has written with the engine's, and say what differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor

CASES = 20
"""Random inputs of each check."""

TOLERANCE = 1e-4
"""Largest allowed difference, absolute for small numbers and relative for large ones."""

Inputs = tuple[Any, ...]


@dataclass(frozen=True)
class Exercise:
    """One function that a learner writes."""

    inputs: Callable[[], Inputs]
    """Random arguments; `check` seeds PyTorch's generator before."""
    reference: Callable[..., Any]
    """The right result for these arguments."""
    mistakes: Sequence[tuple[Callable[..., Any], str]] = ()
    """Results of known mistakes, and what to tell a learner whose result is the same."""
    use: Callable[..., Any] = lambda written, *inputs: written(*inputs)
    """How the learner's function is used; `reference` is called directly."""


@dataclass(frozen=True)
class Said:
    """A sentence with places for `values`, which may be sentences or lists of them, so that any language can say it."""

    sentence: str
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def words(self, table: Mapping[str, str] | None = None) -> str:
        """In English, or in the language of a table that has every sentence. Raises `KeyError`."""
        sentence = self.sentence if table is None else table[self.sentence]
        return sentence.format(**{name: _worded(each, table) for name, each in self.values.items()})


def said(sentence: str, /, **values: Any) -> Said:
    """A sentence with these values."""
    return Said(sentence, values)


def _worded(value: Any, table: Mapping[str, str] | None) -> Any:
    if isinstance(value, list):
        return ", ".join(str(_worded(each, table)) for each in cast(list[Any], value))
    return value.words(table) if isinstance(value, Said) else value


class Wrong(ValueError):
    """The learner's function is not right yet. The message says what differs."""

    def __init__(self, what: Said) -> None:
        super().__init__(what.words())
        self.what = what


def compare(written: Callable[..., Any], name: str, exercise: Exercise) -> None:
    """Raises `Wrong` at the first random input for which the function differs from the engine."""
    for case in range(CASES):
        torch.manual_seed(case)
        inputs = exercise.inputs()
        wanted = exercise.reference(*_copied(inputs))
        try:
            found = exercise.use(written, *_copied(inputs))
        except Exception as problem:
            raise Wrong(
                said(
                    "{name} stopped with {kind}: {problem}. It was called with {inputs}.",
                    name=name, kind=type(problem).__name__, problem=problem, inputs=_described(inputs),
                )
            ) from problem  # fmt: skip
        if found is None or found is ...:
            raise Wrong(said("{name} is not written yet: it returns nothing.", name=name))
        if (difference := _difference(found, wanted)) is None:
            continue
        for mistaken, advice in exercise.mistakes:
            if _difference(found, mistaken(*_copied(inputs))) is None:
                raise Wrong(
                    said("{name} is nearly right. {advice}", name=name, advice=said(advice))
                )
        raise Wrong(
            said(
                "{name}: {difference}. It was called with {inputs}.",
                name=name, difference=difference, inputs=_described(inputs),
            )
        )  # fmt: skip


def _copied(inputs: Inputs) -> Inputs:
    """A copy of the arguments: a function that changes them must not change what is compared."""
    return tuple(_copied(each) if isinstance(each, tuple) else each.clone() if isinstance(each, Tensor) else each
                 for each in inputs)  # fmt: skip


def _described(inputs: Inputs) -> list[Said | str]:
    return [
        said("a tensor {shape}", shape=tuple(each.shape))
        if isinstance(each, Tensor)
        else text if len(text := repr(each)) < 60 else text[:57] + "..."
        for each in inputs
    ]  # fmt: skip


def _difference(found: Any, wanted: Any, where: Said | None = None) -> Said | None:
    """What differs, in words; None if nothing does."""
    where = where or said("the result")
    if isinstance(wanted, tuple | list):
        count = len(cast(Sequence[Any], wanted))
        if not isinstance(found, tuple | list):
            sentence = "{where} must be {count} values, and is a {kind}"
            return said(sentence, where=where, count=count, kind=type(found).__name__)
        if len(found) != count:
            sentence = "{where} must have {count} values, and has {found}"
            return said(sentence, where=where, count=count, found=len(found))
        for number, (mine, right) in enumerate(zip(found, wanted, strict=True), 1):
            place = said("value {number}", number=number)
            if (difference := _difference(mine, right, place)) is not None:
                return difference
        return None
    if isinstance(wanted, str | bytes):
        sentence = "{where} is {found!r}, the engine's is {wanted!r}"
        return None if found == wanted else said(sentence, where=where, found=found, wanted=wanted)
    try:
        mine = torch.as_tensor(found).to(torch.float64)
    except (TypeError, ValueError, RuntimeError):
        sentence = "{where} must be a tensor or a number, and is a {kind}"
        return said(sentence, where=where, kind=type(found).__name__)
    right = torch.as_tensor(wanted).to(torch.float64)
    if mine.shape != right.shape:
        sentence = "{where} must have the shape {shape}, and has {found}"
        return said(sentence, where=where, shape=tuple(right.shape), found=tuple(mine.shape))
    close = torch.isclose(mine, right, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
    if close.all():
        return None
    at = tuple((~close).nonzero()[0].tolist())
    return said(
        "{where} is {found:.4g}{place}, the engine's is {wanted:.4g} ({differing} of {count} numbers differ)",
        where=where, found=mine[at].item(), wanted=right[at].item(),
        place=said(" at {index}", index=str(list(at))) if at else "",
        differing=int((~close).sum()), count=close.numel(),
    )  # fmt: skip
