"""The commands `translate` (with a trained encoder-decoder) and `evaluate` (on validation data).

PyTorch is loaded only when one of them runs.
"""

from __future__ import annotations

import math
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.choose_run import add_choice, chosen_checkpoint
from engine.cli.flags import NON_NEGATIVE, THREADS, Number
from engine.data import PairData, make_data
from engine.data.pairs import sentence, source_ids
from engine.data.pairs.files import read_pairs
from engine.data.reading import read_lines
from engine.runs.store import Run
from engine.tokenizers import END, UNKNOWN
from engine.validation import ConfigError, Problem

if TYPE_CHECKING:
    from engine.generation.translation import Translation
    from engine.model.encoder_decoder import Transformer
    from engine.tokenizers import MarkedTokenizer

DEFAULT = "translate-german"
"""The shipped translation run."""

BATCH_SIZE = 64
"""Texts translated in one batch."""

MAX_LISTED = 5
"""Maximum number of overlong texts that an error lists."""

SPLITS = ("valid", "compositional")


def add_translate_flags(parser: ArgumentParser) -> None:
    """Add the flags of `translate`."""
    add_choice(parser, DEFAULT)
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="texts to translate")
    parser.add_argument(
        "--file", type=Path, metavar="FILE", help="translate the lines of this file"
    )
    _add_beam_flags(parser)


def add_evaluate_flags(parser: ArgumentParser) -> None:
    """Add the flags of `evaluate`."""
    add_choice(parser, DEFAULT)
    parser.add_argument(
        "--split", metavar="|".join(SPLITS), help="split of the run's own pairs (default: valid)"
    )
    parser.add_argument(
        "--sources", metavar="FILE", help="other texts to translate, or a TSV file of pairs"
    )
    parser.add_argument("--targets", metavar="FILE", help="translations of --sources, line by line")
    parser.add_argument("--show", type=NON_NEGATIVE, default=0, help="print this many translations")
    _add_beam_flags(parser)


def _add_beam_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--beams", type=Number(int, 1, 1_000), default=1, help="beams; 1: greedy (default)"
    )
    parser.add_argument(
        "--length_penalty",
        type=Number(float, 0, 10),
        default=0.6,
        help="length penalty of beam search (default: 0.6)",
    )
    parser.add_argument("--threads", type=THREADS, default=1, help="CPU threads (default: 1)")


# translate ---------------------------------------------------------------------------------------


def translate(options: Namespace) -> int:
    """Print the translation of each text, one per line."""
    texts: list[str] = list(options.texts)
    places = [f"TEXT {number}" for number in range(1, len(texts) + 1)]
    if options.file:
        lines = read_lines(options.file, "file")
        texts += lines
        places += [f"{options.file}, line {number:,}" for number in range(1, len(lines) + 1)]
    if not any(text.strip() for text in texts):
        raise ConfigError([Problem("TEXT", "", "give a text to translate, or --file")])
    folder, name = chosen_checkpoint(options, DEFAULT)
    model, tokenizer = _load(folder)
    _check_lengths(model, tokenizer, texts, places)
    print(f"{name}, {folder.name}", file=sys.stderr)
    for text in map(sentence, texts):
        pairs = zip(*tokenizer.encode_known(text), strict=True)
        unknown = [character for token, character in pairs if token == UNKNOWN]
        if unknown:
            shown = ", ".join(map(repr, dict.fromkeys(unknown)))
            print(f"not in the vocabulary: {shown}", file=sys.stderr)
    for written in _translations(model, tokenizer, texts, options):
        print(written, flush=True)
    return 0


def _load(folder: Path) -> tuple[Transformer, MarkedTokenizer]:
    from engine.model.encoder_decoder import Transformer
    from engine.tokenizers import MarkedTokenizer
    from engine.training.checkpoint import CheckpointError, load_model

    model, tokenizer, _ = load_model(folder)
    if not isinstance(model, Transformer) or not isinstance(tokenizer, MarkedTokenizer):
        raise CheckpointError(folder, "is a language model; use generate")
    return model, tokenizer


def _check_lengths(
    model: Transformer, tokenizer: MarkedTokenizer, texts: Sequence[str], places: Sequence[str]
) -> None:
    """Raise `ValueError` that lists the texts longer than the model's context, before translating any."""
    most = model.config.max_seq_len
    lengths = [len(source_ids(tokenizer, text)) for text in texts]
    found = [
        f"{place}: has {length:,} tokens, and this model reads at most {most:,}"
        for place, length in zip(places, lengths, strict=True)
        if length > most
    ]
    if found:
        more = len(found) - MAX_LISTED
        raise ValueError(
            "; ".join(found[:MAX_LISTED]) + (f"; and {more:,} more" if more > 0 else "")
        )


