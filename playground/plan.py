"""What can be said of a run before it starts: what is wrong with it, what it costs, its name.

The page asks at every move of a control, so everything here answers within milliseconds. PyTorch is
loaded only to judge an unusual device, precision or compiler.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import psutil

from engine.cli import command_line
from engine.config import (
    BYTE_VALUES,
    PART_OF,
    PARTS,
    DataConfig,
    ModelConfig,
    RunConfig,
    TokenizerName,
    TrainConfig,
)
from engine.data import DataError, check_no_pairs, is_pairs, make_data
from engine.data.reading import read_text
from engine.data.text import encode_text
from engine.data.tokens import BPE_SIZE, MIN_COUNT, TEXT_BPE_SIZE, check_size
from engine.estimate import (
    active_parameters,
    flops_per_step,
    flops_per_token,
    memory_bytes,
    parameters,
    seconds,
)
from engine.forks import FREE_MODEL_FIELDS
from engine.presets import DEFAULT, PRESETS, Preset, nearest
from engine.runs import TEXT_PATH, Run, RunError, UnknownRun, describe
from engine.tokenizers import Tokenizer
from engine.tokenizers.word import split_words
from engine.validation import ConfigError, Problem
from playground import learning, library, machine, settings
from playground.controls import CONTROLS, HIDDEN, OWN_TEXT

MAX_TEXT = 1_000_000
"""Characters that a learner's own text may have."""

UNKNOWN_VOCABULARY = 64
"""What a text is taken to have, for the picture, until there is one."""

MAX_CHANGES = 100
"""More fields than there are in a configuration."""

MAKE_TOKENS = ("source", "task_length", "tokenizer", "tokenizer_size", "valid_fraction")
"""Fields that decide which tokens there are: words and their pieces are those of the training part."""

FAR = 1e12
"""Beyond this, one wrong number is as far from the right ones as any other."""

MAX_LIST = 512
"""Numbers in one field: as many as there can be blocks."""

HOST_LIMITS = {
    "max_seq_len": "max_context",
    "n_layer": "max_layers",
    "n_encoder_layer": "max_layers",
    "n_experts": "max_experts",
    "n_shared_experts": "max_experts",
    "tokenizer_size": "max_vocabulary",
    "total_steps": "max_steps",
    "eval_steps": "max_eval_steps",
    "threads": "max_threads",
}
"""Fields that a host may limit, and the names of these limits in its settings."""

INTERVALS = ("eval_interval", "sample_interval", "probe_interval", "save_interval")
"""Steps between two of what takes long or fills the disk: a host may set the smallest. 0 is never."""

SAVED_BYTES = 12
"""Of one parameter in a checkpoint: the weight, and the optimizer's two averages, in fp32."""
LOGGED_BYTES = 200
"""Of one step in the run's log, or a little less."""
MOST_PROBES, PROBED_TOKENS = 500, 48
"""Attention maps that a run records at most, and the length of their text, as in the engine."""

ASKED = ("preset", "changes", "fork", "text", "link")
"""What a choice may hold: `text` are facts about the learner's own, `link` says that it is out of a link."""
FORK = ("run", "step", "name")
"""What names a checkpoint; `name` is the run's, as the form shows it."""

