"""The words in which a venue declares how its messages become rows.

Rules of this file
------------------
- A declaration is data: frozen dataclasses, made by the functions below. Nothing here decodes.
- Paths. `px`, `o.s`, `[0]`, `[-2]`, `o.list[3]` are relative to the item that gives a row; the
  empty path is the item itself. A path that begins with `$` starts at the message: `$.data.coin`,
  `$[1]`, `$.data[].ts` (the current element of an array that the rows iterate over).
- `rows(at=...)` is a path from the message, without `$`, in which `[]` iterates over an array and
  `{}` over the members of an object. `at=""` makes one row of the message itself.
- What a bare path means follows from its column: float64 a number, int64 and int32 an integer,
  bool true or false, text the string (or the digits of a number), a symbol the string.
- A column that is not named is null if it may be, else the declaration is refused. `seq`, `venue`,
  `ts_recv`, `conn` and the book's `last` are filled by the decoder and cannot be named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Literal

from tickwire.errors import PlanError

Scalar = str | bool | int | float


class Reader(Enum):
    """How the text at a path becomes a value."""

    BY_COLUMN = "by_column"
    NUMBER = "number"
    INTEGER = "integer"
    TEXT = "text"
    FLAG = "flag"
    TIME = "time"  # integer or decimal count of `unit`
    RFC3339 = "rfc3339"
    CHOICE = "choice"
    SIGN = "sign"
    PART = "part"
    PART_NUMBER = "number of a part"
    CONSTANT = "constant"
    MEMBER_KEY = "member_key"
    GIVEN = "given"
    POSITION = "position"
    LOOKUP = "lookup"


@dataclass(frozen=True, slots=True)
class Field:
    """One column's value; made by the functions of this module."""

    reader: Reader
    path: str = ""
    unit_ns: int = 0
    or_us: bool = False
    add: int = 0
    magnitude: bool = False
    zero_when: tuple[str, Scalar] | None = None
    choices: tuple[tuple[Scalar, str | bool], ...] = ()
    otherwise: str | bool | None = None
    value: Scalar | None = None
    separator: str = ""
    index: int = 0
    upper: bool = False
    rest: bool = False
    or_null: bool = False


class Null(Enum):
    """What `null()` gives."""

    NULL = "null"


def null() -> Null:
    """Give the `otherwise` of a `choice` that lets any other value be null."""
    return Null.NULL


def number(
    path: str | Field, *, magnitude: bool = False, zero_when: tuple[str, Scalar] | None = None
) -> Field:
    """Read a float64, quoted or not.

    Parameters
    ----------
    path
        Where it stands; or a `part(...)` of a string.
    magnitude
        Drop the sign (venues that give the side by it).
    zero_when
        `(path, scalar)`: the value is 0 when that other field equals the scalar, such as an
        action "delete" or a count 0.
    """
    if isinstance(path, str):
        return Field(Reader.NUMBER, path, magnitude=magnitude, zero_when=zero_when)
    if path.reader is not Reader.PART or path.upper or path.rest:
        raise PlanError("number(...) takes a path, or part(...) without upper and rest")
    return replace(path, reader=Reader.PART_NUMBER, magnitude=magnitude, zero_when=zero_when)


def integer(path: str, *, add: int = 0) -> Field:
    """Read an integer, quoted or not, and add `add` to it."""
    return Field(Reader.INTEGER, path, add=add)


def text(path: str) -> Field:
    """Read a string, or the text of a number as it was sent."""
    return Field(Reader.TEXT, path)


def flag(path: str) -> Field:
    """Read true or false."""
    return Field(Reader.FLAG, path)


def seconds(path: str, *, later_ms: int = 0) -> Field:
    """Read a time as a count of seconds since the epoch, quoted or not, decimals allowed.

    Parameters
    ----------
    path
        Where it stands.
    later_ms
        The value is so much later: the end of a candle of which only the begin is sent.
    """
    return Field(Reader.TIME, path, unit_ns=1_000_000_000, add=later_ms * 1_000_000)


def ms(path: str, *, or_us: bool = False, later_ms: int = 0) -> Field:
    """Read a time as a count of milliseconds since the epoch.

    Parameters
    ----------
    path
        Where it stands.
    or_us
        A count that is too large for milliseconds is one of microseconds, since 2001.
    later_ms
        The value is so much later: the end of a candle of which only the begin is sent.
    """
    return Field(Reader.TIME, path, unit_ns=1_000_000, or_us=or_us, add=later_ms * 1_000_000)


def us(path: str) -> Field:
    """Read a time as a count of microseconds since the epoch."""
    return Field(Reader.TIME, path, unit_ns=1_000)


