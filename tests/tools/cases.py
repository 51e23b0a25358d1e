"""Failures that users met, and the tests that hold each: `python -m tests.tools.cases` lists them.

A test names what it holds by `@pytest.mark.case("F3")`. The marks are read from the source, so the list
needs no test run; `tests/project/test_cases.py` asserts that no failure is without a test.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]

CASES: dict[str, str] = {
    # Found with inputs that broke other tools of this kind.
    "F1": "a finished row of a batch writes on, and its first END is overwritten",
    "F2": "the page is empty if the browser denies storage",
    "F3": "a run that another container trains counts as interrupted",
    "F4": "a run counts as interrupted after the clock was set",
    "F5": "no prompt or probe is left, and the run fails at step 0",
    "F6": "an import reads a field under one of its two names only",
    "F7": "a carriage return inside a line shifts the pairs of two files",
    "F8": "translate --file reads a file otherwise than training does",
    "F9": "a space before or after a sentence changes its translation",
    "F10": "a blank line is translated into something",
    "F11": "one sentence that is too long stops the translation of a file",
    "F12": "a run with files from before 1980 cannot be downloaded",
    "F13": "behind a path prefix, Download leads outside of it",
    "F14": "experts of the decoder get the padding",
    "F15": "the curve in TensorBoard goes back after a kill and resume",
    "F16": "Start accepts what the run refuses a moment later",
    "F17": "an unknown TP_ variable keeps the playground from starting",
    "F18": "the command line does not read TP_RUNS",
    "F19": "printed commands are not quoted for the shell",
    "F20": "a run called like a column replaces that column",
    "F21": "merges.txt with a blank last line or a BOM is refused",
    "F22": "impossible numbers are answered in PyTorch's words, or not at all",
    # Reliability and security.
    "R1": "a run deleted while it starts frees its place before its process ends",
    "R2": "a run's id, which the dashboard shows, suffices to delete it",
    "R3": "a second process trains a run after the boot time moved",
    "R4": "one damaged line hides all runs",
    "R5": "a client that hides its runs takes all places",
    "R6": "a zip or a fork tells strangers the id that deletes its parent",
    "R7": "/start with a value that is no object starts a default run",
    "R8": "uploads and download copies are outside of the storage limit",
    "R9": "another site can stop runs and upload files",
    "R10": "a site that resolves to this machine can start runs",
    "R11": "arguments of a wrong type are answered with status 500",
    "R12": "the server fetches arguments that look like file data",
    "R13": "an error is answered as null",
    "R14": "answers hold server paths and object addresses",
    "R15": "a full disk leaves a run without a named error",
    "R16": "the events of step 0 stand twice after a kill",
    "R17": "measured seconds are negative after the clock went back",
    "R18": "a fifo in place of a file hangs the list of runs",
    "R19": "made-up session names take memory without a limit",
    "R20": "learned tokenizers, compile and long evaluations slow a public host",
    "R21": "a checkpoint that does not fit its folder or its configuration is accepted",
    "R22": "other users of the machine can read run folders",
    "H1": "a learner who reads counts as away",
    # The first minutes of a newcomer.
    "B1": "a class link to a lesson has no buttons",
    "B2": "a class link to a preset has no Start",
    "B3": "the coach lies on what it shows",
    "B4": "“Show me” does not arrive, and the step is done by it",
    "C6": "a sentence of one's own is translated into nonsense, without a warning",
    "C12": "what a head that is off changes is shown out of sight",
    "C18": "the end of a lesson leads nowhere",
    "C21": "“?” is a list of keys, and the tour never comes back",
    "C7": "predicted and measured costs are of different steps",
    "C8": "the time left counts pauses as work",
    "C14": "pictures of the README are missing in a clone",
    "C15": "the README promises TP_RUNS for commands that do not read it",
    "C16": "a suite with changed steps starts, and the page says nothing",
    "C17": "a stopped suite with changed steps cannot go on",
    "C26": "a run of one's own hides the shipped run of the same name",
    "K1": "small things: a dot left over, odd units, cut names, tabs out of reach, a list that is not renewed",
    "K2": "an image or a Space has other versions tomorrow",
    # The lessons.
    "E1": "digits for letters",
    "E2": "right rows called right letters",
    "E3": "the key called the answer, the value never named",
    "E4": "a model said to read one token at a time",
    "E5": "the induction circuit called an induction head",
    "E6": "a position prior presented as partial induction",
    "E7": "a long class called a few lines",
    "E8": "Adam's quotient given wrongly",
    "E9": "SGD without its momentum",
    "E10": "as much as guessing called more than guessing",
    "E11": "a BPE vocabulary called so many byte pairs",
    "E12": "a MaxVio below 2 called even",
    "E13": "32-bit floats called numbers of 32 digits",
    "E14": "the pictures at the top of the READMEs can never be committed",
    "L1": "Chinese lessons name English buttons",
    "L2": "a prediction that is never judged",
    "L3": "variants untranslated in Chinese tables",
    "L4": "tables without intervals, verdicts and parameters",
    "L5": "code that applies merges shown as code that learns them",
}  # fmt: skip
"""By the marker's argument: what went wrong."""


def holding() -> dict[str, list[str]]:
    """Each case's tests, as pytest names them."""
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for function in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(function, ast.FunctionDef) and function.name.startswith("test"):
                for case in _marks(function):
                    name = f"{path.relative_to(TESTS.parent)}::{function.name}"
                    found.setdefault(case, []).append(name)
    return found


def _marks(function: ast.FunctionDef) -> Iterator[str]:
    for mark in function.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.case":
            yield from (str(ast.literal_eval(argument)) for argument in mark.args)


def main() -> None:
    """Print every case with its tests."""
    tests = holding()
    for case, failure in CASES.items():
        print(f"{case:4} {failure}")
        print("".join(f"     {name}\n" for name in tests.get(case, ["no test"])), end="")


if __name__ == "__main__":
    main()
