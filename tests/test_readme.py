"""What the README tells to type, import and call is there."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


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
