"""The tab Experts: how a mixture of experts shares its work, while it trains and afterwards.

The view (`playground/views/experts`) asks `playground/experts.py` for everything it draws; the tab
tells it which run all tabs look at, and starts the pair of runs that it asks for.
"""

from __future__ import annotations

import time
from typing import Any

import gradio as gr

from playground import answers, experts
from playground.page import Page, data_of
from playground.views import view

QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


def build(page: Page) -> None:
    """Place the view, and let it follow the page's run."""
    drawn = view("experts", experts.SERVED, "experts", run="", pair=None)
    page.run.change(lambda run: gr.HTML(run=run), page.run, drawn, **QUIET)
    drawn.pair(start_pair, None, [page.run, drawn], **QUIET)


def start_pair(event: gr.EventData) -> tuple[Any, Any]:
    """Start the two runs of an A/B; the page turns to the first of them."""
    answer: dict[str, Any] = {"at": time.time()}  # the time makes it news, even if it is the same
    try:
        with_balance, without = experts.start_pair(
            data_of(event).get("run"), data_of(event).get("own")
        )
    except (ValueError, OSError) as error:
        return gr.skip(), gr.HTML(pair=answer | {"error": answers.sentence(error)})
    return with_balance.id, gr.HTML(pair=answer | {"runs": [with_balance.id, without.id]})
