"""A session against a small venue of its own, on real sockets: subscribe, heartbeat, reconnect."""

import asyncio
from dataclasses import replace

import pytest
import structlog
from tests.net.conftest import Security
from tests.net.servers import Peer, close, frame, serve_raw, text
from tests.session.small_venue import (
    QUICK,
    VENUE,
    Handler,
    Observer,
    Stuck,
    accept_all,
    quick,
    read_request,
    running,
    say,
    subscriptions,
)
from websockets.frames import Opcode

from tickwire.net import Connection, open_connection
from tickwire.session import Session, SessionObserver, SessionSettings, WindowLimiter, replies
from tickwire.session import connection as connection_module
from tickwire.venues.base import Heartbeat


def session_to(
    urls: list[str], *observers: SessionObserver, settings: SessionSettings = QUICK
) -> Session:
    """Make a session of the small venue with one subscription, on connection 1; not yet run."""
    return Session(
        VENUE,
        urls,
        subscriptions("a"),
        make_handler=lambda _: Handler(),
        next_conn=lambda: 1,
        observers=observers,
        settings=settings,
    )


async def test_subscribes_reads_and_stops(carrier: str, security: Security) -> None:
    asked: list[dict[str, object]] = []

    async def script(peer: Peer) -> None:
        asked.extend(await accept_all(peer, 2))
        await peer.send(text("data 1") + text("data 2"))
        await peer.answer_close()

    settings = quick(carrier=carrier, ca_file=security.ca_file)
    async with (
        serve_raw(script, security.server_context) as port,
        running(security.url(port), ["a", "b", "c"], settings=settings) as run,
    ):
        await run.observer.until_told("subscribed", 7)
        assert run.session.is_subscribed
        await run.observer.until(lambda: run.handlers[7].data == ["data 1", "data 2"])
        assert run.session.n_bytes > 0
    assert asked == [{"id": 1, "subscribe": ["a", "b"]}, {"id": 2, "subscribe": ["c"]}]
    assert run.observer.told == [
        ("connected", 7),
        ("subscribed", 7),
        ("disconnected", 7, "stopped"),
    ]


async def test_reconnects_and_subscribes_again(carrier: str, security: Security) -> None:
    n_connections = 0

    async def script(peer: Peer) -> None:
        nonlocal n_connections
        n_connections += 1
        await accept_all(peer, 1)
        await peer.send(text(f"data {n_connections}"))
        if n_connections == 1:
            return  # lost
        if n_connections == 2:
            await peer.send(close(1012, "restart"))
            await peer.read_close()
        elif n_connections == 3:
            await peer.send(b"\xff\xff")
            assert (await peer.read_close())[0] == 1002
        else:
            await peer.answer_close()

    settings = quick(carrier=carrier, ca_file=security.ca_file)
    async with (
        serve_raw(script, security.server_context) as port,
        running(security.url(port), ["a"], settings=settings) as run,
    ):
        await run.observer.until_told("subscribed", 10)
        await run.observer.until(lambda: run.handlers[10].data == ["data 4"])
    ends = [what for what in run.observer.told if what[0] == "disconnected"]
    assert ends == [
        ("disconnected", 7, "lost"),
        ("disconnected", 8, "closed"),
        ("disconnected", 9, "protocol"),
        ("disconnected", 10, "stopped"),
    ]
    assert [handler.data for handler in run.handlers.values()] == [
        ["data 1"],
        ["data 2"],
        ["data 3"],
        ["data 4"],
    ]
    assert run.session.n_connects == 4
    assert run.count("protocol_errors") == 1


async def test_a_failed_connect_is_told_and_tried_again(
    plain: Security, unused_tcp_port: int
) -> None:
    async def script(peer: Peer) -> None:
        await accept_all(peer, 1)
        await peer.answer_close()

    async with running(plain.url(unused_tcp_port), ["a"]) as run:
        await run.observer.until(lambda: run.count("failed_connects") >= 2)
        assert run.observer.told[0][0] == "connect_failed"
        assert "localhost" in str(run.observer.told[0][1])
        # The number of a connection that never was is used by the next one.
        assert list(run.handlers) == [7]


