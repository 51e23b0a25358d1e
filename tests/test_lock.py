"""`pre-requirements.txt`, the exact versions that an image or a Space installs (`make lock`)."""

from __future__ import annotations

import re
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCK = (ROOT / "pre-requirements.txt").read_text("utf-8")
LOCKED = dict(re.findall(r"^(\S+)==(\S+)", LOCK, re.MULTILINE))


def wanted() -> list[Requirement]:
    """What requirements.txt asks for, without PyTorch, which comes from an index of its own."""
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    found = [Requirement(line.split("#")[0]) for line in lines if line.split("#")[0].strip()]
    return [requirement for requirement in found if requirement.name != "torch"]


def test_every_requirement_is_locked_within_its_range() -> None:
    for requirement in wanted():
        version = LOCKED[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), (requirement, version)


def test_every_locked_package_has_a_hash() -> None:
    entries = re.split(r"^(?=\S+==)", LOCK, flags=re.MULTILINE)[1:]
    assert len(entries) == len(LOCKED) > 50
    assert all("--hash=sha256:" in entry for entry in entries)
    assert not [name for name in LOCKED if name.startswith("nvidia") or name == "torch"]


def test_the_lock_is_for_the_python_of_the_image_and_of_the_space() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    (version,) = re.findall(r"--python-version (\S+)", makefile)
    assert f"FROM python:{version}-" in (ROOT / "Dockerfile").read_text("utf-8")
    assert f'python_version: "{version}"' in (ROOT / "README.md").read_text("utf-8")


def test_the_image_installs_a_pytorch_that_the_requirements_allow() -> None:
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    (torch,) = [Requirement(line) for line in lines if line.startswith("torch")]
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    (version,) = re.findall(r"torch==(\S+)", dockerfile)
    assert torch.specifier.contains(version)
    assert "--require-hashes -r pre-requirements.txt" in dockerfile
