"""The commands `export` and `import`: models in the format of Hugging Face transformers."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from engine.cli.choose_run import add_run, find_checkpoint
from engine.cli.flags import NON_NEGATIVE, shell
from engine.runs.store import RunStore


def add_export_flags(parser: ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--step", type=NON_NEGATIVE, help="step of the checkpoint")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="new folder, for from_pretrained"
    )


def export_run(options: Namespace) -> int:
    """Export a model in the format of Hugging Face transformers."""
    folder, name = find_checkpoint(options.run, options.step, options.checkpoint_dir)
    from engine.interop.huggingface import export

    export(folder, options.out)
    print(f"{name}, {folder.name}: written to {options.out}", file=sys.stderr)
    return 0


def add_import_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="folder with config.json and weights"
    )
    parser.add_argument("--name", metavar="TEXT", help="name of the run (default: FOLDER's name)")
    parser.add_argument(
        "--tokenizer",
        type=Path,
        metavar="FILE",
        help="a tokenizer.json (default: the one in FOLDER; else token 17 is written ⟨17⟩)",
    )


def import_model(options: Namespace) -> int:
    """Create a run from a model in the format of Hugging Face transformers."""
    from engine.interop.huggingface import import_run
    from engine.tokenizers import IdTokenizer, load_tokenizer

    run = import_run(
        options.folder, RunStore(options.checkpoint_dir), options.name, options.tokenizer
    )
    print(f"{run.name}\n{run.path}", file=sys.stderr)
    if isinstance(load_tokenizer(run.tokenizer_path), IdTokenizer):
        print(run.status().reason, file=sys.stderr)
        print("No tokenizer: write prompts as token ids such as ⟨17⟩⟨4⟩.", file=sys.stderr)
    print(f"Write with: {shell('generate', '--run', run.path)}", file=sys.stderr)
    return 0
