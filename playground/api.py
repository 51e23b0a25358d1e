"""The endpoints for scripts, over Gradio's own client.

    from gradio_client import Client
    client = Client("http://127.0.0.1:7860")
    run = client.predict({"preset": "stories", "changes": {"d_model": 96}}, api_name="/start")["run"]

Every endpoint takes and returns plain JSON values, and an error says what is wrong. On a public host `start` and
`reset` also return the "key" of the new run, and every endpoint that changes or deletes a run takes its key as the
last argument; elsewhere there are no keys. Layers and heads are counted from 0.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypedDict, TypeVar

import gradio as gr
from gradio.events import api
from typing_extensions import NotRequired

from engine.runs.store import Run
from playground.access import keys
from playground.hosting import actions, checks
from playground.planning.choice import read_choice
from playground.planning.plan import Summary, plan, summary
from playground.tabs.experts import expert_routing
from playground.tabs.generate import scripts
from playground.tabs.inside import server as inside
from playground.tabs.translate import server as translating

P = ParamSpec("P")
T = TypeVar("T")


class Named(TypedDict):
    """A run, by its id."""

    run: str


class Made(Named):
    """A new run, and on a public host the key that changes it."""

    key: NotRequired[str]


def spoken(function: Callable[P, T]) -> Callable[P, T]:
    """The function, whose errors reach the caller as one sentence."""
    checked = checks.typed(function)

    @functools.wraps(function)
    def speaking(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return checked(*args, **kwargs)
        except Exception as error:
            raise gr.Error(checks.sentence(error), print_exception=False) from None

    return speaking


@spoken
def describe(choice: dict[str, Any]) -> Summary:
    """What a configuration would be: its name, what is wrong with it, what it costs, its command."""
    return summary(plan(read_choice(choice)))


@spoken
def start(choice: dict[str, Any], text: str = "") -> Made:
    """Start a run; `choice` is {"preset", "changes", "fork": {"run", "step"}}. Answers {"run": id, "key"}."""
    key = keys.new()
    return _made(actions.start(actions.understood(choice, text), text or None, new_key=key), key)


@spoken
def status(run: str) -> actions.StatusAnswer:
    """Where a run is: state, step, checkpoints, learning rate, predicted and measured costs."""
    return actions.status(run)


@spoken
def pause(run: str, key: str = "") -> Named:
    """Pause a run after its current step."""
    actions.send_command(run, "pause", key=key)
    return {"run": run}


@spoken
def resume(run: str, key: str = "") -> Named:
    """Let a paused run go on, or start the process of a stopped or interrupted one again."""
    actions.send_command(run, "resume", key=key)
    return {"run": run}


@spoken
def step(run: str, steps: int = 1, key: str = "") -> Named:
    """Make some steps, then pause."""
    actions.send_command(run, "step", steps, key=key)
    return {"run": run}


@spoken
def stop(run: str, key: str = "") -> Named:
    """Save a run and end its process."""
    actions.send_command(run, "stop", key=key)
    return {"run": run}


@spoken
def change(run: str, field: str, value: float, key: str = "") -> Named:
    """Change one of `CHANGEABLE` during a run: a learning rate, weight decay, gradient clipping, or how experts are
    balanced."""
    actions.send_command(run, "change", value, field, key)
    return {"run": run}


@spoken
def reset(run: str, key: str = "") -> Made:
    """Start a new run with the same configuration and initial weights, paused; a fork starts again from its checkpoint.

    The old run is stopped. The answer has the new run's id and, on a public host, its key.
    """
    new_key = keys.new()
    return _made(actions.reset(run, key, paused=True, new_key=new_key), new_key)


@spoken
def delete(run: str, key: str = "") -> Named:
    """Delete a run for good."""
    actions.remove(run, key)
    return {"run": run}


@spoken
def runs(ids: list[str] | None = None) -> actions.Runs:
    """The shipped runs, and those of `ids` that exist. Other people's runs cannot be listed."""
    return actions.runs(ids)


@spoken
def events(run: str, offset: int = 0) -> actions.Events:
    """The events since byte `offset` of a run's log, and the offset to ask from next."""
    return actions.events(run, offset)


def _made(run: Run, key: str) -> Made:
    return {"run": run.id, "key": key} if key else {"run": run.id}


ENDPOINTS: dict[str, Callable[..., Any]] = {
    "describe": describe,
    "start": start,
    "status": status,
    "pause": pause,
    "resume": resume,
    "step": step,
    "stop": stop,
    "change": change,
    "reset": reset,
    "delete": delete,
    "runs": runs,
    "events": events,
    "generate": spoken(scripts.continue_text),
    "next_token": spoken(scripts.distribution),
    "tokens": spoken(inside.tokens),
    "attention": spoken(inside.attention),
    "routing": spoken(expert_routing.routing),
    "translate": spoken(translating.translate),
}
"""By their names. `download` is a file and not JSON, so it has components of its own."""


def register() -> None:
    """Make the endpoints; called inside the page's Blocks."""
    for name, function in ENDPOINTS.items():
        api(function, api_name=name, queue=False)
    run, archive = gr.Textbox(visible=False, label="run"), gr.File(visible=False, label="archive")
    asked = gr.Button(visible=False)

    @spoken
    def download(run: str) -> str:
        """A run as a zip: configuration, newest weights, events, and a script that generates."""
        return actions.download(run)

    asked.click(download, run, archive, queue=False, api_name="download")
