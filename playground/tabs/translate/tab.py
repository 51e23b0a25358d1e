"""The tab Translate: translations by an encoder-decoder, and their alignment.

The view (`playground/tabs/translate/view`) gets its data from `playground/tabs/translate/server.py`. The tab passes
it the run on the page, and starts the runs that it requests.
"""

from __future__ import annotations

import time
from typing import Any

import gradio as gr

from playground.access import keys
from playground.hosting import checks
from playground.page.page import QUIET, Page, data_of, granted
from playground.page.views import view
from playground.tabs.translate import server as translating
from playground.tabs.translate import translation_runs


def build(page: Page) -> None:
    """Place the view and update it when the page's run changes."""
    drawn = view(
        "translate",
        translating.SERVED,
        "translate",
        constants={"starters": translation_runs.starters()},
        run="",
        started=None,
    )
    page.show_run_in(drawn)
    drawn.train(start, None, [page.run, page.header, drawn], **QUIET)


def start(event: gr.EventData) -> tuple[Any, Any, Any]:
    """Start training on one of the sets of pairs and show the new run."""
    answer: dict[str, Any] = {"at": time.time()}  # the time makes a repeated answer a new value
    key = keys.new()
    try:
        run = translation_runs.start(data_of(event).get("preset"), key)
    except (ValueError, OSError) as error:
        return gr.skip(), gr.skip(), gr.HTML(started=answer | {"error": checks.sentence(error)})
    return run.id, granted((run, key)), gr.HTML(started=answer | {"run": run.id})
