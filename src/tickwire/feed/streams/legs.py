"""The legs of a source: sessions that ask for the same, and what they report, as of one.

Rules of this file
------------------
- Gaps and liveness belong to streams, not to connections: a stream is there while one leg has it
  acknowledged. What a leg reports goes on only where it is so of all of them.
- While several connections bring the same, the decoder knows each as a leg and leaves out copies;
  while it is one, nothing is looked at per message.
- A leg has a second session (`spare`), which runs only while it takes the place of the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from tickwire.decode import ConnectionDecoder, Legs
from tickwire.feed.streams.gaps import GapObserver
from tickwire.feed.streams.staleness import Staleness
from tickwire.ledger import StreamGaps
from tickwire.ledger.reasons import DISCONNECT
from tickwire.observe import Metrics
from tickwire.session import Session, SessionObserver

if TYPE_CHECKING:
    from tickwire.feed.books.books import Books
    from tickwire.feed.books.followed import FollowedBooks
    from tickwire.net.awake import AwakeClock
    from tickwire.venues import Subscription

REPLACED = "replaced"  # a disconnect: another connection has taken its place
TOO_LATE = "too late behind the other legs"


@dataclass(slots=True, eq=False)
class Leg:
    """One leg.

    Parameters
    ----------
    number
        Counted from 0.
    session
        What holds its connection.
    spare
        What will, when that is replaced.
    """

    number: int
    session: Session
    spare: Session


class LegGroup(SessionObserver):
    """The legs of one group of streams; observes their sessions.

    Parameters
    ----------
    number
        The group's, within its source.
    gaps, staleness
        What hears of the streams.
    memory
        What the decoder knows of the legs.
    books
        The source's spliced books, where it has any.
    spliced
        The symbols of those that are among the streams.
    on_shared
        Called when the number of open connections has changed.
    on_closing
        Called when a venue has said that it will end a connection.
    """

    def __init__(
        self,
        number: int,
        gaps: StreamGaps,
        staleness: Staleness,
        memory: Legs,
        books: Books | FollowedBooks | None,
        spliced: tuple[str, ...],
        on_shared: Callable[[], None],
        on_closing: Callable[[Session, str], None],
    ) -> None:
        self.legs: list[Leg] = []
        self.sessions: tuple[Session, ...] = ()  # spare ones too, in an order that stays
        self.staleness = staleness
        self.memory = memory
        self.replaced: set[Session] = set()  # those that are stopped for another one
        self._number = number
        self._gaps = gaps
        self._observers = (GapObserver(gaps, number), staleness)
        self._books = books
        self.spliced = spliced
        self._on_shared = on_shared
        self._on_closing = on_closing
        self._open: dict[Session, set[str]] = {}  # to the keys that are acknowledged
        self._handlers: dict[Session, ConnectionDecoder] = {}
        self._changing: set[Leg] = set()
        self._next_left = 0  # the leg that is left next, where streams are silent

    def add(self, session: Session, spare: Session) -> None:
        """Add a leg."""
        self.legs.append(Leg(len(self.legs), session, spare))
        self.sessions += (session, spare)

    @property
    def is_shared(self) -> bool:
        """Whether several connections bring the same."""
        return len(self._open) > 1

    @property
    def n_subscribed(self) -> tuple[int, ...]:
        """How many subscriptions each open connection has."""
        return tuple(sorted(len(keys) for keys in self._open.values()))

    def acknowledged_by(self, session: Session) -> frozenset[str]:
        """Give the keys of the subscriptions that a session has."""
        return frozenset(self._open.get(session, ()))

    def book_subscriptions(self, symbols: Iterable[str]) -> list[Subscription]:
        """Give the subscriptions that feed these symbols' followed books."""
        wanted = set(symbols)
        session = self.legs[0].session
        return [
            each
            for each in session.subscriptions
            if each.symbol in wanted and session.venue.is_spliced(each.channel)
        ]

    # Legs of the decoder.

    def begin_change(self, leg: Leg) -> None:
        """Let the decoder know the connections as legs, before another one is opened."""
        self._changing.add(leg)
        for session in self._open:
            self._join(session)

    def end_change(self, leg: Leg) -> None:
        """End what `begin_change` began, when one of the two connections has ended."""
        self._changing.discard(leg)
        if not self._is_redundant:
            for session in self._open:
                handler = _handler(session)
                if handler is not None:
                    handler.leave()
            self.memory.clear()

    @property
    def _is_redundant(self) -> bool:
        return len(self.legs) > 1 or bool(self._changing)

    def _join(self, session: Session) -> None:
        handler = _handler(session)
        if handler is not None and handler.leg is None:
            number = self.leg_of(session).number
            handler.join(self.memory, number, is_complete=session.is_subscribed)

    def is_quiet(self, session: Session) -> bool:
        """Whether a session is subscribed, and brings nothing of what another connection does."""
        handler = _handler(session)
        return handler is not None and handler.leg is not None and handler.leg.is_quiet

    def leg_of(self, session: Session) -> Leg:
        """Give the leg that a session is of."""
        return next(leg for leg in self.legs if session in (leg.session, leg.spare))

    def _place(self, session: Session) -> int:
        """Give the place of a session's connection among those of its streams."""
        return self.sessions.index(session)

    # What the sessions report (`SessionObserver`).

    def connected(self, session: Session, conn: int) -> None:
        """Take a connection among the legs; the streams hear of the first one."""
        if session in self._open:  # it has failed, and began again before it was looked at
            before = self._handlers.get(session)
            self._note_failed(session, conn if before is None else before.conn)
        is_first = not self._open
        self._open[session] = set()
        if (handler := _handler(session)) is not None:
            self._handlers[session] = handler
        if self._is_redundant:
            self._join(session)
        if is_first:
            self._gaps.connected(self._number, conn, self._place(session))
            self.staleness.connected(session, conn)
        else:
            self._gaps.joined(self._number, conn, self._place(session))
        if self._books is not None and is_first:
            self._books.on_connected(self.spliced, conn)
        self._on_shared()

    def acknowledged(self, session: Session, subscription: Subscription) -> None:
        """Let the streams hear of the first acknowledgement."""
        had = self._has(subscription.key)
        self._open.setdefault(session, set()).add(subscription.key)
        if (
            self._books is not None
            and subscription.symbol in self.spliced
            and session.venue.is_spliced(subscription.channel)
        ):
            self._books.acknowledged(subscription.symbol)
        if not had:
            for each in self._observers:
                each.acknowledged(session, subscription)

    def subscribed(self, session: Session, conn: int) -> None:
        """Expect everything of a leg from now on."""
        handler = _handler(session)
        if handler is not None and handler.leg is not None:
            handler.leg.complete()
        self._gaps.completed(self._number, conn)

    def refused(self, session: Session, subscription: Subscription, text: str, retry: bool) -> None:
        """Let the streams hear of a refusal where no other leg has the subscription."""
        self._open.get(session, set()).discard(subscription.key)
        if not self._has(subscription.key):
            for each in self._observers:
                each.refused(session, subscription, text, retry)

    def left_out(self, session: Session, subscription: Subscription, text: str) -> None:
        """Let the streams hear of what is left out where no other leg has it."""
        self._open.get(session, set()).discard(subscription.key)
        if not self._has(subscription.key):
            for each in self._observers:
                each.left_out(session, subscription, text)

    def stale(self, session: Session, subscription: Subscription, text: str) -> None:
        """Let the streams hear of a silence: no leg delivers."""
        for keys in self._open.values():
            keys.discard(subscription.key)
        for each in self._observers:
            each.stale(session, subscription, text)

    def connect_failed(self, session: Session, text: str) -> None:
        """Let the streams hear of it where they have no connection."""
        if not self._open:
            for each in self._observers:
                each.connect_failed(session, text)

    def disconnected(self, session: Session, conn: int, reason: str, detail: str) -> None:
        """Let the streams hear of the end of the last connection that brought them."""
        keys = self._open.pop(session, set())
        handler = self._handlers.pop(session, None)
        if handler is not None:
            handler.leave()
            handler.has_ended = True  # what waits for room in a ring comes later
        self._gaps.left(self._number, conn)
        if session in self.replaced:
            reason, detail = REPLACED, detail or "by another connection"
        if self._open:
            if reason != "stopped":  # the others are stopped, too
                self._lose(session, keys, f"{reason}: {detail}")
            if self._books is not None:
                other = next(iter(self._open))
                self._books.on_left(self.spliced, conn, other.conn)
        else:
            if self._books is not None:
                self._books.on_disconnected(self.spliced)
            for each in self._observers:
                each.disconnected(session, conn, reason, detail)
        self._on_shared()

    def closing(self, session: Session, text: str) -> None:
        """Have a connection replaced that the venue is about to end."""
        self._on_closing(session, text)

    def _lose(self, session: Session, keys: set[str], detail: str) -> None:
        """Open the gaps of subscriptions that no other leg has."""
        lost = [
            each for each in session.subscriptions if each.key in keys and not self._has(each.key)
        ]
        for each in lost:
            self._gaps.lost(self._number, each.key, DISCONNECT, detail)
            self.staleness.refused(session, each, detail, retry=True)
        if self._books is not None:
            books = {each.symbol for each in lost if session.venue.is_spliced(each.channel)}
            self._books.on_disconnected(tuple(books & set(self.spliced)))

    def _has(self, key: str) -> bool:
        return any(key in keys for keys in self._open.values())

    # What liveness asks of a session, asked of all (`staleness.Watched`).

    @property
    def awake(self) -> AwakeClock | None:
        """The clock of the loop, while a connection is open."""
        return next((each.awake for each in self._open), None)

    @property
    def is_behind(self) -> bool:
        """Whether a leg may not have read what came."""
        return any(session.is_behind for session in self._open)

    @property
    def url(self) -> str:
        """An endpoint that they are connected to, or will be."""
        return next(iter(self._open), self.legs[0].session).url

    def report(self, text: str) -> None:
        """Report what a person should know."""
        next(iter(self._open), self.legs[0].session).report(text)

    def report_silence(self, subscription: Subscription, text: str) -> None:
        """Report that a subscription has brought nothing for too long."""
        next(iter(self._open), self.legs[0].session).report_silence(subscription, text)

    def ask_again(self, subscriptions: Iterable[Subscription]) -> None:
        """Ask again on every leg."""
        asked = list(subscriptions)
        for session in tuple(self._open):
            session.ask_again(asked)

    def reconnect(self, why: str, *, next_endpoint: bool = False) -> None:
        """Let one leg reconnect, each in its turn: the others keep the other streams."""
        sessions = list(self._open)
        if sessions:
            self._next_left += 1
            session = sessions[self._next_left % len(sessions)]
            session.reconnect(why, next_endpoint=next_endpoint)

    # A few times a second.

    def look(self) -> None:
        """Find streams that are silent, and legs that are too late."""
        self.staleness.look(self, self._books)
        for session in tuple(self._open):
            handler = _handler(session)
            if handler is None:  # it has failed, and will start again
                self._note_failed(session, session.conn)
            elif handler.leg is not None and handler.leg.is_behind:
                session.reconnect(TOO_LATE)

    def _note_failed(self, session: Session, conn: int) -> None:
        """Let the streams hear of a connection whose session did not report its end."""
        self.disconnected(session, conn, "lost", "the session failed")


def _handler(session: Session) -> ConnectionDecoder | None:
    """Give what decodes a session's connection; a session of a feed has no other handler."""
    return cast("ConnectionDecoder | None", session.handler)


def legs_of(redundancy: int, metrics: Metrics) -> Legs:
    """Make the memory of legs; where there are always several, each is counted."""
    if redundancy == 1:
        return Legs()
    names = [str(leg) for leg in range(redundancy)]
    legs = Legs([metrics.histogram("leg_lateness_seconds", leg=name) for name in names])
    for leg, name in enumerate(names):
        for what in ("first", "late", "lost", "refused"):
            metrics.watch(f"leg_{what}_messages", partial(legs.count, leg, what), leg=name)
    return legs
