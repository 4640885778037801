"""Venues, and channels, whose frames were only read in documents: a run with one says so, once."""

from __future__ import annotations

from collections.abc import Iterable

from tickwire.feed.plan.plans import SourcePlan
from tickwire.logs import get_logger

_log = get_logger("tickwire.feed")

WHY = "its frames were only read in documents"
WHY_CHANNELS = "some or all of their messages were only read in documents"


def unverified_channels(source: SourcePlan) -> list[str]:
    """Give the channels of a source that the date of its venue does not stand for."""
    found = []
    for name in source.settings.channels:
        channel = source.venue.channel(name)
        if channel is not None and channel.name in source.venue.unverified:
            found.append(name)
    return found


def warn_unverified(sources: Iterable[SourcePlan]) -> list[str]:
    """Log a warning for each venue that no frame has verified, or some channels of it.

    Returns
    -------
    list of str
        The venues' names, with the channels where it is not all.
    """
    found: dict[str, dict[str, None]] = {}
    for source in sources:
        channels = unverified_channels(source)
        if channels or source.venue.verified is None:
            found.setdefault(source.venue.name, {}).update(dict.fromkeys(channels))
    for name, named in found.items():
        if named:
            text = ", ".join(named)
            _log.warning("channels not verified", venue=name, channels=text, why=WHY_CHANNELS)
        else:
            _log.warning("venue not verified", venue=name, why=WHY)
    return [f"{name}: {', '.join(named)}" if named else name for name, named in found.items()]