def ns(path: str) -> Field:
    """Read a time as a count of nanoseconds since the epoch."""
    return Field(Reader.TIME, path, unit_ns=1)


def rfc3339(path: str) -> Field:
    """Read a time such as `2023-10-06T17:35:55.440295Z`, any offset."""
    return Field(Reader.RFC3339, path)


def choice(
    path: str, choices: Mapping[Scalar, str | bool], *, otherwise: str | bool | Null | None = None
) -> Field:
    """Translate one of a few values; another one is an error unless `otherwise` is given.

    For a bool column the results are bools, for a dictionary column strings. With
    `otherwise=null()`, in a column that may be null, another value is null.
    """
    pairs = tuple(choices.items())
    if isinstance(otherwise, Null):
        return Field(Reader.CHOICE, path, choices=pairs, or_null=True)
    return Field(Reader.CHOICE, path, choices=pairs, otherwise=otherwise)


def sign(path: str, *, positive: str, negative: str) -> Field:
    """Choose by the sign of a number (zero counts as positive)."""
    return Field(Reader.SIGN, path, choices=((1, positive), (-1, negative)))


def part(
    path: str, separator: str, index: int, *, upper: bool = False, rest: bool = False
) -> Field:
    """Take the piece number `index` of a string cut at `separator` (one character).

    A negative index counts from the end; `upper` makes ASCII letters upper case; `rest` takes
    what is behind the piece as well, separators included.
    """
    return Field(Reader.PART, path, separator=separator, index=index, upper=upper, rest=rest)


def constant(value: Scalar) -> Field:
    """Give every row the same value."""
    return Field(Reader.CONSTANT, value=value)


def member_key() -> Field:
    """Take the key of the object member that gives the row (`{}` in `at`)."""
    return Field(Reader.MEMBER_KEY)


def given() -> Field:
    """Take the symbol that the caller of the decoder gives, for REST answers that lack it."""
    return Field(Reader.GIVEN)


def lookup(path: str) -> Field:
    """Take the symbol that an acknowledgement of the connection has given a number.

    Messages whose number none has given are quarantined (`unknown_choice`).

    Parameters
    ----------
    path
        Where the number stands, quoted or not; `message(..., names=...)` says where it stands in
        acknowledgements.
    """
    return Field(Reader.LOOKUP, path)


def position(path: str, *, most: int) -> Field:
    """Name a level that is removed by its place in its side before the message, the best being 0.

    For the `price` of rows without a size, in spliced messages that name `ts_event`: the rows are
    published with the level's price and size 0. What a message sets counts after what it removes,
    wherever it stands. A place without a level, a side with more levels, crossed sides and a time
    before the last one's break the book.

    Parameters
    ----------
    path
        Where the place stands.
    most
        How many levels a side can have.
    """
    return Field(Reader.POSITION, path, index=most)


@dataclass(frozen=True, slots=True)
class Test:
    """A condition on a field, for routing."""

    __test__ = False  # pytest: not a test class

    relation: Literal["equal", "prefix", "suffix", "present", "absent", "unlike"]
    values: tuple[Scalar, ...] = ()


def equal(*values: Scalar) -> Test:
    """Match one of these values exactly."""
    return Test("equal", values)


def prefix(*values: str) -> Test:
    """Match strings that begin with one of these."""
    return Test("prefix", values)


def suffix(*values: str) -> Test:
    """Match strings that end with one of these."""
    return Test("suffix", values)


def present() -> Test:
    """Match where the field stands, whatever its value (null too)."""
    return Test("present")


def absent() -> Test:
    """Match where the field does not stand."""
    return Test("absent")


