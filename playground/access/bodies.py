"""What a request may hold: JSON that can be written again, of a bounded size, and no file.

Gradio reads a body by Python's `json`, which takes numbers that are none, half characters, whole numbers of
any length and lists of any depth; what comes later fails on each. Gradio also fetches whatever resembles
its record of an uploaded file, wherever it stands, and nothing on this page takes a file. So a body is read here
once, by orjson, and handed on as orjson writes it.

What Gradio's own routes raise for a request that makes no sense to them is answered here too.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from typing import Any, cast

import orjson
from gradio.route_utils import FnIndexInferError
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BYTES = 13_000_000
"""Of one body. A text of a learner's own has a million characters; a script writes some in twelve bytes."""

CLOSED = ("upload", "proxy=", "deep_link", "stream/", "process_recording", "vibe-")
"""Gradio's routes that store files, or fetch them, and that nothing on the page uses."""

REFUSED = "playground.refused"
"""In the scope of a request whose event was answered with a sentence, where Gradio says 500."""

SENSELESS = (LookupError, TypeError, ValueError, FnIndexInferError)
"""What Gradio's routes raise for a request that names nothing they know."""

STREAM = "text/event-stream"

FILE = "gradio.FileData"

TEXT = {
    "large": "The request is too large: it may have {most:,} bytes.",
    "type": "The request must be JSON, with the header “Content-Type: application/json”.",
    "json": "The request is not valid JSON: {error}",
    "file": "The request holds the record of a file, and nothing here takes a file.",
    "closed": "This address of Gradio is closed, because nothing on the page uses it.",
    "senseless": "Unknown endpoint, or arguments that do not fit it.",
    "server": "The server failed. Details are in its log.",
}


class Refused(Exception):
    """A request that is not handed on."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status


class Bodies:
    """ASGI middleware: checks bodies before Gradio reads them, and answers what Gradio fails on."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        begun: Message = {}

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = begun or message
            if scope.get(REFUSED) and message.get("status") == 500:
                message["status"] = 400
            await send(message)

        try:
            if scope["path"].partition("/gradio_api/")[2].startswith(CLOSED):
                raise Refused(403, TEXT["closed"])
            if scope["method"] not in ("GET", "HEAD", "OPTIONS"):
                receive = await _checked(scope, receive)
            await self.app(scope, receive, watched)
        except Refused as refused:
            await _answer(str(refused), refused.status)(scope, receive, send)
        except Exception as error:
            print(f"{scope['method']} {scope['path']!r}: {error!r}"[:500], file=sys.stderr)
            if begun:  # Gradio's streams raise for an event that was not requested, or is gone
                if STREAM not in Headers(raw=begun["headers"]).get("content-type", ""):
                    raise
                problem = orjson.dumps({"error": TEXT["senseless"]}).decode()
                body = f"event: error\ndata: {problem}\n\n".encode()
                return await send({"type": "http.response.body", "body": body})
            if isinstance(error, SENSELESS):
                answer = _answer(TEXT["senseless"], 400)
            else:
                traceback.print_exception(error, file=sys.stderr)
                answer = _answer(TEXT["server"], 500)
            await answer(scope, receive, send)


def _answer(problem: str, status: int) -> JSONResponse:
    return JSONResponse({"error": problem, "detail": problem}, status)


async def _checked(scope: Scope, receive: Receive) -> Receive:
    """The same request with its body as orjson writes it. Raises `Refused`."""
    body = await _whole(receive)
    if not body:
        return _given(b"", receive)
    kind = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused(415, TEXT["type"])
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(400, TEXT["json"].format(error=error.msg)) from None
    written = orjson.dumps(value)
    if FILE.encode() in written and any(map(_is_file, _objects(value))):
        raise Refused(400, TEXT["file"])
    length = [(b"content-length", str(len(written)).encode())]
    left_out = (b"content-length", b"transfer-encoding")
    scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in left_out] + length
    return _given(written, receive)


async def _whole(receive: Receive) -> bytes:
    """The body, at most `MAX_BYTES` of it."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, TEXT["senseless"])
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BYTES:
            raise Refused(413, TEXT["large"].format(most=MAX_BYTES))
        if not message.get("more_body"):
            return b"".join(parts)


def _given(body: bytes, receive: Receive) -> Receive:
    """Hands over this body, and then whatever else comes: that the client is gone."""
    parts: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def handed() -> Message:
        return parts.pop() if parts else await receive()

    return handed


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON value."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            found = cast("dict[str, Any]", found)
            yield found
            waiting.extend(found.values())
        elif isinstance(found, list):
            waiting.extend(cast("list[Any]", found))


def _is_file(found: dict[str, Any]) -> bool:
    meta = found.get("meta")
    return isinstance(meta, dict) and FILE in cast("dict[str, Any]", meta).values()
