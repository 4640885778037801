"""From a configuration and the venues' declarations to what the feed must build.

Rules of this file
------------------
- Pure: nothing is opened here, so `tickwire check` can show the whole plan.
- Everything that the shape of a configuration cannot tell is checked here, and all mistakes are
  collected before `ConfigError` is raised.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tickwire.config import Config, SinkSettings, Source, load
from tickwire.errors import ConfigError
from tickwire.feed.checking import (
    check_alerts,
    check_limits,
    check_sinks,
    check_symbols,
    unusable_authorities,
    unusable_requests,
    unusable_words,
)
from tickwire.feed.emergency import HookPlan, load_hooks
from tickwire.feed.endpoints import endpoints_of, rest_url_of
from tickwire.feed.verifying import with_oracle
from tickwire.schema import BOOK_TABLES, SYSTEM_TABLES, TABLES, Table
from tickwire.sinks.files import path_segment
from tickwire.supervise import SeverityTable, rule_of
from tickwire.venues import (
    LISTED,
    NO_SYMBOLS,
    Backfill,
    Name,
    Subscription,
    Venue,
    connections,
    parse_name,
    plan,
)
from tickwire.venues import load as load_venue

# A name is a segment of a path with `venue=` before it; a file system takes 255 bytes.
MAX_VENUE_BYTES = 240


@dataclass(frozen=True, slots=True)
class ConnectionPlan:
    """One connection of a source.

    Parameters
    ----------
    urls
        Where it goes, the best first.
    subscriptions
        What it asks for.
    labels
        Channels that are called otherwise on this connection: `{"book": "book:n5"}`.
    symbol
        What rows of messages have that name none; None: no such messages come.
    """

    urls: tuple[str, ...] = field(repr=False)  # they may hold a key
    subscriptions: tuple[Subscription, ...]
    labels: dict[str, str]
    symbol: str | None = None

    @property
    def url(self) -> str:
        """The best one."""
        return self.urls[0]


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """One source: its venue and what it asks of it.

    Parameters
    ----------
    settings
        Its section of the configuration.
    venue
        Its venue's declaration.
    tables
        Those that its channels feed, in the order of `TABLES`.
    aliases
        What the venue's plan calls otherwise than the configuration.
    connections
        At least one.
    spliced
        Symbols whose books need a snapshot.
    rest_url
        What REST requests are made with; see `request_url`.
    backfills
        How the missed trades of its channels are had; empty where they are not.
    poorer
        Connections of what is had instead of channels that are not to be had; made when needed.
    """

    settings: Source
    venue: Venue
    tables: tuple[str, ...]
    aliases: dict[str, str]
    connections: tuple[ConnectionPlan, ...]
    spliced: tuple[str, ...]
    rest_url: str = field(repr=False)  # it may hold a key
    backfills: tuple[Backfill, ...] = ()
    poorer: tuple[ConnectionPlan, ...] = ()

    @property
    def symbols(self) -> tuple[str, ...]:
        """What its rows may be of: symbols and users."""
        return (*self.settings.symbols, *(self.settings.users or ()))

    def is_of_users(self, subscription: Subscription) -> bool:
        """Whether it is of a user: no row is expected of it, at any time."""
        channel = self.venue.channel(subscription.channel)
        return channel is not None and channel.of_users

    def poorer_of(self, channel: str) -> str:
        """Give the channel that is had where one is not; empty where there is none."""
        declared = self.venue.channel(channel)
        return "" if declared is None else declared.poorer

    @property
    def is_elsewhere(self) -> bool:
        """Whether another server is named, and its REST interface is not."""
        settings = self.settings
        return (settings.url or settings.urls) is not None and settings.rest_url is None

    def is_spliced(self, subscription: Subscription) -> bool:
        """Whether it brings a book under the venue's rule."""
        channel = self.venue.channel(subscription.channel)
        return channel is not None and channel.spliced


