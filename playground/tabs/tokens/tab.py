"""The tab Tokens: tokenizers, training batches and embeddings.

It has three views, each with its own server module. The tab passes them the run on the page.
"""

from __future__ import annotations

from playground.page.page import Page
from playground.page.views import view
from playground.tabs.tokens import batches, embeddings
from playground.tabs.tokens import server as tokens


def build(page: Page) -> None:
    """Place the views and update them when the page's run changes."""
    views = [
        view("tokens", tokens.SERVED, "tokens", {"form": "configure"}, run=""),
        view("batches", batches.SERVED, "batches", run=""),
        view("embeddings", embeddings.SERVED, "embeddings", run=""),
    ]
    page.show_run_in(*views)
