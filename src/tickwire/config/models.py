"""The sections of a configuration.

Rules of this file
------------------
- One flat model per section; a key's default stands here and nowhere else.
- Values are taken as TOML types them: `"5"` is no number, `1` is no bool.
- A section that is wrong raises `ConfigError` with one line per key, from Python as from a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypedDict

from pydantic import Field, model_validator

from tickwire.config.section import Section
from tickwire.config.state_files import STATE_DIR
from tickwire.config.values import (
    AnyVenue,
    BusyPollUs,
    CoalesceUs,
    EndpointUrls,
    FeedName,
    FilePath,
    Headers,
    Names,
    ProxyUrl,
    RestUrl,
    RingRows,
    Seconds,
    SinkName,
    StateDir,
    Symbols,
    Urls,
)
from tickwire.redaction import shown_url

MIB = 1 << 20


class Feed(Section):
    """`[feed]`: what all sources and sinks of a feed share.

    Parameters
    ----------
    name
        Identifies this feed in its sinks and its state.
    loop
        The event loop.
    ring_rows
        Rows per table: a power of two, at least 16,384.
    overflow
        What a full ring does: `block` stops reading, `drop_oldest` overwrites and says so in gaps.
    state_dir
        Where sequence numbers live over restarts; empty: nowhere.
    ring_dir
        Where rings lie in files, so that rows which no sink has committed outlive a kill: on a
        disk, or on a tmpfs, which takes as much memory. Left out: in the process's memory. Needs
        a `state_dir`.
    spill_dir
        Where rows wait for a sink that fails or does not keep up, and those of unfinished Parquet
        files; best on another disk than the sinks'. Left out: `spill` in the `state_dir`; without
        either, in memory.
    spill_max_bytes
        Most bytes that each sink may have in `spill_dir`.
    spill_fsync_s
        How often `spill_dir` is synced to the disk: a loss of the machine's power costs
        at most that; a kill or a crash of the process costs nothing either way. 0: never.
    hold_bytes
        Memory for the book deltas of one source that wait for their snapshot.
    no_disk_emergency_s
        How long neither a sink nor its spill may take rows before the feed shuts down, exit code
        70; 0: for ever.
    """

    name: FeedName = "main"
    loop: Literal["uvloop", "asyncio"] = "uvloop"
    ring_rows: RingRows = 262_144
    overflow: Literal["block", "drop_oldest"] = "block"
    state_dir: StateDir = STATE_DIR
    ring_dir: FilePath | None = None
    spill_dir: FilePath | None = None
    spill_max_bytes: Annotated[int, Field(ge=MIB)] = 8192 * MIB
    spill_fsync_s: Annotated[float, Field(ge=0)] = 1.0
    hold_bytes: Annotated[int, Field(ge=MIB)] = 64 * MIB
    no_disk_emergency_s: Annotated[float, Field(ge=0)] = 300.0

    @model_validator(mode="after")
    def _check_rings(self) -> Self:
        if self.ring_dir is not None and self.state_dir is None:
            raise ValueError("ring_dir needs a state_dir: it says which rings were the last run's")
        return self


class FeedKeys(TypedDict, total=False):
    """The keys of `[feed]` as a program gives them; see `Feed`."""

    name: str
    loop: Literal["uvloop", "asyncio"]
    ring_rows: int
    overflow: Literal["block", "drop_oldest"]
    state_dir: str | Path | None
    ring_dir: str | Path | None
    spill_dir: str | Path | None
    spill_max_bytes: int
    spill_fsync_s: float
    hold_bytes: int
    no_disk_emergency_s: float


class ConnectionOptions(Section):
    """How a connection is made: what `tickwire.net` reads of a `[[source]]`.

    Parameters
    ----------
    carrier
        How bytes come from the socket to the parser.
    ca_file
        Certificates of the authorities to trust, PEM; the system's where left out.
    headers
        Sent with the opening handshake and REST requests. Their values are never shown.
    proxy
        On the way to the venue: `http://host:port`, or of the schemes socks4, socks4a, socks5,
        socks5h, with `user:password@` where it asks for them; `off` for none. Left out: what
        HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say.
    connect_timeout_s
        For name, TCP, TLS and the opening handshake together.
    close_timeout_s
        For the close handshake.
    max_message_bytes
        Largest message accepted; of a compressed one, when inflated.
    coalesce_us
        How long a connection rests after a small read, so that the next one brings several
        messages; `auto` chooses by their rate. 0: it reads at once.
    busy_poll_us
        How long a turn of the event loop looks for bytes instead of sleeping. It takes a whole
        core. 0: it sleeps.
    """

    carrier: Literal["protocol", "stream", "picows"] = "protocol"
    ca_file: FilePath | None = None
    headers: Headers = Field(default_factory=dict)
    proxy: ProxyUrl | None = None
    connect_timeout_s: Seconds = 10.0
    close_timeout_s: Seconds = 5.0
    max_message_bytes: Annotated[int, Field(ge=1024, le=1024 * MIB)] = 16 * MIB
    coalesce_us: CoalesceUs = 0
    busy_poll_us: BusyPollUs = 0

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            if name in ("url", "rest_url", "proxy") and isinstance(value, str):
                yield name, shown_url(value)
            elif name == "url" and value is not None:
                yield name, {key: shown_url(url) for key, url in value.items()}
            elif name == "urls" and value is not None:
                yield name, [shown_url(url) for url in value]
            elif name == "headers":
                yield name, list(value)
            elif name == "venue" and not isinstance(value, str):
                yield name, f"<{value.name}>"
            else:
                yield name, value


class SessionOptions(ConnectionOptions):
    """How a session with a venue is kept: what `tickwire.session` reads of a `[[source]]`.

    Parameters
    ----------
    compression
        Whether to offer permessage-deflate: `auto` where the venue is known to support it.
    subscribe_timeout_s
        How long to wait for the acknowledgement of a subscription.
    ping_timeout_s
        A connection that was silent for 2 s is pinged; silent for so long after it, it is dead.
    backoff_max_s
        Longest wait between two attempts to connect.
    """

    compression: Literal["auto", "off", "deflate"] = "auto"
    subscribe_timeout_s: Seconds = 10.0
    ping_timeout_s: Seconds = 2.0
    backoff_max_s: Seconds = 30.0


class Source(SessionOptions):
    """`[[source]]`: one venue's channels and symbols.

    It is handed down whole: session and net read what they need of it.

    Parameters
    ----------
    venue
        A name of `tickwire.venues`, `package.module:NAME`, or from Python a venue's declaration.
    channels
        Such as `trades`, `book:100ms`, `candles:1m`.
    symbols
        The venue's own, as it spells them; `["*"]` where the venue can. Left out only where no
        channel has symbols.
    users
        Whose fills, orders, fundings and ledger to follow, as the venue calls them: addresses. They
        are the `symbol` of those rows.
    url
        Replaces scheme, host and port of every WebSocket endpoint; its path and query replace the
        endpoint's. A table gives each endpoint its own.
    urls
        Instead of `url`: several, each as a `url`, of servers that are as good. The next one has
        its turn where one fails or falls silent.
    redundancy
        How many connections bring the same, up to 4: each message counts once, by whichever
        brings it first, and only what none of them brings is missing. They take turns over `urls`.
    rest_url
        Replaces scheme, host and port of every REST request; its path goes before the path of
        each, its query behind.
    extras
        Whether tables get the venue's own columns, too.
    priority
        Its symbols, those first that are kept longest where rings stay full; those not named go
        first. Left out: none is ever left out.
    first_message_s
        An acknowledged stream that has had no message for so long is named.
    stale_after_s
        A stream whose silence is far longer than usual, and no shorter than this, is asked for
        again.
    silence_floor_s
        A silence that has ended is a gap where it was longer than this, and three times as long as
        any of the last minutes; 0: none is.
    backfill
        Whether trades that were missed are had by REST, where the venue gives them by id. Not
        where `url` or `urls` names another server and `rest_url` does not.
    backfill_max_rows
        Most trades that are had by REST for one gap and channel: the newest ones.
    check_symbols
        Whether symbols that the venue does not list are an error at the start.
    replay_connections
        Which connections of a capture this source takes; all where left out.
    """

    venue: AnyVenue
    channels: Names
    symbols: Symbols = Field(default=(), validate_default=False)
    users: Names | None = None
    url: EndpointUrls = None
    urls: Urls = None
    redundancy: Annotated[int, Field(ge=1, le=4)] = 1
    rest_url: RestUrl | None = None
    extras: bool = False
    priority: Names | None = None
    first_message_s: Seconds = 30.0
    stale_after_s: Seconds = 5.0
    silence_floor_s: Annotated[float, Field(ge=0)] = 0.25
    backfill: bool = True
    backfill_max_rows: Annotated[int, Field(ge=1)] = 100_000
    check_symbols: bool = True
    replay_connections: Annotated[
        tuple[Annotated[int, Field(ge=0)], ...] | None, Field(strict=False)
    ] = None


class SinkSettings(Section):
    """`[[sink]]`: the keys of every sink; those of a type stand beside it, in `tickwire.sinks`.

    A subclass gives `type` and `name` their defaults, adds its own keys, and is found by an entry
    point of the group `tickwire.sinks` whose name is the type.

    Parameters
    ----------
    type
        Which sink it is.
    name
        Unique among the feed's sinks; by default its type.
    tables
        Those to write; all where left out.
    """

    takes_tables: ClassVar[bool] = True  # False: it records messages

    type: str
    name: SinkName
    tables: Names | None = None

    @property
    def target(self) -> str:
        """Where the rows go, in a few words; no two sinks of a feed have the same."""
        raise NotImplementedError

    def make_sink(self, feed: str, metrics: Any = None) -> Any:
        """Make the sink, not yet open: a `tickwire.sinks.Sink`, a room above this one.

        Parameters
        ----------
        feed
            The feed's name.
        metrics
            What the sink counts by, `tickwire.observe.Metrics`; by default a registry of its own.
        """
        raise NotImplementedError


class FileSinkSettings(SinkSettings):
    """`[[sink]]` of a sink that writes to a file or a folder.

    Parameters
    ----------
    path
        The file or folder.
    """

    path: FilePath = Field(kw_only=False)

    @property
    def target(self) -> str:
        """The path."""
        return str(Path(self.path).absolute())
