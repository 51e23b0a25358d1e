"""Experts, the server's side: how a run's tokens are routed, live and at any recorded step.

`follow` reads on in a run's log from a byte offset and remembers nothing; `look` routes one text at
one step; `specialise` counts kinds of tokens against experts on held-out data. `balance` and
`start_pair` act on runs. Any client may call what is served here, so every argument is checked and
what is refused is answered with {"error": "a sentence for the learner"}.

Lx expert layers, E experts, T tokens, R records. Nothing loads PyTorch but `look` and `specialise`.
"""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from engine import specialisation as special
from engine.config import ConfigError, RunConfig, fields
from engine.estimate import active_parameters, flops_per_step, parameters
from engine.events import BALANCE, Stop
from engine.presets import PRESETS
from engine.runs import TEXT_PATH, Run, RunError, Status
from engine.tokenizers import TokenizerError, load_tokenizer
from playground import actions, answers, controls, inference, library, live, probes, sessions
from playground.plan import stored_text

if TYPE_CHECKING:
    from playground.inference import Loaded

CHUNK = 1 << 20
"""Bytes of a log that one call reads: with 16 layers of 64 experts a record takes 16 KB."""
MOST_RECORDS = 500
"""Records that one call answers with; a run's own log holds no more."""
MOST_STEPS = 600
"""Points of the loss curve that one call answers with."""
MOST_NOTES = 100
MAX_TOKENS = 128
"""The longest text that is routed."""
MAX_CELLS = 1 << 18
"""Lx x T x E of one answer: large models get a shorter text."""
SAMPLE = 4096
"""Held-out tokens over which kinds of tokens are counted, at most."""
SAMPLE_FLOPS = 4e9
"""And no more than this much work, so that a large model answers as soon."""

ENDING = 3.0
"""Seconds that the process of a run may take to end after it said so."""
TAKEN_BACK = 10.0
"""And those that half a pair may take until it is deleted."""
OVER = ("finished", "stopped", "diverged", "failed")
REPEATED = ("stepped", "routed", "evaluated", "changed", "probed")
"""Events that a resumed run tells again."""

PRESET = "experts"
FALLBACK = {"n_experts": 8, "top_k": 1, "router": "switch"}
"""What the way to a first run with experts sets, where there is no preset of that name."""

ON, BIAS_RATE = 0.01, 0.01
"""The weight of the Switch loss, and the rate of the bias, that one click sets."""

UNBALANCED: dict[str, float] = {name: 0.0 for name in BALANCE if name != "z_loss"}
"""No balancing. The z loss keeps a router's logits small and balances nothing, so it stays."""
BIASED = UNBALANCED | {"bias_rate": BIAS_RATE}

