"""The playground: a web page to configure, train and inspect Transformers.

    python playground/app.py        from the repository's root; or `gradio playground/app.py`

The page is `demo`. Each tab is a folder in `tabs/` with its views. All tabs share one value, the id of the run
on the page (`page.Page.run`). When the page opens, the header chooses that id: a shipped run named in the
address, else the run that this browser showed last, else the first shipped run of the visitor's language. Only the browser itself knows
which runs are its own, and their keys (`keys`).

The page's address stores the visitor's choices that differ from the defaults.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

# Before Gradio is imported: disable telemetry and network access.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Only `visitors` reads X-Forwarded-For, limited by TP_PROXIES; uvicorn would trust any process of this machine.
os.environ.setdefault("FORWARDED_ALLOW_IPS", "")

from engine.presets import nearest
from engine.runs.store import DamagedRun
from engine.validation import ConfigError
from playground import settings

for warning in settings.unknown(os.environ):
    print(warning, file=sys.stderr)
try:
    HOST = settings.read(os.environ)
except ConfigError as error:
    sys.exit(f"The playground's settings are invalid: {error}")

if settings.on_zero_gpu(os.environ):
    import spaces  # before PyTorch and Gradio  # pyright: ignore[reportMissingImports]

    @spaces.GPU(duration=1)
    def gpu() -> None:
        """Unused: ZeroGPU shuts down a Space without a GPU function. A call would be a separate process of
        at most a minute without communication, so runs train on the CPU (`cpu_only`)."""


import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from playground import api
from playground.access import visitors
from playground.access.bodies import Bodies
from playground.access.guard import Guard
from playground.hosting import actions, host_scheduler, neighbours, processes, run_queue
from playground.i18n import LANGUAGES
from playground.page.page import QUIET, Page, Playground, data_of
from playground.page.theme import CSS, theme
from playground.page.views import ROUTE, head, view
from playground.runs import models, run_lookup
from playground.tabs.experts import tab as experts
from playground.tabs.generate import tab as generate
from playground.tabs.home import tab as home
from playground.tabs.inside import tab as inside
from playground.tabs.learn import notebooks
from playground.tabs.learn import tab as learn
from playground.tabs.optimizers import tab as optimizers
from playground.tabs.tokens import tab as tokens
from playground.tabs.train import tab as train
from playground.tabs.translate import tab as translate

TEXT = {
    "title": "Transformer playground",
    "ready": "The playground is at {url}",
    "home": "Start",
    "train": "Train",
    "generate": "Generate",
    "inside": "Look inside",
    "tokens": "Tokens",
    "translate": "Translate",
    "experts": "Experts",
    "optimizers": "Optimizers",
    "learn": "Learn",
}
"""In English; the header translates the names of the tabs."""

TABS = {
    "home": home,
    "learn": learn,
    "train": train,
    "generate": generate,
    "inside": inside,
    "tokens": tokens,
    "translate": translate,
    "experts": experts,
    "optimizers": optimizers,
}
FIRST = "home"
"""The tab that is open at first."""

EACH: dict[str, Any] = QUIET | {"trigger_mode": "multiple"}

DAY = 24 * 60 * 60


def build() -> gr.Blocks:
    """Build the page."""
    with Playground(title=TEXT["title"], delete_cache=(DAY, DAY), fill_width=True) as blocks:
        api.register()  # first, so that no event of the page takes the name of an endpoint
        run = gr.Textbox(visible="hidden", elem_id="run-id", show_label=False)
        header = view(
            "header",
            (train.runs, going, here, neighbour),
            "header",
            shown=None,
            limited=HOST.limited,
            granted=None,
        )
        page = Page(run, header)
        with gr.Tabs(elem_id="tabs", selected=FIRST):
            for name, tab in TABS.items():
                with gr.Tab(TEXT[name], id=name, elem_id=f"tab-{name}") as shown:
                    tab.build(page)
                shown.select(None, js=f"() => tp.tabs.shown('{name}')", **EACH)
        learn.build_coach()
        header.arrive(arrive, None, run, **EACH)
        header.pick(pick, None, run, **EACH)
        run.change(show_in_header, run, header, **EACH)
    return blocks


def arrive(event: gr.EventData) -> str:
    """Choose the run of a page that opens, from its address and the browser's storage.

    A link to a preset opens the browser's last run if it is of this preset, else no run.
    """
    data = data_of(event)
    linked, remembered, preset = data.get("linked"), data.get("shown"), data.get("preset")
    if _exists(linked):
        return str(linked)
    if _exists(remembered) and preset in (
        None,
        nearest(run_lookup.find(remembered).config)[0].name,
    ):
        return str(remembered)
    return run_lookup.first(data.get("language")) if preset is None else ""


def pick(event: gr.EventData) -> Any:
    """The run that was chosen in the header."""
    run = data_of(event).get("run")
    return run if _exists(run) else gr.skip()


def show_in_header(run_id: str) -> dict[str, Any]:
    """Show the page's run in the header. For a damaged run, the views show the reason."""
    try:
        run = run_lookup.find(run_id)
    except DamagedRun:
        return gr.update(shown={"id": run_id, "name": run_id[:8], "shipped": False, "first": None})
    except ValueError:  # deleted since; the page is on its way to another one
        return gr.skip()
    shipped = run_lookup.is_shipped(run)
    shown = {
        "id": run.id,
        "name": run.name,
        "shipped": shipped,
        "first": next((each for each in LANGUAGES if run.id == run_lookup.first(each)), None),
    }
    return gr.update(shown=shown)


