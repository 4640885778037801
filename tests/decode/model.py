"""A slow interpreter of declarations in plain Python, to compare the decoder with.

It works on what `json.loads` gives (of equal keys the last counts) and knows nothing of registers,
fills or passes: for each row it looks up each column's value in the document.
"""

from __future__ import annotations

import base64
import datetime
import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Context, Decimal
from functools import cache
from itertools import groupby
from typing import Any

from tickwire.decode.paths import Path, Step
from tickwire.decode.paths import parse_path as parse_path_anew
from tickwire.decode.plan import ANSWERS, Field, Message, Packed, Reader, Rows, Scalar, Test
from tickwire.schema import Kind, Table

NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
COUNT = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?")
RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:[0-5]\d)", re.ASCII
)
parse_path = cache(parse_path_anew)
EXACT = Context(prec=5000)
ABSENT = object()
FILLED = ("seq", "venue", "ts_recv", "conn")


class RefusedError(Exception):
    """The message gives no rows."""


class Number(str):
    """The text of a JSON number."""

    __slots__ = ()


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def parse(payload: bytes) -> Any:
    """Parse JSON with its numbers as text; raises ValueError where it is none."""
    return json.loads(
        payload.decode(), parse_int=Number, parse_float=Number, parse_constant=_no_constant
    )


def get(value: Any, steps: Path) -> Any:
    """What stands at a path without iterations; ABSENT where nothing does."""
    for step in steps:
        if (isinstance(step, str) and isinstance(value, dict) and step in value) or (
            isinstance(step, int) and isinstance(value, list) and -len(value) <= step < len(value)
        ):
            value = value[step]
        else:
            return ABSENT
    return value


def everywhere(value: Any, steps: Path) -> Iterator[Any]:
    """What stands at a path, for all elements and members."""
    for at, step in enumerate(steps):
        if isinstance(step, Step):
            inner: list[Any] = []
            if step is Step.EACH and isinstance(value, list):
                inner = value
            elif step is Step.MEMBERS and isinstance(value, dict):
                inner = list(value.values())
            for element in inner:
                yield from everywhere(element, steps[at + 1 :])
            return
        value = get(value, (step,))
    yield value