TEXT = {
    "dense": "“{name}” has no experts: every block has one feed-forward.",
    "empty": "Type at least one character: a router needs something to send.",
    "pending": "“{name}” has recorded nothing yet: it does so as soon as it trains.",
    "data": "The held-out data of “{name}” cannot be read any more: {reason}",
    "tokens": "The data that “{name}” is configured with has other tokens than the model, so nothing "
    "can be counted on it.",
    "changes": "Changes are a list of settings with their values.",
    "unbalanced": "Balancing changes nothing with the router “{router}”.",
    "one": "Here one run trains at a time, so two cannot be compared while they train.",
    "places": "A pair needs two free places: at most {limit} runs train at once, and {training} "
    "train now. Stop what trains first.",
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
    events, after = _read(run, offset)
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
    if status.alive or status.state in ("new", "starting"):
        return True
    over = status.state in ("finished", "diverged")
    return not over and any(checkpoint.resumable for checkpoint in run.checkpoints())


def _read(run: Run, offset: int) -> tuple[list[dict[str, Any]], int]:
    try:
        return run.raw_events(offset, CHUNK)
    except OSError as error:
        raise RunError(str(error)) from None


def digest(events: list[dict[str, Any]], config: RunConfig) -> dict[str, Any]:
    """Events of a run's log as compact columns: `follow`'s answer without place and status."""
    stepped: list[dict[str, Any]] = []
    routed: list[dict[str, Any]] = []
    evaluated: list[list[float]] = []
    notes: list[list[Any]] = []
    probed: list[int] = []
    saved: list[int] = []
    standing, cut = live.standing(events, REPEATED)
    for event in standing:
        kind, step = event.get("type"), event["step"]
        if kind == "stepped":
            stepped.append(event)
        elif kind == "routed":
            routed.append(event)
        elif kind == "evaluated" and isinstance(event.get("loss"), int | float):
            evaluated.append([step, event["loss"]])
        elif kind == "changed":
            notes.append([step, str(event.get("field")), event.get("value")])
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
        try:
            arrays = [np.array(event.get(name), np.float64) for name in shapes]
        except (TypeError, ValueError):
            continue
        fits = all(a.shape == shape for a, shape in zip(arrays, shapes.values(), strict=True))
        if fits and all(np.isfinite(array).all() for array in arrays):
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
    model, vocabulary = run.config.model, _vocabulary(run)
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


def _vocabulary(run: Run) -> int | None:
    if run.config.model.vocab_size is not None:
        return run.config.model.vocab_size
    try:
        return load_tokenizer(run.tokenizer_path).vocab_size
    except (OSError, TokenizerError):  # it has not started yet
        return None


def _own_text(run: Run) -> str:
    """Tells a learner's own text from any other: all are stored in the same place of a run."""
    if run.config.data.train_data_path != TEXT_PATH:
        return ""
    try:
        return hashlib.sha256((run.path / TEXT_PATH).read_bytes()).hexdigest()
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
    by_name = {name: (info.annotation, info) for _, name, info in fields()}
    return [controls.control(name, *by_name[name]) for name in BALANCE if _matters(name, config)]


def _matters(name: str, config: RunConfig) -> bool:
    model = config.model
    if name == "bias_rate":
        return model.router not in ("hash", "expert_choice")
    return model.n_device > 1 or name not in ("device_loss", "communication_loss")


# One text -----------------------------------------------------------------------------------------


@answers.answer
def look(run_id: str, step: int | None, text: str | None) -> dict[str, Any]:
    """How a text is routed at the step nearest to this one that can be shown.

    None for the text: the one that training recorded, at any recorded step. Any other text goes
    through the model at a stored checkpoint, and so does the text to begin with of a run that
    recorded none. "recorded" tells which it was. `routing` is base64 of bytes (2, Lx, T, E):
    probabilities, and gates of the chosen, 255 is one.
    """
    run = _with_experts(run_id)
    if step is not None:
        step = answers.whole("step", step, 0, 10**12)
    recorded = probes.recorded(run)
    checkpoints = inference.steps(run.id)
    wanted = max([*recorded, *checkpoints], default=0) if step is None else step
    as_recorded = text is None and bool(recorded)
    if as_recorded:
        nearest = min(recorded, key=lambda stored: abs(stored - wanted))
        snapshot = probes.snapshot(recorded[nearest])
        ids, routing, step = snapshot.tokens.tolist(), snapshot.routing, snapshot.step
        pieces, rest, limit = _pieces(run), "", _limit(run.config)
        if routing.shape[1] != len(run.config.model.moe_layers) or not _known(ids, pieces):
            raise ValueError(TEXT["pending"].format(name=run.name))
    else:
        if not checkpoints:
            raise ValueError(TEXT["pending"].format(name=run.name))
        nearest = min(checkpoints, key=lambda stored: abs(stored - wanted))
        loaded = inference.load(run.id, nearest)
        pieces, limit, step = loaded.tokenizer.pieces, _limit(run.config), loaded.step
        ids, rest = _ids(run, loaded, text, limit)
        routing = _routed(loaded, ids)
    return {
        "run": run.id,
        "step": step,
        "pieces": [pieces[i] for i in ids],
        "rest": rest,
        "limit": limit,
        "stored": step in checkpoints,
        "recorded": as_recorded,
        "routing": answers.packed(routing),
    }


def routing(run: str, step: int | None, text: str) -> dict[str, Any]:
    """Who works on each token of a text: for scripts.

    {"step", "tokens": T texts, "blocks": the blocks with experts, counted from 0, "experts": for each
    of these blocks and each token [[expert, gate], ...], the strongest first}; a gate is in 0..1, to
    1/255. Step None is the newest checkpoint. Raises `ValueError`.
    """
    found = _with_experts(answers.run_id(run))
    if step is not None:
        step = answers.whole("step", step, 0, 10**12)
    loaded = inference.load(found.id, step)
    ids, _ = _ids(found, loaded, text, _limit(found.config))
    gates = _routed(loaded, ids)[1] / 255  # (Lx, T, E)
    chosen = [
        [
            [
                [int(expert), round(float(token[expert]), 3)]
                for expert in np.argsort(-token, kind="stable")
                if token[expert]
            ]
            for token in layer
        ]
        for layer in gates
    ]
    return {
        "step": loaded.step,
        "tokens": [loaded.tokenizer.pieces[i] for i in ids],
        "blocks": list(found.config.model.moe_layers),
        "experts": chosen,
    }


def _with_experts(run_id: object) -> Run:
    run = actions.find(run_id)
    if run.config.model.n_experts is None:
        raise ValueError(TEXT["dense"].format(name=run.name))
    return run


def _pieces(run: Run) -> tuple[str, ...]:
    try:
        return tuple(load_tokenizer(run.tokenizer_path).pieces)
    except (OSError, TokenizerError):
        raise ValueError(TEXT["pending"].format(name=run.name)) from None


def _known(ids: list[int], pieces: tuple[str, ...]) -> bool:
    return all(0 <= i < len(pieces) for i in ids)


def _limit(config: RunConfig) -> int:
    """How many tokens of a text are routed."""
    model = config.model
    fits = MAX_CELLS // (len(model.moe_layers) * (model.n_experts or 1))
    return max(1, min(MAX_TOKENS, model.max_seq_len, fits))


def _ids(run: Run, loaded: Loaded, text: str | None, limit: int) -> tuple[list[int], str]:
    """The tokens that are routed, and the rest of the text that there is no room for."""
    if text is None:
        return probes.default_ids(run, loaded, limit), ""
    text = answers.text(text)
    if not text:
        raise ValueError(TEXT["empty"])
    ids = answers.encode(loaded.tokenizer, text)[:limit]
    return ids, text[len(loaded.tokenizer.decode(ids)) :]


def _routed(loaded: Loaded, ids: list[int]) -> npt.NDArray[np.uint8]:
    import torch

    from engine import observe

    with torch.inference_mode():
        return observe.routing_of(loaded.model.run(torch.tensor([ids])))


# Kinds of tokens, and experts that work together --------------------------------------------------


@answers.answer
def specialise(run_id: str, step: int | None) -> dict[str, Any]:
    """What experts take, on held-out data, at the checkpoint nearest to this step.

    {"step", "tokens": how many were counted, "classes": names, "table" and "baseline": (Lx, G, E)
    counts, the latter with the kinds shuffled, "information" and "chance": (Lx,) bits that an
    expert tells of the kind, "uncertainty": bits that there are to tell, "together": base64 of
    float32 (Lx, E, E), of the tokens of the row's expert the share that the column's has too}
    """
    run = _with_experts(run_id)
    checkpoints = inference.steps(run.id)
    wanted = None if step is None else answers.whole("step", step, 0, 10**12)
    if wanted is not None:
        wanted = min(checkpoints, key=lambda stored: abs(stored - (step or 0)), default=None)
    loaded = inference.load(run.id, wanted)
    return _specialised(run.path, loaded.step, loaded.key)


@functools.lru_cache(maxsize=32)
def _specialised(path: Path, step: int, key: tuple[str, int]) -> dict[str, Any]:
    """The answer for the weights of this `key`; it is kept, and they are not kept for it."""
    import torch

    from engine.model.routing import coactivation

    run, loaded = Run(path), inference.load(path.name, step)
    try:
        tokens, tokenizer = _held_out(path)
    except (ConfigError, OSError) as error:
        raise ValueError(TEXT["data"].format(name=run.name, reason=error)) from None
    if tokenizer != loaded.tokenizer.to_json():
        raise ValueError(TEXT["tokens"].format(name=run.name))
    with torch.inference_mode():
        routing = loaded.model.run(torch.from_numpy(tokens)).routing
    classes = special.token_classes(loaded.tokenizer.pieces)[tokens.ravel()]
    dealt = special.shuffled(classes)
    chosen = [record.chosen.flatten(0, -2).numpy() for record in routing]
    tables = [special.counts(classes, each) for each in chosen]
    baselines = [special.counts(dealt, each) for each in chosen]
    together = np.stack([coactivation(record.chosen).float().numpy() for record in routing])
    return {
        "step": loaded.step,
        "tokens": tokens.size,
        "classes": special.CLASSES,
        "table": [table.tolist() for table in tables],
        "baseline": [table.tolist() for table in baselines],
        "information": [special.mutual_information(table) for table in tables],
        "chance": [special.mutual_information(table) for table in baselines],
        "uncertainty": special.entropy(np.bincount(classes)),
        "together": answers.packed(together),
    }


@functools.lru_cache(maxsize=16)
def _held_out(path: Path) -> tuple[npt.NDArray[np.int64], str]:
    """Held-out sequences (B, T) of a run's data, as many as can be routed at once, and the JSON of
    the tokenizer that they were made with: an imported model may have another."""
    from engine.data import make_data

    config = Run(path).data_config()
    data, train = make_data(config), config.train
    batch = next(iter(data.validation(train.batch_size, 1)))
    length = batch.inputs.shape[1]
    step = flops_per_step(config, _vocabulary(Run(path)))
    work = step / (3 * train.batch_size * train.gradient_accumulation)
    rows = max(1, min(SAMPLE // length, int(SAMPLE_FLOPS / work)))
    inputs = next(iter(make_data(config).validation(rows, 1))).inputs
    return inputs, data.tokenizer.to_json()


# Acting on runs ------------------------------------------------------------------------------------


@answers.answer
def balance(run_id: str, changes: object) -> dict[str, Any]:
    """Change how a running run balances: {field: value}, or "bias" or "off" for all that balance."""
    named = {"bias": BIASED, "off": UNBALANCED}
    wanted = named.get(changes) if isinstance(changes, str) else changes
    if not isinstance(wanted, dict) or not 0 < len(wanted) <= len(BALANCE):
        raise ValueError(TEXT["changes"])
    for field, value in wanted.items():
        actions.tell(run_id, "change", value, field)
    return {}


def start_pair(run_id: object) -> tuple[Run, Run]:
    """Two runs of this one's configuration, same seed and same batches: with balancing, and without.

    Both train at once, or neither is left: where the second cannot start, the first is stopped, and
    deleted as soon as its process has ended (after `TAKEN_BACK` seconds it stays, stopped). Raises
    `ValueError` in a sentence for the learner, or `OSError`.
    """
    run = _with_experts(run_id)
    limit = sessions.limit()
    if run.config.model.router in ("hash", "expert_choice"):
        raise ValueError(TEXT["unbalanced"].format(router=run.config.model.router))
    if limit < 2:
        raise ValueError(TEXT["one"])
    training = _training(limit - 2)
    if training > limit - 2:
        raise ValueError(TEXT["places"].format(limit=limit, training=training))
    with_balance = _started(run, balanced(run.config), TEXT["on"])
    try:
        return with_balance, _started(run, UNBALANCED, TEXT["off"])
    except (ValueError, OSError):
        _take_back(with_balance)
        raise


def _take_back(run: Run) -> None:
    """Stop a run that was just started, and delete it."""
    try:
        run.send(Stop())
    except OSError:  # a full disk, perhaps, which is why the second could not start
        sessions.let_go(run.id)
    until = time.monotonic() + TAKEN_BACK
    while not sessions.ended(run.id) or run.status().alive:
        if time.monotonic() > until:
            return
        time.sleep(0.05)
    library.store().delete(run.id)


def _training(most: int) -> int:
    """How many runs train; one that was stopped a moment ago is waited for, if there are too many."""
    until = time.monotonic() + ENDING
    while True:
        training = sessions.training()
        ending = any(library.find(each).status().state in OVER for each in training)
        if len(training) <= most or not ending or time.monotonic() > until:
            return len(training)
        time.sleep(0.05)


def balanced(config: RunConfig) -> dict[str, float]:
    """What balances in this configuration; where nothing does, the Switch loss at its usual weight."""
    given = {name: getattr(config.train, name) for name in BALANCE}
    if not any(value for name, value in given.items() if name != "z_loss"):
        given["switch_loss"] = ON
    return given


def _started(run: Run, changes: dict[str, float], name: str) -> Run:
    train = type(run.config.train).parse(run.config.train.model_dump() | changes)
    config = run.config.model_copy(update={"train": train})
    own = config.data.train_data_path == TEXT_PATH
    started = library.store().create(
        config, name.format(name=run.name), text=stored_text(run) if own else None
    )
    try:
        sessions.start(started)
    except (RunError, OSError):
        library.store().delete(started.id)
        raise
    return started


@answers.answer
def runs(ids: list[str]) -> dict[str, Any]:
    """The runs that one may be compared with: shipped ones, and of `ids` those that there are."""
    listed = actions.runs(ids)
    return {
        group: [entry | {"experts": _experts(entry["id"])} for entry in entries]
        for group, entries in listed.items()
    }


def _experts(run_id: str) -> int | None:
    return library.find(run_id).config.model.n_experts


SERVED: tuple[Callable[..., dict[str, Any]], ...] = (follow, look, specialise, balance, runs)
"""What the view may call."""
