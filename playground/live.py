"""The server's side of the live view: what happened in a run since the page last asked.

`poll` reads on from a byte offset and answers with compact columns; it remembers nothing, so that a
page may be reloaded, several may look at one run, and a restarted server goes on as if nothing had
been. `probe` gives one recorded attention snapshot as bytes. Both take what any client may send, and
answer {"error": sentence} where it makes no sense.
"""

from __future__ import annotations

import base64
import math
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.runs import REPEATED, Run
from playground import answers, library, probes, sessions
from playground.curves import extremes

Rows = npt.NDArray[np.float64]

CHUNK = 1 << 18
"""Bytes of a run's log that one call reads: about 1500 steps."""

MOST_ROWS = 1000
"""Rows of the loss curve that one call answers with."""

MOST_SAMPLED = 40
"""Steps whose samples one call answers with."""

MOST_NOTES = 100
MOST_TEXT = 2000
"""Characters of a sample that are shown."""

MOST_LAYERS, MOST_HEADS = 24, 16
"""Attention maps in one snapshot that are sent; of more, evenly chosen ones."""

COLUMNS = ("step", "loss", "lr", "grad_norm", "tokens", "seconds", "time")
LOSS, GRAD_NORM, SECONDS = (COLUMNS.index(name) for name in ("loss", "grad_norm", "seconds"))

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


def poll(run_id: object, offset: object) -> dict[str, Any]:
    """What is new in this run since byte `offset` of its log.

    {"offset": where to ask from next, "more": is there more to read already, "status": {...},
    "cut": forget what came after this step (a resumed run repeats it) or None, "columns": {name:
    base64 of float64 little-endian} as in `COLUMNS`, "evaluated": [[step, loss, accuracy]],
    "samples": [{"step", "prompt", "text", "correct"}], "probes": [step], "saved": last checkpoint's
    step or None, "working": {"task", "done", "total"} where that is the newest, or None, "notes": [{"kind",
    "step", ...}], "about": {...} at the run's beginning}
    """
    if not isinstance(offset, int) or isinstance(offset, bool) or not 0 <= offset < 2**53:
        return {"error": f"{str(offset)[:40]!r} is not a place in a run's log."}
    try:
        run = find(run_id)
        events, after = run.raw_events(offset, CHUNK)
        status = sessions.status(run)
        sessions.see([run.id])
        news = digest(events)
        if offset == 0 or news["cut"] is not None:
            news["about"] = about(run)
    except (ValueError, OSError) as error:
        return {"error": answers.sentence(error)}
    return news | {
        "offset": after,
        "more": after - offset > CHUNK // 2,
        "status": {
            "state": status.state,
            "step": status.step,
            "total_steps": status.total_steps,
            "reason": answers.without_paths(status.reason),
            "place": sessions.place(run.id),
        },
    }


