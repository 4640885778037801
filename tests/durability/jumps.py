"""A process with one ring that ends at a point: `python -m tests.durability.jumps FOLDER`.

It fills rows of new symbols, takes and commits them and goes back to the ring's front, until
`TICKWIRE_KILL_AT` ends it. Before each step it prints how many rows are published and committed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tickwire.ring import Consumer, Ring, RingFiles
from tickwire.schema import TABLES

ROWS = 1024
STEP = 100
MOST_STEPS = 100
EPOCH_NS = 1_700_000_000_000_000_000
TABLE = TABLES["trades"]


def symbol_of(seq: int) -> str:
    """Give the symbol of a row: a new one now and then."""
    return f"COIN{seq // 40}"


def trade_id_of(seq: int) -> str:
    """Give the trade id of a row, longer or shorter."""
    return str(seq) * (1 + seq % 3)


def main(folder: Path) -> None:
    """Write rows until the process is ended."""
    files = RingFiles(folder)
    memory = files.make({TABLE.name: (TABLE, ROWS, 0)})
    ring = Ring(
        TABLE, ROWS, memory.dictionaries, block=memory.blocks[TABLE.name], window_rows=128
    )  # fmt: skip
    consumer = Consumer(ring, commits=True)
    n_committed = 0
    for step in range(MOST_STEPS):
        print(ring.published, n_committed, flush=True)
        for i in range(STEP * step, STEP * (step + 1)):
            ring.stage(
                venue="hyperliquid", symbol=symbol_of(i), ts_event=i, ts_recv=EPOCH_NS + i, conn=0,
                channel="trades", price=i / 2, size=1.0 + i, side="buy", trade_id=trade_id_of(i),
            )  # fmt: skip
        ring.publish()
        print(ring.published, n_committed, flush=True)
        if step % 4:
            consumer.take()
            consumer.commit()
            n_committed = ring.published
            print(ring.published, n_committed, flush=True)
        ring.rewind()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
