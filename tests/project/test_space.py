"""The repository as a Hugging Face Space, as a container, and as a fresh clone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from gradio_client import Client

from benchmarks import first_page
from benchmarks.first_page import ROOT, as_a_space, front_matter, requirements
from engine.runs.events import Started
from engine.runs.store import RunStore
from playground import settings
from tests.tools.served import free_port
from tests.tools.waiting import PATIENCE, until

pytestmark = pytest.mark.xdist_group("launch")

MATTER = front_matter((ROOT / "README.md").read_text(encoding="utf-8"))
WANTED = {each.name: each for each in requirements((ROOT / "requirements.txt").read_text("utf-8"))}
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
"""What the project supports; ZeroGPU has the first and the third."""
ZERO_GPU_TORCH = ("2.8.0", "2.11.0")
"""The oldest and the newest PyTorch that ZeroGPU is documented to have."""

FAKE_SPACES = '''
"""Stands in for the package `spaces` of a Space with ZeroGPU: no CUDA here, and none until a call."""
import os, sys

assert "gradio" not in sys.modules and "torch" not in sys.modules, "spaces must come first"
import torch

def note(line):
    with open(os.environ["NOTES"], "a", encoding="utf-8") as file:
        file.write(line + "\\n")

def initialise(*args, **kwargs):
    note("CUDA was initialised in the main process")
    raise RuntimeError("CUDA must not be initialized in the main process")

torch.cuda.is_available = lambda: True
torch._C._cuda_init = torch.cuda._lazy_init = torch.cuda.init = initialise
torch.cuda.get_device_properties = torch.cuda.is_bf16_supported = initialise

def GPU(task=None, *, duration=None, size=None):
    def mark(function):
        note(f"registered {function.__module__}.{function.__name__}")
        return function
    return mark if task is None else mark(task)

def gradio_auto_wrap(function):
    return function

from playground.hosting import processes
processes.give_way = lambda pid: None  # see tests/tools/equal_share.py
'''


def test_the_front_matter_is_a_spaces() -> None:
    assert MATTER["sdk"] == "gradio"
    assert (ROOT / MATTER["app_file"]).is_file()
    assert MATTER["python_version"] in PYTHONS
    assert 0 < len(MATTER["short_description"]) <= 60
    assert MATTER["license"] == "mit" and MATTER["title"]


def test_its_versions_are_those_of_the_requirements() -> None:
    """A Space installs requirements.txt first, then Gradio of exactly `sdk_version`."""
    gradio = WANTED["gradio"].specifier
    floor = next(spec.version for spec in gradio if spec.operator == ">=")
    assert MATTER["sdk_version"] in gradio
    assert MATTER["sdk_version"].split(".")[:2] == floor.split(".")[:2]
    assert all(version in WANTED["torch"].specifier for version in ZERO_GPU_TORCH)
    assert not {"spaces"} & WANTED.keys()  # a Space brings its own


def test_nothing_in_it_is_too_large_for_a_push() -> None:
    """The Hub takes files of more than 10 MB only through Git LFS."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    sizes = {name: (ROOT / name).lstat().st_size for name in listed.stdout.splitlines()}
    assert max(sizes.values()) < 10e6


def test_a_fresh_clone_serves_its_first_page(tmp_path: Path) -> None:
    root = first_page.clone(tmp_path / "clone")
    wanted = requirements((root / "requirements.txt").read_text("utf-8"))
    names = first_page.hidden(wanted)
    assert {"playwright", "pytest", "transformers"} <= set(names)
    assert not {"torch", "gradio", "numpy", "pydantic", "httpx"} & set(names)
    more = first_page.hide(names, tmp_path)
    with as_a_space(root, sys.executable, tmp_path, more) as address:
        found = first_page.first_page(address)
    assert found["functions"] > 20 and found["curve"] > 1000


def test_zero_gpu_finds_its_function_and_runs_train_on_the_cpu(tmp_path: Path) -> None:
    (tmp_path / "spaces.py").write_text(FAKE_SPACES, encoding="utf-8")
    notes = tmp_path / "notes.txt"
    more = {"PYTHONPATH": str(tmp_path), "NOTES": str(notes), "SPACES_ZERO_GPU": "true"}
    tiny = {
        "d_model": 16,
        "n_layer": 1,
        "max_seq_len": 16,
        "batch_size": 2,
        "total_steps": 20,
        "warmup_steps": 1,
    }
    with as_a_space(ROOT, sys.executable, tmp_path, more) as address:
        assert notes.read_text("utf-8").split("\n")[:1] == ["registered __main__.gpu"]
        client = Client(address, verbose=False, download_files=str(tmp_path / "files"))
        for changes in ({"device": "cuda"}, {"dtype": "fp16"}):
            answer = client.predict({"changes": tiny | changes}, api_name="/describe")
            assert not answer["ready"] and set(answer["problems"]) == set(changes)
        run = client.predict({"changes": tiny}, api_name="/start")["run"]
        until(lambda: client.predict(run, api_name="/status")["state"] == "finished", every=0.2)
        client.predict(run, None, "a", 3, api_name="/generate")
    history = RunStore(tmp_path / "runs").open(run).history()
    assert [event.device for event in history if isinstance(event, Started)] == ["cpu"]
    assert notes.read_text("utf-8") == "registered __main__.gpu\n"