TEXT = {
    "object": "must be an object, with {known}",
    "unknown": "is not known here; there are {known}",
    "many": "must be at most {most} fields",
    "preset": "is not the name of a preset",
    "field": "is not the name of a field",
    "value": "is not a value",
    "hidden": "cannot be set from the page",
    "text.missing": "Paste a text, or choose a file, to learn from.",
    "text.gone": "the text of this run is gone",
    "text.short": "Your text is too short: {count:,} {unit}, and one training sequence "
    "needs {needed:,}. Add text, or lower the context.",
    "text.long": "Your text is too long: {characters:,} characters; at most {most:,} are taken.",
    "fork.gone": "The checkpoint that this run was to continue from is gone.",
    "fork.model": "must stay {value}, or the weights of the checkpoint would not fit",
    "fork.data": "gives other tokens than those that the checkpoint has learned",
    "fork.steps": "must be above step {step}, where the fork begins",
    "memory": "This run needs about {needed}, and this machine has {free} to spare. Make the model, "
    "the batch or the context smaller.",
    "host.most": "must be at most {most:,} on this host",
    "host.least": "must be at least {least:,} on this host",
    "host.compile": "must be off on this host: a compiler would take the processor from all others",
    "host.parameters": "makes {count:,} parameters, and this host takes at most {most:,}; lower the "
    "width, the blocks or the experts",
    "host.step": "makes a step of {work:,.1f} GFLOP, and this host takes at most {most:g}; lower the "
    "batch, the context or the width",
    "host.storage": "would fill {needed}, and a run may take at most {most} on this host; keep fewer "
    "checkpoints, or record attention less often",
    "host.device": "must be auto or cpu: this host trains on its processor",
    "own text": "own text",
    "from": "from step {step}",
}


@dataclass(frozen=True)
class TextFacts:
    """What the page tells of a learner's own text while it is still in the browser."""

    characters: int
    vocabulary: int
    """Different characters."""
    words: int = 0
    """Different words that come often enough to be tokens of their own."""
    bytes: int = 0
    """In UTF-8."""

    @classmethod
    def of(cls, text: str) -> TextFacts:
        """What there is to tell of a text that is here."""
        counts = Counter(split_words(text))
        words = sum(len(piece) > 1 and count >= MIN_COUNT for piece, count in counts.items())
        return cls(len(text), len(set(text)), words, len(text.encode("utf-8", "replace")))

    def most_tokens(self, kind: TokenizerName | None) -> int:
        """As many tokens as the text can have at most; of characters and bytes exactly as many."""
        return max(self.characters, self.bytes) if kind in ("byte", "bpe") else self.characters


@dataclass(frozen=True)
class Fork:
    """The checkpoint that a run starts from, instead of random weights."""

    run: Run
    step: int


@dataclass(frozen=True)
class Choice:
    """What a learner has chosen: a preset, what is changed about it, what it starts from."""

    preset: Preset
    changes: dict[str, Any] = field(default_factory=dict[str, Any])
    fork: Fork | None = None
    text: TextFacts | None = None
    refused: tuple[Problem, ...] = ()
    """What was asked for and could not be understood; left out of the rest."""

    def values(self) -> dict[str, Any]:
        """The fields that differ from the defaults, whether or not they can be together."""
        values = self.preset.changes | self.changes
        if values.get("source") == OWN_TEXT:
            values["train_data_path"] = TEXT_PATH
        return values


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
        """The run's name: the preset, and what differs from it."""
        words = [self.choice.preset.name]
        if self.choice.fork is not None:
            words = [self.choice.fork.run.name, TEXT["from"].format(step=self.choice.fork.step)]
        if self.config is not None:
            differences = self.config.differences(self._base())
            differences.pop("train_data_path", None)
            if differences.get("source") == OWN_TEXT:
                del differences["source"]
                words.append(TEXT["own text"])
            words += [describe({name: value}) for name, value in differences.items()]
        return " · ".join(words)

    def command(self) -> str | None:
        """The command line that does the same; None where there is nothing to do."""
        if self.config is None or self.choice.fork is not None:
            return None
        return command_line(self.config)

    def _base(self) -> RunConfig:
        """What the name tells the difference from."""
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
        speed = machine.speed()
        whole = None if speed is None else seconds(self.config, speed, self.vocabulary)
        return {
            "parameters": counts["total"],
            "active": active_parameters(model, self.vocabulary) if model.n_experts else None,
            "flops": flops_per_token(model, model.max_seq_len, self.vocabulary),
            "memory": memory["total"],
            "seconds": None if whole is None else self._share() * whole,
        }

    def _share(self) -> float:
        """The share of the run's steps that is still to be made."""
        assert self.config is not None
        fork = self.choice.fork
        total = self.config.train.total_steps
        return 1.0 if fork is None else max(0, total - fork.step) / total


