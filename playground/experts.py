"""Experts, the server's side: how a run shares its work among experts, live and afterwards.

`follow` reads on in a run's log from a byte offset and remembers nothing; `balance` and `start_pair` act
on runs. How single tokens are routed is in `routes`. Any client may call what is served here, so every
argument is checked and what is refused is answered with {"error": "a sentence for the learner"}.

Lx expert layers, E experts, R records. Nothing here loads PyTorch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.config import RunConfig
from engine.estimate import active_parameters, flops_per_step, parameters
from engine.events import BALANCE, Stop
from engine.jsonl import read_stored
from engine.presets import PRESETS
from engine.runs import MAX_OWN_TEXT, TEXT_PATH, Run, Status
from playground import actions, answers, controls, library, live, routes, sessions, settings
from playground.plan import stored_text

CHUNK = 1 << 20
"""Bytes of a log that one call reads: with 16 layers of 64 experts a record takes 16 KB."""
MOST_RECORDS = 500
"""Records that one call answers with; a run's own log holds no more."""
MOST_STEPS = 600
"""Points of the loss curve that one call answers with."""
MOST_NOTES = 100

PRESET = "experts"
FALLBACK = {"n_experts": 8, "top_k": 1, "router": "switch"}
"""What the way to a first run with experts sets, where there is no preset of that name."""

ON, BIAS_RATE = 0.01, 0.01
"""The weight of the Switch loss, and the rate of the bias, that one click sets."""

UNBALANCED: dict[str, float] = {name: 0.0 for name in BALANCE if name != "z_loss"}
"""No balancing. The z loss keeps a router's logits small and balances nothing, so it stays."""
BIASED = UNBALANCED | {"bias_rate": BIAS_RATE}

TEXT = {
    "changes": "Changes are a list of settings with their values.",
    "unbalanced": "Balancing changes nothing with the router “{router}”.",
    "one": "Here one run trains at a time, so two cannot be compared while they train.",
    "on": "balance on · {name}",
    "off": "balance off · {name}",
}

# A run's log ---------------------------------------------------------------------------------------


@answers.answer
def follow(run_id: str, offset: int) -> dict[str, Any]:
    """What is new in this run since byte `offset` of its log.

    {"offset", "more", "status", "cut": as `live.poll`; "steps": {"step", "loss", "seconds"} base64
    of float64, "evaluated": [[step, loss]], "notes": [[step, field, value]] for every change,
    "probes": [step], "saved": [step], "routed": see `records`, "about": see `about`, at the
    beginning}
    """
    offset = answers.whole("offset", offset, 0, 2**53)
    run = actions.find(run_id)
    events, after = run.raw_events(offset, CHUNK)
    news = digest(events, run.config)
    if offset == 0 or news["cut"] is not None:
        news["about"] = about(run)
    status = sessions.status(run)
    return news | {
        "offset": after,
        "more": after - offset > CHUNK // 2,
        "status": {
            "state": status.state,
            "step": status.step,
            "total": status.total_steps,
            "tunable": status.alive and not library.is_shipped(run),
            "goes_on": _goes_on(run, status),
        },
    }


def _goes_on(run: Run, status: Status) -> bool:
    """Does it train, or may it yet? An imported run never does: it has no optimizer."""
    if status.alive or status.state in ("new", "waiting", "starting"):
        return True
    over = status.state in ("finished", "diverged")
    return not over and any(checkpoint.resumable for checkpoint in run.checkpoints())


