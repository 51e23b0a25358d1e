"""How well the small languages are learned, and how soon: exact matches of held-out translations.

    python -m benchmarks.pairs
    python -m benchmarks.pairs --names numbers dates --steps 500

Each preset that translates is trained from its seed; then every held-out text is translated greedily and
compared letter by letter. `unseen` are texts that training does not have; `new combinations` put together
what training only has apart. Printed beside them: the seconds of training, and those of the processor,
which is the fairer number on a busy machine.
"""

from __future__ import annotations

import argparse
from time import perf_counter, process_time

import torch

from benchmarks.common import print_table
from engine.config import RunConfig
from engine.data import PAIRS, PairData, make_data
from engine.devices import keep_freed_memory
from engine.events import Diverged
from engine.metrics import exact_match
from engine.model.encoder_decoder import Transformer
from engine.presets import PRESETS
from engine.tokenizers import END
from engine.training import TrainState, new_state, train
from engine.translation import translate

NAMES = {preset.config().data.source: name for name, preset in PRESETS.items()}
"""The preset of each source."""

BATCH = 100


def right(state: TrainState, data: PairData, pairs: list[tuple[str, str]]) -> float:
    """The share of these texts whose greedy translation is the right one."""
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
