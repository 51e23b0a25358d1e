"""The browser translates what the server says as Python would (playground/i18n.py, assets/js/page/language.js)."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from playground import i18n
from playground.i18n import HOLE, translate
from playground.page.views import HEAD
from tests.playground.page.test_i18n import CASES
from tests.tools import spoken

pytestmark = pytest.mark.browser

FILLINGS = ("7", "must be a number", "“x”; y. Z: none", "$1 \\d+ .* {0}\n()")


def sentences() -> list[str]:
    """All cases, all entries with their holes filled in, and all that is said of a model."""
    filled: list[str] = []
    for number, english in enumerate(i18n.catalogue("zh")):
        for filling in {FILLINGS[0], FILLINGS[number % len(FILLINGS)]}:
            filled.append(filling.join(HOLE.split(english)))
    long = [
        text * count for text in ("a: b c. ", "must be text; ") for count in (8, 15, 16, 17, 300)
    ]
    return [*CASES, *long, *filled, *spoken.pictures()]


def test_the_browser_and_python_say_the_same(browser: Browser) -> None:
    asked = list(dict.fromkeys(sentences()))
    page = browser.new_page()
    page.route(
        "http://view.test/**",
        lambda route: route.fulfill(
            content_type="text/html; charset=utf-8", body=f"<!doctype html><head>{HEAD}</head>"
        ),
    )
    page.goto("http://view.test/?lang=zh")
    page.evaluate("() => { tp.labels = {}; }")  # the form's names for fields are the page's alone
    told = page.evaluate("(asked) => asked.map((each) => tp.translate(each))", asked)
    page.close()
    different = [
        (sentence, theirs, ours)
        for sentence, theirs in zip(asked, told, strict=True)
        if theirs != (ours := translate(sentence, "zh"))
    ]
    assert len(asked) > 500 and not different, different[:5]
