"""Imports run downward only: what each part may know of the others, read from the source."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.floors import ROOT, exists, floors, imports, module_of, room_of, rooms, sources

INTERFACES = {"gradio", "streamlit", "plotly", "pandas", "playground", "benchmarks", "tests"}
"""What the engine never imports: it has no idea how it is shown."""

LIGHT = [
    "engine",
    "engine.config",
    "engine.runs.events",
    "engine.runs.history",
    "engine.runs.store",
    "engine.runs.forks",
    "engine.runs.states",
    "engine.estimate",
    "engine.presets",
    "engine.distributed.ranks",
    "engine.tokenizers",
    "engine.data",
    "engine.data.corpora.download",
    "engine.ablation.comparison",
    "engine.cli.commands.ablate",
    "engine.cli.commands.download",
    "engine.cli.commands.runs",
    "engine.cli.commands.prepare",
    "engine.generation.metrics",
    "engine.generation.sampler",
    "playground.figures.one_run",
    "playground.runs.run_lookup",
    "playground.dashboard",
]
"""What must never load PyTorch, by any path: it costs seconds."""

FLOORS = {
    "engine": [
        ["files", "validation"],
        ["config"],
        ["tokenizers"],
        ["data"],
        ["model", "presets"],
        ["distributed", "generation"],
        ["estimate"],
        ["runs"],
        ["inspection"],
        ["training"],
        ["ablation", "interop"],
        ["cli"],
        ["__main__"],
    ],
    "playground": [
        ["i18n", "settings"],
        ["access", "figures", "runs"],
        ["planning"],
        ["hosting"],
        ["page", "screens"],
        ["tabs", "dashboard"],
        ["api"],
        ["app"],
    ],
    "engine.cli": [
        ["flags", "loggers", "progress", "signals"],
        ["choose_run"],
        ["commands"],
        ["main"],
    ],
    "engine.data": [
        ["base", "watch"],
        ["baselines", "corpora", "reading", "tasks", "tokens"],
        ["id_files", "parts", "translation_pairs"],
        ["text"],
        ["pairs", "prepare"],
    ],
    "engine.data.corpora": [["known", "own"], ["download", "stories"]],
    "engine.data.pairs": [["encoded"], ["pair_data"], ["files"]],
    "engine.data.tasks": [["task"], ["arithmetic", "copying", "counting", "induction"]],
    "engine.training": [
        ["average", "devices", "loss", "optim"],
        ["loop"],
        ["checkpoint", "race", "speed"],
        ["followers"],
        ["driver"],
        ["shipped"],
    ],
    "engine.training.driver": [["log", "observations", "process", "start"], ["driver"]],
    "engine.training.optim": [
        ["base", "clipping", "groups"],
        ["adamw", "lion", "rates", "sgd"],
        ["muon"],
        ["configured"],
    ],
    "playground.tabs.learn": [
        ["game", "notebooks"],
        ["computed"],
        ["lesson"],
        ["lessons", "drawings"],
        ["record", "server", "stored_runs"],
        ["tab"],
    ],
}
"""Each house from the ground up: a room imports from the rooms above its own line here, and from none beside it.
So do the rooms of a large room."""


def reached(module: str, seen: dict[str, str]) -> dict[str, str]:
    """Every module that importing this one imports, each with who imports it."""
    place = ROOT.joinpath(*module.split("."))
    path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    for name in imports(path, anywhere=False):
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            part = ".".join(parts[:end])
            if part not in seen:
                seen[part] = module
                if exists(part):
                    reached(part, seen)
    return seen


@pytest.mark.parametrize("path", sources("engine"), ids=module_of)
def test_the_engine_knows_no_interface(path: Path) -> None:
    known = {name.split(".")[0] for name in imports(path)}
    assert not known & INTERFACES


@pytest.mark.parametrize("path", [*sources("engine"), *sources("playground")], ids=module_of)
def test_imports_run_downward(path: Path) -> None:
    for house, levels in FLOORS.items():
        room = room_of(module_of(path), house)
        if not room:
            continue  # outside; or __init__.py, which offers the public names of all rooms
        floor = {name: number for number, names in enumerate(levels) for name in names}
        assert room in floor, f"{house}.{room} has no floor yet"
        for module in imports(path):
            other = room_of(module, house)
            if other not in ("", room) and exists(f"{house}.{other}"):
                assert floor[other] < floor[room], f"{module_of(path)} imports {module}"


def test_every_room_with_a_floor_exists() -> None:
    named = {f"{house}.{room}" for house in FLOORS for floor in FLOORS[house] for room in floor}
    assert {room for room in named if not exists(room)} == set()


def test_the_floors_that_are_printed_stand_on_each_other(tmp_path: Path) -> None:
    """`python -m tests.tools.floors FOLDER`"""
    for name, line in {
        "cellar": "import torch",
        "hall": "from engine import Public\nfrom engine.cellar import stairs",
        "attic": "from ..hall import stairs\nimport engine.cellar",
        "one": "import engine.other",
        "other": "import engine.one",
    }.items():
        (tmp_path / "engine" / name).mkdir(parents=True)
        (tmp_path / "engine" / name / "__init__.py").write_text(line)
    files, arrows = rooms("engine", tmp_path)
    assert files == dict.fromkeys(("attic", "cellar", "hall", "one", "other"), 1)
    assert floors(arrows) == ([["cellar"], ["hall"], ["attic"]], ["one", "other"])
    for house in ("engine", "playground"):
        assert floors(rooms(house)[1])[1] == []


@pytest.mark.parametrize("house", ["engine", "playground"])
def test_no_imports_go_in_a_circle(house: str) -> None:
    """Also within a room, and also when a function imports."""
    known = {module_of(path): path for path in sources(house) if path.name != "__init__.py"}
    needed = {name: {*imports(path)} & known.keys() - {name} for name, path in known.items()}
    while True:  # without those that need nothing more, and those that nothing more needs
        wanted = set().union(*needed.values())
        circles = {
            name: others & needed.keys() for name, others in needed.items() if name in wanted
        }
        circles = {name: others for name, others in circles.items() if others}
        if circles == needed:
            break
        needed = circles
    assert not needed, needed


@pytest.mark.parametrize("path", sources("playground"), ids=module_of)
def test_the_playground_imports_no_tests(path: Path) -> None:
    known = {name.split(".")[0] for name in imports(path)}
    assert not known & {"tests", "benchmarks"}


@pytest.mark.parametrize("module", LIGHT)
def test_reading_runs_never_reaches_torch(module: str) -> None:
    found = reached(module, {})
    chain: list[str] = []
    name = "torch"
    while name in found and name != module:
        name = found[name]
        chain.append(name)
    assert "torch" not in found, " <- ".join(["torch", *chain])


def test_reading_runs_never_loads_torch() -> None:
    """The same in truth: one fresh process imports them all."""
    code = (
        "import importlib, sys\n"
        f"for name in {LIGHT!r}:\n"
        "    importlib.import_module(name)\n"
        "    assert 'torch' not in sys.modules, name\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_public_names_are_lazy_and_true() -> None:
    """And none of them loads PyTorch's compiler, which takes as long as the rest of PyTorch."""
    code = (
        "import sys, engine\n"
        "engine.RunStore, engine.ModelConfig, dir(engine)\n"
        "assert 'torch' not in sys.modules\n"
        "for name in engine.__all__: getattr(engine, name)\n"
        "assert 'torch' in sys.modules and 'torch._dynamo' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
