from collections.abc import Callable

from typing_extensions import disjoint_base

@disjoint_base
class Handler:
    has_events: bool
    def wait_for_room(self, callback: Callable[[], object]) -> bool: ...
    def forget_room(self, callback: Callable[[], object]) -> None: ...
