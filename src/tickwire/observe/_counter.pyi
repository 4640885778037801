from typing import Any, final

import numpy as np
from typing_extensions import disjoint_base

@disjoint_base
class Slot:
    def __init__(self, memory: np.ndarray[Any, np.dtype[np.int64]], index: int) -> None: ...
    @property
    def value(self) -> int: ...

@final
class Counter(Slot):
    def add(self, n: int = 1) -> None: ...

@final
class Gauge(Slot):
    def set(self, value: int) -> None: ...
    def add(self, n: int = 1) -> None: ...
    def raise_to(self, value: int) -> None: ...
