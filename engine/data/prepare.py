"""Encodes texts into files of token ids: `python -m engine prepare`.

    train.bin, val.bin   ids of the training data, and of the end of the text, the validation data
    tokenizer.json       trained on the training data, except for the characters of both
    meta.json            type and number of the ids, and the texts and settings they were made from

Each file is written under a temporary name, synced and renamed, and meta.json comes last, so that every
file is complete, even after an interruption. `.prepare.json` stores the progress: the same call
continues from there, and a call with other texts or settings starts again. Finished files are never made
again, and never replaced.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

from engine.config import DataConfig, TokenizerName
from engine.data.base import DataError
from engine.data.id_files import DTYPES, META, TOKENIZER, UNFINISHED
from engine.data.parts import Counts, Part, blocks, count_pretokens, encode_parts, split
from engine.data.reading import TextFile
from engine.data.text import MIN_VALIDATION
from engine.data.tokens import BPE_SIZE, check_size, word_tokenizer
from engine.data.watch import Watch
from engine.files import atomic_writer, read_object, sync_folder, write_atomic
from engine.tokenizers import (
    BPETokenizer,
    ByteTokenizer,
    CharTokenizer,
    IdTokenizer,
    MarkedTokenizer,
    Merge,
    Tokenizer,
    TokenizerError,
    UnknownCharacters,
    WordTokenizer,
    load_tokenizer,
)
from engine.tokenizers.base import token_type
from engine.tokenizers.bpe.pretokens import PATTERNS
from engine.tokenizers.bpe.training import learn_merges, merges_within
from engine.validation import ConfigError

KINDS: tuple[str, ...] = get_args(TokenizerName)

BINS = {"train": "train.bin", "valid": "val.bin"}
"""The file of each split."""

OURS = (*BINS.values(), TOKENIZER, META, UNFINISHED)

LEFT_OVER = re.compile(rf"\.({'|'.join(map(re.escape, OURS))})\.[0-9a-f]{{8}}|\.utf-8-\d+\.txt")
"""Names of incomplete files after an interruption."""

REPORT_EVERY = 50
"""Merges."""


@dataclass(frozen=True)
class Settings:
    """The settings of `prepare`. Raises `ConfigError` for invalid ones."""

    tokenizer: str = "bpe"
    """One of `KINDS`, or the path of a `tokenizer.json`."""
    vocab_size: int | None = None
    valid_fraction: float = 0.1

    def __post_init__(self) -> None:
        kind = self.tokenizer if self.tokenizer in KINDS else None
        try:
            DataConfig.parse(
                {"tokenizer": kind, "tokenizer_size": self.vocab_size}
                | {"valid_fraction": self.valid_fraction}
            )
        except ConfigError as error:
            raise ConfigError(
                [
                    replace(problem, field="vocab_size")
                    if problem.field == "tokenizer_size"
                    else problem
                    for problem in error.problems
                ]
            ) from None
        if kind is None and self.vocab_size is not None:
            allowed = "must be left out with a tokenizer's file, which has its own"
            raise DataError("vocab_size", self.vocab_size, allowed)


def prepare(
    inputs: Sequence[Path],
    folder: Path,
    settings: Settings | None = None,
    *,
    processes: int = 1,
    watch: Watch | None = None,
) -> dict[str, Any]:
    """Make the files in `folder`, unless they exist. Returns the content of meta.json.

    The concatenated inputs are one text, which may be larger than memory. With more than one process,
    each works on parts of it (see `engine.tokenizers.processes`). Raises `DataError` naming `input`,
    `tokenizer`, `vocab_size`, `valid_fraction`, `processes` or `out`, and `OSError` if the folder cannot
    be written.
    """
    if processes < 1:
        raise DataError("processes", processes, "must be at least 1")
    return _Work(inputs, folder, settings or Settings(), processes, watch or Watch()).go()


class _Work:
    """One call of `prepare`."""

    def __init__(
        self,
        inputs: Sequence[Path],
        folder: Path,
        settings: Settings,
        processes: int,
        watch: Watch,
    ) -> None:
        self.folder, self.settings = folder, settings
        self.processes, self.watch = processes, watch
        _check_folder(folder)
        self.given = _given_tokenizer(settings.tokenizer)
        self.files = [TextFile.open(path, "input") for path in inputs]
        self.stamps = [_stamp(file) for file in self.files]
        self.alphabet: set[str] = set()
        self.progress: dict[str, Any] = {}
        """The content of `.prepare.json`: what is asked for, and what is done."""

    def go(self) -> dict[str, Any]:
        asked = {"sources": self.sources(), "settings": self.asked_settings()}
        meta, unfinished = _stored(self.folder / META), _stored(self.folder / UNFINISHED)
        if meta is not None:
            (self.folder / UNFINISHED).unlink(missing_ok=True)  # meta.json comes last
            return self.finished(meta, asked)
        if unfinished is not None and self.same(unfinished, asked):
            self.watch.note(f"going on in {self.folder}")
            self.progress = unfinished
        else:
            self.progress = asked
        self.clear(everything=self.progress is asked)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.keep()
        texts = [self.as_utf8(i, file) for i, file in enumerate(self.files)]
        pattern = self.given.pattern if isinstance(self.given, BPETokenizer) else "gpt2"
        train, valid = split(texts, self.settings.valid_fraction, PATTERNS[pattern].cut)
        self.make_tokenizer(train)
        for name, parts in (("train", train), ("valid", valid)):
            if name not in self.progress:
                self.encode(name, parts)
        return self.finish()

    # Before anything is written ----------------------------------------------------------------

    def sources(self) -> list[dict[str, Any]]:
        """Read every input completely, check that it is text, and hash it. Raises `DataError`."""
        found: list[dict[str, Any]] = []
        total, done, blank = sum(file.size for file in self.files), 0, True
        for file in self.files:
            digest = hashlib.sha256()
            for chunk in file.chunks(hear=digest.update):
                blank = blank and not chunk.strip()
                if self.settings.tokenizer in ("char", "word"):
                    self.alphabet.update(chunk)
                done = min(done + len(chunk.encode()), total)
                self.watch.received("reading", done, total)
            found.append({"path": str(file.path), "bytes": file.size, "sha256": digest.hexdigest()})
        self.watch.received("reading", total, total)
        if blank:
            raise DataError("input", str(self.files[0].path), "has only white space")
        check_size(
            None if self.given else self._kind(), self.settings.vocab_size, len(self.alphabet),
            "vocab_size",
        )  # fmt: skip
        return found

    def _kind(self) -> TokenizerName:
        return next(kind for kind in get_args(TokenizerName) if kind == self.settings.tokenizer)

    def asked_settings(self) -> dict[str, Any]:
        settings = asdict(self.settings)
        if self.given is not None:
            settings["tokenizer"] = hashlib.sha256(self.given.to_json().encode()).hexdigest()
        return settings

    def finished(self, meta: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
        """The existing meta.json, if it fits. Raises `DataError` if it does not."""
        if not self.same(meta, asked):
            allowed = (
                "holds what was prepared from other texts or with other settings: choose another "
                "folder, or delete it"
            )
            raise DataError("out", str(self.folder), allowed)
        for name, file in BINS.items():
            size = meta[name]["tokens"] * DTYPES[meta["dtype"]].itemsize
            path = self.folder / file
            if not path.is_file() or path.stat().st_size != size:
                raise DataError("out", str(self.folder), f"has a damaged {file}: delete the folder")
        self.watch.note(f"{self.folder} is prepared already")
        return meta

    def same(self, stored: dict[str, Any], asked: dict[str, Any]) -> bool:
        """Whether these are the same texts, whatever their names, and the same settings.

        A given tokenizer is compared with the one in the folder: earlier versions wrote, and hashed,
        another form of it.
        """
        sums = [[source["sha256"] for source in each["sources"]] for each in (stored, asked)]
        settings = stored.get("settings")
        if sums[0] != sums[1] or not isinstance(settings, dict):
            return False
        if self.given is not None and self.folder_tokenizer() == self.given:
            settings = settings | {"tokenizer": asked["settings"]["tokenizer"]}
        return settings == asked["settings"]

    def folder_tokenizer(self) -> Tokenizer | None:
        try:
            return load_tokenizer(self.folder / TOKENIZER)
        except (OSError, TokenizerError):
            return None

    # The folder --------------------------------------------------------------------------------

    def clear(self, everything: bool) -> None:
        """Delete incomplete files, or everything."""
        if not self.folder.is_dir():
            return
        if everything:
            for name in OURS:
                (self.folder / name).unlink(missing_ok=True)
        for path in list(self.folder.iterdir()):
            if LEFT_OVER.fullmatch(path.name):
                path.unlink(missing_ok=True)

    def keep(self, **done: Any) -> None:
        """Store the progress."""
        self.progress |= done
        sync_folder(self.folder)  # the files it mentions have their names
        write_atomic(self.folder / UNFINISHED, json.dumps(self.progress, indent=2))

    def as_utf8(self, i: int, file: TextFile) -> TextFile:
        """The same file, or a copy in UTF-8, which can be cut anywhere."""
        if file.encoding == "UTF-8":
            return file
        path = self.folder / f".utf-8-{i}.txt"
        with open(path, "w", encoding="utf-8", newline="\n") as copy:
            copy.writelines(file.chunks())
        return TextFile.open(path, "input")

    def finish(self) -> dict[str, Any]:
        for file, stamp in zip(self.files, self.stamps, strict=True):
            if _stamp(file) != stamp:
                raise DataError("input", str(file.path), "has changed meanwhile: run it again")
        vocab_size = self.progress["vocab_size"]
        dtype = token_type(vocab_size).__name__
        meta = {"dtype": dtype, "vocab_size": vocab_size} | self.progress
        sync_folder(self.folder)
        write_atomic(self.folder / META, json.dumps(meta, indent=2) + "\n")
        sync_folder(self.folder)
        (self.folder / UNFINISHED).unlink()
        self.clear(everything=False)
        return meta

    # The tokenizer and the ids -----------------------------------------------------------------

    def make_tokenizer(self, train: Sequence[Part]) -> None:
        """Train the tokenizer, or take the given one, unless that is done."""
        if "tokenizer_sha256" in self.progress:
            return
        tokenizer = self.given or self.learned(train)
        content = tokenizer.to_json() + "\n"
        write_atomic(self.folder / TOKENIZER, content)
        sha256 = hashlib.sha256(content.encode()).hexdigest()
        self.keep(tokenizer_sha256=sha256, vocab_size=tokenizer.vocab_size)
        self.watch.note(f"{self.folder / TOKENIZER}: {tokenizer.vocab_size:,} tokens")

    def learned(self, train: Sequence[Part]) -> Tokenizer:
        kind, size = self.settings.tokenizer, self.settings.vocab_size
        if kind == "char":
            return CharTokenizer(sorted(self.alphabet))
        if kind == "byte":
            return ByteTokenizer()
        if kind == "word":
            return self.learned_words(train, size)
        room = merges_within(BPE_SIZE if size is None else size, ())
        return BPETokenizer.from_merges(
            self.reported(learn_merges(self.counted(train), room), room)
        )

    def learned_words(self, train: Sequence[Part], size: int | None) -> WordTokenizer:
        texts = (text for part in train for text in blocks(part.chunks()))
        return word_tokenizer(texts, size, self.alphabet)

    def counted(self, train: Sequence[Part]) -> Counter[str]:
        """The count of each pre-token in the training data."""
        total: Counter[str] = Counter()
        size, done = _size(train), 0
        for part, counts in count_pretokens(train, self.processes):
            total.update(counts)
            done += part.end - part.start
            self.watch.received("counting words", done, size)
        return total

    def reported(self, merges: Iterator[Merge], room: int) -> Iterator[Merge]:
        for i, merge in enumerate(merges, start=1):
            if i % REPORT_EVERY == 0 or i == room:
                self.watch.counted("merges", i, room)
            yield merge

    def encode(self, name: str, parts: Sequence[Part]) -> None:
        """Write the ids of one split and store their number. Raises `DataError`."""
        path, total, done, counts = self.folder / BINS[name], _size(parts), 0, Counts()
        stored = DTYPES[token_type(self.progress["vocab_size"]).__name__]
        sha256 = self.progress["tokenizer_sha256"]
        try:
            with atomic_writer(path) as file:
                found = encode_parts(parts, self.folder / TOKENIZER, sha256, self.processes)
                for part, ids, added in found:
                    file.write(ids.astype(stored, copy=False).tobytes())
                    counts += added
                    done += part.end - part.start
                    self.watch.received(path.name, done, total)
                if counts.tokens < MIN_VALIDATION:
                    allowed = (
                        f"is too short: {counts.tokens} tokens "
                        f"{'to learn from' if name == 'train' else 'held out'}, there must be at "
                        f"least {MIN_VALIDATION}"
                    )
                    raise DataError("input", str(self.files[-1].path), allowed)
        except UnknownCharacters as error:
            allowed = f"cannot write this text: {error}"
            raise DataError("tokenizer", self.settings.tokenizer, allowed) from None
        self.keep(**{name: asdict(counts)})
        self.watch.note(f"{path}: {counts.tokens:,} tokens of {counts.characters:,} characters")


def _check_folder(folder: Path) -> None:
    """Raises `DataError` if the folder has anything that `prepare` did not make."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise DataError("out", str(folder), "is a file, not a folder")
    names = sorted(path.name for path in folder.iterdir() if not LEFT_OVER.fullmatch(path.name))
    ours = META in names or UNFINISHED in names
    others = [name for name in names if not (ours and name in OURS)]
    if others:
        allowed = f"holds other things ({', '.join(others[:3])}): choose a folder for this alone"
        raise DataError("out", str(folder), allowed)
    if META in names and _stored(folder / META) is None:
        raise DataError("out", str(folder), f"has a damaged {META}: delete the folder")