def digest(events: list[dict[str, Any]], config: RunConfig) -> dict[str, Any]:
    """Events of a run's log as compact columns: `follow`'s answer without place and status."""
    stepped: list[dict[str, Any]] = []
    routed: list[dict[str, Any]] = []
    evaluated: list[list[float]] = []
    notes: list[list[Any]] = []
    probed: list[int] = []
    saved: list[int] = []
    standing, cut = live.standing(events)
    for event in standing:
        kind, step = event.get("type"), event["step"]
        if kind == "stepped":
            stepped.append(event)
        elif kind == "routed":
            routed.append(event)
        elif kind == "evaluated":
            evaluated.append([step, event["loss"]])
        elif kind == "changed":
            notes.append([step, event["field"], event["value"]])
        elif kind == "probed":
            probed.append(step)
        elif kind == "saved":
            saved.append(step)
    table = live.decimate(live.table_of(stepped), MOST_STEPS)
    columns = {name: table[:, live.COLUMNS.index(name)] for name in ("step", "loss", "seconds")}
    return {
        "cut": cut,
        "steps": {name: answers.packed(column) for name, column in columns.items()},
        "evaluated": evaluated,
        "notes": notes[-MOST_NOTES:],
        "probes": probed,
        "saved": saved,
        "routed": records(routed, config),
    }


def records(routed: list[dict[str, Any]], config: RunConfig) -> dict[str, Any]:
    """`Routed` events as arrays in base64; one that does not fit the model is left out.

    {"count": R, "step": float64 (R,), "load" and "probability": uint16 (R, Lx, E), 65535 is one and
    only zero is zero, "dropped" and "entropy": float32 (R, Lx)}
    """
    layers, experts = len(config.model.moe_layers), config.model.n_experts or 0
    shapes = {
        "load": (layers, experts),
        "probability": (layers, experts),
        "dropped": (layers,),
        "entropy": (layers,),
    }
    kept: list[tuple[int, list[npt.NDArray[np.float64]]]] = []
    for event in _thinned(routed):
        arrays = [np.array(event[name], np.float64) for name in shapes]
        if [array.shape for array in arrays] == list(shapes.values()):
            kept.append((event["step"], arrays))
    columns = {
        name: np.array([arrays[i] for _, arrays in kept]).reshape(len(kept), *shape)
        for i, (name, shape) in enumerate(shapes.items())
    }
    return {
        "count": len(kept),
        "step": answers.packed(np.array([step for step, _ in kept], np.float64)),
        "load": answers.packed(_shares(columns["load"])),
        "probability": answers.packed(_shares(columns["probability"])),
        "dropped": answers.packed(columns["dropped"].astype(np.float32)),
        "entropy": answers.packed(columns["entropy"].astype(np.float32)),
    }


