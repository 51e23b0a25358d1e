"""Server functions of the tab Experts: the load of a run's experts, during training and afterwards.

`follow` reads a run's log from a byte offset and keeps no state. `balance` and `start_pair` act on runs.
`expert_routing` shows the routing of single tokens. Any client may call these functions, so every argument is
checked, and errors are returned as {"error": "a sentence for the user"}.

Lx expert layers, E experts, R records. Nothing here loads PyTorch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.config import VALUE_NAMES, RunConfig
from engine.estimate import active_parameters, flops_per_step, parameters
from engine.files import read_stored
from engine.presets import PRESETS
from engine.runs import forks
from engine.runs.events import BALANCE, Message, Routed, Stop
from engine.runs.store import MAX_OWN_TEXT, TEXT_PATH, Run, Status
from playground import settings
from playground.hosting import actions, checks, run_feed, run_queue
from playground.planning import controls
from playground.runs import run_lookup
from playground.tabs.experts import expert_routing

CHUNK = 1 << 20
"""Bytes of a log that one call reads. A record of 16 layers with 64 experts takes 16 KB."""
MAX_RECORDS = 500
"""Maximum records in one answer, which is also the maximum of a run's log."""

PRESET = "experts"
FALLBACK = {"n_experts": 8, "top_k": 1, "router": "switch"}
"""Settings of a first run with experts, if there is no preset of that name."""

ON, BIAS_RATE = 0.01, 0.01
"""The weight of the Switch loss and the bias rate that one click sets."""

UNBALANCED: dict[str, float] = {name: 0.0 for name in BALANCE if name != "z_loss"}
"""No balancing. The z-loss is kept, since it limits the router's logits and does not balance."""
BIASED = UNBALANCED | {"bias_rate": BIAS_RATE}

TEXT = {
    "changes": "Changes are a list of settings with their values.",
    "unbalanced": "Balancing has no effect with the router “{router}”.",
    "one": "This host trains one run at a time, so two runs cannot be compared while they train.",
    "on": "balance on · {name}",
    "off": "balance off · {name}",
}

# A run's log ---------------------------------------------------------------------------------------


@checks.answer
def follow(run_id: str, offset: int) -> dict[str, Any]:
    """What is new in this run since byte `offset` of its log: as `run_feed.follow`, and "routed": see `records`.

    `status` also has "tunable" (its balance weights can be changed) and "goes_on".
    """
    offset = checks.whole("offset", offset, 0, 2**53 - 1)
    run = run_lookup.find(run_id)

    def routed(events: list[Message]) -> dict[str, Any]:
        return {"routed": records([e for e in events if isinstance(e, Routed)], run.config)}

    news = run_feed.follow(run, offset, about, routed, CHUNK)
    status = run_queue.status(run)
    news["status"] |= {
        "tunable": status.alive and not run_lookup.is_shipped(run),
        "goes_on": _goes_on(run, status),
    }
    return news


def _goes_on(run: Run, status: Status) -> bool:
    """Whether the run trains or can be resumed. Imported runs have no optimizer state and cannot."""
    if status.alive or status.state in ("new", "waiting", "starting"):
        return True
    over = status.state in ("finished", "diverged")
    return not over and any(checkpoint.resumable for checkpoint in run.checkpoints())


def records(routed: Sequence[Routed], config: RunConfig) -> dict[str, Any]:
    """Convert `Routed` events to base64 arrays; events that do not fit the model are skipped.

    Returns {"count": R, "step": float64 (R,), "load" and "probability": uint16 (R, Lx, E), where 65535 is
    one and positive shares stay positive, "dropped" and "entropy": float32 (R, Lx)}.
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
        arrays = [np.array(getattr(event, name), np.float64) for name in shapes]
        if [array.shape for array in arrays] == list(shapes.values()):
            kept.append((event.step, arrays))
    columns = {
        name: np.array([arrays[i] for _, arrays in kept]).reshape(len(kept), *shape)
        for i, (name, shape) in enumerate(shapes.items())
    }
    return {
        "count": len(kept),
        "step": checks.base64_of(np.array([step for step, _ in kept], np.float64)),
        "load": checks.base64_of(_shares(columns["load"])),
        "probability": checks.base64_of(_shares(columns["probability"])),
        "dropped": checks.base64_of(columns["dropped"].astype(np.float32)),
        "entropy": checks.base64_of(columns["entropy"].astype(np.float32)),
    }


def _thinned(routed: Sequence[Routed]) -> list[Routed]:
    """At most `MAX_RECORDS` events, evenly spaced, including the first and the last."""
    chosen = run_feed.chosen(len(routed), MAX_RECORDS) if routed else []
    return [routed[i] for i in chosen]


def _shares(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint16]:
    return np.ceil(65_535 * values.clip(0, 1) - 1e-4).astype(np.uint16)


def about(run: Run) -> dict[str, Any]:
    """Facts about the run for the view; `instead` is the run to show if this one has no experts."""
    model, vocabulary = run.config.model, run_lookup.vocabulary(run)
    facts: dict[str, Any] = {
        "name": run.name,
        "experts": model.n_experts,
        "layers": list(model.moe_layers),
        "top_k": model.top_k,
        "router": model.router,
        "router_name": VALUE_NAMES.get(model.router, model.router),
        "capacity": model.capacity_factor,
        "shipped": run_lookup.is_shipped(run),
        "total_steps": run.config.train.total_steps,
        "data": f"{run.config.data.to_json()} {vocabulary} {_own_text(run)}",
        "flops": None,
        "parameters": None,
        "active": None,
    }
    if vocabulary is not None:
        facts["flops"] = flops_per_step(run.config, vocabulary)
        facts["parameters"] = parameters(model, vocabulary)["total"]
        facts["active"] = active_parameters(model, vocabulary)
    if model.n_experts is None:
        facts["instead"] = example()
        facts["start"] = start_query()
    else:
        facts["balance"] = {name: getattr(run.config.train, name) for name in BALANCE}
        facts["controls"] = [asdict(each) for each in balance_controls(run.config)]
    return facts


def _own_text(run: Run) -> str:
    """A digest of the user's own text, since all own texts have the same path in a run; else ''."""
    if run.config.data.train_data_path != TEXT_PATH:
        return ""
    try:
        content = read_stored(run.path / TEXT_PATH, MAX_OWN_TEXT)
        return hashlib.sha256(content).hexdigest()
    except OSError:
        return f"gone from {run.id}"


