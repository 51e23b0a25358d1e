"""What the tabs of the page share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from engine.runs import Run
from playground import answers, keys
from playground.bodies import REFUSED

TEXT = {"call": "The request does not fit this endpoint. /gradio_api/info lists what each takes."}


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


class Playground(gr.Blocks):
    """Gradio's blocks, whose events answer every error with a sentence and without a path of the server."""

    async def process_api(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """As Gradio's. Raises `gr.Error` only; the request is marked as `refused` for the middleware."""
        try:
            return _with_values(await super().process_api(*args, **kwargs))
        except Exception as error:
            request = getattr(kwargs.get("request"), "request", None)
            if request is not None:
                request.scope[REFUSED] = True
            if isinstance(error, gr.Error):
                raise
            raise gr.Error(TEXT["call"], print_exception=False) from None

    async def call_function(self, block_fn: Any, *args: Any, **kwargs: Any) -> Any:
        """As Gradio's. Raises `gr.Error` only."""
        if getattr(block_fn, "fn", None) is None:  # an event that only the browser handles
            raise gr.Error(TEXT["call"], print_exception=False)
        try:
            return await super().call_function(block_fn, *args, **kwargs)
        except gr.Error:
            raise
        except Exception as error:
            raise gr.Error(answers.sentence(error), print_exception=False) from None


def _with_values(output: dict[str, Any]) -> dict[str, Any]:
    """The output, in which an updated property of a view has its value, wherever the update holds its name.

    A view has a listener for every word that its script quotes. So Gradio's update of a property `said` also
    holds `view.said`, a listener: its `repr` has an address in the server's memory.
    """
    for update in output.get("data", ()):
        if isinstance(update, dict) and isinstance(update.get("props"), dict):
            update |= {name: value for name, value in update["props"].items() if name in update}
    return output


def granted(*given: tuple[Run, str]) -> Any:
    """Tell the header the keys of new runs, which it keeps in the browser. Nothing where there are none."""
    pairs = keys.granted(*given)
    return gr.update(granted=pairs) if pairs else gr.skip()


def data_of(event: gr.EventData) -> dict[str, Any]:
    """What a view sent with its event."""
    data = event._data
    return data if isinstance(data, dict) else {}
