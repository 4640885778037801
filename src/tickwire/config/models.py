"""The sections of a configuration.

Rules of this file
------------------
- One flat model per section; a key's default stands here and nowhere else.
- Values are taken as TOML types them: `"5"` is no number, `1` is no bool.
- A section that is wrong raises `ConfigError` with one line per key, from Python as from a file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypedDict
from urllib.parse import quote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
)

from tickwire.config.problems import problems_of
from tickwire.config.signatures import signature_of
from tickwire.errors import ConfigError
from tickwire.redaction import hide_headers, hide_url, shown_url

MIN_RING_ROWS = 16_384
MIB = 1 << 20
PROXY_SCHEMES = ("http", "socks4", "socks4a", "socks5", "socks5h")
# A feed's name is part of file names, which may have 255 bytes.
MAX_NAME_BYTES = 128
# As in `tickwire.wire.url`.
_NOT_IN_URLS = re.compile(r"[\x00-\x20\x7f\\]")


class Section(BaseModel):
    """What all sections share: strict types, no unknown keys, `ConfigError` on a mistake."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, validate_default=True, allow_inf_nan=False
    )

    def anchored(self, folder: Path) -> Self:
        """Give the section with its relative paths starting at `folder`."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        paths = {name: folder / v for name, v in values.items() if isinstance(v, Path)}
        return self.model_copy(update=paths)

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        cls.__signature__ = signature_of(cls)

    if not TYPE_CHECKING:  # the synthesised signature stays visible to type checkers

        def __init__(self, *values: Any, **keys: Any) -> None:
            keys = signature_of(type(self)).bind_partial(*values).arguments | keys
            try:
                super().__init__(**keys)
            except ValidationError as error:
                raise ConfigError(problems_of(error, sorted(type(self).model_fields))) from None


def _is_power_of_two(rows: int) -> int:
    if rows < MIN_RING_ROWS or rows & (rows - 1):
        raise ValueError(f"should be a power of two, at least {MIN_RING_ROWS}")
    return rows


def as_tuple(names: Any) -> Any:
    """Take a list as a tuple, and nothing else."""
    if not isinstance(names, list | tuple):
        raise ValueError("should be a list in brackets")
    return tuple(names)


def _has_no_repeats(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("should name at least one")
    if "" in names:
        raise ValueError("should not contain an empty string")
    repeated = sorted(name for name, times in Counter(names).items() if times > 1)
    if repeated:
        raise ValueError(f"names {', '.join(map(repr, repeated))} more than once")
    return names


def _star_stands_alone(symbols: tuple[str, ...]) -> tuple[str, ...]:
    if "*" in symbols and len(symbols) > 1:
        raise ValueError('should be either ["*"] or symbols by name')
    return symbols


def _check_url(url: Any, schemes: Sequence[str], *, user: bool = False) -> str:
    try:
        parts = urlsplit(url)
        complete = parts.scheme in schemes and bool(parts.hostname)
        complete = complete and not _NOT_IN_URLS.search(url)
        _ = parts.port
    except (ValueError, TypeError, AttributeError):
        complete = False
    if not complete:
        allowed = " or ".join(f"{scheme}://" for scheme in schemes)
        raise ValueError(f"should be a URL with {allowed} and a host")
    if "@" in parts.netloc:
        hide_url(url)
        if not user:
            raise ValueError("should have no user and password: give a header Authorization")
    return str(url)


def url_with(*schemes: str) -> AfterValidator:
    """Give what refuses any other text than a URL of these schemes."""
    return AfterValidator(lambda url: _check_url(url, schemes))


def _proxy(given: str) -> str:
    if given == "off":
        return given
    try:
        return _check_url(given, PROXY_SCHEMES, user=True)
    except ValueError as error:
        raise ValueError(f'{error}, or "off"') from None


def _urls_of_endpoints(given: Any) -> str | dict[str, str] | None:
    if given is None or isinstance(given, str):
        return given if given is None else _check_url(given, ("ws", "wss"))
    if not isinstance(given, dict) or not given:
        raise ValueError("should be a string in quotes, or a table of them: url.NAME")
    for name, url in given.items():
        try:
            _check_url(url, ("ws", "wss"))
        except ValueError as error:
            shown = shown_url(url) if isinstance(url, str) else url
            raise ValueError(f"{name} is {shown!r}, {error}") from None
    return dict(given)


def _urls(given: Any) -> tuple[str, ...] | None:
    if given is None:
        return None
    if not isinstance(given, list | tuple) or not given:
        raise ValueError("should be a list in brackets of URLs")
    for at, url in enumerate(given):
        try:
            _check_url(url, ("ws", "wss"))
        except ValueError as error:
            shown = shown_url(url) if isinstance(url, str) else url
            raise ValueError(f"[{at}] is {shown!r}, {error}") from None
    return tuple(given)


def _hide_headers(headers: dict[str, str]) -> dict[str, str]:
    hide_headers(headers.items())
    return headers


def _venue(venue: Any) -> Any:
    """Take a name, or the declaration of a venue (`tickwire.venues.base.Venue` or the like)."""
    if isinstance(venue, str):
        if not venue:
            raise ValueError("should name a venue")
    elif not (hasattr(venue, "name") and hasattr(venue, "channels")):
        raise ValueError("should be the name of a venue")
    return venue


def _path(path: Any) -> Any:
    if not isinstance(path, str | Path):
        raise ValueError("should be a path in quotes")
    if not str(path) or "\0" in str(path):
        raise ValueError("should not be empty")
    return Path(path)


def _state_dir(path: Any) -> Any:
    return None if path is None or path == "" else _path(path)


def _fits_a_file_name(name: str) -> str:
    if len(quote(name, safe="")) > MAX_NAME_BYTES:
        raise ValueError(f"should have at most {MAX_NAME_BYTES} bytes, percent-encoded")
    return name


Names = Annotated[Sequence[str], BeforeValidator(as_tuple), AfterValidator(_has_no_repeats)]
# Given as either, kept as a Path.
FilePath = Annotated[str | Path, BeforeValidator(_path)]
Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
SinkName = Annotated[str, Field(min_length=1, max_length=64)]


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
    spill_dir
        Where rows wait for a sink that fails or does not keep up, and those of unfinished Parquet
        files; best on another disk than the sinks'. Left out: `spill` in the `state_dir`; without
        either, in memory.
    spill_max_bytes
        Most bytes of each sink there.
    hold_bytes
        Memory for the book deltas of one source that wait for their snapshot.
    no_disk_emergency_s
        How long neither a sink nor its spill may take rows before the feed shuts down, exit code
        70; 0: for ever.
    """

    name: Annotated[
        str,
        Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+$"),
        AfterValidator(_fits_a_file_name),
    ] = "main"
    loop: Literal["uvloop", "asyncio"] = "uvloop"
    ring_rows: Annotated[int, AfterValidator(_is_power_of_two)] = 262_144
    overflow: Literal["block", "drop_oldest"] = "block"
    state_dir: Annotated[str | Path | None, BeforeValidator(_state_dir)] = Path(".tickwire")
    spill_dir: FilePath | None = None
    spill_max_bytes: Annotated[int, Field(ge=MIB)] = 8192 * MIB
    hold_bytes: Annotated[int, Field(ge=MIB)] = 64 * MIB
    no_disk_emergency_s: Annotated[float, Field(ge=0)] = 300.0