@pytest.mark.parametrize("kind", ["ping", "text"])
async def test_heartbeats_keep_a_quiet_connection(plain: Security, kind: str) -> None:
    beats: list[tuple[int, bytes]] = []

    async def script(peer: Peer) -> None:
        await accept_all(peer, 1)
        while True:
            opcode, payload = await peer.read_frame()
            if opcode == Opcode.CLOSE:
                await peer.send(frame(Opcode.CLOSE, payload))
                return
            beats.append((opcode, payload))
            if opcode == Opcode.PING:
                await peer.send(frame(Opcode.PONG, payload))
            else:
                await peer.send(text('{"kind": "pong"}'))

    heartbeat = Heartbeat("ping" if kind == "ping" else "text", 0.03, 5.0, '{"op": "ping"}')
    venue = replace(VENUE, heartbeat=heartbeat)
    async with serve_raw(script) as port, running(plain.url(port), ["a"], venue=venue) as run:
        await run.observer.until(lambda: len(beats) >= 3)
    if kind == "ping":
        assert {opcode for opcode, _ in beats} == {Opcode.PING}
    else:
        assert set(beats) == {(Opcode.TEXT, b'{"op": "ping"}')}
    assert run.observer.told[-1] == ("disconnected", 7, "stopped")


async def test_a_ping_in_the_venues_own_words_is_answered(plain: Security) -> None:
    answers: list[object] = []

    async def script(peer: Peer) -> None:
        await accept_all(peer, 1)
        await peer.send(text('{"kind": "ping", "value": 17}'))
        answers.append(await read_request(peer))
        await peer.answer_close()

    async with serve_raw(script) as port, running(plain.url(port), ["a"]) as run:
        await run.observer.until(lambda: answers != [])
    assert answers == [{"pong": 17}]


async def test_silence_means_a_dead_connection(carrier: str, plain: Security) -> None:
    n_connections = 0

    async def script(peer: Peer) -> None:
        nonlocal n_connections
        n_connections += 1
        await accept_all(peer, 1)
        if n_connections == 1:
            await asyncio.sleep(60)
        await peer.answer_close()

    venue = replace(VENUE, heartbeat=Heartbeat("ping", 0.05, 0.3))
    settings = quick(carrier=carrier)
    async with (
        serve_raw(script) as port,
        running(plain.url(port), ["a"], venue=venue, settings=settings) as run,
    ):
        await run.observer.until_told("subscribed", 8)
    assert ("disconnected", 7, "timeout") in run.observer.told


@pytest.mark.parametrize("kind", ["ping", "text"])
async def test_a_half_open_connection_is_found_long_before_its_timeout(
    carrier: str, plain: Security, kind: str
) -> None:
    n_connections = 0

    async def script(peer: Peer) -> None:
        nonlocal n_connections
        n_connections += 1
        await accept_all(peer, 1)
        await peer.send(text("data"))
        if n_connections == 1:
            await asyncio.sleep(60)  # it takes everything and says nothing
        await peer.answer_close()

    heartbeat = Heartbeat("ping" if kind == "ping" else "text", 25, 60, "ping", probe_after_s=0.1)
    venue = replace(VENUE, heartbeat=heartbeat)
    settings = quick(carrier=carrier, ping_timeout_s=0.2)
    async with (
        serve_raw(script) as port,
        running(plain.url(port), ["a"], venue=venue, settings=settings) as run,
    ):
        await run.observer.until_told("subscribed", 8)
    assert ("disconnected", 7, "timeout") in run.observer.told


