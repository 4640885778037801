"""What a declaration is compiled to: trees that the walker can follow.

Rules of this file
------------------
- One `Route` per message: a tree of `Node`s that mirrors the JSON. What stands at a node (actions
  on a scalar, rows to emit, columns to fill) is data for `_bytecode.pyx`, which packs it into C
  arrays.
- A value goes from the text into a register, and from there into the row (`Store`) or, where it
  belongs to an outer level, into all rows of that level at its end (`Fill`). A register is thus
  free of the order of keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tickwire.decode.actions import Action
from tickwire.decode.paths import Path, Step
from tickwire.decode.plan import Test
from tickwire.errors import PlanError

MAX_REGISTERS = 64


@dataclass(slots=True)
class Node:
    """A place in the document: what to do with the value that stands there."""

    keys: dict[str, Node] = field(default_factory=dict)
    items: dict[int, Node] = field(default_factory=dict)
    each: Node | None = None
    members: Node | None = None
    actions: list[Action] = field(default_factory=list)
    observe: int = -1
    member_key: list[Action] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    container_of: list[int] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    registers: int = 0
    row_sets: set[int] = field(default_factory=set)

    def child(self, step: str | int | Step) -> Node:
        """Give the node one step below, made when it is new."""
        if isinstance(step, str):
            return self.keys.setdefault(step, Node())
        if isinstance(step, int):
            return self.items.setdefault(step, Node())
        if step is Step.EACH:
            self.each = self.each or Node()
            return self.each
        self.members = self.members or Node()
        return self.members

    def children(self) -> list[Node]:
        """All nodes one step below."""
        iterated = [node for node in (self.each, self.members) if node is not None]
        return [*self.keys.values(), *self.items.values(), *iterated]


@dataclass(frozen=True, slots=True)
class Fill:
    """A column of all rows that a level has given: from a register, or a constant (-1)."""

    table: int
    column: int
    register: int
    constant: object = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Store:
    """A column of one row, from a register, or a constant (-1)."""

    column: int
    register: int
    constant: object = None
    required: bool = False


@dataclass(slots=True)
class RowSet:
    """Rows of one table out of one message."""

    table: int
    stores: list[Store] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    empty: list[Store] = field(default_factory=list)
    needs: int = 0
    symbol: int = -1
    ts_event: int = -1
    trade_id: int = -1
    price: int = -1  # of trades that are deduplicated
    once: bool = False
    id_parts: list[int] = field(default_factory=list)  # registers; none: the id is trade_id
    channel: object = None  # the constant, where it is one
    carry: list[tuple[int, int]] = field(default_factory=list)  # register, column
    carry_reset: bool = False
    optional: bool = False
    zero_when: list[tuple[int, int]] = field(default_factory=list)
    conditions: list[tuple[int, bool]] = field(
        default_factory=list
    )  # register, and what it must be
    n_outer: int = 0  # conditions of what stands outside of the item, which are the first ones
    member_key: bool = False


@dataclass(frozen=True, slots=True)
class Splice:
    """Registers of a book message's numbers, -1 where it has none, and whether it is a snapshot."""

    symbol: int
    first: int
    last: int
    prev: int
    checksum: int
    flag: int  # whether it is a snapshot, where the message says so
    is_snapshot: bool  # where its declaration does

    @property
    def registers(self) -> tuple[int, ...]:
        """All registers."""
        return self.symbol, self.first, self.last, self.prev, self.checksum, self.flag


@dataclass(slots=True)
class Route:
    """A message: how it is recognised, and the tree that decodes it."""

    name: str
    kind: str
    tests: list[tuple[int, Test]] = field(default_factory=list)
    router_tests: list[tuple[int, Test]] = field(default_factory=list)
    rivals: list[list[tuple[int, Test]]] = field(default_factory=list)
    raw: Test | None = None
    requested: bool = True
    root: Node = field(default_factory=Node)
    row_sets: list[RowSet] = field(default_factory=list)
    observed: dict[str, int] = field(default_factory=dict)
    n_registers: int = 0
    given: int = -1
    spliced: Splice | None = None
    level_paths: list[tuple[Path, Path, Path]] = field(default_factory=list)  # of a book's numbers
    snapshot_id: int = -1
    number: int = -1  # register of the message's number on its connection
    # Registers whose unreadable values are null, to the column that they are for.
    optional: dict[int, str] = field(default_factory=dict)
    marks_last: list[int] = field(default_factory=list)
    # Columns in which the sides of a book differ, where asks are declared first; and its table.
    apart: list[int] = field(default_factory=list)
    apart_table: int = -1
    packed: int = -1  # register of the text that holds another message
    packed_form: int = 0
    packed_most_bytes: int = 0
    inside: int = -1  # number of the route that holds it

    def allocate(self, where: str) -> int:
        """Give a register that nothing has yet; `where` is for the error when there is none."""
        if self.n_registers == MAX_REGISTERS:
            raise PlanError(f"{where}: more than {MAX_REGISTERS} values in one message")
        self.n_registers += 1
        return self.n_registers - 1
