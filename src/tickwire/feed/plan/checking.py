"""What the plan of a feed must not have, such as two sinks with one target.

Rules of this file
------------------
- Nothing is raised here: `planning` collects all problems.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tickwire.config import Config, Source
from tickwire.config.problems import meant
from tickwire.health import parse_rule
from tickwire.ring import MAX_SYMBOLS
from tickwire.schema import TABLES
from tickwire.wire import build_request, parse_url

if TYPE_CHECKING:
    from tickwire.feed.plan.plans import SourcePlan

# What `tickwire.ring.Dictionary` takes.
MAX_SYMBOL_BYTES = 255
MAX_ALL_SYMBOLS_BYTES = 32 * MAX_SYMBOLS


def unusable_requests(source: SourcePlan) -> list[tuple[str, str]]:
    """Say which keys give no opening handshake: `(key, what is wrong)`, a value never shown."""
    found: dict[tuple[str, str], None] = {}
    for connection in source.connections:
        for given in connection.urls:
            try:
                url = parse_url(given)
            except ValueError as error:
                key = "urls" if source.settings.urls else "url" if source.settings.url else "venue"
                found[key, str(error)] = None
                continue
            try:
                build_request(url, "", headers=source.settings.headers.items())
            except ValueError as error:
                found["headers", str(error)] = None
    return list(found)


def unusable_words(source: SourcePlan) -> list[tuple[str, str]]:
    """Say whether the venue's function `subscribe` gives what can be sent."""
    at_once = source.venue.limits.subscriptions_per_request
    for connection in source.connections:
        given = connection.subscriptions
        one = tuple(each for each in given if each.request == given[0].request)
        try:
            text = source.venue.subscribe(one[:at_once], 1)
        except Exception as error:  # another's code
            return [("venue", f"its subscribe raised {type(error).__name__}: {error}")]
        if not isinstance(text, str):
            return [("venue", f"its subscribe gave {text!r}, should give the text to send")]
    return []


def check_limits(config: Config, sources: Sequence[SourcePlan], problems: list[str]) -> None:
    """Refuse what a venue does not allow at once from one address; all its sources count.

    Another server than the venue's has limits of its own.
    """
    by_venue: dict[str, list[SourcePlan]] = {}
    for source in sources:
        if source.settings.url is None and source.settings.urls is None:
            by_venue.setdefault(source.venue.name, []).append(source)
    for name, planned in by_venue.items():
        limits = planned[0].venue.limits
        n_connections = n_subscriptions = 0
        for source in planned:
            legs = source.settings.redundancy
            n_connections += legs * len(source.connections)
            keys = sum(len({s.key for s in each.subscriptions}) for each in source.connections)
            n_subscriptions += legs * keys
        users = {user for source in planned for user in source.settings.users or ()}
        if limits.users and len(users) > limits.users:
            index = next(i for i, s in enumerate(config.sources) if s is planned[0].settings)
            problems.append(
                config.problem(
                    f"{config.key('source', index)}.users",
                    f"are {len(users)} at {name}, all sources together, and it allows "
                    f"{limits.users} from one address",
                )
            )
        for what, needed, most in (
            ("connections", n_connections, limits.connections),
            ("subscriptions", n_subscriptions, limits.subscriptions),
        ):
            if most and needed > most:
                problems.append(_too_many(config, planned, name, what, needed, most))


def _too_many(
    config: Config, planned: Sequence[SourcePlan], name: str, what: str, needed: int, most: int
) -> str:
    """Say that a venue allows less, and what would be possible."""
    index = next(i for i, each in enumerate(config.sources) if each is planned[0].settings)
    n_symbols = sum(len(each.settings.symbols) for each in planned)
    legs = max(each.settings.redundancy for each in planned)
    possible = [f"{n_symbols * most // needed:,} of the {n_symbols:,} symbols"]
    if legs > 1 and needed // legs <= most:
        possible.append("redundancy = 1")
    return config.problem(
        f"{config.key('source', index)}.symbols",
        f"need {needed:,} {what} at {name}, all sources together, and it allows {most:,} from one "
        f"address; possible: {' or '.join(possible)}",
    )


