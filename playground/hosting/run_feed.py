"""The server's side of every view that follows a run: what happened since the page last asked.

`follow` reads on from a byte offset and answers with compact columns; it remembers nothing, so that a
page may be reloaded, several may follow one run, and a restarted server goes on as if nothing had
happened. The page's side is `assets/js/runs/feed.js`. `poll` is what the live view asks, and `probe` gives one recorded
attention snapshot as bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import compress
from typing import Any, Literal, TypedDict, cast

import numpy as np
import numpy.typing as npt
from typing_extensions import NotRequired

from engine.files import file_size
from engine.runs.events import (
    MAX_STEP,
    Evaluated,
    Line,
    Message,
    Probed,
    Sampled,
    Saved,
    Stepped,
    Working,
)
from engine.runs.history import REPEATED, History, restarted, standing
from engine.runs.store import Run, State
from playground.figures.curves import extremes
from playground.hosting import checks, run_queue
from playground.hosting.checks import base64_of
from playground.runs import models, phases, run_data, run_lookup
from playground.runs import recordings as probes

Rows = npt.NDArray[np.float64]

CHUNK = 1 << 18
"""Bytes of a run's log that one call reads: about 1500 steps."""

PLAYED = 50
"""Answers to `poll` in which a stored run of a lesson is played: about ten seconds."""

MAX_ROWS = 1000
"""Rows of the loss curve that one call answers with."""

MAX_SAMPLED = 40
"""Steps whose samples one call answers with."""

MAX_NOTES = 100
MAX_TEXT = 2000
"""Characters of a sample that are shown."""

MAX_LAYERS, MAX_HEADS = 24, 16
"""Attention maps in one snapshot that are sent; of more, evenly chosen ones."""

COLUMNS = ("step", "loss", "mean", "lr", "grad_norm", "tokens", "seconds", "time")
"""What is sent of each step. `mean` is the loss to average over: of a decimated curve, that of all steps that a row
stands for."""
LOSS, MEAN, GRAD_NORM, SECONDS = map(COLUMNS.index, ("loss", "mean", "grad_norm", "seconds"))

NOTED = {
    "started": ("device", "threads", "parameters"),
    "paused": (),
    "resumed": (),
    "changed": ("field", "value"),
    "noted": ("text",),
    "diverged": ("loss", "grad_norm"),
    "ended": ("how", "reason"),
}
"""Events that the view shows as notes, and what of them it needs."""


class RunStatus(TypedDict):
    """The state of a run."""

    state: State
    step: int
    total_steps: int
    reason: str
    place: tuple[int, int] | None
    """In the queue: which of how many."""
    alive: bool
    """Whether it trains, or is about to, and accepts commands."""
    shipped: bool
    stored: bool
    """A reference run of a lesson, which is played and never changed."""


class LoggedSample(TypedDict):
    """A text that a run wrote."""

    step: int
    prompt: str
    text: str
    correct: bool | None


class LoggedNote(TypedDict):
    """An event that a view shows as a note."""

    kind: Literal["started", "paused", "resumed", "changed", "noted", "diverged", "ended"]
    step: int
    stays: bool
    """Whether a resumed run leaves it as it is."""
    device: NotRequired[str]
    threads: NotRequired[int]
    parameters: NotRequired[int]
    field: NotRequired[str]
    value: NotRequired[float]
    text: NotRequired[str]
    loss: NotRequired[float]
    grad_norm: NotRequired[float]
    how: NotRequired[str]
    reason: NotRequired[str]


class LoggedWork(TypedDict):
    """What takes long just now."""

    task: str
    done: int
    total: int


class RunBaselines(TypedDict):
    """Validation losses of counting, in nats per token: `engine.data.baselines.Baselines`."""

    unigram: float
    bigram: float
    counted: int


class RunAbout(TypedDict):
    """What does not change while a run trains."""

    name: str
    shipped: bool
    vocabulary: int | None
    uniform: float | None
    """The loss of guessing evenly, ln V, in nats."""
    baselines: RunBaselines | None
    letters: bool
    """Whether its tokens are the characters of a text."""
    total_steps: int
    phases: phases.Phases | None
    tabs: list[str]
    """The tabs on which it shows what it can do."""


