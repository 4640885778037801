"""What a feed cannot survive is found, and declared once."""

import ctypes
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.feed.exchange import exchange
from tests.feed.test_handler import source, trades, until

import tickwire
from tickwire.config import Context
from tickwire.errors import EmergencyShutdown, SinkError, TickwireError
from tickwire.feed.critical import Critical
from tickwire.ring import Dictionaries, Ring
from tickwire.schema import TABLES
from tickwire.store.segments import SegmentError, SegmentLog
from tickwire.supervise import SeverityTable
from tickwire.supervise.severity import Action

Run = Callable[[Coroutine[Any, Any, None]], None]
MAGIC = b"twring\r\n"
CURSOR = 64  # bytes from the start of a block, as ring_block.h has it
FIRST_GATE = 5 * 64


class Sink:
    """A sink that is stuck, or not."""

    name = "duckdb"
    stuck = ""


class Scene:
    """What is watched, and a clock of its own."""

    def __init__(self, *, no_disk_s: float = 300.0, rings: dict[str, Ring] | None = None) -> None:
        self.now_s = 1000.0
        self.sink = Sink()
        self.reasons: list[str] = []
        self.critical = Critical(
            rings or {}, [self.sink], no_disk_s, self.report, lambda: self.now_s
        )

    def report(self, failure: TickwireError, context: Context) -> None:
        assert SeverityTable().judge(failure, context).action is Action.EMERGENCY
        self.reasons.append(str(failure))

    def look(self, after_s: float) -> list[str]:
        self.now_s += after_s
        self.critical.look()
        return self.reasons


def header_of(ring: Ring) -> int:
    """Give the address of a ring's block: its pages begin with the magic bytes."""
    address = min(view.ctypes.data for view in ring.block.views().values()) & ~0xFFF
    while ctypes.string_at(address, 8) != MAGIC:
        address -= 0x1000
    return address


def poke(ring: Ring, at: int, value: int) -> Callable[[], None]:
    """Overwrite a word of a ring's header; gives what puts it back."""
    word = ctypes.c_int64.from_address(header_of(ring) + at)
    before, word.value = word.value, value

    def put_back() -> None:
        word.value = before

    return put_back


def test_a_full_disk_is_an_emergency_only_after_its_time() -> None:
    scene = Scene()
    scene.sink.stuck = "a write has not returned for 9 s; no space left"
    assert scene.look(1) == []
    assert scene.look(299) == []
    scene.sink.stuck = ""
    assert scene.look(1) == []  # it was mended
    scene.sink.stuck = "no space left; the spill is full"
    scene.look(1)
    reason = "no disk takes rows of sink duckdb for 300 s: no space left; the spill is full"
    assert scene.look(300) == [reason]
    assert scene.look(300) == [reason]


def test_it_may_be_waited_for_for_ever() -> None:
    scene = Scene(no_disk_s=0)
    scene.sink.stuck = "no space left; the spill is full"
    scene.look(1)
    assert scene.look(1e6) == []


@pytest.mark.parametrize(
    ("at", "value", "wrong"),
    [
        (0, 0, "the magic bytes of its header are overwritten"),
        (8, 99, "the layout in its header has changed"),
        (CURSOR, 1 << 40, "its cursor is not where its writer has put it"),
        (CURSOR + 64, 1 << 40, "its floor lies above its cursor"),
        (FIRST_GATE, 1 << 40, "a consumer's gate lies above its cursor"),
    ],
)
def test_a_ring_whose_header_was_overwritten(ring: Ring, at: int, value: int, wrong: str) -> None:
    scene = Scene(rings={"mids": ring})
    for n in range(3):
        ring.append(venue="x", symbol="BTC", ts_recv=1, conn=0, price=float(n))
    ring.publish()
    assert ring.fault == ""
    assert scene.look(1) == []
    put_back = poke(ring, at, value)
    try:
        assert ring.fault.startswith(wrong)
        assert scene.look(1)[0].startswith(f"the ring of mids is corrupted: {wrong}")
        assert len(scene.look(1)) == 1
    finally:
        put_back()
    assert ring.fault == ""


def test_a_ring_that_begins_again_is_whole() -> None:
    ring = Ring(TABLES["mids"], 1024, Dictionaries(), window_rows=8)
    for n in range(5000):
        if not n % 9:
            ring.rewind()
        assert ring.append(venue="x", symbol="BTC", ts_recv=1, conn=0, price=float(n))
        ring.publish()
        assert ring.fault == ""


def test_a_feed_with_a_corrupted_ring_shuts_down(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        with exchange([trades(0, 5)]) as server:
            feed = tickwire.FeedHandler(
                [source(server.ws_url)], [tickwire.ParquetSink(path=tmp_path, tables=["trades"])]
            )
            put_back: list[Callable[[], None]] = []

            async def program() -> None:
                async with feed:
                    await until(lambda: feed.summary()["rows"]["trades"] == 5)
                    assert feed.pipeline is not None
                    put_back.append(poke(feed.pipeline.rings["sessions"], 8, 99))
                    await until(lambda: not feed.tasks.is_running)

            with pytest.raises(EmergencyShutdown, match="the ring of sessions is corrupted"):
                await program()
            put_back[0]()
            assert feed.summary()["rows_committed"]["parquet"]["trades"] == 5

    run(main())


def test_no_disk_for_a_sink_and_its_spill_shuts_the_feed_down(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise SegmentError("no space left on the spill's disk")

    def no_space(_: object) -> None:
        raise SinkError("no space left on device")

    monkeypatch.setattr(SegmentLog, "append", full)
    monkeypatch.setattr("tickwire.sinks.spiller.BUSY_S", 0.0)
    monkeypatch.setattr("tickwire.sinks.attempts.SPILL_AFTER_S", 0.2)

    async def main() -> None:
        with exchange([trades(0, 5)]) as server:
            feed = tickwire.FeedHandler(
                [source(server.ws_url)],
                [tickwire.DuckDBSink(path=tmp_path / "market.duckdb", tables=["trades"])],
                state_dir=tmp_path / "state",
                no_disk_emergency_s=0.5,
            )

            async def program() -> None:
                async with feed:
                    assert feed._feed is not None
                    feed._feed.sinks[0]._write = no_space  # type: ignore[method-assign]
                    await until(lambda: not feed.tasks.is_running)

            with pytest.raises(EmergencyShutdown) as ended:
                await program()
            text = str(ended.value)
            assert text.startswith("emergency shutdown: no disk takes rows of sink duckdb for ")
            assert "no space left on device; no space left on the spill's disk; 5 rows" in text
            assert feed.uncommitted() == {"duckdb": {"trades": 5}}

    run(main())
