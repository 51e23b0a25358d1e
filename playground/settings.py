"""Host settings, read from TP_* environment variables. Only `TP_RUNS` is also read elsewhere.

    TP_MAX_RUNS=4 TP_MAX_MINUTES=10 python playground/app.py

By default there are no limits. On a public host (a Space, or TP_PUBLIC=1) every limit defaults to its value
in `PUBLIC`; `none` removes a limit.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from engine.validation import Config, ConfigError, Problem, field_error

PREFIX = "TP_"

PUBLIC: dict[str, Any] = {
    "max_runs": 10,
    "max_each": 2,
    "max_address": 5,
    "max_waiting": 30,
    "max_parameters": 2_000_000,
    "max_context": 256,
    "max_step_gflop": 6.0,
    "max_threads": 1,
    "max_layers": 32,
    "max_experts": 64,
    "max_vocabulary": 8_000,
    "max_text": 200_000,
    "max_eval_steps": 100,
    "min_interval": 10,
    "max_steps": 10_000,
    "max_minutes": 30.0,
    "away_seconds": 120.0,
    "max_run_mb": 400.0,
    "max_storage_mb": 20_000.0,
    "keep_hours": 24.0,
}
"""Default limits of a public host, for the 2 cores, 16 GB of memory and 50 GB of disk of a small Space."""

PERSISTENT = Path("/data")
"""Mount point of a Space's persistent storage, if it has any."""

TEXT = {
    "unknown": "{name} is not a setting and is ignored. The nearest setting is {nearest}.",
    "site": "must be a host: example.org, *.example.org or https://example.org:8000",
}

SITE = re.compile(
    r"(https?://)?((\*\.)?[a-z0-9]([a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:\d{1,5})?/?", re.I
)
"""A host, optionally with a scheme and a port."""

ADDRESS = r"^https?://[^\s\"'<>]+$"
"""The address of a page."""


class Settings(Config):
    """Settings of this host. None means no limit."""

    public: bool = Field(
        default=False,
        description="The host is open to the public. Default: true on a Space, where SPACE_ID is set.",
    )
    cpu_only: bool = Field(
        default=False,
        description="Use the CPU even if there is a GPU. Default: true on a Space with ZeroGPU, where "
        "SPACES_ZERO_GPU is set.",
    )
    sites: str | None = Field(
        default=None,
        min_length=1,
        description="Comma-separated hosts under whose names this page is reached (a proxy) or in whose "
        "frames it is shown: example.org, *.example.org or https://example.org:8000. IP addresses, localhost "
        "and this machine's own name are always allowed.",
    )
    runs: str | None = Field(
        default=None,
        min_length=1,
        description="The folder of the users' runs. Default: checkpoints/runs, or /data/runs on a Space with "
        "persistent storage.",
    )
    page: str | None = Field(
        default=None,
        pattern=ADDRESS,
        description="The address of the playground, for the dashboard's link to it. Default: found by its port on "
        "this machine, none on a public host.",
    )
    dashboard: str | None = Field(
        default=None,
        pattern=ADDRESS,
        description="The address of the dashboard, for the page's link to it. Default: as for TP_PAGE.",
    )
    max_runs: int | None = Field(
        default=None, ge=1, le=1_000, description="Runs that train at once; further runs wait."
    )
    max_each: int | None = Field(
        default=None,
        ge=1,
        le=1_000,
        description="Runs of one browser that train or wait at once.",
    )
    max_address: int | None = Field(
        default=None,
        ge=1,
        le=1_000,
        description="Runs from one network address that train or wait at once, over all its browsers. A class "
        "behind one router has one address: set this to the number of students.",
    )
    proxies: int = Field(
        default=0,
        ge=0,
        le=10,
        description="Number of reverse proxies in front of this server. Each adds its client's address to "
        "X-Forwarded-For; this many of the last entries are trusted. 0: the header is ignored. Default: 1 on a "
        "Space.",
    )
    max_waiting: int | None = Field(
        default=None, ge=0, le=10_000, description="Runs that may wait in the queue."
    )
    max_parameters: int | None = Field(default=None, ge=1, description="Parameters of a model.")
    max_context: int | None = Field(default=None, ge=1, description="A model's context, in tokens.")
    max_layers: int | None = Field(
        default=None, ge=1, description="Blocks of a model's decoder, and of its encoder."
    )
    max_experts: int | None = Field(
        default=None, ge=1, description="Experts in a block, and shared experts."
    )
    max_vocabulary: int | None = Field(
        default=None, ge=257, description="Vocabulary size that a tokenizer may learn."
    )
    max_text: int | None = Field(
        default=None,
        ge=1,
        description="Characters of a user's own text, for training a model or a tokenizer.",
    )
    max_eval_steps: int | None = Field(
        default=None, ge=1, description="Validation batches in one evaluation."
    )
    min_interval: int | None = Field(
        default=None,
        ge=1,
        description="Minimum steps between evaluations, samples, attention maps or checkpoints.",
    )
    max_step_gflop: float | None = Field(
        default=None,
        gt=0,
        description="Work of one step, in 1e9 FLOPs. The public default gives every user about a step per "
        "second even if all places are taken.",
    )
    max_threads: int | None = Field(
        default=None, ge=1, le=1_024, description="CPU threads of a run."
    )
    max_steps: int | None = Field(default=None, ge=1, description="Steps of a run.")
    max_minutes: float | None = Field(
        default=None,
        gt=0,
        description="Wall-clock minutes that a run keeps its place, including pauses. Then it is saved and "
        "stopped, and can be resumed through the queue.",
    )
    away_seconds: float | None = Field(
        default=None,
        gt=0,
        description="Seconds without a page that shows a run after which the run loses its place: in the queue "
        "immediately, while training as soon as others wait.",
    )
    max_run_mb: float | None = Field(
        default=None, gt=0, description="Storage of one run, in 1e6 bytes."
    )
    max_storage_mb: float | None = Field(
        default=None,
        gt=0,
        description="Storage of all users' runs, in 1e6 bytes. The oldest unused runs are deleted.",
    )
    keep_hours: float | None = Field(
        default=None,
        gt=0,
        description="Hours after its last training after which an unused run is deleted.",
    )

    @field_validator("sites")
    @classmethod
    def _are_hosts(cls, value: str | None) -> str | None:
        for site in _parts(value):
            if SITE.fullmatch(site) is None:
                raise field_error("sites", site, TEXT["site"])
        return value

    @property
    def site_names(self) -> tuple[str, ...]:
        """The hosts in `sites`."""
        return tuple(_parts(self.sites))

    @property
    def limited(self) -> bool:
        """Whether any limit is set, so that the host scheduler must run."""
        return any(getattr(self, name) is not None for name in PUBLIC)

    def visible_limits(self) -> dict[str, float] | None:
        """The limits that the page shows, as plain data; None if there are none."""
        names = (
            "max_runs",
            "max_parameters",
            "max_context",
            "max_steps",
            "max_minutes",
            "keep_hours",
        )
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return given or None


