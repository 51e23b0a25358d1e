"""Generate, the server's side: the next token of any text, under any settings.

A text is its list of tokens; the server remembers nothing about its readers. It keeps computed
results for all of them: a text's logits, so that moving a slider needs no forward pass, and its keys and values, so
that the next token costs a pass of one position.

A click computes one token with the cache. `compare` also computes the text without it and measures what the
cache saves and that it changes nothing; the view asks for that when its part on the cache is on the screen.

These are the requests of the view (`playground/tabs/generate/view`); those of scripts are in `scripts.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from typing_extensions import NotRequired

from engine.generation.sampler import GenerationSettings
from playground.hosting import checks
from playground.runs import models, run_data, run_lookup
from playground.tabs.generate.moments import (
    Moment,
    adjusted_by,
    cache_of,
    drawn,
    is_new_window,
    moment_of,
    timed,
    window_of,
)
from playground.tabs.generate.requests import MAX_TOKENS, TEXT, prompt_tokens, settings_of, text_of

if TYPE_CHECKING:
    from torch import Tensor

    from engine.generation.sampling import Adjusted
    from engine.runs.examples import Examples
    from playground.runs.models import Loaded


AHEAD = 12, 32
"""A text opens with at least and at most this many tokens written, ..."""

OPEN = 1.5
"""... and stops between them where the choice has this many bits: then there is something to see."""

MAX_AHEAD = 256

FIELDS: dict[str, Any] = {
    name: field
    for name, field in GenerationSettings.model_json_schema()["properties"].items()
    if name != "max_new_tokens"
}
"""The settings of the page as JSON Schema: title, description, default and limits of each."""


class Record(TypedDict):
    """One token of a text: how probable it was, and what it cost to read it."""

    token: int
    length: int
    """Tokens of the text, this one included."""
    start: int
    """The first position that the model still sees."""
    window: int
    """Positions that the model sees."""
    computed: int
    """Positions that were computed: one, or the full window if it is new."""
    bytes: int
    """Of the cache."""
    ms: float
    """Milliseconds of the forward pass with the cache, measured once."""
    flops: float
    """As counted in `engine.estimate`."""
    flops_without: float
    before: NotRequired[float]
    """The model's own probability; absent for a prompt."""
    after: NotRequired[float]
    """The probability under the settings."""


class Distribution(TypedDict):
    """The next-token distribution over the vocabulary."""

    before: str
    """base64 of float32 (V,)."""
    after: str
    """base64 of float32 (V,)."""
    removed: str
    """base64 of bytes (V,): indices of `engine.generation.sampling.FILTERS`."""
    entropy: list[float]
    """Bits before and after the settings."""
    drawn: int
    """The token that the next step takes."""


class Opened(TypedDict):
    """A text that was opened. What does not change while it is written, the text, and what comes next."""

    run: str
    name: str
    step: int
    steps: list[int]
    prompt: str
    examples: list[str]
    right: str | None
    """The one right answer to the prompt."""
    end: int | None
    """The token that ends an answer."""
    pieces: list[str]
    """The text of every token."""
    context: int
    layers: int
    alone: bool
    """Is each token computed independently of those beside it? Only then does the cache change nothing."""
    kv_heads: int
    head_dim: int
    limit: int
    tokens: list[int]
    records: list[Record]
    """One for the prompt, then one for each token."""
    now: Distribution


class Advanced(TypedDict):
    """One more token, and the distribution after it."""

    record: Record
    now: Distribution


class Reweighed(TypedDict):
    """The distribution under other settings."""

    now: Distribution


class Comparison(TypedDict):
    """The same token computed with the cache and without."""

    ms: float
    ms_without: float
    difference: float
    """The largest difference of any logit."""


class Steps(TypedDict):
    """The steps of training whose checkpoints are stored."""

    steps: list[int]


