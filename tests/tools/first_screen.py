"""What a visitor has to take in at once: the numbers and the technical terms that are in sight on a page."""

from __future__ import annotations

import re
from typing import NamedTuple

from playwright.sync_api import Page

from playground import i18n

MORE_TERMS = (
    "transformer", "language model", "vector", "API", "fork", "FLOPs", "nats", "RMSNorm", "SiLU", "memory",
)  # fmt: skip
"""Terms of the field, or of this page, that the glossary does not translate."""

IN_SIGHT = """() => {
  const lines = [];
  const inSight = (box) => box.width > 0 && box.height > 0 && box.bottom > 0 && box.right > 0
    && box.top < innerHeight && box.left < innerWidth;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!node.parentElement?.checkVisibility({ visibilityProperty: true })) continue;
    if (node.parentElement.closest("script, style, select, .visually-hidden, .tp-hidden")) continue;
    range.selectNodeContents(node);
    if (node.textContent.trim() && inSight(range.getBoundingClientRect())) lines.push(node.textContent.trim());
  }
  for (const field of document.querySelectorAll("select, input:not([type]), input[type=text], input[type=number], textarea")) {
    if (!field.checkVisibility() || !inSight(field.getBoundingClientRect())) continue;
    lines.push(field.tagName === "SELECT" ? (field.selectedOptions[0]?.textContent ?? "") : field.value);
  }
  return lines;
}"""
"""The texts that are in the window, each by itself: of a list what is chosen, of a field what is in it."""


class Counted(NamedTuple):
    """The numbers in sight, each as often as it is there, and the different terms. A shape, 8×128×64, is one number."""

    numbers: list[str]
    terms: list[str]


def counted(page: Page) -> Counted:
    """Count the numbers and the terms that are in sight."""
    lines: list[str] = page.evaluate(IN_SIGHT)
    text = "\n".join(lines)
    return Counted(re.findall(r"\d+(?:[.,×]\d+)*", text), terms(text))


def terms(text: str) -> list[str]:
    """The technical terms of an English text, the longest first: "attention head" is not a "head" too."""
    known = sorted(
        {term.en for term in i18n.glossary()} | set(MORE_TERMS), key=lambda term: -len(term)
    )
    text = re.sub("step by step", "·", text, flags=re.IGNORECASE)  # no step of training
    found: list[str] = []
    for term in known:
        text, count = re.subn(rf"\b{re.escape(term)}(?:s|es)?\b", "·", text, flags=re.IGNORECASE)
        if count:
            found.append(term)
    return found
