"""The plan of a replay: its sources with the connections that a recording has of them.

Rules of this file
------------------
- How streams are spread over connections depends on the configuration and on the version that
  recorded. Gaps belong to streams of connections, so a replay has those that were recorded,
  whatever its own plan would be: each with the requested ones of its streams.
- A source takes the rows of the recorded source of its number and venue; where there is none such,
  those of all recorded sources of its venue that are no other's.
- Older recordings do not say which streams a connection had: there the plan stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tickwire.feed.plan.plans import ConnectionPlan, SourcePlan
from tickwire.venues import Subscription

Recorded = tuple[int, str]  # number and venue of a recorded source
Streams = tuple[int, int]  # number of a recorded source, and of streams in it
Name = list[str]  # of a subscription: table, group and key


def described_connections(plan: SourcePlan) -> list[list[Name]]:
    """Give the names of the subscriptions of each connection, for a recording."""
    return [[_name(each) for each in connection.subscriptions] for connection in plan.connections]


def _name(subscription: Subscription) -> Name:
    return [subscription.table, subscription.group, subscription.key]


def takers(sources: Sequence[str], recorded: Sequence[str], whose: Recorded) -> list[int]:
    """Give the numbers of the sources that take the rows of a recorded one.

    Parameters
    ----------
    sources
        The venue of each source.
    recorded
        The venue of each recorded one.
    whose
        The recorded one.
    """
    number, venue = whose
    if number < len(sources) and sources[number] == venue and number >= 0:
        return [number]
    # A source that has a recorded one of its own takes no other's.
    return [
        n
        for n, each in enumerate(sources)
        if each == venue and not (n < len(recorded) and recorded[n] == venue)
    ]


def as_recorded(
    plan: SourcePlan, recorded: Sequence[tuple[int, list[list[Name]]]]
) -> tuple[SourcePlan, dict[Streams, int]]:
    """Give a source with the connections that were recorded.

    Parameters
    ----------
    plan
        The source's.
    recorded
        Of each recorded source whose rows it takes: its number, and its connections as
        `described_connections` gives them.

    Returns
    -------
    (SourcePlan, dict)
        The source, and the number of its connection by that of recorded streams.
    """
    wanted = {
        tuple(_name(each)): (each, planned)
        for planned in plan.connections
        for each in planned.subscriptions
    }
    found: list[ConnectionPlan] = []
    numbers: dict[Streams, int] = {}
    for source, connections in recorded:
        for streams, names in enumerate(connections):
            # A subscription of several connections would have its rows several times: the first's.
            own = [pair for name in names if (pair := wanted.pop(tuple(name), None)) is not None]
            like = own[0][1] if own else plan.connections[0]
            numbers[source, streams] = len(found)
            found.append(_with(like, [each for each, _ in own]))
    if not numbers:
        return plan, {}
    unrecorded = (
        (planned, [each for each in planned.subscriptions if tuple(_name(each)) in wanted])
        for planned in plan.connections
    )
    found += [_with(planned, left) for planned, left in unrecorded if left]
    return replace(plan, connections=tuple(found)), numbers


def _with(plan: ConnectionPlan, subscriptions: Sequence[Subscription]) -> ConnectionPlan:
    """Give a connection with some subscriptions, or none; labels are those of its first one."""
    if not subscriptions:
        return replace(plan, subscriptions=(), labels={}, symbol=None)
    first = subscriptions[0]
    return replace(
        plan,
        subscriptions=tuple(subscriptions),
        labels=dict(first.labels),
        symbol=None if first.names_symbol else first.symbol,
    )
