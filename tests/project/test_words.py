"""What is the same thing has the same name on every tab."""

from __future__ import annotations

import pytest

from tests.project.test_imports import ROOT

SLIDERS = (
    "assets/js/drawing/film.js",
    "playground/tabs/inside/view/words.js",
    "playground/tabs/train/live_view/text.js",
    "playground/tabs/translate/view/text.js",
)
"""Where the slider over a run's stored steps is named."""


@pytest.mark.case("K1")
@pytest.mark.parametrize("path", SLIDERS)
def test_the_slider_over_training_has_one_name(path: str) -> None:
    text = (ROOT / path).read_text("utf-8")
    names = [': "Step of training"', ': "训练到第几步"']
    if "live_view" not in path:  # there it follows the run, and is not played
        names += [': "Play through the steps of training"', ': "依次播放训练的各步"']
    for name in names:
        assert text.count(name) == 1, name
