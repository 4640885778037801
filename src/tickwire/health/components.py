"""How the components of a feed are, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class State(IntEnum):
    """How a component is; the greatest of all is that of the feed."""

    OK = 0
    STARTING = 1  # has not been ready yet
    DEGRADED = 2  # works, and something is missing or late
    FAILED = 3  # does nothing of use


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the feed.

    Parameters
    ----------
    name
        Such as `sink duckdb`.
    state
        How it is.
    reasons
        Why it is not OK, a sentence each.
    """

    name: str
    state: State = State.OK
    reasons: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Give what JSON shows."""
        state, reasons = self.state.name.lower(), list(self.reasons)
        return {"name": self.name, "status": state, "reasons": reasons}


def worst(components: Iterable[Component]) -> State:
    """Give the state of all together."""
    return max((component.state for component in components), default=State.OK)
