"""What a run shows of its model while it is trained: sampled texts, and the attention of one fixed sequence."""

from __future__ import annotations

from collections.abc import Callable

from engine.data import Data
from engine.generation.batched import continue_all
from engine.generation.translation import translate
from engine.inspection import observe
from engine.model.decoder import Decoder
from engine.model.encoder_decoder import Transformer
from engine.runs import snapshots
from engine.runs.events import Probed, Sampled
from engine.runs.store import Run
from engine.tokenizers import TextStream, Tokenizer
from engine.tokenizers.marked import BEGIN, END, MarkedTokenizer

SAMPLE_TOKENS = 96
"""Length of a sample of text."""

SAMPLE_TEMPERATURE = 0.8
"""For text. Exact answers are decoded greedily."""


def samples(
    model: Decoder, data: Data, step: int, report: Callable[[int, int], object]
) -> list[Sampled]:
    """Continue each fixed prompt. Uses its own random generator."""
    answers = [data.answer(prompt) for prompt in data.prompts]
    prompts = [encode(data.tokenizer, prompt) for prompt in data.prompts]
    known = [encode(data.tokenizer, answer) for answer in answers if answer is not None]
    longest = max(map(len, known), default=0)
    if isinstance(model, Transformer):
        sources = [[*prompt, END] for prompt in prompts]
        found = translate(model, sources, max_new_tokens=2 * longest + 2)
        written = [translation.text for translation in found]
    else:
        written = continue_all(
            model,
            prompts,
            max_new_tokens=longest + 1 if data.exact else SAMPLE_TOKENS,
            temperature=0.0 if data.exact else SAMPLE_TEMPERATURE,
            end=data.end,
            known=data.tokenizer.vocab_size,
            report=report,
        )
    events: list[Sampled] = []
    for prompt, answer, tokens in zip(data.prompts, answers, written, strict=True):
        text = TextStream(data.tokenizer).feed(tokens)  # complete characters only
        correct = text == answer if data.exact else None
        events.append(Sampled(step=step, prompt=prompt, text=text, correct=correct))
    return events


def record_attention(model: Decoder, data: Data, step: int, run: Run) -> Probed:
    """Store the attention of one fixed sequence in the run's folder."""
    name = f"step-{step:06d}.npz"
    path = run.snapshot_path(name)
    path.parent.mkdir(exist_ok=True)
    text, sources = data.probe(), None
    ids = encode(data.tokenizer, text)
    if isinstance(model, Transformer):  # with the reference translation
        reference = encode(data.tokenizer, data.answer(text) or "")
        ids, sources = [BEGIN, *reference], [*ids, END]
    snapshots.save(observe.probe(model, ids, step, sources), path)
    return Probed(step=step, name=name)


def encode(tokenizer: Tokenizer, text: str) -> list[int]:
    """The ids of a validation text, which in pairs may have characters unknown to the tokenizer."""
    if isinstance(tokenizer, MarkedTokenizer):
        return tokenizer.encode_known(text)[0]
    return tokenizer.encode(text)
