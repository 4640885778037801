from collections.abc import Callable
from typing import Any, Self, final

import numpy as np

from tickwire.schema import Kind, Table

DTYPES: dict[Kind, np.dtype[Any]]
TEXTS: tuple[Kind, ...]
MIN_ARENA_BYTES: int

def schema_hash(table: Table) -> int: ...

@final
class Block:
    @property
    def layout(self) -> bytes: ...
    def __new__(
        cls,
        table: Table,
        rows: int,
        seq_base: int,
        allocate: Callable[[int], int] | None = None,
    ) -> Self: ...
    def check(self, table: Table, rows: int) -> None: ...
    def views(self) -> dict[str, np.ndarray[Any, Any]]: ...