def _translations(
    model: Transformer, tokenizer: MarkedTokenizer, texts: Sequence[str], options: Namespace
) -> Iterator[str]:
    """Yield the translation of every text, in order; an empty one for a blank text."""
    import torch

    from engine.generation import translation

    torch.set_num_threads(options.threads)

    def search(rows: list[list[int]]) -> list[Translation]:
        if options.beams == 1:
            return translation.translate(model, rows)
        found = translation.beam_search(model, rows, options.beams, options.length_penalty)
        return [each.found[0] for each in found]

    sources = [source_ids(tokenizer, text) for text in texts]
    written = {place: "" for place, source in enumerate(sources) if source == [END]}
    # Batch texts of similar length; yield the translations in the order of the texts.
    order = [place for place in range(len(texts)) if place not in written]
    order.sort(key=lambda place: len(sources[place]))
    next_place = 0
    for first in range(0, len(order), BATCH_SIZE):
        places = order[first : first + BATCH_SIZE]
        for place, found in zip(places, search([sources[place] for place in places]), strict=True):
            written[place] = tokenizer.decode(
                token for token in found.text if token < tokenizer.vocab_size
            )
        while next_place in written:
            yield written.pop(next_place)
            next_place += 1
    yield from written.values()  # blank texts at the end


# evaluate ----------------------------------------------------------------------------------------


def evaluate(options: Namespace) -> int:
    """Print the validation loss of a language model, or the translation metrics of an encoder-decoder."""
    if options.split not in (None, *SPLITS):
        raise ConfigError([Problem("split", options.split, f"must be {' or '.join(SPLITS)}")])
    if options.targets and not options.sources:
        raise ConfigError([Problem("targets", options.targets, "needs --sources")])
    folder, name = chosen_checkpoint(options, DEFAULT)
    config = Run(folder.resolve().parent).data_config()
    print(f"{name}, {folder.name}", file=sys.stderr)
    if config.model.n_encoder_layer is None:
        for field in ("split", "sources"):
            if getattr(options, field):
                allowed = "cannot be used: this run is a language model"
                raise ConfigError([Problem(field, getattr(options, field), allowed)])
        return _evaluate_language_model(folder)
    if options.sources:
        pairs = read_pairs(options.sources, options.targets, "sources", "targets")
    else:
        data = make_data(config)
        assert isinstance(data, PairData)
        pairs = data.pairs(options.split or "valid")
        if data.left_out():
            print(data.left_out(), file=sys.stderr)
    if not pairs:
        raise ConfigError([Problem("split", options.split, "is empty for this run")])
    _evaluate_translations(folder, pairs, options)
    return 0


def _evaluate_language_model(folder: Path) -> int:
    from engine.training.checkpoint import load
    from engine.training.loop import evaluate as measure

    data = make_data(Run(folder.resolve().parent).data_config())
    state = load(folder, data, fresh_optimizer=True)
    train = state.config.train.model_copy(update={"eval_steps": sys.maxsize})
    state.config = state.config.model_copy(update={"train": train})
    found = measure(state)
    print(
        f"validation loss  {found.loss:.4f} nats per token (perplexity {math.exp(found.loss):.2f})"
    )
    if found.accuracy is not None:
        print(f"exactly right    {found.accuracy:.2%}")
    if found.bits is not None:
        print(f"validation text  {found.bits:.4f} bits per character, for any tokenizer")
    return 0


def _readable(
    model: Transformer, tokenizer: MarkedTokenizer, pairs: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """The pairs whose source fits the model's context. As in training, longer ones are counted and skipped."""
    most = model.config.max_seq_len
    kept = [pair for pair in pairs if len(source_ids(tokenizer, pair[0])) <= most]
    if not kept:
        allowed = f"all of its texts are longer than the {most:,} tokens that the model reads"
        raise ConfigError([Problem("sources", len(pairs), allowed)])
    if len(kept) < len(pairs):
        left = len(pairs) - len(kept)
        print(
            f"Pairs left out: {left:,} (longer than the context of {most:,} tokens).",
            file=sys.stderr,
        )
    return kept


def _evaluate_translations(
    folder: Path, pairs: Sequence[tuple[str, str]], options: Namespace
) -> None:
    from engine.generation.metrics import bleu, bleu_tokenizer, chrf, exact_match

    model, tokenizer = _load(folder)
    pairs = _readable(model, tokenizer, pairs)
    sources, references = [source for source, _ in pairs], [target for _, target in pairs]
    written = list(_translations(model, tokenizer, sources, options))
    for source, target, found in list(zip(sources, references, written, strict=True))[
        : options.show
    ]:
        print(f"{source}\n  {found}\n  {'=' if found == target else target}")
    score = bleu(written, references, tokenize=bleu_tokenizer(references))
    characters = chrf(written, references)
    print(f"texts            {len(pairs):,}")
    print(f"exactly right    {exact_match(written, references):.2%}")
    print(f"BLEU             {score.value:.2f}  ({score.signature})")
    print(f"chrF             {characters.value:.2f}  ({characters.signature})")