def bids_first(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Let bids come before the asks before them, of one symbol and time."""
    ordered: list[dict[str, Any]] = []
    for _, one in groupby(found, lambda row: (row["symbol"], row["ts_event"])):
        sides = [(side, [*rows]) for side, rows in groupby(one, lambda row: row["side"])]
        while sides:
            side, rows = sides.pop(0)
            if side == "ask" and sides and sides[0][0] == "bid":
                ordered += sides.pop(0)[1]
            ordered += rows
    return ordered


def same(value: Any, scalar: Scalar) -> bool:
    """Whether a value of a message equals a declared one, kind and all."""
    if isinstance(scalar, bool):
        return value is scalar
    if isinstance(scalar, str):
        return isinstance(value, str) and not isinstance(value, Number) and value == scalar
    return isinstance(value, Number) and float(value) == float(scalar)


def holds(test: Test, value: Any) -> bool:
    """Whether a routing test holds."""
    if test.relation == "present":
        return value is not ABSENT
    if test.relation == "absent":
        return value is ABSENT
    if test.relation in ("prefix", "suffix"):
        if not isinstance(value, str) or isinstance(value, Number):
            return False
        compare = str.startswith if test.relation == "prefix" else str.endswith
        return any(compare(value, str(x)) for x in test.values)
    return any(same(value, x) for x in test.values) == (test.relation == "equal")


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RefusedError("bad_text") from error
    return text


def _decimal(text: str) -> str:
    if not NUMBER.fullmatch(text):
        raise RefusedError("bad_number")
    return text


def _whole(text: str, limit: int) -> int:
    if not re.fullmatch(r"-?(?:0|[1-9][0-9]*)", _decimal(text)) or abs(int(text)) >= limit:
        raise RefusedError("bad_number")
    return int(text)


def _time(text: str, unit_ns: int, *, or_us: bool = False) -> int:
    if not COUNT.fullmatch(text):
        raise RefusedError("bad_time")
    value = int(EXACT.multiply(Decimal(text), Decimal(unit_ns)))
    if or_us and abs(value) >= 2**63:
        value = int(EXACT.multiply(Decimal(text), Decimal(1000)))
        value = value if value >= 10**18 else 2**63
    if abs(value) >= 2**63:
        raise RefusedError("bad_time")
    return value


def rfc3339_ns(text: str) -> int | None:
    """An RFC 3339 time by the standard library; None where it is none or no int64 holds it."""
    match = RFC3339.fullmatch(text)
    if match is None:
        return None
    day, clock, fraction, zone = match.groups()
    leap = clock.endswith(":60")
    try:
        moment = datetime.datetime.fromisoformat(
            f"{day}T{clock[:-2] + '59' if leap else clock}{zone.upper()}"
        )
    except ValueError:
        return None
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    since = moment - epoch
    ns = (since.days * 86_400 + since.seconds + leap) * 10**9
    ns += int(((fraction or "") + "000000000")[:9])
    return ns if -(2**63) < ns < 2**63 else None


def read(spec: Field, kind: Kind, raw: Any) -> Any:
    """The value of a field, None for null; raises RefusedError."""
    reader = spec.reader
    if reader is Reader.CONSTANT:
        return spec.value
    if raw is ABSENT or raw is None:
        return None
    if isinstance(raw, (dict, list)):
        raise RefusedError("wrong_kind")
    if reader is Reader.CHOICE:
        if isinstance(raw, str):
            _encodable(raw)
        for key, result in spec.choices:
            if same(raw, key):
                return result
        if spec.otherwise is None and spec.or_null:
            return None
        if spec.otherwise is None:
            raise RefusedError("unknown_choice")
        return spec.otherwise
    is_flag = reader is Reader.FLAG or (reader is Reader.BY_COLUMN and kind is Kind.BOOL)
    if isinstance(raw, bool) != is_flag:
        raise RefusedError("wrong_kind")
    return raw if is_flag else _read_text(spec, kind, raw)


def _read_text(spec: Field, kind: Kind, raw: str) -> Any:
    reader = spec.reader
    text = _encodable(str(raw))
    if reader is Reader.SIGN:
        return dict(spec.choices)[-1 if float(_decimal(text)) < 0 else 1]
    if reader in (Reader.PART, Reader.PART_NUMBER):
        pieces = text.split(spec.separator)
        if not -len(pieces) <= spec.index < len(pieces):
            return None
        piece = pieces[spec.index]
        if spec.rest:
            piece = spec.separator.join(pieces[spec.index :])
        if reader is Reader.PART_NUMBER:
            plain = replace(spec, reader=Reader.NUMBER)
            return _read_text(plain, kind, piece)
        return _code(re.sub("[a-z]", lambda m: m[0].upper(), piece) if spec.upper else piece)
    if reader is Reader.TEXT or kind in (Kind.CODE16, Kind.CODE32, Kind.TEXT, Kind.BINARY):
        return text if kind in (Kind.TEXT, Kind.BINARY) else _code(text)
    if text == "":
        return None
    if reader is Reader.TIME:
        value = _time(text, spec.unit_ns, or_us=spec.or_us) + spec.add
        if value >= 2**63:
            raise RefusedError("bad_time")
        return value
    if reader is Reader.RFC3339:
        found = rfc3339_ns(text)
        if found is None:
            raise RefusedError("bad_time")
        return found
    if kind is Kind.F64:
        value = float(_decimal(text))
        return -value if spec.magnitude and value < 0 else value
    value = _whole(text, 2**63) + spec.add
    if abs(value) >= (2**31 if kind is Kind.I32 else 2**63):
        raise RefusedError("bad_number")
    return value


def _code(text: str) -> str:
    if len(text.encode()) > 255:
        raise RefusedError("too_long")
    return text


def unpacked(packed: Packed, document: Any) -> bytes:
    """The message inside of another one; raises RefusedError."""
    raw = get(document, parse_path(packed.path))
    if raw is ABSENT or raw is None:
        raise RefusedError("missing")
    if not isinstance(raw, str):
        raise RefusedError("wrong_kind")
    text = _encodable(raw)
    for _ in range(2):
        text = text.removesuffix("=")
    if not re.fullmatch("[A-Za-z0-9+/]*", text):
        raise RefusedError("inflate")
    if len(text) % 4 == 1:
        text = text[:-1]
    data = base64.b64decode(text + "=" * (-len(text) % 4))
    try:
        found = _inflated(packed, data)
    except (zlib.error, OSError, EOFError) as error:
        raise RefusedError("inflate") from error
    if len(found) > packed.most_bytes:
        raise RefusedError("too_long")
    return found


def _inflated(packed: Packed, data: bytes) -> bytes:
    if packed.form == "gzip":
        return gzip.decompress(data)
    stream = zlib.decompressobj(-15 if packed.form == "deflate" else 15)
    found = stream.decompress(data, packed.most_bytes + 1)
    if stream.unused_data:
        raise RefusedError("inflate")
    return found


def conditions(rows: Rows) -> Iterator[tuple[str, Field]]:
    """What rows depend on: paths, and how a scalar there is read."""
    for path, test in rows.when.items():
        choices = tuple((value, True) for value in test.values)
        yield path, Field(Reader.CHOICE, path, choices=choices, otherwise=False)


class Model:
    """Messages of one source, and what they leave behind.

    Parameters
    ----------
    messages, tables
        As for `Program`.
    symbols
        As for `Decoder`.
    """

    def __init__(
        self,
        messages: Sequence[Message],
        tables: Mapping[str, Table],
        symbols: Sequence[str] = ("*",),
    ) -> None:
        self.messages = messages
        self.tables = tables
        self.symbols = symbols
        # Delivered trades by id: their times and prices.
        self.seen: dict[tuple[str, object, str, str], set[tuple[Any, Any]]] = {}
        self.n_duplicates = self.n_conflicts = 0
        self.carried: dict[tuple[str, str], dict[str, Any]] = {}

    def names(self, symbol: str) -> bool:
        """Whether the source has a symbol."""
        return "*" in self.symbols or symbol in self.symbols

    def route(self, payload: bytes, inside: str = "") -> tuple[Message | None, Any]:
        """The declaration that a message belongs to, and the document; raises ValueError.

        Of a message that came out of another one, `inside` is that one's name.
        """
        document: Any = None
        problem: ValueError | None = None
        try:
            document = parse(payload)
        except ValueError as error:
            problem = error
        for message in self.messages:
            if message.kind in ANSWERS or message.inside != inside:
                continue
            if message.raw is not None:
                if holds(message.raw, payload.decode()):
                    return message, document
            elif problem is None and all(
                holds(test, get(document, parse_path(path))) for path, test in message.when.items()
            ):
                return message, document
        if problem is not None:
            raise problem
        return None, document

    def inner(self, payload: bytes) -> bytes | None:
        """The message inside of a message, where there is one."""
        try:
            message, document = self.route(payload)
            packed = None if message is None else message.packed
            return None if packed is None else unpacked(packed, document)
        except (ValueError, RefusedError):
            return None

    def decode(self, payload: bytes) -> dict[str, list[dict[str, Any]]] | None:
        """The rows of a message by table; None where it is quarantined."""
        try:
            message, document = self.route(payload)
            if message is not None and message.packed is not None:
                text = unpacked(message.packed, document)
                message, document = self.route(text, inside=message.name)
        except (ValueError, RefusedError):
            return None
        if message is None or message.kind != "data":
            return {}
        seen = {key: set(x) for key, x in self.seen.items()}
        carried = {key: dict(x) for key, x in self.carried.items()}
        counts = self.n_duplicates, self.n_conflicts
        try:
            return _Decoding(self, message, document).run()
        except RefusedError:
            self.seen, self.carried = seen, carried
            self.n_duplicates, self.n_conflicts = counts
            return None


class _Decoding:
    def __init__(self, model: Model, message: Message, document: Any) -> None:
        self.model = model
        self.message = message
        self.document = document
        self.out: dict[str, list[dict[str, Any]]] = {}
        self.kept_back: set[str] = set()
        self.unmatched: set[str] = set()
        self.unreadable: set[str] = set()  # columns of the row

    def run(self) -> dict[str, list[dict[str, Any]]]:
        for rows in self.message.rows:
            self.check_all(rows)
            for path, match in conditions(rows):
                for raw in everywhere(self.document, self.absolute(rows, path)):
                    read(match, Kind.BOOL, raw)
        ats = [(i, parse_path(rows.at)) for i, rows in enumerate(self.message.rows)]
        self.walk(self.document, ats, [], ())
        for name in dict.fromkeys(rows.into for rows in self.message.rows):
            if self.model.tables[name].marks_last:
                self.mark_last(name)
        return self.out

    def check_all(self, rows: Rows) -> None:
        """Read every value that the rows name, wherever it stands."""
        for name, steps, spec in self.named(rows):
            for raw in everywhere(self.document, steps):
                self.cell(rows, name, spec, raw)

    def cell(self, rows: Rows, column: str, spec: Field, raw: Any) -> Any:
        """The value of a column; null where an optional one cannot be read."""
        table = self.model.tables[rows.into]
        declared = table.columns[table.index(column)]
        level = table.marks_last and column in ("side", "price", "size")
        try:
            return read(spec, declared.kind, raw)
        except RefusedError:
            if level or not declared.nullable or column == "ts_event":
                raise
            self.unreadable.add(column)
            return None

    def named(self, rows: Rows) -> Iterator[tuple[str, Path, Field]]:
        for name, spec in rows.fields.items():
            if spec.reader is Reader.MEMBER_KEY or spec.reader is Reader.CONSTANT:
                continue
            yield name, self.absolute(rows, spec.path), spec

    @staticmethod
    def absolute(rows: Rows, path: str) -> Path:
        if path.startswith("$"):
            return parse_path(path[1:].removeprefix("."))
        return parse_path(rows.at) + parse_path(path)

    def kind(self, rows: Rows, column: str) -> Kind:
        table = self.model.tables[rows.into]
        return table.columns[table.index(column)].kind

    def check_kind(self, value: Any, pattern: Path) -> None:
        """Refuse a value that cannot hold what the declaration looks for in it."""
        paths = [parse_path(path) for path in self.message.when]
        for rows in self.message.rows:
            paths += [parse_path(rows.at), *(steps for _, steps, _ in self.named(rows))]
            paths += [self.absolute(rows, path) for path in rows.when]
        below = [p[len(pattern)] for p in paths if p[: len(pattern)] == pattern != p]
        in_object = [step for step in below if isinstance(step, str) or step is Step.MEMBERS]
        fits = bool(in_object) if isinstance(value, dict) else len(in_object) < len(below)
        if below and not (isinstance(value, (dict, list)) and fits):
            raise RefusedError("missing" if value is None else "wrong_kind")

    def walk(
        self, value: Any, active: list[tuple[int, Path]], trail: list[Any], pattern: Path
    ) -> None:
        """Rows at and below a value; `active` are row sets with what is left of their paths."""
        all_rows = self.message.rows
        optional = all(all_rows[i].optional for i, _ in active)
        if value is None and optional:
            return
        self.check_kind(value, pattern)
        below: dict[Any, list[tuple[int, Path]]] = {}
        for i, steps in active:
            if steps:
                below.setdefault(steps[0], []).append((i, steps[1:]))
        for step, group in sorted(below.items(), key=lambda item: min(i for i, _ in item[1])):
            inner = (*pattern, step)
            if step is Step.EACH:
                for i, element in enumerate(value):
                    self.walk(element, group, [*trail, i], inner)
            elif step is Step.MEMBERS:
                for key, element in value.items():
                    self.walk(element, group, [*trail, key], inner)
            else:
                child = get(value, (step,))
                if child is not ABSENT:
                    self.walk(child, group, [*trail, step], inner)
                elif not all(all_rows[i].optional for i, _ in group):
                    raise RefusedError("missing")
        for i, steps in active:
            if not steps:
                self.emit(all_rows[i], value, trail)

    def emit(self, rows: Rows, item: Any, trail: list[Any]) -> None:
        table = self.model.tables[rows.into]
        row: dict[str, Any] = {}
        for path, test in rows.when.items():
            found = self.look_up(rows, path, item, trail)
            if not holds(test, ABSENT if found is None else found):
                self.unmatched.add(table.name)
                return
        self.unreadable.clear()
        for column in table.columns:
            if column.name in FILLED or (table.marks_last and column.name == "last"):
                continue
            spec = rows.fields.get(column.name)
            if spec is None:
                row[column.name] = None
            elif spec.reader is Reader.MEMBER_KEY:
                row[column.name] = _code(_encodable(trail[-1]))
            else:
                row[column.name] = self.value(rows, column.name, spec, item, trail)
        parts = rows.once if isinstance(rows.once, tuple) else ()
        texts = tuple(self.id_part(rows, path, item, trail) for path in parts)
        self.admit(rows, table, row, texts or row.get("trade_id"))

    def id_part(self, rows: Rows, path: str, item: Any, trail: list[Any]) -> str | None:
        """One of the texts that are an id together; None where it is none."""
        try:
            text = read(Field(Reader.TEXT, path), Kind.TEXT, self.look_up(rows, path, item, trail))
        except RefusedError:
            return None
        assert text is None or isinstance(text, str)
        return text

    def value(self, rows: Rows, column: str, spec: Field, item: Any, trail: list[Any]) -> Any:
        if spec.zero_when is not None:
            path, scalar = spec.zero_when
            condition = self.look_up(rows, path, item, trail)
            if isinstance(condition, (dict, list)):
                raise RefusedError("wrong_kind")
            if same(condition, scalar):
                return 0.0
        plain = replace(spec, zero_when=None)
        return self.cell(rows, column, plain, self.look_up(rows, spec.path, item, trail))

    def look_up(self, rows: Rows, path: str, item: Any, trail: list[Any]) -> Any:
        if not path.startswith("$"):
            return get(item, parse_path(path))
        steps = parse_path(path[1:].removeprefix("."))
        return get(
            self.document, tuple(t if isinstance(s, Step) else s for s, t in _zip(steps, trail))
        )

    def admit(self, rows: Rows, table: Table, row: dict[str, Any], identity: object) -> None:
        symbol = row["symbol"]
        if symbol is not None and not self.model.names(symbol):
            self.kept_back.add(table.name)
            return
        if rows.carry and symbol is not None:
            self.carry(rows, table, row)
        if rows.once and symbol is not None and identity is not None:
            key = (table.name, row.get("channel"), symbol, identity)
            told_apart = (row["ts_event"], row.get("price"))
            if "price" in row and told_apart[1] is None:
                raise RefusedError("missing")
            delivered = self.model.seen.setdefault(key, set())
            if told_apart in delivered:
                self.model.n_duplicates += 1
                self.kept_back.add(table.name)
                return
            self.model.n_conflicts += bool(delivered)
            delivered.add(told_apart)
        for column in table.columns:
            # A level has a price and a size; only the row of an empty book has none.
            level = table.marks_last and column.name in ("side", "price", "size")
            needed = not column.nullable or (level and column.name in rows.fields)
            if needed and row.get(column.name, 0) is None:
                raise RefusedError("missing")
        self.out.setdefault(table.name, []).append(row)

    def carry(self, rows: Rows, table: Table, row: dict[str, Any]) -> None:
        key = (table.name, row["symbol"])
        if rows.carry_reset:
            self.model.carried.pop(key, None)
        state = self.model.carried.setdefault(key, {})
        for column in table.columns:
            spec = rows.fields.get(column.name)
            if spec is None or not column.nullable or column.name == "ts_event":
                continue
            if spec.path.startswith("$") or column.kind in (Kind.TEXT, Kind.BINARY):
                continue
            if column.name in self.unreadable:
                state.pop(column.name, None)
            elif row[column.name] is not None:
                state[column.name] = row[column.name]
            else:
                row[column.name] = state.get(column.name)

    def mark_last(self, name: str) -> None:
        found = self.out.get(name, [])
        if not found:
            others = (self.out.keys() | self.kept_back) - {name}
            if name in self.kept_back or (
                name in self.unmatched and others and not self.message.spliced
            ):
                return
            row = self.empty(name)
            if row is None:
                return
            found = self.out.setdefault(name, [])
            found.append(row)
        group = [rows for rows in self.message.rows if rows.into == name]
        if [rows.fields["side"].value for rows in group if "side" in rows.fields] == ["ask", "bid"]:
            found[:] = bids_first(found)
        for at, row in enumerate(found):
            row["last"] = at + 1 == len(found)

    def empty(self, name: str) -> dict[str, Any] | None:
        """The row of a book message without levels."""
        table = self.model.tables[name]
        group = [rows for rows in self.message.rows if rows.into == name]
        fits = [rows for rows in group if self.fits_outside(rows)]
        if not fits and not self.message.spliced:
            return None
        chosen = (fits or group)[0]
        row: dict[str, Any] = {}
        for column in table.columns:
            if column.name in FILLED or column.name == "last":
                continue
            spec = chosen.fields.get(column.name)
            value = None
            shared = len({str(rows.fields.get(column.name)) for rows in group}) == 1
            shared = shared and spec is not None and spec.reader is not Reader.CONSTANT
            shared = shared and spec.path.startswith("$")  # not the levels' own
            if spec is not None and (shared or not column.nullable):
                value = self.cell(chosen, column.name, spec, self.last_of(chosen, spec.path))
            row[column.name] = value
            if row.get("symbol") is not None and not self.model.names(row["symbol"]):
                return None
        if any(row[c.name] is None and not c.nullable for c in table.columns if c.name in row):
            raise RefusedError("missing")
        return row

    def last_of(self, rows: Rows, path: str) -> Any:
        """Of an outer array, the last element is the one that gave no level; so of the items."""
        found = [*everywhere(self.document, self.absolute(rows, path))]
        return found[-1] if found else ABSENT

    def fits_outside(self, rows: Rows) -> bool:
        """Whether what stands outside of the items says that the message has such rows."""
        for path, test in rows.when.items():
            if path.startswith("$"):
                found = self.last_of(rows, path)
                if not holds(test, ABSENT if found is None else found):
                    return False
        return True


def _zip(steps: Path, trail: list[Any]) -> Iterator[tuple[Any, Any]]:
    for at, step in enumerate(steps):
        yield step, trail[at] if at < len(trail) else None
