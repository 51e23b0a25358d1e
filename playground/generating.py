"""Generate, the server's side: the next token, as often as the learner likes, from any place.

A text is its list of tokens; the server remembers nothing about who is reading it. What a text costs
to compute is kept instead, for everyone: its logits, so that moving a slider needs no forward pass,
and its keys and values, so that the next token, whichever it is, costs one token.

Each text is computed twice, with the cache and without, so that what the cache saves and that it
changes nothing are both measured, never assumed.

The first part answers the view (`playground/views/generate`), the second is for scripts.
"""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from playground import answers, inference, library

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from engine.data import Data
    from engine.generation import Adjusted, Sampler
    from engine.model.context import KVCache
    from engine.runs import Run
    from playground.inference import Loaded

AHEAD = 12, 32
"""When a text is opened so many tokens are written at once, at least and at most, ..."""
OPEN = 1.5
"""... up to a place where the choice has this many bits, so that there is something to look at."""
MAX_AHEAD = 256
MAX_TOKENS = 2_048
"""The longest text, prompt included."""
MAX_SEED = 2**31 - 1
SEED_STRIDE = 1_000_003
"""Larger than any text is long, so that no two seeds share a draw."""
SOON = 0.05
"""Seconds; what takes less is measured twice."""
CACHE_BYTES = 96 << 20
LOGIT_BYTES = 32 << 20

TEXT = {
    "empty": "A model can only continue a text: type at least one character. A line break will do.",
    "long": "The text has {length} tokens; here it may have at most {limit}.",
    "settings": "The settings must be an object of temperature, top_k, top_p, min_p and seed.",
}


# What the view asks for --------------------------------------------------------------------------


@answers.answer
def begin(
    run: str,
    step: int | None = None,
    prompt: str | None = None,
    settings: Mapping[str, Any] | None = None,
    path: Sequence[int] | None = None,
    ahead: int | None = None,
) -> dict[str, Any]:
    """Open a prompt in the model of one checkpoint, and write on by `ahead` tokens or along `path`.

    `step` None is the newest checkpoint, `prompt` None the first example, `ahead` None as far as
    `AHEAD` and `OPEN` say. Where an end token is drawn the writing ends. The answer holds what does
    not change while a text is written (`pieces`, the text of every token; `steps`; `examples`; sizes
    of the cache), the prompt's tokens, a record of each token (see `_record`), the prompt's own
    first, and the distribution after the last (see `_distribution`).
    """
    from engine.generation import entropy

    found = library.find(answers.run_id(run))
    loaded = inference.load(found.id, _step(step))
    data = data_of(found)
    examples = _examples(found, loaded, data)
    prompt = examples[0] if prompt is None else answers.text(prompt)
    sampler, seed = _settings(settings)
    tokens = _prompt(loaded, prompt)
    moment = _moment(loaded, tokens, fill=True)
    records = [_record(loaded, tokens, moment)]
    end = None if data is None else data.end

    vocabulary = loaded.tokenizer.vocab_size
    given = answers.ids(path, vocabulary, MAX_AHEAD) if path else None
    least, most = (
        AHEAD if ahead is None else (MAX_AHEAD, answers.whole("ahead", ahead, 0, MAX_AHEAD))
    )
    for i in range(min(most if given is None else len(given), MAX_TOKENS - len(tokens))):
        adjusted = _adjust(moment, sampler)
        if given is None and (
            tokens[-1] == end or (i >= least and entropy(adjusted.before) >= OPEN)
        ):
            break
        token = _drawn(adjusted, seed, len(tokens)) if given is None else given[i]
        tokens = [*tokens, token]
        moment = _moment(loaded, tokens)
        records.append(_record(loaded, tokens, moment, adjusted))

    model = loaded.config.model
    return {
        "run": found.id,
        "name": found.name,
        "step": loaded.step,
        "steps": inference.steps(found.id),
        "prompt": prompt,
        "examples": examples,
        "right": None if data is None else data.answer(prompt),
        "end": end,
        "pieces": list(loaded.tokenizer.pieces),
        "context": model.max_seq_len,
        "layers": model.n_layer,
        "alone": model.alone,
        "kv_heads": model.kv_heads,
        "head_dim": model.head_dim,
        "limit": MAX_TOKENS,
        "start": records[0]["start"],
        "tokens": tokens,
        "records": records,
        "now": _distribution(moment, tokens, sampler, seed),
    }


