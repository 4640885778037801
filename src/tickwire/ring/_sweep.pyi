"""The sweep over a ring's rows: whose each was, and what its stream has had by it."""

from typing_extensions import disjoint_base

from tickwire.ring._silences import SilenceLog
from tickwire.ring._stream_table import StreamTable

@disjoint_base
class Sweep:
    """The part of a ring's streams that looks at rows."""

    @property
    def table(self) -> StreamTable: ...
    @property
    def silences(self) -> SilenceLog: ...
    def sweep(self) -> None:
        """Look at the rows that were published since the last call."""
