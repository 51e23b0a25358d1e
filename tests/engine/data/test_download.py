"""Corpora by name, from servers of every kind: slow, short, wrong, endless, changed, or not there."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import random
import shlex
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from engine.cli.main import build_parser, main
from engine.cli.progress import ProgressLine
from engine.config import PART_OF, RunConfig
from engine.data import DataError
from engine.data.corpora.download import DownloadError, Network, download
from engine.data.corpora.known import KNOWN, MARGIN, SITE, Known, KnownFile
from engine.data.prepare import BINS
from engine.data.watch import Watch

TEXT = random.Random(0).randbytes(150_000).hex().encode()  # more than is read at once
PACKED = gzip.compress(TEXT, 1)
TAG = '"one"'

Answer = Callable[["Handler"], None]


class Server(ThreadingHTTPServer):
    """Answers each request with the next of `answers`, and for ever with the last."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Answer] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.sent = 0
        self.over = threading.Event()
        self.site = f"http://127.0.0.1:{self.server_address[1]}"

    def ranges(self) -> list[str | None]:
        return [headers.get("Range") for _, headers in self.asked]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))
        answers = self.server.answers
        self.close_connection = True
        with contextlib.suppress(OSError):  # the client has had enough
            (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def head(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.send_header("Connection", "close")
        self.end_headers()

    def body(self, content: bytes) -> None:
        self.server.sent += len(content)  # before whoever asked can have all of it
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


def sends(
    content: bytes = TEXT,
    *,
    cut: int | None = None,
    stall: bool = False,
    tag: str = TAG,
    length: int | None = None,
    encoding: str = "",
) -> Answer:
    """The whole file, or what is asked for of it; only so many bytes of it; and then silence."""

    def answer(handler: Handler) -> None:
        begin, status, headers = 0, 200, {"ETag": tag} if tag else {}
        asked = handler.headers.get("Range")
        if asked and handler.headers.get("If-Range") == tag:
            begin, status = int(asked.removeprefix("bytes=").removesuffix("-")), 206
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        if encoding:
            headers["Content-Encoding"] = encoding
        said = len(content) - begin if length is None else length
        handler.head(status, Content_Length=said, **headers)
        handler.body(content[begin:cut])
        if stall:
            handler.server.over.wait(5)

    return answer


def says(status: int, **headers: object) -> Answer:
    return lambda handler: handler.head(status, Content_Length=0, **headers)


def without_length(content: bytes, times: int = 1) -> Answer:
    def answer(handler: Handler) -> None:
        handler.head(200)
        for _ in range(times):
            handler.body(content)

    return answer


def chunked(content: bytes, times: int, ends: bool = True) -> Answer:
    def answer(handler: Handler) -> None:
        handler.head(200, Transfer_Encoding="chunked")
        for _ in range(times):
            handler.body(b"%x\r\n%s\r\n" % (len(content), content))
        if ends:
            handler.body(b"0\r\n\r\n")

    return answer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def corpus(source: str = "/a/text", text: bytes = TEXT) -> Known:
    file = KnownFile("text", source, len(text), hashlib.sha256(text).hexdigest())
    uses = ("train --train_data_path {folder}/text",)
    return Known("small", "Small, from nowhere; nobody's.", (file,), uses)


class Notes(Watch):
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.counts: list[tuple[int, int | None]] = []

    def received(self, name: str, count: int, total: int | None) -> None:
        self.counts.append((count, total))

    def note(self, text: str) -> None:
        self.notes.append(text)


def fetch(
    server: Server,
    folder: Path,
    *answers: Answer,
    known: Known | None = None,
    timeout: float = 10,
    watch: Watch | None = None,
) -> Path:
    server.answers = list(answers)
    network = Network(server.site, timeout, attempts=3, pause=0.01)
    (path,) = download(known or corpus(), folder, network, watch)
    return path


def refused(
    server: Server,
    folder: Path,
    *answers: Answer,
    known: Known | None = None,
    timeout: float = 10,
) -> str:
    with pytest.raises(DownloadError) as caught:
        fetch(server, folder, *answers, known=known, timeout=timeout)
    said = str(caught.value)
    assert "\n" not in said
    assert not (folder / "small" / "text").exists()
    return said


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "small").iterdir())


# What goes well


