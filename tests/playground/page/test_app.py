"""What a script or a teacher can do with a running playground, and how it is served."""

from __future__ import annotations

import gzip
import json
import re
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from playground import api
from playground.app import TABS, show_in_header
from tests.tools.waiting import PATIENCE

MAX_OF_PAGE = 535_000
"""Bytes of the page's HTML; half of what it had with the views' code in it."""
MAX_PACKED = 110_000
"""The same as it is sent."""

TINY: dict[str, Any] = {
    "source": "copy", "task_length": 2, "max_seq_len": 16, "d_model": 8, "n_head": 2, "n_layer": 1,
    "batch_size": 2, "total_steps": 60, "warmup_steps": 1, "eval_interval": 20, "eval_steps": 1,
    "save_interval": 20, "threads": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def client(address: str) -> Client:
    return Client(address, verbose=False)


def call(client: Client, name: str, *arguments: Any) -> Any:
    return client.predict(*arguments, api_name=f"/{name}")


def reached(client: Client, run: str, hold: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    end = time.monotonic() + PATIENCE
    while True:
        status = call(client, "status", run)
        if hold(status):
            return status
        assert time.monotonic() < end, status
        time.sleep(0.1)


def start(client: Client, **changes: Any) -> str:
    return call(client, "start", {"preset": "stories", "changes": TINY | changes})["run"]


def test_every_endpoint_and_no_other_is_offered(client: Client) -> None:
    offered = client.view_api(return_format="dict")
    assert isinstance(offered, dict)
    assert set(offered["named_endpoints"]) == {f"/{name}" for name in (*api.ENDPOINTS, "download")}


def test_a_configuration_is_described(client: Client) -> None:
    told = call(client, "describe", {"preset": "stories", "changes": {"d_model": 96}})
    assert told["ready"] and told["name"] == "Stories · width 96"
    assert told["costs"]["parameters"] > 0 and "--d_model 96" in told["command"]
    told = call(client, "describe", {"changes": {"d_model": 65}})
    assert not told["ready"] and "d_model" in told["problems"]


def test_a_run_from_start_to_download(client: Client) -> None:
    run = start(client)
    status = reached(client, run, lambda status: status["state"] == "finished")
    assert status["step"] == 60 and status["checkpoints"][-1] == 60
    assert status["measured"]["parameters"] == status["predicted"]["parameters"]
    assert status["measured"]["seconds"] > 0

    seen: list[dict[str, Any]] = []
    offset = -1
    answer: dict[str, Any] = {"offset": 0}
    while answer["offset"] != offset:
        offset = answer["offset"]
        answer = call(client, "events", run, offset)
        seen += answer["events"]
    assert [e["step"] for e in seen if e["type"] == "stepped"] == list(range(1, 61))
    assert seen[-1]["type"] == "ended"

    prompt = next(e["prompt"] for e in seen if e["type"] == "sampled")
    written = call(client, "generate", run, None, prompt, 5)
    assert written["prompt"] == prompt and len(written["tokens"]) <= 5
    told = call(client, "next_token", run, None, prompt)
    assert abs(sum(token["before"] for token in told["tokens"]) - 1) < 1e-4
    pieces = [token["piece"] for token in call(client, "tokens", run, prompt)]
    assert "".join(pieces) == prompt
    attention = call(client, "attention", run, None, prompt, 0, 1)
    assert all(abs(sum(row) - 1) < 1e-4 for row in attention["weights"])
    routed = call(client, "routing", "experts", None, "Once upon")
    assert routed["blocks"] == [0, 1] and len(routed["experts"][1]) == len(routed["tokens"]) == 9
    for (first, gate), (second, other) in routed["experts"][0]:
        assert first != second and gate >= other and abs(gate + other - 1) < 0.01

    with zipfile.ZipFile(call(client, "download", run)) as archive:
        names = {name.rpartition("/")[2] for name in archive.namelist()}
    assert {"config.json", "model.safetensors", "events.jsonl", "generate.py"} <= names

    (entry,) = call(client, "runs", [run])["own"]
    assert entry["id"] == run and entry["name"] == status["name"]
    assert entry["created"] > 1.7e9 and entry["total"] == status["total"]
    assert call(client, "runs", [])["own"] == []
    call(client, "delete", run)
    assert call(client, "runs", [run])["own"] == []


def test_a_run_translates(client: Client) -> None:
    run = start(client, source="numbers", n_encoder_layer=1, max_seq_len=32, total_steps=20)
    reached(client, run, lambda status: status["state"] == "finished")
    answer = call(client, "translate", run, "4721")
    assert answer["step"] == 20 and answer["sources"] == ["4", "7", "2", "1", "⟨end⟩"]
    assert len(answer["attention"]) == len(answer["tokens"]) > 0
    assert all(len(row) == 5 and abs(sum(row) - 1) < 1e-3 for row in answer["attention"])
    beams = call(client, "translate", run, "4721", 4, 0.0)
    assert beams["log_probability"] >= answer["log_probability"] - 1e-6
    with pytest.raises(AppError, match="beams must be"):
        call(client, "translate", run, "4721", 99)
    with pytest.raises(AppError, match="translates none"):
        call(client, "translate", "stories", "4721")
    with pytest.raises(AppError, match="Translate tab"):
        call(client, "generate", run)


def test_a_run_is_commanded(client: Client) -> None:
    run = start(client, total_steps=100_000)
    call(client, "pause", run)
    at = reached(client, run, lambda status: status["state"] == "paused")["step"]
    call(client, "change", run, "max_lr", 0.0005)
    call(client, "step", run, 3)
    status = reached(client, run, lambda s: s["state"] == "paused" and s["step"] > at)
    assert status["step"] == at + 3 and status["rate"] == 0.0005
    call(client, "resume", run)
    reached(client, run, lambda status: status["step"] > at + 3)
    again = call(client, "reset", run)["run"]
    reached(client, again, lambda status: status["state"] == "paused" and status["step"] == 0)
    reached(client, run, lambda status: status["state"] == "stopped")
    call(client, "stop", again)
    reached(client, again, lambda status: status["state"] == "stopped")


def test_a_text_of_ones_own_is_learned_from(client: Client) -> None:
    changes = TINY | {"source": "text", "total_steps": 20}
    changes.pop("task_length")
    run = call(client, "start", {"changes": changes}, "Fischers Fritze fischt frische Fische. " * 9)
    reached(client, run["run"], lambda status: status["state"] == "finished")


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("start", ({"changes": {"d_model": 65}},), "multiple of n_head"),
        ("start", ({"preset": "nope"},), "not the name of a preset"),
        ("start", ({"changes": {"train_data_path": "/etc/passwd"}},), "cannot be set"),
        ("start", ({"changes": {"source": "text"}}, "short"), "too short"),
        ("status", ("../../etc",), "no run"),
        ("change", ("nope", "max_lr", 1.0), "no run"),
        ("events", ("stories", -1), "offset"),
        ("delete", ("nope",), "no run"),
    ],
)
def test_what_cannot_be_is_answered_with_a_sentence(
    client: Client, name: str, arguments: tuple[Any, ...], words: str
) -> None:
    with pytest.raises(AppError, match=words):
        call(client, name, *arguments)


