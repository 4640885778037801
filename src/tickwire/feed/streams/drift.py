"""Drift: messages that are not what they were when their venue was verified.

Rules of this file
------------------
- What is read as the message before it has the same keys: a decoder shows only what is not, and
  of each kind one message in a second at most (`Decoder.request_looks`). Nothing here runs per
  message.
- A field is the path of a key; where objects have symbols for keys, the declaration says so (`{}`).
  What a venue has not declared (`Venue.fields`) cannot drift: then only unknown kinds are counted.
- Each drift is counted each time it is seen, and logged once. A changed pace is seen once, when it
  has become another beat (`cadence.py`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from tickwire.capture import Capture
from tickwire.feed.streams.cadence import Cadences
from tickwire.feed.streams.message_kinds import kinds_of
from tickwire.logs import get_logger
from tickwire.observe import Metrics
from tickwire.venues import Venue

UNKNOWN = "(unknown)"
NEW, MISSING, CADENCE = "new_field", "missing_field", "cadence"
MOST_LOGGED = 32  # drifts of a source: a venue that sends ever new keys does not fill the log
SHOWN_BYTES = 160
LOOK_NS = 1_000_000_000

_log = get_logger("tickwire.feed")


class FieldCounts:
    """How often each key stood in messages, and each object that could have had it."""

    def __init__(self, members: Iterable[str] = ()) -> None:
        self._members = frozenset(members)  # objects whose keys are no names of fields
        self.keys: Counter[str] = Counter()
        self.objects: Counter[str] = Counter()

    def add(self, value: Any, path: str = "") -> None:
        """Count the keys of a message."""
        if isinstance(value, list):
            for each in value:
                if isinstance(each, dict | list):
                    self.add(each, f"{path}[]")
        elif isinstance(value, dict):
            if path in self._members:
                for each in value.values():
                    self.add(each, f"{path}{{}}")
                return
            self.objects[path] += 1
            for key, each in value.items():
                below = f"{path}.{key}" if path else key
                self.keys[below] += 1
                self.add(each, below)

    def fields(self) -> tuple[str, ...]:
        """Give the path of each key, with `?` behind those that some objects lacked.

        One that is always there and holds others is left out: they name it.
        """
        holders = {_plain(holder_of(path)) for path in self.keys}
        found = []
        for path, n in sorted(self.keys.items()):
            is_always = n == self.objects[holder_of(path)]
            if not is_always or path not in holders:
                found.append(path if is_always else f"{path}?")
        return tuple(found)


def known_fields(fields: Iterable[str]) -> dict[str, bool]:
    """Give each path to whether it is always there, those included that others name."""
    known = {field.rstrip("?"): not field.endswith("?") for field in fields}
    for path in list(known):
        holder = _plain(holder_of(path))
        while holder:
            known.setdefault(holder, True)
            holder = _plain(holder_of(holder))
    return known


def _plain(path: str) -> str:
    return path.rstrip("[]{}")


def holder_of(path: str) -> str:
    """Give the path of the object that has a key."""
    return path.rpartition(".")[0]


def members_of(venue: Venue, message: str) -> list[str]:
    """Give the objects of a message whose keys are symbols or the like, by their path."""
    return [
        rows.at[: rows.at.index("{}")]
        for each in venue.messages
        if each.name == message
        for rows in each.rows
        if "{}" in rows.at
    ]


def fields_of(venue: Venue, captures: Iterable[Capture]) -> dict[str, tuple[str, ...]]:
    """Give what `Venue.fields` is to have, by what a venue sent.

    Parameters
    ----------
    venue
        Its declaration.
    captures
        What it sent.
    """
    counts: dict[str, FieldCounts] = {}
    kind_of = kinds_of(venue)
    for capture in captures:
        for sent in capture.messages():
            message = kind_of(sent.payload)
            if message is None or message.kind != "data":
                continue
            if message.name not in counts:
                counts[message.name] = FieldCounts(members_of(venue, message.name))
            counts[message.name].add(json.loads(sent.payload))
    return {name: counts[name].fields() for name in sorted(counts)}


def drifts_in(venue: Venue, capture: Capture) -> dict[str, dict[str, int]]:
    """Give in how many messages of a capture each field is new or missing, by message.

    Where the capture has times, changed cadences too.
    """
    known = {name: known_fields(fields) for name, fields in venue.fields.items()}
    found: dict[str, Counter[str]] = {}
    kind_of = kinds_of(venue)
    cadences = Cadences()
    counts: Counter[str] = Counter()
    due_ns = 0
    for sent in capture.messages():
        if sent.recv_ns >= due_ns:  # as a feed looks, by the capture's clock
            due_ns = sent.recv_ns + LOOK_NS
            for change in cadences.look(counts, sent.recv_ns / 1e9):
                text = f"{CADENCE} {change.before_per_s:.3g} to {change.after_per_s:.3g} a second"
                found.setdefault(change.message, Counter())[text] += 1
        message = kind_of(sent.payload)
        if message is not None:
            counts[message.name] += 1
        if message is None or message.name not in known:
            continue
        members = members_of(venue, message.name)
        for drift, path in drifts_of(known[message.name], members, sent.payload):
            found.setdefault(message.name, Counter())[f"{drift} {path}"] += 1
    return {name: dict(counts) for name, counts in found.items()}


class Drift:
    """Compares the messages of a source with what its venue was verified with.

    Parameters
    ----------
    venue
        Declares its fields.
    metrics
        The source's.
    """

    def __init__(self, venue: Venue, metrics: Metrics) -> None:
        self._venue = venue
        self._metrics = metrics
        self._known = {name: known_fields(fields) for name, fields in venue.fields.items()}
        self._logged: set[tuple[str, str]] = set()
        self._cadences = Cadences()

    def look(self, message: str | None, payload: bytes) -> None:
        """Compare a message.

        Parameters
        ----------
        message
            Its kind; None where it is unknown.
        payload
            Its text.
        """
        if message is None:
            shape = _shape_of(payload)
            if shape:  # what is no JSON is no kind of message: it is quarantined, and said there
                self._note(UNKNOWN, "unknown", shape, payload)
            return
        known = self._known.get(message)
        if known is None:
            return
        for drift, path in drifts_of(known, members_of(self._venue, message), payload):
            self._note(message, drift, path, payload)

    def look_at_cadence(self, counts: Mapping[str, int], now_s: float, asked: Hashable) -> None:
        """Compare how often messages come with how often they came.

        Parameters
        ----------
        counts
            Messages of each kind since the start.
        now_s
            A clock; called about once a second.
        asked
            What tells apart what is asked for: where it changes, so do the numbers of messages.
        """
        for change in self._cadences.look(counts, now_s, asked):
            self._metrics.counter("drifted_messages", message=change.message, drift=CADENCE).add()
            _log.warning(
                "messages come at another pace", venue=self._venue.name,
                verified=self._venue.verified or "not said", message=change.message,
                before_per_s=round(change.before_per_s, 3),
                after_per_s=round(change.after_per_s, 3),
            )  # fmt: skip

    def _note(self, message: str, drift: str, what: str, payload: bytes) -> None:
        self._metrics.counter("drifted_messages", message=message, drift=drift).add()
        key = message, f"{drift} {what}"
        if key in self._logged or len(self._logged) >= MOST_LOGGED:
            return
        self._logged.add(key)
        _log.warning(
            "messages have changed" if drift != "unknown" else "messages of an unknown kind",
            venue=self._venue.name, verified=self._venue.verified or "not said", message=message,
            drift=drift, what=what, example=payload[:SHOWN_BYTES].decode("utf-8", "replace"),
        )  # fmt: skip


def drifts_of(
    known: Mapping[str, bool], members: Iterable[str], payload: bytes
) -> list[tuple[str, str]]:
    """Give what is new and what is missing in a message: kind of drift, and path.

    Parameters
    ----------
    known
        Path of a key to whether it is always there.
    members
        Objects whose keys are no names of fields.
    payload
        The message; what is no JSON has no fields.
    """
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        return []
    counts = FieldCounts(members)
    counts.add(document)
    new = [(NEW, path) for path in counts.keys if path not in known]
    missing = [
        (MISSING, path)
        for path, is_always in known.items()
        if is_always and counts.keys[path] < counts.objects[holder_of(path)]
    ]
    # What stands below something new is no news.
    fresh = {path for _, path in new}
    return [each for each in new if _plain(holder_of(each[1])) not in fresh] + missing


def _shape_of(payload: bytes) -> str:
    """Tell a kind of message from others: its keys, and its short texts; empty for no JSON."""
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(document, dict):
        return type(document).__name__
    words = [
        f"{key}={value}" if isinstance(value, str) and len(value) <= 16 else key
        for key, value in sorted(document.items())
    ]
    return ",".join(words)[:SHOWN_BYTES]
