"""How the work on files goes, told to whoever wants to know."""

from __future__ import annotations


class Watch:
    """Is told how it goes; this one keeps it to itself."""

    def received(self, name: str, count: int, total: int | None) -> None:
        """So many bytes of this have come or been read, of so many where that is known."""

    def counted(self, name: str, count: int, total: int) -> None:
        """So many of so many other things."""

    def note(self, text: str) -> None:
        """Something to be told."""
