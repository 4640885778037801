"""Venues whose frames were only read in documents: a run with one says so, once."""

from __future__ import annotations

from collections.abc import Iterable

from tickwire.feed.planning import SourcePlan
from tickwire.logs import get_logger

_log = get_logger("tickwire.feed")


def warn_unverified(sources: Iterable[SourcePlan]) -> list[str]:
    """Log a warning for each venue that no frame of it has verified; give their names."""
    found = dict.fromkeys(source.venue.name for source in sources if source.venue.verified is None)
    for name in found:
        _log.warning("venue not verified", venue=name, why="its frames were only read in documents")
    return list(found)
