"""The README and the pages in docs/: what they name, link, import and call exists, in English and in Chinese."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGLISH = [
    ROOT / "README.md",
    *(path for path in sorted((ROOT / "docs").glob("*.md")) if not path.stem.endswith(".zh")),
]
CHINESE = [path.with_suffix(".zh.md") for path in ENGLISH]
PAGES = [*ENGLISH, *CHINESE]
NUMBER = re.compile(r"(?<![\w.])[+−-]?\d+(?:[.,]\d+)*(?:e[+-]?\d+)?")
MAX_LINES = 150
RESULTS = ROOT / "assets" / "lessons" / "results"

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
each_pair = pytest.mark.parametrize(
    ("english", "chinese"),
    list(zip(ENGLISH, CHINESE, strict=True)),
    ids=[path.stem for path in ENGLISH],
)
each_readme = pytest.mark.parametrize("page", [ENGLISH[0], CHINESE[0]], ids=lambda path: path.name)


def text(page: Path) -> str:
    """A page, without the front matter that Hugging Face reads."""
    return re.sub(r"\A---.*?^---$", "", page.read_text("utf-8"), flags=re.S | re.M)


def docs(name: str) -> str:
    return text(ROOT / "docs" / f"{name}.md")


# The README: short, with a map of every room -------------------------------------------------------


@each_readme
def test_the_readme_is_short_and_has_a_picture(page: Path) -> None:
    lines = page.read_text("utf-8").splitlines()
    assert len(lines) <= MAX_LINES
    assert any(line.startswith("![") or "| ![" in line for line in lines[:25])


def the_map(page: Path) -> Iterator[tuple[Path, str]]:
    """Each line of the map of the code: the folder that its names are in, and the line."""
    block = re.search(r"^```\n(engine/\n.*?)^```", text(page), re.S | re.M)
    assert block is not None
    folders = [(-1, ROOT)]
    for line in block[1].splitlines():
        indent = len(line) - len(line.lstrip())
        while folders[-1][0] >= indent:
            folders.pop()
        folder = folders[-1][1]
        if head := re.match(r"([\w/]+)/(?!,)(\s|$)", line.strip()):
            folder = folder / head[1]
            folders.append((indent, folder))
            yield folder, line.strip().removeprefix(head[0])
        else:
            yield folder, line


@each_readme
def test_every_file_and_folder_of_the_map_exists(page: Path) -> None:
    """Beside the line's own folder, a name may be in each of its folders, as `tab.py` of the tabs."""
    for folder, line in the_map(page):
        assert folder.is_dir(), folder
        for name in re.findall(r"(?<![\w/.])[\w/]+(?:\.(?:py|js)|/)(?!\w)", line, re.ASCII):
            there = any(parent.joinpath(name).exists() for parent in (ROOT, folder))
            assert there or any(folder.glob(f"*/{name}")), f"{folder}: {name}"


@each_readme
def test_every_room_is_on_the_map(page: Path) -> None:
    rooms = {
        path.parent
        for house in ("engine", "playground")
        for path in (ROOT / house).rglob("__init__.py")
    }
    mapped = {folder for folder, _ in the_map(page)}
    for folder, line in the_map(page):
        mapped |= {folder / name for name in re.findall(r"(\w+)/", line, re.ASCII)}
    assert rooms <= mapped, rooms - mapped


@pytest.mark.parametrize(
    ("said", "holds"),
    [
        ("the KV cache", "class KVCache"),
        ("Router.bias", "self.bias"),
        ("the update of the loss-free bias", "Wang et al. 2024"),
        ("the queue of a public host", "waiting"),
        ("the attention lines", '"lines"'),
        ("the format of a checkpoint", "model.safetensors"),
    ],
)
def test_the_map_leads_to_what_is_looked_for(said: str, holds: str) -> None:
    ((folder, line),) = [(folder, line) for folder, line in the_map(ENGLISH[0]) if said in line]
    name = re.search(r"[\w/]+\.(?:py|js)", line)
    assert name and holds in (folder / name[0]).read_text("utf-8"), line


def test_the_readme_links_to_every_page() -> None:
    for readme, pages in ((ENGLISH[0], ENGLISH[1:]), (CHINESE[0], CHINESE[1:])):
        assert {f"docs/{page.name}" for page in pages} <= set(LINK.findall(text(readme)))


# What is typed, imported and called ----------------------------------------------------------------


@each_page
def test_every_command_exists(page: Path) -> None:
    written = text(page)
    for name in re.findall(r"python -m ([\w.]+)", written):
        assert find_spec(name), name
    for name in re.findall(r"(?:python|run|gradio) ((?:playground|tests)/[\w/]+\.py)", written):
        assert (ROOT / name).is_file(), name
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"^make (\w+)|`make (\w+)`", written, re.MULTILINE):
        assert re.search(rf"^{''.join(target)}:", makefile, re.MULTILINE), target


