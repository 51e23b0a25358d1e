"""Everything that a learner can be told by the server, found in the code itself.

`required()` is what the catalogue of another language must have; `known()` also what it may have: what is said
now and then in other places, such as a word in a list.
"""

from __future__ import annotations

import ast
import functools
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast, get_args

import playground
from engine import validation
from engine.ablation.suites import SUITES
from engine.config import ModelConfig, RouterName
from engine.presets import PRESETS
from playground import i18n
from playground.planning import controls
from playground.tabs.generate import server as generating
from playground.tabs.train.model_spec import model_spec

ROOT = Path(__file__).resolve().parents[2]

ENGINE = (
    "engine/config/*.py", "engine/files.py", "engine/runs/run.py", "engine/runs/store.py", "engine/runs/forks.py", "engine/runs/locks.py", "engine/runs/states.py",
    "engine/training/devices.py", "engine/distributed/ranks.py", "engine/training/loop.py", "engine/training/driver/*.py", "engine/training/checkpoint.py",
    "engine/runs/snapshots.py", "engine/inspection/observe.py", "engine/generation/sampling.py", "engine/generation/translation.py",
    "engine/data/**/*.py", "engine/tokenizers/**/*.py", "engine/ablation/races.py",
)  # fmt: skip
"""Where the engine says something that reaches the page."""

ELSEWHERE = (
    # of the command line alone
    "engine/data/corpora/download.py", "engine/data/corpora/known.py", "engine/data/prepare.py", "engine/data/id_files.py", "engine/data/pairs/files.py",
    # of a tokenizer's file, written elsewhere or damaged
    *(f"engine/tokenizers/{name}.py" for name in (
        "byte", "char", "files", "ids", "marked", "older_files", "pipeline", "word",
    )),
    "engine/tokenizers/bpe",
    # of the project's own files and code
    "engine/data/corpora/stories.py", "engine/data/translation_pairs", "playground/planning/controls.py", "playground/figures/one_run.py",
    "playground/i18n.py", "playground/page/views.py", "playground/tabs/learn/lessons.py",
    "playground/tabs/learn/lesson/",
)  # fmt: skip
"""Where errors are raised that no learner can meet."""

SAID_AS = {"allowed", "reason", "problem", "text"}
"""Variables that hold what is said."""

SAYING = {"field_error", "refuse", "_refused", "Problem", "Noted"}
"""Functions whose arguments are said, raised or not."""

EXPLAINING = {"explain", "choose_threads", "lost"}
"""Functions that return what is said."""


def texts(words: Any) -> Iterator[str]:
    """All strings in a table of words."""
    if isinstance(words, str):
        yield words
    elif isinstance(words, Mapping):
        for each in cast("Mapping[str, Any]", words).values():
            yield from texts(each)
    elif isinstance(words, list | tuple):
        for each in cast("list[Any]", words):
            yield from texts(each)


def tables() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The TEXT of each of the playground's modules, in English, by the module's name."""
    for module in pkgutil.walk_packages(playground.__path__, "playground."):
        found = getattr(importlib.import_module(module.name), "TEXT", None)
        if isinstance(found, i18n.Words):
            yield module.name, found.english
        elif isinstance(found, Mapping):
            yield module.name, cast("Mapping[str, Any]", found)


def form() -> Iterator[str]:
    """What the controls say."""
    for section in controls.layout():
        yield section["name"]
        for group in section["groups"]:
            yield group["name"]
            for control in group["controls"]:
                yield from (control["label"], control["help"], control["empty"] or "")


def settings() -> Iterator[str]:
    """What the settings of the tab Generate are called, and what they do."""
    for field in generating.FIELDS.values():
        yield from (field["title"], field["description"])


def choices() -> Iterator[str]:
    """What can be chosen: names in the code, of which some are words too."""
    for control in controls.CONTROLS.values():
        yield from (
            control.words.get(each, each) for each in control.choices if isinstance(each, str)
        )


def beginnings() -> Iterator[str]:
    """Presets, what a run can learn from, and suites."""
    for preset in PRESETS.values():
        yield from (preset.title, preset.description, preset.layer)
    for source in controls.sources():
        yield from (source["group"], source["title"], source["about"], source.get("size", ""))
    yield from (suite.question for suite in SUITES.values())


def variants() -> Iterator[str]:
    """The variants of suites: names in a table, of which some are words too."""
    for suite in SUITES.values():
        yield from suite.variants


def paths() -> Iterator[Path]:
    """The files in which the engine says something to a learner, and all of the playground's."""
    for pattern in (*ENGINE, "playground/**/*.py"):
        for path in sorted(ROOT.glob(pattern)):
            if not path.relative_to(ROOT).as_posix().startswith(ELSEWHERE):
                yield path


