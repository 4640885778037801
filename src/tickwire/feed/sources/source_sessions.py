"""Makes the sessions of a source: those of its legs, and those of poorer channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tickwire.feed.pipeline import SourcePipeline
from tickwire.feed.plan.plans import ConnectionPlan
from tickwire.feed.sources.recording import SourceRecorder
from tickwire.feed.streams.legs import LegGroup, legs_of
from tickwire.session import Session, SessionObserver, SessionSettings
from tickwire.venues import Subscription


class SourceSessions:
    """Makes the sessions of one source; none of them runs yet.

    Parameters
    ----------
    pipeline
        Its decoder, books and gaps.
    settings
        What all its sessions are made with.
    next_conn
        Gives the number of the next connection of the feed.
    events
        Observes those of legs.
    poorer_events
        Observes those of poorer channels.
    recorder
        Records what comes; None: nothing does.
    """

    def __init__(
        self,
        pipeline: SourcePipeline,
        settings: SessionSettings,
        next_conn: Callable[[], int],
        events: SessionObserver,
        poorer_events: SessionObserver,
        recorder: SourceRecorder | None,
    ) -> None:
        self._pipeline = pipeline
        self._settings = settings
        self._next_conn = next_conn
        self._events = events
        self._poorer_events = poorer_events
        self._recorders = () if recorder is None else (recorder,)

    def group(
        self,
        number: int,
        plan: ConnectionPlan,
        on_shared: Callable[[], None],
        on_closing: Callable[[LegGroup, Session, str], None],
    ) -> LegGroup:
        """Give the legs of a connection, each with its session and the one that takes its place.

        Parameters
        ----------
        number
            The connection's, within its source.
        plan
            What it asks for.
        on_shared
            Called when the number of open connections has changed.
        on_closing
            Called when a venue has said that it will end a connection, with what it said.
        """
        pipeline = self._pipeline
        source = pipeline.plan
        books = (each for each in plan.subscriptions if source.is_spliced(each))
        redundancy = source.settings.redundancy
        group = LegGroup(
            number,
            pipeline.gaps,
            pipeline.staleness[number],
            legs_of(redundancy, pipeline.metrics),
            pipeline.books,
            tuple(dict.fromkeys(each.symbol for each in books)),
            on_shared,
            lambda session, text: on_closing(group, session, text),
        )
        observers = (*self._recorders, self._events, group)
        for leg in range(redundancy):
            # Legs take turns over the endpoints.
            turn = leg % len(plan.urls)
            urls = plan.urls[turn:] + plan.urls[:turn]
            session, spare = (
                self._session(plan, urls, observers, self._settings, group.staleness.delivers)
                for _ in range(2)
            )
            spare.is_spare = True
            group.add(session, spare)
        return group

    def poorer(self, plan: ConnectionPlan) -> Session:
        """Give the session of poorer channels."""
        # A recording is replayed by streams, and these have none.
        settings = replace(self._settings, recorder=None)
        return self._session(plan, plan.urls, (self._poorer_events,), settings)

    def _session(
        self,
        plan: ConnectionPlan,
        urls: Sequence[str],
        observers: Sequence[SessionObserver],
        settings: SessionSettings,
        delivers: Callable[[Subscription, int], bool] | None = None,
    ) -> Session:
        decoder = self._pipeline.decoder
        return Session(
            self._pipeline.plan.venue,
            urls,
            plan.subscriptions,
            make_handler=lambda conn: decoder.connection(
                conn, labels=plan.labels, symbol=plan.symbol
            ),
            next_conn=self._next_conn,
            observers=observers,
            metrics=self._pipeline.metrics,
            delivers=delivers,
            settings=settings,
        )