NAMES = tuple(Settings.model_fields)
VARIABLES = {f"{PREFIX}{name.upper()}": name for name in NAMES}
"""Environment variables, and the fields that they set."""

WATCHED = (*VARIABLES, "SPACE_ID", "SPACES_ZERO_GPU")


def current() -> Settings:
    """The settings of this process. Raises `ConfigError` like `read`."""
    return _read(tuple(os.environ.get(name) for name in WATCHED))


def read(environment: Mapping[str, str]) -> Settings:
    """Read the settings from an environment.

    Raises `ConfigError`, which names the variable, its value and what is allowed. Unknown variables with
    the prefix are ignored here and reported by `unknown`.
    """
    problems: list[Problem] = []
    given = {
        name: None if environment[variable].lower() == "none" else environment[variable]
        for variable, name in VARIABLES.items()
        if environment.get(variable)
    }
    space = bool(environment.get("SPACE_ID"))
    values: dict[str, Any] = {
        "public": space,
        "cpu_only": on_zero_gpu(environment),
        "proxies": 1 if space else 0,
    }
    if space and os.access(PERSISTENT, os.W_OK):
        values["runs"] = str(PERSISTENT / "runs")
    found = Settings()
    try:
        found = Settings.parse(values | given)
        if found.public:
            found = Settings.parse(PUBLIC | values | given)
    except ConfigError as error:
        variables = {name: variable for variable, name in VARIABLES.items()}
        problems += [
            Problem(variables[problem.field], problem.value, problem.allowed)
            for problem in error.problems
        ]
    if problems:
        raise ConfigError(problems)
    return found


def unknown(environment: Mapping[str, str]) -> list[str]:
    """A warning for each unknown variable with the prefix."""
    return [
        TEXT["unknown"].format(name=name, nearest=get_close_matches(name, VARIABLES, 1, 0)[0])
        for name in sorted(environment)
        if name.startswith(PREFIX) and name not in VARIABLES
    ]


def on_zero_gpu(environment: Mapping[str, str]) -> bool:
    """Whether this is a ZeroGPU Space, whose GPU is only available during marked function calls."""
    return environment.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def _parts(value: str | None) -> list[str]:
    """The non-empty parts of a comma-separated list."""
    return [part.strip() for part in (value or "").split(",") if part.strip()]


@lru_cache(maxsize=8)
def _read(values: tuple[str | None, ...]) -> Settings:
    found = {name: value for name, value in zip(WATCHED, values, strict=True) if value is not None}
    return read(found)
