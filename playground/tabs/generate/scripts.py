"""What scripts ask of the tab Generate: a continued prompt, and the full distribution after one."""

from __future__ import annotations

from typing import TypedDict

from playground.hosting import checks
from playground.runs import models, run_data, run_lookup
from playground.tabs.generate.moments import adjusted_by, drawn, moment_of
from playground.tabs.generate.requests import DEFAULTS, MAX_TOKENS, prompt_tokens, settings_of


class Written(TypedDict):
    """A token that a script asked for."""

    id: int
    piece: str
    probability: float
    """The model's own, before temperature and filters."""


class Continuation(TypedDict):
    """A continued prompt."""

    step: int
    prompt: str
    text: str
    """The continuation alone."""
    tokens: list[Written]


class Choice(TypedDict):
    """A token that may come next."""

    id: int
    piece: str
    before: float
    after: float
    removed_by: str | None
    """A filter's name."""


class Choices(TypedDict):
    """Every token of the vocabulary, the most probable one first."""

    step: int
    entropy_before: float
    """In bits."""
    entropy_after: float
    tokens: list[Choice]


def continue_text(
    run: str,
    step: int | None = None,
    prompt: str = "",
    max_new_tokens: int = DEFAULTS.max_new_tokens,
    temperature: float = DEFAULTS.temperature,
    top_k: int = DEFAULTS.top_k,
    top_p: float = DEFAULTS.top_p,
    min_p: float = DEFAULTS.min_p,
    seed: int = DEFAULTS.seed,
) -> Continuation:
    """Continue a prompt, with the very tokens that the page would write. Raises `ValueError`.

    Ends after a task's end token.
    """
    found = run_lookup.find(run)
    loaded = models.load(found, checks.step(step))
    known = run_data.examples(found)
    settings = settings_of(
        {"temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p, "seed": seed}
    )
    tokens = prompt_tokens(loaded, checks.text(prompt))
    room = MAX_TOKENS - len(tokens)
    written: list[Written] = []
    for _ in range(checks.whole("max_new_tokens", max_new_tokens, 0, room)):
        adjusted = adjusted_by(moment_of(loaded, tokens), settings)
        token = drawn(adjusted, settings.seed, len(tokens))
        tokens = [*tokens, token]
        written.append(
            {
                "id": token,
                "piece": loaded.tokenizer.pieces[token],
                "probability": float(adjusted.before[token]),
            }
        )
        if known is not None and token == known.end:
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
    temperature: float = DEFAULTS.temperature,
    top_k: int = DEFAULTS.top_k,
    top_p: float = DEFAULTS.top_p,
    min_p: float = DEFAULTS.min_p,
) -> Choices:
    """The next-token distribution over the vocabulary. Raises `ValueError`."""
    from engine.generation.sampling import FILTERS, entropy

    loaded = models.load(run_lookup.find(run), checks.step(step))
    settings = settings_of(
        {"temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p}
    )
    tokens = prompt_tokens(loaded, checks.text(prompt))
    adjusted = adjusted_by(moment_of(loaded, tokens), settings)
    order: list[int] = adjusted.before.sort(descending=True, stable=True).indices.tolist()

    def choice(token: int) -> Choice:
        removed = int(adjusted.removed_by[token])
        return {
            "id": token,
            "piece": loaded.tokenizer.pieces[token],
            "before": float(adjusted.before[token]),
            "after": float(adjusted.after[token]),
            "removed_by": FILTERS[removed] if removed else None,
        }

    return {
        "step": loaded.step,
        "entropy_before": entropy(adjusted.before),
        "entropy_after": entropy(adjusted.after),
        "tokens": [choice(token) for token in order],
    }
