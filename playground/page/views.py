"""The interactive views of the page: each is a folder with `view.html`, `view.css` and `view.js`.

The style of every view begins with `assets/css/view.css`.

The view `generate` is in `tabs/generate/view`; a tab's further views, such as `live`, are in
`tabs/train/live_view`. A large view has several scripts, which are concatenated, with the entry point `view.js`
last.

A view is a `gr.HTML` with a constant template. Its script draws, reads the view's properties
(`props.name`, `watch("name", ...)`) and calls the server (`await server.poll(run, offset)`). The script can
also use `element`, the view's root, and `tp`, the code shared by all views (`assets/js`). Its texts are in
`tp.words({en, zh})`, in both languages.

A script is served as a file of its own (`served_part`), which the browser loads when the view is first drawn and
keeps; `assets/js/page/parts.js` loads it. The page itself holds only templates, styles and the shared scripts.

The browser evaluates templates as code, so they never contain text from a user. Such text is sent in
properties and answers, and reaches the page as `textContent`.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from engine.config import PART_OF, label
from playground import i18n
from playground.hosting import checks
from playground.runs import run_states

ROOT = Path(__file__).resolve().parents[2]
ASSETS = ROOT / "assets"
VIEWS = {
    path.parent.name.removesuffix("_view")
    if path.parent.name != "view"
    else path.parts[-3]: path.parent
    for path in sorted((ROOT / "playground").rglob("view.html"))
}
"""The folder of each view, by its name."""
BEGIN = "server = tp.told(tp.keyed(server, props.keyed)); trigger = tp.keyedTrigger(trigger);"
"""The start of every view's script: translate answers, and send the keys of this browser's runs."""
SCRIPTS = (
    "page/browser", "page/language", "page/url", "runs/memory", "drawing/text", "drawing/numbers", "drawing/colours",
    "drawing/elements", "drawing/saving", "page/asking", "page/tabs", "page/address", "page/recent", "runs/feed",
    "drawing/curves", "drawing/chart", "drawing/film", "drawing/textfile", "page/point", "lessons/tables/worked",
    "lessons/tables/running", "page/lessons", "page/terms", "lessons/tables/tables", "lessons/tables/vectors",
    "lessons/tables/steps", "lessons/tables/writing", "lessons/tables/model", "lessons/questions", "lessons/code",
    "lessons/experiments", "lessons/record", "runs/runs", "page/parts",
)  # fmt: skip
"""The shared scripts in the page's order: files in `assets/js`."""
OF_LESSONS = "lessons/"
"""The room of scripts that only the views of lessons need: a file of its own, loaded before the first of them. The coach,
which is on every page, loads it when it opens."""
STYLES = ("common", "lessons")

PARTS: dict[str, bytes] = {}
"""The files of scripts that the page may ask for, by name: a view, and a hash of what the file holds."""


def part(name: str, text: str) -> str:
    """Serve a script as a file; returns its name, which changes with its content."""
    content = text.encode("utf-8")
    file = f"{name}-{hashlib.sha256(content).hexdigest()[:12]}.js"
    PARTS[file] = content
    return file


async def served_part(request: Request) -> Response:
    """A file of `PARTS`: it never changes, so a browser keeps it for good."""
    content = PARTS.get(request.path_params["file"])
    if content is None:
        return PlainTextResponse("There is no such part of the page.\n", 404)
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(content, media_type="text/javascript", headers=headers)


ROUTE = Route("/parts/{file}", served_part)


def head(linked: bool = False) -> str:
    """The page's <head>: `window.tp`, and the shared style.

    `linked`: translations and `OF_LESSONS` are files of their own.
    """
    text = {name: (ASSETS / "js" / f"{name}.js").read_text("utf-8") for name in SCRIPTS}
    style = "".join((ASSETS / "css" / f"{name}.css").read_text("utf-8") for name in STYLES)
    others = {language: i18n.catalogue(language) for language in i18n.LANGUAGES if language != "en"}
    words = json.dumps({} if linked else others, ensure_ascii=False).replace("</", "<\\/")
    states = json.dumps(run_states.table(), ensure_ascii=False)
    labels = json.dumps({name: label(name) for name in PART_OF})
    text["page/language"] += (
        f"window.tp.catalogue = {words}; window.tp.states = {states}; window.tp.labels = {labels};"
    )
    if linked:
        files = {
            language: part(
                f"words-{language}",
                f"tp.catalogue = {json.dumps({language: found}, ensure_ascii=False)};",
            )
            for language, found in others.items()
        }
        later = part(
            "lessons", "".join(text.pop(name) for name in SCRIPTS if name.startswith(OF_LESSONS))
        )
        needs = dict.fromkeys(("learn", "reading"), later)
        text["page/parts"] += f"Object.assign(tp.catalogues, {json.dumps(files)});"
        text["page/parts"] += f"Object.assign(tp.needs, {json.dumps(needs)});"
    return f"<style>{style}</style>" + "".join(
        f"<script>{script}</script>" for script in text.values()
    )


