"""Who may use this page: the Host and Origin of every request, and the security headers of every answer.

A browser sends requests to any address for any page that it shows. Two attacks follow, and each has its check:

- Cross-site requests: a page of another site acts on this one. Browsers say where a request comes from, in
  `Sec-Fetch-Site` and `Origin`, and a script cannot change either. The rules are those of Go's
  `net/http.CrossOriginProtection` (https://words.filippo.io/csrf): a browser's request must come from this page.
  A script outside of a browser sends neither header and is served.
- DNS rebinding: another site's name resolves to this machine, so its pages count as this one. `Host` then names
  that site. An IP address as Host is safe, because rebinding needs a name, and so is this machine's own name.

`TP_SITES` names the other hosts by which the page is reached, or in whose frames it is shown.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playground import i18n, settings

TEXT = {
    "host": "This page is not served under the name “{host}”. The host can allow the name: "
    "set TP_SITES={host} in its environment.",
    "no host": "The request names no valid host.",
    "origin": "A page of another site ({origin}) may not use this one. The host of this page can allow "
    "that site in TP_SITES.",
}

INNER = ("/gradio_api/", "/_stcore/")
"""Routes for this page's own scripts: no link leads there."""

HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^\s\[\]:/?#@\\,;'\"<>]+)(?P<port>(?::\d{1,5})?)")
"""A host name or an address, and a port: what the header `Host` holds."""

POLICY = {
    "default-src": "'self'",
    # Gradio has scripts in its HTML and runs those of views by `new Function`; Streamlit loads some as blobs.
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval' blob:",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob:",
    "worker-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
}
"""The Content-Security-Policy, but for `frame-ancestors`: nothing is loaded from another host."""

PORTS = {"http": ":80", "https": ":443"}

SPACE = "https://huggingface.co"
"""Shows a Space in its frame."""


@dataclass(frozen=True)
class Sites:
    """The hosts by which this page is reached."""

    names: frozenset[str]
    """Lower case; with a port, or for any port. "*.example.org" is every name below example.org."""
    parents: tuple[str, ...] = ()
    """Sources of `frame-ancestors`, beside this page itself."""
    beyond: str = ""
    """Sources that pictures and requests may also have."""

    @classmethod
    def of(cls, environment: Mapping[str, str], named: tuple[str, ...] = ()) -> Sites:
        """The sites of a host with these variables; `named` are those of `TP_SITES`."""
        own = socket.gethostname().lower()
        names = {own, f"{own}.local", *map(_authority, named)}
        served = environment.get("GRADIO_SERVER_NAME", "")
        names |= {served.lower()} if served else set()
        parents = tuple(map(source_of, named))
        if not environment.get("SPACE_ID"):
            return cls(frozenset(names), parents)
        names |= {environment.get("SPACE_HOST", "").lower(), "*.hf.space"} - {""}
        return cls(frozenset(names), (SPACE, *parents), f" {SPACE} https://*.huggingface.co")

    def known(self, host: str) -> bool:
        """Is this value of the header `Host` one of ours?"""
        found = HOST.fullmatch(host.lower())
        if found is None:
            return False
        name = found["name"].rstrip(".")
        if name == "localhost" or name.endswith(".localhost"):
            return True
        return _is_address(name) or self._named(host.lower())

    def foreign(self, headers: Mapping[str, str], to_page: bool) -> bool:
        """Does a page of another site make this request? `to_page`: it asks for the page itself."""
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is not None and self._named(_authority(origin)):
            return False
        if site in ("same-origin", "none"):
            return False
        if site is not None:  # a link to the page, or a frame with it, is no misuse
            return not (to_page and headers.get("sec-fetch-mode") == "navigate")
        return origin is not None and _authority(origin) != headers.get("host", "").lower()

    def policy(self) -> str:
        """The value of Content-Security-Policy."""
        sources = dict(POLICY)
        for name in ("img-src", "connect-src"):
            sources[name] += self.beyond
        sources["frame-ancestors"] = " ".join(("'self'", *self.parents))
        return "; ".join(f"{name} {value}" for name, value in sources.items())

    def _named(self, authority: str) -> bool:
        found = HOST.fullmatch(authority)
        if found is None:
            return False
        name, port = found["name"].rstrip("."), found["port"]
        above = name.split(".")[1:]
        names = [name, *("*." + ".".join(above[at:]) for at in range(len(above)))]
        return any(each in self.names or f"{each}{port}" in self.names for each in names)


def source_of(site: str) -> str:
    """The same site as a source of a Content-Security-Policy: at any port, where it names none."""
    has_port = ":" in _authority(site).rpartition("]")[2]
    return site.lower().rstrip("/") + ("" if has_port else ":*")


def _authority(site: str) -> str:
    """The host and port of an origin, or of a site without a scheme; without its scheme's own port."""
    scheme, _, rest = site.strip().lower().rpartition("://")
    return rest.rstrip("/").removesuffix(PORTS.get(scheme, "/"))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


class Guard:
    """ASGI middleware: refuses what does not come from this page, and writes the security headers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        host = settings.current()
        self.sites = Sites.of(os.environ, host.site_names)
        self.headers = {
            "Content-Security-Policy": self.sites.policy(),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        problem = self.problem(scope)
        if not problem:
            return await self.app(scope, receive, guarded)
        if scope["type"] == "websocket":
            await receive()
            return await send({"type": "websocket.close", "code": 1008, "reason": ""})
        await _refusal(scope, problem)(scope, receive, guarded)

    def problem(self, scope: Scope) -> str:
        """Why this request is refused, or ""."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        found = HOST.fullmatch(host.lower())
        if found is None:
            return TEXT["no host"]
        if not self.sites.known(host):
            return TEXT["host"].format(host=found["name"][:80])
        reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        to_page = reads and not _path(scope).startswith(INNER)
        if self.sites.foreign(headers, to_page):
            return TEXT["origin"].format(origin=headers.get("origin", "?")[:80])
        return ""


def _path(scope: Scope) -> str:
    """The path below the page's root."""
    path, root = str(scope["path"]), str(scope.get("root_path", "")).rstrip("/")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def _refusal(scope: Scope, problem: str) -> Response:
    """The answer 403: JSON for a script, plain text in both languages for a person."""
    if scope["method"] not in ("GET", "HEAD") or _path(scope).startswith(INNER):
        return JSONResponse({"error": problem, "detail": problem}, 403)
    return PlainTextResponse(f"{problem}\n\n{i18n.translate(problem, 'zh')}\n", 403)
