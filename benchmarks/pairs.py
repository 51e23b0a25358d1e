"""Exact match of the translation presets on validation texts, and their training time.

    python -m benchmarks.pairs
    python -m benchmarks.pairs --names numbers dates --steps 500

Each translation preset is trained from its seed. Then every validation text is translated greedily and compared
character by character. `unseen` are texts that the training data does not contain; `new combinations` combine words
that it contains only separately. The table also shows wall-clock and CPU seconds of training; CPU seconds are the
fairer number on a busy machine.
"""

from __future__ import annotations

import argparse
from time import perf_counter, process_time

import torch

from benchmarks.common import print_table
from engine.config import RunConfig
from engine.data import PAIRS, PairData, make_data
from engine.generation.metrics import exact_match
from engine.generation.translation import translate
from engine.model.encoder_decoder import Transformer
from engine.presets import PRESETS
from engine.runs.events import Diverged
from engine.tokenizers import END
from engine.training.devices import keep_freed_memory
from engine.training.loop import TrainState, new_state, train

NAMES = {preset.config().data.source: name for name, preset in PRESETS.items()}
"""The preset of each source."""

BATCH = 100


def right(state: TrainState, data: PairData, pairs: list[tuple[str, str]]) -> float:
    """The share of texts whose greedy translation is exactly right."""
    assert isinstance(state.model, Transformer)
    written: list[str] = []
    for first in range(0, len(pairs), BATCH):
        sources = [
            [*data.tokenizer.encode_known(source)[0], END]
            for source, _ in pairs[first : first + BATCH]
        ]
        written += [data.tokenizer.decode(found.text) for found in translate(state.model, sources)]
    return exact_match(written, [target for _, target in pairs])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--names", nargs="+", choices=PAIRS, default=list(PAIRS))
    parser.add_argument("--steps", type=int, help="instead of the preset's")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    rows: list[tuple[str, ...]] = []
    for name in arguments.names:
        for seed in arguments.seeds:
            changes = PRESETS[NAMES[name]].changes | {"seed": seed}
            if arguments.steps:
                changes |= {"total_steps": arguments.steps}
                changes["warmup_steps"] = min(50, arguments.steps)
            config = RunConfig.from_flat(changes)
            data = make_data(config)
            assert isinstance(data, PairData)
            state = new_state(config, data)
            begun, computed = perf_counter(), process_time()
            for event in train(state):
                if isinstance(event, Diverged):
                    raise SystemExit(f"{name}: diverged at step {event.step}")
            seconds, cpu = perf_counter() - begun, process_time() - computed
            shares = [right(state, data, data.pairs(split)) for split in ("valid", "compositional")]
            row = (name, str(seed), str(state.step), f"{seconds:.0f}", f"{cpu:.0f}")
            rows.append((*row, *(f"{share:.1%}" for share in shares)))
            print(*rows[-1], flush=True)
    print()
    header = ("pairs", "seed", "steps", "seconds", "of the processor", "unseen", "new combinations")
    print_table(header, rows)


if __name__ == "__main__":
    main()
