"""Runs of a feed that keeps a ring of trades in a file, until their process is killed."""

from __future__ import annotations

from pathlib import Path

from tickwire.feed.kept.ring_store import RingStore
from tickwire.feed.kept.state import State
from tickwire.ring import Consumer, Ring, SummedConsumer
from tickwire.schema import TABLES
from tickwire.store import Spill

TRADES = TABLES["trades"]
ROWS = 1024


class Run:
    """A feed's state and its ring of trades, until the process ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = RingStore(folder / "rings", "main", {"trades": (TRADES, ROWS)})
        self.state = State(folder / "state", "main")
        self.store.read(self.state.rings)
        first = self.state.open_tables(
            ["trades"],
            self.store.next_seqs,
            self.store.files.name,
            self.store.least_seqs,
            self.store.make,
        )
        memory = self.store.memory
        self.ring = Ring(
            TRADES, ROWS, memory.dictionaries, block=memory.blocks["trades"],
            seq_base=first["trades"],
        )  # fmt: skip
        self.consumer = SummedConsumer(Consumer(self.ring, commits=True), self.store.sums["trades"])

    def append(self, n: int) -> None:
        for _ in range(n):
            assert self.ring.append(
                venue="hyperliquid", symbol="BTC", conn=0, channel="trades", price=1.0, size=1.0,
                side="buy", trade_id=str(self.ring.next_seq),
            )  # fmt: skip

    def recovered(self, sink: str = "one") -> list[int]:
        """Open a sink's spill as a start does, and give the seqs that it has then."""
        spill = Spill(self.folder / "spill" / sink, ["trades"])
        self.store.recover(sink, ["trades"], spill)
        found: list[int] = []
        while batches := spill.next():
            found += batches["trades"].column("seq").to_pylist()
        spill.close()
        return found

    def kill(self) -> None:
        self.state.abandon()


def killed(folder: Path, n_rows: int = 7) -> Run:
    """Give a run that had some rows and was killed."""
    run = Run(folder)
    run.append(n_rows)
    run.kill()
    return run


def killed_with_spill(folder: Path, sink: str) -> Run:
    """Give a run that was killed with 5 rows in a sink's spill and 4 more in the ring."""
    run = Run(folder)
    run.append(5)
    spill = Spill(folder / "spill" / sink, ["trades"])
    spill.append("trades", run.consumer.take())
    spill.close()
    run.append(4)
    run.kill()
    return run
