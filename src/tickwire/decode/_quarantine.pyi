from typing import final

from tickwire.decode.contract import QuarantineTable
from tickwire.observe import Metrics

REASONS: tuple[str, ...]

@final
class Quarantine:
    """Counts what a source could not decode, and hands it on to be kept."""

    def __init__(self, venue: str, table: QuarantineTable | None, metrics: Metrics) -> None: ...
    def counts(self) -> dict[str, int]: ...
