"""The tab Experts: how a mixture of experts distributes tokens, during training and afterwards.

The view (`playground/tabs/experts/view`) gets its data from `playground/tabs/experts/server.py`. The tab passes it
the run on the page, and starts the pair of runs that it requests.
"""

from __future__ import annotations

import time
from typing import Any

import gradio as gr

from playground.access import keys
from playground.hosting import checks
from playground.page.page import QUIET, Page, data_of, granted
from playground.page.views import view
from playground.tabs.experts import server as experts
from playground.tabs.learn.tab import terms

TERMS = (
    "MaxVio", "routing entropy", "dropped token", "dead expert", "expert", "router", "token", "feed-forward", "loss",
)  # fmt: skip
"""Terms whose definitions the view opens."""


def build(page: Page) -> None:
    """Place the view and update it when the page's run changes."""
    constants = {"terms": terms(*TERMS)}
    drawn = view("experts", experts.SERVED, "experts", constants, run="", pair=None)
    page.show_run_in(drawn)
    drawn.pair(start_pair, None, [page.run, page.header, drawn], **QUIET)


def start_pair(event: gr.EventData) -> tuple[Any, Any, Any]:
    """Start the two runs of an A/B comparison and show the first one."""
    answer: dict[str, Any] = {"at": time.time()}  # the time makes a repeated answer a new value
    given = keys.new(), keys.new()
    try:
        pair = experts.start_pair(data_of(event).get("run"), given)
    except (ValueError, OSError) as error:
        return gr.skip(), gr.skip(), gr.HTML(pair=answer | {"error": checks.sentence(error)})
    shown = gr.HTML(pair=answer | {"runs": [run.id for run in pair]})
    return pair[0].id, granted(*zip(pair, given, strict=True)), shown
