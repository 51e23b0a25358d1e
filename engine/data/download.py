"""Known corpora, fetched by name by those who are online. Nothing of them is in this repository.

    shakespeare  Tiny Shakespeare: 40,000 lines of the plays, from https://github.com/karpathy/char-rnn.
                 The works are in the public domain.
    multi30k     Multi30K (Elliott 2016, "Multi30K: Multilingual English-German Image Descriptions"):
                 captions of pictures and their translations, from https://github.com/multi30k/dataset
                 and under the terms of Flickr30K: for non-commercial research and education.
    tinystories  TinyStories (Eldan 2023, "TinyStories: How Small Can Language Models Be and Still Speak
                 Coherent English?"): 2.7 million stories that GPT-4 wrote, in the words of small children,
                 from https://huggingface.co/datasets/roneneldan/TinyStories, under CDLA-Sharing-1.0.

A file on its way is `NAME.part`. It goes on from there after a break, if the server still has the
same file (RFC 9110: Range, and If-Range with a strong ETag). What has come is copied, unpacked and
summed up at once, and has its name only when size and sum are right: a file that is there is whole.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import os
import re
import secrets
import shlex
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

from engine.data.base import DataError
from engine.data.watch import Watch
from engine.jsonl import read_object, size_of

SITE = "https://raw.githubusercontent.com"
HUB = "https://huggingface.co"
"""Where the known corpora are; a mirror has the same paths."""

CHUNK = 2**16

MARGIN = 2**12
"""Bytes that a gzip file may be longer than what it unpacks to: its head, and its end."""


@dataclass(frozen=True)
class KnownFile:
    """One file of a corpus: where it is, and what it must be."""

    name: str
    source: str
    """Its path on the site. One that ends in .gz is unpacked."""
    size: int
    """Bytes of the file as it lies on the disk afterwards."""
    sha256: str
    """Of the same bytes, in hexadecimal."""
    site: str = SITE

    @property
    def packed(self) -> bool:
        """Is it fetched as gzip?"""
        return self.source.endswith(".gz")

    @property
    def limit(self) -> int:
        """No more bytes than these are ever taken from a server."""
        return self.size + (MARGIN if self.packed else 0)


@dataclass(frozen=True)
class Known:
    """A corpus that can be fetched by its name."""

    name: str
    terms: str
    """Where it comes from and what it may be used for."""
    files: tuple[KnownFile, ...]
    uses: tuple[str, ...]
    """What to do with it: words after `python -m engine`, the corpus's folder as `{folder}`."""

    def commands(self, folder: Path) -> list[str]:
        """The commands that make use of it, to be typed; `folder` is the one it was fetched into."""
        place = (folder / self.name).as_posix()
        return [
            shlex.join(
                ["python", "-m", "engine", *(part.format(folder=place) for part in use.split())]
            )
            for use in self.uses
        ]


# A revision, so that the files stay the same. Sizes and sums are those of its Git LFS pointers, as several
# projects have published them that fetched the files and checked them.
_TINYSTORIES = "/datasets/roneneldan/TinyStories/resolve/f54c09fd23315a6f9c86f9dc80f725de7d8f9c64"
_MULTI30K = "/multi30k/dataset/master/data/task1/raw"

