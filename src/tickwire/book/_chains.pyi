from typing import Literal

CHAINS: tuple[str, ...]
NUMBERED: tuple[str, ...]
RELATIONS: tuple[str, ...]

def follows(
    name: str,
    last_id: int,
    *,
    first: int = ...,
    last: int = ...,
    prev: int = ...,
    step: int = 1,
) -> Literal["old", "next", "hole"]: ...
