"""The first screen: it shows the story model of the visitor's language, whichever run the page is on."""

from __future__ import annotations

from playground.page.page import Page
from playground.page.views import view
from playground.tabs.home import server


def build(page: Page) -> None:
    """Place the view; its ways into other tabs put its model on the page, by the header."""
    view("home", server.SERVED, "home")