def raised(path: Path) -> Iterator[str]:
    """The sentences of a file's errors, as they stand in its code, with {0}, {1}, ... for what is filled in."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        for expression in _said(node):
            yield from _template(expression)


def _said(node: ast.AST) -> list[ast.expr]:
    """What a piece of code says to a person: an error's arguments, or what goes by a name that is told."""
    match node:
        case ast.Raise(exc=ast.Call() as call):
            return _arguments(call)
        case ast.Call(func=func) if _name(func) in SAYING:
            return _arguments(node)
        case ast.Assign(targets=targets, value=value) if {*map(_name, targets)} & SAID_AS:
            return [value]
        case ast.AugAssign(target=target, value=value) if _name(target) in SAID_AS:
            return [value]
        case ast.Dict(keys=keys, values=values):
            return [v for k, v in zip(keys, values, strict=True) if _is_error(k)]
        case ast.FunctionDef(name=name) if name in EXPLAINING:
            returned = [each.value for each in ast.walk(node) if isinstance(each, ast.Return)]
            return [value for value in returned if value is not None]
        case _:
            return []


def _arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(each.value for each in call.keywords)]


def _is_error(key: ast.expr | None) -> bool:
    return isinstance(key, ast.Constant) and key.value == "error"


def _template(node: ast.expr) -> Iterator[str]:
    """The sentences that an expression can be; a single word is the name of something."""
    if isinstance(node, ast.IfExp):
        yield from (*_template(node.body), *_template(node.orelse))
    elif isinstance(node, ast.BinOp):
        yield from (*_template(node.left), *_template(node.right))
    elif isinstance(node, ast.BoolOp):
        for each in node.values:
            yield from _template(each)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        if " " in node.value.strip():
            yield node.value.strip()
    elif isinstance(node, ast.JoinedStr):
        yield from (text for text in _text(node) if " " in text and says(text))


def says(template: str) -> bool:
    """Are there words in it, beside what is filled in?"""
    return any(each.isalpha() for each in i18n.HOLE.sub("", template))


def _name(node: ast.expr) -> str:
    return (
        node.id
        if isinstance(node, ast.Name)
        else node.attr
        if isinstance(node, ast.Attribute)
        else ""
    )


@functools.cache
def required() -> dict[str, str]:
    """What must be translated, as it stands in the catalogue, and where it is said."""
    found: dict[str, str] = {}
    for where, words in (
        ("the form", form()),
        ("the settings of Generate", settings()),
        ("presets, sources, suites", beginnings()),
    ):
        for each in words:
            found.setdefault(i18n.normal(each), where)
    for name, table in tables():
        for each in texts(table):
            found.setdefault(i18n.normal(each), name)
    for each in validation.MESSAGES.values():
        found.setdefault(i18n.normal(each), "engine.validation")
    for path in paths():
        for each in raised(path):
            found.setdefault(each, path.relative_to(ROOT).as_posix())
    return {each: where for each, where in found.items() if says(each)}


@functools.cache
def literals() -> set[str]:
    """All text in the code of the engine and the playground, as it would stand in the catalogue."""
    found: set[str] = set()
    for folder in ("engine", "playground"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.JoinedStr | ast.Constant):
                    found.update(_text(node))
    return found


def _text(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        with suppress(ValueError):  # a brace that begins no hole
            yield i18n.normal(node.value)
    elif isinstance(node, ast.JoinedStr):
        holes = iter(range(len(node.values)))
        yield "".join(
            str(part.value) if isinstance(part, ast.Constant) else f"{{{next(holes)}}}"
            for part in node.values
        ).strip()


def pictures() -> Iterator[str]:
    """What the picture of a model says of every preset, and of what no preset has."""
    others: list[dict[str, Any]] = [
        {"norm": "none"},
        {"norm": "layernorm", "placement": "post", "dropout": 0.1, "position": "alibi"},
        {"n_kv_head": 1, "position": "learned", "tie_embeddings": False},
        {"n_kv_head": 2, "position": "none", "n_layer": 1},
        {"n_encoder_layer": 1, "share_embeddings": False, "n_head": 1},
        {"n_experts": 4, "capacity_factor": 1.0, "n_shared_experts": 2, "moe_layer_indices": [0]},
        *({"n_experts": 4, "top_k": 1, "router": router} for router in get_args(RouterName)),
    ]
    configs = [preset.config().model for preset in PRESETS.values()]
    for config in (*configs, *map(ModelConfig.parse, others)):
        spec = model_spec(config, 4, 64)
        yield spec["summary"]
        sections = [each for block in spec["blocks"].values() for each in block["sections"]]
        yield from (each.get("note", "") for each in sections)
        parts = [each for section in sections for each in section["parts"]]
        for each in (*spec["before"], *spec["between"], *spec["after"], *parts):
            yield from (each["name"], each["about"])


COMPOSED = {
    *(f"{{0}} {thing}{s}" for thing in ("block", "head", "key/value head", "shared expert") for s in ("", "s")),
    *(f"{where}-{norm}" for where in ("pre", "post") for norm in ("RMSNorm", "LayerNorm")),
    "{0} and {1} more",
}  # fmt: skip
"""What the code puts together, word by word."""


def known() -> set[str]:
    """What may be translated."""
    return {*required(), *choices(), *variants(), *literals(), *COMPOSED}