def going(ids: list[str]) -> list[actions.Entry]:
    """See `actions.going`."""
    return actions.going(ids)


def neighbour() -> dict[str, Any]:
    """The address of the dashboard, {"dashboard": None} if it does not run."""
    return {"dashboard": neighbours.dashboard()}


def here(shown: str | None, own: list[str]) -> dict[str, Any]:
    """Heartbeat of an open page: keeps the places of the run it shows and of its browser's own runs."""
    at_work = run_queue.at_work()
    mine = [run_id for run_id in own if run_id in at_work] if isinstance(own, list) else []
    run_queue.see([*mine, *([shown] if isinstance(shown, str) and _exists(shown) else [])])
    return {}


def _exists(run_id: object) -> bool:
    """Whether there is such a run, damaged or not."""
    try:
        run_lookup.find(run_id)
    except DamagedRun:
        return True
    except ValueError:
        return False
    return True


def has_display() -> bool:
    """Whether this was started in a terminal with a display, so that a browser should open."""
    screen = sys.platform in ("win32", "darwin") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    return sys.stdout.isatty() and screen and not os.environ.get("GRADIO_WATCH_DIRS")


def main() -> None:
    """Serve the page until it is stopped."""
    processes.prepare()
    host_scheduler.begin()
    models.warm_up().join()  # now, rather than during the first visit
    served = demo  # Gradio's hot reload runs this file again and replaces `demo`
    _, url, _ = served.launch(
        **LAUNCH, inbrowser=has_display(), prevent_thread_lock=True, quiet=True
    )
    if url:  # not set when Gradio reloads this file
        print(TEXT["ready"].format(url=url), flush=True)
        served.block_thread()


demo = build()

MIDDLEWARE = [
    Middleware(Guard),
    Middleware(GZipMiddleware, minimum_size=2_000, compresslevel=5),
    visitors.MIDDLEWARE,
    Middleware(Bodies),
]
"""Middleware of every request, outermost first. Gradio compresses files only: the page and answers are compressed
here, streams of events (text/event-stream) are not."""

LAUNCH: dict[str, Any] = {
    "app_kwargs": {"middleware": MIDDLEWARE, "routes": [ROUTE, notebooks.ROUTE]},
    "theme": theme(),
    "css": CSS.read_text(encoding="utf-8"),
    "head": head(linked=True),
    "server_name": "0.0.0.0" if os.environ.get("SPACE_ID") else None,
    "ssr_mode": False,  # a Space would enable it, but Node cannot render the views
    "pwa": False,
    "enable_monitoring": False,
    "run_history": False,
    "footer_links": ["api"],
    "max_file_size": "2mb",
    "state_session_capacity": 200,  # Gradio keeps a copy of the page's settings per session, 0.1 MB
}
"""Launch options. Gradio reads the address (GRADIO_SERVER_NAME, default: this machine only) and the port from
the environment."""

if __name__ == "__main__":
    main()
