"""Install what the notebooks need, and nothing that only the pages need. Run as a script, also before anything is there."""

import re
import subprocess
import sys
from pathlib import Path

PAGES = {"gradio", "starlette", "streamlit"}
"""Libraries that no notebook uses."""


def needed(requirements: str) -> list[str]:
    """The lines of a requirements.txt without comments and without the libraries of the pages."""
    lines = [line.partition("#")[0].strip() for line in requirements.splitlines()]
    return [line for line in lines if line and re.match(r"[\w.-]+", line)[0] not in PAGES]  # type: ignore[index]


if __name__ == "__main__":
    text = (Path(__file__).parents[1] / "requirements.txt").read_text(encoding="utf-8")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *needed(text)], check=True)