def check_symbols(config: Config, problems: list[str]) -> None:
    """Refuse symbols that the feed's dictionary cannot hold."""
    every: set[str] = set()
    for index, source in enumerate(config.sources):
        every.update(source.symbols, source.users or ())
        longest = max(source.symbols, key=len, default="")
        n_bytes = max((len(symbol.encode()) for symbol in source.symbols), default=0)
        if n_bytes > MAX_SYMBOL_BYTES:
            wrong = f"has one of {n_bytes} bytes, at most {MAX_SYMBOL_BYTES}: {longest[:60]!r}..."
            problems.append(config.problem(f"{config.key('source', index)}.symbols", wrong))
    n_bytes = sum(len(symbol.encode()) for symbol in every)
    if len(every) > MAX_SYMBOLS or n_bytes > MAX_ALL_SYMBOLS_BYTES:
        wrong = (
            f"are {len(every)} of {n_bytes} bytes over all sources, should be at most "
            f"{MAX_SYMBOLS} of {MAX_ALL_SYMBOLS_BYTES} bytes"
        )
        problems.append(config.problem("source.symbols", wrong))


def unusable_authorities(settings: Source) -> str:
    """Say what is wrong with the file of certificates; empty where nothing is."""
    if settings.ca_file is None:
        return ""
    try:
        ssl.create_default_context(cafile=str(settings.ca_file))
    except (OSError, ssl.SSLError) as error:
        why = error.strerror or str(error)
        return f"{settings.ca_file} cannot be used ({why}), should be a file of PEM certificates"
    return ""


def check_alerts(config: Config, problems: list[str]) -> None:
    """Refuse alerts of one name, and rules that cannot be read."""
    names: set[str] = set()
    for index, alert in enumerate(config.alerts):
        key = config.key("alert", index)
        if alert.name in names:
            wrong = f"is {alert.name!r}, as another alert is called"
            problems.append(config.problem(f"{key}.name", wrong))
        names.add(alert.name)
        try:
            parse_rule(alert.when)
        except ValueError as error:
            wrong = f"is {alert.when!r}: {error}"
            problems.append(config.problem(f"{key}.when", wrong))


def check_recording(config: Config, problems: list[str]) -> None:
    """Refuse a second recording, and one of tables."""
    recording = [index for index, sink in enumerate(config.sinks) if not sink.takes_tables]
    for index in recording:
        key = config.key("sink", index)
        if index != recording[0]:
            first = config.key("sink", recording[0])
            wrong = f"records messages like {first}, should be the only one"
            problems.append(config.problem(key, wrong))
        if config.sinks[index].tables is not None:
            wrong = "is given, should be left out: this sink records messages, not tables"
            problems.append(config.problem(f"{key}.tables", wrong))


def check_sinks(config: Config, problems: list[str]) -> None:
    """Refuse sinks of one name or target, and tables that there are not."""
    check_recording(config, problems)
    seen: dict[str, int] = {}
    targets: dict[str, int] = {}
    for index, sink in enumerate(config.sinks):
        first = targets.setdefault(sink.target, index)
        if first != index:
            problems.append(
                config.problem(
                    config.key("sink", index),
                    f"writes to {sink.target!r} like {config.key('sink', first)}, "
                    "should have its own target",
                )
            )
        if sink.name in seen:
            problems.append(
                config.problem(
                    f"{config.key('sink', index)}.name",
                    f"is {sink.name!r} like {config.key('sink', seen[sink.name])}, "
                    "should be unique",
                )
            )
        seen.setdefault(sink.name, index)
        problems.extend(
            config.problem(
                f"{config.key('sink', index)}.tables",
                f"unknown table {table!r}{meant(table, list(TABLES))}: one of {', '.join(TABLES)}",
            )
            for table in sink.tables or ()
            if table not in TABLES
        )
