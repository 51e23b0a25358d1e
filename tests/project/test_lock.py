"""What is installed: `pyproject.toml`, and `pre-requirements.txt`, exact versions for an image or a Space."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from setuptools.config.pyprojecttoml import read_configuration

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / "pre-requirements.txt").read_text("utf-8")
LOCKED = dict(re.findall(r"^(\S+)==(\S+)", LOCK, re.MULTILINE))


def requirements(lines: Iterable[str]) -> list[Requirement]:
    """The requirements in the lines of a file, which may have comments."""
    bare = (line.split("#")[0].strip() for line in lines)
    return [Requirement(line) for line in bare if line]


def listed(name: str) -> list[Requirement]:
    """The requirements in a file."""
    return requirements((ROOT / name).read_text("utf-8").splitlines())


def wanted() -> list[Requirement]:
    """What requirements.txt asks for, without PyTorch, which comes from an index of its own."""
    return [each for each in listed("requirements.txt") if each.name != "torch"]


def test_an_installation_of_the_checkout_has_its_packages_and_what_they_need() -> None:
    values = read_configuration(ROOT / "pyproject.toml")
    project = values["project"]
    for found, name in (
        (project["dependencies"], "requirements.txt"),
        (project["optional_dependencies"]["dev"], "requirements-dev.txt"),
    ):
        assert requirements(found) == listed(name) != []
    folders = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for top in ("engine", "playground")
        for path in (ROOT / top).rglob("*.py")
    }
    assert folders <= set(values["tool"]["setuptools"]["packages"])
    module, _, function = project["scripts"]["transformer-playground"].partition(":")
    assert callable(getattr(import_module(module), function))


@pytest.mark.case("K2")
def test_every_requirement_is_locked_within_its_range() -> None:
    for requirement in wanted():
        version = LOCKED[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), (requirement, version)


@pytest.mark.case("K2")
def test_every_locked_package_has_a_hash() -> None:
    entries = re.split(r"^(?=\S+==)", LOCK, flags=re.MULTILINE)[1:]
    assert len(entries) == len(LOCKED) > 50
    assert all("--hash=sha256:" in entry for entry in entries)
    assert not [name for name in LOCKED if name.startswith("nvidia") or name == "torch"]


@pytest.mark.case("K2")
def test_the_lock_is_for_the_python_of_the_image_and_of_the_space() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    (version,) = re.findall(r"--python-version (\S+)", makefile)
    assert f"FROM python:{version}-" in (ROOT / "Dockerfile").read_text("utf-8")
    assert f'python_version: "{version}"' in (ROOT / "README.md").read_text("utf-8")


@pytest.mark.case("K2")
def test_the_image_installs_a_pytorch_that_the_requirements_allow() -> None:
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    (torch,) = [Requirement(line) for line in lines if line.startswith("torch")]
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    (version,) = re.findall(r"torch==(\S+)", dockerfile)
    assert torch.specifier.contains(version)
    assert "--require-hashes -r pre-requirements.txt" in dockerfile