def test_a_setting_that_cannot_be_ends_the_start_in_a_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(AssertionError, match="TP_MAX_RUNS = 'ten': must be a whole number"),
        as_a_space(ROOT, sys.executable, tmp_path, {"TP_MAX_RUNS": "ten"}),
    ):
        pass
    assert "Traceback" not in (tmp_path / "space.log").read_text("utf-8")


# The container -------------------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile as (instruction, the rest), lines joined that a backslash continues."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(name, rest) for name, rest in found]


def test_what_the_container_copies_is_there_and_enough() -> None:
    copied = [rest.split() for name, rest in instructions() if name == "COPY"]
    sources = [word for words in copied for word in words[:-1] if not word.startswith("--")]
    assert [name for name in sources if not (ROOT / name).exists()] == []
    assert {"engine/", "playground/", "assets/", "checkpoints/", ".streamlit/"} <= set(sources)
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert "checkpoints/runs/" in ignored and not set(sources) & set(ignored)


def test_the_container_is_nobodys_root_and_has_the_supported_python() -> None:
    found = instructions()
    names = [name for name, _ in found]
    python = re.fullmatch(r"python:(\S+)-slim", dict(found)["FROM"])
    assert python and python[1] == MATTER["python_version"]
    assert dict(found)["USER"] != "root" and names.index("USER") < names.index("CMD")
    torch = [rest for name, rest in found if name == "RUN" and "whl/cpu" in rest]
    assert len(torch) == 1 and "--require-hashes -r pre-requirements.txt" in torch[0]


@pytest.mark.case("R2")
def test_whatever_the_container_serves_is_safe_for_strangers() -> None:
    """Whichever front, without any flag; and no command that docs/ shows takes it away."""
    set_in_it = dict(re.findall(r"(\w+)=(\S+)", dict(instructions())["ENV"]))
    assert settings.read({"TP_PUBLIC": set_in_it["TP_PUBLIC"]}).public
    for name in ("docs/hosting.md", "docs/hosting.zh.md", "Dockerfile"):
        text = (ROOT / name).read_text("utf-8")
        commands = [line for line in text.splitlines() if re.match(r"(#\s+)?docker run", line)]
        assert len(commands) >= 2 and not [line for line in commands if "TP_PUBLIC" in line]


@pytest.mark.parametrize(
    ("front", "path"), [("playground", "/config"), ("dashboard", "/_stcore/health")]
)
def test_the_containers_command_serves(front: str, path: str, tmp_path: Path) -> None:
    """From nothing but what is copied, on the port that it is told."""
    root, tools = tmp_path / "app", tmp_path / "bin"
    root.mkdir()
    tools.mkdir()
    for name, rest in instructions():
        if name == "COPY":
            *sources, target = [word for word in rest.split() if not word.startswith("--")]
            for source in sources:
                if source.endswith("/"):
                    own = ("runs", "machine.json") if source == "checkpoints/" else ()
                    ignored = shutil.ignore_patterns("__pycache__", *own)
                    shutil.copytree(ROOT / source, root / target, ignore=ignored)
                else:
                    shutil.copy(ROOT / source, root / target)
    (tools / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    (tools / "python").chmod(0o755)
    port = free_port()
    environment = os.environ | {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "FRONT": front,
        "PORT": str(port),
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "TP_RUNS": str(tmp_path / "runs"),
        "GRADIO_TEMP_DIR": str(tmp_path / "gradio"),
    }
    command = dict(instructions())["CMD"].replace("0.0.0.0", "127.0.0.1")
    log = tmp_path / "log.txt"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            ["sh", "-c", command], cwd=root, env=environment, stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                with urllib.request.urlopen(
                    f"http://127.0.0.1:{port}{path}", timeout=PATIENCE
                ) as answer:
                    assert answer.status == 200
                    break
            except OSError:
                assert process.poll() is None and time.monotonic() < end, log.read_text("utf-8")
                time.sleep(0.2)
    finally:
        process.terminate()
        process.wait(PATIENCE)
