from typing import Self, final

from tickwire.ring._ring import Ring
from tickwire.ring.stream import Silence

STEP_BACK_NS: int
TIMELY: tuple[str, str, str]

@final
class SilenceLog:
    by_recv: bool
    @property
    def n_noted(self) -> int: ...
    @property
    def n_dropped(self) -> int: ...
    def __new__(cls, ring: Ring) -> Self: ...
    def take(self, session: int) -> list[Silence]: ...