@checks.answer
def begin(
    run: str,
    step: int | None = None,
    prompt: str | None = None,
    settings: Mapping[str, Any] | None = None,
    path: Sequence[int] | None = None,
    ahead: int | None = None,
) -> Opened:
    """Open a prompt in the model of one checkpoint, and continue it by `ahead` tokens or along `path`.

    `step` None is the newest checkpoint, `prompt` None the first example, and `ahead` None the
    number in `AHEAD` and `OPEN`. An end token ends the writing.
    """
    found = run_lookup.find(run)
    loaded = models.load(found, checks.step(step))
    known = run_data.examples(found)
    examples = _readable(known, loaded)
    prompt = examples[0] if prompt is None else checks.text(prompt)
    chosen = settings_of(settings)
    end = None if known is None else known.end
    plan = _ahead(loaded, path, ahead)
    tokens, records, moment = _continued(loaded, prompt_tokens(loaded, prompt), chosen, end, plan)
    model = loaded.config.model
    return {
        "run": found.id,
        "name": found.name,
        "step": loaded.step,
        "steps": models.steps(found),
        "prompt": prompt,
        "examples": examples,
        "right": run_data.answer(found, prompt),
        "end": end,
        "pieces": list(loaded.tokenizer.pieces),
        "context": model.max_seq_len,
        "layers": model.n_layer,
        "alone": model.is_causal,
        "kv_heads": model.kv_heads,
        "head_dim": model.head_dim,
        "limit": MAX_TOKENS,
        "tokens": tokens,
        "records": records,
        "now": _distribution(moment, tokens, chosen),
    }


@dataclass(frozen=True)
class Ahead:
    """How far a text is written when it is opened."""

    least: int
    most: int
    path: list[int] | None
    """Tokens to take, instead of those that are drawn."""


def _ahead(loaded: Loaded, path: Sequence[int] | None, ahead: int | None) -> Ahead:
    """How far a request asks to write. Raises `ValueError`."""
    if path:
        given = checks.ids(path, loaded.tokenizer.vocab_size, MAX_AHEAD)
        return Ahead(0, len(given), given)
    if ahead is None:
        return Ahead(*AHEAD, None)
    return Ahead(MAX_AHEAD, checks.whole("ahead", ahead, 0, MAX_AHEAD), None)


def _continued(
    loaded: Loaded, tokens: list[int], settings: GenerationSettings, end: int | None, ahead: Ahead
) -> tuple[list[int], list[Record], Moment]:
    """The text with what is written ahead, the records of its tokens, and what comes next."""
    from engine.generation.sampling import entropy

    moment = moment_of(loaded, tokens, fill=True)
    records = [_record(loaded, tokens, moment)]
    for i in range(min(ahead.most, MAX_TOKENS - len(tokens))):
        adjusted = adjusted_by(moment, settings)
        if ahead.path is not None:
            token = ahead.path[i]
        elif tokens[-1] == end or (i >= ahead.least and entropy(adjusted.before) >= OPEN):
            break
        else:
            token = drawn(adjusted, settings.seed, len(tokens))
        tokens = [*tokens, token]
        moment = moment_of(loaded, tokens)
        records.append(_record(loaded, tokens, moment, adjusted))
    return tokens, records, moment


@checks.answer
def advance(
    run: str,
    step: int,
    tokens: Sequence[int],
    settings: Mapping[str, Any] | None = None,
    token: int | None = None,
) -> Advanced:
    """Write one more token: the one drawn under these settings, or `token`, whatever its probability."""
    loaded, text = text_of(run, step, tokens)
    if len(text) >= MAX_TOKENS:
        raise ValueError(TEXT["long"].format(length=len(text) + 1, limit=MAX_TOKENS))
    chosen = settings_of(settings)
    adjusted = adjusted_by(moment_of(loaded, text), chosen)
    if token is None:
        token = drawn(adjusted, chosen.seed, len(text))
    else:
        token = checks.whole("token", token, 0, loaded.tokenizer.vocab_size - 1)
    text.append(token)
    moment = moment_of(loaded, text)
    return {
        "record": _record(loaded, text, moment, adjusted),
        "now": _distribution(moment, text, chosen),
    }