@pytest.mark.parametrize(
    "answer", [sends(), without_length(TEXT), chunked(TEXT[: len(TEXT) // 4], 4)]
)
def test_a_text_comes_once(server: Server, tmp_path: Path, answer: Answer) -> None:
    text = TEXT[: len(TEXT) // 4] * 4 if answer.__qualname__.startswith("chunked") else TEXT
    watch = Notes()
    path = fetch(server, tmp_path, answer, known=corpus(text=text), watch=watch)
    assert path == tmp_path / "small" / "text" and path.read_bytes() == text
    assert watch.counts[-1][0] == len(text) and len(watch.counts) > 1
    again = fetch(server, tmp_path, says(500), known=corpus(text=text), watch=watch)
    assert again == path and len(server.asked) == 1 and "already" in watch.notes[-1]
    assert names(tmp_path) == ["text"]


@pytest.mark.parametrize("encoding", ["", "x-gzip"])
def test_a_packed_text_is_unpacked(server: Server, tmp_path: Path, encoding: str) -> None:
    path = fetch(server, tmp_path, sends(PACKED, encoding=encoding), known=corpus("/b/text.gz"))
    assert path.read_bytes() == TEXT and names(tmp_path) == ["text"]
    assert server.asked[0][0] == "/b/text.gz"


def test_a_file_that_was_put_there_is_checked(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "small" / "text"
    path.parent.mkdir()
    path.write_bytes(TEXT)
    assert fetch(server, tmp_path, says(500)) == path
    path.write_bytes(TEXT[:-1] + b"!")
    with pytest.raises(DownloadError, match="is there, but is not what was expected") as caught:
        fetch(server, tmp_path, sends())
    for part in (hashlib.sha256(TEXT).hexdigest(), hashlib.sha256(path.read_bytes()).hexdigest()):
        assert part in str(caught.value)
    assert "delete it" in str(caught.value) and path.read_bytes().endswith(b"!")
    path.unlink()
    path.mkdir()
    with pytest.raises(DownloadError, match="not a file"):
        fetch(server, tmp_path, sends())
    assert not server.asked


def test_a_redirection_is_followed_to_http_alone(server: Server, tmp_path: Path) -> None:
    elsewhere = says(302, Location=f"{server.site}/elsewhere")
    assert fetch(server, tmp_path / "1", elsewhere, sends()).read_bytes() == TEXT
    assert [path for path, _ in server.asked] == ["/a/text", "/elsewhere"]
    (tmp_path / "secret").write_bytes(TEXT)
    said = refused(server, tmp_path / "2", says(302, Location=f"file://{tmp_path}/secret"))
    assert "not allowed" in said
    said = refused(server, tmp_path / "3", says(302, Location="ftp://127.0.0.1:1/text"))
    assert "unknown url type" in said


def test_a_proxy_is_asked(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.site)
    server.answers = [sends()]
    network = Network("http://texts.invalid/mirror/", timeout=10, attempts=1)
    assert download(corpus(), tmp_path, network)[0].read_bytes() == TEXT
    assert server.asked[0][0] == "http://texts.invalid/mirror/a/text"


# Broken off, and on again


@pytest.mark.parametrize("known", [corpus(), corpus("/b/text.gz")], ids=["plain", "packed"])
@pytest.mark.parametrize("stall", [False, True], ids=["broken off", "silent"])
def test_it_goes_on_where_it_stopped(
    server: Server, tmp_path: Path, known: Known, stall: bool
) -> None:
    content = PACKED if known.files[0].gzipped else TEXT
    watch = Notes()
    answers = sends(content, cut=100_000, stall=stall), sends(content, cut=150_000), sends(content)
    timeout = 0.3 if stall else 10
    path = fetch(server, tmp_path, *answers, known=known, watch=watch, timeout=timeout)
    assert path.read_bytes() == TEXT and names(tmp_path) == ["text"]
    assert server.ranges() == [None, "bytes=100000-", "bytes=150000-"]
    assert server.asked[1][1]["If-Range"] == TAG and server.sent == len(content)
    assert len(watch.notes) == 3 and "once more in 0.01 s" in watch.notes[0]
    assert ("nothing more came for 0.3 s" in watch.notes[0]) == stall
    assert watch.counts[-1] == (len(content), len(content))


def test_the_next_call_goes_on_too(server: Server, tmp_path: Path) -> None:
    said = refused(server, tmp_path, sends(cut=100_000), sends(cut=100_000))
    assert f"sent 100,000 of {len(TEXT):,} bytes" in said and "run the command again" in said
    assert (tmp_path / "small" / "text.part").read_bytes() == TEXT[:100_000]
    assert fetch(server, tmp_path, sends()).read_bytes() == TEXT
    assert server.ranges()[-1] == "bytes=100000-"


@pytest.mark.parametrize("tag", ["", 'W/"one"', '"a b"'])
def test_it_begins_again_where_nothing_promises_the_same_bytes(
    server: Server, tmp_path: Path, tag: str
) -> None:
    path = fetch(server, tmp_path, sends(cut=100_000, tag=tag), sends(tag=tag))
    assert path.read_bytes() == TEXT and server.ranges() == [None, None]


def test_it_begins_again_where_the_server_sends_the_whole(server: Server, tmp_path: Path) -> None:
    def whole(handler: Handler) -> None:
        handler.head(200, Content_Length=len(TEXT))
        handler.body(TEXT)

    assert fetch(server, tmp_path, sends(cut=100_000), whole).read_bytes() == TEXT
    assert server.ranges() == [None, "bytes=100000-"]


def test_it_begins_again_where_the_file_has_changed(server: Server, tmp_path: Path) -> None:
    old = sends(b"old" * len(TEXT), cut=90_000, length=len(TEXT), tag='"old"')
    assert fetch(server, tmp_path, old, sends()).read_bytes() == TEXT
    assert server.asked[1][1]["If-Range"] == '"old"'
    # And where it has changed under the same tag, which only the sum shows.
    old = sends(b"old" * len(TEXT), cut=90_000, length=len(TEXT))
    watch = Notes()
    assert fetch(server, tmp_path / "2", old, sends(), watch=watch).read_bytes() == TEXT
    assert "does not fit together" in watch.notes[1] and server.ranges()[-1] is None


@pytest.mark.parametrize(
    "answer",
    [
        says(206, Content_Range=f"bytes 5-{len(TEXT) - 1}/{len(TEXT)}"),
        says(206, Content_Range=f"bytes 90000-{len(TEXT) - 1}/{len(TEXT)}", ETag='"two"'),
        says(206, Content_Range="nonsense"),
        says(206),
        says(416, Content_Range="bytes */10"),
    ],
)
def test_it_begins_again_where_the_answer_does_not_fit(
    server: Server, tmp_path: Path, answer: Answer
) -> None:
    assert fetch(server, tmp_path, sends(cut=90_000), answer, sends()).read_bytes() == TEXT
    assert server.ranges() == [None, "bytes=90000-", None]


def test_a_part_of_something_else_does_no_harm(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    for about in ("", "[]", "{", '{"etag": 5, "total": "x"}', '{"etag": "\\"a\\nb: c\\""}'):
        (folder / "text.part").write_bytes(b"something else")
        (folder / "text.part.json").write_text(about)
        fetch(server, tmp_path, sends()).unlink()
    # One that says it is whole.
    (folder / "text.part").write_bytes(b"something else")
    (folder / "text.part.json").write_text('{"total": 14}')
    assert fetch(server, tmp_path, sends()).read_bytes() == TEXT
    assert set(server.ranges()) == {None}


def test_a_part_that_came_whole_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "text.part").write_bytes(TEXT)
    (folder / "text.part.json").write_text(f'{{"etag": null, "total": {len(TEXT)}}}')
    assert fetch(server, tmp_path, says(500)).read_bytes() == TEXT and not server.asked


def test_an_interruption_keeps_the_part(server: Server, tmp_path: Path) -> None:
    class Interrupts(Watch):
        def received(self, name: str, count: int, total: int | None) -> None:
            if count > 50_000:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(server, tmp_path, sends(), watch=Interrupts())
    have = (tmp_path / "small" / "text.part").stat().st_size
    assert have > 50_000
    assert fetch(server, tmp_path, sends()).read_bytes() == TEXT
    assert server.ranges()[-1] == f"bytes={have}-"


# What is not what was expected


def test_a_wrong_file_is_named_and_not_kept(server: Server, tmp_path: Path) -> None:
    wrong = TEXT[:-1] + b"!"
    said = refused(server, tmp_path, sends(wrong))
    for part in (hashlib.sha256(TEXT), hashlib.sha256(wrong)):
        assert part.hexdigest() in said
    assert f"{server.site}/a/text" in said and "run the command again, and report it" in said
    assert names(tmp_path) == [] and len(server.asked) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (sends(length=1000), "1,000 bytes with SHA-256"),
        (sends(length=10**15), "may have at most 300,000"),
        (sends(TEXT + b"!"), "may have at most 300,000"),
        (without_length(TEXT, 2), "goes on after 300,000 bytes"),
        (says(200, Content_Encoding="br"), "encoded as br"),
    ],
)
def test_a_length_that_is_wrong(server: Server, tmp_path: Path, answer: Answer, said: str) -> None:
    assert said in refused(server, tmp_path, answer)
    assert names(tmp_path) == [] and len(server.asked) == 1


@pytest.mark.parametrize("endless", [without_length, chunked])
@pytest.mark.parametrize("known", [corpus(), corpus("/b/text.gz")], ids=["plain", "packed"])
def test_an_endless_file_is_cut_off(
    server: Server, tmp_path: Path, endless: Callable[[bytes, int], Answer], known: Known
) -> None:
    watch = Notes()
    with pytest.raises(DownloadError, match="goes on after"):
        fetch(server, tmp_path, endless(bytes(2**16), 10**9), known=known, watch=watch)
    assert watch.counts[-1][0] == len(TEXT) + 1 + (MARGIN if known.files[0].gzipped else 0)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (gzip.compress(bytes(10**8), 1)[: len(TEXT)], "more than 300,000 bytes"),
        (gzip.compress(TEXT + b"!"), "more than 300,000 bytes"),
        (PACKED[:-4], "without its end"),
        (PACKED[:-8] + bytes(8), "no sound gzip file"),
        (PACKED[:5_000] + bytes(5_000) + PACKED[10_000:], "no sound gzip file"),
        (TEXT, "no sound gzip file"),
        (b"", "0 bytes with SHA-256"),
    ],
    ids=["bomb", "longer", "cut", "wrong sum", "hole", "not packed", "nothing"],
)
def test_what_cannot_be_unpacked(server: Server, tmp_path: Path, content: bytes, said: str) -> None:
    assert said in refused(server, tmp_path, sends(content), known=corpus("/b/text.gz"))
    assert names(tmp_path) == []


def test_a_packed_file_is_a_little_longer_than_what_does_not_pack(
    server: Server, tmp_path: Path
) -> None:
    noise = random.Random(1).randbytes(10_000)
    packed = gzip.compress(noise)
    assert len(packed) > len(noise)
    path = fetch(server, tmp_path, sends(packed), known=corpus("/b/text.gz", noise))
    assert path.read_bytes() == noise


# Servers that do not give it


def test_a_server_that_has_no_such_file(server: Server, tmp_path: Path) -> None:
    said = refused(server, tmp_path, says(404))
    assert f"{server.site}/a/text: the server answers 404 Not Found" in said
    assert len(server.asked) == 1
    assert "answers 204" in refused(server, tmp_path, says(204))


def test_a_server_that_is_out_of_order(server: Server, tmp_path: Path) -> None:
    assert fetch(server, tmp_path / "1", says(500), says(429), sends()).read_bytes() == TEXT
    said = refused(server, tmp_path / "2", says(503))
    assert "503 Service Unavailable: run the command again" in said and len(server.asked) == 6


def test_a_server_that_says_nothing_or_nonsense(server: Server, tmp_path: Path) -> None:
    def silent(handler: Handler) -> None:
        handler.server.over.wait(5)

    def raw(content: bytes) -> Answer:
        return lambda handler: handler.body(content)

    assert "did not answer for 0.1 s" in refused(server, tmp_path, silent, timeout=0.1)
    for answer in (raw(b""), raw(b"?\r\n\r\n"), raw(b"\0" * 100_000), raw(b"HTTP/1.1 x y\r\n\r\n")):
        assert "could not reach" in refused(server, tmp_path, answer)
    said = refused(server, tmp_path, chunked(TEXT[:50], 3, ends=False))
    assert "the connection broke" in said
    said = refused(server, tmp_path, raw(b"HTTP/1.1 404 \x1b[31mred" + b"x" * 5_000 + b"\r\n\r\n"))
    assert "404 [31mredxxx" in said and said.isprintable() and len(said) < 500


def test_without_a_network(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    network = Network(f"http://127.0.0.1:{port}", timeout=10, attempts=2, pause=0.01)
    for known, unpacked in ((corpus(), ""), (corpus("/a/text.gz"), ", unpacked,")):
        with pytest.raises(DownloadError) as caught:
            download(known, tmp_path, network)
        said = str(caught.value)
        assert f"could not reach 127.0.0.1:{port} (Connection refused)" in said
        path = tmp_path / "small" / "text"
        assert f"{SITE}{known.files[0].source}{unpacked} at {path} yourself" in said
    assert names(tmp_path) == []


def test_folders_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadError, match=r"file.small: cannot be written: Not a directory"):
        fetch(server, tmp_path / "file", sends())
    if Path("/dev/full").exists():
        (tmp_path / "small").mkdir()
        (tmp_path / "small" / "text.part").symlink_to("/dev/full")
        said = refused(server, tmp_path, sends())
        assert "text.part: cannot be written: No space left" in said and len(server.asked) == 1


# The command


def command(*words: str) -> int:
    try:
        return main(["download", *words])
    except SystemExit as ended:
        assert isinstance(ended.code, int)
        return ended.code


def test_the_command_says_what_to_do_with_it(
    server: Server,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(KNOWN, "small", corpus())
    server.answers = [sends()]
    out = tmp_path / "my data"
    assert command("small", "--out", str(out), "--mirror", server.site) == 0
    said = capsys.readouterr()
    path = (out / "small" / "text").as_posix()
    assert said.out.splitlines() == [
        "Small, from nowhere; nobody's.",
        f"python -m engine train --train_data_path '{path}'",
    ]
    assert said.err == f"{out / 'small' / 'text'}: {len(TEXT):,} bytes\n"
    server.answers = [says(404)]
    (out / "small" / "text").unlink()
    assert command("small", "--out", str(out), "--mirror", server.site) == 2
    said = capsys.readouterr()
    assert said.err.startswith("python -m engine download: ") and said.err.count("\n") == 1
    assert not said.out


def test_the_command_is_interrupted(
    server: Server,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(line: ProgressLine, name: str, count: int, total: int | None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(KNOWN, "small", corpus())
    monkeypatch.setattr(ProgressLine, "received", interrupt)
    server.answers = [sends()]
    assert command("small", "--out", str(tmp_path), "--mirror", server.site) == 130
    assert "continues from here" in capsys.readouterr().err
    assert names(tmp_path) == ["text.part", "text.part.json"]


def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, expected in (
        (["stories"], "name = 'stories': must be one of shakespeare, multi30k, tinystories"),
        (["shakespeare", "--mirror", "file:///etc"], "must begin with http:// or https://"),
        (["shakespeare", "--timeout", "0"], "'0' must be a number from 0.001 to 3,600"),
        (["shakespeare", "--timeout", "nan"], "'nan' must be a number from 0.001"),
        (["shakespeare", "--mirror", "http://a:b"], "could not reach a:b"),
        ([], "required: NAME"),
    ):
        out = ["--out", str(tmp_path), *(["--timeout", "0.2"] if "http://a:b" in words else [])]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("engine.data.corpora.download.time.sleep", lambda seconds: None)
            assert command(*words, *out) == 2
        said = capsys.readouterr()
        last = said.err.splitlines()[-1]
        assert last.startswith("python -m engine download") and expected in last
        assert "Traceback" not in said.err and not said.out


def test_progress_is_one_line_in_a_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    line = ProgressLine(stream)
    line.received("train.de", 1_000_000, 2_000_000)
    line.received("train.de", 1_000_001, 2_000_000)  # too soon
    line.received("train.de", 2_000_000, 2_000_000)
    line.note("done")
    line.clear()
    shown = "train.de  1.00 of 2.00 MB", "train.de  2.00 of 2.00 MB"
    gone = f"\r{' ' * 25}\r"
    assert stream.getvalue() == f"\r{shown[0]}\r{shown[1]}{gone}done\n{shown[1]}{gone}"
    plain = io.StringIO()
    line = ProgressLine(plain)
    line.received("train.de", 1_000_000, None)
    line.clear()
    assert plain.getvalue() == ""


def test_what_is_known_can_be_asked_for_and_used() -> None:
    with pytest.raises(DataError):
        Network("ftp://texts.invalid")
    for name, known in KNOWN.items():
        assert known.name == name and known.terms
        files = {file.name for file in known.files}
        assert len(files) == len(known.files)
        for file in known.files:
            assert len(file.sha256) == 64 and int(file.sha256, 16) >= 0 and file.size > 0
            assert file.source.startswith("/")
        for text in known.commands(Path("data")):
            words = shlex.split(text)
            assert words[:3] == ["python", "-m", "engine"]
            options = build_parser().parse(words[3:])
            prefix = f"data/{name}/"
            used = [word.removeprefix(prefix) for word in words if word.startswith(prefix)]
            made = {"ids", *(f"ids/{name}" for name in BINS.values())}  # by `prepare`
            assert used and set(used) <= files | made
            if words[3] == "train":
                given = {key: value for key, value in vars(options).items() if key in PART_OF}
                source = {"source": "text"} if "source" not in given else {}
                RunConfig.from_flat(given | source)
