"""Downloads public corpora by name, with resume and checksums. None is in this repository.

An incomplete download is `NAME.part`. It resumes after an interruption, if the server still has the same
file (RFC 9110: Range, and If-Range with a strong ETag). Then it is copied, unpacked and hashed at once, and
renamed only if size and checksum are right: a file with its final name is complete.

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
from engine.data.corpora.known import Known, KnownFile
from engine.data.watch import Watch
from engine.files import file_size, read_object

CHUNK = 2**16


@dataclass(frozen=True)
class Network:
    """Network settings. Raises `DataError` for invalid ones."""

    site: str | None = None
    """A mirror for all files; None: the site of each file."""
    timeout: float = 30.0
    """Seconds to connect, and seconds without a byte, before an attempt fails."""
    attempts: int = 4
    pause: float = 1.0
    """Seconds before the second attempt, doubled before each further one."""

    def __post_init__(self) -> None:
        if self.site is not None and urlsplit(self.site).scheme not in ("http", "https"):
            raise DataError("mirror", self.site, "must begin with http:// or https://")
        if not (math.isfinite(self.timeout) and 0 < self.timeout <= 3600):
            raise DataError(
                "timeout", self.timeout, "must be more than 0 and at most 3,600 seconds"
            )


class DownloadError(OSError):
    """A failed download: one line with the reason and what to do."""


class _Fault(Exception):
    """A temporary failure; another attempt may succeed."""


class _Wrong(Exception):
    """The received file is not the expected one."""


def download(
    corpus: Known, folder: Path, network: Network | None = None, watch: Watch | None = None
) -> list[Path]:
    """Download missing files into `folder`/NAME and verify all. Returns the paths.

    Raises `DownloadError`. Partial files stay, and the next call resumes.
    """
    network, watch = network or Network(), watch or Watch()
    place = folder / corpus.name
    with _writing(place):
        place.mkdir(parents=True, exist_ok=True)
    return [_fetch(file, place / file.name, network, watch) for file in corpus.files]


def _fetch(file: KnownFile, path: Path, network: Network, watch: Watch) -> Path:
    """Download one file, unless it exists. Raises `DownloadError`."""
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
                    f"{file.site}{file.source}{', unpacked,' if file.gzipped else ''} at {path} yourself "
                    "and run it: the file will be checked"
                ) from None
            watch.note(f"{fault}; once more in {pause:g} s")
        time.sleep(pause)
        pause *= 2
    raise DownloadError(f"{url} was not asked for: attempts = {network.attempts}")


def _attempt(
    file: KnownFile, url: str, part: _Part, path: Path, network: Network, watch: Watch
) -> None:
    """One attempt: download the rest, then move the file into place. Raises `_Fault`."""
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
    """Whether the existing file is the right one. Raises `DownloadError`."""
    if not path.is_file():
        raise DownloadError(f"{path} is in the way: it is not a file")
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as content:
            while piece := content.read(CHUNK):
                digest.update(piece)
    except OSError as error:
        raise DownloadError(f"{path}: cannot be read: {error.strerror or error}") from None
    wrong = _difference(file, file_size(path), digest.hexdigest())
    if wrong:
        raise DownloadError(
            f"{path} is there, but is not what was expected: {wrong}; delete it and run the command again"
        )


def _difference(file: KnownFile, size: int, sha256: str) -> str:
    """The problem of a file with this size and checksum; '' if they are right."""
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
        """Whether it has bytes from an earlier attempt."""

    @property
    def size(self) -> int:
        return file_size(self.path)

    def version(self) -> tuple[str | None, int | None]:
        """The ETag and the total number of bytes, if they are known."""
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
        """Delete it."""
        with _writing(self.path):
            self.path.unlink(missing_ok=True)
            self.about.unlink(missing_ok=True)


_STRONG = re.compile(r'"[\x21\x23-\x7e]*"')
"""An ETag that promises the same bytes, not only the same meaning (RFC 9110, section 8.8.3)."""


@contextmanager
def _writing(path: Path) -> Generator[None]:
    """Turns the `OSError`s of the disk into `DownloadError`s."""
    try:
        yield
    except DownloadError:
        raise
    except OSError as error:
        raise DownloadError(f"{path}: cannot be written: {error.strerror or error}") from None


def _receive(file: KnownFile, url: str, part: _Part, network: Network, watch: Watch) -> None:
    """Download the rest of `part`. Raises `_Fault`, `_Wrong`, `DownloadError`."""
    tag, total = part.version()
    have = part.size
    part.resumed = have > 0
    if have and have == total:
        return  # it was completely received before, but not yet moved to its final name
    headers = {"User-Agent": "transformer-playground", "Accept-Encoding": "identity"}
    if have and tag:
        headers |= {"Range": f"bytes={have}-", "If-Range": tag}
    host = urlsplit(url).netloc
    with _open(url, headers, part, network.timeout) as response:
        encoding = response.headers.get("Content-Encoding", "identity")
        packing = ("gzip", "x-gzip") if file.gzipped else ()  # what Apache says of any .gz file
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
    if total is None and not file.gzipped:
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
        problem = (reason.strerror if isinstance(reason, OSError) else "") or str(reason)
        raise _Fault(f"could not reach {host} ({_quoted(problem)})") from None
    assert isinstance(response, HTTPResponse)
    return response


def _read(response: HTTPResponse, count: int, timeout: float) -> bytes:
    """The next bytes, at most `count`; empty at the end. Raises `_Fault`."""
    try:
        return response.read1(count)
    except TimeoutError:
        raise _Fault(f"nothing more came for {timeout:g} s") from None
    except (OSError, HTTPException) as error:
        raise _Fault(
            f"the connection broke ({_quoted(str(error)) or type(error).__name__})"
        ) from None


def _quoted(text: str) -> str:
    """A server's message as one short line of printable text."""
    text = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return text if len(text) <= 200 else f"{text[:200]}..."


def _length(response: HTTPResponse) -> int | None:
    """The Content-Length of a response."""
    text = response.headers.get("Content-Length", "")
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def _range(response: HTTPResponse) -> tuple[int, int | None]:
    """The offset of a 206 response (-1: not given), and the size of the complete file."""
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
    """The content of a received file, in chunks. Raises `_Wrong` or `_Fault`."""
    try:
        with gzip.open(path, "rb") if file.gzipped else open(path, "rb") as content:
            while piece := content.read(CHUNK):
                yield piece
    except FileNotFoundError:
        raise _Fault(f"another process has taken {path}") from None
    except EOFError:
        raise _Wrong("a gzip file without its end") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise _Wrong(f"no sound gzip file ({error})") from None
