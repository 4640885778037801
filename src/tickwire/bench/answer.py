"""The known answer: what the load generator sent, decoded by the standard library.

Rules of this file
------------------
- Nothing here is shared with a pipeline: `json.loads`, `float` and the tape's own texts.
- Every value of every row is compared, in order; of `ts_recv`, that it goes up and lies in the run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from tickwire.bench.cases import VENUE_TYPES
from tickwire.schema import TABLES
from tickwire.sim.load import LoadSpec
from tickwire.sim.tape import FIRST_TRADE_ID

Values = dict[str, list[Any]]
Numbers = np.ndarray[Any, np.dtype[Any]]
MAX_FAULTS = 5
STAMP_START_NS = 10**18
NO_UPDATE_IDS = ("venue_seq", "venue_prev_seq")  # of Hyperliquid; all else is in what is sent


class Answer:
    """What a load must become, compared batch by batch.

    Parameters
    ----------
    spec
        What the load generator was told: a whole number of passes of its tape.

    Attributes
    ----------
    faults
        What was wrong; empty where all was right.
    """

    def __init__(self, spec: LoadSpec) -> None:
        self.faults: list[str] = []
        self._n_pass = min(spec.tape_messages, spec.n_messages)
        self._n_passes, rest = divmod(spec.n_messages, self._n_pass)
        if rest:
            raise ValueError("the load is not a whole number of passes of its tape")
        self._tables = {
            table: {name: np.array(column) for name, column in values.items()}
            for table, values in decode(spec).items()
        }
        self._n_rows = dict.fromkeys(self._tables, 0)
        self._first_seq: dict[str, int] = {}
        self._last_recv_ns = dict.fromkeys(self._tables, time.time_ns())
        self._conns: set[int] = set()

    def check(self, table: str, batch: pa.RecordBatch) -> None:
        """Compare the next rows of a table."""
        if not batch.schema.equals(TABLES[table].arrow_schema):
            self._fault(table, "its schema is another")
            return
        expected = self._tables[table]
        n_once = len(expected["symbol"])
        rows = np.arange(self._n_rows[table], self._n_rows[table] + batch.num_rows)
        self._n_rows[table] += batch.num_rows
        places = rows % n_once
        for name, once in expected.items():
            if name == "message":
                continue
            differs = numbers(batch, name) != once[places]
            if differs.any():
                row = int(np.argmax(differs))
                self._fault(table, f"{name} of row {rows[row]} is not {once[places[row]]!r}")
        self._check_run(table, batch, rows)
        if table == "trades":
            # Ids count the messages of all passes.
            ids = FIRST_TRADE_ID + rows // n_once * self._n_pass + expected["message"][places]
            if not batch["trade_id"].equals(pa.array(ids).cast(pa.utf8())):
                self._fault(table, "trade_id differs")

    def finish(self) -> list[str]:
        """Give what was wrong, once everything has come."""
        for table, expected in self._tables.items():
            wanted = self._n_passes * len(expected["symbol"])
            if self._n_rows[table] != wanted:
                self._fault(table, f"{self._n_rows[table]} rows instead of {wanted}")
        if len(self._conns) != 1:
            self.faults.append(f"rows of {len(self._conns)} connections")
        return self.faults

    def _check_run(self, table: str, batch: pa.RecordBatch, rows: Numbers) -> None:
        """Look at the columns that depend on the run."""
        seq, recv_ns = numbers(batch, "seq"), numbers(batch, "ts_recv")
        first_seq = self._first_seq.setdefault(table, int(seq[0]))
        if not np.array_equal(seq, rows + first_seq):
            self._fault(table, "seq has holes")
        in_order = recv_ns[0] >= self._last_recv_ns[table] and (np.diff(recv_ns) >= 0).all()
        if not in_order or recv_ns[-1] > time.time_ns():
            self._fault(table, "ts_recv is not the time of the receipt")
        self._last_recv_ns[table] = int(recv_ns[-1])
        self._conns.update(np.unique(numbers(batch, "conn")).tolist())
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            n_nulls = batch.num_rows if name in NO_UPDATE_IDS else 0
            if column.null_count != n_nulls:
                self._fault(table, f"{name} has {column.null_count} nulls")

    def _fault(self, table: str, text: str) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(f"{table}: {text}")


def numbers(batch: pa.RecordBatch, name: str) -> Numbers:
    """Give a column as numpy; a dictionary as its text, a time as ns."""
    column = batch[name]
    if pa.types.is_dictionary(column.type):
        texts = np.array(column.dictionary.to_pylist())
        indices: Numbers = column.indices.to_numpy(zero_copy_only=False)
        return texts[indices]
    if pa.types.is_timestamp(column.type):
        column = column.view(pa.int64())
    values: Numbers = column.to_numpy(zero_copy_only=False)
    return values


def decode(spec: LoadSpec) -> dict[str, Values]:
    """Decode one pass of the tape, the slow and certain way."""
    readers: dict[str, tuple[str, Callable[[dict[str, Any], int], list[dict[str, Any]]]]] = {
        VENUE_TYPES["trades"]: ("trades", _trades),
        VENUE_TYPES["quotes"]: ("quotes", _quotes),
        VENUE_TYPES["book"]: ("book", _levels),
    }
    tables: dict[str, Values] = {}
    tape = spec.record()
    # The zeros of a fresh tape are no JSON number.
    if spec.stamp:
        tape.stamp(STAMP_START_NS, 0, spec.rate)
    else:
        tape.number(0)
    for number, payload in enumerate(tape.payloads()):
        message = json.loads(payload)
        table, read = readers[message["channel"]]
        for row in read(message, number):
            values = tables.setdefault(table, {name: [] for name in row})
            for name, value in row.items():
                values[name].append(value)
    return tables


def _trades(message: dict[str, Any], number: int) -> list[dict[str, Any]]:
    return [
        {
            "message": number,
            "venue": "hyperliquid",
            "symbol": trade["coin"],
            "ts_event": trade["time"] * 1_000_000,
            "channel": "trades",
            "price": float(trade["px"]),
            "size": float(trade["sz"]),
            "side": "buy" if trade["side"] == "B" else "sell",
        }
        for trade in message["data"]
    ]


def _quotes(message: dict[str, Any], number: int) -> list[dict[str, Any]]:
    data = message["data"]
    bid, ask = data["bbo"]
    return [
        {
            "message": number,
            "venue": "hyperliquid",
            "symbol": data["coin"],
            "ts_event": data["time"] * 1_000_000,
            "bid_price": float(bid["px"]),
            "bid_size": float(bid["sz"]),
            "ask_price": float(ask["px"]),
            "ask_size": float(ask["sz"]),
        }
    ]


def _levels(message: dict[str, Any], number: int) -> list[dict[str, Any]]:
    data = message["data"]
    sides = zip(("bid", "ask"), data["levels"], strict=True)
    rows = [
        {
            "message": number,
            "venue": "hyperliquid",
            "symbol": data["coin"],
            "ts_event": data["time"] * 1_000_000,
            "channel": "book",
            "side": side,
            "price": float(level["px"]),
            "size": float(level["sz"]),
            "order_count": level["n"],
            "is_snapshot": True,
            "last": False,
        }
        for side, levels in sides
        for level in levels
    ]
    rows[-1]["last"] = True
    return rows
