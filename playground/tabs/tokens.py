"""The tab Tokens: how texts become numbers, what a run reads, and where it keeps its tokens.

Three views, one below the other. Each asks a module of its own for everything it draws; the tab only
tells them which run all tabs look at.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground import batches, embeddings, tokens
from playground.page import Page
from playground.views import view

QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


def build(page: Page) -> None:
    """Place the views, and let them follow the page's run."""
    views = [
        view("tokens", tokens.SERVED, "tokens", run="", form="configure"),
        view("batches", batches.SERVED, "batches", run=""),
        view("embeddings", embeddings.SERVED, "embeddings", run=""),
    ]
    page.run.change(lambda run: [gr.HTML(run=run) for _ in views], page.run, views, **QUIET)