KNOWN: dict[str, Known] = {
    known.name: known
    for known in (
        Known(
            "shakespeare",
            "Tiny Shakespeare, from https://github.com/karpathy/char-rnn; the works are in the public domain.",
            (
                KnownFile(
                    "input.txt",
                    "/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
                    1_115_394,
                    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
                ),
            ),
            ("train --train_data_path {folder}/input.txt",),
        ),
        Known(
            "multi30k",
            "Multi30K (Elliott et al. 2016), from https://github.com/multi30k/dataset, "
            "under the terms of Flickr30K: for non-commercial research and education.",
            (
                KnownFile(
                    "train.de",
                    f"{_MULTI30K}/train.de.gz",
                    2_110_398,
                    "2c2b73fd2b548fbcde3a875e0a78d6ee94d498bfdee6bd3eae3945779e9ddf72",
                ),
                KnownFile(
                    "train.en",
                    f"{_MULTI30K}/train.en.gz",
                    1_801_238,
                    "460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6",
                ),
                KnownFile(
                    "val.de",
                    f"{_MULTI30K}/val.de.gz",
                    75_981,
                    "660e09eb7e1da2f856ea13ee5ad3cf6d36b3d5b0b733c857e94c5747a3dfc660",
                ),
                KnownFile(
                    "val.en",
                    f"{_MULTI30K}/val.en.gz",
                    63_297,
                    "1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227",
                ),
                KnownFile(
                    "test2016.de",
                    f"{_MULTI30K}/test_2016_flickr.de.gz",
                    70_649,
                    "4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16",
                ),
                KnownFile(
                    "test2016.en",
                    f"{_MULTI30K}/test_2016_flickr.en.gz",
                    62_076,
                    "399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182",
                ),
            ),
            (
                "train --source pairs --tokenizer bpe --n_encoder_layer 3 "
                "--train_data_path {folder}/train.de --target_data_path {folder}/train.en "
                "--valid_data_path {folder}/val.de --valid_target_path {folder}/val.en",
                "evaluate --run RUN --sources {folder}/test2016.de --targets {folder}/test2016.en",
            ),
        ),
        Known(
            "tinystories",
            "TinyStories (Eldan & Li 2023), from https://huggingface.co/datasets/roneneldan/TinyStories, "
            "under CDLA-Sharing-1.0.",
            (
                KnownFile(
                    "TinyStoriesV2-GPT4-valid.txt",
                    f"{_TINYSTORIES}/TinyStoriesV2-GPT4-valid.txt",
                    22_502_601,
                    "6874bae9a4c1a4e7edcf0e53b86c17817e9cf881fc75ff2368da457b80c0585d",
                    HUB,
                ),
                KnownFile(
                    "TinyStoriesV2-GPT4-train.txt",
                    f"{_TINYSTORIES}/TinyStoriesV2-GPT4-train.txt",
                    2_227_753_162,
                    "6418d412de72888f52b5142c761ac21a582f7d1166f0bfbdb5f03ccfdec90443",
                    HUB,
                ),
            ),
            (
                "prepare --vocab_size 10000 --valid_fraction 0.01 --out {folder}/ids "
                "--input {folder}/TinyStoriesV2-GPT4-train.txt {folder}/TinyStoriesV2-GPT4-valid.txt",
                "train --train_data_path {folder}/ids/train.bin "
                "--valid_data_path {folder}/ids/val.bin",
            ),
        ),
    )
}
"""What `python -m engine download` can fetch."""


@dataclass(frozen=True)
class Network:
    """How to ask, and how patiently. Raises `DataError` for what cannot be."""

    site: str | None = None
    """A mirror, for all files; None: each file's own site."""
    timeout: float = 30.0
    """Seconds to connect, and seconds without a byte, after which a server counts as silent."""
    attempts: int = 4
    pause: float = 1.0
    """Seconds before the second attempt; twice as many before each further one."""

    def __post_init__(self) -> None:
        if self.site is not None and urlsplit(self.site).scheme not in ("http", "https"):
            raise DataError("mirror", self.site, "must begin with http:// or https://")
        if not (math.isfinite(self.timeout) and 0 < self.timeout <= 3600):
            raise DataError(
                "timeout", self.timeout, "must be more than 0 and at most 3,600 seconds"
            )


class DownloadError(OSError):
    """A corpus that could not be had: in one line, why, and what to do."""


class _Fault(Exception):
    """It went wrong on the way; another attempt may go better."""


class _Wrong(Exception):
    """What came is not what was expected."""


def known(name: str) -> Known:
    """The corpus of this name. Raises `DataError`."""
    if name not in KNOWN:
        raise DataError("name", name, f"must be one of {', '.join(KNOWN)}")
    return KNOWN[name]


def download(
    corpus: Known, folder: Path, network: Network | None = None, watch: Watch | None = None
) -> list[Path]:
    """Fetch what is not there yet into `folder`/NAME, and check all of it; where the files are.

    Raises `DownloadError`. What has come by then stays, and the next call goes on from there.
    """
    network, watch = network or Network(), watch or Watch()
    place = folder / corpus.name
    with _writing(place):
        place.mkdir(parents=True, exist_ok=True)
    return [_fetch(file, place / file.name, network, watch) for file in corpus.files]


def _fetch(file: KnownFile, path: Path, network: Network, watch: Watch) -> Path:
    """One file, unless it is there. Raises `DownloadError`."""
    part = _Part(path)
    url = (network.site or file.site).rstrip("/") + file.source
    pause = network.pause
    for left in reversed(range(network.attempts)):
        if os.path.lexists(path):
            _check(file, path)
            watch.note(f"{path} is there already")
            return path
        try:
            _attempt(file, url, part, path, network, watch)
            return path
        except _Fault as fault:
            if not left:
                raise DownloadError(
                    f"{fault}: run the command again to go on, or put what is at "
                    f"{file.site}{file.source}{', unpacked,' if file.packed else ''} at {path} yourself "
                    "and run it: the file will be checked"
                ) from None
            watch.note(f"{fault}; once more in {pause:g} s")
        time.sleep(pause)
        pause *= 2
    raise DownloadError(f"{url} was not asked for: attempts = {network.attempts}")


