from typing import Any, Literal, Protocol, Self, final

import numpy as np
import pyarrow as pa

from tickwire.ring._attachment import Attachment
from tickwire.ring._ring import Ring

class _Ages(Protocol):
    def add_since(
        self,
        starts: np.ndarray[Any, np.dtype[np.int64]],
        counts: np.ndarray[Any, np.dtype[np.int64]],
        now_ns: int,
        /,
    ) -> None: ...

@final
class Consumer(Attachment):
    def __new__(
        cls,
        ring: Ring,
        *,
        on_lag: Literal["block", "drop"] | None = None,
        commits: bool = False,
        max_lag: int = 0,
    ) -> Self: ...
    def take(self, max_rows: int | None = None) -> pa.RecordBatch | None: ...
    def skip_to(self, position: int) -> None: ...
    def commit(self) -> None: ...
    def lease(self, max_rows: int | None = None) -> list[pa.RecordBatch]: ...
    def release(self) -> None: ...
    def record(self, histogram: _Ages, now_ns: int | None = None) -> None: ...