def _given_tokenizer(name: str) -> Tokenizer | None:
    """The tokenizer in the file `name`; None for the name of a kind. Raises `DataError`."""
    if name in KINDS:
        return None
    try:
        tokenizer = load_tokenizer(Path(name).resolve())
    except OSError:
        allowed = f"must be one of {', '.join(KINDS)}, or a tokenizer's file; there is none"
        raise DataError("tokenizer", name, allowed) from None
    except TokenizerError as error:
        raise DataError("tokenizer", name, f"is not a tokenizer's file: {error}") from None
    if isinstance(tokenizer, MarkedTokenizer | IdTokenizer):
        raise DataError("tokenizer", name, "is not for texts: it is one of pairs, or of ids alone")
    if re.search(r"[\r\n]", "".join(getattr(tokenizer, "specials", ()))):
        raise DataError("tokenizer", name, "has a special token with a line break in it")
    return tokenizer


def _stored(path: Path) -> dict[str, Any] | None:
    """The content that `keep` or `finish` wrote, or None."""
    try:
        values = read_object(path.read_bytes())
    except FileNotFoundError:
        return None
    return values if values is not None and "sources" in values else None


def _stamp(file: TextFile) -> tuple[int, int]:
    status = file.path.stat()
    return status.st_size, status.st_mtime_ns


def _size(parts: Sequence[Part]) -> int:
    return sum(part.end - part.start for part in parts)
