"""Figures of lessons: our own SVG drawings in assets/lessons/figures, with labels in the language of the page.

A drawing is written in English. Its colours are the classes and variables of the page (assets/css/lessons.css), so
that it fits a light and a dark page. A lesson in another language translates the labels; whatever is not translated,
such as a number, stays.
"""

from __future__ import annotations

import functools
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping

from playground.tabs.learn import FIGURES

SVG = "http://www.w3.org/2000/svg"
TAGS = {
    "svg", "g", "path", "line", "rect", "circle", "ellipse", "polyline", "polygon", "text", "tspan", "defs", "marker",
}  # fmt: skip
"""Allowed elements: shapes and text, nothing that runs or loads."""
WORD = re.compile(r"[A-Za-z]{2,}")
"""What makes a label one that another language has to translate."""


class FigureError(ValueError):
    """A drawing that does not exist or holds what it may not. The message names it."""


def drawing(name: str, labels: Mapping[str, str] | None = None) -> str:
    """The SVG text of a figure, with its labels replaced. Raises `FigureError`."""
    root = _read(name)
    words = labels or {}
    unknown = set(words) - {text for _, text in _texts(root)}
    if unknown:
        raise FigureError(f"{name}: has no label {sorted(unknown)[0]!r}")
    for node, text in _texts(root):
        node.text = words.get(text, text)
    ElementTree.register_namespace("", SVG)
    return ElementTree.tostring(root, encoding="unicode")


def words(name: str) -> list[str]:
    """The labels of a figure that are words, which another language translates. Raises `FigureError`."""
    return sorted({text for _, text in _texts(_read(name)) if WORD.search(text)})


def exists(name: str) -> bool:
    """Whether there is a figure of this name."""
    return (FIGURES / f"{name}.svg").is_file()


def _read(name: str) -> ElementTree.Element:
    if not re.fullmatch(r"[\w-]+", name) or not exists(name):
        raise FigureError(f"{name}: there is no figure {name}.svg in {FIGURES}")
    root = ElementTree.fromstring(_text(name))
    for node in root.iter():
        tag = node.tag.removeprefix(f"{{{SVG}}}")
        if tag not in TAGS:
            raise FigureError(
                f"{name}: <{tag}> is not allowed; allowed are {', '.join(sorted(TAGS))}"
            )
        for attribute, value in node.attrib.items():
            if attribute.startswith("on") or "href" in attribute or "http" in value:
                raise FigureError(f"{name}: the attribute {attribute} is not allowed")
    return root


@functools.cache
def _text(name: str) -> str:
    return (FIGURES / f"{name}.svg").read_text("utf-8")


def _texts(root: ElementTree.Element) -> Iterator[tuple[ElementTree.Element, str]]:
    """The elements that have text, and the text."""
    for node in root.iter():
        if node.tag in (f"{{{SVG}}}text", f"{{{SVG}}}tspan") and node.text and node.text.strip():
            yield node, node.text.strip()
