"""The interactive views of the page: each is a folder with `view.html`, `view.css` and `view.js`.

A large view is cut into several scripts; they become one, and `view.js`, which begins, comes last.

A view is a `gr.HTML` with a constant template; its script draws, reads the view's properties
(`props.name`, `watch("name", ...)`) and asks the server (`await server.poll(run, offset)`). In the
script stand also `element`, the view's root, and `tp`, what all views share (`assets/js`). Its words stand in
`tp.words({en, zh})`, in both languages.

Templates are evaluated by the browser as code, so they never hold anything a user wrote: such text
travels in properties and answers, and reaches the page as `textContent`.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.responses import Response

from playground import answers, i18n

VIEWS = Path(__file__).resolve().parent
ASSETS = VIEWS.parents[1] / "assets"
BEGIN = "server = tp.told(tp.keyed(server, props.keyed)); trigger = tp.keyedTrigger(trigger);"
"""What every view's script begins with: answers in its language, and the keys of this browser's runs."""
SCRIPTS = ("browser", "language", "common", "chart", "film", "textfile", "point", "lessons")


def head() -> str:
    """What stands once in the page's <head>: `window.tp`, and the style of what it draws."""
    scripts = [(ASSETS / "js" / f"{name}.js").read_text("utf-8") for name in SCRIPTS]
    style = (ASSETS / "css" / "common.css").read_text("utf-8")
    others = {language: i18n.catalogue(language) for language in i18n.LANGUAGES if language != "en"}
    words = json.dumps(others, ensure_ascii=False).replace("</", "<\\/")
    scripts[SCRIPTS.index("language")] += f"window.tp.catalogue = {words};"
    return f"<style>{style}</style>" + "".join(f"<script>{script}</script>" for script in scripts)


HEAD = head()


def view(
    name: str,
    server_functions: Sequence[Callable[..., Any]] = (),
    elem_id: str | None = None,
    **props: Any,
) -> gr.HTML:
    """Build the view of this name, inside the current Blocks.

    `props` are its properties; an event handler changes one by returning `gr.HTML(spec=...)`.
    `server_functions` take and return plain JSON values, and are called with one or more arguments. One whose
    last parameter is `key` changes the run that its first one names: the browser sends the key along.
    Raises `ValueError` for a template with something in it that the browser would evaluate.
    """
    template, style, script = sources(name)
    for ending, text in (("html", template), ("css", style)):
        for code in ("${", "{{", "`", "\\"):
            if code in text:
                raise ValueError(f"{name}/view.{ending}: {code!r} would be evaluated as code")
    return gr.HTML(
        html_template=template,
        css_template=style,
        js_on_load=script,
        apply_default_css=False,
        elem_id=elem_id,
        server_functions=[served(function) for function in server_functions],
        keyed=[each.__name__ for each in server_functions if parameters(each)[-1:] == ["key"]],
        **props,
    )


def sources(name: str) -> tuple[str, str, str]:
    """The template, the style and the whole script of the view of this name."""
    folder = VIEWS / name
    template, style = ((folder / f"view.{end}").read_text("utf-8") for end in ("html", "css"))
    parts = sorted(folder.glob("*.js"), key=lambda part: (part.name == "view.js", part.name))
    scripts = [part.read_text("utf-8") for part in parts]
    return template, style, "\n".join([BEGIN, *scripts])


def served(function: Callable[..., Any]) -> Callable[[Any], Response]:
    """The function as Gradio calls it: with one value, and answering with finished JSON.

    Gradio hands over the arguments of `server.f(a, b)` as one list, and one alone as itself. The
    answer is written by orjson: Gradio's own encoder walks every element in Python.
    """
    wanted = parameters(function)
    checked = answers.answer(answers.typed(function))

    def call(data: Any) -> Response:
        several = isinstance(data, list) and len(wanted) != 1
        answer = checked(*(data if several else [data]))
        return Response(answers.written(answer), media_type="application/json")

    call.__name__ = function.__name__
    return call


def parameters(function: Callable[..., Any]) -> list[str]:
    """The names of a function's parameters."""
    return list(inspect.signature(function).parameters)