HEAD = head()
"""With everything in it, for a view on a page of its own."""


def view(
    name: str,
    server_functions: Sequence[Callable[..., Any]] = (),
    elem_id: str | None = None,
    constants: Mapping[str, Any] | None = None,
    **props: Any,
) -> gr.HTML:
    """Build a view inside the current Blocks.

    `props` are its properties; an event handler changes one by returning `gr.HTML(spec=...)`. A view on a tab that
    has not been opened yet then forgets its other properties: what never changes belongs in `constants`, which
    the script reads as properties too, and which are served with it.
    `server_functions` take one or more JSON values and return one. If the last parameter is `key`, the function
    changes the run that its first parameter names, and the browser sends the run's key.
    Raises `ValueError` for a template with code that the browser would evaluate.
    """
    template, style, script = sources(name)
    for ending, text in (("html", template), ("css", style)):
        for code in ("${", "{{", "`", "\\"):
            if code in text:
                raise ValueError(f"{name}/view.{ending}: {code!r} would be evaluated as code")
    keyed = [each.__name__ for each in server_functions if parameters(each)[-1:] == ["key"]]
    file = script_file(name, {"keyed": keyed, **(constants or {})})
    given = "{element, trigger, props, server, upload, watch}"
    # Gradio offers the events that stand in quotation marks in this text: EventListener of gr.HTML.
    events = json.dumps(sorted(set(re.findall(r'trigger\("(\w+)"', script))))
    return gr.HTML(
        html_template=template,
        css_template=style,
        js_on_load=f"tp.draw({json.dumps(file)}, {given}, {json.dumps(props)}, {events});",
        apply_default_css=False,
        elem_id=elem_id,
        server_functions=[served(function) for function in server_functions],
        **props,
    )


def sources(name: str) -> tuple[str, str, str]:
    """The template, the style and the complete script of a view."""
    template = (VIEWS[name] / "view.html").read_text("utf-8")
    styles = (ASSETS / "css" / "view.css", VIEWS[name] / "view.css")
    style = "".join(path.read_text("utf-8") for path in styles)
    return template, style, "\n".join([BEGIN, *(part.read_text("utf-8") for part in parts(name))])


def script_file(name: str, constants: Mapping[str, Any]) -> str:
    """The name of the served file with a view's script and what never changes of its properties."""
    fixed = json.dumps(constants, ensure_ascii=False)
    body = f"props = tp.withConstants(props, {fixed});\n{sources(name)[2]}"
    function = f"(element, trigger, props, server, upload, watch) => {{\n{body}\n}}"
    return part(name, f"tp.part({json.dumps(name)}, {function});\n")


def parts(name: str) -> list[Path]:
    """The scripts of the view of this name in the order in which they become one."""
    return sorted(VIEWS[name].glob("*.js"), key=lambda part: (part.name == "view.js", part.name))


def served(function: Callable[..., Any]) -> Callable[[Any], Response]:
    """Wrap a server function for Gradio: it takes one value and returns encoded JSON.

    Gradio passes the arguments of `server.f(a, b)` as one list, and a single argument as it is. orjson encodes
    the answer, because Gradio's own encoder visits every element in Python.
    """
    wanted = parameters(function)
    checked = checks.answer(checks.typed(function))

    def call(data: Any) -> Response:
        several = isinstance(data, list) and len(wanted) != 1
        answer = checked(*(data if several else [data]))
        return Response(checks.written(answer), media_type="application/json")

    call.__name__ = function.__name__
    return call


def parameters(function: Callable[..., Any]) -> list[str]:
    """The names of a function's parameters."""
    return list(inspect.signature(function).parameters)