@each_page
def test_every_path_and_dotted_module_exists(page: Path) -> None:
    houses = "engine|playground|tests|benchmarks|notebooks|assets|docs"
    written = re.sub(r"^```\n(engine/\n.*?)^```", "", text(page), flags=re.S | re.M)  # the map
    for name in re.findall(rf"(?<![\w/.])(?:{houses})/[\w/.-]*\w", written, re.ASCII):
        assert (ROOT / name).exists() or "/NAME" in name, name
    for module, name in re.findall(r"^from ([\w.]+) import (\w+)", written, re.MULTILINE):
        assert module == "gradio_client" or (find_spec(module) and name), module


@each_page
def test_every_flag_of_a_benchmark_exists(page: Path) -> None:
    for name, flags in re.findall(r"python -m benchmarks\.(\w+)([^`\n]*)", text(page)):
        source = (ROOT / "benchmarks" / f"{name}.py").read_text("utf-8")
        for flag in re.findall(r"--\w+", flags):
            assert f'"{flag}"' in source, f"{name} {flag}"
        assert f"python -m benchmarks.{name}" in source.partition('"""\n\n')[0], name


def test_every_benchmark_has_its_figure() -> None:
    measuring = [
        path.stem
        for path in (ROOT / "benchmarks").glob("*.py")
        if "main()" in path.read_text("utf-8")
    ]
    listed = re.findall(r"python -m benchmarks\.(\w+)", docs("benchmarks"))
    assert set(measuring) == set(listed)


def test_the_table_of_what_each_part_is_worth_is_the_one_that_ships() -> None:
    """Parameters, seconds, losses and differences, row by row."""
    rows = re.findall(r"^\| `([\w-]+)` \| (?!variant)(.*) \|$", docs("benchmarks"), re.M)
    written = {suite: [row for name, row in rows if name == suite] for suite, _ in rows}
    for suite in ("optimizer", "token-pairs", "batch-size", "weight-average"):
        assert suite in written
    shipped = {path.parent.name: path for path in RESULTS.glob("*/table.csv")}
    for suite in written.keys() & shipped.keys():
        with shipped[suite].open(encoding="utf-8", newline="") as file:
            table = list(csv.DictReader(file))
        assert len(written[suite]) == len(table)
        for row, measured in zip(written[suite], table, strict=True):
            assert row.split(" | ")[1:] == [
                f"{int(measured['parameters']):,}",
                f"{float(measured['processor_seconds']):.1f} ± {float(measured['processor_seconds_deviation']):.1f}",
                f"{float(measured['final']):.3f} ± {float(measured['final_deviation']):.3f}",
                between(measured, ""),
                between(measured, "equal_time_"),
            ], (suite, measured["variant"])


def between(measured: dict[str, str], prefix: str) -> str:
    """A difference to the first variant with its interval, as a page writes it."""
    ends = [measured[f"{prefix}difference{end}"] for end in ("", "_low", "_high")]
    if not all(ends):
        return "–"
    middle, low, high = (f"{float(end):+.3f}".replace("-", "−") for end in ends)
    return f"{middle} [{low}, {high}]"


@pytest.mark.parametrize("name", ["README", "code"])
def test_the_lines_of_code_run(name: str) -> None:
    page = next(path for path in ENGLISH if path.stem == name)
    code = "".join(re.findall(r"```python\n(.*?)```", text(page), re.DOTALL))
    code += "\nassert logits.shape == (1, 16, 96)"
    if name == "README":
        code += "\nassert trace['blocks.0.attention.weights'].shape == (1, 4, 16, 16)"
    else:
        code += "\nassert trace['blocks.0.cross.weights'].shape == (1, 4, 16, 12)"
        code += "\nassert output.balance_loss > 0 and output.routing[0].load.shape == (8,)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


# What the pages list is complete -------------------------------------------------------------------


def test_every_endpoint_is_listed_and_no_other() -> None:
    from playground.api import ENDPOINTS

    assert set(re.findall(r"`/(\w+)`", docs("api"))) == {*ENDPOINTS, "download"}


def test_every_id_of_the_page_exists() -> None:
    ids = re.findall(r"`#([a-z-]+)`", docs("api"))
    assert len(ids) > 20
    sources = [*(ROOT / "playground").rglob("*.js"), *(ROOT / "playground").rglob("*.py")]
    code = "".join(path.read_text(encoding="utf-8") for path in sources)
    for name in ids:
        tab = re.fullmatch(r"tab-(\w+)-button", name)  # Gradio names a tab's button after the tab
        assert f'"{tab[1] if tab else name}"' in code, name


def test_every_setting_of_a_host_is_listed_with_its_limit() -> None:
    from playground.settings import PUBLIC, VARIABLES

    rows = re.findall(r"^\| (`TP_[^|]*) \| ([^|]*) \|", docs("hosting"), re.MULTILINE)
    listed = [variable for names, _ in rows for variable in re.findall(r"`(\w+)`", names)]
    assert sorted(listed) == sorted(VARIABLES)
    for names, limits in rows:
        fields = [VARIABLES[variable] for variable in re.findall(r"`(\w+)`", names)]
        if fields[0] in PUBLIC:
            found = [float(limit.replace(",", "")) for limit in limits.split(", ")]
            assert found == [PUBLIC[field] for field in fields], names