@pytest.mark.parametrize(
    "path", ["requirements.txt", "playground/app.py", "checkpoints", "/etc/passwd"]
)
def test_no_file_of_the_machine_is_served(address: str, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{address}gradio_api/file={path}")
    assert refused.value.code in (403, 404)


def test_the_page_is_small_and_its_parts_are_kept(address: str) -> None:
    """The page's HTML holds no view's code; that comes in files, compressed, which a browser keeps for good."""
    asked = urllib.request.Request(address, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(asked) as answer:
        packed = answer.read()
        assert answer.headers["Content-Encoding"] == "gzip"
    page = gzip.decompress(packed).decode()
    assert len(page.encode()) < MAX_OF_PAGE and len(packed) < MAX_PACKED
    files = set(re.findall(r"tp\.draw\(\\\"([\w-]+\.js)", page))
    assert len(files) >= len(TABS)
    for file in files:
        with urllib.request.urlopen(f"{address}parts/{file}") as answer:
            assert "immutable" in answer.headers["Cache-Control"]
            assert answer.read().startswith(b"tp.part(")
    with pytest.raises(urllib.error.HTTPError) as missing:
        urllib.request.urlopen(f"{address}parts/inside-000000000000.js")
    assert missing.value.code == 404


def test_the_page_asks_nothing_of_others(address: str) -> None:
    with urllib.request.urlopen(address) as answer:
        page = answer.read().decode()
    assert "fonts.googleapis" not in page and "fonts.gstatic" not in page
    with urllib.request.urlopen(f"{address}config") as answer:
        config = json.load(answer)
    assert config["analytics_enabled"] is False


def test_a_run_that_is_deleted_while_it_is_shown_is_no_error() -> None:
    assert show_in_header("0" * 24) == gr.skip()
