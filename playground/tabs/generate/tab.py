"""The tab Generate: a trained model writes, one token at a time.

The view (`playground/tabs/generate/view`) asks `playground/tabs/generate/server.py` for everything it draws; the
tab gives it the sampler's fields and the run that all tabs show.
"""

from __future__ import annotations

from playground.page.page import Page
from playground.page.views import view
from playground.tabs.generate import server as generating


def build(page: Page) -> None:
    """Place the view, and let it follow the page's run."""
    drawn = view(
        "generate",
        server_functions=generating.SERVED,
        elem_id="generate",
        constants={"fields": generating.FIELDS},
        run="",
    )
    page.show_run_in(drawn)
