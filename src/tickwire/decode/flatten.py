"""Route trees as flat lists, with codes of one feed's dictionaries, for `_bytecode` to pack.

A pair `(first, n)` names a stretch of another list.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tickwire.decode.actions import Action
from tickwire.decode.plan import Scalar, Test
from tickwire.decode.program import Program
from tickwire.decode.tree import Fill, Node, Route, RowSet, Store
from tickwire.errors import PlanError
from tickwire.ring import Dictionaries
from tickwire.schema import NULLS, Kind

MAX_TURNS = 16
MAX_KEYS = 128
MAX_TARGETS = 64  # a bit each

Stretch = tuple[int, int]


@dataclass(frozen=True, slots=True)
class FlatNode:
    """A node; see `NodeOp`."""

    registers: int
    keys: Stretch
    items: Stretch
    actions: Stretch
    key_actions: Stretch
    rows: Stretch
    containers: Stretch
    fills: Stretch
    each: int
    members: int
    observe: int
    n_turns: int
    from_end: bool
    gives_rows: bool
    optional: bool


@dataclass(frozen=True, slots=True)
class FlatRowSet:
    """A row set; see `RowSetOp`."""

    declared: RowSet
    once: int
    carry: int
    member: int
    stores: Stretch
    fills: Stretch
    empty: Stretch
    zeros: Stretch
    carried: Stretch
    conditions: Stretch
    id_parts: Stretch


@dataclass(frozen=True, slots=True)
class FlatRoute:
    """A route; see `RouteOp`."""

    route: Route
    root: int
    tests: Stretch
    router_tests: Stretch
    rivals: Stretch
    targets: int
    marks_last: Stretch
    apart: Stretch
    sides: tuple[int, int, int, int, int]
    row_sets: Stretch


class Flat:
    """The lists.

    Parameters
    ----------
    program
        What to flatten.
    dictionaries
        Where constants get their codes.
    """

    def __init__(self, program: Program, dictionaries: Dictionaries) -> None:
        self.program = program
        self.dictionaries = dictionaries
        self.nodes: list[FlatNode | None] = []
        self.edges: list[tuple[str | int, int, int, bool]] = []
        self.actions: list[tuple[Action, Stretch, int | None]] = []
        self.scalars: list[tuple[type, bytes, float, int]] = []
        self.cells: list[tuple[int, int, int, int, Any, bool, bool]] = []
        self.row_sets: list[FlatRowSet] = []
        self.routes: list[FlatRoute] = []
        self.tests: list[tuple[int, str, Stretch]] = []
        self.numbers: list[int] = []
        self.marking: list[tuple[int, Stretch]] = []
        self.once: dict[tuple[int, object], int] = {}
        self.carry: dict[int, int] = {}
        self.n_members = 0
        if len(program.tables) > MAX_TARGETS:
            raise PlanError(f"{program.venue}: more than {MAX_TARGETS} tables")
        for route in program.routes:
            self._route(route)
        self.router = self._node(program.router.root, program.router, 0)
        for target in range(len(program.tables)):
            self._marking(target)

    @staticmethod
    def _append(array: list[Any], rows: list[Any]) -> Stretch:
        first = len(array)
        array.extend(rows)
        return first, len(rows)

    def _route(self, route: Route) -> None:
        base = len(self.row_sets)
        for row_set in route.row_sets:
            self._row_set(row_set)
        tests = [(0, route.raw)] if route.raw is not None else route.tests
        rivals = [number for rival in route.rivals for number in self._tests(rival)]
        targets = 0
        for row_set in route.row_sets:
            targets |= 1 << row_set.table
        self.routes.append(
            FlatRoute(
                route,
                self._node(route.root, route, base),
                self._tests(tests),
                self._tests(route.router_tests),
                self._append(self.numbers, rivals),
                targets,
                self._append(self.numbers, route.marks_last),
                self._append(
                    self.cells, [self._cell(route.apart_table, Store(i, -1)) for i in route.apart]
                ),
                self._sides(route),
                (base, len(route.row_sets)),
            )
        )

    def _sides(self, route: Route) -> tuple[int, int, int, int, int]:
        if not route.apart:
            return 0, 0, 0, 0, 0
        table = self.program.tables[route.apart_table]
        columns = (table.index("side"), table.index("symbol"), table.index("ts_event"))
        return *columns, self._code("side", "ask"), self._code("side", "bid")

    def _marking(self, target: int) -> None:
        """Note the column `last` of a table that has it, and nulls for an empty row."""
        table = self.program.tables[target]
        if not table.marks_last:
            self.marking.append((-1, (0, 0)))
            return
        nulls = [
            self._cell(target, Store(i, -1)) for i, c in enumerate(table.columns) if c.nullable
        ]
        self.marking.append((table.index("last"), self._append(self.cells, nulls)))

    def _tests(self, tests: list[tuple[int, Test]]) -> Stretch:
        return self._append(self.tests, [self._test(*test) for test in tests])

    def _test(self, register: int, test: Test) -> tuple[int, str, Stretch]:
        values = [self._scalar(value, 0) for value in test.values]
        return register, test.relation, self._append(self.scalars, values)

    @staticmethod
    def _scalar(value: Scalar, result: int) -> tuple[type, bytes, float, int]:
        if isinstance(value, str):
            return str, value.encode(), 0.0, result
        if isinstance(value, bool):
            return bool, b"true" if value else b"false", 0.0, result
        return float, b"", float(value), result

    def _code(self, column: str, value: str | bool) -> int:
        if isinstance(value, bool):
            return int(value)
        name = self.program.aliases.get(value, value) if column == "channel" else value
        if column == "symbol":
            return self.dictionaries.symbol.code(name)
        return self.dictionaries.of(column).code(name)

    def _action(self, action: Action) -> tuple[Action, Stretch, int | None]:
        column = action.dictionary
        choices = [self._scalar(key, self._code(column, value)) for key, value in action.choices]
        otherwise = action.otherwise
        return (
            action,
            self._append(self.scalars, choices),
            None if otherwise is None else self._code(column, otherwise),
        )

    def _cell(self, target: int, cell: Store | Fill) -> tuple[int, int, int, int, Any, bool, bool]:
        column = self.program.tables[target].columns[cell.column]
        constant: Any = cell.constant
        if constant is None:
            constant = NULLS.get(column.kind, 0)
        elif column.kind in (Kind.CODE16, Kind.CODE32):
            constant = self._code(column.name, constant)
        elif column.kind in (Kind.TEXT, Kind.BINARY):
            raise PlanError(f"{self.program.venue}: column {column.name!r} takes no constant")
        is_channel = column.name == "channel"
        return target, cell.column, column.kind, cell.register, constant, cell.required, is_channel

    def _row_set(self, row_set: RowSet) -> None:
        target = row_set.table

        def cells(group: list[Any]) -> Stretch:
            return self._append(self.cells, [self._cell(target, cell) for cell in group])

        zeros = [register for pair in row_set.zero_when for register in pair]
        self.row_sets.append(
            FlatRowSet(
                row_set,
                self._once(row_set) if row_set.once else -1,
                self.carry.setdefault(target, len(self.carry)) if row_set.carry else -1,
                self.n_members if row_set.member_key else -1,
                cells(row_set.stores),
                cells(row_set.fills),
                cells(row_set.empty),
                self._append(self.numbers, zeros),
                self._append(self.numbers, [n for pair in row_set.carry for n in pair]),
                self._append(self.numbers, [int(n) for pair in row_set.conditions for n in pair]),
                self._append(self.numbers, row_set.id_parts),
            )
        )
        self.n_members += row_set.member_key

    def _once(self, row_set: RowSet) -> int:
        """Number the memory of ids that all row sets of a table and a channel share."""
        return self.once.setdefault((row_set.table, row_set.channel), len(self.once))

    def _node(self, node: Node, route: Route, base: int) -> int:
        """Flatten a node and what is below; `base` is the route's first row set."""
        index = len(self.nodes)
        self.nodes.append(None)
        steps: list[tuple[str | int, Node]] = [*node.keys.items(), *node.items.items()]
        giving = [(step, child) for step, child in steps if child.row_sets]
        # Siblings that give rows take turns in the order in which the rows were declared.
        giving.sort(key=lambda pair: min(pair[1].row_sets))
        turns = {step: turn for turn, (step, _) in enumerate(giving)}
        where = f"{self.program.venue}.{route.name}"
        if len(turns) > MAX_TURNS:
            raise PlanError(f"{where}: over {MAX_TURNS} places with rows")
        if len(node.keys) > MAX_KEYS:
            raise PlanError(f"{where}: over {MAX_KEYS} keys of one object")
        for (step, child), (later, other) in pairwise(giving):
            if max(child.row_sets) > min(other.row_sets):
                raise PlanError(
                    f"{where}: rows below {step!r} and {later!r} are declared in turn; each place "
                    "is read once, so declare all rows of one before those of the other"
                )
        edges = [
            (
                step,
                self._node(child, route, base),
                turns.get(step, -1),
                any(not route.row_sets[i].optional for i in child.row_sets),
            )
            for step, child in steps
        ]
        n_keys = len(node.keys)
        self.nodes[index] = FlatNode(
            registers=node.registers,
            each=-1 if node.each is None else self._node(node.each, route, base),
            members=-1 if node.members is None else self._node(node.members, route, base),
            keys=self._append(self.edges, edges[:n_keys]),
            items=self._append(self.edges, edges[n_keys:]),
            actions=self._append(self.actions, [self._action(a) for a in node.actions]),
            key_actions=self._append(self.actions, [self._action(a) for a in node.member_key]),
            rows=self._append(self.numbers, [base + i for i in node.rows]),
            containers=self._append(self.numbers, [base + i for i in node.container_of]),
            fills=self._append(self.cells, [self._cell(fill.table, fill) for fill in node.fills]),
            observe=node.observe,
            n_turns=len(turns),
            from_end=any(step < 0 for step in node.items),
            gives_rows=bool(node.row_sets),
            optional=all(route.row_sets[i].optional for i in node.row_sets),
        )
        return index