def read_choice(value: object) -> Choice:
    """What a browser, a link or a script asks for. What makes no sense is refused by name."""
    refused: list[Problem] = []
    asked = _read_object("choice", value, ASKED, refused)
    name = DEFAULT if asked.get("preset") in (None, "") else asked["preset"]
    preset = PRESETS.get(name) if isinstance(name, str) else None
    if preset is None:
        refused.append(Problem("preset", _short(name), TEXT["preset"]))
        preset = PRESETS[DEFAULT]
    changes: dict[str, Any] = {}
    given = asked.get("changes")
    given = {} if given is None else _read_object("changes", given, (), refused)
    if len(given) > MAX_CHANGES:
        refused.append(Problem("changes", len(given), TEXT["many"].format(most=MAX_CHANGES)))
    for key, wanted in list(given.items())[:MAX_CHANGES]:
        if key not in PART_OF:
            refused.append(Problem(_short(key), _short(wanted), TEXT["field"]))
        elif key in HIDDEN:
            refused.append(Problem(key, _short(wanted), TEXT["hidden"]))
        elif _is_value(wanted):
            changes[key] = wanted
        else:
            refused.append(Problem(key, _short(wanted), TEXT["value"]))
    fork = _read_fork(asked.get("fork"), refused)
    return Choice(preset, changes, fork, _read_text(asked.get("text")), tuple(refused))


def lenient(choice: Choice) -> Choice:
    """The choice of a link: text becomes numbers, and what cannot be is left out and named."""
    changes: dict[str, Any] = {name: _plain(value) for name, value in choice.changes.items()}
    refused = list(choice.refused)
    while True:
        candidate = Choice(choice.preset, changes, choice.fork, choice.text, tuple(refused))
        try:
            values = RunConfig.from_flat(candidate.values()).flat()
        except ConfigError as error:
            wrong = {problem.field for problem in error.problems} & changes.keys()
            if not wrong:  # the fields contradict each other: a changed one is at fault
                parts = {PART_OF.get(problem.field) for problem in error.problems}
                wrong = {name for name in changes if PART_OF[name] in parts} or set(changes)
            reasons = {problem.field: problem.allowed for problem in error.problems}
            refused += [
                Problem(name, changes[name], reasons.get(name, str(error))) for name in wrong
            ]
            changes = {name: value for name, value in changes.items() if name not in wrong}
        else:
            base = choice.preset.config().flat()
            kept = {name: values[name] for name in changes if values[name] != base[name]}
            return Choice(choice.preset, kept, choice.fork, choice.text, tuple(refused))


def plan(choice: Choice) -> Plan:
    """Work a choice out."""
    problems: list[Problem] = []
    obstacles: list[str] = []
    config: RunConfig | None = None
    vocabulary: int | None = None
    try:
        config = RunConfig.from_flat(choice.values())
        problems += _limit_problems(config)
        if config.data.source == OWN_TEXT:
            check_no_pairs(config)
        if "tokenizer_size" in {problem.field for problem in problems}:
            pass  # it takes too long to learn
        elif config.data.source == OWN_TEXT:
            text = choice.text if choice.fork is None else _stored_facts(choice.fork.run.path)
            obstacles += _text_obstacles(config, text)
            kind, size = config.data.tokenizer, config.data.tokenizer_size
            check_size(kind, size, text.vocabulary if text else 0)
            vocabulary = predicted_vocabulary(config.data, text)
        else:
            tokenizer = tokenizer_of(config.data, config.model, config.train.batch_tokens)
            vocabulary = tokenizer.vocab_size
    except ConfigError as error:
        problems += error.problems
    except learning.Busy as error:
        obstacles.append(str(error))
    if choice.fork is not None:
        obstacles += _fork_obstacles(choice.fork)
        if config is not None:
            try:
                problems += _fork_problems(choice.fork, config)
            except learning.Busy as error:
                obstacles.append(str(error))
    if config is not None:
        problems += _machine_problems(config)
    if config is not None and vocabulary is not None:
        problems += _host_problems(config, vocabulary)
        needed = memory_bytes(config, vocabulary)["total"]
        free = psutil.virtual_memory().available
        if needed > free:
            obstacles.append(TEXT["memory"].format(needed=_bytes(needed), free=_bytes(free)))
    return Plan(choice, config, vocabulary, tuple(problems), tuple(obstacles))


