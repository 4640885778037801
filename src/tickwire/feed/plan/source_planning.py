"""From a source's section and its venue's declaration to what the source opens.

Rules of this file
------------------
- Pure, as `planning`: mistakes are appended to the caller's list, none is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from tickwire.config import Config, Source
from tickwire.errors import ConfigError
from tickwire.feed.plan.checking import unusable_authorities, unusable_requests, unusable_words
from tickwire.feed.plan.endpoints import endpoints_of, rest_url_of
from tickwire.feed.plan.plans import ConnectionPlan, SourcePlan
from tickwire.feed.plan.verifying import with_oracle
from tickwire.schema import TABLES
from tickwire.sinks.files import path_segment
from tickwire.venues import (
    LISTED,
    NO_SYMBOLS,
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


def completed(config: Config, settings: Source) -> Source:
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


def _spelled_symbol(symbol: str, spell: Callable[[Name], str]) -> str:
    name = parse_name(symbol)
    try:
        return symbol if name is None else spell(name)
    except ValueError:
        return symbol  # said by who plans it


def _spelled(settings: Source, spell: Callable[[Name], str]) -> Source:
    """Give a source whose symbols are the venue's own, where they were names."""
    keys = {key: getattr(settings, key) for key in ("symbols", "priority")}
    own = {
        key: type(given)(_spelled_symbol(each, spell) for each in given)
        for key, given in keys.items()
        if given
    }
    # Two names may mean one symbol.
    own = {key: type(given)(dict.fromkeys(given)) for key, given in own.items()}
    if all(own[key] == keys[key] for key in own):
        return settings
    return settings.model_copy(update=own)


def plan_source(
    config: Config, index: int, settings: Source, problems: list[str]
) -> SourcePlan | None:
    """Give the plan of one source; None where its mistakes leave none.

    Parameters
    ----------
    config
        Whose source it is.
    index
        Its place among the sources.
    settings
        Its section, as `completed` gives it.
    problems
        Its mistakes are appended here.
    """
    key = config.key("source", index)
    unusable = unusable_authorities(settings)
    if unusable:
        problems.append(config.problem(f"{key}.ca_file", unusable))
    venue = _venue_of(config, key, settings, problems)
    if venue is None:
        return None
    n_problems = len(problems)
    subscriptions, endpoints = _asked(config, key, settings, venue, problems)
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


def _venue_of(config: Config, key: str, settings: Source, problems: list[str]) -> Venue | None:
    venue = settings.venue
    try:
        if isinstance(venue, str):
            venue = load_venue(venue, config.folders)
    except ConfigError as error:
        problems.extend(config.problem(f"{key}.venue", wrong) for wrong in error.problems)
        return None
    if not isinstance(venue, Venue):
        wrong = f"is a {type(venue).__name__}, should be a name or a tickwire.venues.base.Venue"
        problems.append(config.problem(f"{key}.venue", wrong))
        return None
    return venue


def _asked(
    config: Config, key: str, settings: Source, venue: Venue, problems: list[str]
) -> tuple[list[Subscription], dict[str, tuple[str, ...]]]:
    """Give what a source subscribes to, and each endpoint's URLs."""
    subscriptions: list[Subscription] = []
    endpoints: dict[str, tuple[str, ...]] = {}
    try:
        subscriptions = plan(venue, settings.channels, settings.symbols, settings.users or ())
    except ConfigError as error:
        for wrong in error.problems:
            place = "symbols" if wrong.endswith(NO_SYMBOLS) else "channels"
            problems.append(config.problem(f"{key}.{place}", wrong))
    unusable_names = _unusable_names(venue, settings)
    problems.extend(config.problem(f"{key}.symbols", wrong) for wrong in unusable_names)
    unusable_users = _unusable_users(venue, settings)
    problems.extend(config.problem(f"{key}.users", wrong) for wrong in unusable_users)
    try:
        endpoints = endpoints_of(venue, settings)
    except ConfigError as error:
        for line in error.problems:
            place, _, wrong = line.partition(": ")
            problems.append(config.problem(f"{key}.{place}", wrong))
    return subscriptions, endpoints


def _unusable_names(venue: Venue, settings: Source) -> Iterator[str]:
    for symbol in settings.symbols:
        name = parse_name(symbol)
        if venue.spell is None or name is None:
            continue
        try:
            venue.spell(name)
        except ValueError as error:
            yield f"names {symbol!r}, {venue.name} {error}"


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
    spliced = (each for each in subscriptions if venue.is_spliced(each.channel))
    return tuple(dict.fromkeys(each.symbol for each in spliced))
