"""The run that the tabs share, and Gradio's blocks with safe error messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.queueing import Event
from gradio.server_messages import EventMessage

from engine.runs.store import Run
from playground.access import keys
from playground.access.bodies import REFUSED
from playground.hosting import checks

QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
"""Options of the events of all tabs: immediate, without the queue, without a spinner."""

TEXT = {"call": "The request does not fit this endpoint. /gradio_api/info lists what each takes."}


@dataclass(frozen=True)
class Page:
    """The argument of every tab's `build`.

    `run` holds the id of the run on the page. It is a hidden text box: a tab gives it to its views with
    `page.show_run_in(...)`, and changes the run by returning a new id to it, for example after a fork.
    It is empty until the browser has sent the run that it remembers.
    """

    run: gr.Textbox
    """elem_id "run-id"."""
    header: gr.HTML
    """The header; its event "pick" means that the user chose a run there."""

    def show_run_in(self, *views: gr.HTML) -> None:
        """Give views the run on the page as their property `run`, whenever it changes."""
        for view in views:
            self.run.change(lambda run: gr.HTML(run=run), self.run, view, **QUIET)


class Playground(gr.Blocks):
    """Gradio's blocks whose events answer every error with a sentence that contains no server path."""

    def queue(self, *args: Any, **kwargs: Any) -> Playground:
        """Like Gradio's, but an event whose session has lost its messages is dropped, as after a disconnect.

        Gradio keeps messages for its latest 2,000 sessions. Its own `send_message` raises `KeyError` for any
        other, and if that event is still waiting, the error ends the loop that starts events, for all sessions.
        """
        super().queue(*args, **kwargs)
        queue, send = self._queue, self._queue.send_message

        def send_message(event: Event, event_message: EventMessage) -> None:
            if event.session_hash in queue.pending_messages_per_session:
                send(event, event_message)
            else:
                event.alive = False

        queue.send_message = send_message
        return self

    async def process_api(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Like Gradio's, but raises `gr.Error` only, and marks the request as `REFUSED` for the middleware."""
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
        """Like Gradio's, but raises `gr.Error` only."""
        if getattr(block_fn, "fn", None) is None:  # an event that only the browser handles
            raise gr.Error(TEXT["call"], print_exception=False)
        try:
            return await super().call_function(block_fn, *args, **kwargs)
        except gr.Error:
            raise
        except Exception as error:
            raise gr.Error(checks.sentence(error), print_exception=False) from None


def _with_values(output: dict[str, Any]) -> dict[str, Any]:
    """Replace listeners by values in the output's updates of view properties.

    A view has a listener for every word that its script quotes. Gradio's update of a property `said` therefore
    also contains `view.said`, a listener, whose `repr` would leak an address of the server's memory.
    """
    for update in output.get("data", ()):
        if isinstance(update, dict) and isinstance(update.get("props"), dict):
            update |= {name: value for name, value in update["props"].items() if name in update}
    return output


def granted(*given: tuple[Run, str]) -> Any:
    """Send new runs, the one on the page first, and their keys to the header, which stores them in the browser: with the
    answer to Start, so that a second Start knows of the first."""
    return gr.update(granted=keys.granted(*given))


def data_of(event: gr.EventData) -> dict[str, Any]:
    """The data that a view sent with its event; {} if it is not an object."""
    data = event._data
    return data if isinstance(data, dict) else {}