def unlike(*values: Scalar) -> Test:
    """Match where the field is none of these, or absent."""
    return Test("unlike", values)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one table out of one message; made by `rows`."""

    at: str
    into: str
    fields: Mapping[str, Field]
    carry: bool = False
    carry_reset: bool = False
    once: bool | tuple[str, ...] = False
    first_seq: Field | None = None
    checksum: Field | None = None
    optional: bool = False
    when: Mapping[str, Test] = field(default_factory=dict)


def rows(
    *,
    at: str,
    into: str,
    carry: bool = False,
    carry_reset: bool = False,
    once: bool | Sequence[str] | None = None,
    first_seq: Field | None = None,
    checksum: Field | None = None,
    optional: bool = False,
    when: Mapping[str, Scalar | Test] | None = None,
    **fields: str | Field,
) -> Rows:
    """Declare rows of the table `into`.

    Parameters
    ----------
    at
        Path from the message to what gives a row each.
    into
        The table.
    carry
        Nullable columns that this message lacks keep the last value seen for their symbol.
    carry_reset
        Forget what was carried for the symbol first (a snapshot).
    once
        Deliver an id only once per symbol and channel; by default where the table is `trades`. The
        id is the column `trade_id`; where a venue sends none, the paths of the scalars that
        together are one: `once=("time", "coin")`.
    first_seq
        Books with continuity: the message's first update id (Binance's `U`); the last and the
        previous one are the columns `venue_seq` and `venue_prev_seq`.
    checksum
        Books that are verified by one: an integer, of the book after the message.
    optional
        The array, object or value that gives the rows may be absent; else that is an error.
    when
        Paths, as fields have them, to the scalars that they must have for there to be a row:
        values, `equal`, `unlike`, `present` or `absent`. Null counts as absent.
    fields
        Column name to path or Field.
    """
    made = {
        name: Field(Reader.BY_COLUMN, value) if isinstance(value, str) else value
        for name, value in fields.items()
    }
    return Rows(
        at,
        into,
        made,
        carry,
        carry_reset,
        into == "trades" if once is None else once if isinstance(once, bool) else tuple(once),
        first_seq,
        checksum,
        optional,
        _tests(when),
    )


def _tests(when: Mapping[str, Scalar | Test] | None) -> dict[str, Test]:
    given = (when or {}).items()
    return {path: test if isinstance(test, Test) else equal(test) for path, test in given}


PackedForm = Literal["deflate", "zlib", "gzip"]
PACKED_FORMS: tuple[PackedForm, ...] = ("deflate", "zlib", "gzip")
MOST_PACKED_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Packed:
    """A message inside of another one; made by `inflated`."""

    path: str
    form: PackedForm
    most_bytes: int


def inflated(
    path: str, form: PackedForm = "deflate", *, most_bytes: int = MOST_PACKED_BYTES
) -> Packed:
    """Take the base64 text at a path for a compressed JSON message of its own.

    Parameters
    ----------
    path
        Where it stands, from the message.
    form
        `deflate` (raw, RFC 1951), `zlib` (RFC 1950) or `gzip`. Base64 without padding, and a
        stream of the first two without its end, are taken as far as they go.
    most_bytes
        What holds more is quarantined: `too_long`.
    """
    return Packed(path.removeprefix("$").removeprefix("."), form, most_bytes)


MessageKind = Literal[
    "data", "acknowledge", "error", "ping", "pong", "ignore", "snapshot", "backfill"
]
ANSWERS: tuple[MessageKind, ...] = ("snapshot", "backfill")  # of REST: no message is routed to one


@dataclass(frozen=True, slots=True)
class Message:
    """A kind of message; made by `message`."""

    name: str
    kind: MessageKind
    when: Mapping[str, Test] = field(default_factory=dict)
    raw: Test | None = None
    rows: tuple[Rows, ...] = ()
    spliced: bool = False
    packed: Packed | None = None
    inside: str = ""
    names: tuple[str, str] | None = None


def message(
    name: str,
    *,
    when: Mapping[str, Scalar | Test] | None = None,
    raw: str | Test | None = None,
    kind: MessageKind = "data",
    rows: Sequence[Rows] = (),
    spliced: bool = False,
    packed: Packed | None = None,
    inside: str = "",
    names: tuple[str, str] | None = None,
) -> Message:
    """Declare a kind of message and how to recognise it.

    Parameters
    ----------
    name
        For errors and counters.
    when
        Paths from the message (without `$`) and the values that they must have; all must hold.
        The first declared message that matches wins.
    raw
        For payloads that are no JSON: the whole text, or a Test on it.
    kind
        `data` gives rows. `acknowledge`, `error`, `ping` and `pong` go to the session as events.
        `ignore` is known and dropped. `snapshot` (of a book) and `backfill` (of trades) are never
        routed to: they are decoded on request (a REST answer).
    rows
        What it gives, in this order.
    spliced
        The rows are a book's, which the venue's `book` rule follows: its changes, and with them
        the snapshots that come in band.
    packed
        `inflated(...)`: what it holds is decoded by the messages that are declared `inside` of it,
        and it has no rows of its own.
    inside
        The name of the packed message that holds this one: it is looked for there alone, and its
        paths start at what came out.
    names
        Of an acknowledgement: the paths of a number and of the symbol that it stands for from then
        on, on this connection, where rows have `symbol=lookup(...)`.
    """
    raw_test = Test("equal", (raw,)) if isinstance(raw, str) else raw
    return Message(name, kind, _tests(when), raw_test, tuple(rows), spliced, packed, inside, names)