async def test_a_quiet_connection_that_answers_is_kept(carrier: str, plain: Security) -> None:
    n_pings = 0

    async def script(peer: Peer) -> None:
        nonlocal n_pings
        await accept_all(peer, 1)
        while True:
            opcode, payload = await peer.read_frame()
            if opcode == Opcode.CLOSE:
                await peer.send(frame(Opcode.CLOSE, payload))
                return
            n_pings += 1
            await peer.send(frame(Opcode.PONG, payload))

    venue = replace(VENUE, heartbeat=Heartbeat("ping", 25, 60, probe_after_s=0.1))
    settings = quick(carrier=carrier, ping_timeout_s=2.0)
    async with (
        serve_raw(script) as port,
        running(plain.url(port), ["a"], venue=venue, settings=settings) as run,
    ):
        await run.observer.until(lambda: n_pings >= 3)
        assert run.session.n_connects == 1


async def test_a_handler_without_room_pauses_and_loses_nothing(
    carrier: str, plain: Security
) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.send(b"".join(text(f"data {i}") for i in range(5000)))
        await peer.answer_close()

    # The silence is longer than the venue allows, but it is our own.
    venue = replace(VENUE, heartbeat=Heartbeat("none", 0, 0.4))
    settings = quick(carrier=carrier)
    async with (
        serve_raw(script) as port,
        running(plain.url(port), [], venue=venue, settings=settings, make=Stuck) as run,
    ):
        await run.observer.until(lambda: run.session.is_paused)
        await asyncio.sleep(0.6)
        assert run.session.is_paused
        handler = run.handlers[7]
        assert isinstance(handler, Stuck)
        assert len(handler) == 1
        handler.free = True
        while len(handler.data) < 5000:
            handler.has_events = True
            handler.take_events()
            await asyncio.sleep(0)
            if run.session.connection is not None:
                run.session.connection.room_made()
        assert handler.data == [f"data {i}" for i in range(5000)]
        assert run.observer.told == [("connected", 7), ("subscribed", 7)]


async def test_an_end_while_paused_is_an_overflow(carrier: str, plain: Security) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.send(b"".join(text(f"data {i}") for i in range(10)))
        await asyncio.sleep(0.05)
        peer.writer.transport.abort()

    settings = quick(carrier=carrier, close_timeout_s=0.05)
    async with (
        serve_raw(script) as port,
        running(plain.url(port), [], settings=settings, make=Stuck) as run,
    ):
        await run.observer.until(lambda: run.session.is_paused)
        assert run.session.connection is not None
        run.session.connection.carrier.abort()
        await run.observer.until_told("disconnected", 7, "overflow")


async def test_a_handler_that_asks_for_the_end_gets_no_more(carrier: str, plain: Security) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.send(b"".join(text(f"data {i}") for i in range(10)))
        await peer.answer_close()

    settings = quick(carrier=carrier)
    async with (
        serve_raw(script) as port,
        running(
            plain.url(port), [], settings=settings, make=lambda: Handler(max_messages=4)
        ) as run,
    ):
        await run.task  # without being told to stop
    assert run.handlers[7].data == [f"data {i}" for i in range(4)]
    assert run.observer.told[-1] == ("disconnected", 7, "stopped")


async def test_connects_stay_within_the_limit_of_the_venue(plain: Security) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        if seconds > 1:
            waits.append(seconds)
        await asyncio.sleep(seconds)  # a long one: until the session is stopped

    async def script(peer: Peer) -> None:
        await peer.shake_hands()

    limiter = WindowLimiter(2, 60.0)
    async with serve_raw(script) as port:
        settings = quick(connects=limiter, sleep=sleep)
        async with running(plain.url(port), [], settings=settings) as run:
            await run.observer.until(lambda: waits != [])
            assert run.session.n_connects == 2
    assert 55 < waits[0] <= 60


async def test_words_that_the_venue_does_not_understand_are_told(plain: Security) -> None:
    async def script(peer: Peer) -> None:
        await accept_all(peer, 1)
        await peer.send(text("gibberish"))
        await peer.answer_close()

    async with serve_raw(script) as port, running(plain.url(port), ["a"]) as run:
        await run.observer.until(lambda: run.observer.n_warned > 0)
        assert "gibberish" in str(run.observer.told[-1][1])
        assert run.session.is_subscribed