def example() -> str | None:
    """The id of a shipped run with experts, preferably `PRESET`; or None."""
    with_experts = [run for run in run_lookup.shipped() if run.config.model.n_experts]
    with_experts.sort(key=lambda run: run.id != PRESET)
    return with_experts[0].id if with_experts else None


def start_query() -> str:
    """The query of an address that sets the form to a run with experts."""
    if PRESET in PRESETS:
        return f"?preset={PRESET}"
    return "?" + "&".join(f"c.{name}={value}" for name, value in FALLBACK.items())


def balance_controls(config: RunConfig) -> list[controls.Control]:
    """The balancing controls that apply to this configuration, in the order of `BALANCE`."""
    return [controls.CONTROLS[name] for name in BALANCE if controls.matters(name, config)]


# Acting on runs ------------------------------------------------------------------------------------


@checks.answer
def balance(run_id: str, changes: object, key: str = "") -> dict[str, Any]:
    """Change the balancing of an active run: {field: value}, or "bias" or "off" for all balancing fields."""
    named = {"bias": BIASED, "off": UNBALANCED}
    wanted = named.get(changes) if isinstance(changes, str) else changes
    if not isinstance(wanted, dict) or not 0 < len(wanted) <= len(BALANCE):
        raise ValueError(TEXT["changes"])
    for field, value in wanted.items():
        actions.send_command(run_id, "change", value, field, key)
    return {}


def start_pair(run_id: object, new_keys: tuple[str, str] = ("", "")) -> tuple[Run, Run]:
    """Start two runs of this run's configuration, with the same seed and batches, with and without balancing.

    If the second cannot start, the first is stopped. `new_keys`, one for each, allow to change them. Raises
    `ValueError` with a sentence for the user, or `OSError`.
    """
    run = expert_routing.with_experts(run_id)
    if not controls.matters("switch_loss", run.config):
        raise ValueError(TEXT["unbalanced"].format(router=run.config.model.router))
    if settings.current().max_runs == 1:
        raise ValueError(TEXT["one"])
    actions.check_host(more=2)
    with_balance = _started(run, balanced(run.config), TEXT["on"], new_keys[0])
    try:
        return with_balance, _started(run, UNBALANCED, TEXT["off"], new_keys[1])
    except (ValueError, OSError):
        with suppress(OSError):  # for example a full disk, which also stopped the second
            if not run_queue.leave(with_balance.id):
                with_balance.send(Stop())
        raise


def balanced(config: RunConfig) -> dict[str, float]:
    """The balancing fields of this configuration; without any, the Switch loss at its usual weight."""
    given = {name: getattr(config.train, name) for name in BALANCE}
    if not any(value for name, value in given.items() if name != "z_loss"):
        given["switch_loss"] = ON
    return given


def _started(run: Run, changes: dict[str, float], name: str, key: str) -> Run:
    started = forks.rerun(run_lookup.store(), run, name.format(name=run.name), changes)
    return actions.begin(started, key)


@checks.answer
def runs(ids: list[str]) -> dict[str, Any]:
    """The runs available for comparison: the shipped ones, and those of `ids` that exist."""
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
    return run_lookup.find(run_id).config.model.n_experts


SERVED: checks.Served = (
    follow,
    expert_routing.look,
    expert_routing.specialise,
    balance,
    runs,
)
"""The functions that the view may call."""
