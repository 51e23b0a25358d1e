"""The tab Translate: an encoder-decoder turns one sentence into another, and shows where it looks.

The view (`playground/views/translate`) asks `playground/translating.py` for everything it draws; the
tab tells it which run all tabs look at, and starts the runs that it asks for.
"""

from __future__ import annotations

import time
from typing import Any

import gradio as gr

from playground import answers, keys, translating, translators
from playground.page import Page, data_of, granted
from playground.views import view

QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


def build(page: Page) -> None:
    """Place the view, and let it follow the page's run."""
    drawn = view(
        "translate",
        translating.SERVED,
        "translate",
        run="",
        starters=translators.starters(),
        started=None,
    )
    page.run.change(lambda run: gr.HTML(run=run), page.run, drawn, **QUIET)
    drawn.train(start, None, [page.run, page.header, drawn], **QUIET)


def start(event: gr.EventData) -> tuple[Any, Any, Any]:
    """Train on one of the sets of pairs; the page turns to the new run."""
    answer: dict[str, Any] = {"at": time.time()}  # the time makes it news, even if it is the same
    key = keys.new()
    try:
        run = translators.start(data_of(event).get("preset"), key)
    except (ValueError, OSError) as error:
        return gr.skip(), gr.skip(), gr.HTML(started=answer | {"error": answers.sentence(error)})
    return run.id, granted((run, key)), gr.HTML(started=answer | {"run": run.id})
