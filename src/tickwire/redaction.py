"""What must not be shown, and text without it.

Rules of this file
------------------
- A secret is known by its value: its reader calls `hide`, and from then on `hidden` takes it
  out of any text, in each form in which it travels. So it stays out where a server repeats it, too.
- A URL is shown by its parts, whether its secrets are known or not: never a user or a password, no
  value of a parameter that is called like a secret, nothing long enough to be a key.
- What a person reads on one line has no line ends and no control characters, whatever its source.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterable
from urllib.parse import quote, unquote

HIDDEN = "***"
# Shorter ones would be found by chance all over a text.
SHORTEST_SECRET = 4
# A segment of a path, or a parameter, from this length on may be a key.
KEY_CHARACTERS = 20
MAX_SHOWN_CHARACTERS = 500

_SENSITIVE = re.compile(r"key|token|secret|sign|auth|pass|pwd|credential|session|cookie|jwt", re.I)
# Subscriptions, which may be many; a symbol, which may be long where it is percent-encoded.
_NEVER_KEYS = frozenset({"streams", "symbol"})
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

# Programs may make a new token for every connection; those used longest ago are forgotten.
MAX_SECRETS = 200
# Longer texts are searched, and shown, only so far.
LONGEST_SEARCHED = 65_536
# Headers whose values may be shown.
OPEN_HEADERS = frozenset(
    {"accept", "accept-encoding", "accept-language", "cache-control", "origin", "user-agent"}
)

_secrets: dict[str, frozenset[str]] = {}  # each one's forms, the newest last
_found_by: tuple[str, ...] = ()  # all forms, the longest first: one may begin another
_lock = threading.Lock()


def hide(secret: str) -> None:
    """Keep a secret out of everything that is shown from now on, in this process.

    Parameters
    ----------
    secret
        A key, a token, a password, or `user:password`. One of fewer than 4 characters is not
        looked for.
    """
    global _found_by
    if len(secret) < SHORTEST_SECRET:
        return
    with _lock:
        known = _secrets.pop(secret, None)
        _secrets[secret] = known or _forms(secret)
        if known:
            return
        while len(_secrets) > MAX_SECRETS:
            del _secrets[next(iter(_secrets))]
        forms = frozenset().union(*_secrets.values())
        _found_by = tuple(sorted(forms, key=len, reverse=True))


def hide_headers(headers: Iterable[tuple[str, str]]) -> None:
    """Hide the values of headers, but for those that are known to hold no secret."""
    for name, value in headers:
        if name.lower() not in OPEN_HEADERS:
            hide(value)
            hide(value.rpartition(" ")[2])  # what follows "Bearer" alone, too


def hide_url(url: str) -> None:
    """Hide what a URL holds that `shown_url` does not show: password, keys in path and query."""
    place, _, query = url.partition("://")[2].partition("#")[0].partition("?")
    user, at, place = place.rpartition("@")
    if at:
        hide(user.partition(":")[2])
        hide(unquote(user))
    for segment in place.split("/")[1:]:
        if len(segment) >= KEY_CHARACTERS:
            hide(segment)
    for parameter in query.split("&"):
        name, equals, value = parameter.partition("=")
        if _shown_parameter(parameter) != parameter:
            hide(value if equals else name)


def _forms(secret: str) -> frozenset[str]:
    forms = {
        secret,
        unquote(secret),
        quote(secret, safe=""),
        quote(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        base64.b64encode(secret.encode("utf-8", "surrogatepass")).decode("ascii"),
    }
    return frozenset(form for form in forms if len(form) >= SHORTEST_SECRET)


def hidden(text: str) -> str:
    """Give the text with `***` in the place of every secret."""
    forms = _found_by
    if not forms:
        return text
    is_cut = len(text) > LONGEST_SEARCHED
    text = text[:LONGEST_SEARCHED]
    for form in forms:
        if form in text:
            text = text.replace(form, HIDDEN)
    # What the cut has left of a secret is not recognised, and is shorter than the longest form.
    return text[: -len(forms[0])] + "..." if is_cut else text


def hidden_whole(text: str) -> str:
    """Give a text of any length with `***` in the place of every secret."""
    for form in _found_by:
        if form in text:
            text = text.replace(form, HIDDEN)
    return text


def shown(text: str, longest: int = MAX_SHOWN_CHARACTERS) -> str:
    """Give a text from elsewhere as it may be shown: no secret, on one line, not too long."""
    # Cut after secrets are gone: half of one is not recognised.
    text = _UNPRINTABLE.sub(_escaped, hidden(text)[: longest + 1])
    return text if len(text) <= longest else text[: longest - 3] + "..."


def shown_url(url: str) -> str:
    """Give a URL as it may be shown; it need not be a right one.

    Parameters
    ----------
    url
        Any text.

    Returns
    -------
    str
        Without user and password, and with `***` in the place of what may be a key.
    """
    rest, question, query = url.partition("#")[0].partition("?")
    scheme, slashes, place = rest.rpartition("://") if "://" in rest else ("", "", rest)
    place = place.rpartition("@")[2]
    segments = [HIDDEN if len(each) >= KEY_CHARACTERS else each for each in place.split("/")[1:]]
    place = "/".join([place.partition("/")[0], *segments])
    parameters = "&".join(_shown_parameter(each) for each in query.split("&"))
    return shown(f"{scheme.rpartition('@')[2]}{slashes}{place}{question}{parameters}")


def _shown_parameter(parameter: str) -> str:
    name, equals, value = parameter.partition("=")
    if not equals:
        return HIDDEN if len(name) >= KEY_CHARACTERS else name
    is_key = len(value) >= KEY_CHARACTERS and name not in _NEVER_KEYS
    return f"{name}={HIDDEN}" if is_key or _SENSITIVE.search(name) else parameter


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
