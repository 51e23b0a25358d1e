"""The dashboard: stored runs as a table, beside each other, and as ablations.

    streamlit run playground/dashboard.py

It reads the runs' folders, and starts and stops suites. Its pages are one file each in `screens/`; what
they compute is in `shelf.py`, `compare.py` and `suites.py`.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import streamlit as st

from playground.i18n import Words
from playground.screens import common, compare, runs, suites

TEXT = Words({"title": "Transformer dashboard"})


def main() -> None:
    """The page that the address names, in the language that it names."""
    common.speak()
    st.set_page_config(page_title=TEXT["title"], layout="wide")
    comparing = st.Page(compare.show, title=compare.TEXT["title"], url_path="compare")
    runs.COMPARE[:] = [comparing]
    pages = [
        st.Page(runs.show, title=runs.TEXT["title"], url_path="runs", default=True),
        comparing,
        st.Page(suites.show, title=suites.TEXT["title"], url_path="suites"),
    ]
    st.navigation(pages, position="top").run()


if __name__ == "__main__":
    main()
