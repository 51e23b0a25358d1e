"""What the README tells to type, import and call is there."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CHINESE = (ROOT / "README.zh.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"(?<![\w.])[+−-]?\d+(?:[.,]\d+)*(?:e[+-]?\d+)?")


def test_every_endpoint_is_listed_and_no_other() -> None:
    from playground.api import ENDPOINTS

    listed = set(re.findall(r"`/(\w+)`", README))
    assert listed == {*ENDPOINTS, "download"}


def test_every_file_and_module_that_it_names_exists() -> None:
    for name in re.findall(r"python -m ([\w.]+)", README):
        assert find_spec(name), name
    for name in re.findall(r"(?:python|run|gradio) ((?:playground|tests)/\w+\.py)", README):
        assert (ROOT / name).is_file(), name
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^`?make (\w+)|`make (\w+)`", README, re.MULTILINE):
        assert re.search(rf"^{''.join(target)}:", makefile, re.MULTILINE), target
    tree = README.partition("engine/\n")[2].partition("```")[0]
    engine, _, playground = tree.partition("playground/\n")
    for folder, text in (("engine", engine), ("playground", playground)):
        found = [path.name for path in (ROOT / folder).rglob("*")]
        for name in re.findall(r"(\w+\.py|\w+/)(?:,|\s)", text):
            assert name.rstrip("/") in found, f"{folder}/{name}"


def test_the_first_lines_of_code_run() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    code = "".join(block for block in blocks if "TransformerLM(" in block)
    code += "\nassert logits.shape == (1, 16, 96)"
    code += "\nassert trace['blocks.0.attention.weights'].shape == (1, 4, 16, 16)"
    code += "\nassert trace['blocks.0.feedforward.router.gates'].shape == (1, 16, 8)"
    code += "\nassert output.balance_loss > 0 and output.routing[0].load.shape == (8,)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_every_id_of_the_page_exists() -> None:
    ids = re.findall(r"`#([a-z-]+)`", README)
    assert len(ids) > 20
    sources = [*(ROOT / "playground").rglob("*.js"), *(ROOT / "playground").rglob("*.py")]
    code = "".join(path.read_text(encoding="utf-8") for path in sources)
    for name in ids:
        tab = re.fullmatch(r"tab-(\w+)-button", name)  # Gradio names a tab's button after the tab
        assert f'"{tab[1] if tab else name}"' in code, name


def sections(text: str) -> list[str]:
    """From heading to heading; without what Hugging Face reads at the top."""
    return re.split(r"^#+ .*$", re.sub(r"\A---.*?^---$", "", text, flags=re.S | re.M), flags=re.M)


def code(section: str) -> list[str]:
    """The lines of the blocks of code, without what is said beside them."""
    found: list[str] = []
    for block in re.findall(r"^```\w*\n(.*?)^```", section, re.DOTALL | re.MULTILINE):
        files = block.startswith("engine/\n")
        said = r"(?:\w+(?:\.py|/),? ?)+" if files else r".*?(?= +# |$)"
        found += [
            match[0] for line in block.splitlines() if (match := re.match(said, line.strip()))
        ]
    return found


def test_both_readmes_say_the_same() -> None:
    """They link to each other; commands, code and numbers are the same, section by section."""
    assert "(README.zh.md)" in sections(README)[1] and "(README.md)" in sections(CHINESE)[1]
    assert len(sections(README)) == len(sections(CHINESE))
    for english, chinese in zip(sections(README), sections(CHINESE), strict=True):
        assert code(english) == code(chinese)
        prose = [re.sub(r"^```.*?^```", "", text, flags=re.S | re.M) for text in (english, chinese)]
        names = [sorted(re.findall(r"`([^`]+)`", text)) for text in prose]
        assert names[0] == names[1]
        rows = [[row for row in text.splitlines() if row.startswith("|")] for text in prose]
        for one, other in zip(*rows, strict=True):
            assert sorted(NUMBER.findall(one)) == sorted(NUMBER.findall(other)), other
        numbers = [sorted(NUMBER.findall(text)) for text in prose]
        assert numbers[0] == numbers[1]


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


@pytest.mark.case("C14")
def test_every_link_and_picture_is_in_a_clone() -> None:
    """Of both READMEs and what is in docs: files that git knows, and headings that there are."""
    known = tracked()
    assert known, "this is no clone: git lists no files"
    pages = [ROOT / name for name in known if re.fullmatch(r"README[\w.]*\.md|docs/.*\.md", name)]
    pictures = 0
    for page in pages:
        text = page.read_text("utf-8")
        for target in LINK.findall(text):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            there = (page.parent / name).resolve() if name else page
            inside = there.relative_to(ROOT).as_posix()
            assert inside in known, f"{page.name}: {target} is not in a clone"
            pictures += inside.endswith(".png")
            if anchor:
                assert anchor in anchors(there.read_text("utf-8")), f"{page.name}: {target}"
    assert len(pages) >= 2 and pictures >= 8
