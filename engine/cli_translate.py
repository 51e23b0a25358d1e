"""Two commands: translate texts with a trained encoder-decoder, and measure a model on held-out data.

PyTorch is loaded only when one of them runs.
"""

# Many of PyTorch's functions have no types yet.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import math
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli_runs import add_choice, chosen
from engine.data import PairData, make_data
from engine.data.pair_files import read_pairs
from engine.data.pairs import sentence, source_ids
from engine.data.reading import read_lines
from engine.flags import AMOUNT, THREADS, Number
from engine.runs import Run
from engine.tokenizers import END, UNKNOWN
from engine.validation import ConfigError, Problem

if TYPE_CHECKING:
    from engine.model.encoder_decoder import Transformer
    from engine.tokenizers import MarkedTokenizer
    from engine.translation import Translation

DEFAULT = "translate-german"
"""The shipped run that translates."""

BATCH = 64
"""Texts that are translated side by side."""

NAMED = 5
"""Texts that are named, of those that are too long."""

SPLITS = ("valid", "compositional")


def add_translate_flags(parser: ArgumentParser) -> None:
    """What `translate` takes."""
    add_choice(parser, DEFAULT)
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="to translate")
    parser.add_argument("--file", type=Path, metavar="FILE", help="translate its lines")
    _add_beam_flags(parser)


def add_evaluate_flags(parser: ArgumentParser) -> None:
    """What `evaluate` takes."""
    add_choice(parser, DEFAULT)
    parser.add_argument(
        "--split", metavar="|".join(SPLITS), help="of the run's own pairs (default: valid)"
    )
    parser.add_argument(
        "--sources", metavar="FILE", help="other texts to translate, or a TSV file of pairs"
    )
    parser.add_argument("--targets", metavar="FILE", help="their translations, line by line")
    parser.add_argument("--show", type=AMOUNT, default=0, metavar="N", help="print so many of them")
    _add_beam_flags(parser)


def _add_beam_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--beams",
        type=Number(int, 1, 1_000),
        default=1,
        metavar="N",
        help="of beam search; 1: greedy (default)",
    )
    parser.add_argument(
        "--length_penalty",
        type=Number(float, 0, 10),
        default=0.6,
        metavar="X",
        help="of beam search (0.6)",
    )
    parser.add_argument("--threads", type=THREADS, default=1, metavar="N", help="CPU threads (1)")


# translate ---------------------------------------------------------------------------------------


def translate(options: Namespace) -> int:
    """Print the translation of each text, one a line."""
    texts: list[str] = list(options.texts)
    places = [f"TEXT {number}" for number in range(1, len(texts) + 1)]
    if options.file:
        lines = read_lines(options.file, "file")
        texts += lines
        places += [f"{options.file}, line {number:,}" for number in range(1, len(lines) + 1)]
    if not any(text.strip() for text in texts):
        raise ConfigError([Problem("TEXT", "", "give a text to translate, or --file")])
    folder, name = chosen(options, DEFAULT)
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
    from engine.checkpoint import CheckpointError, load_model
    from engine.model.encoder_decoder import Transformer
    from engine.tokenizers import MarkedTokenizer

    model, tokenizer, _ = load_model(folder)
    if not isinstance(model, Transformer) or not isinstance(tokenizer, MarkedTokenizer):
        raise CheckpointError(folder, "is a language model; generate writes with it")
    return model, tokenizer


def _check_lengths(
    model: Transformer, tokenizer: MarkedTokenizer, texts: Sequence[str], places: Sequence[str]
) -> None:
    """Refuse texts that are too long before any is translated. Raises `ConfigError` saying where."""
    most = model.config.max_seq_len
    lengths = [len(source_ids(tokenizer, text)) for text in texts]
    found = [
        f"{place}: has {length:,} tokens, and this model reads at most {most:,}"
        for place, length in zip(places, lengths, strict=True)
        if length > most
    ]
    if found:
        more = len(found) - NAMED
        raise ValueError("; ".join(found[:NAMED]) + (f"; and {more:,} more" if more > 0 else ""))


def _translations(
    model: Transformer, tokenizer: MarkedTokenizer, texts: Sequence[str], options: Namespace
) -> Iterator[str]:
    """The translation of every text, in their order; of a blank one nothing."""
    import torch

    from engine import translation

    torch.set_num_threads(options.threads)

    def search(rows: list[list[int]]) -> list[Translation]:
        if options.beams == 1:
            return translation.translate(model, rows)
        found = translation.beam_search(model, rows, options.beams, options.length_penalty)
        return [each.found[0] for each in found]

    sources = [source_ids(tokenizer, text) for text in texts]
    written = {place: "" for place, source in enumerate(sources) if source == [END]}
    # Texts of about the same length together; the answers in the order of the questions.
    order = [place for place in range(len(texts)) if place not in written]
    order.sort(key=lambda place: len(sources[place]))
    following = 0
    for first in range(0, len(order), BATCH):
        places = order[first : first + BATCH]
        for place, found in zip(places, search([sources[place] for place in places]), strict=True):
            written[place] = tokenizer.decode(
                token for token in found.text if token < tokenizer.vocab_size
            )
        while following in written:
            yield written.pop(following)
            following += 1
    yield from written.values()  # blank ones at the end


# evaluate ----------------------------------------------------------------------------------------


def evaluate(options: Namespace) -> int:
    """Print the held-out loss of a model and, where it translates, how good its translations are."""
    if options.split not in (None, *SPLITS):
        raise ConfigError([Problem("split", options.split, f"must be {' or '.join(SPLITS)}")])
    if options.targets and not options.sources:
        raise ConfigError([Problem("targets", options.targets, "must go with --sources")])
    folder, name = chosen(options, DEFAULT)
    config = Run(folder.resolve().parent).data_config()
    print(f"{name}, {folder.name}", file=sys.stderr)
    if config.model.n_encoder_layer is None:
        for field in ("split", "sources"):
            if getattr(options, field):
                allowed = "must be left out: this run translates nothing"
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
    from engine.checkpoint import load
    from engine.training import evaluate as measure

    data = make_data(Run(folder.resolve().parent).data_config())
    state = load(folder, data, fresh_optimizer=True)
    train = state.config.train.model_copy(update={"eval_steps": sys.maxsize})
    state.config = state.config.model_copy(update={"train": train})
    found = measure(state)
    print(f"held-out loss    {found.loss:.4f} nats a token (perplexity {math.exp(found.loss):.2f})")
    if found.accuracy is not None:
        print(f"exactly right    {found.accuracy:.2%}")
    if found.bits is not None:
        print(f"held-out text    {found.bits:.4f} bits a character, whatever the tokens")
    return 0


def _readable(
    model: Transformer, tokenizer: MarkedTokenizer, pairs: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """The pairs whose source the model can read; as in training, longer ones are counted and left out."""
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
    from engine.metrics import bleu, bleu_tokenizer, chrf, exact_match

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
