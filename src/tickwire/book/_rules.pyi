from typing import Literal

RULES: tuple[str, ...]
RELATIONS: tuple[str, ...]

def relation(
    rule: str, last_id: int, first: int, last: int, prev: int, *, after_snapshot: bool = False
) -> Literal["old", "next", "hole"]:
    """Compare a delta with what a book has, as a rule does."""
