"""The tab Train: configure a run, see its model, and watch it train."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import gradio as gr

from engine.presets import DEFAULT, PRESETS
from playground import settings
from playground.access import keys
from playground.hosting import actions, checks, run_feed
from playground.page.page import QUIET, Page, data_of, granted
from playground.page.views import view
from playground.planning import controls
from playground.planning.choice import Choice, Fork, lenient, of_run, read_choice
from playground.planning.offers import offers
from playground.planning.plan import Plan, plan, summary
from playground.runs import run_lookup
from playground.tabs.learn.tab import terms
from playground.tabs.train.cards import cards
from playground.tabs.train.model_spec import ModelSpec, model_spec

EACH: dict[str, Any] = QUIET | {"trigger_mode": "multiple"}
"""Options of the events here: the same, also while an earlier one has no answer yet."""


ALONE_HZ, SHARED_HZ = {"live": 6, "transport": 4}, {"live": 3, "transport": 1}
"""Polls per second of the views, on a private and on a public host: each answer costs the server some
milliseconds, which many open pages would take from the runs."""


CHART_TERMS = ("nat", "unigram", "bigram", "learning rate", "gradient norm")
"""Terms of the chart that open their definitions."""


def build(page: Page) -> None:
    """Place the tab's views and connect their events."""

    first = plan(Choice(PRESETS[DEFAULT]))
    with gr.Row(elem_id="train"):
        view("jump", elem_id="jump")
        with gr.Column(elem_id="configure-column"):
            form = view(
                "configure",
                (describe, going, halt),
                "configure",
                {
                    "layout": layout(),
                    "picture": "model",
                    "answer": answered(first),
                    "limits": settings.current().visible_limits(),
                },
                choice=None,
                said=None,
            )
            mine = view("runs", (listed, rename), "runs", run="")
        with gr.Column(elem_id="live-column"):
            functions = (status, send_command, download, going, halt)
            hz = SHARED_HZ if settings.current().public else ALONE_HZ
            transport = view(
                "transport", functions, "transport", {"hz": hz["transport"]}, run="", said=None
            )
            constants = {"hz": hz["live"], "terms": terms(*CHART_TERMS)}
            learning = view("live", (*run_feed.SERVER, runs), "live", constants, run="")
        with gr.Column(elem_id="picture-column"):
            view("model", elem_id="model", constants={"spec": spec(first)})

    page.show_run_in(transport, learning, mine)
    form.start(start, None, [page.run, page.header, form], **EACH)
    transport.reset(reset, None, [page.run, page.header, transport], **EACH)
    transport.fork(fork, None, form, **EACH)
    transport.remove(remove, None, [page.run, transport], **EACH)
    mine.show(choose, None, page.run, **EACH)
    mine.show(configure_like, None, form, **EACH)
    mine.remove(remove, None, [page.run, transport], **EACH)
    page.header.pick(configure_if_asked, None, form, **EACH)


# Requests of the form ---------------------------------------------------------------------------


def describe(asked: dict[str, Any]) -> dict[str, Any]:
    """Problems, costs and model picture of a choice in the form.

    For a choice from a link, the answer also contains the choice with invalid parts removed.
    """
    linked = isinstance(asked, dict) and asked.get("link") is True
    choice = lenient(read_choice(asked)) if linked else read_choice(asked)
    worked_out = plan(choice)
    about = answered(worked_out)
    if linked:
        about["choice"] = as_data(choice)
    if worked_out.vocabulary is not None:
        about["spec"] = spec(worked_out)
    return about


def answered(worked_out: Plan) -> dict[str, Any]:
    """What the form shows of a plan: its summary, and what each size of it costs."""
    return {**summary(worked_out), "sizes": offers(worked_out.choice)}


def going(ids: list[str]) -> list[actions.Entry]:
    """See `actions.going`."""
    return actions.going(ids)


def halt(run_id: str, key: str = "") -> dict[str, str]:
    """Stop a run, before another one starts."""
    actions.send_command(run_id, "stop", key=key)
    return {}


def listed(ids: list[str]) -> list[actions.Entry]:
    """The learner's own runs, for their list."""
    return actions.runs(ids)["own"]


def runs(ids: list[str]) -> dict[str, Any]:
    """See `actions.runs`."""
    return actions.runs(ids)


