"""Charts of the lessons on writing, training, experts, translation and optimizers."""

from __future__ import annotations

import math
from collections.abc import Callable

from playground.tabs.learn import game
from playground.tabs.learn.computed import curves, running, two_by_two
from playground.tabs.learn.computed.curves import Series
from playground.tabs.learn.drawings.svg import WIDE, Panel, svg, text
from playground.tabs.learn.lesson import calculator
from playground.tabs.learn.lesson.file_format import results


def series(run: str, name: str) -> Series:
    """A stored series."""
    return curves.stored()[run][name]


def unigram() -> float:
    """The loss of the character frequencies on the validation text of the stories, in nats."""
    return game.bits("en")["unigram"] * math.log(2)


def uniform() -> float:
    """The loss of a uniform guess among the characters of the stories, in nats."""
    return game.bits("en")["uniform"] * math.log(2)


# Training ----------------------------------------------------------------------------------------


def rates() -> str:
    """Validation loss with three learning rates."""
    panel = Panel(34, 34, 352, 200, 300, 1.5, 4.5)
    panel.title("validation loss with three learning rates")
    panel.scale((2, 3, 4), (0, 100, 200, 300))
    panel.level(uniform(), "guessing uniformly")
    panel.level(unigram(), "only how frequent each character is", 24)
    for colour, name in enumerate(("0.01", "0.0001", "1")):
        panel.curve(series(f"rate {name}", "valid"), colour)
    panel.note(240, 1.95, "0.01", "strong middle", -9)
    panel.note(112, 3.85, "0.0001", "strong middle", 14)
    panel.note(40, 3.0, "1", "strong middle", 20)
    return svg(278, [*panel.parts, text(WIDE / 2, 270, "step", "muted middle", 11)])


def schedule() -> str:
    """The learning rate of two schedules, and below it what comes of them."""
    from engine.training.optim import learning_rate

    top = Panel(40, 34, 346, 90, 600, 0, 0.034)
    top.title("learning rate")
    top.scale((0, 0.01, 0.02, 0.03), ())
    below = Panel(40, 168, 346, 150, 600, 1.5, 3)
    below.title("validation loss")
    below.scale((1.5, 2, 2.5, 3), (0, 200, 400, 600))
    for colour, name in enumerate(("whole recipe", "constant rate")):
        train = curves.config(name).train
        steps = [*range(0, train.warmup_steps + 1, 2), *range(train.warmup_steps, 600, 10), 599]
        top.curve([(step, learning_rate(step, train)) for step in steps], colour)
        below.curve(series(name, "valid"), colour)
    top.note(390, 0.009, "cosine", "strong end")
    top.note(590, 0.03, "constant", "strong end", 15)
    below.note(330, 1.72, "cosine", "strong end", 8)
    below.note(590, 2.0, "constant", "strong end", -14)
    return svg(362, [*top.parts, *below.parts, text(WIDE / 2, 354, "step", "muted middle", 11)])


def moves() -> str:
    """How far Adam moves a weight at last, with gradients of three kinds."""
    kinds = [
        ("always the same", running.steady(), "accent"),
        ("pure noise", running.noise(), "c2"),
        ("plus, minus, plus …", running.alternating(), "c3"),
    ]
    parts = [text(20, 22, "one step of Adam, in learning rates", "strong")]
    for number, (words, share, colour) in enumerate(kinds):
        y = 44 + 44 * number
        parts += [
            text(20, y + 2, words),
            f'<rect class="box" x="20" y="{y + 9}" width="300" height="16" rx="3"/>',
            f'<rect class="{colour}" x="20" y="{y + 9}" width="{300 * share:.1f}" height="16" rx="3"/>',
            text(332, y + 22, f"{share:.2f}", "strong"),
        ]
    return svg(176, parts)


# A failed run -------------------------------------------------------------------------------------


