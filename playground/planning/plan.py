"""A run before it starts: its problems, its cost, its name.

The page asks at every move of a control, so everything here answers within milliseconds. PyTorch is
loaded only to judge an unusual device, precision or compiler.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

import psutil

from engine.cli.main import command_line
from engine.config import (
    PART_OF,
    PARTS,
    RunConfig,
)
from engine.data import check_no_pairs, is_pairs
from engine.data.tokens import BPE_SIZE, TEXT_BPE_SIZE, check_size
from engine.estimate import (
    active_parameters,
    flops_per_token,
    memory_bytes,
    parameters,
    seconds,
)
from engine.presets import DEFAULT
from engine.runs.naming import describe
from engine.validation import ConfigError, Problem
from playground import settings
from playground.planning import controls, machine_speed, tokenizer_gate
from playground.planning.choice import Choice
from playground.planning.controls import CONTROLS, OWN_TEXT
from playground.planning.limits import (
    HOST_LIMITS,
    INTERVALS,
    fork_obstacles,
    fork_problems,
    host_problems,
    in_bytes,
    limit_problems,
    machine_problems,
)
from playground.planning.own_text import (
    predicted_vocabulary,
    stored_facts,
    text_obstacles,
    tokenizer_of,
)
from playground.planning.sizes import split_size

FAR = 1e12
"""Beyond this, one wrong number is as far from the right ones as any other."""

SOURCE_TITLES = {source["value"]: source["title"] for source in controls.sources()}
"""What each source of data is called."""

TEXT = {
    "memory": "This run needs about {needed}, and this machine has {free} to spare. Make the model, "
    "the batch or the context smaller.",
    "fits": "does not fit d_model = {width}; {choices} do",
    "own text": "Own text",
    "from": "from step {step}",
    "learns": "learns from {source}",
}


@dataclass(frozen=True)
class Plan:
    """A choice, worked out."""

    choice: Choice
    config: RunConfig | None
    """None where the fields cannot be together."""
    vocabulary: int | None
    problems: tuple[Problem, ...]
    """What is wrong, by field."""
    obstacles: tuple[str, ...]
    """What is in the way and is no single field's fault, in sentences."""

    @property
    def ready(self) -> bool:
        """Can it be started?"""
        return self.config is not None and not self.problems and not self.obstacles

    @property
    def name(self) -> str:
        """The run's name: the preset's title, and what differs from it."""
        words = [self.choice.preset.title]
        if self.choice.fork is not None:
            words = [self.choice.fork.run.name, TEXT["from"].format(step=self.choice.fork.step)]
        if self.config is not None:
            differences = self.config.differences(self._base())
            differences.pop("train_data_path", None)
            if differences.get("source") == OWN_TEXT:
                del differences["source"]
                mine = [TEXT["own text"]]
                words = mine if self.choice.preset.name == DEFAULT else [*words, *mine]
            elif "source" in differences:
                source = SOURCE_TITLES.get(differences.pop("source"), self.config.data.source)
                words.append(TEXT["learns"].format(source=source))
            if self.choice.fork is None:
                size, differences = split_size(self.choice.preset, differences)
                words += [size] if size else []
            words += [describe({name: value}) for name, value in differences.items()]
        return " · ".join(words)

    def command(self) -> str | None:
        """The command line that does the same; None where there is nothing to do."""
        if self.config is None or self.choice.fork is not None:
            return None
        return command_line(self.config)

    def _base(self) -> RunConfig:
        """The configuration that the name states the difference from."""
        fork = self.choice.fork
        return self.choice.preset.config() if fork is None else fork.run.config

    def costs(self) -> dict[str, float | None] | None:
        """Parameters, FLOPs of the forward pass for a token, bytes, seconds on this machine.

        With experts, `active` are the parameters that work on one token; None where all do. The
        seconds are None until the machine's speed has been measured.
        """
        if self.config is None or self.vocabulary is None:
            return None
        model = self.config.model
        counts = parameters(model, self.vocabulary)
        memory = memory_bytes(self.config, self.vocabulary)
        speed = machine_speed.speed()
        full = None if speed is None else seconds(self.config, speed, self.vocabulary)
        return {
            "parameters": counts["total"],
            "active": active_parameters(model, self.vocabulary) if model.n_experts else None,
            "flops": flops_per_token(model, model.max_seq_len, self.vocabulary),
            "memory": memory["total"],
            "seconds": None if full is None else self._share() * full,
        }

    def _share(self) -> float:
        """The share of the run's steps that is still to be made."""
        assert self.config is not None
        fork = self.choice.fork
        total = self.config.train.total_steps
        return 1.0 if fork is None else max(0, total - fork.step) / total