@dataclass(frozen=True, slots=True)
class SinkPlan:
    """One sink and the tables that it takes."""

    settings: SinkSettings
    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FeedPlan:
    """Everything that a feed builds.

    Parameters
    ----------
    config
        What it was made from.
    sources, sinks
        In the order of the configuration.
    tables
        Every table of the feed with the extras of its venues, the feed's own tables last.
    hooks
        Those of an emergency.
    severities
        How bad errors are.
    given
        The sources as they were configured, before names became symbols.
    """

    config: Config
    sources: tuple[SourcePlan, ...]
    sinks: tuple[SinkPlan, ...]
    tables: dict[str, Table]
    hooks: tuple[HookPlan, ...] = ()
    severities: SeverityTable = field(default_factory=SeverityTable)
    given: tuple[Source, ...] = ()


def load_whole(path: str | Path) -> Config:
    """Read a configuration; where it is wrong, what its venues say of the rest is reported too.

    Raises
    ------
    ConfigError
        With one line per mistake, naming file and key.
    """
    try:
        return load(path)
    except ConfigError as error:
        if isinstance(error.readable, Config):
            try:
                plan_feed(error.readable)
            except ConfigError as more:
                raise ConfigError([*error.problems, *more.problems]) from None
        raise


def plan_feed(config: Config) -> FeedPlan:
    """Check a configuration against the venues and lay out the feed.

    Parameters
    ----------
    config
        Its shape has been checked.

    Returns
    -------
    FeedPlan
        Connections, subscriptions, tables and sinks.

    Raises
    ------
    ConfigError
        With one line per mistake, naming file and key.
    """
    problems: list[str] = []
    sources: list[SourcePlan] = []
    given = config.sources
    config = replace(config, sources=tuple(_completed(config, each) for each in config.sources))
    check_symbols(config, problems)
    for index, settings in enumerate(config.sources):
        source = _plan_source(config, index, settings, problems)
        if source is not None:
            sources.append(source)
    sources = _within_rest_limits(sources)
    check_limits(config, sources, problems)
    check_sinks(config, problems)
    tables = _merged_tables(config, sources, problems)
    check_alerts(config, problems)
    hooks = load_hooks(config, problems)
    severities = _severities(config, problems)
    if problems:
        raise ConfigError(problems)
    sinks = tuple(SinkPlan(sink, _tables_of(sink, tables)) for sink in config.sinks)
    return FeedPlan(config, tuple(sources), sinks, tables, hooks, severities, given)


def _within_rest_limits(sources: Sequence[SourcePlan]) -> list[SourcePlan]:
    """Have books begin by smaller snapshots, where a minute has not enough large ones.

    All sources of a venue share its limit.
    """
    needed: Counter[str] = Counter()
    for source in sources:
        needed[source.venue.name] += len(source.spliced)
    found = []
    for source in sources:
        venue, rule = source.venue, source.venue.book
        n = needed[venue.name]
        if rule is None or not rule.begin.smaller or n <= venue.limits.rest_per_min:
            found.append(source)
            continue
        enough = (each for each in rule.begin.smaller if each[1] >= n)
        path, per_min = next(enough, rule.begin.smaller[-1])
        smaller = replace(
            venue,
            book=replace(rule, begin=replace(rule.begin, path=path)),
            limits=replace(venue.limits, rest_per_min=per_min),
        )
        found.append(replace(source, venue=smaller))
    return found