def rename(run_id: str, name: str, key: str = "") -> dict[str, str]:
    """See `actions.rename`."""
    return {"name": actions.rename(run_id, name, key)}


def spec(worked_out: Plan) -> ModelSpec:
    """The model picture of a valid plan."""
    assert worked_out.config is not None
    config = worked_out.config
    return model_spec(config.model, config.train.batch_size, worked_out.vocabulary)


def as_data(choice: Choice) -> dict[str, Any]:
    """A choice in the form's data format."""
    fork = choice.fork
    return {
        "preset": choice.preset.name,
        "changes": choice.changes,
        "fork": fork and {"run": fork.run.id, "step": fork.step, "name": fork.run.name},
    }


def configure_like(event: gr.EventData) -> Any:
    """Set the form to the configuration of the run chosen in the header or in the list."""
    try:
        return gr.update(choice=as_data(of_run(run_lookup.find(data_of(event).get("run")))))
    except ValueError:
        return gr.skip()


def configure_if_asked(event: gr.EventData) -> Any:
    """The same for a run chosen in the header, if it was chosen on this tab: elsewhere the form stays as it is."""
    return configure_like(event) if data_of(event).get("configure") is True else gr.skip()


# Events that change the run on the page ---------------------------------------------------------


def start(event: gr.EventData) -> tuple[Any, Any, Any]:
    """Start the chosen run and show it."""
    data, key = data_of(event), keys.new()
    try:
        choice = actions.understood(data.get("choice"))
        run = actions.start(choice, data.get("text"), new_key=key, own=data.get("own"))
    except (ValueError, OSError) as error:
        return gr.skip(), gr.skip(), said(checks.sentence(error))
    return run.id, granted((run, key)), said("")


def reset(event: gr.EventData) -> tuple[Any, Any, Any]:
    """Start a new run with the same configuration, and show it."""
    data, key = data_of(event), keys.new()
    try:
        run = actions.reset(data.get("run"), data.get("key"), new_key=key, own=data.get("own"))
    except (ValueError, OSError) as error:
        return gr.skip(), gr.skip(), said(checks.sentence(error))
    return run.id, granted((run, key)), said("")


def fork(event: gr.EventData) -> Any:
    """Set the form to a fork of a checkpoint, with as many further steps as the run has in total."""
    data = data_of(event)
    try:
        run = run_lookup.find(data.get("run"))
    except ValueError:
        return gr.skip()
    choice, step = of_run(run), data.get("step")
    if not isinstance(step, int):
        return gr.skip()
    steps = step + run.config.train.total_steps
    changes = choice.changes | {"total_steps": steps}
    return gr.update(choice=as_data(Choice(choice.preset, changes, Fork(run, step))))


def choose(event: gr.EventData) -> Any:
    """Show a run that was chosen in the list."""
    try:
        return run_lookup.find(data_of(event).get("run")).id
    except ValueError:
        return gr.skip()


def remove(event: gr.EventData) -> tuple[Any, Any]:
    """Delete a run and show the default run."""
    try:
        actions.remove(data_of(event).get("run"), data_of(event).get("key"))
    except (ValueError, OSError) as error:
        return gr.skip(), said(checks.sentence(error))
    return run_lookup.first(), said("")


def said(what: str) -> dict[str, Any]:
    """Show a message. The time makes a repeated message a new value."""
    return gr.update(said={"text": what, "at": time.time()})


# Server functions of the views ------------------------------------------------------------------


@checks.answer
def status(run_id: str) -> actions.StatusAnswer:
    """See `actions.status`."""
    return actions.status(run_id)


@checks.answer
def download(run_id: str) -> dict[str, str]:
    """Write the run as a zip into Gradio's cache; returns its URL relative to the page."""
    kept = actions.download(run_id)
    return {"url": f"gradio_api/file={kept}", "name": Path(kept).name}


@checks.answer
def send_command(run_id: str, what: str, value: float | None, key: str = "") -> dict[str, str]:
    """See `actions.send_command`; answers {}."""
    actions.send_command(run_id, what, value, key=key)
    return {}


# Contents of the form ---------------------------------------------------------------------------


def layout() -> str:
    """Sections, presets and sources as JSON text, which Gradio does not traverse or copy."""
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
    contents = {
        "sections": controls.layout(),
        "presets": presets,
        "sources": sources,
        "cards": cards(),
    }
    return json.dumps(contents)