async def test_an_observer_that_fails_ends_the_link_with_its_error(plain: Security) -> None:
    async def script(peer: Peer) -> None:
        await accept_all(peer, 1)
        await peer.answer_close()

    async with serve_raw(script) as port:
        observer = Observer()

        def fail(session: Session, conn: int) -> None:
            raise LookupError("observer")

        observer.subscribed = fail  # type: ignore[method-assign] # on purpose
        session = session_to([plain.url(port)], observer)
        async with asyncio.timeout(5):
            with pytest.raises(LookupError, match="observer"):
                await session.run()


async def test_a_session_cancelled_as_its_connection_opens_leaves_none(
    carrier: str, security: Security, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Connection] = []
    tasks: list[asyncio.Task[None]] = []

    async def open_then_cancel(*given: object, **settings: object) -> Connection:
        connection = await open_connection(*given, **settings)  # type: ignore[arg-type] # as given
        opened.append(connection)
        tasks[0].cancel()
        return connection

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await asyncio.sleep(60)

    monkeypatch.setattr(connection_module, "open_connection", open_then_cancel)
    async with serve_raw(script, security.server_context) as port, asyncio.timeout(10):
        settings = quick(carrier=carrier, ca_file=security.ca_file)
        session = session_to([security.url(port)], Observer(), settings=settings)
        tasks.append(asyncio.ensure_future(session.run()))
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        await opened[0].carrier.lost


async def test_a_session_cancelled_while_it_gives_up_a_connection_lets_it_end(
    carrier: str, security: Security
) -> None:
    unhandled: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: unhandled.append(told))

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await asyncio.sleep(60)

    heartbeat = Heartbeat("none", 0, 0.05)
    settings = quick(carrier=carrier, ca_file=security.ca_file, heartbeat=heartbeat)
    async with serve_raw(script, security.server_context) as port, asyncio.timeout(10):
        session = session_to([security.url(port)], Observer(), settings=settings)
        running = asyncio.ensure_future(session.run())
        while session.connection is None:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.002)
        connection = session.connection
        give_up = connection.give_up

        def give_up_then_cancel(note: str) -> None:
            give_up(note)
            running.cancel()

        connection.give_up = give_up_then_cancel  # type: ignore[method-assign] # to cancel right then
        with pytest.raises(asyncio.CancelledError):
            await running
        assert (await connection.ended).code == 1006
    assert unhandled == []


async def test_a_venue_that_pings_and_does_not_read_gets_few_answers(plain: Security) -> None:
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await accept_all(peer, 1)
        peer.writer.transport.pause_reading()
        ping = text('{"kind": "ping", "value": "%s"}' % ("p" * 1000))
        for _ in range(200):
            await peer.send(ping * 100)
        await peer.send(text("data 1"))
        await gone.wait()

    async with serve_raw(script) as port, running(plain.url(port), ["a"]) as run:
        await run.observer.until_told("subscribed", 7)
        await run.observer.until(lambda: run.handlers[7].data == ["data 1"])
        assert run.session.connection is not None
        assert run.session.connection.carrier.unsent_bytes() < 1 << 20
        gone.set()


async def test_words_of_the_venue_are_told_within_a_bound(
    plain: Security, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replies, "WARNING_WINDOW_S", 0.2)

    async def script(peer: Peer) -> None:
        await accept_all(peer, 1)
        await peer.send(say(text="no\x1b[31m\n" + "x" * 10_000) * 100)
        await asyncio.sleep(0.3)
        await peer.send(say(text="again"))
        await peer.answer_close()

    async with serve_raw(script) as port, running(plain.url(port), ["a"]) as run:
        await run.observer.until_told("warned", "again")
        told = [str(what[1]) for what in run.observer.told if what[0] == "warned"]
        assert len(told) == replies.MAX_WARNINGS + 2
        assert told[0].startswith("no\\x1b[31m\\nxxx")
        assert {len(words) for words in told[:-2]} == {500}
        assert told[-2] == f"{100 - replies.MAX_WARNINGS} more warnings were suppressed"
        assert run.count("warnings") == 101
        assert run.count("warnings_suppressed") == 100 - replies.MAX_WARNINGS


