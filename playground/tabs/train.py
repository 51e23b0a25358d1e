"""The tab Train: configure a run at the left, see the model it makes, and watch it learn."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import gradio as gr

from engine.presets import DEFAULT, PRESETS
from playground import actions, answers, controls, keys, library, live, settings
from playground.page import Page, data_of, granted
from playground.plan import (
    Choice,
    Fork,
    Plan,
    lenient,
    of_run,
    plan,
    read_choice,
    told,
)
from playground.views import view
from playground.views.model_spec import model_spec

QUIET: dict[str, Any] = {
    "queue": False,
    "show_progress": "hidden",
    "trigger_mode": "multiple",
    "api_visibility": "private",
}
"""How every event here is handled: at once, without the queue, and without a spinner."""


ALONE_HZ, SHARED_HZ = {"live": 6, "transport": 4}, {"live": 3, "transport": 1}
"""How often the views ask about a run, in a second: each answer costs the server some milliseconds, which
many pages at once would take from the runs."""


def build(page: Page) -> None:
    """The tab's views, and what connects them."""

    def download(run_id: str) -> dict[str, str]:
        """The run as a zip, in Gradio's cache, and where it is, seen from the page's address."""
        try:
            kept = actions.download(run_id)
        except (ValueError, OSError) as error:
            return {"error": answers.sentence(error)}
        return {"url": f"gradio_api/file={kept}", "name": Path(kept).name}

    first = plan(Choice(PRESETS[DEFAULT]))
    with gr.Row(elem_id="train"):
        view("jump", elem_id="jump")
        with gr.Column(elem_id="live-column"):
            asked = (status, tell, download)
            hz = SHARED_HZ if settings.current().public else ALONE_HZ
            transport = view("transport", asked, "transport", run="", said=None, hz=hz["transport"])
            learning = view("live", live.SERVER, "live", run="", hz=hz["live"])
        with gr.Column(elem_id="configure-column"):
            form = view(
                "configure",
                (describe,),
                "configure",
                layout=layout(),
                picture="model",
                answer=told(first),
                choice=None,
                said=None,
                limits=settings.current().told(),
            )
        with gr.Column(elem_id="picture-column"):
            view("model", elem_id="model", spec=spec(first))

    def follow(run_id: str) -> tuple[Any, Any]:
        return gr.update(run=run_id), gr.update(run=run_id)

    page.run.change(follow, page.run, [transport, learning], **QUIET)
    form.start(start, None, [page.run, page.header, form], **QUIET)
    transport.reset(reset, None, [page.run, page.header, transport], **QUIET)
    transport.fork(fork, None, form, **QUIET)
    transport.remove(remove, None, [page.run, transport], **QUIET)
    page.header.pick(configure_like, None, form, **QUIET)


# What the form asks -----------------------------------------------------------------------------


def describe(asked: dict[str, Any]) -> dict[str, Any]:
    """What there is to say about a choice, with the picture of its model where it can be drawn.

    A choice out of a link is answered with what of it could be understood.
    """
    linked = isinstance(asked, dict) and asked.get("link") is True
    choice = lenient(read_choice(asked)) if linked else read_choice(asked)
    worked_out = plan(choice)
    about = told(worked_out)
    if linked:
        about["choice"] = as_data(choice)
    if worked_out.vocabulary is not None:
        about["spec"] = spec(worked_out)
    return about


def spec(worked_out: Plan) -> dict[str, Any]:
    """The picture of a model that can be built."""
    assert worked_out.config is not None
    config = worked_out.config
    return model_spec(config.model, config.train.batch_size, worked_out.vocabulary)


def as_data(choice: Choice) -> dict[str, Any]:
    """A choice as the form holds it."""
    fork = choice.fork
    return {
        "preset": choice.preset.name,
        "changes": choice.changes,
        "fork": fork and {"run": fork.run.id, "step": fork.step, "name": fork.run.name},
    }


def configure_like(event: gr.EventData) -> Any:
    """The form, set to the configuration of the run that was picked."""
    try:
        return gr.update(choice=as_data(of_run(actions.find(data_of(event).get("run")))))
    except ValueError:
        return gr.skip()


# What leads to another run ----------------------------------------------------------------------


def start(event: gr.EventData) -> tuple[Any, Any, Any]:
    """Start what was chosen; the page turns to the new run."""
    data, key = data_of(event), keys.new()
    try:
        choice = actions.understood(data.get("choice"))
        run = actions.start(choice, data.get("text"), new_key=key)
    except (ValueError, OSError) as error:
        return gr.skip(), gr.skip(), said(answers.sentence(error))
    return run.id, granted((run, key)), said("")


def reset(event: gr.EventData) -> tuple[Any, Any, Any]:
    """The same run once more from its beginning, paused."""
    data, key = data_of(event), keys.new()
    try:
        run = actions.reset(data.get("run"), data.get("key"), new_key=key)
    except (ValueError, OSError) as error:
        return gr.skip(), gr.skip(), said(answers.sentence(error))
    return run.id, granted((run, key)), said("")


def fork(event: gr.EventData) -> Any:
    """The form, set to go on from a checkpoint, with as many steps more as the run had."""
    data = data_of(event)
    try:
        run = actions.find(data.get("run"))
    except ValueError:
        return gr.skip()
    choice, step = of_run(run), data.get("step")
    if not isinstance(step, int):
        return gr.skip()
    steps = step + run.config.train.total_steps
    changes = choice.changes | {"total_steps": steps}
    return gr.update(choice=as_data(Choice(choice.preset, changes, Fork(run, step))))


def remove(event: gr.EventData) -> tuple[Any, Any]:
    """Delete a run; the page turns to the one it shows first."""
    try:
        actions.remove(data_of(event).get("run"), data_of(event).get("key"))
    except (ValueError, OSError) as error:
        return gr.skip(), said(answers.sentence(error))
    return library.first(), said("")


def said(what: str) -> dict[str, Any]:
    """A sentence for the learner; the time makes it news even if it is the same again."""
    return gr.update(said={"text": what, "at": time.time()})


# What a view asks of the server -----------------------------------------------------------------


def status(run_id: str) -> dict[str, Any]:
    """See `actions.status`; or {"error": sentence}."""
    try:
        return actions.status(run_id)
    except (ValueError, OSError) as error:
        return {"error": answers.sentence(error)}


def tell(run_id: str, what: str, value: float | None, key: str = "") -> dict[str, Any]:
    """See `actions.tell`; answers {} or {"error": sentence}."""
    try:
        actions.tell(run_id, what, value, key=key)
    except (ValueError, OSError) as error:
        return {"error": answers.sentence(error)}
    return {}


# What the form is made of -----------------------------------------------------------------------


def layout() -> str:
    """Sections, presets and sources as JSON text, which Gradio need not walk through and copy."""
    ordered = sorted(PRESETS.values(), key=lambda preset: preset.name != DEFAULT)  # stable
    presets = [
        {
            "name": preset.name,
            "title": preset.title,
            "layer": preset.layer,
            "about": preset.description,
            "values": preset.config().flat(),
        }
        for preset in ordered
    ]
    sources = list(controls.sources())
    return json.dumps({"sections": controls.layout(), "presets": presets, "sources": sources})