def digest(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Events of a run's log as compact columns, `poll`'s answer without place and status."""
    rows: list[dict[str, Any]] = []
    evaluated: list[list[float | None]] = []
    samples: list[dict[str, Any]] = []
    probes: list[int] = []
    notes: list[dict[str, Any]] = []
    saved: int | None = None
    working: dict[str, Any] | None = None
    held, cut = standing(events)
    for event in held:
        kind, step, working = event.get("type"), event["step"], None
        if kind == "stepped":
            rows.append(event)
        elif kind == "evaluated":
            evaluated.append([step, event["loss"], event["accuracy"]])
        elif kind == "sampled":
            samples.append(
                {
                    "step": step,
                    "prompt": event["prompt"][:MOST_TEXT],
                    "text": event["text"][:MOST_TEXT],
                    "correct": event["correct"],
                }
            )
        elif kind == "working":
            working = {name: event[name] for name in ("task", "done", "total")}
        elif kind == "probed":
            probes.append(step)
        elif kind == "saved":
            saved = step
        elif kind in NOTED:
            notes.append({"kind": kind, "step": step} | {name: event[name] for name in NOTED[kind]})
    table = decimate(table_of(rows), MOST_ROWS)
    return {
        "cut": cut,
        "columns": {name: packed(table[:, i]) for i, name in enumerate(COLUMNS)},
        "evaluated": evaluated,
        "samples": thinned(samples, MOST_SAMPLED),
        "probes": probes,
        "saved": saved,
        "working": working,
        "notes": notes[-MOST_NOTES:],
    }


def standing(events: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], int | None]:
    """The events that have a step and still hold, and the step after which older ones do not.

    The same rule as `engine.runs.current`: a run that was killed goes on from its checkpoint, says so
    with `started`, and tells again what came after it, as far as that is `REPEATED`.
    """
    kept: list[dict[str, Any]] = []
    cut: int | None = None
    for event in events:
        step = event.get("step")
        if not isinstance(step, int):
            continue
        if event.get("type") == "started":
            cut = step if cut is None else min(cut, step)
            kept = [old for old in kept if old["step"] <= step or old.get("type") not in REPEATED]
        kept.append(event)
    return kept, cut


def table_of(steps: list[dict[str, Any]]) -> Rows:
    """`Stepped` events as rows of `COLUMNS`."""
    values = itemgetter(*COLUMNS)
    return np.array([values(step) for step in steps], np.float64).reshape(-1, len(COLUMNS))


def decimate(rows: Rows, most: int) -> Rows:
    """About `most` rows that draw the same curves: peaks of the loss and of the gradient survive.

    `seconds` becomes the mean over the rows that a kept one stands for.
    """
    if len(rows) <= most:
        return rows
    kept = extremes([rows[:, LOSS], rows[:, GRAD_NORM]], most)
    before = np.concatenate([[-1], kept[:-1]])
    passed = np.concatenate([[0.0], rows[:, SECONDS].cumsum()])
    thin = rows[kept]
    thin[:, SECONDS] = (passed[kept + 1] - passed[before + 1]) / (kept - before)
    return thin


def thinned(samples: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """The samples of at most `most` steps, evenly chosen, the first and the last among them."""
    steps = sorted({sample["step"] for sample in samples})
    if len(steps) <= most:
        return samples
    kept = {steps[round(i)] for i in np.linspace(0, len(steps) - 1, most)}
    return [sample for sample in samples if sample["step"] in kept]


def about(run: Run) -> dict[str, Any]:
    """What the view says of the run itself. `uniform` is the loss of guessing evenly, ln V, in nats."""
    vocabulary = library.vocabulary(run)
    return {
        "name": run.name,
        "shipped": library.is_shipped(run),
        "vocabulary": vocabulary,
        "uniform": math.log(vocabulary) if vocabulary else None,
        "total_steps": run.config.train.total_steps,
    }


def probe(run_id: object, step: object) -> dict[str, Any]:
    """The attention that was recorded at this step.

    {"step", "layers": [index], "heads": [index], "length": T, "tokens": [text], "attention": base64
    of bytes (layers, heads, T, T), 255 is a weight of one}
    """

    if not isinstance(step, int) or isinstance(step, bool) or not 0 <= step < 10**12:
        return {"error": f"{str(step)[:40]!r} is not a step."}
    try:
        run = find(run_id)
        path = run.snapshot_path(f"step-{step:06d}.npz")
        if not path.exists():
            return {"error": f"“{run.name}” has no attention recorded at step {step}."}
        snapshot = probes.snapshot(path)
        pieces = run.tokenizer().pieces
    except (ValueError, OSError) as error:
        return {"error": answers.sentence(error)}
    layers = chosen(snapshot.attention.shape[0], MOST_LAYERS)
    heads = chosen(snapshot.attention.shape[1], MOST_HEADS)
    return {
        "step": snapshot.step,
        "layers": layers,
        "heads": heads,
        "length": len(snapshot.tokens),
        "tokens": [pieces[i] if i < len(pieces) else "?" for i in snapshot.tokens.tolist()],
        "attention": packed(snapshot.attention[np.ix_(layers, heads)]),
    }


def find(run_id: object) -> Run:
    """The run of this id. Raises `ValueError` in a sentence for the learner."""
    if not isinstance(run_id, str) or not 0 < len(run_id) <= 64:
        raise ValueError("No run is chosen yet.")
    return library.find(run_id)


def chosen(count: int, most: int) -> list[int]:
    """All of `count` indices, or `most` of them, evenly spread."""
    return [round(i) for i in np.linspace(0, count - 1, min(count, most))]


def packed(values: npt.NDArray[Any]) -> str:
    """An array's bytes, little-endian, in base64."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


SERVER = (poll, probe)
"""What `view("live", SERVER, ...)` may ask."""
