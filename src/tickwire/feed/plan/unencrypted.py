"""Endpoints that can be read and changed on their way: a run with one says so, once."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from tickwire.feed.plan.endpoints import is_local
from tickwire.feed.plan.plans import SourcePlan
from tickwire.logs import get_logger
from tickwire.redaction import shown_url

_log = get_logger("tickwire.feed")


def warn_unencrypted(plan: SourcePlan, urls: Iterable[str]) -> None:
    """Log a warning for each URL of a source that is not encrypted, but for those of this machine.

    Parameters
    ----------
    plan
        The source's.
    urls
        Where it goes.
    """
    for url in dict.fromkeys(urls):
        parts = urlsplit(url)
        if parts.scheme in ("ws", "http") and not is_local(parts.hostname or ""):
            _log.warning(
                "NOT ENCRYPTED",
                venue=plan.venue.name,
                url=shown_url(url),
                headers=len(plan.settings.headers),
            )
