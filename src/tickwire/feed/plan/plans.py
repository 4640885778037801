"""What a feed builds, as data: its sources with their connections, its sinks, its tables."""

from __future__ import annotations

from dataclasses import dataclass, field

from tickwire.config import Config, SinkSettings, Source
from tickwire.feed.emergency import HookPlan
from tickwire.schema import Table
from tickwire.supervise import SeverityTable
from tickwire.venues import Backfill, Subscription, Venue


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
        return self.venue.is_spliced(subscription.channel)


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