def _attempt(
    file: KnownFile, url: str, part: _Part, path: Path, network: Network, watch: Watch
) -> None:
    """Fetch what is missing, and put the whole in its place. Raises `_Fault` where another may help."""
    try:
        _receive(file, url, part, network, watch)
        _put(file, part, path)
    except _Wrong as wrong:
        part.discard()
        if part.resumed:
            raise _Fault(f"what was fetched in parts does not fit together ({wrong})") from None
        raise DownloadError(
            f"{url} is not what was expected: {wrong}; nothing of it was kept: run the command "
            "again, and report it if it says the same, for the file may have changed"
        ) from None
    watch.note(f"{path}: {file.size:,} bytes")


def _check(file: KnownFile, path: Path) -> None:
    """Is the file that is there already the right one? Raises `DownloadError`."""
    if not path.is_file():
        raise DownloadError(f"{path} is in the way: it is not a file")
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as content:
            while piece := content.read(CHUNK):
                digest.update(piece)
    except OSError as error:
        raise DownloadError(f"{path}: cannot be read: {error.strerror or error}") from None
    wrong = _difference(file, size_of(path), digest.hexdigest())
    if wrong:
        raise DownloadError(
            f"{path} is there, but is not what was expected: {wrong}; delete it and run the command again"
        )


def _difference(file: KnownFile, size: int, sha256: str) -> str:
    """What is wrong with a file of this size and sum; empty if it is right."""
    if (size, sha256) == (file.size, file.sha256):
        return ""
    return f"{size:,} bytes with SHA-256 {sha256} instead of {file.size:,} with {file.sha256}"


# a file on its way -------------------------------------------------------------------------------


class _Part:
    """`NAME.part`, and beside it which version of the server's file it is a part of."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(f"{path.name}.part")
        self.about = path.with_name(f"{path.name}.part.json")
        self.resumed = False
        """Does it have bytes from before the last attempt?"""

    @property
    def size(self) -> int:
        return size_of(self.path)

    def version(self) -> tuple[str | None, int | None]:
        """The ETag, and how many bytes the whole has, where they are known."""
        try:
            values = read_object(self.about.read_bytes()) or {}
        except OSError:
            values = {}
        tag, total = values.get("etag"), values.get("total")
        return (
            tag if isinstance(tag, str) and _STRONG.fullmatch(tag) else None,
            total if isinstance(total, int) else None,
        )

    def begin(self, tag: str | None, total: int | None) -> None:
        """Empty it, then say what it will be part of: never the other way round."""
        with open(self.path, "wb"):
            pass
        self.about.write_text(json.dumps({"etag": tag, "total": total}), encoding="utf-8")

    def discard(self) -> None:
        """Delete it: it is of no use."""
        with _writing(self.path):
            self.path.unlink(missing_ok=True)
            self.about.unlink(missing_ok=True)


_STRONG = re.compile(r'"[\x21\x23-\x7e]*"')
"""An ETag that promises the same bytes, not only the same meaning (RFC 9110, section 8.8.3)."""


@contextmanager
def _writing(path: Path) -> Generator[None]:
    """Inside the block only the disk raises `OSError`. Raises `DownloadError` for it."""
    try:
        yield
    except DownloadError:
        raise
    except OSError as error:
        raise DownloadError(f"{path}: cannot be written: {error.strerror or error}") from None


def _receive(file: KnownFile, url: str, part: _Part, network: Network, watch: Watch) -> None:
    """Bring `part` to its end. Raises `_Fault`, `_Wrong`, `DownloadError`."""
    tag, total = part.version()
    have = part.size
    part.resumed = have > 0
    if have and have == total:
        return  # it came whole before, and was not yet put in its place
    headers = {"User-Agent": "transformer-playground", "Accept-Encoding": "identity"}
    if have and tag:
        headers |= {"Range": f"bytes={have}-", "If-Range": tag}
    host = urlsplit(url).netloc
    with _open(url, headers, part, network.timeout) as response:
        encoding = response.headers.get("Content-Encoding", "identity")
        packing = ("gzip", "x-gzip") if file.packed else ()  # what Apache says of any .gz file
        if encoding.lower() not in ("identity", *packing):
            raise _Wrong(f"it comes encoded as {_quoted(encoding)}")
        sent = response.headers.get("ETag", "")
        if response.status == 206:
            begins, total = _range(response)
            if "Range" not in headers or begins != have or sent not in ("", tag):
                part.discard()
                raise _Fault(f"{host} did not go on where it had stopped")
        elif response.status == 200:
            have, total, part.resumed = 0, _length(response), False
        else:
            raise DownloadError(f"{url}: the server answers {response.status}")
        if total is not None and total > file.limit:
            raise _Wrong(f"it has {total:,} bytes and may have at most {file.limit:,}")
        with _writing(part.path):
            if not have:
                part.begin(sent if _STRONG.fullmatch(sent) else None, total)
            with open(part.path, "ab") as out:
                while piece := _read(response, min(CHUNK, file.limit + 1 - have), network.timeout):
                    out.write(piece)
                    have += len(piece)
                    watch.received(file.name, have, total)
                    if have > file.limit:
                        raise _Wrong(f"it goes on after {file.limit:,} bytes")
    if total is None and not file.packed:
        total = file.size
    if total is not None and have < total:
        raise _Fault(f"{host} sent {have:,} of {total:,} bytes of {file.name} and broke off")


def _open(url: str, headers: dict[str, str], part: _Part, timeout: float) -> HTTPResponse:
    """The server's answer. Raises `_Fault` or `DownloadError`."""
    host = urlsplit(url).netloc
    opener = urllib.request.OpenerDirector()  # of http and https alone: no file:, no ftp:
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    try:
        response = opener.open(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        answer = f"{url}: the server answers {_quoted(f'{error.code} {error.reason}')}"
        if error.code == 416:  # the server's file is shorter than the part
            part.discard()
        if error.code in (408, 416, 429) or error.code >= 500:
            raise _Fault(answer) from None
        raise DownloadError(
            f"{answer}; if it says the same later, report it: the file may have moved"
        ) from None
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, TimeoutError):
            raise _Fault(f"{host} did not answer for {timeout:g} s") from None
        said = (reason.strerror if isinstance(reason, OSError) else "") or str(reason)
        raise _Fault(f"could not reach {host} ({_quoted(said)})") from None
    assert isinstance(response, HTTPResponse)
    return response