def test_the_files_of_a_run_and_of_a_checkpoint_are_there() -> None:
    run = ROOT / "checkpoints" / "experts"
    there = {path.name for path in [*run.iterdir(), *run.glob("step-*/*")]}
    blocks = re.findall(
        r"^```\n(?:checkpoints/runs|step-)\S+\n(.*?)^```", docs("code"), re.S | re.M
    )
    listed = {line.split()[0].rstrip("/") for block in blocks for line in block.splitlines()}
    assert len(blocks) == 2 and {name for name in there if "step-" not in name} <= listed


def test_the_names_of_weights_are_those_in_a_checkpoint() -> None:
    from safetensors import safe_open

    names: set[str] = set()
    for run in ("stories", "experts"):
        file = sorted((ROOT / "checkpoints" / run).glob("step-*/model.safetensors"))[-1]
        with safe_open(file, "np") as opened:
            names |= set(opened.keys())
    table = docs("code").partition("| name | shape |")[2].partition("\n\n")[0]
    listed = re.findall(r"^\| `([\w.]+)`", table, re.MULTILINE)
    assert len(listed) > 5 and set(listed) <= names


def test_every_dictionary_of_options_is_in_its_file() -> None:
    rows = re.findall(r"^\| (`[A-Z`, ]+) \| (`engine[^|]*) \|", docs("code"), re.MULTILINE)
    pairs = [
        pair
        for names, files in rows
        for pair in zip(names.split(", "), files.split(", "), strict=True)
    ]
    assert len(pairs) > 5
    for name, file in pairs:
        source = (ROOT / file.strip("`")).read_text("utf-8")
        assert re.search(rf"^{name.strip('`')}\b.* = ", source, re.MULTILINE), name


# English and Chinese -------------------------------------------------------------------------------


def sections(page: Path) -> list[str]:
    """From heading to heading."""
    return re.split(r"^#+ .*$", text(page), flags=re.M)


NAMES = r"[\w./-]+(?:, ?[\w./-]+)*,?(?=  |$)"
"""Of a line of the map: files and folders, up to what is said of them."""


def code(section: str) -> list[str]:
    """The lines of the blocks of code, without what is said beside them."""
    found: list[str] = []
    for block in re.findall(r"^```\w*\n(.*?)^```", section, re.DOTALL | re.MULTILINE):
        said = NAMES if re.match(r"\S+/\n", block) else r".*?(?= +# |$)"
        found += [
            match[0] for line in block.splitlines() if (match := re.match(said, line.strip()))
        ]
    return found


@each_pair
def test_both_languages_say_the_same(english: Path, chinese: Path) -> None:
    """They link to each other; commands, code and numbers are the same, section by section."""
    assert f"({chinese.name})" in sections(english)[1]
    assert f"({english.name})" in sections(chinese)[1]
    assert len(sections(english)) == len(sections(chinese))
    for one, other in zip(sections(english), sections(chinese), strict=True):
        assert code(one) == code(other)
        prose = [re.sub(r"^```.*?^```", "", part, flags=re.S | re.M) for part in (one, other)]
        prose = [LINK.sub(lambda link: link[0].partition("](")[0], part) for part in prose]
        names = [sorted(re.findall(r"`([^`]+)`", part)) for part in prose]
        assert names[0] == names[1]
        rows = [[row for row in part.splitlines() if row.startswith("|")] for part in prose]
        for row, same in zip(*rows, strict=True):
            assert sorted(NUMBER.findall(row)) == sorted(NUMBER.findall(same)), same
        numbers = [sorted(NUMBER.findall(part)) for part in prose]
        assert numbers[0] == numbers[1], one


# Links ----------------------------------------------------------------------------------------------

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def tracked() -> set[str]:
    """What a clone has: the files that git knows, and the folders they are in."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    files = set(listed.stdout.split("\0")) - {""} if listed.returncode == 0 else set[str]()
    return files | {parent.as_posix() for file in files for parent in Path(file).parents}


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    headings = re.findall(r"^#+ +(.*)$", prose, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.case("E14")
@pytest.mark.case("C14")
def test_every_link_and_picture_is_in_a_clone() -> None:
    """Of both READMEs and what is in docs: files that git knows, and headings that there are."""
    known = tracked()
    assert known, "this is no clone: git lists no files"
    pictures: set[str] = set()
    for page in PAGES:
        assert page.relative_to(ROOT).as_posix() in known
        for target in LINK.findall(page.read_text("utf-8")):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            there = (page.parent / name).resolve() if name else page
            inside = there.relative_to(ROOT).as_posix()
            assert inside in known, f"{page.name}: {target} is not in a clone"
            pictures |= {inside} if inside.endswith(".png") else set()
            if anchor:
                assert anchor in anchors(there.read_text("utf-8")), f"{page.name}: {target}"
    assert pictures == {name for name in known if re.match(r"assets/screenshots/.*\.png", name)}
