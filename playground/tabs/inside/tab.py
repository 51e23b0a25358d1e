"""The tab Look inside: the attention of a trained model and its effect on the predictions.

The view (`playground/tabs/inside/view`) gets its data from `playground/tabs/inside/server.py`. The tab passes it
the run on the page.
"""

from __future__ import annotations

from playground.page.page import Page
from playground.page.views import view
from playground.tabs.inside import server as inside


def build(page: Page) -> None:
    """Place the view and update it when the page's run changes."""
    drawn = view("inside", server_functions=inside.SERVED, elem_id="inside", run="")
    page.show_run_in(drawn)
