"""A small web server for tests: it frames a page, or serves another server's pages below a path."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.tools.waiting import PATIENCE


class Quiet(BaseHTTPRequestHandler):
    """Writes no log."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def listening(handler: type[Quiet]) -> Iterator[int]:
    """Serve with this handler on a free port of 127.0.0.1, and give the port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def framing(page: list[str]) -> type[Quiet]:
    """Answers everything with a page that shows the address `page[0]` in a frame."""

    class Frame(Quiet):
        def do_GET(self) -> None:
            text = f"<!doctype html><iframe src='{page[0]}' width=1400 height=1200></iframe>"
            body = text.encode() if page else b"<!doctype html>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Frame


def below(prefix: str, upstream: str, outside: list[str]) -> type[Quiet]:
    """Serves `upstream` below `prefix`, streaming; other paths get 404 and are noted in `outside`."""

    class Proxy(Quiet):
        def forward(self) -> None:
            if not self.path.startswith(f"{prefix}/"):
                outside.append(self.path)
                return self.send_error(404)
            length = int(self.headers.get("Content-Length") or 0)
            connection = http.client.HTTPConnection(urlsplit(upstream).netloc, timeout=PATIENCE)
            try:
                path = self.path.removeprefix(prefix)
                connection.putrequest(self.command, path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if name.lower() != "connection":
                        connection.putheader(name, value)
                connection.endheaders(self.rfile.read(length))
                answer = connection.getresponse()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "connection", "date", "server"):
                        self.send_header(name, value)
                self.send_header("Connection", "close")
                self.end_headers()
                while part := answer.read1(65536):
                    self.wfile.write(part)
            except OSError:
                pass  # the browser, or the playground, has gone
            finally:
                self.close_connection = True
                connection.close()

        do_GET = do_POST = do_HEAD = forward

    return Proxy
