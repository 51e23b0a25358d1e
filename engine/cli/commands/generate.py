"""The command `generate`: continue a prompt, token by token."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from engine.cli.choose_run import add_choice, chosen_checkpoint
from engine.cli.flags import add_flag
from engine.data.reading import ended_lines
from engine.generation.sampler import GenerationSettings


def add_generate_flags(parser: ArgumentParser) -> None:
    add_choice(parser, "stories")
    parser.add_argument(
        "--prompt",
        metavar="TEXT",
        help="default: a line break if the vocabulary has one, else its first token",
    )
    for name, info in GenerationSettings.model_fields.items():
        add_flag(parser, name, info)


def generate_text(options: Namespace) -> int:
    """Print the prompt and the model's continuation, token by token."""
    known = GenerationSettings.model_fields
    settings = GenerationSettings.parse({n: v for n, v in vars(options).items() if n in known})
    folder, name = chosen_checkpoint(options, "stories")
    import torch

    from engine.generation.sampling import generate
    from engine.tokenizers import TextStream
    from engine.training.checkpoint import load_model

    model, tokenizer, _ = load_model(folder)
    torch.set_num_threads(1)  # for one token at a time, more threads are slower
    start = "\n" if "\n" in tokenizer.pieces else tokenizer.pieces[0]
    prompt = ended_lines(options.prompt or "") or start
    ids = tokenizer.encode(prompt)
    ends = {token for token, piece in enumerate(tokenizer.pieces) if piece == "<end>"}
    generator = torch.Generator().manual_seed(settings.seed)
    print(f"{name}, {folder.name}", file=sys.stderr)
    print(prompt, end="", flush=True)
    stream = TextStream(tokenizer)
    for step in generate(model, ids, settings.max_new_tokens, settings, generator, stop=ends):
        if step.token >= tokenizer.vocab_size:  # a model may have more tokens than its tokenizer
            print(stream.end() + "\ufffd", end="", flush=True)
        elif step.token not in ends:
            print(stream.feed([step.token]), end="", flush=True)
    print(stream.end())
    return 0