def _read(response: HTTPResponse, count: int, timeout: float) -> bytes:
    """What has come, at most `count` bytes; empty at the end. Raises `_Fault`."""
    try:
        return response.read1(count)
    except TimeoutError:
        raise _Fault(f"nothing more came for {timeout:g} s") from None
    except (OSError, HTTPException) as error:
        raise _Fault(
            f"the connection broke ({_quoted(str(error)) or type(error).__name__})"
        ) from None


def _quoted(text: str) -> str:
    """What a server says, fit for a terminal: one line of no great length, and nothing but text."""
    text = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return text if len(text) <= 200 else f"{text[:200]}..."


def _length(response: HTTPResponse) -> int | None:
    """Bytes that the server says it will send."""
    text = response.headers.get("Content-Length", "")
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def _range(response: HTTPResponse) -> tuple[int, int | None]:
    """Where the bytes of a 206 begin (-1: it does not say), and how many the whole has."""
    text = response.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)", text.strip())
    if match is None:
        return -1, None
    return int(match[1]), None if match[2] == "*" else int(match[2])


# a file that has come ----------------------------------------------------------------------------


def _put(file: KnownFile, part: _Part, path: Path) -> None:
    """Copy what came, unpacked; only if it is right does it get its name. Raises `_Wrong` or `_Fault`.

    A copy, since another process may still write to the part: what was summed up is what lies there.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    digest, size = hashlib.sha256(), 0
    try:
        with _writing(path):
            with open(temporary, "wb") as out:
                for piece in _unpacked(file, part.path):
                    digest.update(piece)
                    size += len(piece)
                    if size > file.size:
                        raise _Wrong(f"more than {file.size:,} bytes")
                    out.write(piece)
                out.flush()
                os.fsync(out.fileno())
            wrong = _difference(file, size, digest.hexdigest())
            if wrong:
                raise _Wrong(wrong)
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    part.discard()


def _unpacked(file: KnownFile, path: Path) -> Iterator[bytes]:
    """The content of a file that came, a piece at a time. Raises `_Wrong` or `_Fault`."""
    try:
        with gzip.open(path, "rb") if file.packed else open(path, "rb") as content:
            while piece := content.read(CHUNK):
                yield piece
    except FileNotFoundError:
        raise _Fault(f"another process has taken {path}") from None
    except EOFError:
        raise _Wrong("a gzip file without its end") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise _Wrong(f"no sound gzip file ({error})") from None
