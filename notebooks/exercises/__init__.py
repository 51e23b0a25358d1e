"""What a learner writes in the notebooks: one row for each function, with random inputs and known mistakes.

    def softmax(logits):
        ...

    check(softmax)          prints: ✗ softmax is not written yet: it returns nothing.

A function is found by its name. `references` computes what is right with the engine's own code, and `compare` says what
differs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor

from engine.model.attention import causal_mask
from engine.tokenizers.bpe.training import learn_merges
from engine.training.loss import cross_entropy
from engine.training.optim import orthogonalized
from notebooks.exercises import references
from notebooks.exercises.compare import CASES, Exercise, Inputs, Wrong, compare, said


def check(written: Callable[..., Any], table: Mapping[str, str] | None = None) -> None:
    """Compare a learner's function with the engine, and print what was found; in English, or in a table's language."""
    name = getattr(written, "__name__", str(written))
    if name not in EXERCISES:
        sentence = "✗ There is no exercise {name}. The exercises: {names}."
        answer = said(sentence, name=name, names=list(EXERCISES))
    else:
        try:
            compare(written, name, EXERCISES[name])
        except Wrong as problem:
            answer = said("✗ {problem}", problem=problem.what)
        else:
            sentence = "✓ {name} is right: the same as the engine's on {cases} random inputs."
            answer = said(sentence, name=name, cases=CASES)
    print(answer.words(table))


# Random inputs ------------------------------------------------------------------------------------


def _size(low: int, high: int) -> int:
    return int(torch.randint(low, high + 1, ()))


def _vectors(number: int) -> Callable[[], Inputs]:
    """`number` tensors (T, D)."""

    def inputs() -> Inputs:
        shape = _size(2, 6), 2 * _size(1, 4)
        return tuple(2 * torch.randn(shape) for _ in range(number))

    return inputs


def _logits() -> Inputs:
    """(N, V): also large ones, whose powers of e are larger than any 32-bit number."""
    return (torch.randn(_size(1, 4), _size(2, 6)) * 3 + 100 * _size(0, 3),)


def _loss_inputs() -> Inputs:
    (logits,) = _logits()
    return logits, torch.randint(logits.shape[1], (len(logits),))


def _heads_inputs() -> Inputs:
    n_head, width, length = _size(2, 4), 2 * _size(1, 3), _size(2, 6)
    matrices = (torch.randn(n_head * width, n_head * width) / 2 for _ in range(4))
    return torch.randn(length, n_head * width), *matrices, n_head


def _cross_inputs() -> Inputs:
    width = 2 * _size(1, 4)
    matrices = (torch.randn(width, width) / 2 for _ in range(4))
    return torch.randn(_size(2, 5), width), torch.randn(_size(6, 9), width), *matrices


def _feedforward_inputs() -> Inputs:
    width, hidden = 2 * _size(1, 3), 8 * _size(1, 3)
    return (
        torch.randn(_size(1, 4), width),
        torch.randn(hidden, width),
        torch.randn(hidden, width),
        torch.randn(width, hidden),
    )


def _adamw_inputs() -> Inputs:
    w, g, m = torch.randn(3, _size(1, 5))
    return w, g, m / 10, g.square() / 10 + 0.01, _size(1, 20), 0.01 * _size(1, 5)


def _cosine_inputs() -> Inputs:
    warmup, total = _size(0, 10), 20 + 10 * _size(0, 8)
    return _size(0, total), warmup, total, 0.01 * _size(2, 5), 0.001 * _size(0, 9)


def _word() -> str:
    return "".join("abc"[int(i)] for i in torch.randint(3, (_size(2, 7),)))


def _words() -> dict[str, int]:
    return {_word(): _size(1, 9) for _ in range(_size(2, 6))}


def _pieces_inputs() -> Inputs:
    words = {_word(): _size(1, 9) for _ in range(8)}
    names: list[str] = [chr(i) for i in range(256)]
    merges: list[tuple[str, str]] = []
    for merge in learn_merges(words, 6):
        merges.append((names[merge.pair[0]], names[merge.pair[1]]))
        if merge.new_id == len(names):
            names.append(merge.new_bytes.decode())
    return _word() + _word(), merges


def _probabilities() -> Inputs:
    return (torch.randn(_size(4, 9), _size(2, 5)).softmax(-1),)


def _surface(w: Tensor) -> Tensor:
    """A function of a vector, with hills and valleys."""
    return (w.square() * torch.arange(1, len(w) + 1)).sum() + torch.sin(w).prod()


# The exercises ------------------------------------------------------------------------------------


def _one_by_one(written: Callable[..., Any], q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Give a function the tokens one by one, and what it returned as its cache."""
    cache, rows = None, list[Tensor]()
    for t in range(len(q)):
        answer = written(q[t], k[t], v[t], cache)
        if answer is None or answer is ...:
            return cast(Tensor, None)
        row, cache = answer
        rows.append(torch.as_tensor(row))
    return torch.stack(rows)


