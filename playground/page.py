"""What the tabs of the page share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from engine.runs import Run
from playground import keys


@dataclass(frozen=True)
class Page:
    """Handed to every tab's `build`.

    `run` holds the id of the run that all tabs look at. It is a hidden text box, so a tab follows
    it with `page.run.change(...)`, and a tab that changes it (a fork, say) returns the new id to it.
    The page starts with no run; the first one arrives when the browser has said what it remembers.
    """

    run: gr.Textbox
    """elem_id "run-id"."""
    header: gr.HTML
    """The top of the page; its event "pick" says that the learner chose a run there."""


def granted(*given: tuple[Run, str]) -> Any:
    """Tell the header the keys of new runs, which it keeps in the browser. Nothing where there are none."""
    pairs = keys.granted(*given)
    return gr.update(granted=pairs) if pairs else gr.skip()


def data_of(event: gr.EventData) -> dict[str, Any]:
    """What a view sent with its event."""
    data = event._data
    return data if isinstance(data, dict) else {}
