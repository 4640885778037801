from typing import final

from tickwire.ring import Ring

REASONS: tuple[str, ...]

@final
class Quarantine:
    """Counts and keeps what a source could not decode; never blocks."""

    def __init__(self, venue: str, ring: Ring | None = None) -> None: ...
