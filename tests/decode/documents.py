"""Random documents for declarations: right ones, and ones with every kind of mistake."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tickwire.decode.paths import Path, Step, parse_path
from tickwire.decode.plan import Field, Message, Reader, Rows
from tickwire.schema import Kind, Table

SYMBOLS = ("BTC", "ETH", "Ω/USD", "a@b")
WORDS = ("null", "true", "false", "[]", "{}", '""', '"x"', "0", "-1.5", '"-"', "[[1]]", '{"a":[1]}')
SPACES = ("", " ", "\n", "\t ", "\r\n")


@dataclass
class Place:
    """A place of the document and what the declarations expect there."""

    keys: dict[str, Place] = field(default_factory=dict)
    items: dict[int, Place] = field(default_factory=dict)
    each: Place | None = None
    members: Place | None = None
    readers: list[tuple[Field, Kind]] = field(default_factory=list)
    fixed: str = ""

    def child(self, step: str | int | Step) -> Place:
        if isinstance(step, str):
            return self.keys.setdefault(step, Place())
        if isinstance(step, int):
            return self.items.setdefault(step, Place())
        if step is Step.EACH:
            self.each = self.each or Place()
            return self.each
        self.members = self.members or Place()
        return self.members

    def at(self, steps: Path) -> Place:
        place = self
        for step in steps:
            place = place.child(step)
        return place


def expectations(message: Message, tables: dict[str, Table]) -> Place:
    """The places that a message's declaration names."""
    root = Place()
    for path, test in message.when.items():
        if test.relation == "equal":
            root.at(parse_path(path)).fixed = json.dumps(test.values[0])
    for rows in message.rows:
        root.at(parse_path(rows.at))
        table = tables[rows.into]
        for name, spec in rows.fields.items():
            kind = table.columns[table.index(name)].kind
            if spec.reader not in (Reader.CONSTANT, Reader.MEMBER_KEY):
                root.at(_steps(rows, spec.path)).readers.append((spec, kind))
            if spec.zero_when is not None:
                path, scalar = spec.zero_when
                match = Field(Reader.CHOICE, path, choices=((scalar, True), (1, False)))
                root.at(_steps(rows, path)).readers.append((match, Kind.BOOL))
        for path, test in rows.when.items():
            choices = tuple((value, True) for value in (*test.values, 1))
            match = Field(Reader.CHOICE, path, choices=choices)
            root.at(_steps(rows, path)).readers.append((match, Kind.BOOL))
    return root


def holding(holder: Message, text: str) -> Place:
    """The places of a message that holds another one, with that one's text packed."""
    assert holder.packed is not None
    wbits = {"deflate": -15, "zlib": 15, "gzip": 31}[holder.packed.form]
    packed = base64.b64encode(zlib.compress(text.encode(errors="surrogatepass"), wbits=wbits))
    root = expectations(holder, {})
    root.at(parse_path(holder.packed.path)).fixed = json.dumps(packed.decode())
    return root


def _steps(rows: Rows, path: str) -> Path:
    if path.startswith("$"):
        return parse_path(path[1:].removeprefix("."))
    return parse_path(rows.at) + parse_path(path)