def _completed(config: Config, settings: Source) -> Source:
    """Give a source as it is planned: with the venue's own symbols, and the oracle of its books."""
    venue = settings.venue
    try:
        venue = load_venue(venue, config.folders) if isinstance(venue, str) else venue
    except ConfigError:
        return settings  # said by who plans it
    if not isinstance(venue, Venue):
        return settings
    if config.books is not None and config.books.verify:
        settings = with_oracle(settings, venue)
    if settings.users and venue.spell_user is not None:
        users = tuple(
            dict.fromkeys(_spelled_user(each, venue.spell_user) for each in settings.users)
        )
        settings = settings.model_copy(update={"users": users})
    named = {name.lower() for name in settings.headers}
    headers = {name: given for name, given in venue.headers.items() if name.lower() not in named}
    if headers:
        settings = settings.model_copy(update={"headers": {**headers, **settings.headers}})
    return settings if venue.spell is None else _spelled(settings, venue.spell)


def _spelled_user(user: str, spell: Callable[[str], str]) -> str:
    try:
        return spell(user)
    except ValueError:
        return user  # said by who plans it


def _spelled(settings: Source, spell: Callable[[Name], str]) -> Source:
    """Give a source whose symbols are the venue's own, where they were names."""
    keys = {key: getattr(settings, key) for key in ("symbols", "priority")}
    own = {
        key: type(given)(spell(name) if (name := parse_name(each)) else each for each in given)
        for key, given in keys.items()
        if given
    }
    # Two names may mean one symbol.
    own = {key: type(given)(dict.fromkeys(given)) for key, given in own.items()}
    if all(own[key] == keys[key] for key in own):
        return settings
    return settings.model_copy(update=own)


def _plan_source(
    config: Config, index: int, settings: Source, problems: list[str]
) -> SourcePlan | None:
    key = config.key("source", index)
    unusable = unusable_authorities(settings)
    if unusable:
        problems.append(config.problem(f"{key}.ca_file", unusable))
    try:
        venue = settings.venue
        if isinstance(venue, str):
            venue = load_venue(venue, config.folders)
    except ConfigError as error:
        problems.extend(config.problem(f"{key}.venue", wrong) for wrong in error.problems)
        return None
    if not isinstance(venue, Venue):
        wrong = f"is a {type(venue).__name__}, should be a name or a tickwire.venues.base.Venue"
        problems.append(config.problem(f"{key}.venue", wrong))
        return None
    n_problems = len(problems)
    subscriptions: list[Subscription] = []
    endpoints: dict[str, tuple[str, ...]] = {}
    try:
        subscriptions = plan(venue, settings.channels, settings.symbols, settings.users or ())
    except ConfigError as error:
        for wrong in error.problems:
            place = "symbols" if wrong.endswith(NO_SYMBOLS) else "channels"
            problems.append(config.problem(f"{key}.{place}", wrong))
    unusable_users = _unusable_users(venue, settings)
    problems.extend(config.problem(f"{key}.users", wrong) for wrong in unusable_users)
    try:
        endpoints = endpoints_of(venue, settings)
    except ConfigError as error:
        for line in error.problems:
            place, _, wrong = line.partition(": ")
            problems.append(config.problem(f"{key}.{place}", wrong))
    if len(problems) > n_problems:
        return None
    unknown = [each for each in settings.priority or () if each not in settings.symbols]
    if unknown:
        wrong = f"names {', '.join(map(repr, unknown))}, which symbols does not"
        problems.append(config.problem(f"{key}.priority", wrong))
    fed = {subscription.table for subscription in subscriptions}
    fed |= {LISTED} & {*settings.channels}
    aliases = {} if venue.aliases is None else dict(venue.aliases(settings.channels))
    if len(path_segment(venue.name)) > MAX_VENUE_BYTES:
        wrong = f"has a name of more than {MAX_VENUE_BYTES} bytes, percent-encoded"
        problems.append(config.problem(f"{key}.venue", wrong))
    planned = SourcePlan(
        settings=settings,
        venue=venue,
        tables=tuple(table for table in TABLES if table in fed),
        aliases=aliases,
        connections=_connection_plans(venue, subscriptions, endpoints),
        spliced=_spliced_symbols(venue, subscriptions),
        rest_url=rest_url_of(venue, settings),
        poorer=_connection_plans(venue, _poorer(venue, settings), endpoints),
    )
    if settings.backfill and not planned.is_elsewhere:
        wanted = (each for each in venue.backfills if each.channel in settings.channels)
        planned = replace(planned, backfills=tuple(wanted))
    for place, wrong in [*unusable_requests(planned), *unusable_words(planned)]:
        problems.append(config.problem(f"{key}.{place}", wrong))
    return planned


