"""What a script or a teacher can do with a running playground, over Gradio's own client.

    from gradio_client import Client
    client = Client("http://127.0.0.1:7860")
    run = client.predict({"preset": "stories", "changes": {"d_model": 96}}, api_name="/start")["run"]

Every endpoint takes and returns plain JSON values, and answers with an error that says what is
wrong. On a public host `start` and `reset` also answer with the "key" of the run that they made. Whatever changes
or deletes a run asks for its key, as the last argument; elsewhere there are no keys. Steps, layers and heads are counted as on the page; layers and heads from 0.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import gradio as gr
from gradio.events import api

from engine.runs import Run
from playground import actions, answers, generating, inside, keys, routes, translating
from playground.plan import plan, read_choice, told

P = ParamSpec("P")
T = TypeVar("T")


def spoken(function: Callable[P, T]) -> Callable[P, T]:
    """The function, whose errors reach the caller as a sentence."""
    checked = answers.typed(function)

    @functools.wraps(function)
    def speaking(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return checked(*args, **kwargs)
        except Exception as error:
            raise gr.Error(answers.sentence(error), print_exception=False) from None

    return speaking


@spoken
def describe(choice: dict[str, Any]) -> dict[str, Any]:
    """What a configuration would be: its name, what is wrong with it, what it costs, its command."""
    return told(plan(read_choice(choice)))


@spoken
def start(choice: dict[str, Any], text: str = "") -> dict[str, str]:
    """Start a run; `choice` is {"preset", "changes", "fork": {"run", "step"}}. Answers {"run": id, "key"}."""
    key = keys.new()
    return _made(actions.start(actions.understood(choice, text), text or None, new_key=key), key)


@spoken
def status(run: str) -> dict[str, Any]:
    """Where a run is: state, step, checkpoints, learning rate, predicted and measured costs."""
    return actions.status(run)


@spoken
def pause(run: str, key: str = "") -> dict[str, str]:
    """Pause a run after its current step."""
    actions.tell(run, "pause", key=key)
    return {"run": run}


@spoken
def resume(run: str, key: str = "") -> dict[str, str]:
    """Let a paused run go on, or start the process of a stopped or interrupted one again."""
    actions.tell(run, "resume", key=key)
    return {"run": run}


@spoken
def step(run: str, steps: int = 1, key: str = "") -> dict[str, str]:
    """Make some steps, then pause."""
    actions.tell(run, "step", steps, key=key)
    return {"run": run}


@spoken
def stop(run: str, key: str = "") -> dict[str, str]:
    """Save a run and end its process."""
    actions.tell(run, "stop", key=key)
    return {"run": run}


@spoken
def change(run: str, field: str, value: float, key: str = "") -> dict[str, str]:
    """Change max_lr, min_lr, weight_decay or max_grad_norm in the middle of a run."""
    actions.tell(run, "change", value, field, key)
    return {"run": run}


@spoken
def reset(run: str, key: str = "") -> dict[str, str]:
    """The same run once more, from the same initial weights, paused. Answers its own id, and "key"."""
    new_key = keys.new()
    return _made(actions.reset(run, key, new_key=new_key), new_key)


@spoken
def delete(run: str, key: str = "") -> dict[str, str]:
    """Delete a run for good."""
    actions.remove(run, key)
    return {"run": run}


@spoken
def runs(ids: list[str] | None = None) -> dict[str, Any]:
    """The shipped runs, and those of `ids` that there are. Nobody can list other people's runs."""
    return actions.runs(ids)


@spoken
def events(run: str, offset: int = 0) -> dict[str, Any]:
    """What happened since byte `offset` of a run's log, and the offset to ask from next."""
    return actions.events(run, offset)


def _made(run: Run, key: str) -> dict[str, str]:
    return {"run": run.id} | ({"key": key} if key else {})


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
    "generate": spoken(generating.continue_text),
    "next_token": spoken(generating.distribution),
    "tokens": spoken(inside.tokens),
    "attention": spoken(inside.attention),
    "routing": spoken(routes.routing),
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
