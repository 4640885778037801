"""Where a source connects to: its venue's endpoints, or what the configuration gives instead.

Rules of this file
------------------
- Nothing of what was configured is left out in silence: a path or a query is used as given, or an
  error says why it cannot be.
- A path of `/` alone is none: `ws://host/` and `ws://host` say the same. Before a query it is one.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from tickwire.config import Source
from tickwire.errors import ConfigError
from tickwire.venues import Venue


def endpoints_of(venue: Venue, settings: Source) -> dict[str, str]:
    """Give the URL of each endpoint of a venue.

    Raises
    ------
    ConfigError
        With `key: what is wrong` for each mistake.
    """
    given = settings.url
    if given is None:
        return dict(venue.endpoints)
    if isinstance(given, str):
        tail = urlsplit(given)
        if len(venue.endpoints) > 1 and (tail.path.strip("/") or tail.query):
            named = " and ".join(f"url.{name}" for name in venue.endpoints)
            raise ConfigError(
                [
                    f"url: has a path or a query, and {venue.name} has several endpoints, "
                    f"should be a table: {named}"
                ]
            )
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