class RunNews(TypedDict):
    """What is new in a run since a byte of its log."""

    offset: int
    """Where to ask from next."""
    more: bool
    """Whether there is more to read already."""
    cut: int | None
    """Forget what came after this step: a resumed run repeats it."""
    status: RunStatus
    about: NotRequired[RunAbout]
    """At the run's beginning, and after a cut."""
    columns: dict[str, str]
    """base64 of float64, little-endian, for each of `COLUMNS`."""
    evaluated: list[tuple[int, float, float | None]]
    """Step, loss, accuracy."""
    samples: list[LoggedSample]
    probes: list[int]
    """Steps with recorded attention."""
    saved: list[int]
    """Steps with a checkpoint."""
    working: LoggedWork | None
    """Where that is the newest event."""
    trained: float | None
    """Seconds of training until the last of these events, without pauses; None where the log does not say."""
    notes: list[LoggedNote]


class ProbeMaps(TypedDict):
    """The attention that was recorded at a step."""

    step: int
    layers: list[int]
    heads: list[int]
    length: int
    """T, the tokens of the recorded text."""
    tokens: list[str]
    attention: str
    """base64 of bytes (layers, heads, T, T); 255 is a weight of one."""


@checks.answer
def poll(run_id: str, offset: int) -> RunNews:
    """What is new in this run, for the live view: see `follow` and `about`. A stored run of a lesson is played: each
    answer has a little more of it, and `status` says how far it is."""
    offset = checks.whole("offset", offset, 0, 2**53 - 1)
    run = run_lookup.find(run_id)
    if not run_lookup.is_stored(run):
        return cast("RunNews", follow(run, offset, about))
    size = file_size(run.path / "events.jsonl")
    news = follow(run, offset, about, chunk=max(1, size // PLAYED))
    if news["offset"] < size:
        lines, _ = run.lines(0, news["offset"])
        step = max((getattr(line.message, "step", 0) for line in lines), default=0)
        news["status"] |= {"state": "running", "step": step}
    return cast("RunNews", news | {"more": False})


def follow(
    run: Run,
    offset: int,
    about: Callable[[Run], Mapping[str, Any]],
    also: Callable[[list[Message]], dict[str, Any]] = lambda events: {},
    chunk: int = CHUNK,
) -> dict[str, Any]:
    """`RunNews` since byte `offset` of the run's log, of which at most about `chunk` bytes are read.

    The run's `about` is what that function says, and `also` adds fields of its own from the events that hold.
    """
    lines, after = run.lines(offset, chunk)
    events = [line.message for line in lines]
    held = list(compress(lines, standing(events)))
    news = digest(held) | {"cut": restarted(events)} | also([line.message for line in held])
    run_queue.see([run.id])
    if offset == 0 or news["cut"] is not None:
        news["about"] = about(run)
    return news | {
        "offset": after,
        "more": after - offset > chunk // 2,
        "status": status_of(run),
    }


def status_of(run: Run) -> RunStatus:
    """The state of a run."""
    status, shipped = run_queue.status(run), run_lookup.is_shipped(run)
    return {
        "state": status.state,
        "step": status.step,
        "total_steps": status.total_steps,
        "reason": checks.without_paths(status.reason),
        "place": run_queue.place(run.id),
        "alive": not shipped and (status.alive or status.state in ("waiting", "starting")),
        "shipped": shipped,
        "stored": run_lookup.is_stored(run),
    }


def digest(lines: Sequence[Line]) -> dict[str, Any]:
    """The fields of `RunNews` that are read from events."""
    log = History(line.message for line in lines)
    last = lines[-1].message if lines else None
    samples: list[LoggedSample] = [
        {
            "step": event.step,
            "prompt": event.prompt[:MAX_TEXT],
            "text": event.text[:MAX_TEXT],
            "correct": event.correct,
        }
        for event in log.of(Sampled)
    ]
    notes = [
        {"kind": event.type, "step": getattr(event, "step", 0), "stays": event.type not in REPEATED}
        | checks.public_event({name: getattr(event, name) for name in NOTED[event.type]})
        for event, _, _ in lines
        if event.type in NOTED
    ]
    table = decimate(table_of(lines), MAX_ROWS)
    return {
        "columns": {name: base64_of(table[:, i]) for i, name in enumerate(COLUMNS)},
        "evaluated": [[event.step, event.loss, event.accuracy] for event in log.of(Evaluated)],
        "samples": thinned(samples, MAX_SAMPLED),
        "probes": [event.step for event in log.of(Probed)],
        "saved": [event.step for event in log.of(Saved)],
        "working": {name: getattr(last, name) for name in ("task", "done", "total")}
        if isinstance(last, Working)
        else None,
        "trained": max((line.trained for line in lines if line.trained is not None), default=None),
        "notes": notes[-MAX_NOTES:],
    }


def table_of(lines: Iterable[Line]) -> Rows:
    """`Stepped` events as rows of `COLUMNS`."""
    rows = [
        (e.step, e.loss, e.loss, e.lr, e.grad_norm, e.tokens, e.seconds, time)
        for e, time, _ in lines
        if isinstance(e, Stepped)
    ]
    return np.array(rows, np.float64).reshape(-1, len(COLUMNS))


def decimate(rows: Rows, most: int) -> Rows:
    """About `most` rows that draw the same curves: peaks of the loss and of the gradient survive.

    `mean` and `seconds` become the mean over the rows that a kept one stands for.
    """
    if len(rows) <= most:
        return rows
    kept = extremes([rows[:, LOSS], rows[:, GRAD_NORM]], most)
    before = np.concatenate([[-1], kept[:-1]])
    thin = rows[kept]
    for column in (MEAN, SECONDS):
        passed = np.concatenate([[0.0], rows[:, column].cumsum()])
        thin[:, column] = (passed[kept + 1] - passed[before + 1]) / (kept - before)
    return thin


def thinned(samples: list[LoggedSample], most: int) -> list[LoggedSample]:
    """The samples of at most `most` steps, evenly chosen, the first and the last among them."""
    steps = sorted({sample["step"] for sample in samples})
    if len(steps) <= most:
        return samples
    kept = {steps[round(i)] for i in np.linspace(0, len(steps) - 1, most)}
    return [sample for sample in samples if sample["step"] in kept]


def about(run: Run) -> RunAbout:
    """What the view says of the run itself."""
    vocabulary = run_lookup.vocabulary(run)
    counted = run_data.baselines(run)
    return {
        "name": run.name,
        "shipped": run_lookup.is_shipped(run),
        "vocabulary": vocabulary,
        "uniform": math.log(vocabulary) if vocabulary else None,
        "baselines": None if counted is None else cast("RunBaselines", asdict(counted)),
        "letters": run_data.letters(run),
        "total_steps": run.config.train.total_steps,
        "phases": phases.phases(run),
        "tabs": tabs(run),
    }


def tabs(run: Run) -> list[str]:
    """The tabs on which a trained run shows what it can do."""
    model = run.config.model
    if model.n_encoder_layer is not None:
        return ["translate"]
    return ["generate", "inside", *(["experts"] if model.n_experts else [])]


@checks.answer
def probe(run_id: str, step: int) -> ProbeMaps:
    """The attention that was recorded at this step."""
    step = checks.whole("step", step, 0, MAX_STEP)
    run = run_lookup.find(run_id)
    path = run.snapshot_path(f"step-{step:06d}.npz")
    if not path.exists():
        raise ValueError(f"“{run.name}” has no attention recorded at step {step}.")
    snapshot = probes.snapshot(path)
    pieces = run.tokenizer().pieces
    layers = chosen(snapshot.attention.shape[0], MAX_LAYERS)
    heads = chosen(snapshot.attention.shape[1], MAX_HEADS)
    return {
        "step": snapshot.step,
        "layers": layers,
        "heads": heads,
        "length": len(snapshot.tokens),
        "tokens": [models.piece(pieces, int(token)) for token in snapshot.tokens],
        "attention": base64_of(snapshot.attention[np.ix_(layers, heads)]),
    }


def chosen(count: int, most: int) -> list[int]:
    """All of `count` indices, or `most` of them, evenly spread."""
    return [round(i) for i in np.linspace(0, count - 1, min(count, most))]


SERVER = (poll, probe)
"""What `view("live", SERVER, ...)` may ask."""