def four_shapes() -> str:
    """Training and validation loss of four runs, small."""
    guess = uniform()

    def small(x: float, y: float, title: str, last: int, low: float = 0, high: float = 5) -> Panel:
        panel = Panel(x, y, 164, 110, last, low, high)
        panel.title(title)
        panel.scale((0, 2, 4), (0, last))
        panel.level(guess, "")
        return panel

    diverging = small(26, 30, "it diverges", series("diverges", "train")[-1][0])
    diverging.curve(series("diverges", "train"), 1)
    stuck = small(226, 30, "it does not learn", 300)
    stuck.level(unigram(), "")
    stuck.curve(series("rate 1", "train"), 1)
    stuck.curve(series("rate 1", "valid"))
    page = small(26, 196, "it over-fits", 600)
    page.curve(series("page", "train"), 1)
    page.curve(series("page", "valid"))
    short = small(226, 196, "it was too short", 100)
    short.curve(series("short", "train"), 1)
    short.curve(series("short", "valid"))
    key = [
        '<line class="curve" x1="30" x2="50" y1="352" y2="352"/>',
        text(56, 356, "validation loss", "", 12),
        '<line class="curve second" x1="160" x2="180" y1="352" y2="352"/>',
        text(186, 356, "training loss", "", 12),
        '<line class="level" x1="280" x2="300" y1="352" y2="352"/>',
        text(306, 356, "guessing", "", 12),
    ]
    return svg(368, [*diverging.parts, *stuck.parts, *page.parts, *short.parts, *key])


def blow_up() -> str:
    """Loss and gradient norm of the run that diverges, on a logarithmic axis."""
    loss, norm = series("diverges", "train"), series("diverges", "norm")
    last = loss[-1][0]
    high = 10 ** math.ceil(math.log10(max(value for _, value in norm + loss)))
    panel = Panel(50, 34, 336, 190, last, 0.01, high, log=True)
    panel.title("loss and gradient norm, logarithmic")
    panel.scale(
        [10.0**power for power in range(-2, round(math.log10(high)) + 1, 2)], range(0, last + 1, 10)
    )
    panel.curve(norm, 1)
    panel.curve(loss)
    panel.note(last * 0.2, 4, "loss", "strong", -8)
    panel.note(last * 0.45, 0.1, "gradient norm", "strong", 12)
    return svg(268, [*panel.parts, text(WIDE / 2, 260, "step", "muted middle", 11)])


def plateau() -> str:
    """Two flat curves: one falls off a cliff, one stays flat."""
    panel = Panel(34, 34, 352, 190, 600, 0, 4)
    panel.title("validation loss of two tasks")
    panel.scale((0, 1, 2, 3, 4), (0, 200, 400, 600))
    panel.curve(series("induction", "valid"))
    panel.curve(series("post-norm", "valid"), 1)
    panel.note(395, 3.0, "twelve blocks, post-norm", "strong end", -10)
    panel.note(380, 0.3, "induction, two blocks", "strong", -8)
    return svg(268, [*panel.parts, text(WIDE / 2, 260, "step", "muted middle", 11)])


# Generation ---------------------------------------------------------------------------------------

TOKENS = ("cat", "dog", "owl", "fox", "car")
LOGITS = (3.0, 2.0, 1.0, 0.0, -1.0)
"""The example of the lesson on the whole model."""


def filters() -> str:
    """Five probabilities, and which of them three filters keep."""
    shares = calculator.softmax(LOGITS)
    parts = [text(8, 20, "what the model says", "strong")]
    base = 118
    for number, (token, share) in enumerate(zip(TOKENS, shares, strict=True)):
        x = 122 + 60 * number
        parts += [
            f'<rect class="accent" x="{x - 18}" y="{base - 76 * share / shares[0]:.1f}" width="36" '
            f'height="{76 * share / shares[0]:.1f}" rx="2"/>',
            text(x, base - 76 * share / shares[0] - 6, f"{share:.2f}", "muted middle", 11),
            text(x, base + 17, token, "middle"),
        ]
    parts.append(f'<path class="rule" d="M94 {base}H388"/>')
    kept = {
        "top-k = 2": range(2),
        "top-p = 0.9": range(running.nucleus(shares, 0.9)),
        "min-p = 0.1": [i for i, share in enumerate(shares) if share >= 0.1 * shares[0]],
    }
    for row, (name, those) in enumerate(kept.items()):
        y = 160 + 34 * row
        parts.append(text(8, y + 5, name, "", 12))
        for number in range(len(TOKENS)):
            x = 122 + 60 * number
            inside = number in those
            parts.append(
                f'<rect class="{"accent" if inside else "box"}" x="{x - 22}" y="{y - 11}" width="44" height="22" rx="4"/>'
            )
            parts.append(
                text(
                    x, y + 5, "✓" if inside else "×", f"{'on-accent' if inside else 'muted'} middle"
                )
            )
    return svg(246, parts)


