"""The tab Optimizers: several optimizers train the same small model, side by side.

The view (`playground/tabs/optimizers/view`) asks `playground/tabs/optimizers/server.py` for everything; it does not depend
on the run of the page.
"""

from __future__ import annotations

from playground.page.page import Page
from playground.page.views import view
from playground.tabs.learn.tab import terms
from playground.tabs.optimizers import server

TERMS = (
    "optimizer",
    "gradient",
    "weight",
    "loss",
    "momentum",
    "learning rate",
    "singular value",
    "nat",
    "seed",
)
"""Terms whose definitions the view opens."""


def build(page: Page) -> None:
    """Place the view."""
    view("optimizers", server.SERVED, "optimizers", server.CONSTANTS | {"terms": terms(*TERMS)})