def _scores(q: Tensor, k: Tensor, root: bool = True) -> Tensor:
    return q @ k.T / (math.sqrt(q.shape[-1]) if root else 1.0)


def _masked(q: Tensor, k: Tensor, v: Tensor, fill: float = -math.inf) -> Tensor:
    scores = _scores(q, k)
    return scores.masked_fill(~causal_mask(len(q), len(k)), fill).softmax(-1) @ v


def _unmixed(x: Tensor, wq: Tensor, wk: Tensor, wv: Tensor, wo: Tensor, n_head: int) -> Tensor:
    return references.many_heads(x, wq, wk, wv, torch.eye(len(wo)), n_head)


def _half_turned(x: Tensor, base: float) -> Tensor:
    """RoPE on the pairs (i, i + D/2)."""
    half = x.shape[-1] // 2
    order = torch.arange(x.shape[-1]).view(2, half).T.flatten()
    return references.rope(x[:, order], base)[:, order.argsort()]


def _turned_back(x: Tensor, base: float) -> Tensor:
    """Rotated by the same angles in the other direction."""
    mirror = torch.tensor([1.0, -1.0]).repeat(x.shape[-1] // 2)
    return references.rope(x * mirror, base) * mirror


def _nucleus(logits: Tensor, p: float, crossing: bool) -> Tensor:
    """Top-p not renormalised, or without the token that crosses p."""
    probabilities, order = logits.softmax(0).sort(descending=True)
    sums = probabilities.cumsum(0)
    kept = probabilities * ((sums - probabilities < p) if crossing else (sums <= p))
    return torch.zeros_like(logits).scatter(0, order, kept if crossing else kept / kept.sum())


def _adam(w: Tensor, g: Tensor, m: Tensor, v: Tensor, t: int, lr: float, corrected: bool) -> Inputs:
    """AdamW without its corrections, or with the decay in the gradient."""
    if not corrected:
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g.square()
        return w - lr * (m / (v.sqrt() + 1e-8) + 0.01 * w), m, v
    return references.adamw_step(w, g + 0.01 * w, m, v, t, lr, decay=0.0)


def _longest(word: str, merges: list[tuple[str, str]]) -> list[str]:
    """Cut off the longest known piece again and again."""
    known, pieces = {a + b for a, b in merges}, list[str]()
    while word:
        length = next(n for n in range(len(word), 0, -1) if n == 1 or word[:n] in known)
        pieces.append(word[:length])
        word = word[length:]
    return pieces


EXERCISES: dict[str, Exercise] = {
    "bits": Exercise(
        lambda: (torch.rand(_size(1, 9)) * 0.98 + 0.01,),
        references.bits,
        [
            (
                lambda p: -p.log().mean(),
                "These are nats, from the natural logarithm. Bits need the logarithm to base 2.",
            ),
            (lambda p: -p.log2().sum(), "This is the sum. Wanted is the mean for one character."),
            (
                lambda p: -p.mean().log2(),
                "Take the logarithm of each probability, and then the mean.",
            ),
        ],
    ),
    "pieces": Exercise(
        _pieces_inputs,
        references.pieces,
        [
            (
                _longest,
                "You cut off the longest known piece. BPE applies the merges in the order in which they were learned.",
            ),
        ],
    ),
    "train_bpe": Exercise(
        lambda: (_words(), _size(1, 4)),
        references.train_bpe,
        [
            (
                lambda words, number: references.train_bpe(dict.fromkeys(words, 1), number),
                "You counted every word once. A word that occurs nine times counts nine times.",
            ),
        ],
    ),
    "softmax": Exercise(
        _logits,
        lambda z: z.softmax(-1),
        [
            (
                lambda z: z.exp() / z.exp().sum(-1, keepdim=True),
                "The power of a large logit is larger than any 32-bit number (inf). Subtract the largest logit of each "
                "row first: the result is the same.",
            ),
            (
                lambda z: z.flatten().softmax(0).view_as(z),
                "You divided by the sum of all rows. Each row sums to one.",
            ),
            (
                lambda z: z.softmax(0),
                "You summed over the columns. Each row sums to one: sum over the last dimension.",
            ),
        ],
    ),
    "loss": Exercise(
        _loss_inputs,
        cross_entropy,
        [
            (
                lambda z, y: cross_entropy(z, y) * len(y),
                "This is the sum. Wanted is the mean over the rows.",
            ),
            (
                lambda z, y: cross_entropy(z, y) / math.log(2),
                "These are bits. Wanted are nats: the natural logarithm.",
            ),
            (
                lambda z, y: -cross_entropy(z, y),
                "The sign: a probability below one has a negative logarithm.",
            ),
        ],
    ),
    "slope": Exercise(
        lambda: (_surface, torch.randn(_size(2, 4), dtype=torch.float64)),
        references.slope,
        [
            (
                lambda f, w: -references.slope(f, w),
                "The sign: the gradient points to where the function rises.",
            ),
            (
                lambda f, w: 2 * references.slope(f, w),
                "Twice too much: w + h and w − h are 2 h apart.",
            ),
        ],
    ),
    "attention": Exercise(
        _vectors(3),
        references.attention,
        [
            (
                lambda q, k, v: _scores(q, k, root=False).softmax(-1) @ v,
                "Divide q · k by √D before the softmax.",
            ),
            (
                lambda q, k, v: _scores(q, k).softmax(0) @ v,
                "The shares of each query sum to one: softmax over the keys.",
            ),
            (
                lambda q, k, v: _scores(k, q).softmax(-1) @ v,
                "Queries and keys are swapped: row i belongs to query i.",
            ),
        ],
    ),
    "causal_attention": Exercise(
        _vectors(3),
        lambda q, k, v: references.attention(q, k, v, causal=True),
        [
            (references.attention, "A token still attends to later tokens."),
            (
                lambda q, k, v: _masked(q, k, v, fill=0.0),
                "A score of 0 is not “nothing”: e⁰ is 1. What is hidden needs the score −∞.",
            ),
            (
                lambda q, k, v: (_scores(q, k).softmax(-1) * causal_mask(len(q), len(k))) @ v,
                "You hid the future after the softmax, so that the shares no longer sum to one. Hide the scores.",
            ),
        ],
    ),
    "many_heads": Exercise(
        _heads_inputs,
        references.many_heads,
        [
            (_unmixed, "The heads are right. The output matrix wo, which mixes them, is missing."),
            (
                lambda x, wq, wk, wv, wo, _: references.many_heads(x, wq, wk, wv, wo, 1),
                "This is one head. Cut q, k and v into n_head parts first.",
            ),
        ],
    ),
    "rope": Exercise(
        lambda: (torch.randn(_size(2, 8), 2 * _size(1, 4)), 100.0),
        references.rope,
        [
            (
                _half_turned,
                "You rotate number i together with number i + D/2, as Llama in transformers does. That is RoPE too, with the "
                "numbers in another order. Here neighbours make a pair: 0 and 1, 2 and 3, ...",
            ),
            (
                _turned_back,
                "You rotate in the other direction. The angle is positive: (cos, −sin; sin, cos).",
            ),
        ],
    ),
    "swiglu": Exercise(
        _feedforward_inputs,
        references.swiglu,
        [
            (
                lambda x, gate, up, down: references.swiglu(x, up, gate, down),
                "The SiLU belongs to the gate, not to `up`.",
            ),
            (
                lambda x, gate, up, down: ((x @ gate.T).sigmoid() * (x @ up.T)) @ down.T,
                "This gate is a sigmoid alone (GLU). SiLU(z) is z · sigmoid(z).",
            ),
        ],
    ),
    "rms_norm": Exercise(
        lambda: (3 * torch.randn(_size(1, 4), 8), torch.rand(8) + 0.5),
        references.rms_norm,
        [
            (
                lambda x, weight: references.rms_norm(x, torch.ones(8)),
                "The learned weight is missing.",
            ),
            (
                lambda x, weight: references.rms_norm(x - x.mean(-1, keepdim=True), weight),
                "You subtracted the mean: that is LayerNorm. RMSNorm only divides.",
            ),
            (
                lambda x, weight: references.rms_norm(x, weight) / math.sqrt(8),
                "You divided by the length of the vector. Take the root of the mean of the squares, not of their sum.",
            ),
        ],
    ),
    "top_p": Exercise(
        lambda: (2 * torch.randn(_size(3, 9)), 0.1 * _size(2, 9)),
        references.top_p,
        [
            (
                lambda z, p: _nucleus(z, p, crossing=False),
                "The token with which the sum reaches p belongs to those kept.",
            ),
            (
                lambda z, p: _nucleus(z, p, crossing=True),
                "What is left must sum to one again: divide by its sum.",
            ),
        ],
    ),
    "adamw": Exercise(
        _adamw_inputs,
        references.adamw_step,
        [
            (
                lambda *inputs: _adam(*inputs, corrected=False),
                "The averages start at zero, so at first they are too small. Divide m by 1 − 0.9ᵗ and v by 1 − 0.999ᵗ.",
            ),
            (
                lambda *inputs: _adam(*inputs, corrected=True),
                "You added the decay to the gradient (L2). AdamW takes lr · decay · w from the weight itself.",
            ),
        ],
    ),
    "cosine": Exercise(
        _cosine_inputs,
        references.cosine,
        [
            (
                lambda step, warmup, total, high, low: references.cosine(step, 0, total, high, low),
                "There is no warm-up yet: update `step` < `warmup` has high · (step + 1) / (warmup + 1).",
            ),
        ],
    ),
    "clip": Exercise(
        lambda: (torch.randn(_size(2, 5)) * _size(1, 3), 1.0),
        references.clip,
        [
            (
                lambda g, most: g.clamp(-most, most),
                "You limited each number. The whole vector keeps its direction: scale it.",
            ),
            (
                lambda g, most: g * most / g.norm(),
                "A gradient shorter than the limit stays as it is.",
            ),
        ],
    ),
    "attend_with_cache": Exercise(
        _vectors(3), lambda q, k, v: references.attention(q, k, v, causal=True), (), _one_by_one
    ),
    "top_k_gates": Exercise(
        lambda: (2 * torch.randn(_size(2, 6), _size(4, 8)), _size(1, 3)),
        references.top_k_gates,
        [
            (
                lambda z, k: (gates := references.top_k_gates(z, k)) / gates.sum(-1, keepdim=True),
                "You made the chosen gates sum to one, as Mixtral does. Here each keeps its probability among all experts.",
            ),
            (
                lambda z, k: z.softmax(-1),
                "All experts still have a gate. It is 0 for all but the k most probable.",
            ),
        ],
    ),
    "balance_loss": Exercise(
        _probabilities,
        references.balance_loss,
        [
            (
                lambda p: references.balance_loss(p) / p.shape[-1],
                "The factor E, the number of experts, is missing: with it, even work gives 1.",
            ),
            (
                lambda p: p.shape[-1] * p.mean(0).square().sum(),
                "You used P twice. f is a count: the share of tokens whose most probable expert this is.",
            ),
        ],
    ),
    "cross_attention": Exercise(
        _cross_inputs,
        references.cross,
        [
            (
                lambda x, memory, *matrices: references.cross(x, x, *matrices),
                "Keys and values come from the memory, the encoder's output, not from x.",
            ),
        ],
    ),
    "orthogonalize": Exercise(
        lambda: (torch.randn(_size(2, 4), _size(4, 6)),),
        lambda g: orthogonalized([g])[0],
        [
            (
                lambda g: orthogonalized([g], steps=1)[0],
                "This is one iteration. Repeat it five times, each on the result of the one before.",
            ),
        ],
    ),
}