class FeedKeys(TypedDict, total=False):
    """The keys of `[feed]` as a program gives them; see `Feed`."""

    name: str
    loop: Literal["uvloop", "asyncio"]
    ring_rows: int
    overflow: Literal["block", "drop_oldest"]
    state_dir: str | Path | None
    spill_dir: str | Path | None
    spill_max_bytes: int
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
    """

    carrier: Literal["protocol", "stream", "picows"] = "protocol"
    ca_file: FilePath | None = None
    headers: Annotated[dict[str, str], AfterValidator(_hide_headers)] = Field(default_factory=dict)
    proxy: Annotated[str, AfterValidator(_proxy)] | None = None
    connect_timeout_s: Seconds = 10.0
    close_timeout_s: Seconds = 5.0
    max_message_bytes: Annotated[int, Field(ge=1024, le=1024 * MIB)] = 16 * MIB

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
    ping_timeout_s: Seconds = 2.5
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
        The venue's own, as it spells them; `["*"]` where the venue can.
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
        The same for REST: its path goes before the path of every request, its query behind.
    extras
        The venue's own columns too.
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
    check_symbols
        Whether symbols that the venue does not list are an error at the start.
    replay_connections
        Which connections of a capture this source takes; all where left out.
    """

    venue: Annotated[Any, AfterValidator(_venue)]
    channels: Names
    symbols: Annotated[Names, AfterValidator(_star_stands_alone)]
    url: Annotated[str | dict[str, str] | None, PlainValidator(_urls_of_endpoints)] = None
    urls: Annotated[tuple[str, ...] | None, PlainValidator(_urls)] = None
    redundancy: Annotated[int, Field(ge=1, le=4)] = 1
    rest_url: Annotated[str, url_with("http", "https")] | None = None
    extras: bool = False
    priority: Names | None = None
    first_message_s: Seconds = 30.0
    stale_after_s: Seconds = 5.0
    silence_floor_s: Annotated[float, Field(ge=0)] = 0.25
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
