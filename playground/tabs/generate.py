"""The tab Generate: a trained model writes, one token at a time.

The view (`playground/views/generate`) asks `playground/generating.py` for everything it draws; the
tab only tells it which run all tabs look at.
"""

from __future__ import annotations

import gradio as gr

from playground import generating
from playground.page import Page
from playground.views import view


def build(page: Page) -> None:
    """Place the view, and let it follow the page's run."""
    drawn = view("generate", server_functions=generating.SERVED, elem_id="generate", run="")
    page.run.change(
        lambda run: gr.HTML(run=run),
        page.run,
        drawn,
        show_progress="hidden",
        queue=False,
        api_visibility="private",
    )