def predicted_vocabulary(data: DataConfig, text: TextFacts | None) -> int:
    """How many tokens a text of one's own will have: of words and their pieces, at most."""
    if data.tokenizer == "byte":
        return BYTE_VALUES
    if data.tokenizer == "bpe":
        return data.tokenizer_size or TEXT_BPE_SIZE
    if text is None:
        return UNKNOWN_VOCABULARY
    words = text.words if data.tokenizer == "word" else 0
    return data.tokenizer_size or max(2, text.vocabulary + words)


def told(worked_out: Plan) -> dict[str, Any]:
    """A plan as plain data, for the form and for scripts."""
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
            [problem.field, str(problem.value), problem.allowed]
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
    found: dict[str, Any] = {}
    values = worked_out.choice.values()
    for problem in worked_out.problems:
        part = PART_OF.get(problem.field)
        if part is None:
            continue
        given = {name: value for name, value in values.items() if PART_OF.get(name) == part}
        for value in _offered(problem.field, problem.value):
            try:
                PARTS[part].parse(given | {problem.field: value})
            except ConfigError:
                continue
            found[problem.field] = value
            break
    return found


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


def of_run(run: Run) -> Choice:
    """The choice that leads to this run's configuration: from the preset that is nearest to it."""
    preset, changes = nearest(run.config)
    return Choice(preset, {key: value for key, value in changes.items() if key not in HIDDEN})


def most_text() -> int:
    """Characters that a learner's own text may have on this host."""
    return min(MAX_TEXT, settings.current().max_text or MAX_TEXT)


def stored_text(run: Run) -> str:
    """The learner's own text that this run reads. Raises `ConfigError` where there is none."""
    try:
        return read_text(run.path / TEXT_PATH, "source")
    except DataError:
        raise ConfigError([Problem("source", OWN_TEXT, TEXT["text.gone"])]) from None


def tokenizer_of(
    data: DataConfig, model: ModelConfig, batch_tokens: int | None = None
) -> Tokenizer:
    """What turns this data into tokens.

    Raises `ConfigError` where it does not fit the model, or batches of so many tokens.
    """
    relevant = ModelConfig(
        max_seq_len=model.max_seq_len,
        vocab_size=model.vocab_size,
        n_encoder_layer=None if model.n_encoder_layer is None else 1,
    )
    return _tokenizer_of(data.to_json(), relevant.to_json(), batch_tokens)


@lru_cache(maxsize=256)
def _tokenizer_of(data: str, model: str, batch_tokens: int | None) -> Tokenizer:
    config = RunConfig(
        model=ModelConfig.from_json(model),
        data=DataConfig.from_json(data),
        train=TrainConfig(batch_tokens=batch_tokens),
    )
    with learns(config.data):
        return make_data(config).tokenizer


def learns(data: DataConfig) -> AbstractContextManager[None]:
    """See `learning.alone`, where this data's tokenizer is one that takes long to learn."""
    return nullcontext() if data.tokenizer in (None, "char", "byte") else learning.alone()


def _read_object(
    name: str, value: object, known: Sequence[str], refused: list[Problem]
) -> Mapping[str, Any]:
    """The value, where it is an object; each key but the `known` is refused, where any are given."""
    names = ", ".join(known) or "fields and their values"
    if not isinstance(value, dict):
        refused.append(Problem(name, _short(value), TEXT["object"].format(known=names)))
        return {}
    strange = [key for key in value if known and key not in known]
    problem = TEXT["unknown"].format(known=names)
    refused += [Problem(_short(key), _short(value[key]), problem) for key in strange[:MAX_LIST]]
    return value


