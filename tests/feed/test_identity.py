"""A feed's id over restarts: a lost state repeats no number, and no other feed's rows go on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from structlog.testing import capture_logs
from tests.feed.exchange import exchange
from tests.feed.test_delivered import message, sinks_of
from tests.feed.test_handler import until

import tickwire
from tickwire.errors import SinkError

KINDS = ["duckdb", "parquet", "ipc"]
BEHIND = "the feed's numbers go on behind those of its sinks"


async def feed_once(
    folder: Path,
    ids: range,
    *,
    kinds: Sequence[str] = KINDS,
    state: str | None = "state",
    name: str = "main",
    adopt: bool = False,
    has_rings: bool = False,
) -> None:
    with exchange([[message(ids)]]) as server:
        feed = tickwire.FeedHandler(
            tickwire.Source(
                venue="hyperliquid", channels=["trades"], symbols=["BTC"], url=server.ws_url
            ),
            sinks_of(folder, list(kinds)),
            name=name,
            state_dir=None if state is None else folder / state,
            ring_dir=folder / "rings" if has_rings else None,
            ring_rows=16384,
            adopt=adopt,
        )
        async with feed:
            await until(lambda: feed.summary()["rows"]["trades"] == len(ids))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_sink_of_trades_alone_says_which_connections_there_were(
    tmp_path: Path, kind: str
) -> None:
    for number, ids in enumerate((range(1, 11), range(11, 21))):
        with exchange([[message(ids)]]) as server:
            (settings,) = sinks_of(tmp_path, [kind])
            feed = tickwire.FeedHandler(
                tickwire.Source(
                    venue="hyperliquid", channels=["trades"], symbols=["BTC"], url=server.ws_url
                ),
                [settings.model_copy(update={"tables": ("trades",)})],
                state_dir=tmp_path / f"state-{number}",
            )
            async with feed:
                await until(partial(has_trades, feed, 10))
    assert numbers(tmp_path, kind, "trades", "conn") == [0] * 10 + [1] * 10


def has_trades(feed: tickwire.FeedHandler, n_trades: int) -> bool:
    return bool(feed.summary()["rows"]["trades"] == n_trades)


def numbers(folder: Path, kind: str, table: str, column: str) -> list[int]:
    if kind != "ipc":
        is_file = kind == "duckdb"
        files = folder / "data" / table / "*" / "*" / "*.parquet"
        relation = table if is_file else f"read_parquet('{files}')"
        with duckdb.connect(str(folder / "m.duckdb") if is_file else ":memory:") as connection:
            rows = connection.execute(f"SELECT {column} FROM {relation} ORDER BY seq").fetchall()  # noqa: S608
        return [row[0] for row in rows]
    values: list[int] = []
    for path in sorted((folder / "ipc" / table).glob("*.arrows")):
        with pa.OSFile(str(path)) as file:
            values += pa.ipc.open_stream(file).read_all()[column].to_pylist()
    return values


@pytest.mark.parametrize("has_rings", [False, True])
async def test_a_lost_state_goes_on_behind_what_sinks_hold(tmp_path: Path, has_rings: bool) -> None:
    await feed_once(tmp_path, range(1, 11), has_rings=has_rings)
    shutil.rmtree(tmp_path / "state")
    with capture_logs() as logs:
        await feed_once(tmp_path, range(11, 21), has_rings=has_rings)
    (line,) = [each for each in logs if each["event"] == BEHIND]
    assert line["trades"] == 10
    await feed_once(tmp_path, range(21, 31), has_rings=has_rings)
    for kind in KINDS:
        assert numbers(tmp_path, kind, "trades", "seq") == list(range(30))
        conns = numbers(tmp_path, kind, "sessions", "conn")
        assert sorted(set(conns)) == [0, 1, 2]
    stored = json.loads((tmp_path / "state" / "main.json").read_text())
    assert len(stored["adopted"]) == 1
    assert stored["id"] not in stored["adopted"]


async def test_a_feed_without_state_repeats_no_number_either(tmp_path: Path) -> None:
    await feed_once(tmp_path, range(1, 11), state=None)
    await feed_once(tmp_path, range(11, 21), state=None)
    with capture_logs() as logs:
        await feed_once(tmp_path, range(21, 31))
    adopted = [each for each in logs if each["event"].startswith("rows without the id")]
    assert sorted(each["sink"] for each in adopted[:3]) == sorted(KINDS)
    for kind in KINDS:
        assert numbers(tmp_path, kind, "trades", "seq") == list(range(30))


async def test_rows_of_another_feed_are_an_error_with_ways_out(tmp_path: Path) -> None:
    await feed_once(tmp_path, range(1, 11), kinds=["duckdb"])
    await feed_once(tmp_path, range(1, 11), kinds=[], state="other", name="other")
    with pytest.raises(
        SinkError, match=r"rows of another feed \('main', id .*another path.*--adopt"
    ):
        await feed_once(tmp_path, range(11, 21), kinds=["duckdb"], state="other", name="other")
    await feed_once(
        tmp_path, range(11, 21), kinds=["duckdb"], state="other", name="other", adopt=True
    )
    await feed_once(tmp_path, range(21, 31), kinds=["duckdb"], state="other", name="other")
    seqs = numbers(tmp_path, "duckdb", "trades", "seq")
    assert seqs == list(range(30))


async def test_what_waits_in_a_spill_counts_as_used(tmp_path: Path) -> None:
    from tests.sinks.batches import batch_of

    from tickwire.schema import TABLES
    from tickwire.store import Spill

    spill = Spill(tmp_path / "state" / "spill" / "main" / "duckdb", ["trades"])
    spill.append("trades", batch_of(TABLES["trades"], 5, 40))
    spill.close()
    await feed_once(tmp_path, range(1, 11), kinds=["duckdb"])
    assert numbers(tmp_path, "duckdb", "trades", "seq") == list(range(40, 55))
