"""The tab Experts: how a mixture of experts shares its work, while it trains and afterwards.

The view (`playground/views/experts`) asks `playground/experts.py` for everything it draws; the tab
tells it which run all tabs look at, and starts the pair of runs that it asks for.
"""

from __future__ import annotations

import time
from typing import Any

import gradio as gr

from playground import answers, experts, keys
from playground.page import Page, data_of, granted
from playground.views import view

QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


def build(page: Page) -> None:
    """Place the view, and let it follow the page's run."""
    drawn = view("experts", experts.SERVED, "experts", run="", pair=None)
    page.run.change(lambda run: gr.HTML(run=run), page.run, drawn, **QUIET)
    drawn.pair(start_pair, None, [page.run, page.header, drawn], **QUIET)


def start_pair(event: gr.EventData) -> tuple[Any, Any, Any]:
    """Start the two runs of an A/B; the page turns to the first of them."""
    answer: dict[str, Any] = {"at": time.time()}  # the time makes it news, even if it is the same
    given = keys.new(), keys.new()
    try:
        pair = experts.start_pair(data_of(event).get("run"), given)
    except (ValueError, OSError) as error:
        return gr.skip(), gr.skip(), gr.HTML(pair=answer | {"error": answers.sentence(error)})
    shown = gr.HTML(pair=answer | {"runs": [run.id for run in pair]})
    return pair[0].id, granted(*zip(pair, given, strict=True)), shown
