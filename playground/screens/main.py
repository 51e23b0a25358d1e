"""What the dashboard shows: the page that the address names. Streamlit runs this for every visit and click."""

from __future__ import annotations

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
    common.write_address()


if __name__ == "__main__":
    main()
