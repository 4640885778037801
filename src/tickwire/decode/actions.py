"""What the walker does with a scalar: one operation per value, chosen by field and column."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from tickwire.decode.plan import Field, Reader, Scalar
from tickwire.errors import PlanError
from tickwire.schema import Column, Kind


class Op(IntEnum):
    """Operations; `ext/tickwire/decode/_bytecode.pxd` has the same numbers."""

    NUMBER = 0
    INTEGER = 1
    INTEGER32 = 2
    TIME = 3
    RFC3339 = 4
    FLAG = 5
    TEXT = 6  # the raw span; stored at the end of the row
    CODE = 7  # a string, looked up in the column's dictionary
    CHOICE = 8
    SIGN = 9
    PART = 10  # a piece of a string, looked up
    MEMBER_KEY = 11
    GIVEN = 12
    PART_NUMBER = 13
    LOOKUP = 14  # a number that stands for a symbol


@dataclass(slots=True)
class Action:
    """An operation and its operands."""

    op: Op
    register: int = -1
    dictionary: str = ""
    unit_ns: int = 0
    or_us: bool = False
    add: int = 0
    magnitude: bool = False
    choices: tuple[tuple[Scalar, str | bool], ...] = ()
    otherwise: str | bool | None = None
    separator: str = ""
    index: int = 0
    upper: bool = False
    rest: bool = False
    or_null: bool = False
    nullable_text: bool = field(default=False)
    optional: bool = False  # what cannot be read is null: no column or rule requires it

    def identity(self) -> tuple[object, ...]:
        """Give what makes two actions the same but for their register."""
        choices = tuple((type(key), key, result) for key, result in self.choices)
        return (
            self.op,
            self.dictionary,
            self.unit_ns,
            self.or_us,
            self.add,
            self.magnitude,
            choices,
            self.otherwise,
            self.separator,
            self.index,
            self.upper,
            self.rest,
            self.or_null,
        )


LOOKED_UP = ("symbol", "channel", "side", "interval")  # dictionaries that messages may extend
_CODES = (Kind.CODE16, Kind.CODE32)
_TEXTS = (Kind.TEXT, Kind.BINARY)
_BY_COLUMN = {
    Kind.F64: Reader.NUMBER,
    Kind.I64: Reader.INTEGER,
    Kind.I32: Reader.INTEGER,
    Kind.BOOL: Reader.FLAG,
    Kind.CODE16: Reader.TEXT,
    Kind.CODE32: Reader.TEXT,
    Kind.TEXT: Reader.TEXT,
    Kind.BINARY: Reader.TEXT,
}
_ALLOWED = {
    Reader.NUMBER: (Kind.F64,),
    Reader.INTEGER: (Kind.I64, Kind.I32),
    Reader.TEXT: (*_CODES, *_TEXTS),
    Reader.FLAG: (Kind.BOOL,),
    Reader.TIME: (Kind.TS,),
    Reader.RFC3339: (Kind.TS,),
    Reader.CHOICE: (Kind.BOOL, Kind.CODE16),
    Reader.SIGN: (Kind.CODE16,),
    Reader.PART: _CODES,
    Reader.PART_NUMBER: (Kind.F64,),
    Reader.MEMBER_KEY: _CODES,
    Reader.GIVEN: (Kind.CODE32,),
    Reader.POSITION: (Kind.F64,),
    Reader.LOOKUP: (Kind.CODE32,),
}


def action_for(name: str, spec: Field, kind: Kind) -> Action:
    """Give the action that reads `spec` into a column of that kind.

    Raises
    ------
    PlanError
        The column cannot hold what the field reads.
    """
    reader = spec.reader
    if reader is Reader.BY_COLUMN:
        if kind is Kind.TS:
            raise PlanError("a time needs its unit: ms(...), us(...), ns(...), rfc3339(...)")
        reader = _BY_COLUMN[kind]
    if kind not in _ALLOWED.get(reader, ()):
        raise PlanError(f"{reader.value} does not fit a column of kind {kind.name}")
    column = name.partition(".")[0]
    dictionary = column if kind in _CODES else ""
    if dictionary and reader is not Reader.CHOICE and dictionary not in LOOKED_UP:
        raise PlanError(f"only {', '.join(LOOKED_UP)} take values from messages as they are")
    if reader is Reader.NUMBER:
        return Action(Op.NUMBER, magnitude=spec.magnitude)
    if reader is Reader.INTEGER:
        return Action(Op.INTEGER32 if kind is Kind.I32 else Op.INTEGER, add=spec.add)
    if reader is Reader.TIME:
        return Action(Op.TIME, unit_ns=spec.unit_ns, or_us=spec.or_us, add=spec.add)
    if reader is Reader.CHOICE:
        return _choice(spec, kind, dictionary)
    if reader is Reader.SIGN:
        return Action(Op.SIGN, dictionary=dictionary, choices=spec.choices)
    if reader in (Reader.PART, Reader.PART_NUMBER):
        if len(spec.separator.encode()) != 1:
            raise PlanError(f"the separator {spec.separator!r} is not one character")
        return Action(
            Op.PART if reader is Reader.PART else Op.PART_NUMBER,
            dictionary=dictionary,
            magnitude=spec.magnitude,
            separator=spec.separator,
            index=spec.index,
            upper=spec.upper,
            rest=spec.rest,
        )
    if reader is Reader.TEXT:
        return Action(Op.CODE if dictionary else Op.TEXT, dictionary=dictionary)
    plain = {
        Reader.RFC3339: Op.RFC3339,
        Reader.FLAG: Op.FLAG,
        Reader.MEMBER_KEY: Op.MEMBER_KEY,
        Reader.GIVEN: Op.GIVEN,
        Reader.POSITION: Op.NUMBER,
        Reader.LOOKUP: Op.LOOKUP,
    }
    return Action(plain[reader], dictionary=dictionary)


def _choice(spec: Field, kind: Kind, dictionary: str) -> Action:
    wanted = bool if kind is Kind.BOOL else str
    results = [result for _, result in spec.choices]
    if spec.otherwise is not None:
        results.append(spec.otherwise)
    for result in results:
        if not isinstance(result, wanted):
            raise PlanError(f"the choice {result!r} does not fit a column of kind {kind.name}")
    if not spec.choices:
        raise PlanError("a choice needs choices")
    return Action(
        Op.CHOICE,
        dictionary=dictionary,
        choices=spec.choices,
        otherwise=spec.otherwise,
        or_null=spec.or_null,
    )


def constant_code(column: Column, value: Scalar | None) -> Scalar:
    """Check a constant against its column.

    Raises
    ------
    PlanError
        It is of another kind.
    """
    kinds: dict[Kind, type] = {
        Kind.F64: float,
        Kind.I64: int,
        Kind.I32: int,
        Kind.TS: int,
        Kind.BOOL: bool,
        Kind.CODE16: str,
        Kind.CODE32: str,
        Kind.TEXT: str,
        Kind.BINARY: str,
    }
    wanted = kinds[column.kind]
    if (
        value is None
        or not isinstance(value, wanted)
        or isinstance(value, bool) != (wanted is bool)
    ):
        raise PlanError(f"the constant {value!r} does not fit a column of kind {column.kind.name}")
    return value
