"""The errors that a tokenizer may raise."""

from __future__ import annotations

from collections.abc import Sequence


class TokenizerError(ValueError):
    """An invalid tokenizer: `field` is the setting or the field of a file, `problem` what is wrong."""

    def __init__(self, field: str, problem: str) -> None:
        self.field, self.problem = field, problem
        super().__init__(f"{field}: {problem}")


class UnknownCharacters(ValueError):
    """A text has characters outside the vocabulary: `characters`, each once."""

    def __init__(self, characters: Sequence[str]) -> None:
        self.characters = list(characters)
        shown = ", ".join(map(readable, self.characters[:8]))
        more = len(self.characters) - 8
        super().__init__(
            f"not in the vocabulary: {shown}" + (f" and {more} more" if more > 0 else "")
        )


def readable(character: str) -> str:
    """A character for a message: `'é' (U+00E9)`, or `U+0007` if it is invisible."""
    code = f"U+{ord(character):04X}"
    if character.isprintable() and not character.isspace():
        return f"'{character}' ({code})"
    names = {"\n": "newline", "\t": "tab", "\r": "carriage return", " ": "space"}
    return f"{names[character]} ({code})" if character in names else code
