"""The playground: a page on which to configure a Transformer, train it, and open it up.

    python playground/app.py        from the repository's root; or `gradio playground/app.py`

The page is `demo`. Its tabs are one file each in `tabs/`, what they show are views (`views/`), and
they share one thing, the id of the run on the page (`page.Page.run`). The header decides that id
when the page opens: a shipped run named in the address, else the run this browser saw last, else the
first shipped one. What a browser's own runs are, and their keys (`keys`), is known to that browser alone.

What a visitor chose stands in the page's address, only where it differs from the defaults.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

# Before Gradio is imported: nothing is reported to, or asked of, anyone.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# X-Forwarded-For is read by `visitors`, as far as TP_PROXIES says; uvicorn would believe any process of this machine.
os.environ.setdefault("FORWARDED_ALLOW_IPS", "")

from engine.presets import nearest
from engine.runs import DamagedRun
from engine.validation import ConfigError
from playground import settings

for warning in settings.unknown(os.environ):
    print(warning, file=sys.stderr)
try:
    HOST = settings.read(os.environ)
except ConfigError as error:
    sys.exit(f"The playground cannot be set so: {error}")

if settings.on_zero_gpu(os.environ):
    import spaces  # before PyTorch and Gradio  # pyright: ignore[reportMissingImports]

    @spaces.GPU(duration=1)
    def gpu() -> None:
        """ZeroGPU ends a Space that names no function for its GPU. Nothing calls this one: such a call
        is a process that lasts a minute and hears nothing, so runs train on the CPU (`cpu_only`)."""


import gradio as gr
from starlette.middleware import Middleware

from playground import actions, api, caretaker, inference, library, sessions, visitors
from playground.bodies import Bodies
from playground.guard import Guard
from playground.page import Page, Playground, data_of
from playground.tabs import experts, generate, inside, learn, tokens, train, translate
from playground.theme import CSS, theme
from playground.views import HEAD, view

TEXT = {
    "title": "Transformer playground",
    "ready": "The playground is at {url}",
    "train": "Train",
    "generate": "Generate",
    "inside": "Look inside",
    "tokens": "Tokens",
    "translate": "Translate",
    "experts": "Experts",
    "learn": "Learn",
}

"""In English; the header names the tabs in the language of the page."""

TABS = {
    "learn": learn,
    "train": train,
    "generate": generate,
    "inside": inside,
    "tokens": tokens,
    "translate": translate,
    "experts": experts,
}
FIRST = "train"
"""The tab that the page opens with."""

QUIET: dict[str, Any] = {
    "queue": False,
    "show_progress": "hidden",
    "trigger_mode": "multiple",
    "api_visibility": "private",
}

DAY = 24 * 60 * 60


def build() -> gr.Blocks:
    """The page."""
    with Playground(title=TEXT["title"], delete_cache=(DAY, DAY), fill_width=True) as blocks:
        api.register()  # first, so that no event of the page takes an endpoint's name
        run = gr.Textbox(visible="hidden", elem_id="run-id", show_label=False)
        header = view(
            "header", (runs, here), "header", shown=None, limited=HOST.limited, granted=None
        )
        page = Page(run, header)
        with gr.Tabs(elem_id="tabs", selected=FIRST):
            for name, tab in TABS.items():
                with gr.Tab(TEXT[name], id=name, elem_id=f"tab-{name}") as shown:
                    tab.build(page)
                address = "null" if name == FIRST else f"'{name}'"
                shown.select(None, js=f"() => tp.url.set({{tab: {address}}})", **QUIET)
        learn.build_coach()
        header.arrive(arrive, None, run, **QUIET)
        header.pick(pick, None, run, **QUIET)
        run.change(follow, run, header, **QUIET)
    return blocks


def arrive(event: gr.EventData) -> str:
    """The run that a page opens with, from its address and the browser's memory.

    A class link to a preset opens with the learner's own run of this preset, or with none.
    """
    asked = data_of(event)
    linked, remembered, preset = asked.get("linked"), asked.get("shown"), asked.get("preset")
    names = [run.id for run in library.shipped()]
    if linked in names:
        return str(linked)
    if _exists(remembered) and preset in (None, nearest(actions.find(remembered).config)[0].name):
        return str(remembered)
    return library.first() if preset is None else ""


def pick(event: gr.EventData) -> Any:
    """The run that was picked in the header."""
    run = data_of(event).get("run")
    return run if _exists(run) else gr.skip()


def follow(run_id: str) -> dict[str, Any]:
    """Tell the header which run is on the page; of a damaged one every view says why it shows none."""
    try:
        run = actions.find(run_id)
    except DamagedRun:
        return gr.update(shown={"id": run_id, "name": run_id[:8], "shipped": False, "first": False})
    shipped = library.is_shipped(run)
    shown = {"id": run.id, "name": run.name, "shipped": shipped, "first": run.id == library.first()}
    return gr.update(shown=shown)


def runs(ids: list[str]) -> dict[str, Any]:
    """See `actions.runs`."""
    return actions.runs(ids)


def here(shown: str | None, own: list[str]) -> dict[str, Any]:
    """A page is still open: it shows this run, and its browser has these. Keeps their places."""
    known = {*sessions.training(), *(run.id for run in sessions.registry().waiting)}
    mine = [run_id for run_id in own if run_id in known] if isinstance(own, list) else []
    sessions.see([*mine, *([shown] if isinstance(shown, str) and _exists(shown) else [])])
    return {}


def _exists(run_id: object) -> bool:
    """Is there such a run, be it damaged?"""
    try:
        actions.find(run_id)
    except DamagedRun:
        return True
    except ValueError:
        return False
    return True


def by_hand() -> bool:
    """Was this started by someone at a screen, for whom a browser should open?"""
    screen = sys.platform in ("win32", "darwin") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    return sys.stdout.isatty() and screen and not os.environ.get("GRADIO_WATCH_DIRS")


def main() -> None:
    """Serve the page until it is stopped."""
    sessions.prepare()
    caretaker.begin()
    inference.warm_up().join()  # now, rather than in the middle of the first visit
    served = (
        demo  # Gradio's hot reload runs this file again, and `demo` is another one from then on
    )
    _, url, _ = served.launch(**LAUNCH, inbrowser=by_hand(), prevent_thread_lock=True, quiet=True)
    if url:  # nothing is launched again when Gradio reloads this file
        print(TEXT["ready"].format(url=url), flush=True)
        served.block_thread()


gr.set_static_paths([ROOT / "assets" / "js"])
demo = build()

MIDDLEWARE = [Middleware(Guard), visitors.MIDDLEWARE, Middleware(Bodies)]
"""What every request goes through, the first first."""

LAUNCH: dict[str, Any] = {
    "app_kwargs": {"middleware": MIDDLEWARE},
    "theme": theme(),
    "css": CSS.read_text(encoding="utf-8"),
    "head": HEAD,
    "server_name": "0.0.0.0" if os.environ.get("SPACE_ID") else None,
    "ssr_mode": False,  # what a Space would turn on: pages made by Node, which knows no views
    "pwa": False,
    "enable_monitoring": False,
    "run_history": False,
    "footer_links": ["api"],
    "max_file_size": "2mb",
    "state_session_capacity": 200,  # of each session Gradio keeps a copy of the page's settings, 0.1 MB
}
"""How the page is served, wherever that happens; Gradio reads address (GRADIO_SERVER_NAME, else this
machine alone) and port from the environment."""

if __name__ == "__main__":
    main()
