"""The tab Tokens: how texts become numbers, and how the pieces are learned.

The view (`playground/views/tokens`) asks `playground/tokens.py` for everything it draws; the tab only
tells it which run all tabs look at.
"""

from __future__ import annotations

import gradio as gr

from playground import tokens
from playground.page import Page
from playground.views import view


def build(page: Page) -> None:
    """Place the view, and let it follow the page's run."""
    drawn = view("tokens", tokens.SERVED, "tokens", run="")
    page.run.change(
        lambda run: gr.HTML(run=run),
        page.run,
        drawn,
        show_progress="hidden",
        queue=False,
        api_visibility="private",
    )
