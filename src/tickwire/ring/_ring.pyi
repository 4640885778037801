from collections.abc import Callable
from typing import Any, final

import numpy as np
import pyarrow as pa

from tickwire.ring._dictionary import Dictionaries
from tickwire.ring.drop import Drop
from tickwire.schema import Table

@final
class Ring:
    table: Table
    schema: pa.Schema
    dictionaries: Dictionaries
    drops_oldest: bool
    capacity: int
    seq_base: int
    head: int
    published: int
    dropped_rows: int
    def __init__(
        self,
        table: Table,
        rows: int,
        dictionaries: Dictionaries,
        *,
        overflow: str = "block",
        seq_base: int = 0,
    ) -> None: ...
    def stage(self, **values: Any) -> bool: ...
    def append(self, **values: Any) -> bool: ...
    def publish(self) -> None: ...
    def rollback(self, head: int) -> None: ...
    def arm(self, callback: Callable[[], object]) -> None: ...
    def disarm(self, callback: Callable[[], object]) -> None: ...
    def take_drops(self) -> list[Drop]: ...
    def max_text_bytes(self, name: str) -> int: ...
    @property
    def columns(self) -> dict[str, np.ndarray[Any, Any]]: ...
    @property
    def is_full(self) -> bool: ...
    @property
    def cursor(self) -> int: ...
    @property
    def next_seq(self) -> int: ...
