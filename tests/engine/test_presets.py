"""Each preset is a run that can start, and says what it is."""

from __future__ import annotations

import json

import pytest

from engine.config import RunConfig
from engine.data import CORPORA, PAIRS, TASKS, is_pairs, make_data
from engine.presets import DEFAULT, PATH, PRESETS, read_presets


def entry(**values: object) -> dict[str, object]:
    """A preset as it stands in the file."""
    texts = {name: name for name in ("name", "title", "description", "layer")}
    return {**texts, "changes": {}, **values}


@pytest.mark.parametrize("name", PRESETS)
class TestEveryPreset:
    def test_it_can_start(self, name: str) -> None:
        config = PRESETS[name].config()
        data = make_data(config)
        rows, length = data.batch(2).inputs.shape
        assert rows == 2
        if is_pairs(config.data.source):  # as long as the longer of the two
            assert length <= data.sequence_length
        else:
            assert length == data.sequence_length
        assert next(data.validation(2, 1)).inputs.size

    def test_it_names_only_what_differs_from_the_defaults(self, name: str) -> None:
        changes = PRESETS[name].changes
        assert changes == json.loads(json.dumps(PRESETS[name].config().changes()))
        assert PRESETS[name].config() == RunConfig.from_flat(changes)

    def test_its_description_is_one_sentence(self, name: str) -> None:
        preset = PRESETS[name]
        assert preset.name == name
        assert preset.description[0].isupper()
        assert preset.description.endswith(".")
        assert ". " not in preset.description
        assert len(preset.description) < 200
        assert len({other.title for other in PRESETS.values()}) == len(PRESETS)


def test_every_corpus_and_every_task_has_one() -> None:
    sources = {preset.config().data.source for preset in PRESETS.values()}
    assert sources == {*CORPORA, *TASKS, *PAIRS}
    assert PRESETS[DEFAULT].config().data.source == "stories"
    assert next(iter(PRESETS)) == DEFAULT


def test_layers_are_not_mixed() -> None:
    layers = [preset.layer for preset in PRESETS.values()]
    assert layers == sorted(layers, key=layers.index)
    assert 2 <= len(set(layers)) < len(layers)


def test_the_file_reads_well() -> None:
    text = PATH.read_text(encoding="utf-8")
    assert json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n" == text


@pytest.mark.parametrize(
    ("presets", "message"),
    [
        ({}, "presets: must be a list"),
        ([1], "preset 1: must be an object"),
        (
            [entry(), entry(extra=1)],
            "preset 2: must have exactly name, title, description, layer, changes",
        ),
        ([entry(title="")], "preset 1: title must be text"),
        ([entry(description=3)], "preset 1: description must be text"),
        ([entry(changes=[])], "preset 1: changes must be an object"),
        ([entry(), entry()], "preset name: is defined twice"),
        ([entry(changes={"d_modle": 3})], "preset name: d_modle = 3: is not the name of a field"),
        (
            [entry(changes={"d_model": 66})],
            "preset name: d_model = 66: must be a multiple of n_head",
        ),
    ],
)
def test_a_broken_file_says_which_preset(presets: object, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        read_presets(json.dumps(presets))
    assert str(caught.value).startswith(message)
