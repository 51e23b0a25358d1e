"""What whoever serves the playground may set: TP_NAME in the environment, read here and nowhere else.

    TP_MAX_RUNS=4 TP_MAX_MINUTES=10 python playground/app.py

On one's own machine nothing is limited. On a public host, which is a Space or wherever TP_PUBLIC=1,
every limit has the value in `PUBLIC` until it is set to another; `none` takes a limit away.

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

from engine.validation import Config, ConfigError, Problem, refuse

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
"""A public host's limits, made for the 2 cores, 16 GB of memory and 50 GB of disk of a small Space."""

PERSISTENT = Path("/data")
"""Where a Space has storage that outlives a restart, if its owner has given it any."""

TEXT = {
    "unknown": "{name} is not a setting and is ignored. The nearest setting is {nearest}.",
    "site": "must be a host: example.org, *.example.org or https://example.org:8000",
}

SITE = re.compile(
    r"(https?://)?((\*\.)?[a-z0-9]([a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:\d{1,5})?/?", re.I
)
"""A host: with a scheme or without, and with a port or without."""


class Settings(Config):
    """How this host serves. A limit that is None is none."""

    public: bool = Field(
        default=False,
        description="Strangers use this host. True on a Space, where SPACE_ID is set.",
    )
    cpu_only: bool = Field(
        default=False,
        description="Train and compute on the CPU, whatever else there is. True on a Space with "
        "ZeroGPU, where SPACES_ZERO_GPU is set.",
    )
    sites: str | None = Field(
        default=None,
        min_length=1,
        description="Hosts, with commas between them, by whose names this page is reached (a proxy) or "
        "in whose frames it is shown: example.org, *.example.org or https://example.org:8000. IP "
        "addresses, localhost and this machine's own name need no mention.",
    )
    runs: str | None = Field(
        default=None,
        min_length=1,
        description="The folder of the learners' runs. None: checkpoints/runs; on a Space with "
        "storage that stays, /data/runs.",
    )
    max_runs: int | None = Field(
        default=None, ge=1, le=1_000, description="Runs that train at once; the next ones wait."
    )
    max_each: int | None = Field(
        default=None,
        ge=1,
        le=1_000,
        description="Runs of one browser that train or wait at once: two can be compared.",
    )
    max_address: int | None = Field(
        default=None,
        ge=1,
        le=1_000,
        description="Runs from one network address that train or wait at once, whatever browsers say. A class "
        "behind one router has one address: raise it to as many as there are learners.",
    )
    proxies: int = Field(
        default=0,
        ge=0,
        le=10,
        description="Reverse proxies in front of this server, each of which adds the address it was asked from "
        "to X-Forwarded-For: as many of its last entries are believed. 0: none, and the header is not read. "
        "1 on a Space.",
    )
    max_waiting: int | None = Field(
        default=None, ge=0, le=10_000, description="Runs that may wait for their turn."
    )
    max_parameters: int | None = Field(default=None, ge=1, description="Parameters of a model.")
    max_context: int | None = Field(default=None, ge=1, description="A model's context, in tokens.")
    max_layers: int | None = Field(
        default=None, ge=1, description="Blocks of a model's decoder, and of its encoder."
    )
    max_experts: int | None = Field(
        default=None, ge=1, description="Experts in a block, and shared ones."
    )
    max_vocabulary: int | None = Field(
        default=None, ge=257, description="Tokens that a tokenizer is asked to learn."
    )
    max_text: int | None = Field(
        default=None,
        ge=1,
        description="Characters of a learner's own text, to train on or to learn tokenizers from.",
    )
    max_eval_steps: int | None = Field(
        default=None, ge=1, description="Batches of held-out data in one measurement."
    )
    min_interval: int | None = Field(
        default=None,
        ge=1,
        description="Steps between two measurements, samples, attention maps or checkpoints, at least.",
    )
    max_step_gflop: float | None = Field(
        default=None,
        gt=0,
        description="Work of one step, in 1e9 FLOPs: what lets every learner see a step a second, "
        "however many train.",
    )
    max_threads: int | None = Field(
        default=None, ge=1, le=1_024, description="CPU threads of a run."
    )
    max_steps: int | None = Field(default=None, ge=1, description="Steps of a run.")
    max_minutes: float | None = Field(
        default=None,
        gt=0,
        description="Minutes by the clock that a run keeps its place, pauses included. Then it is "
        "saved and stopped; to resume it is to queue again.",
    )
    away_seconds: float | None = Field(
        default=None,
        gt=0,
        description="Seconds without anybody looking at a run until it gives up its place: in the "
        "queue at once, and while it trains as soon as others wait.",
    )
    max_run_mb: float | None = Field(
        default=None, gt=0, description="Storage of one run, in 1e6 bytes."
    )
    max_storage_mb: float | None = Field(
        default=None,
        gt=0,
        description="Storage of all learners' runs, in 1e6 bytes. The oldest that nobody uses go.",
    )
    keep_hours: float | None = Field(
        default=None,
        gt=0,
        description="Hours since it was last trained, after which a run that nobody uses goes.",
    )

    @field_validator("sites")
    @classmethod
    def _are_hosts(cls, value: str | None) -> str | None:
        for site in _parts(value):
            if SITE.fullmatch(site) is None:
                raise refuse("sites", site, TEXT["site"])
        return value

    @property
    def site_names(self) -> tuple[str, ...]:
        """The hosts in `sites`."""
        return tuple(_parts(self.sites))

    @property
    def limited(self) -> bool:
        """Is there any limit to look after while the playground serves?"""
        return any(getattr(self, name) is not None for name in PUBLIC)

    def told(self) -> dict[str, float] | None:
        """The limits that a learner should know, as plain data; None where there are none."""
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
"""The environment's variables, and the fields they set."""

WATCHED = (*VARIABLES, "SPACE_ID", "SPACES_ZERO_GPU")


def current() -> Settings:
    """The settings of this process. Raises `ConfigError` as `read`."""
    return _read(tuple(os.environ.get(name) for name in WATCHED))


def read(environment: Mapping[str, str]) -> Settings:
    """The settings in an environment.

    Raises `ConfigError`, which names the variable, its value and what is allowed. Another variable
    with the prefix is some other program's, or a slip: see `unknown`.
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
    """A sentence for each variable with the prefix that is no setting."""
    return [
        TEXT["unknown"].format(name=name, nearest=get_close_matches(name, VARIABLES, 1, 0)[0])
        for name in sorted(environment)
        if name.startswith(PREFIX) and name not in VARIABLES
    ]


def on_zero_gpu(environment: Mapping[str, str]) -> bool:
    """Is this a Space whose GPU is only there while a function marked for it is called?"""
    return environment.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def _parts(value: str | None) -> list[str]:
    """What stands between the commas."""
    return [part.strip() for part in (value or "").split(",") if part.strip()]


@lru_cache(maxsize=8)
def _read(values: tuple[str | None, ...]) -> Settings:
    found = {name: value for name, value in zip(WATCHED, values, strict=True) if value is not None}
    return read(found)
