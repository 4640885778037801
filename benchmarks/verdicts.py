"""What a run is judged by: a line for each gate."""

from __future__ import annotations

from collections.abc import Sequence


def all_held(gates: Sequence[tuple[bool, str]]) -> bool:
    """Print each gate, held or missed, by what it asks for; whether all are held."""
    for is_held, text in gates:
        print(f"{'passed' if is_held else 'MISSED'}: {text}")
    return all(is_held for is_held, _ in gates)
