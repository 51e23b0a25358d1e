"""Formulas of lessons: from a line that can be read to MathML, which browsers draw without fonts from anywhere.

    p_i = frac{exp(z_i / T)}{sum_j exp(z_j / T)}

Letters and numbers stand for themselves; a word such as `softmax` is upright. `_` and `^` set what follows lower or
higher: one symbol, or a group in braces. `frac{a}{b}` is a fraction, `sqrt{a}` a root, `sum_j` a sum over j, and
hat{m} has a hat, and
"text in quotes" stays text. Greek letters and signs (√ is `sqrt`) are written as they are: α, Δ, ∂, ·, ≈, →, −.
"""

from __future__ import annotations

import re
from html import escape

TOKEN = re.compile(r'\s*(?:("[^"]+")|(\d+(?:\.\d+)?)|([^\W\d_]+)|([_^{}])|(\S))')


class MathError(ValueError):
    """An invalid formula. The message says what is missing."""


def mathml(text: str) -> str:
    """A formula as a <math> element. Raises `MathError`."""
    parser = _Parser([match.group().strip() for match in TOKEN.finditer(text)], text)
    body = parser.row(end="")
    return (
        f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block" alttext="{escape(text)}">'
        f"<mrow>{body}</mrow></math>"
    )


class _Parser:
    """Recursive descent over the tokens of one formula."""

    def __init__(self, tokens: list[str], text: str) -> None:
        self.tokens = tokens[::-1]
        self.text = text

    def row(self, end: str) -> str:
        """Everything up to `end`, which is taken too; "" is the end of the formula."""
        found: list[str] = []
        while self.tokens and self.tokens[-1] != end:
            found.append(self.scripted())
        if end:
            self.take(end)
        elif self.tokens:
            raise MathError(f"{self.text!r}: {self.tokens[-1]!r} without a beginning")
        return "".join(found)

    def take(self, wanted: str) -> None:
        if not self.tokens or self.tokens.pop() != wanted:
            raise MathError(f"{self.text!r}: {wanted!r} is missing")

    def scripted(self) -> str:
        """One symbol with what is set lower or higher at it."""
        is_sum = self.tokens[-1] == "sum"
        base = self.atom()
        scripts: dict[str, str] = {}
        while self.tokens and self.tokens[-1] in ("_", "^"):
            place = self.tokens.pop()
            if place in scripts:
                raise MathError(f"{self.text!r}: {place!r} twice at one symbol")
            scripts[place] = self.atom()
        low, high = scripts.get("_"), scripts.get("^")
        if low and high:
            return f"<msubsup>{base}{low}{high}</msubsup>"
        if low:
            tag = "munder" if is_sum else "msub"
            return f"<{tag}>{base}{low}</{tag}>"
        return f"<msup>{base}{high}</msup>" if high else base

    def atom(self) -> str:
        """One symbol, or a group in braces."""
        if not self.tokens:
            raise MathError(f"{self.text!r}: ends too early")
        token = self.tokens.pop()
        if token == "{":
            return f"<mrow>{self.row('}')}</mrow>"
        if token == "frac":
            return f"<mfrac>{self.group()}{self.group()}</mfrac>"
        if token == "hat":
            return f'<mover accent="true">{self.group()}<mo>^</mo></mover>'
        if token == "sqrt":
            return f"<msqrt>{self.group()}</msqrt>"
        if token == "sum":
            return '<mo movablelimits="false">∑</mo>'
        if token.startswith('"'):
            return f"<mtext>{escape(token[1:-1])}</mtext>"
        if token[0].isdigit():
            return f"<mn>{token}</mn>"
        if token[0].isalpha():
            return f"<mi>{escape(token)}</mi>"
        if token in "_^}":
            raise MathError(f"{self.text!r}: {token!r} without a symbol before it")
        return f"<mo>{escape(token)}</mo>"

    def group(self) -> str:
        self.take("{")
        return f"<mrow>{self.row('}')}</mrow>"
