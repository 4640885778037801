"""Numbers with their nouns, for what people read."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """Give a number and its noun: `1 message`, `2,000 unknown messages`.

    Parameters
    ----------
    number
        How many.
    what
        The noun in the singular, with what stands before it; a plural ends in `s`.
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"