@pytest.mark.parametrize(
    "answer",
    [
        '"ok": ' + "[" * 100_000 + "1" + "]" * 100_000,
        '"ok": [["a"]]',
        '"refused": [{}]',
        '"id": [1]',
    ],
    ids=["deep", "list", "object", "id"],
)
async def test_an_answer_that_breaks_the_reader_is_words_and_no_end(
    plain: Security, answer: str
) -> None:
    async def script(peer: Peer) -> None:
        await accept_all(peer, 1)
        await peer.send(text('{"kind": "acknowledge", ' + answer + "}"))
        await peer.send(text("data 1"))
        await peer.answer_close()

    class Deep(Handler):
        def take_events(self) -> list[tuple[str, bytes]]:
            events = []
            while (message := self.take()) is not None:
                words = message.payload.decode()
                if words.startswith("data"):
                    self.data.append(words)
                else:
                    events.append(("acknowledge", message.payload))
            return events

    async with serve_raw(script) as port, running(plain.url(port), ["a"], make=Deep) as run:
        await run.observer.until_told("subscribed", 7)
        await run.observer.until(lambda: run.handlers[7].data == ["data 1"])
        await run.observer.until(lambda: run.observer.n_warned == 1)


async def test_several_observers_are_told_also_after_one_that_fails(plain: Security) -> None:
    async def script(peer: Peer) -> None:
        await accept_all(peer, 1)
        await peer.answer_close()

    class Failing(SessionObserver):
        def subscribed(self, session: Session, conn: int) -> None:
            raise LookupError("observer")

    async with serve_raw(script) as port:
        first, second = Observer(), Observer()
        session = session_to([plain.url(port)], first, Failing())
        session.add_observer(second)
        async with asyncio.timeout(5):
            with pytest.raises(LookupError, match="observer"):
                await session.run()
    assert first.told == second.told
    assert ("subscribed", 1) in second.told


async def test_a_connection_can_be_left_for_another_endpoint(plain: Security) -> None:
    async def script(peer: Peer) -> None:
        await accept_all(peer, 1)
        await peer.send(text("data"))
        await peer.answer_close()

    async with serve_raw(script) as first, serve_raw(script) as second:
        observer = Observer()
        session = session_to([plain.url(first), plain.url(second)], observer)
        task = asyncio.ensure_future(session.run())
        async with asyncio.timeout(5):
            await observer.until_told("subscribed", 1)
            assert session.url == plain.url(first)
            session.reconnect("silent", next_endpoint=True)
            await observer.until(lambda: observer.told.count(("subscribed", 1)) == 2)
            assert session.url == plain.url(second)
            session.stop()
            await task
    assert ("disconnected", 1, "stale") in observer.told


async def test_the_next_endpoint_has_its_turn(plain: Security, unused_tcp_port: int) -> None:
    async def script(peer: Peer) -> None:
        await accept_all(peer, 1)
        await peer.answer_close()

    async with serve_raw(script) as port:
        observer = Observer()
        session = session_to([plain.url(unused_tcp_port), plain.url(port)], observer)
        task = asyncio.ensure_future(session.run())
        async with asyncio.timeout(5):
            await observer.until_told("subscribed", 1)
            assert session.url == plain.url(port)
            session.stop()
            await task
    assert [what[0] for what in observer.told[:2]] == ["connect_failed", "connected"]


async def test_a_failed_connect_is_logged_once(plain: Security, unused_tcp_port: int) -> None:
    with structlog.testing.capture_logs() as logs:
        async with running(plain.url(unused_tcp_port), ["a"]) as run:
            await run.observer.until(lambda: run.count("failed_connects") >= 3)
    failed = [log for log in logs if log["log_level"] == "warning"]
    assert len(failed) == run.count("failed_connects")
    assert {log["event"] for log in failed} == {"connect failed"}
