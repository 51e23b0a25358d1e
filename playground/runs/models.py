"""Trained models for the page: loaded once, shared by all tabs, and forgotten when there are many.

PyTorch is imported when the first model is asked for, or before that by `warm_up`, in the
background: importing it takes seconds, and the page is not to wait for it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from playground.runs import run_lookup
from playground.runs.recent import Recent

if TYPE_CHECKING:
    from engine.config import RunConfig
    from engine.model.decoder import Decoder
    from engine.runs.store import Run
    from engine.tokenizers import Tokenizer

MAX_BYTES = 256 << 20
"""How much memory the kept weights may take, all together."""

MAX_MODELS = 32
"""How many models are kept."""


TEXT = {
    "translates": "“{name}” translates texts. The Translate tab shows what it does.",
    "continues": "“{name}” is a language model: it continues texts and translates none. Choose a run "
    "that translates at the top of the page.",
    "none yet": "“{name}” has no checkpoint yet: the first one is saved when its training starts.",
    "watched": "“{name}” is a stored run, to be watched: its weights are not kept. Train it yourself, on the tab Train, "
    "and this tab can show it.",
    "no step": "“{name}” has no checkpoint of step {step}; stored are {stored}.",
}


class NoCheckpoint(ValueError):
    """The run has no weights to load: none yet, or none of this step."""


class Elsewhere(NoCheckpoint):
    """The run is fine, and of a kind that another tab of the page shows."""

    tab = "translate"


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model in evaluation mode, and what is needed to talk to it. Shared: change nothing."""

    model: Decoder
    tokenizer: Tokenizer
    config: RunConfig
    step: int
    key: tuple[str, int]
    """Tells one set of weights from any other: the checkpoint's path, and when it was written."""

    @property
    def nbytes(self) -> int:
        """Bytes of the weights."""
        return sum(p.numel() * p.element_size() for p in self.model.parameters())


_models: Recent[tuple[str, int], Loaded] = Recent(
    MAX_MODELS, MAX_BYTES, lambda loaded: loaded.nbytes
)
_loading = threading.Lock()


def steps(run: Run) -> list[int]:
    """The steps of the run's complete checkpoints, the earliest first."""
    return [checkpoint.step for checkpoint in run.checkpoints()]


def without_weights(run: Run) -> NoCheckpoint:
    """Why this run has no weights to load: it has not started, or they were not kept."""
    text = TEXT["watched"] if run_lookup.is_stored(run) else TEXT["none yet"]
    return NoCheckpoint(text.format(name=run.name))


def load(run: Run, step: int | None = None) -> Loaded:
    """The language model of this run as it was after `step` updates; None: the newest checkpoint.

    Raises `ValueError` as `load_any`, and for a run that translates.
    """
    if run.config.model.n_encoder_layer is not None:
        raise Elsewhere(TEXT["translates"].format(name=run.name))
    return load_any(run, step)


def load_translator(run: Run, step: int | None = None) -> Loaded:
    """The encoder-decoder of this run, as `load`. Raises `ValueError` also for a language model."""
    if run.config.model.n_encoder_layer is None:
        raise NoCheckpoint(TEXT["continues"].format(name=run.name))
    return load_any(run, step)


def load_any(run: Run, step: int | None = None) -> Loaded:
    """The model of this run as it was after `step` updates; None: the newest checkpoint.

    A run prunes its old checkpoints while it trains: one that is still in memory is answered from there.

    Raises `ValueError`, in a sentence for the learner: `NoCheckpoint`, or `CheckpointError` for a
    damaged file.
    """
    checkpoints = {checkpoint.step: checkpoint for checkpoint in run.checkpoints()}
    if not checkpoints:
        raise without_weights(run)
    wanted = max(checkpoints) if step is None else step
    if wanted not in checkpoints:
        kept = _kept(run.checkpoint_path(wanted))
        if kept is not None:
            return kept
        stored = ", ".join(map(str, checkpoints))
        raise NoCheckpoint(TEXT["no step"].format(name=run.name, step=wanted, stored=stored))
    path = checkpoints[wanted].path
    key = (str(path), _written(path))
    with _loading:  # so that two requests do not load the same model twice
        return _models.get_or_make(key, lambda: _load(path, wanted, key))


def _kept(path: Path) -> Loaded | None:
    """The model that was last loaded from this folder, if it is still in memory."""
    key = next((key for key in _models.newest() if key[0] == str(path)), None)
    return None if key is None else _models.get(key)


def warm_up() -> threading.Thread:
    """Import PyTorch in the background, so that the first answer does not wait for it."""
    thread = threading.Thread(target=_torch, name="import-torch", daemon=True)
    thread.start()
    return thread


def _torch() -> None:
    """Import PyTorch for a process that answers many people: one thread for each answer."""
    import torch

    torch.set_num_threads(1)


def _written(path: Path) -> int:
    """When the weights in this folder were written, in nanoseconds."""
    try:
        return (path / "model.safetensors").stat().st_mtime_ns
    except OSError as error:  # pruned since it was listed
        raise NoCheckpoint(f"the checkpoint {path.name} is gone: {error.strerror}") from None


def _load(path: Path, step: int, key: tuple[str, int]) -> Loaded:
    _torch()
    from engine.training.checkpoint import load_model

    model, tokenizer, config = load_model(path)
    model.eval().requires_grad_(False)
    return Loaded(model, tokenizer, config, step, key)


def piece(pieces: Sequence[str], token: int) -> str:
    """A token's text; a model may have more tokens than its tokenizer has pieces."""
    return pieces[token] if token < len(pieces) else f"#{token}"
