"""What `benchmarks.hostile` sends: values, JSON, headers and methods that no page would send."""

from __future__ import annotations

from typing import Any

DAMAGED, VICTIM, KEY = "damaged", "victim", "the-key-of-the-damaged-run"
"""Ids of a stored run whose files are damaged, and of one that nobody here may change; the key of the first."""

TREE = {"a": [{"b": [{"c": None}]}]}
RECORD = {
    "path": "/etc/passwd",
    "url": "http://127.0.0.1:9/x",
    "meta": {"_type": "gradio.FileData"},
}

VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 3, 2**31, 2**63, -(2**63) - 1, 10**40, 0.5, 3.0, 1e308, "", "x", "stories", "train",
    "tokens", "en", "zh", "attention", "introduction", "../../etc/passwd", "/etc/passwd", "a" * 70, "x" * 21_000,
    "<img src=x onerror=alert(1)>", "${1}{{x}}`", "\0", "‮", "ﷺ🙂", [], {}, [[]], [None], ["stories"], [1, 2, 3],
    [0] * 500, {"run": "stories"}, {"preset": "stories"}, {"changes": {"d_model": "x"}}, {"temperature": -1},
    {"fork": {"run": "stories", "step": 1}}, {"preset": "copy", "changes": {"total_steps": 5}}, TREE, RECORD, [RECORD],
)  # fmt: skip

STORED: tuple[Any, ...] = (
    DAMAGED, DAMAGED, DAMAGED, [DAMAGED], {"run": DAMAGED}, {"fork": {"run": DAMAGED, "step": 2500}},
    {"fork": {"run": DAMAGED, "step": 0}, "changes": {"total_steps": 2510}}, VICTIM, [VICTIM, DAMAGED],
)  # fmt: skip
"""Values that name a stored run: its files are read."""

WRITTEN = (
    '"\\ud800"',
    "NaN",
    "Infinity",
    "1e999",
    "[" * 2_000 + "]" * 2_000,
    "9" * 5_000,
    '{"a":1,"a":2}',
    "",
)
"""Valid and almost valid JSON that Python's encoder would not write."""

HEADERS: tuple[dict[str, str], ...] = (
    {"X-Forwarded-Host": "evil.test"}, {"X-Forwarded-Proto": "javascript"}, {"X-Forwarded-For": "' OR 1=1"},
    {"X-Forwarded-For": ", ".join(["1.2.3.4"] * 500)}, {"Forwarded": "for=;host=evil.test"}, {"Referer": "\x7f"},
    {"Content-Type": "text/plain"}, {"Content-Type": "application/xml"}, {"Content-Type": "application/json; a=\xff"},
    {"Content-Type": "multipart/form-data"}, {"Content-Type": "multipart/form-data; boundary=x"},
    {"Content-Encoding": "gzip"}, {"Transfer-Encoding": "gzip, chunked"}, {"Range": "bytes=9-1"}, {"Accept": "*" * 9_000},
    {"Cookie": "access-token=" + "x" * 3_000}, {"Accept-Language": "zh;q=x"}, {"X-HTTP-Method-Override": "DELETE"},
    {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "\xff"}, {"Upgrade": "websocket"},
)  # fmt: skip

STRANGERS: tuple[dict[str, str], ...] = (
    {"Origin": "http://evil.test"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"}, {"Host": "evil.test"},
    {"Host": "evil.test:80", "Origin": "http://evil.test"}, {"Host": "127.0.0.1.evil.test"},
    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"},
    {"Origin": "http://evil.test", "Content-Type": "text/plain"}, {"Host": "evil.test@127.0.0.1"},
    {"Origin": "http://evil.test", "X-Forwarded-Host": "evil.test"}, {"Origin": "file://"},
)  # fmt: skip

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "NONE")