def greedy_loop() -> str:
    """A text that comes back to its beginning, as a circle, and how much of it the model reads."""
    from playground.runs import run_lookup

    window = run_lookup.find("stories").config.model.max_seq_len
    x, y, radius = 200, 118, 84
    share = window / len(curves.LOOP)
    start, end = (
        2 * math.pi * part for part in (0.5 - share / 2, 0.5 + share / 2)
    )  # from the top, clockwise

    def at(angle: float, distance: float) -> str:
        return f"{x + distance * math.sin(angle):.1f} {y - distance * math.cos(angle):.1f}"

    large = int(share > 0.5)
    return svg(
        236,
        [
            f'<circle class="line" cx="{x}" cy="{y}" r="{radius}"/>',
            f'<path class="curve" d="M{at(start, radius - 12)}A{radius - 12} {radius - 12} 0 {large} 1 {at(end, radius - 12)}"/>',
            f'<path class="arrow other" d="M{at(-0.42, radius)}A{radius} {radius} 0 0 1 {at(0.42, radius)}m-9 -6l9 6l-9 5"/>',
            text(x, 22, "They sat close together …", "middle"),
            text(x, y - 6, f"{len(curves.LOOP)} characters", "strong middle"),
            text(x, y + 14, f"the model reads {window}", "middle", 12),
            text(x, 226, "… said Tom. They sat close together …", "muted middle", 12),
        ],
    )


# Experts and translation ---------------------------------------------------------------------------


def load() -> str:
    """The share of the tokens of each expert, over training, without and with the balance loss."""
    parts: list[str] = []
    for half, (name, title) in enumerate(
        (("no balancing", "nothing balances"), ("balance loss", "with the balance loss"))
    ):
        left = 22 + 194 * half
        parts.append(text(left, 20, title, "strong"))
        every = curves.stored()[name]
        experts = [key for key in every if key.startswith("load ")]
        columns = len(every[experts[0]])
        wide, tall = 172 / columns, 11
        for row, expert in enumerate(experts):
            for column, (_, share) in enumerate(every[expert]):
                strength = min(1.0, share * len(experts) / 4)
                parts.append(
                    f'<rect class="heat" x="{left + wide * column:.1f}" y="{30 + tall * row}" width="{wide + 0.1:.1f}" '
                    f'height="{tall - 1}" fill-opacity="{0.03 + 0.97 * strength:.2f}"/>'
                )
        parts.append(text(left, 30 + tall * len(experts) + 14, "0", "muted", 11))
        parts.append(text(left + 172, 30 + tall * len(experts) + 14, "300", "muted end", 11))
        parts.append(text(left + 86, 30 + tall * len(experts) + 14, "step", "muted middle", 11))
    parts.append(
        f'<text class="muted middle" transform="translate(12 {30 + 11 * 8}) rotate(-90)" font-size="11">16 experts</text>'
    )
    return svg(232, parts)


def alignment() -> str:
    """Sharpness of cross-attention and exact answers, over three runs."""
    panel = Panel(44, 34, 342, 180, 500, 0, 100)
    panel.title("three runs: sharpness and right answers")
    panel.scale((0, 25, 50, 75, 100), (0, 100, 200, 300, 400, 500), "%")
    panel.level(100 / 7, "spread evenly", 14)
    for run in ("alignment", "alignment 1", "alignment 2"):
        for colour, name in enumerate(("sharpness", "accuracy")):
            panel.curve([(step, 100 * value) for step, value in series(run, name)], colour)
    panel.note(80, 60, "sharpness", "strong middle", 0)
    panel.note(330, 30, "right answers", "strong", 0)
    return svg(258, [*panel.parts, text(WIDE / 2, 250, "step", "muted middle", 11)])


# Tokenizers ---------------------------------------------------------------------------------------


