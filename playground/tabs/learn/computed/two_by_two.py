"""The numbers of the lesson on optimizers: a 2 × 2 matrix, its gradients, and what each optimizer makes of them.

Written out with NumPy, entry by entry, as a reader would do it by hand. A test compares every number with the optimizers
of `engine.training.optim`.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.config import TrainConfig
from playground.tabs.optimizers import server as optimizers

Matrix = npt.NDArray[np.float64]

GRADIENTS: tuple[Matrix, Matrix] = (
    np.array([[4.0, 3.0], [3.0, 4.0]]),
    np.array([[2.0, -1.0], [-1.0, 2.0]]),
)
"""The gradients of two steps. Both have the directions (1, 1) and (1, −1)."""

SETTINGS = TrainConfig()
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""The coefficients of `engine.training.optim.NEWTON_SCHULZ`, whose module would load PyTorch."""


def singular_values(matrix: Matrix) -> list[float]:
    """In descending order."""
    return np.linalg.svd(matrix, compute_uv=False).tolist()


def momentum(step: int) -> Matrix:
    """SGD's buffer after 1 or 2 steps: b = beta b + g."""
    buffer = np.zeros((2, 2))
    for gradient in GRADIENTS[:step]:
        buffer = SETTINGS.beta1 * buffer + gradient
    return buffer


def averages(step: int) -> tuple[Matrix, Matrix]:
    """AdamW's m and v after 1 or 2 steps, before they are corrected."""
    m, v = np.zeros((2, 2)), np.zeros((2, 2))
    for gradient in GRADIENTS[:step]:
        m = SETTINGS.beta1 * m + (1 - SETTINGS.beta1) * gradient
        v = SETTINGS.beta2 * v + (1 - SETTINGS.beta2) * gradient**2
    return m, v


def corrected(step: int) -> tuple[Matrix, Matrix]:
    """m and v divided by what their coefficients sum to: 1 − beta^t."""
    m, v = averages(step)
    return m / (1 - SETTINGS.beta1**step), v / (1 - SETTINGS.beta2**step)


def adamw(step: int) -> Matrix:
    """AdamW's step, in units of the learning rate, without weight decay."""
    m, v = corrected(step)
    return m / np.sqrt(v)


def newton_schulz(matrix: Matrix, iterations: int) -> Matrix:
    """Divide by the Frobenius norm, then iterate a X + b (X X^T) X + c (X X^T)^2 X."""
    a, b, c = NEWTON_SCHULZ
    x = matrix / np.sqrt((matrix**2).sum())
    for _ in range(iterations):
        gram = x @ x.T
        x = a * x + b * gram @ x + c * gram @ gram @ x
    return x


def shown(matrix: Matrix, digits: int = 2) -> str:
    """The rows of a matrix: "(0.93, 0.40), (0.40, 0.93)"."""
    rows = [", ".join(_fixed(value, digits) for value in row) for row in matrix.tolist()]
    return ", ".join(f"({row})" for row in rows)


def both(matrix: Matrix) -> str:
    """Its two singular values: "7.00, 1.00"."""
    return ", ".join(_fixed(value, 2) for value in singular_values(matrix))


def _fixed(value: float, digits: int) -> str:
    return f"{abs(value):.{digits}f}" if round(value, digits) >= 0 else f"−{abs(value):.{digits}f}"


# From the stored race -----------------------------------------------------------------------------


def _final(optimizer: str) -> str:
    """The mean validation loss of an optimizer in the stored race."""
    plan = optimizers.stored()[0]
    number = [entry["optimizer"] for entry in plan["entries"]].index(optimizer)
    return f"{fmean(finals(number).values()):.2f}"


def finals(entry: int) -> dict[int, float]:
    """An entry's validation losses after the last step of the stored race, by seed."""
    plan, *events = optimizers.stored()
    return {
        event["seed"]: event["loss"]
        for event in events
        if event["kind"] == "Measured" and (event["entry"], event["step"]) == (entry, plan["steps"])
    }


def shares(entry: int, matrix: str = "0.up") -> list[float]:
    """At each recorded step: (Σ s²)² / Σ s⁴ of the step's singular values s, divided by their number."""
    spectra = [e for e in optimizers.stored() if e["kind"] == "Spectra" and e["entry"] == entry]
    values = [np.array(each["update"][matrix]) for each in spectra]
    return [float((s**2).sum() ** 2 / (s**4).sum() / len(s)) for s in values]


def _interval() -> str:
    """Muon's loss minus AdamW's, with its 95% interval."""
    verdict: Any = optimizers.compared(optimizers.stored())[1]
    low, mean, high = (_fixed(verdict[name], 2) for name in ("low", "mean", "high"))
    return f"{mean} [{low}, {high}]"


def _directions(entry: int) -> str:
    return f"{32 * shares(entry)[-1]:.0f}"


G1, G2 = GRADIENTS
NUMBERS: dict[str, Callable[[], str]] = {
    "first gradient": lambda: shown(G1, 0),
    "second gradient": lambda: shown(G2, 0),
    "first gradient values": lambda: both(G1),
    "second gradient values": lambda: both(G2),
    "momentum": lambda: shown(momentum(2), 1),
    "momentum values": lambda: both(momentum(2)),
    "adam first m": lambda: shown(averages(1)[0]),
    "adam first v": lambda: shown(averages(1)[1]),
    "adam first m corrected": lambda: shown(corrected(1)[0], 0),
    "adam first v corrected": lambda: shown(corrected(1)[1], 0),
    "adam first": lambda: shown(adamw(1), 0),
    "adam first values": lambda: both(adamw(1)),
    "adam second m": lambda: shown(averages(2)[0]),
    "adam second v": lambda: shown(averages(2)[1], 4),
    "adam second m corrected": lambda: shown(corrected(2)[0]),
    "adam second v corrected": lambda: shown(corrected(2)[1]),
    "adam second": lambda: shown(adamw(2)),
    "adam second values": lambda: both(adamw(2)),
    "frobenius": lambda: _fixed(float(np.sqrt((G1**2).sum())), 2),
    **{f"schulz {n}": lambda n=n: both(newton_schulz(G1, n)) for n in range(6)},
    "muon": lambda: shown(newton_schulz(G1, 5)),
    "race adamw": lambda: _final("adamw"),
    "race muon": lambda: _final("muon"),
    "race interval": _interval,
    "race adamw directions": lambda: _directions(0),
    "race muon directions": lambda: _directions(1),
}
"""The computed numbers of the lesson, by name. The stored race has AdamW first, then Muon."""