@checks.answer
def reweigh(
    run: str, step: int, tokens: Sequence[int], settings: Mapping[str, Any] | None = None
) -> Reweighed:
    """The distribution after these tokens under other settings, from the stored logits."""
    loaded, text = text_of(run, step, tokens)
    return {"now": _distribution(moment_of(loaded, text), text, settings_of(settings))}


@checks.answer
def compare(run: str, step: int, tokens: Sequence[int], filled: bool = False) -> Comparison:
    """Compute the last token of a text with the cache and without, and measure both.

    `filled`: with the cache, the full window is computed, as for a prompt.
    """
    import torch

    loaded, text = text_of(run, step, tokens)
    window = window_of(loaded, text)
    filled = filled or is_new_window(loaded, text)
    cache = loaded.model.new_cache() if filled else cache_of(loaded, text[:-1]).clone()
    held = 0 if filled else len(window) - 1
    with torch.inference_mode():
        new, full = torch.tensor([window[held:]]), torch.tensor([window])  # (1, T), (1, S)

        def cached() -> Tensor:
            cache.truncate(held)
            return loaded.model.run(new, cache=cache).logits[0, -1].float()  # (V,)

        cached()  # the first passes of a shape are slow
        loaded.model.run(full)
        with_cache, seconds = timed(cached)
        without, seconds_without = timed(lambda: loaded.model.run(full).logits[0, -1].float())
    return {
        "ms": seconds * 1e3,
        "ms_without": seconds_without * 1e3,
        "difference": float((with_cache - without).abs().max()),
    }


@checks.answer
def checkpoints(run: str) -> Steps:
    """The steps of training that can be generated from now: for following a run while it trains."""
    return {"steps": models.steps(run_lookup.find(run))}


SERVED: checks.Served = (
    begin,
    advance,
    reweigh,
    compare,
    checkpoints,
)
"""What the view may call."""


# Answers -----------------------------------------------------------------------------------------


def _record(
    loaded: Loaded, tokens: Sequence[int], moment: Moment, adjusted: Adjusted | None = None
) -> Record:
    """The record of a text's last token; of a prompt without `adjusted`."""
    from engine.estimate import flops_per_token

    token = tokens[-1]
    each = flops_per_token(loaded.config.model, moment.window, loaded.tokenizer.vocab_size)
    record: Record = {
        "token": token,
        "length": len(tokens),
        "start": len(tokens) - moment.window,
        "window": moment.window,
        "computed": moment.computed,
        "bytes": moment.cache_bytes,
        "ms": moment.seconds * 1e3,
        "flops": moment.computed * each,
        "flops_without": moment.window * each,
    }
    if adjusted is not None:
        record["before"] = float(adjusted.before[token])
        record["after"] = float(adjusted.after[token])
    return record


def _distribution(
    moment: Moment, tokens: Sequence[int], settings: GenerationSettings
) -> Distribution:
    import torch

    from engine.generation.sampling import entropy

    adjusted = adjusted_by(moment, settings)
    return {
        "before": checks.base64_of(adjusted.before.to(torch.float32).numpy()),
        "after": checks.base64_of(adjusted.after.to(torch.float32).numpy()),
        "removed": checks.base64_of(adjusted.removed_by.to(torch.uint8).numpy()),
        "entropy": [entropy(adjusted.before), entropy(adjusted.after)],
        "drawn": drawn(adjusted, settings.seed, len(tokens)),
    }


def _readable(examples: Examples | None, loaded: Loaded) -> list[str]:
    """Prompts to begin with that the model can read, at least one."""
    readable: list[str] = []
    for prompt in [] if examples is None else examples.prompts:
        try:
            if loaded.tokenizer.encode(prompt):
                readable.append(prompt)
        except ValueError:  # the tokenizer is not that of the data: a file was replaced
            continue
    return readable or [loaded.tokenizer.pieces[0]]
