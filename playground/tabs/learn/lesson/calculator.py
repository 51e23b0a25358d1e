"""The calculator of lessons: a number in a text is written as the expression that it is the value of.

    {= softmax([2, 1, 0])[1] | 3}        0.245, with three decimals
    {= -ln(softmax([2, 1, 0])[1]) | 2}   1.41

So no digit of a worked number is typed by hand. An expression has numbers, lists of them, + - * / **, an index in
brackets, and the functions in `FUNCTIONS`. A list and a number, or two equally long lists, combine element by element.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Sequence

Value = float | list[float]

EXPRESSION = re.compile(r"\{= ([^{}|]+) \| (\d)\}")
"""{= expression | decimals}"""


class CalculatorError(ValueError):
    """An invalid expression. The message names it, and what is allowed."""


def softmax(logits: Sequence[float], temperature: float = 1.0) -> list[float]:
    """exp(z / T), divided by their sum: probabilities that sum to one."""
    largest = max(logits)
    powers = [math.exp((logit - largest) / temperature) for logit in logits]
    return [power / sum(powers) for power in powers]


def dot(a: Sequence[float], b: Sequence[float]) -> float:
    """The sum of the products of two equally long lists."""
    return sum(x * y for x, y in zip(a, b, strict=True))


FUNCTIONS: dict[str, Callable[..., Value]] = {
    "softmax": softmax, "dot": dot, "exp": math.exp, "ln": math.log, "log2": math.log2, "sqrt": math.sqrt,
    "length": lambda vector: math.hypot(*vector), "sum": math.fsum, "sin": math.sin, "cos": math.cos, "rad": math.radians,
    "entropy": lambda shares: -math.fsum(p * math.log2(p) for p in shares if p > 0),
}  # fmt: skip

OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Pow: operator.pow,
}  # fmt: skip


def calculate(expression: str) -> float:
    """The value of an expression. Raises `CalculatorError`."""
    try:
        value = _value(ast.parse(expression.strip(), mode="eval").body)
    except CalculatorError:
        raise
    except (SyntaxError, ArithmeticError, ValueError, TypeError, IndexError) as error:
        raise CalculatorError(f"{expression!r}: {error}") from None
    if isinstance(value, list):
        raise CalculatorError(f"{expression!r}: is a list; an index such as [0] chooses a number")
    return value


def written(value: float, decimals: int) -> str:
    """A number as lessons write it, with a minus sign; −0.00 is 0.00."""
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def filled(match: re.Match[str]) -> str:
    """The number that a match of `EXPRESSION` stands for. Raises `CalculatorError`."""
    return written(calculate(match[1]), int(match[2]))


def _value(node: ast.expr) -> Value:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.List(elts=elements):
            return [_number(each) for each in elements]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _combined(operator.mul, -1.0, _value(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            return _combined(OPERATORS[type(op)], _value(left), _value(right))
        case ast.Subscript(value=of, slice=ast.Constant(value=int() as index)):
            found = _value(of)
            if isinstance(found, list):
                return found[index]
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
            return FUNCTIONS[name](*map(_value, arguments))
        case _:
            pass
    allowed = ", ".join(FUNCTIONS)
    raise CalculatorError(
        f"{ast.unparse(node)!r}: allowed are numbers, lists, + - * / **, an index, and {allowed}"
    )


def _number(node: ast.expr) -> float:
    value = _value(node)
    if isinstance(value, list):
        raise CalculatorError(f"{ast.unparse(node)!r}: must be a number, as it stands in a list")
    return value


def _combined(combine: Callable[[float, float], float], a: Value, b: Value) -> Value:
    """Combine two numbers, or lists element by element."""
    if isinstance(a, list) and isinstance(b, list):
        return [combine(x, y) for x, y in zip(a, b, strict=True)]
    if isinstance(a, list):
        return [combine(x, float(b)) for x in a]  # type: ignore[arg-type]
    if isinstance(b, list):
        return [combine(a, y) for y in b]
    return combine(a, b)