@answers.answer
def advance(
    run: str,
    step: int,
    tokens: Sequence[int],
    settings: Mapping[str, Any] | None = None,
    token: int | None = None,
) -> dict[str, Any]:
    """Write one more token: the one drawn with these settings, or `token`, whatever its probability.

    Answers its record and the distribution after it.
    """
    loaded, text = _text(run, step, tokens)
    if len(text) >= MAX_TOKENS:
        raise ValueError(TEXT["long"].format(length=len(text) + 1, limit=MAX_TOKENS))
    sampler, seed = _settings(settings)
    adjusted = _adjust(_moment(loaded, text), sampler)
    if token is None:
        token = _drawn(adjusted, seed, len(text))
    else:
        token = answers.whole("token", token, 0, loaded.tokenizer.vocab_size - 1)
    text.append(token)
    moment = _moment(loaded, text)
    return {
        "record": _record(loaded, text, moment, adjusted),
        "now": _distribution(moment, text, sampler, seed),
    }


@answers.answer
def reweigh(
    run: str, step: int, tokens: Sequence[int], settings: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The distribution after these tokens under other settings, from the stored logits."""
    loaded, text = _text(run, step, tokens)
    sampler, seed = _settings(settings)
    return {"now": _distribution(_moment(loaded, text), text, sampler, seed)}


@answers.answer
def checkpoints(run: str) -> dict[str, Any]:
    """The steps of training that can be generated from now: for following a run while it trains."""
    return {"steps": inference.steps(answers.run_id(run))}


SERVED: tuple[Callable[..., dict[str, Any]], ...] = (begin, advance, reweigh, checkpoints)
"""What the view may call."""


# What a script asks for --------------------------------------------------------------------------


def continue_text(
    run: str,
    step: int | None = None,
    prompt: str = "",
    max_new_tokens: int = 50,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
    seed: int = 0,
) -> dict[str, Any]:
    """Continue a prompt, with the very tokens that the page would write. Raises `ValueError`.

    {"step", "prompt", "text": the continuation, "tokens": [{"id", "piece", "probability"}, ...]};
    `probability` is the model's own, before temperature and filters. Ends after a task's end token.
    """
    found = library.find(answers.run_id(run))
    loaded = inference.load(found.id, _step(step))
    data = data_of(found)
    sampler, seed = _settings(_named(temperature, top_k, top_p, min_p, seed))
    tokens = _prompt(loaded, answers.text(prompt))
    room = MAX_TOKENS - len(tokens)
    count = answers.whole("max_new_tokens", max_new_tokens, 0, room)
    written: list[dict[str, Any]] = []
    for _ in range(count):
        adjusted = _adjust(_moment(loaded, tokens, measured=False), sampler)
        token = _drawn(adjusted, seed, len(tokens))
        tokens = [*tokens, token]
        written.append(
            {
                "id": token,
                "piece": loaded.tokenizer.pieces[token],
                "probability": float(adjusted.before[token]),
            }
        )
        if data is not None and token == data.end:
            break
    return {
        "step": loaded.step,
        "prompt": prompt,
        "text": loaded.tokenizer.decode(token["id"] for token in written),
        "tokens": written,
    }


def distribution(
    run: str,
    step: int | None = None,
    prompt: str = "",
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
) -> dict[str, Any]:
    """The next-token distribution over the whole vocabulary, the most probable token first.

    {"step", "entropy_before", "entropy_after" (bits), "tokens": [{"id", "piece", "before", "after",
    "removed_by"}, ...]}; `removed_by` is a filter's name or null. Raises `ValueError`.
    """
    from engine.generation import FILTERS, entropy

    loaded = inference.load(answers.run_id(run), _step(step))
    sampler, _ = _settings(_named(temperature, top_k, top_p, min_p, 0))
    tokens = _prompt(loaded, answers.text(prompt))
    adjusted = _adjust(_moment(loaded, tokens, measured=False), sampler)
    order = adjusted.before.sort(descending=True, stable=True).indices.tolist()
    before, after = adjusted.before.tolist(), adjusted.after.tolist()
    removed = adjusted.removed_by.tolist()
    return {
        "step": loaded.step,
        "entropy_before": entropy(adjusted.before),
        "entropy_after": entropy(adjusted.after),
        "tokens": [
            {
                "id": i,
                "piece": loaded.tokenizer.pieces[i],
                "before": before[i],
                "after": after[i],
                "removed_by": FILTERS[removed[i]] if removed[i] else None,
            }
            for i in order
        ],
    }


# One text in one model ---------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Moment:
    """What the model makes of a text, computed with the cache and, when measured, also without."""

    logits: Tensor
    """(V,) of the next token."""
    window: int
    """Positions that the model sees, all of them in the cache."""
    computed: int
    """Positions that were computed with the cache: one, or the whole window where it is new."""
    cache_bytes: int
    seconds: float
    """Of the forward pass with the cache."""
    seconds_without: float | None
    """Of a full pass over the window; None where it was not measured."""
    difference: float | None
    """The largest difference of any logit between the two."""

    @property
    def nbytes(self) -> int:
        return self.logits.numel() * self.logits.element_size()


Kept = TypeVar("Kept")


class Recent(Generic[Kept]):
    """What was used last, as long as all of it together stays below a number of bytes."""

    def __init__(self, limit: int, size: Callable[[Kept], int]) -> None:
        self.limit, self.size = limit, size
        self.nbytes = 0
        self.entries: OrderedDict[Hashable, Kept] = OrderedDict()

    def get(self, key: Hashable) -> Kept | None:
        if key in self.entries:
            self.entries.move_to_end(key)
        return self.entries.get(key)

    def put(self, key: Hashable, value: Kept) -> None:
        if key in self.entries:
            self.nbytes -= self.size(self.entries.pop(key))
        self.entries[key] = value
        self.nbytes += self.size(value)
        while self.nbytes > self.limit and len(self.entries) > 1:
            self.nbytes -= self.size(self.entries.popitem(last=False)[1])


def _reserved(cache: KVCache) -> int:
    """Bytes that a cache takes in memory, filled or not."""
    return 2 * cache.keys.numel() * cache.keys.element_size()


_moments: Recent[Moment] = Recent(LOGIT_BYTES, lambda moment: moment.nbytes)
_caches: Recent[KVCache] = Recent(CACHE_BYTES, _reserved)
_lock = threading.RLock()


def _moment(
    loaded: Loaded, tokens: Sequence[int], *, fill: bool = False, measured: bool = True
) -> Moment:
    """What the model makes of these tokens: from what is kept, or computed now.

    The cache of the text without its last token is copied and gets that one token; `fill` computes
    the whole window instead, as for a prompt. So does a window that has just slid.
    """
    from engine.generation import window_start

    context = loaded.config.model.max_seq_len
    start = window_start(len(tokens), context)
    window = tuple(tokens[start:])
    fill = fill or len(window) == 1 or start != window_start(len(tokens) - 1, context)
    key = (loaded.key, window, fill)
    with _lock:
        moment = _moments.get(key)
        if moment is None or (measured and moment.difference is None):
            before = None if fill else _cache_of(loaded, tokens[:-1])
            moment, cache = _compute(loaded, window, before, measured)
            _moments.put(key, moment)
            _caches.put((loaded.key, window), cache)
        return moment


def _cache_of(loaded: Loaded, tokens: Sequence[int]) -> KVCache:
    """Keys and values of this text. They belong to everyone: copy before adding to them."""
    from engine.generation import window_start

    window = tuple(tokens[window_start(len(tokens), loaded.config.model.max_seq_len) :])
    cache = _caches.get((loaded.key, window))
    if cache is None:
        cache = _compute(loaded, window, None, measured=False)[1]
        _caches.put((loaded.key, window), cache)
    return cache


def _compute(
    loaded: Loaded, window: tuple[int, ...], before: KVCache | None, measured: bool
) -> tuple[Moment, KVCache]:
    """The next token's logits after `window`, whose other tokens are in `before` if that is given."""
    import torch

    model = loaded.model
    feed = window if before is None else window[-1:]
    held = len(window) - len(feed)
    with torch.inference_mode():
        new, full = torch.tensor([feed]), torch.tensor([window])  # (1, T), (1, S)
        cache = model.new_cache() if before is None else before.clone()
        if measured and before is None:  # first passes are slow; they are not to be measured
            model.run(full)
            model.run(full[:, -1:], cache=model.new_cache())

        def cached() -> Tensor:
            cache.truncate(held)
            return model.run(new, cache=cache).logits[0, -1].float()  # (V,)

        logits, seconds = _timed(cached, again=measured)
        seconds_without = difference = None
        if measured:
            proof, seconds_without = _timed(lambda: model.run(full).logits[0, -1].float())
            difference = float((logits - proof).abs().max())
    moment = Moment(
        # A copy, without the other positions behind it; and without tokens that have no text, where a
        # model has more than its tokenizer.
        logits=logits[: loaded.tokenizer.vocab_size].clone(),
        window=len(window),
        computed=len(feed),
        cache_bytes=cache.nbytes,
        seconds=seconds,
        seconds_without=seconds_without,
        difference=difference,
    )
    return moment, cache


def _timed(compute: Callable[[], Tensor], again: bool = True) -> tuple[Tensor, float]:
    """What it computes, and the seconds it takes: the faster of two, where that is soon done.

    Other programs can only make a measurement longer.
    """
    began = perf_counter()
    value = compute()
    seconds = perf_counter() - began
    if again and seconds < SOON:
        began = perf_counter()
        value = compute()
        seconds = min(seconds, perf_counter() - began)
    return value, seconds


# What the view is told ---------------------------------------------------------------------------


def _record(
    loaded: Loaded, tokens: Sequence[int], moment: Moment, adjusted: Adjusted | None = None
) -> dict[str, Any]:
    """One token of a text: how probable it was, and what it cost to read it.

    `before` and `after` are its probability without and with the settings (absent for a prompt);
    FLOPs are counted as in `engine.estimate`, milliseconds measured just now or when first computed.
    """
    from engine.estimate import flops_per_token
    from engine.generation import window_start

    token = tokens[-1]
    each = flops_per_token(loaded.config.model, moment.window, loaded.tokenizer.vocab_size)
    record: dict[str, Any] = {
        "token": token,
        "length": len(tokens),
        "start": window_start(len(tokens), loaded.config.model.max_seq_len),
        "window": moment.window,
        "computed": moment.computed,
        "bytes": moment.cache_bytes,
        "ms": moment.seconds * 1e3,
        "ms_without": None if moment.seconds_without is None else moment.seconds_without * 1e3,
        "flops": moment.computed * each,
        "flops_without": moment.window * each,
        "difference": moment.difference,
    }
    if adjusted is not None:
        record["before"] = float(adjusted.before[token])
        record["after"] = float(adjusted.after[token])
    return record


def _distribution(
    moment: Moment, tokens: Sequence[int], sampler: Sampler, seed: int
) -> dict[str, Any]:
    """The whole next-token distribution: base64 of float32 (V,) twice and of bytes (V,).

    `removed` holds indices of `engine.generation.FILTERS`; `drawn` is the token that the next step
    takes.
    """
    import torch

    from engine.generation import entropy

    adjusted = _adjust(moment, sampler)
    return {
        "before": answers.packed(adjusted.before.to(torch.float32).numpy()),
        "after": answers.packed(adjusted.after.to(torch.float32).numpy()),
        "removed": answers.packed(adjusted.removed_by.to(torch.uint8).numpy()),
        "entropy": [entropy(adjusted.before), entropy(adjusted.after)],
        "drawn": _drawn(adjusted, seed, len(tokens)),
    }


def _adjust(moment: Moment, sampler: Sampler) -> Adjusted:
    from engine.generation import adjust

    return adjust(moment.logits, sampler)


def _drawn(adjusted: Adjusted, seed: int, position: int) -> int:
    """The token for this position of a text: always the same for one seed and distribution."""
    from engine.generation import sample

    return sample(adjusted, _generator(seed * SEED_STRIDE + position))


def _generator(seed: int) -> torch.Generator:
    import torch

    return torch.Generator().manual_seed(seed)


# What the run learned from -----------------------------------------------------------------------


def data_of(run: Run) -> Data | None:
    """The run's data; None where it is gone, which hinders nobody from generating."""
    return _data_at(run.path)


@functools.lru_cache(maxsize=16)
def _data_at(path: Path) -> Data | None:
    return fresh_data(path)


def fresh_data(path: Path) -> Data | None:
    """The data of the run in this folder, made anew; None where it is gone."""
    from engine.data import make_data
    from engine.runs import Run
    from engine.validation import ConfigError

    try:
        return make_data(Run(path).data_config())
    except (ConfigError, OSError):
        return None


def _examples(run: Run, loaded: Loaded, data: Data | None) -> list[str]:
    """Prompts to begin with that the model can read, at least one."""
    readable: list[str] = []
    for prompt in [] if data is None else data.prompts:
        try:
            if loaded.tokenizer.encode(prompt):
                readable.append(prompt)
        except ValueError:  # the tokenizer is not the data's: a file was replaced
            continue
    return readable or [loaded.tokenizer.pieces[0]]


# Checking what a client sent ---------------------------------------------------------------------


def _text(run: object, step: object, tokens: object) -> tuple[Loaded, list[int]]:
    """The model, and a text as its tokens."""
    loaded = inference.load(answers.run_id(run), answers.whole("step", step, 0, 10**12))
    return loaded, answers.ids(tokens, loaded.tokenizer.vocab_size, MAX_TOKENS)


def _step(step: object) -> int | None:
    """A step of training; None is the newest."""
    return None if step is None else answers.whole("step", step, 0, 10**12)


def _prompt(loaded: Loaded, prompt: str) -> list[int]:
    tokens = answers.encode(loaded.tokenizer, prompt)
    if not tokens:
        raise ValueError(TEXT["empty"])
    if len(tokens) >= MAX_TOKENS:
        raise ValueError(TEXT["long"].format(length=len(tokens), limit=MAX_TOKENS - 1))
    return tokens


def _settings(settings: Mapping[str, Any] | None) -> tuple[Sampler, int]:
    """The sampler and the seed. Raises `ConfigError` naming field, value and what is allowed."""
    from engine.generation import Sampler

    if settings is None:
        settings = {}
    if not isinstance(settings, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(TEXT["settings"])
    seed = answers.whole("seed", settings.get("seed", 0), 0, MAX_SEED)
    return Sampler.parse({name: value for name, value in settings.items() if name != "seed"}), seed


def _named(temperature: float, top_k: int, top_p: float, min_p: float, seed: int) -> dict[str, Any]:
    return {
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "min_p": min_p,
        "seed": seed,
    }
