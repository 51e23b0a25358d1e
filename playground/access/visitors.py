"""Whose request this is: the learner, by a signed cookie, and the network address, as far as it can be trusted.

A public host limits the runs that one learner trains at once. A cookie signed by this server identifies a
browser. A client that drops the cookie counts as a new learner, but has the same address, and addresses
are counted too.

    app_kwargs = {"middleware": [visitors.MIDDLEWARE]}   gives each page its cookie

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import sys
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playground import settings

COOKIE = "transformer-playground-learner"
IPV6_NETWORK = 64
"""Bits of an IPv6 address that are counted: one connection has all addresses below them."""

_HOME = "_playground_cookie_secret"


@dataclass(frozen=True)
class Visitor:
    """Who sent a request."""

    learner: str | None
    """One browser, by its cookie; None for a client without one."""
    address: str
    """Its network address, or the network of an IPv6 one; empty where it is not known."""


def current() -> Visitor | None:
    """Who sent the request that is being answered; None outside of any."""
    gradio = sys.modules.get("gradio.context")  # the dashboard does without Gradio
    request = None if gradio is None else gradio.LocalContext.request.get(None)
    # Events have Gradio's request around Starlette's; the server functions of a view have Starlette's.
    return None if request is None else of(getattr(request, "request", request).scope)


def of(scope: Scope) -> Visitor:
    """Who sent the request of this ASGI scope."""
    headers = Headers(scope=scope)
    return Visitor(_learner(headers), _address(scope, headers))


def token() -> str:
    """A learner's cookie: random, and signed so that no other can be forged."""
    name = secrets.token_urlsafe(16)
    return f"{name}.{_signature(name)}"


def _learner(headers: Headers) -> str | None:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    name, _, signature = ("" if morsel is None else morsel.value).partition(".")
    signed = hmac.compare_digest(signature.encode(), _signature(name).encode())
    return name if name and signed else None


def _signature(name: str) -> str:
    """Signed with a secret of this process: Gradio's hot reload executes this module again and must not lose it."""
    if not hasattr(sys, _HOME):
        setattr(sys, _HOME, secrets.token_bytes(32))
    return hmac.new(
        getattr(sys, _HOME), name.encode("utf-8", "replace"), hashlib.sha256
    ).hexdigest()


def _address(scope: Scope, headers: Headers) -> str:
    """Where a request came from: each trusted proxy in front of this server adds one entry to X-Forwarded-For.

    Entries further left were written by the client and are not read.
    """
    client = scope.get("client")
    peer = str(client[0]) if client else ""
    proxies = settings.current().proxies
    forwarded = ",".join(headers.getlist("x-forwarded-for")).split(",")
    hops = [*(entry.strip() for entry in forwarded), peer]
    given = hops[max(0, len(hops) - 1 - proxies)]
    return _network(given) or _network(peer)


def _network(address: str) -> str:
    """An IPv4 address as it is, the network of an IPv6 one; empty for anything else."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found), IPV6_NETWORK), strict=False))


class Visitors:
    """ASGI middleware: a cookie for each page of a public host."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add the cookie to the page that answers it."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = Headers(scope=scope)
        if not settings.current().public or _learner(headers) is not None:
            return await self.app(scope, receive, send)

        async def give_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                if answer.get("content-type", "").startswith("text/html"):
                    answer.append("set-cookie", _cookie(scope, headers))
            await send(message)

        await self.app(scope, receive, give_cookie)


def _cookie(scope: Scope, headers: Headers) -> str:
    """A new cookie. Over HTTPS it also works in a frame of another site, in which a Space is shown."""
    proto = headers.get("x-forwarded-proto", "").split(",")[0].strip()
    secure = "https" in (scope.get("scheme"), proto if settings.current().proxies else "")
    where = "SameSite=None; Secure; Partitioned" if secure else "SameSite=Lax"
    return f"{COOKIE}={token()}; Path=/; HttpOnly; {where}"


MIDDLEWARE: Any = Middleware(Visitors)