class Writer:
    """Writes documents.

    Parameters
    ----------
    rng
        Where the choices come from.
    mistakes
        How often a value is missing, null, or of a wrong kind.
    noise
        How often keys are doubled, unknown or escaped, and white space is put in.
    steady
        Keys keep their order, as those of a real exchange do, so that predictions come true.
    """

    def __init__(
        self, rng: Random, *, mistakes: float = 0.02, noise: float = 0.1, steady: bool = False
    ) -> None:
        self.rng = rng
        self.steady = steady
        self.mistakes = mistakes
        self.noise = noise

    def often(self, probability: float) -> bool:
        return self.rng.random() < probability

    def space(self) -> str:
        return self.rng.choice(SPACES) if self.often(self.noise) else ""

    def string(self, text: str) -> str:
        if not self.often(self.noise):
            return json.dumps(text, ensure_ascii=self.often(0.5))
        units = text.encode("utf-16-be")
        return '"' + "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2)) + '"'

    def write(self, place: Place) -> str:
        """Write a value for a place."""
        if self.often(self.mistakes):
            return self.rng.choice(WORDS)
        if place.keys:
            return self.object(place)
        if place.items or place.each is not None:
            return self.array(place)
        if place.members is not None:
            symbols = [self.rng.choice(SYMBOLS) for _ in range(self.rng.randrange(5))]
            return self.wrap([(self.string(s), self.write(place.members)) for s in symbols])
        if place.fixed:
            return place.fixed
        if not place.readers:
            return self.rng.choice(WORDS)
        return self.scalar(*place.readers[0])

    def object(self, place: Place) -> str:
        pairs: list[tuple[str, str]] = []
        keys = list(place.keys)
        if not self.steady:
            self.rng.shuffle(keys)
        for key in keys:
            if self.often(self.mistakes) and not place.keys[key].fixed:
                continue
            while self.often(self.noise / 2):
                decoy = self.rng.choice(WORDS) if self.often(0.5) else self.write(place.keys[key])
                pairs.append((self.string(key), decoy))
                if self.often(0.5):
                    self.rng.shuffle(pairs)
            pairs.append((self.string(key), self.write(place.keys[key])))
        while self.often(self.noise):
            at = self.rng.randrange(len(pairs) + 1)
            pairs.insert(at, (self.string("unknown key"), self.rng.choice(WORDS)))
        return self.wrap(pairs)

    def wrap(self, pairs: list[tuple[str, str]]) -> str:
        inside = ",".join(
            f"{self.space()}{key}{self.space()}:{self.space()}{value}{self.space()}"
            for key, value in pairs
        )
        return "{" + (inside or self.space()) + "}"

    def array(self, place: Place) -> str:
        values: list[str] = []
        if place.items:
            above = max(place.items) + 1
            below = -min(0, *place.items) if place.items else 0
            values = [self.rng.choice(WORDS) for _ in range(max(above + below, 1))]
            for index, child in place.items.items():
                values[index] = self.write(child)
            if self.often(self.mistakes):
                del values[self.rng.randrange(len(values)) :]
        elif place.each is not None:
            values = [self.write(place.each) for _ in range(self.rng.choice((0, 1, 2, 3, 7)))]
        inside = ",".join(f"{self.space()}{value}{self.space()}" for value in values)
        return "[" + (inside or self.space()) + "]"

    def scalar(self, spec: Field, kind: Kind) -> str:
        rng = self.rng
        if spec.reader is Reader.CHOICE and not (spec.or_null and self.often(0.3)):
            key: Any = rng.choice(spec.choices)[0]
            return self.string(key) if isinstance(key, str) else json.dumps(key)
        if spec.reader is Reader.CHOICE:
            return rng.choice(('"another"', "7", '""'))
        if spec.reader is Reader.FLAG or kind is Kind.BOOL:
            return rng.choice(("true", "false"))
        if spec.reader is Reader.RFC3339:
            day = f"20{rng.randrange(10, 40)}-0{rng.randrange(1, 10)}-1{rng.randrange(10)}"
            return f'"{day}T01:02:03.{rng.randrange(10**9)}Z"'
        if spec.reader is Reader.PART_NUMBER:
            pieces = [str(rng.randrange(10**6) / 100) for _ in range(rng.randrange(1, 4))]
            return self.string(spec.separator.join(pieces))
        if spec.reader is Reader.PART:
            return self.string(spec.separator.join(rng.choices(SYMBOLS[:2], k=rng.randrange(1, 4))))
        if kind in (Kind.CODE16, Kind.CODE32) and spec.reader is not Reader.SIGN:
            return self.string(rng.choice(SYMBOLS)) if self.often(0.9) else str(rng.randrange(9))
        if kind is Kind.TEXT:
            text = rng.choice(("id", "", "7", 'q"\\\n', "é", "\U0001f600")) + str(
                rng.randrange(200)
            )
            return self.string(text) if self.often(0.7) else str(rng.randrange(200))
        return self.number(spec, kind)

    def number(self, spec: Field, kind: Kind) -> str:
        rng = self.rng
        text = str(rng.randrange(-(10 ** rng.randrange(1, 9)), 10 ** rng.randrange(1, 16)))
        if kind is Kind.F64 or spec.reader in (Reader.TIME, Reader.SIGN):
            if self.often(0.7):
                text += f".{rng.randrange(10**9)}"
            if self.often(0.1) and spec.reader is not Reader.TIME:
                text += rng.choice(("e-7", "E5", "e+30"))
        elif kind is Kind.I32:
            text = str(rng.randrange(-(2**31) + 1, 2**31))
        if self.often(self.mistakes):
            text = ""
        quoted = spec.path < "n" if self.steady else self.often(0.6)
        return f'"{text}"' if text == "" or quoted else text