def _thinned(routed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """At most `MOST_RECORDS`, evenly chosen, the first and the last among them."""
    chosen = live.chosen(len(routed), MOST_RECORDS) if routed else []
    return [routed[i] for i in chosen]


def _shares(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint16]:
    return np.ceil(65_535 * values.clip(0, 1) - 1e-4).astype(np.uint16)


def about(run: Run) -> dict[str, Any]:
    """What the view says of the run itself; `instead` is what to show where it has no experts."""
    model, vocabulary = run.config.model, library.vocabulary(run)
    told: dict[str, Any] = {
        "name": run.name,
        "experts": model.n_experts,
        "layers": list(model.moe_layers),
        "top_k": model.top_k,
        "router": model.router,
        "capacity": model.capacity_factor,
        "shipped": library.is_shipped(run),
        "total": run.config.train.total_steps,
        "data": f"{run.config.data.to_json()} {vocabulary} {_own_text(run)}",
        "flops": None,
        "parameters": None,
        "active": None,
    }
    if vocabulary is not None:
        told["flops"] = flops_per_step(run.config, vocabulary)
        told["parameters"] = parameters(model, vocabulary)["total"]
        told["active"] = active_parameters(model, vocabulary)
    if model.n_experts is None:
        told["instead"] = example()
        told["start"] = way_to_train()
    else:
        told["balance"] = {name: getattr(run.config.train, name) for name in BALANCE}
        told["controls"] = [asdict(each) for each in weights(run.config)]
    return told


def _own_text(run: Run) -> str:
    """Tells a learner's own text from any other: all are stored in the same place of a run."""
    if run.config.data.train_data_path != TEXT_PATH:
        return ""
    try:
        content = read_stored(run.path / TEXT_PATH, MAX_OWN_TEXT)
        return hashlib.sha256(content).hexdigest()
    except OSError:
        return f"gone from {run.id}"


def example() -> str | None:
    """The id of the shipped run with experts, the one called like the preset first; or None."""
    with_experts = [run for run in library.shipped() if run.config.model.n_experts]
    with_experts.sort(key=lambda run: run.id != PRESET)
    return with_experts[0].id if with_experts else None


def way_to_train() -> str:
    """The query of an address where the form is set to train a run with experts."""
    if PRESET in PRESETS:
        return f"?preset={PRESET}"
    return "?" + "&".join(f"c.{name}={value}" for name, value in FALLBACK.items())


def weights(config: RunConfig) -> list[controls.Control]:
    """The controls of what balances this run's experts, in the order of the engine."""
    return [controls.CONTROLS[name] for name in BALANCE if controls.matters(name, config)]


# Acting on runs ------------------------------------------------------------------------------------


@answers.answer
def balance(run_id: str, changes: object, key: str = "") -> dict[str, Any]:
    """Change how a running run balances: {field: value}, or "bias" or "off" for all that balance."""
    named = {"bias": BIASED, "off": UNBALANCED}
    wanted = named.get(changes) if isinstance(changes, str) else changes
    if not isinstance(wanted, dict) or not 0 < len(wanted) <= len(BALANCE):
        raise ValueError(TEXT["changes"])
    for field, value in wanted.items():
        actions.tell(run_id, "change", value, field, key)
    return {}


def start_pair(run_id: object, new_keys: tuple[str, str] = ("", "")) -> tuple[Run, Run]:
    """Two runs of this one's configuration, same seed and same batches: with balancing, and without.

    Where the second cannot start, the first is told to stop. They are changed with `new_keys`, one each. Raises `ValueError` in a sentence for the learner, or `OSError`.
    """
    run = routes.with_experts(run_id)
    if not controls.matters("switch_loss", run.config):
        raise ValueError(TEXT["unbalanced"].format(router=run.config.model.router))
    if settings.current().max_runs == 1:
        raise ValueError(TEXT["one"])
    actions.check_host(more=2)
    with_balance = _started(run, balanced(run.config), TEXT["on"], new_keys[0])
    try:
        return with_balance, _started(run, UNBALANCED, TEXT["off"], new_keys[1])
    except (ValueError, OSError):
        with suppress(OSError):  # a full disk, perhaps, which is why the second could not start
            if not sessions.leave(with_balance.id):
                with_balance.send(Stop())
        raise


def balanced(config: RunConfig) -> dict[str, float]:
    """What balances in this configuration; where nothing does, the Switch loss at its usual weight."""
    given = {name: getattr(config.train, name) for name in BALANCE}
    if not any(value for name, value in given.items() if name != "z_loss"):
        given["switch_loss"] = ON
    return given


def _started(run: Run, changes: dict[str, float], name: str, key: str) -> Run:
    train = type(run.config.train).parse(run.config.train.model_dump() | changes)
    config = run.config.model_copy(update={"train": train})
    own = config.data.train_data_path == TEXT_PATH
    started = library.store().create(
        config, name.format(name=run.name), text=stored_text(run) if own else None
    )
    return actions.begin(started, key)


@answers.answer
def runs(ids: list[str]) -> dict[str, Any]:
    """The runs that one may be compared with: shipped ones, and of `ids` those that there are."""
    listed = actions.runs(ids)
    return {
        group: [
            entry | {"experts": _experts(entry["id"])}
            for entry in entries
            if "damaged" not in entry
        ]
        for group, entries in listed.items()
    }


def _experts(run_id: str) -> int | None:
    return library.find(run_id).config.model.n_experts


SERVED: tuple[Callable[..., dict[str, Any]], ...] = (
    follow,
    routes.look,
    routes.specialise,
    balance,
    runs,
)
"""What the view may call."""
