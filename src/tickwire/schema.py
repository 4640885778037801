"""The tables: names, columns and types, the same in ring, Arrow batch, DuckDB and Parquet.

Rules of this file
------------------
- A `Table` is data. It knows nothing of rings, venues or sinks; they read it.
- Null is a sentinel in the ring (`NULLS`), so that the hot path writes one value and no bitmap:
  NaN for float64 (JSON has no NaN), the smallest integer for the integers and times, -1 for codes,
  2 for bools. Text has a byte of validity beside it where it is nullable.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import pyarrow as pa

INT64_MIN = -(2**63)
INT32_MIN = -(2**31)


class Kind(IntEnum):
    """How a column is stored in a ring; `ext/tickwire/ring/_ring.pxd` has the same numbers."""

    I64 = 0
    I32 = 1
    F64 = 2
    TS = 3  # int64, ns since the epoch, UTC
    BOOL = 4  # one byte
    CODE16 = 5  # index into a dictionary of utf8
    CODE32 = 6
    TEXT = 7  # bytes beside the columns
    BINARY = 8


NULLS = {
    Kind.I64: INT64_MIN,
    Kind.I32: INT32_MIN,
    Kind.F64: float("nan"),
    Kind.TS: INT64_MIN,
    Kind.BOOL: 2,
    Kind.CODE16: -1,
    Kind.CODE32: -1,
}

TIMESTAMP = pa.timestamp("ns", "UTC")
ARROW_TYPES = {
    Kind.I64: pa.int64(),
    Kind.I32: pa.int32(),
    Kind.F64: pa.float64(),
    Kind.TS: TIMESTAMP,
    Kind.BOOL: pa.bool_(),
    Kind.CODE16: pa.dictionary(pa.int16(), pa.utf8()),
    Kind.CODE32: pa.dictionary(pa.int32(), pa.utf8()),
    Kind.TEXT: pa.utf8(),
    Kind.BINARY: pa.binary(),
}


# What the numbers of a column count, in the metadata of its Arrow field and in files.
_TIME = "ns since 1970-01-01, UTC"
_PRICE = "quote currency"
_SIZE = "as the venue counts: base currency, or contracts"
UNITS = {
    "seq": "rows of the table",
    **dict.fromkeys(("ts_event", "ts_recv", "ts_open", "ts_close", "ts_start", "ts_end"), _TIME),
    **dict.fromkeys(("ts_event_start", "ts_event_end", "next_funding_ts"), _TIME),
    **dict.fromkeys(("price", "bid_price", "ask_price", "open", "high", "low", "close"), _PRICE),
    **dict.fromkeys(("last_price", "mark_price", "index_price", "notional_24h"), _PRICE),
    **dict.fromkeys(("original_size",), _SIZE),
    "ts_placed": _TIME,
    "fee": "fee_currency, or the venue's quote currency",
    "closed_pnl": _PRICE,
    "amount": "currency, or the venue's quote currency",
    "usd_value": "USD",
    **dict.fromkeys(("size", "bid_size", "ask_size", "volume", "volume_24h"), _SIZE),
    "open_interest": _SIZE,
    "funding_rate": "fraction per funding interval of the venue",
    "tick_size": _PRICE,
    "lot_size": _SIZE,
    "contract_size": "base currency; quote currency where inverse",
    "decimals": "decimals of a price",
    "expiry": _TIME,
    **dict.fromkeys(("bid_ts", "ask_ts"), _TIME),
    "spread": _PRICE,
    "age_ns": "ns since the older side came",
    "order_count": "orders",
    "trade_count": "trades",
    "level": "levels that are better",
    "levels": "levels of both sides",
    "checked": "checks of the book",
    "mismatched": "checks that failed",
    "messages": "messages since the start",
    "oracle_checked": "comparisons with the venue's oracle",
    "oracle_mismatched": "comparisons that found the book wrong",
    "orphans": "deletes of absent levels",
    "crossed": "messages that left the sides crossed",
    "truncated": "levels dropped past the subscribed depth",
    "lost": "rows",
    "venue_seq": "the venue's numbering",
    "venue_prev_seq": "the venue's numbering",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name
        The same everywhere.
    kind
        Storage in the ring, and through `ARROW_TYPES` the Arrow type.
    nullable
        Whether a row may lack it.
    text_bytes
        TEXT and BINARY: bytes of the ring's text memory per row, on average; a column whose values
        are longer has its ring full of bytes before it is full of rows.
    unit
        What its numbers count, in a few words; by default that of `UNITS` for the name.
    """

    name: str
    kind: Kind
    nullable: bool = False
    text_bytes: int = 0
    unit: str = ""

    @property
    def shown_unit(self) -> str:
        """The unit, or the empty string."""
        return self.unit or UNITS.get(self.name, "")

    @property
    def field(self) -> pa.Field:
        """The Arrow field; its metadata has the unit."""
        metadata = {"unit": self.shown_unit} if self.shown_unit else None
        return pa.field(self.name, ARROW_TYPES[self.kind], self.nullable, metadata)


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its name and its columns in order.

    Parameters
    ----------
    name
        The same in every sink.
    columns
        The six common columns first, then the table's own, then a venue's extras.
    marks_last
        The table has a bool column `last`, true in the last row of each message, and a message
        without rows of its own still gives one (the book's rule).
    """

    name: str
    columns: tuple[Column, ...]
    marks_last: bool = False

    @property
    def arrow_schema(self) -> pa.Schema:
        """The Arrow schema of every batch, file and stream of this table."""
        return pa.schema([column.field for column in self.columns])

    def index(self, name: str) -> int:
        """Position of the column `name`; raises KeyError where there is none."""
        for position, column in enumerate(self.columns):
            if column.name == name:
                return position
        raise KeyError(name)

    def with_extras(self, extras: tuple[Column, ...]) -> Table:
        """The same table with a venue's own nullable columns behind its own."""
        known = {column.name for column in self.columns}
        fresh = tuple(column for column in extras if column.name not in known)
        return replace(self, columns=self.columns + fresh)


def _table(name: str, *columns: Column, has_source: bool = True, marks_last: bool = False) -> Table:
    lacking = not has_source
    common = (
        Column("seq", Kind.I64),
        Column("venue", Kind.CODE16, lacking),
        Column("symbol", Kind.CODE32, lacking),
        Column("ts_event", Kind.TS, nullable=True),
        Column("ts_recv", Kind.TS),
        Column("conn", Kind.I32, lacking),
    )
    return Table(name, common + columns, marks_last)


def _floats(*names: str, nullable: bool = False) -> tuple[Column, ...]:
    return tuple(Column(name, Kind.F64, nullable) for name in names)


TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        _table(
            "trades",
            Column("channel", Kind.CODE16),
            *_floats("price", "size"),
            Column("side", Kind.CODE16),
            Column("trade_id", Kind.TEXT, text_bytes=24),
        ),
        _table(
            "quotes",
            *_floats("bid_price", "bid_size", "ask_price", "ask_size", nullable=True),
            Column("venue_seq", Kind.I64, nullable=True),
        ),
        _table(
            "book",
            Column("channel", Kind.CODE16),
            Column("side", Kind.CODE16, nullable=True),
            *_floats("price", "size", nullable=True),
            Column("order_count", Kind.I32, nullable=True),
            Column("is_snapshot", Kind.BOOL),
            Column("last", Kind.BOOL),
            Column("venue_seq", Kind.I64, nullable=True),
            Column("venue_prev_seq", Kind.I64, nullable=True),
            marks_last=True,
        ),
        _table(
            "candles",
            Column("interval", Kind.CODE16),
            Column("ts_open", Kind.TS),
            Column("ts_close", Kind.TS),
            *_floats("open", "high", "low", "close", "volume"),
            Column("trade_count", Kind.I64, nullable=True),
            Column("closed", Kind.BOOL, nullable=True),
        ),
        _table(
            "tickers",
            *_floats(
                "last_price",
                "mark_price",
                "index_price",
                "funding_rate",
                "open_interest",
                "volume_24h",
                "notional_24h",
                nullable=True,
            ),
            Column("next_funding_ts", Kind.TS, nullable=True),
        ),
        _table("mids", *_floats("price")),
        _table(
            "liquidations",
            Column("side", Kind.CODE16),
            *_floats("price", "size"),
            Column("trade_id", Kind.TEXT, nullable=True, text_bytes=24),
        ),
        # What happens to a user of a venue; `symbol` is the user, `instrument` what was traded.
        _table(
            "fills",
            Column("instrument", Kind.TEXT, text_bytes=8),
            *_floats("price", "size"),
            Column("side", Kind.CODE16),
            Column("trade_id", Kind.TEXT, text_bytes=24),
            Column("order_id", Kind.TEXT, nullable=True, text_bytes=16),
            Column("client_order_id", Kind.TEXT, nullable=True, text_bytes=34),
            Column("is_taker", Kind.BOOL, nullable=True),
            *_floats("fee", "closed_pnl", nullable=True),
            Column("fee_currency", Kind.TEXT, nullable=True, text_bytes=8),
            Column("is_snapshot", Kind.BOOL),
        ),
        _table(
            "orders",
            Column("instrument", Kind.TEXT, text_bytes=8),
            Column("order_id", Kind.TEXT, text_bytes=16),
            Column("client_order_id", Kind.TEXT, nullable=True, text_bytes=34),
            Column("side", Kind.CODE16),
            *_floats("price", "size", "original_size", nullable=True),
            Column("status", Kind.TEXT, text_bytes=12),
            Column("ts_placed", Kind.TS, nullable=True),
        ),
        _table(
            "fundings",
            Column("instrument", Kind.TEXT, text_bytes=8),
            *_floats("amount"),
            *_floats("size", "funding_rate", nullable=True),
            Column("is_snapshot", Kind.BOOL),
        ),
        _table(
            "ledger",
            Column("kind", Kind.TEXT, text_bytes=16),
            *_floats("amount", "usd_value", "fee", nullable=True),
            Column("currency", Kind.TEXT, nullable=True, text_bytes=8),
            Column("tx_hash", Kind.TEXT, nullable=True, text_bytes=66),
            Column("is_snapshot", Kind.BOOL),
        ),
        _table(
            "books",
            Column("channel", Kind.CODE16),
            Column("state", Kind.CODE16),
            Column("reason", Kind.CODE16, nullable=True),
            Column("levels", Kind.I64),
            Column("checked", Kind.I64, nullable=True),
            Column("mismatched", Kind.I64, nullable=True),
            Column("messages", Kind.I64),
            Column("orphans", Kind.I64),
            Column("crossed", Kind.I64),
            Column("truncated", Kind.I64),
            Column("oracle_checked", Kind.I64, nullable=True),
            Column("oracle_mismatched", Kind.I64, nullable=True),
            has_source=False,
        ),
        _table(
            "top",
            Column("channel", Kind.CODE16),
            *_floats("bid_price", "bid_size", "ask_price", "ask_size", nullable=True),
            Column("venue_seq", Kind.I64, nullable=True),
        ),
        _table(
            "depth",
            Column("channel", Kind.CODE16),
            Column("side", Kind.CODE16),
            Column("level", Kind.I32),
            *_floats("price", "size"),
            Column("last", Kind.BOOL),
            Column("venue_seq", Kind.I64, nullable=True),
        ),
        _table(
            "nbbo",
            Column("instrument", Kind.CODE16),
            *(
                column
                for side in ("bid", "ask")
                for column in (
                    *_floats(f"{side}_price", f"{side}_size", nullable=True),
                    Column(f"{side}_venue", Kind.CODE16, nullable=True),
                    Column(f"{side}_ts", Kind.TS, nullable=True),
                )
            ),
            Column("spread", Kind.F64, nullable=True),
            Column("crossed", Kind.BOOL),
            Column("age_ns", Kind.I64, nullable=True),
            Column("left_out", Kind.CODE16, nullable=True),
            has_source=False,
        ),
        _table(
            "instruments",
            Column("name", Kind.TEXT, text_bytes=16),
            Column("kind", Kind.CODE16, nullable=True),
            *(Column(each, Kind.TEXT, True, text_bytes=4) for each in ("base", "quote", "settle")),
            Column("inverse", Kind.BOOL),
            *_floats("tick_size", "lot_size", "contract_size", nullable=True),
            Column("decimals", Kind.I32, nullable=True),
            Column("expiry", Kind.TS, nullable=True),
            Column("status", Kind.TEXT, nullable=True, text_bytes=8),
        ),
        _table(
            "gaps",
            Column("gap_id", Kind.I64),
            Column("table_name", Kind.CODE16),
            Column("reason", Kind.CODE16),
            Column("state", Kind.CODE16),
            Column("ts_start", Kind.TS),
            Column("ts_end", Kind.TS, nullable=True),
            Column("ts_event_start", Kind.TS, nullable=True),
            Column("ts_event_end", Kind.TS, nullable=True),
            Column("lost", Kind.I64, nullable=True),
            Column("recovered", Kind.I64, nullable=True),
            Column("consumer", Kind.CODE16, nullable=True),
            Column("detail", Kind.TEXT, nullable=True, text_bytes=128),
            Column("ts_left_start", Kind.TS, nullable=True),
            Column("ts_left_end", Kind.TS, nullable=True),
            has_source=False,
        ),
        _table(
            "sessions",
            Column("event", Kind.CODE16),
            Column("detail", Kind.TEXT, text_bytes=128),
            has_source=False,
        ),
        _table(
            "quarantine",
            Column("reason", Kind.CODE16),
            Column("payload", Kind.BINARY, text_bytes=4096),
            has_source=False,
        ),
    )
}

# Written by the feed itself, not by a venue's messages.
SYSTEM_TABLES = ("gaps", "sessions", "quarantine")
# Made from the rows of `book` where `[books]` asks for it: neither has streams of its own.
BOOK_TABLES = ("books", "top", "depth", "nbbo")
# Of users: a stream is one of a user, and silence says nothing.
USER_TABLES = ("fills", "orders", "fundings", "ledger")
# Those that messages feed.
DATA_TABLES = tuple(name for name in TABLES if name not in (*SYSTEM_TABLES, *BOOK_TABLES))
