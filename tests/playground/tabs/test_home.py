"""The first screen: every number that it shows is one of a forward pass."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
import torch

from engine import Trace
from playground.runs import models, run_lookup
from playground.tabs.home import server

SENTENCES = {
    "en": ("Once upon a time", "One cold morning Mia the mouse found a key."),
    "zh": ("从前，", "有一天，小兔"),
}


def look(text: str, language: str = "en", piece: str = "") -> dict[str, Any]:
    answer: dict[str, Any] = dict(server.look(text, language, piece))
    assert "error" not in answer, answer
    return answer


@pytest.mark.parametrize(
    ("language", "text"), [(name, text) for name, texts in SENTENCES.items() for text in texts]
)
def test_every_number_is_that_of_a_forward_pass(language: str, text: str) -> None:
    answer = look(text, language)
    loaded = models.load(run_lookup.find(answer["run"]))
    assert answer["text"] == text == "".join(answer["pieces"]) and all(answer["known"])
    tokens = torch.tensor([loaded.tokenizer.encode(text)])
    trace = Trace()
    with torch.inference_mode():
        logits = loaded.model.run(tokens, trace=trace).logits[0, -1]
    shares, ids = logits.softmax(-1).topk(server.GUESSES)
    assert [guess["piece"] for guess in answer["guesses"]] == [
        loaded.tokenizer.pieces[i] for i in ids.tolist()
    ]
    assert np.allclose([guess["share"] for guess in answer["guesses"]], shares, atol=1e-6)

    length = tokens.shape[1]
    shown = np.frombuffer(base64.b64decode(answer["attention"]), np.uint8).reshape(length, length)
    weights = trace[f"blocks.{answer['layer']}.attention.weights"][0, answer["head"]]
    assert np.allclose(shown / 255, weights, atol=0.51 / 255)

    stream = np.frombuffer(base64.b64decode(answer["stream"]), "<f4").reshape(answer["stages"], -1)
    blocks = range(loaded.config.model.n_layer)
    stages = ["embedding", *(f"blocks.{i}.feedforward.residual" for i in blocks)]
    assert np.allclose(stream, np.stack([trace[stage][0, -1] for stage in stages]), atol=1e-6)


@pytest.mark.parametrize(
    "text", ["Once upon a time", "ChatGPT is a robot that!", "A zebra", "He said"]
)
def test_every_guess_can_be_written(text: str) -> None:
    """Also a space alone, with which the model begins a word that it spells: it was lost, and drawn again for ever."""
    answer = look(text)
    for guess in answer["guesses"]:
        if "\n" not in guess["piece"]:
            more = look(answer["text"], "en", guess["piece"])
            assert more["text"] == answer["text"] + guess["piece"]


def test_a_space_that_was_drawn_begins_a_word() -> None:
    answer = look("The little zebra saw a", "en", " ")
    assert answer["pieces"][-1] == " " and answer["known"][-1]
    assert look(answer["text"], "en", "q")["pieces"][-2:] == [" ", "q"]


def test_a_word_that_it_does_not_know_is_spelled_and_named() -> None:
    answer = look("The little zebra")
    assert answer["unknown"] == ["zebra"]
    assert answer["pieces"][:2] == ["The", " little"] and "".join(answer["pieces"][2:]) == " zebra"
    assert answer["known"] == [True, True] + [False] * len(" zebra")


def test_capitals_are_as_in_the_stories() -> None:
    assert look("once Upon a time")["text"] == "Once upon a time"
    assert look("little fox")["unknown"] == []


def test_what_it_cannot_spell_is_left_out_and_named() -> None:
    answer = look("Once 中 upon <b>")
    assert answer["dropped"] == ["中", "<", ">"]
    assert "error" in server.look("中中", "en")
    for empty in ("", "  \n "):
        assert "small animal" in str(server.look(empty))


def test_a_long_text_is_read_from_its_end() -> None:
    answer = look("Once upon a time " * 200 + "Mia")
    loaded = models.load(run_lookup.find(answer["run"]))
    assert len(answer["pieces"]) == min(server.LONGEST, loaded.config.model.max_seq_len)
    assert answer["pieces"][-1] == " Mia"


@pytest.mark.parametrize("sent", [7, None, ["a"], "x" * 2_000_000])
def test_what_is_no_sentence_is_answered_with_one(sent: Any) -> None:
    assert set(server.look(sent)) == {"error"}


def test_an_unknown_language_is_english() -> None:
    assert look("Once", "<script>")["run"] == run_lookup.FIRST["en"]


def test_the_vocabulary_is_words_and_the_run_is_small() -> None:
    run = run_lookup.find(run_lookup.FIRST["en"])
    assert run.config.data.tokenizer == "word"
    size = sum(path.stat().st_size for path in run.path.rglob("*") if path.is_file())
    assert size < 1_500_000


@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_layer_says_what_the_last_word_reads(language: str) -> None:
    """The head of each layer that looks farthest back; the one whose lines are drawn is among them."""
    answer = look(SENTENCES[language][1], language)
    loaded = models.load(run_lookup.find(answer["run"]))
    trace = Trace()
    with torch.inference_mode():
        loaded.model.run(torch.tensor([loaded.tokenizer.encode(answer["text"])]), trace=trace)
    length, layers = len(answer["pieces"]), loaded.config.model.n_layer
    reads = np.frombuffer(base64.b64decode(answer["reads"]), np.uint8).reshape(layers, length)
    layer, heads = server.long_range_heads(answer["run"], loaded.step)
    assert (layer, heads[layer]) == (answer["layer"], answer["head"])
    for row, head, block in zip(reads, heads, range(layers), strict=True):
        weights = trace[f"blocks.{block}.attention.weights"][0, head, -1]
        assert np.allclose(row / 255, weights, atol=0.51 / 255)