def _read_fork(value: object, refused: list[Problem]) -> Fork | None:
    if value is None:
        return None
    before = len(refused)
    given = _read_object("fork", value, FORK, refused)
    if len(refused) > before:
        return None
    run_id, step = given.get("run"), given.get("step")
    try:
        if not isinstance(run_id, str) or type(step) is not int:
            raise UnknownRun("is not a run and a step")
        return Fork(library.find(run_id), step)
    except ValueError as error:
        refused.append(Problem("fork", _short(run_id), str(error)))
        return None


def _read_text(value: object) -> TextFacts | None:
    if not isinstance(value, dict):
        return None
    counts: list[int] = []
    for name in ("characters", "vocabulary", "words", "bytes"):
        count = value.get(name, 0 if name in ("words", "bytes") else None)
        if type(count) is not int or not 0 <= count < 10**9:
            return None
        counts.append(count)
    characters, vocabulary, words, size = counts
    return TextFacts(characters, min(vocabulary, 0x110000), words, size)


@lru_cache(maxsize=64)
def _stored_facts(path: Path) -> TextFacts:
    return TextFacts.of(stored_text(Run(path)))


@lru_cache(maxsize=16)
def _stored_tokenizer(path: Path, data: str) -> Tokenizer:
    config = DataConfig.from_json(data)
    with learns(config):
        return encode_text(stored_text(Run(path)), config).tokenizer


def _text_obstacles(config: RunConfig, text: TextFacts | None) -> list[str]:
    if text is None or text.characters == 0:
        return [TEXT["text.missing"]]
    if text.characters > most_text():
        return [TEXT["text.long"].format(characters=text.characters, most=most_text())]
    kind = config.data.tokenizer
    count, unit = text.most_tokens(kind), "bytes" if kind in ("byte", "bpe") else "characters"
    held_out = max(2, round(count * config.data.valid_fraction))
    needed = config.model.max_seq_len + 1
    if count - held_out < needed:
        return [TEXT["text.short"].format(count=count, unit=unit, needed=needed + held_out)]
    return []


def _fork_obstacles(fork: Fork) -> list[str]:
    steps = {checkpoint.step for checkpoint in fork.run.checkpoints()}
    return [] if fork.step in steps else [TEXT["fork.gone"]]


def _fork_problems(fork: Fork, config: RunConfig) -> list[Problem]:
    """What cannot go on from the weights of that checkpoint."""
    theirs, differences = fork.run.config.flat(), config.differences(fork.run.config)
    problems = [
        Problem(name, value, TEXT["fork.model"].format(value=_word(theirs[name])))
        for name, value in differences.items()
        if PART_OF[name] == "model" and name not in FREE_MODEL_FIELDS
    ]
    changed = [name for name in MAKE_TOKENS if name in differences]
    if changed and not _same_tokens(fork.run, config.data, config.model):
        problems.append(Problem(changed[0], differences[changed[0]], TEXT["fork.data"]))
    if config.train.total_steps <= fork.step:
        allowed = TEXT["fork.steps"].format(step=fork.step)
        problems.append(Problem("total_steps", config.train.total_steps, allowed))
    return problems


def _same_tokens(run: Run, data: DataConfig, model: ModelConfig) -> bool:
    """Does this run's model read the very tokens that this data would have?"""
    sources = data.source, run.config.data.source
    if OWN_TEXT in sources and len(set(sources)) > 1:
        return False
    try:
        own = data.source == OWN_TEXT
        found = _stored_tokenizer(run.path, data.to_json()) if own else tokenizer_of(data, model)
        return run.tokenizer().to_json() == found.to_json()
    except (RunError, ConfigError):
        return False


