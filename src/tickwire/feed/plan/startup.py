"""How long a source takes to start, by its venue's limits: connections, requests, snapshots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from tickwire.feed.plan.plans import ConnectionPlan, SourcePlan
from tickwire.wording import counted


@dataclass(frozen=True, slots=True)
class Start:
    """What a source must do before it has everything, and how long the venue's limits make that.

    Parameters
    ----------
    connections, requests, snapshots
        How many; of all legs.
    seconds
        Until the last subscribe request is sent, without the time that answers take.
    snapshot_s
        Until the last snapshot is asked for.
    """

    connections: int
    requests: int
    snapshots: int
    seconds: float
    snapshot_s: float

    def __str__(self) -> str:
        text = (
            f"{counted(self.connections, 'connection')}, {counted(self.requests, 'request')}, "
            f"{_time(self.seconds)}"
        )
        if self.snapshots:
            text += f"; {counted(self.snapshots, 'snapshot')}, {_time(self.snapshot_s)}"
        return text


def start_of(source: SourcePlan) -> Start:
    """Compute the start of a source by the limits of its venue.

    Parameters
    ----------
    source
        What it asks for.
    """
    limits, legs = source.venue.limits, source.settings.redundancy
    each = [_requests(source, connection) for connection in source.connections]
    n_connections, n_requests = legs * len(each), legs * sum(each)
    connecting_s = _windows_s(n_connections, limits.connects_per_min)
    asking_s = _asking_s(source)
    if limits.total_requests_per_s:
        asking_s = max(asking_s, n_requests / limits.total_requests_per_s)
    rule = source.venue.book
    n_snapshots = len(source.spliced) if rule is not None and rule.begin.kind == "rest" else 0
    return Start(
        n_connections,
        n_requests,
        n_snapshots,
        connecting_s + asking_s,
        _windows_s(n_snapshots, limits.rest_per_min),
    )


def start_together(sources: Sequence[SourcePlan]) -> dict[str, Start]:
    """Compute the start of venues that have several sources, which share its limits."""
    by_venue: dict[str, list[SourcePlan]] = {}
    for source in sources:
        by_venue.setdefault(source.venue.name, []).append(source)
    found = {}
    for name, planned in by_venue.items():
        if len(planned) == 1:
            continue
        limits, starts = planned[0].venue.limits, [start_of(each) for each in planned]
        n_connections = sum(each.connections for each in starts)
        n_requests = sum(each.requests for each in starts)
        n_snapshots = sum(each.snapshots for each in starts)
        asking_s = max(_asking_s(each) for each in planned)
        if limits.total_requests_per_s:
            asking_s = max(asking_s, n_requests / limits.total_requests_per_s)
        found[name] = Start(
            n_connections,
            n_requests,
            n_snapshots,
            _windows_s(n_connections, limits.connects_per_min) + asking_s,
            _windows_s(n_snapshots, limits.rest_per_min),
        )
    return found


def pace_of(source: SourcePlan) -> str:
    """Say at which pace a source asks, by its venue's limits."""
    limits = source.venue.limits
    paces = [f"{limits.requests_per_s:g} requests/s of a connection"]
    if limits.total_requests_per_s:
        paces.append(f"{limits.total_requests_per_s} of all")
    paces.append(f"{limits.connects_per_min} connects/min")
    rule = source.venue.book
    if source.spliced and rule is not None and rule.begin.kind == "rest":
        paces.append(f"{limits.rest_per_min} snapshots/min")
    return ", ".join(paces)


def _asking_s(source: SourcePlan) -> float:
    per_s = source.venue.limits.requests_per_s
    return max(_requests(source, each) for each in source.connections) / per_s if per_s else 0.0


def _requests(source: SourcePlan, connection: ConnectionPlan) -> int:
    """Count the subscribe requests of a connection, and what it says first."""
    keys = {(each.request, each.key) for each in connection.subscriptions}
    at_once = source.venue.limits.subscriptions_per_request
    groups = Counter(request for request, _ in keys)
    return len(source.venue.hello) + sum(ceil(n / at_once) for n in groups.values())


def _windows_s(n: int, per_min: int) -> float:
    """Give when the last of n begins, of which so many may begin within a minute."""
    return 60.0 * ((n - 1) // per_min) if per_min and n else 0.0


def _time(seconds: float) -> str:
    if seconds < 1:
        return "at once"
    return f"about {seconds:.0f} s" if seconds < 120 else f"about {seconds / 60:.0f} min"
