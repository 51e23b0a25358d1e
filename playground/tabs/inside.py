"""The tab Look inside: the attention of a trained model, and what it does with it.

The view (`playground/views/inside`) asks `playground/inside.py` for everything it draws; the tab
only tells it which run all tabs look at.
"""

from __future__ import annotations

import gradio as gr

from playground import inside
from playground.page import Page
from playground.views import view


def build(page: Page) -> None:
    """Place the view, and let it follow the page's run."""
    drawn = view("inside", server_functions=inside.SERVED, elem_id="inside", run="")
    page.run.change(
        lambda run: gr.HTML(run=run),
        page.run,
        drawn,
        show_progress="hidden",
        queue=False,
        api_visibility="private",
    )
