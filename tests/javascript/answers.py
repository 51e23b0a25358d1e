"""TypeScript declarations of the functions that views call on the server, from their annotations in Python.

A `TypedDict` becomes an interface of the same name, and `dict[str, Any]` becomes `any`.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from playground import app
from playground.hosting import run_feed
from playground.tabs.experts import server as experts
from playground.tabs.generate import server as generating
from playground.tabs.home import server as home
from playground.tabs.inside import server as inside
from playground.tabs.learn import game, record, server
from playground.tabs.optimizers import server as optimizers
from playground.tabs.tokens import batches, embeddings
from playground.tabs.tokens import server as tokens
from playground.tabs.train import tab as train
from playground.tabs.train.model_spec import model_spec
from playground.tabs.translate import server as translating

SERVED: Mapping[str, Sequence[Callable[..., Any]]] = {
    "batches": batches.SERVED,
    "coach": (server.read, server.check),
    "configure": (train.describe, train.going, train.halt),
    "embeddings": embeddings.SERVED,
    "experts": experts.SERVED,
    "generate": generating.SERVED,
    "header": (train.runs, app.going, app.here, app.neighbour),
    "home": home.SERVED,
    "inside": inside.SERVED,
    "learn": (server.path, record.questions),
    "live": (*run_feed.SERVER, train.runs),
    "optimizers": optimizers.SERVED,
    "reading": (server.read, server.check, game.guess),
    "runs": (train.listed, train.rename),
    "tokens": tokens.SERVED,
    "translate": translating.SERVED,
    "transport": (train.status, train.send_command, train.download, train.going, train.halt),
}
"""What each view may call."""

GIVEN: Sequence[Callable[..., Any]] = (model_spec,)
"""What views are given without a call."""

PLAIN = {
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    type(None): "null",
    object: "unknown",
}


def declarations() -> str:
    """The text of a .d.ts file: `Answers`, and `Servers` with the functions of each view."""
    found: dict[str, type] = {}
    for function in GIVEN:
        _type(get_type_hints(function)["return"], found)
    servers = [
        f"  {name}: {{\n{''.join(_functions(SERVED[name], found))}  }};\n"
        for name in sorted(SERVED)
    ]
    answers = "".join(_interfaces(found))
    return (
        f"declare namespace Answers {{\n{answers}}}\ninterface Servers {{\n{''.join(servers)}}}\n"
    )


def _functions(functions: Sequence[Callable[..., Any]], found: dict[str, type]) -> Iterator[str]:
    for function in functions:
        hints = get_type_hints(function)
        parameters = list(inspect.signature(function).parameters.values())
        if parameters and parameters[-1].name == "key":
            parameters.pop()  # the browser adds it
        arguments = ", ".join(
            f"{each.name}{'' if each.default is each.empty else '?'}: {_type(hints.get(each.name, Any), found)}"
            for each in parameters
        )
        yield f"    {function.__name__}({arguments}): Promise<{_answer(hints['return'], found)}>;\n"


def _answer(kind: Any, found: dict[str, type]) -> str:
    """An answer. Of several kinds the first is the usual one; a view asks whether it has the others' fields."""
    kinds = get_args(kind) if get_origin(kind) is types.UnionType else (kind,)
    usual, *others = (_type(each, found) for each in kinds)
    return " & ".join([usual, *(f"Partial<{other}>" for other in others), "Answer"])


def _interfaces(found: dict[str, type]) -> Iterator[str]:
    done: set[str] = set()
    while left := sorted(set(found) - done):
        for name in left:  # a field may bring more of them
            hints = get_type_hints(found[name])
            optional = found[name].__optional_keys__
            fields = "".join(
                f"    {field}{'?' if field in optional else ''}: {_type(kind, found)};\n"
                for field, kind in hints.items()
            )
            yield f"  interface {name} {{\n{fields}  }}\n"
            done.add(name)


def _type(kind: Any, found: dict[str, type]) -> str:
    """A type of Python in TypeScript. `found` collects the TypedDicts. Raises `TypeError` for what JSON cannot hold."""
    if kind is Any:
        return "any"
    if kind in PLAIN:
        return PLAIN[kind]
    if is_typeddict(kind):
        if found.setdefault(kind.__name__, kind) is not kind:
            raise TypeError(f"two answers have the name {kind.__name__}")
        return f"Answers.{kind.__name__}"
    origin, of = get_origin(kind) or kind, get_args(kind)
    if origin is Literal:
        return " | ".join(repr(value) for value in of)
    if origin in (Union, types.UnionType):
        return " | ".join(_type(each, found) for each in of)
    if origin is tuple:
        return f"[{', '.join(_type(each, found) for each in of)}]"
    if origin in (list, Sequence):
        return f"({_type(of[0], found) if of else 'any'})[]"
    if origin in (dict, Mapping):
        return (
            f"{{ [name: string]: {_type(of[1], found) if of else 'any'} }}"
            if of != (str, Any)
            else "any"
        )
    raise TypeError(f"{kind} has no type in TypeScript")


if __name__ == "__main__":
    print(declarations(), end="")