def plan(choice: Choice) -> Plan:
    """Work a choice out."""
    problems: list[Problem] = []
    obstacles: list[str] = []
    config: RunConfig | None = None
    vocabulary: int | None = None
    try:
        config = RunConfig.from_flat(choice.values())
        problems += limit_problems(config)
        if config.data.source == OWN_TEXT:
            check_no_pairs(config)
        if "tokenizer_size" in {problem.field for problem in problems}:
            pass  # it takes too long to learn
        elif config.data.source == OWN_TEXT:
            text = choice.text if choice.fork is None else stored_facts(choice.fork.run.path)
            obstacles += text_obstacles(config, text)
            kind, size = config.data.tokenizer, config.data.tokenizer_size
            check_size(kind, size, text.vocabulary if text else 0)
            vocabulary = predicted_vocabulary(config.data, text)
        else:
            tokenizer = tokenizer_of(config.data, config.model, config.train.batch_tokens)
            vocabulary = tokenizer.vocab_size
    except ConfigError as error:
        problems += [_blamed(problem, choice) for problem in error.problems]
    except tokenizer_gate.Busy as error:
        obstacles.append(str(error))
    if choice.fork is not None:
        obstacles += fork_obstacles(choice.fork)
        if config is not None:
            try:
                problems += fork_problems(choice.fork, config)
            except tokenizer_gate.Busy as error:
                obstacles.append(str(error))
    if config is not None:
        problems += machine_problems(config)
    if config is not None and vocabulary is not None:
        problems += host_problems(config, vocabulary)
        needed = memory_bytes(config, vocabulary)["total"]
        free = psutil.virtual_memory().available
        if needed > free:
            obstacles.append(TEXT["memory"].format(needed=in_bytes(needed), free=in_bytes(free)))
    return Plan(choice, config, vocabulary, tuple(problems), tuple(obstacles))


def _blamed(problem: Problem, choice: Choice) -> Problem:
    """The problem at the field that the learner changed: heads that do not fit the preset's width are at fault."""
    if problem.field != "d_model" or "d_model" in choice.changes or "n_head" not in choice.changes:
        return problem
    heads = choice.changes["n_head"]
    fit = [
        str(int(stop)) for stop in sorted(_offered("n_head", 0)) if _mends(choice, "n_head", stop)
    ]
    allowed = TEXT["fits"].format(width=problem.value, choices=", ".join(fit))
    return Problem("n_head", heads, allowed) if fit else problem


def _mends(choice: Choice, name: str, value: object) -> bool:
    """Does this value make the field's part of the configuration valid, as all else is?"""
    part = PART_OF[name]
    given = {other: one for other, one in choice.values().items() if PART_OF.get(other) == part}
    try:
        PARTS[part].parse(given | {name: value})
    except ConfigError:
        return False
    return True


class Summary(TypedDict):
    """A plan as plain data, for the form and for scripts."""

    ready: bool
    name: str
    problems: dict[str, str]
    """By field: what is allowed."""
    remedies: dict[str, Any]
    """By field: the nearest value that is allowed."""
    obstacles: list[str]
    refused: list[tuple[str, str, str]]
    """Field, value, and what is allowed."""
    costs: dict[str, float | None] | None
    auto: dict[str, Any]
    """The values of fields that are left empty."""
    command: str | None


def summary(worked_out: Plan) -> Summary:
    """A plan as plain data."""
    config = worked_out.config
    auto: dict[str, Any] = {}
    if config is not None:
        model = config.model
        auto = {
            "d_ff": model.ff_width,
            "n_kv_head": model.kv_heads,
            "d_expert": model.expert_width,
            "renormalise": model.renormalised,
            "tokenizer": "word" if is_pairs(config.data.source) else "char",
        }
        if config.data.tokenizer == "bpe":
            pairs = is_pairs(config.data.source)
            auto["tokenizer_size"] = BPE_SIZE if pairs else TEXT_BPE_SIZE
    return {
        "ready": worked_out.ready,
        "name": worked_out.name,
        "problems": {problem.field: problem.allowed for problem in worked_out.problems},
        "remedies": remedies(worked_out),
        "obstacles": list(worked_out.obstacles),
        "refused": [
            (problem.field, str(problem.value), problem.allowed)
            for problem in worked_out.choice.refused
        ],
        "costs": worked_out.costs(),
        "auto": auto,
        "command": worked_out.command(),
    }


def remedies(worked_out: Plan) -> dict[str, Any]:
    """For each field at fault, the nearest value its control offers that alone mends its part."""
    if worked_out.config is not None:
        return _within_limits(worked_out)
    choice = worked_out.choice
    offered = {
        problem.field: [
            value
            for value in _offered(problem.field, problem.value)
            if _mends(choice, problem.field, value)
        ]
        for problem in worked_out.problems
        if problem.field in PART_OF
    }
    return {name: values[0] for name, values in offered.items() if values}


def _within_limits(worked_out: Plan) -> dict[str, Any]:
    """Of each field that is beyond a limit of this host, the limit."""
    host, values = settings.current(), worked_out.choice.values()
    wrong = {problem.field for problem in worked_out.problems} & values.keys()
    limits = {name: getattr(host, HOST_LIMITS[name]) for name in HOST_LIMITS.keys() & wrong}
    least = {name: host.min_interval for name in INTERVALS if name in wrong}
    found = {
        name: most for name, most in limits.items() if most is not None and values[name] > most
    }
    return found | {name: value for name, value in least.items() if value is not None}


def _offered(name: str, wrong: object) -> list[Any]:
    """The values that a field's control offers, the nearest to a wrong one first."""
    control = CONTROLS.get(name)
    if control is None:
        return []
    stops = [int(stop) if control.integer else stop for stop in control.stops]
    if isinstance(wrong, int | float):
        near = max(-FAR, min(FAR, wrong))
        stops.sort(key=lambda stop: abs(stop - near))
    return [*stops, *control.choices, *([] if control.empty is None else [None])]
