from collections.abc import Sequence
from typing import final

@final
class Looks:
    """Of which kinds a message has been requested."""

    def __init__(self, names: Sequence[str]) -> None: ...
