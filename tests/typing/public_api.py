"""What a type checker sees of the public names; `make lint` checks it with mypy --strict.

Nothing here is run.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import assert_type

import pyarrow as pa

import tickwire
from tickwire import session, wire
from tickwire.config import SinkSettings
from tickwire.feed import BatchConsumer
from tickwire.venues.base import Venue


def declare(venue: Venue) -> tickwire.FeedHandler:
    """Build a feed without a file."""
    source = tickwire.Source(
        venue=venue, channels=["trades"], symbols=("BTC",), carrier="stream", extras=True
    )
    named = tickwire.Source(venue="binance", channels=["book"], symbols=["BTCUSDT"])
    sinks: list[SinkSettings] = [
        tickwire.DuckDBSink(path=Path("market.duckdb"), flush_ms=20),
        tickwire.ParquetSink(path=Path("data"), rotate_s=5.0),
        tickwire.IpcSink(path="streams"),
        tickwire.ParquetSink("more"),
    ]
    config = tickwire.Config(tickwire.Feed(state_dir="state"), (source,))
    assert_type(tickwire.FeedHandler(config).status(), tickwire.Status)
    tickwire.FeedHandler(source, tickwire.ParquetSink("data"), state_dir="state")
    return tickwire.FeedHandler([source, named], sinks, overflow="drop_oldest")


async def consume(path: str) -> int:
    """Use a consumer as a queue and as an iterator."""
    async with tickwire.FeedHandler.from_toml(path) as feed:
        assert_type(feed, tickwire.FeedHandler)
        consumer = feed.batches("trades")
        assert_type(consumer, BatchConsumer)
        assert_type(consumer, tickwire.BatchConsumer)
        assert_type(await consumer.wait(), int)
        assert_type(consumer.qsize(), int)
        assert_type(consumer.maxsize, int)
        assert_type(consumer.empty(), bool)
        try:
            batch: pa.RecordBatch = consumer.get_nowait()
        except tickwire.QueueEmpty:
            batch = await consumer.get()
        except tickwire.QueueShutDown:
            return 0
        consumer.task_done()
        await consumer.join()
        lease: AbstractContextManager[pa.RecordBatch] = consumer.lease()
        with lease as borrowed:
            assert_type(len(borrowed), int)
        lingering = feed.batches("trades", linger_ms=5, max_rows=1000)
        assert_type(lingering, tickwire.BatchConsumer)
        light = feed.batches("trades", form="light")
        assert_type(light, tickwire.LightConsumer)
        assert_type(await light.get(), tickwire.Batch)
        async for each in light:
            assert_type(each, tickwire.Batch)
            assert_type(each.num_rows, int)
        async for row in feed.rows("trades", linger_ms=5):
            assert_type(row, tickwire.Row)
            assert_type(row.copy(), tickwire.Row)
        async for batch in consumer:
            return int(batch.num_rows)
        consumer.shutdown(immediate=True)
    return 0


async def talk(url: str) -> AsyncIterator[str | bytes]:
    """Use the general client."""
    async with session.connect(url) as ws:
        await ws.send("text")
        await ws.send(b"bytes")
        async for message in ws:
            assert_type(message, str | bytes)
            yield message


def parse(data: bytes) -> list[wire.Message | wire.Control]:
    """Use the sans-I/O parser and builder."""
    frame = wire.build_frame(1, data)
    assert_type(frame, bytes)
    parser = wire.FrameParser()
    try:
        return parser.receive(frame)
    except tickwire.errors.ProtocolError as error:
        assert_type(error.close_code, int)
    return parser.take_events()


def main(path: str) -> None:
    """Run on the loop that feeds run on."""
    assert_type(tickwire.run(consume(path)), int)
    assert_type(tickwire.__version__, str)
    assert_type(asyncio.run(consume(path)), int)