def _unusable_users(venue: Venue, settings: Source) -> Iterator[str]:
    for user in settings.users or ():
        if venue.spell_user is None:
            return  # said of its channels
        try:
            venue.spell_user(user)
        except ValueError as error:
            yield f"names {user!r}, {error}"


def _connection_plans(
    venue: Venue, subscriptions: Sequence[Subscription], endpoints: Mapping[str, tuple[str, ...]]
) -> tuple[ConnectionPlan, ...]:
    return tuple(
        ConnectionPlan(
            urls=endpoints[group[0].endpoint],
            subscriptions=tuple(group),
            labels=dict(group[0].labels),
            symbol=None if group[0].names_symbol else group[0].symbol,
        )
        for group in connections(venue, subscriptions)
    )


def _poorer(venue: Venue, settings: Source) -> list[Subscription]:
    """Give what is had where the source's channels are not."""
    declared = (venue.channel(name) for name in settings.channels)
    names = dict.fromkeys(each.poorer for each in declared if each is not None and each.poorer)
    wanted = [name for name in names if name not in settings.channels]
    return plan(venue, wanted, settings.symbols) if wanted and "*" not in settings.symbols else []


def _spliced_symbols(venue: Venue, subscriptions: Sequence[Subscription]) -> tuple[str, ...]:
    symbols: dict[str, None] = {}
    for subscription in subscriptions:
        channel = venue.channel(subscription.channel)
        if channel is not None and channel.spliced:
            symbols[subscription.symbol] = None
    return tuple(symbols)


def _severities(config: Config, problems: list[str]) -> SeverityTable:
    rules = []
    for index, settings in enumerate(config.severities):
        try:
            rules.append(rule_of(settings, config.folders))
        except ConfigError as error:
            key = f"{config.key('severity', index)}.error"
            problems.extend(config.problem(key, wrong) for wrong in error.problems)
    return SeverityTable(rules)


def _merged_tables(
    config: Config, sources: Sequence[SourcePlan], problems: list[str]
) -> dict[str, Table]:
    fed = {table for source in sources for table in source.tables}
    if config.books is not None and "book" in fed:
        optional = {"depth": config.books.depth > 0, "nbbo": config.books.nbbo}
        fed.update(name for name in BOOK_TABLES if optional.get(name, True))
    merged = {name: TABLES[name] for name in TABLES if name in fed or name in SYSTEM_TABLES}
    origin: dict[tuple[str, str], str] = {}
    for source in sources:
        index = next(i for i, each in enumerate(config.sources) if each is source.settings)
        if not source.settings.extras:
            continue
        for name in source.tables:
            extras = source.venue.extras.get(name, ())
            for column in extras:
                known = next((c for c in merged[name].columns if c.name == column.name), column)
                if known.kind != column.kind:
                    problems.append(
                        config.problem(
                            f"{config.key('source', index)}.extras",
                            f"column {column.name!r} of {name} is {column.kind.name} at "
                            f"{source.venue.name} and {known.kind.name} at "
                            f"{origin.get((name, column.name), 'tickwire')}, should be left out "
                            "in one of the sources",
                        )
                    )
                origin.setdefault((name, column.name), source.venue.name)
                if known.kind == column.kind:
                    merged[name] = merged[name].with_extras((column,))
    return merged


def _tables_of(sink: SinkSettings, tables: dict[str, Table]) -> tuple[str, ...]:
    if not sink.takes_tables:
        return ()
    return tuple(name for name in tables if sink.tables is None or name in sink.tables)
