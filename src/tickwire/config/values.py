"""What the values of keys may be: checks and types that sections share.

Rules of this file
------------------
- A check takes what was given and gives it as it is kept, or raises `ValueError` with what it
  should be: the end of a sentence that begins with the key.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationInfo

from tickwire.redaction import hide_headers, hide_url, shown_url

MIN_RING_ROWS = 16_384
PROXY_SCHEMES = ("http", "socks4", "socks4a", "socks5", "socks5h")
# A feed's name is part of file names, which may have 255 bytes.
MAX_NAME_BYTES = 128
MAX_COALESCE_US = 100_000
# As in `tickwire.wire.url`.
_NOT_IN_URLS = re.compile(r"[\x00-\x20\x7f\\]")


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


def _coalesce_us(rest: Any) -> Any:
    if rest == "auto" or (type(rest) is int and 0 <= rest <= MAX_COALESCE_US):
        return rest
    raise ValueError(f'should be a whole number of us from 0 to {MAX_COALESCE_US}, or "auto"')


def _does_not_rest(busy_poll_us: int, section: ValidationInfo) -> int:
    if busy_poll_us and section.data.get("coalesce_us"):
        raise ValueError("should be 0 where coalesce_us is not: a connection rests, or it spins")
    return busy_poll_us


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
Symbols = Annotated[Names, AfterValidator(_star_stands_alone)]
# Given as either, kept as a Path.
FilePath = Annotated[str | Path, BeforeValidator(_path)]
StateDir = Annotated[str | Path | None, BeforeValidator(_state_dir)]
Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
RingRows = Annotated[int, AfterValidator(_is_power_of_two)]
SinkName = Annotated[str, Field(min_length=1, max_length=64)]
FeedName = Annotated[
    str,
    Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+$"),
    AfterValidator(_fits_a_file_name),
]
CoalesceUs = Annotated[int | Literal["auto"], PlainValidator(_coalesce_us)]
BusyPollUs = Annotated[int, Field(ge=0, le=10_000), AfterValidator(_does_not_rest)]
Headers = Annotated[dict[str, str], AfterValidator(_hide_headers)]
ProxyUrl = Annotated[str, AfterValidator(_proxy)]
# The name of a venue, or its declaration.
AnyVenue = Annotated[Any, AfterValidator(_venue)]
EndpointUrls = Annotated[str | dict[str, str] | None, PlainValidator(_urls_of_endpoints)]
Urls = Annotated[tuple[str, ...] | None, PlainValidator(_urls)]
RestUrl = Annotated[str, url_with("http", "https")]
