"""Values and rows: JSON with its numbers as text, and tables kept by column."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import compress
from typing import Any

from tickwire.schema import TABLES

NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


class BadMessageError(Exception):
    """The message cannot be decoded and gives no rows."""


class Number(str):
    """The text of a JSON number, told apart from a JSON string."""

    __slots__ = ()


def _constant(name: str) -> Any:
    raise BadMessageError(f"{name} is no JSON")


def parse(payload: bytes) -> Any:
    """Parse JSON; numbers stay text."""
    try:
        return json.loads(
            payload.decode(), parse_float=Number, parse_int=Number, parse_constant=_constant
        )
    except ValueError as error:
        raise BadMessageError(str(error)) from error


def real(value: Any) -> float | None:
    """Read a float64 from a number or a string; null and the empty string are None."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not NUMBER.fullmatch(value):
        raise BadMessageError(f"{value!r} is no number")
    return float(value)


def optional(read: Callable[[Any], Any], value: Any) -> Any:
    """Read a value of a nullable column: one that cannot be read is None."""
    try:
        return read(value)
    except BadMessageError:
        return None


def must(value: Any) -> Any:
    """Refuse null."""
    if value is None:
        raise BadMessageError("a value that must be there is not")
    return value


def in_range(value: int) -> int:
    """Refuse what no int64 holds; the smallest one stands for null."""
    if not -(2**63) < value < 2**63:
        raise BadMessageError(f"{value} is no int64")
    return value


def whole(value: Any) -> int | None:
    """Read an integer from a number or a string."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not re.fullmatch(r"-?(?:0|[1-9][0-9]*)", value):
        raise BadMessageError(f"{value!r} is no integer")
    return in_range(int(value))


def ms(value: Any) -> int | None:
    """Read a count of milliseconds, decimals allowed, as ns; what is below 1 ns is cut."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not re.fullmatch(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?", value):
        raise BadMessageError(f"{value!r} is no time")
    count, _, rest = value.partition(".")
    return in_range(int(count) * 1_000_000 + int((rest + "000000")[:6]))


def member(value: Any, key: str) -> Any:
    """Follow a path into an object; None where it leads nowhere."""
    return value.get(key) if isinstance(value, dict) else None


def item(value: Any, index: int) -> Any:
    """Follow a path into an array; None where it leads nowhere."""
    return value[index] if isinstance(value, list) and index < len(value) else None


def word(value: Any) -> str:
    """Read a string that must be there."""
    if not isinstance(value, str):
        raise BadMessageError(f"{value!r} is no string")
    return str(value)


def flag(value: Any) -> bool | None:
    """Read true or false, or null."""
    if value is not None and not isinstance(value, bool):
        raise BadMessageError(f"{value!r} is neither true nor false")
    return value


def words(value: Any) -> str | None:
    """Read a string, or a number's text, that may be null."""
    return None if value is None else word(value)


def trade_key(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Tell a trade that comes again from another of the same id: by time and price, to the bit."""
    return tuple(str(row[name]) for name in ("channel", "symbol", "trade_id", "ts_event", "price"))


class Columns:
    """The rows of one table, by column."""

    def __init__(self, table: str, extras: Sequence[str] = ()) -> None:
        self.table = table
        names = [column.name for column in TABLES[table].columns] + list(extras)
        self.nullable = {column.name for column in TABLES[table].columns if column.nullable}
        self.nullable |= set(extras)
        self.values: dict[str, list[Any]] = {name: [] for name in names if name != "seq"}

    def __len__(self) -> int:
        return len(self.values["ts_recv"])

    def add(self, row: dict[str, Any]) -> None:
        """Append a row; what it does not name is null."""
        for name, values in self.values.items():
            values.append(row.get(name))

    def check(self, row: dict[str, Any]) -> None:
        """Refuse a row that lacks what must be there."""
        for name in self.values:
            if name not in self.nullable and row.get(name) is None:
                raise BadMessageError(f"{self.table}.{name} is missing")

    def of(self, symbol: str) -> "Columns":
        """Give the rows of one symbol."""
        found = Columns(self.table)
        keep = [each == symbol for each in self.values["symbol"]]
        found.values = {name: list(compress(values, keep)) for name, values in self.values.items()}
        return found

    def extend(self, rows: Iterable[dict[str, Any]]) -> None:
        """Append rows, all or none."""
        rows = list(rows)
        for row in rows:
            self.check(row)
        for row in rows:
            self.add(row)


def book_message(
    common: dict[str, Any], bids: Iterable[Sequence[Any]], asks: Iterable[Sequence[Any]]
) -> list[dict[str, Any]]:
    """Make the rows of a book message: bids first, the last row marked, one row if it is empty.

    A level is (price, size) or (price, size, order count), as the venue sent them.
    """
    found = [
        common
        | {
            "side": side,
            "price": must(real(level[0])),
            "size": must(real(level[1])),
            "order_count": optional(whole, level[2]) if len(level) > 2 else None,
            "last": False,
        }
        for side, levels in (("bid", bids), ("ask", asks))
        for level in levels
    ]
    if not found:
        return [common | {"last": True}]
    found[-1]["last"] = True
    return found
