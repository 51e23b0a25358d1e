"""What `test_ranks` does with two processes, and with one to compare.

    python -m tests.tools.ranks_worker FOLDER

is each of the two, with torchrun's environment variables. All cases are done by the same pair, one
after the other, and what they give is written into FOLDER for the tests to read.
"""

from __future__ import annotations

import io
import json
import sys
import time
from contextlib import redirect_stderr
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from engine.cli import main as cli
from engine.config import RunConfig
from engine.data import make_data
from engine.distributed.ranks import Ranks, join
from engine.distributed.sharding import unshard
from engine.files import write_atomic
from engine.runs.events import Change, Message, Pause, Resume, Save, Stepped, Stop
from engine.runs.store import Run
from engine.training.driver import drive
from engine.training.followers import follow
from engine.training.loop import LossScale, evaluate, new_state, routed, update
from tests.tools.options import TINY_RUN
from tests.tools.waiting import PATIENCE

TINY = TINY_RUN | {"eval_steps": 2, "sample_interval": 3, "probe_interval": 3, "save_interval": 3}

EXPERTS: dict[str, Any] = {
    "n_experts": 4,
    "n_device": 2,
    "bias": True,
    "switch_loss": 0.3,
    "expert_loss": 0.2,
    "device_loss": 0.2,
    "communication_loss": 0.2,
    "sequence_loss": 0.1,
    "z_loss": 0.01,
    "bias_rate": 0.05,
}

"""After which a process that hangs is killed. On a quiet machine all take less than 25."""

CASES: dict[str, dict[str, Any]] = {
    "dense": {"gradient_accumulation": 2, "max_grad_norm": 0.1, "n_layer": 2},
    "experts": EXPERTS,
    "translation": {
        "source": "dates",
        "n_encoder_layer": 1,
        "max_seq_len": 64,
        "n_experts": 2,
        "moe_layer_indices": "0",
        "gradient_accumulation": 2,
        "label_smoothing": 0.1,
        "eval_steps": 1,
    },
    "uneven": {"source": "dates", "n_encoder_layer": 1, "max_seq_len": 64, "batch_tokens": 64},
    "shortcuts": {
        "source": "dates",
        "n_encoder_layer": 1,
        "max_seq_len": 64,
        "token_pairs": 300,
        "value_embeddings": True,
        "embedding_skip": True,
    },
    "sgd": {"optimizer": "sgd", "max_lr": 0.1, "tie_embeddings": False},
    "lion": {"optimizer": "lion", "max_lr": 1e-3},
    "muon": {"optimizer": "muon"},
    "average": {"ema_decay": 0.5},
}
"""Every one equals one process, with ddp and with fsdp (but Muon and an average of the weights, with ddp)."""


def parallels(changes: dict[str, Any]) -> tuple[str, ...]:
    """The ways in which several processes can train this case."""
    whole_weights = "ema_decay" in changes or changes.get("optimizer") == "muon"
    return ("ddp",) if whole_weights else ("ddp", "fsdp")


MISTAKES: dict[str, list[str]] = {
    "batch": ["train", "--source", "copy", "--batch_size", "3", "--device", "cpu"],
    "few": ["train", "--source", "copy", "--batch_size", "1", "--device", "cpu"],
    "compile": ["train", "--source", "copy", "--parallel", "fsdp", "--compile", "--device", "cpu"],
    "stdin": ["train", "--run", "-"],
    "command": ["runs"],
    "flag": ["train", "--no_such_flag"],
    "resume": ["resume", "no-such-run"],
}


def updates(changes: dict[str, Any], ranks: Ranks, out: Path) -> None:
    """Three updates and a measurement; the last gradients and the weights go into files."""
    config = RunConfig.from_flat(TINY | changes)
    state = new_state(config, make_data(config), ranks=ranks)
    if "optimizer" in changes:
        state.scale = LossScale(1024.0)
    told: list[dict[str, Any]] = []
    for _ in range(3):
        told.append(asdict(update(state)))
        if state.routing:
            told.append(asdict(routed(state)))
    told.append(asdict(evaluate(state)))
    weights = state.optimizer.named_parameters()
    found = {f"weight {name}": unshard(weight) for name, weight in weights.items()}
    if state.average is not None:
        averaged = state.average.model.named_parameters()
        found |= {f"average {name}": weight for name, weight in averaged}
    for name, weight in weights.items():
        if weight.grad is not None:
            found[f"gradient {name}"] = unshard(weight.grad)
    if ranks.leads:
        out.with_suffix(".json").write_text(json.dumps(told))
        write_atomic(out, save({name: tensor.clone() for name, tensor in found.items()}))


def together(run: Run, ranks: Ranks, listen: Any = None) -> None:
    """Drive a run, or follow who drives it."""
    if ranks.leads:
        drive(run, ranks=ranks, listen=listen)
    else:
        follow(run.data_config(), ranks)


def commanding(run: Run, commands: dict[int, list[Message]]) -> Any:
    """A listener that sends the run commands when a step is made."""

    def listen(event: Message) -> None:
        if isinstance(event, Stepped):
            for command in commands.get(event.step, []):
                run.send(command)

    return listen


COMMANDS: dict[int, list[Message]] = {
    2: [Pause(), Change(field="max_lr", value=0.01), Change(field="max_lr", value=-1), Save()],
    4: [Change(field="weight_decay", value=0.0)],
}


def commanded(run: Run) -> Any:
    """`COMMANDS`, and a way out of the pause."""
    return commanding(run, COMMANDS | {2: [*COMMANDS[2], Resume()]})


def mistake(words: list[str]) -> dict[str, Any]:
    """What a wrong command says, and its status."""
    said = io.StringIO()
    before = sys.stdout, sys.stderr
    try:
        with redirect_stderr(said):
            status: Any = cli.main(words)
    except SystemExit as ended:
        status = ended.code
    finally:
        sys.stdout, sys.stderr = before
    return {"status": status, "said": said.getvalue()}


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    runs = {
        name: Run(Path(path))
        for name, path in json.loads((folder / "runs.json").read_text()).items()
    }
    with join() as ranks:
        for name, changes in CASES.items():
            for parallel in parallels(changes):
                updates(changes | {"parallel": parallel}, ranks, folder / f"{name}-{parallel}")
        found = {name: mistake(words) for name, words in MISTAKES.items()}
        write_atomic(folder / f"mistakes-{ranks.rank}.json", json.dumps(found))
        for name in ("whole-ddp", "whole-fsdp", "from-one-ddp", "from-one-fsdp", "commanded"):
            run = runs[name]
            together(run, ranks, commanded(run) if name == "commanded" else None)
        for name in ("parts-ddp", "parts-fsdp", "to-one-ddp", "to-one-fsdp"):
            run = runs[name]
            together(run, ranks, commanding(run, {3: [Stop()]}))
            if not name.startswith("to-one"):
                together(run, ranks)
        (folder / f"done-{ranks.rank}").touch()
        until = time.monotonic() + PATIENCE
        while not (folder / "go").is_file() and time.monotonic() < until:
            time.sleep(0.01)
        run = runs["killed"]  # by the tests, with one of the processes
        together(run, ranks)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
