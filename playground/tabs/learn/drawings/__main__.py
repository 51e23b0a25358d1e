"""Draw all figures of lessons that code draws: `python -m playground.tabs.learn.drawings`."""

from __future__ import annotations

from collections.abc import Callable

from playground.tabs.learn import FIGURES
from playground.tabs.learn.drawings import charts, forward_passes, landscape

DRAWINGS: dict[str, Callable[[], str]] = {
    **charts.DRAWINGS,
    **forward_passes.DRAWINGS,
    "landscape": landscape.draw,
}


def main() -> None:
    """Draw all."""
    for name, draw in DRAWINGS.items():
        (FIGURES / f"{name}.svg").write_text(draw(), "utf-8")


if __name__ == "__main__":
    main()