def _machine_problems(config: RunConfig) -> list[Problem]:
    """What this machine cannot do. PyTorch is asked only about what is not a matter of course."""
    train, usual = config.train, TrainConfig()
    if settings.current().cpu_only:
        if train.device not in ("auto", "cpu"):
            return [Problem("device", train.device, TEXT["host.device"])]
        train = train.model_copy(update={"device": "cpu"})
        usual = usual.model_copy(update={"device": "cpu"})
    if (train.device, train.dtype, train.compile) == (usual.device, usual.dtype, usual.compile):
        return []
    from engine import devices

    try:
        devices.prepare(train)
    except ConfigError as error:
        return error.problems
    return []


def _limit_problems(config: RunConfig) -> list[Problem]:
    """Which single fields are beyond what this host allows."""
    host, values = settings.current(), config.flat()
    problems: list[Problem] = []
    for name, setting in HOST_LIMITS.items():
        most: int | None = getattr(host, setting)
        if most is not None and values[name] is not None and values[name] > most:
            problems.append(Problem(name, values[name], TEXT["host.most"].format(most=most)))
    least = host.min_interval
    for name in INTERVALS:
        if least is not None and 0 < values[name] < least:
            problems.append(Problem(name, values[name], TEXT["host.least"].format(least=least)))
    if host.public and config.train.compile:
        problems.append(Problem("compile", True, TEXT["host.compile"]))
    return problems


def _host_problems(config: RunConfig, vocabulary: int) -> list[Problem]:
    """What of the whole run is beyond what this host allows."""
    host, model, train = settings.current(), config.model, config.train
    values = config.flat()
    problems: list[Problem] = []
    count, most = parameters(model, vocabulary)["total"], host.max_parameters
    if most is not None and count > most:
        allowed = TEXT["host.parameters"].format(count=count, most=most)
        problems.append(Problem("d_model", model.d_model, allowed))
    work, largest = flops_per_step(config, vocabulary) / 1e9, host.max_step_gflop
    if largest is not None and work > largest:
        field = "batch_size" if train.batch_tokens is None else "batch_tokens"
        allowed = TEXT["host.step"].format(work=work, most=largest)
        problems.append(Problem(field, values[field], allowed))
    needed, room = storage_bytes(config, vocabulary), host.max_run_mb
    if room is not None and needed > 1e6 * room:
        allowed = TEXT["host.storage"].format(needed=_bytes(needed), most=_bytes(1e6 * room))
        problems.append(Problem("keep_checkpoints", train.keep_checkpoints, allowed))
    return problems


def storage_bytes(config: RunConfig, vocabulary: int) -> float:
    """About what a run's folder takes on the disk when it has finished, in bytes; rather more."""
    model, train = config.model, config.train
    saved = min(max(2, train.keep_checkpoints), train.total_steps // train.save_interval + 2) + 1
    checkpoint = SAVED_BYTES * parameters(model, vocabulary)["total"]
    probes = train.total_steps // train.probe_interval if train.probe_interval else 0
    layers = 2 * model.n_layer + (model.n_encoder_layer or 0)  # also what crosses, or is routed
    snapshot = layers * model.n_head * min(model.max_seq_len, PROBED_TOKENS) ** 2
    logged = LOGGED_BYTES * train.total_steps / train.log_interval
    return saved * checkpoint + min(probes, MOST_PROBES) * snapshot + logged


def _is_value(value: object) -> bool:
    """Can this be what a field is to be? A number, a word, nothing, or a list of whole numbers."""
    if isinstance(value, list):
        return len(value) <= MAX_LIST and all(type(entry) is int for entry in value)
    short = isinstance(value, str) and len(value) <= 100
    return value is None or isinstance(value, bool | int | float) or short


def _plain(value: Any) -> Any:
    """A value out of a link. Empty is None; numbers and words are read by the field itself."""
    return None if value == "" else value


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:60] + "…"


def _word(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "empty" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _bytes(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
