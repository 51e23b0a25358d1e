"""Progress callbacks for file operations; the base class ignores them."""

from __future__ import annotations


class Watch:
    """Receives progress. Override the methods that you need."""

    def received(self, name: str, count: int, total: int | None) -> None:
        """`count` bytes of the file or step `name` are done, of `total` if that is known."""

    def counted(self, name: str, count: int, total: int) -> None:
        """Progress in units other than bytes: `count` of `total`."""

    def note(self, text: str) -> None:
        """A message for the user."""