def vocabulary() -> str:
    """Characters per token against the size of the vocabulary."""
    panel = Panel(34, 34, 352, 170, 1400, 0, 4, first=256)
    panel.title("characters per token")
    panel.scale((0, 1, 2, 3, 4), (256, 500, 1000, 1400))
    points = series("pieces", "characters")
    panel.curve(points)
    panel.parts += [
        f'<circle class="dot" cx="{panel.across(size):.1f}" cy="{panel.up(value):.1f}" r="4"/>'
        for size, value in points
    ]
    return svg(248, [*panel.parts, text(210, 240, "size of the vocabulary", "muted middle", 11)])


def two_units() -> str:
    """The losses of three tokenizers per token, and per character."""
    rows = {row["variant"]: row for row in results("tokens")}
    variants = {"characters": "characters", "bytes": "bytes", "BPE, vocabulary 500": "BPE, 500"}
    parts: list[str] = []
    for half, (title, column) in enumerate(
        (("nats per token", "final"), ("bits per character", "bits"))
    ):
        left = 14 + 200 * half
        parts.append(text(left, 22, title, "strong"))
        for number, (variant, name) in enumerate(variants.items()):
            value = float(rows[variant][column])
            y = 44 + 44 * number
            colour = "c2" if number == 2 else "accent"
            parts += [
                text(left, y + 2, name, "", 12),
                f'<rect class="{colour}" x="{left}" y="{y + 8}" width="{90 * value:.1f}" height="16" rx="3"/>',
                text(left + 90 * value + 6, y + 21, f"{value:.2f}", "muted", 12),
            ]
    return svg(172, parts)


# Optimizers ---------------------------------------------------------------------------------------


def two_directions() -> str:
    """How far a step of each optimizer moves two directions, the larger as 1."""
    steps = [
        ("gradient", two_by_two.GRADIENTS[0]),
        ("momentum, step 2", two_by_two.momentum(2)),
        ("AdamW, step 1", two_by_two.adamw(1)),
        ("AdamW, step 2", two_by_two.adamw(2)),
        ("Muon, step 1", two_by_two.newton_schulz(two_by_two.GRADIENTS[0], 5)),
    ]
    parts = [
        '<rect class="accent" x="150" y="8" width="14" height="14" rx="3"/>',
        text(170, 20, "strong direction", "", 12),
        '<rect class="c2" x="282" y="8" width="14" height="14" rx="3"/>',
        text(302, 20, "weak direction", "", 12),
    ]
    for number, (name, step) in enumerate(steps):
        values = two_by_two.singular_values(step)
        y = 36 + 40 * number
        parts.append(text(8, y + 19, name, "", 12))
        for row, value in enumerate(values):
            parts.append(
                f'<rect class="{("accent", "c2")[row]}" x="150" y="{y + 15 * row}" width="{190 * value / values[0]:.1f}" height="12" rx="2"/>'
            )
            parts.append(
                text(156 + 190 * value / values[0], y + 10 + 15 * row, f"{value:.2f}", "muted", 11)
            )
    return svg(238, parts)


def newton_schulz() -> str:
    """Both singular values through five iterations."""
    panel = Panel(34, 34, 352, 150, 5, 0, 1.25)
    panel.title("both singular values, five iterations")
    panel.scale((0, 0.5, 1), (0, 1, 2, 3, 4, 5))
    values = [
        two_by_two.singular_values(two_by_two.newton_schulz(two_by_two.GRADIENTS[0], n))
        for n in range(6)
    ]
    parts = []
    for row in (0, 1):
        points = [(n, float(pair[row])) for n, pair in enumerate(values)]
        panel.curve(points, row)
    parts.append(text(WIDE / 2, 216, "iteration", "muted middle", 11))
    panel.note(1.4, 0.3, "weak", "strong", 6)
    panel.note(0.5, 1.15, "strong", "strong", 0)
    return svg(224, [*panel.parts, *parts])


DRAWINGS: dict[str, Callable[[], str]] = {
    "rates": rates, "schedule": schedule, "moves": moves, "four-shapes": four_shapes, "blow-up": blow_up,
    "plateau": plateau, "filters": filters, "greedy-loop": greedy_loop, "load": load, "alignment": alignment,
    "vocabulary": vocabulary, "two-units": two_units, "two-directions": two_directions,
    "newton-schulz": newton_schulz,
}  # fmt: skip
"""The drawings by name."""
