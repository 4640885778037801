"""Where a source connects to: its venue's endpoints, or what the configuration gives instead.

Rules of this file
------------------
- Nothing of what was configured is left out in silence: a path or a query is used as given, or an
  error says why it cannot be.
- A path of `/` alone is none: `ws://host/` and `ws://host` say the same. Before a query it is one.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from tickwire.config import Source
from tickwire.errors import ConfigError
from tickwire.venues import Venue


def endpoints_of(venue: Venue, settings: Source) -> dict[str, tuple[str, ...]]:
    """Give the URLs of each endpoint of a venue, the best first.

    Raises
    ------
    ConfigError
        With `key: what is wrong` for each mistake.
    """
    if settings.urls is None:
        return {name: (url,) for name, url in _endpoints(venue, settings.url, "url").items()}
    if settings.url is not None:
        raise ConfigError(["urls: is given beside url, should be one of them"])
    problems: list[str] = []
    found: dict[str, tuple[str, ...]] = dict.fromkeys(venue.endpoints, ())
    for at, given in enumerate(settings.urls):
        try:
            for name, url in _endpoints(venue, given, f"urls[{at}]").items():
                found[name] += (url,)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return found


def _endpoints(venue: Venue, given: str | dict[str, str] | None, place: str) -> dict[str, str]:
    if given is None:
        return dict(venue.endpoints)
    if isinstance(given, str):
        tail = urlsplit(given)
        if len(venue.endpoints) > 1 and (tail.path.strip("/") or tail.query):
            named = " and ".join(f"url.{name}" for name in venue.endpoints)
            instead = f"should be a table: {named}" if place == "url" else "should have neither"
            wrong = f"has a path or a query, and {venue.name} has several endpoints, {instead}"
            raise ConfigError([f"{place}: {wrong}"])
        given = dict.fromkeys(venue.endpoints, given)
    unknown = [name for name in given if name not in venue.endpoints]
    problems = [
        f"url.{name}: {venue.name} has no such endpoint, one of {', '.join(venue.endpoints)}"
        for name in unknown
    ]
    found = dict(venue.endpoints)
    for name, url in given.items():
        if name in unknown:
            continue
        own, other = urlsplit(venue.endpoints[name]), urlsplit(url)
        if other.path.strip("/") or (other.path and other.query):
            found[name] = url
        else:
            query = other.query or own.query
            found[name] = own._replace(
                scheme=other.scheme, netloc=other.netloc, query=query
            ).geturl()
    if problems:
        raise ConfigError(problems)
    return found


def rest_url_of(venue: Venue, settings: Source) -> str:
    """Give the URL that requests are made with; see `request_url`."""
    return settings.rest_url or venue.rest_url


def request_url(rest_url: str, path: str) -> str:
    """Give the URL of a request.

    Parameters
    ----------
    rest_url
        Its path goes before the request's, its query behind the request's.
    path
        Path and query of the request.
    """
    base, asked = urlsplit(rest_url), urlsplit(path)
    query = "&".join(filter(None, (asked.query, base.query)))
    return base._replace(path=base.path.rstrip("/") + asked.path, query=query).geturl()


def is_local(host: str) -> bool:
    """Whether what is sent to a host never leaves this machine; a name is not looked up."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
