"""A declaration, checked and turned into trees that the walker can follow.

Rules of this file
------------------
- One `Route` per message: a tree of `Node`s that mirrors the JSON. What stands at a node (actions
  on a scalar, rows to emit, columns to fill) is data for `_lowered.pyx`, which packs it into C
  arrays.
- A value goes from the text into a register, and from there into the row (`Store`) or, where it
  belongs to an outer level, into all rows of that level at its end (`Fill`). A register is thus
  free of the order of keys.
- Every mistake of a declaration is a `PlanError` that names venue, message and field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tickwire.decode.actions import Action, Op, action_for, constant_code
from tickwire.decode.paths import Path, Step, iterations, parse_path
from tickwire.decode.plan import Field, Message, Reader, Rows, Scalar, Test
from tickwire.errors import PlanError
from tickwire.schema import Column, Kind, Table

MAX_REGISTERS = 64
LEVEL = ("side", "price", "size")
MAX_ZEROS = 16
MAX_ROW_SETS = 12  # that one array or object holds
FILLED_BY_DECODER = ("seq", "venue", "ts_recv", "conn")


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
    once: bool = False
    channel: object = None  # the constant, where it is one
    carry: list[tuple[int, int]] = field(default_factory=list)  # register, column
    carry_reset: bool = False
    configured_only: bool = False
    optional: bool = False
    zero_when: list[tuple[int, int]] = field(default_factory=list)
    member_key: bool = False


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
    spliced: tuple[int, int, int, int] | None = None
    marks_last: list[int] = field(default_factory=list)


class Program:
    """The messages of a venue, compiled for one source.

    Parameters
    ----------
    venue
        For error messages.
    messages
        The declarations, first match first.
    tables
        The tables of the feed, extras merged; rows may name columns of these only.
    wanted
        Names of the tables that the source asks for (all when None). A message all of whose tables
        are unwanted is counted as unrequested.
    aliases
        Channel names in the plan to channel names in the configuration.

    Raises
    ------
    PlanError
        A declaration is wrong.
    """

    def __init__(
        self,
        venue: str,
        messages: Sequence[Message],
        tables: Mapping[str, Table],
        *,
        wanted: Sequence[str] | None = None,
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self.venue = venue
        self.tables: list[Table] = list(tables.values())
        self.table_index = {table.name: i for i, table in enumerate(self.tables)}
        self.wanted = set(self.table_index if wanted is None else wanted)
        self.aliases = dict(aliases or {})
        # The C form and the dictionaries whose codes are in it; `_lowered.pyx` keeps it here.
        self.lowered: tuple[object, object] | None = None
        names = [message.name for message in messages]
        for name in names:
            if names.count(name) > 1:
                raise PlanError(f"{venue}: message {name!r} is declared twice")
        self.routes = [_RouteBuilder(self, message).build() for message in messages]
        self.router = Route("router", "ignore")
        for position, (route, message) in enumerate(zip(self.routes, messages, strict=True)):
            route.tests = self._tests(route, message)
            route.router_tests = self._tests(self.router, message)
            if message.raw is None and message.kind != "snapshot":
                route.rivals = [
                    self._tests(route, other)
                    for other in messages[:position]
                    if other.raw is None
                    and other.kind != "snapshot"
                    and not _exclusive(other, message)
                ]
            _RouteBuilder(self, message).check(route.root)

    def _tests(self, route: Route, message: Message) -> list[tuple[int, Test]]:
        """Give the tests of a message on values that a route observes."""
        return [
            (observe(self, route, message.name, path), test) for path, test in message.when.items()
        ]


def observe(program: Program, route: Route, message: str, path: str) -> int:
    """Give the register that holds the raw text at a path, for routing."""
    if path in route.observed:
        return route.observed[path]
    where = f"{program.venue}.{message}.when"
    if path.startswith("$"):
        raise PlanError(f"{where}: {path!r} starts at the message already, without $")
    try:
        steps = parse_path(path)
    except PlanError as error:
        raise PlanError(f"{where}: {error}") from None
    if any(isinstance(step, Step) for step in steps):
        raise PlanError(f"{where}: {path!r} may not iterate")
    register = _allocate(route, where)
    node = route.root
    nodes = [node]
    for step in steps:
        node = node.child(step)
        nodes.append(node)
    node.observe = register
    for passed in nodes:
        passed.registers |= 1 << register
    route.observed[path] = register
    return register


def _allocate(route: Route, where: str) -> int:
    if route.n_registers == MAX_REGISTERS:
        raise PlanError(f"{where}: more than {MAX_REGISTERS} values in one message")
    route.n_registers += 1
    return route.n_registers - 1


def _exclusive(a: Message, b: Message) -> bool:
    """Whether no message can satisfy both, as far as the tests of equal paths show."""
    if a.raw is not None or b.raw is not None:
        return (a.raw is None) != (b.raw is None)
    for path, left in a.when.items():
        right = b.when.get(path)
        if right is None:
            continue
        relations = {left.relation, right.relation}
        if relations == {"equal"} and not _typed(left) & _typed(right):
            return True
        if "absent" in relations and relations & {"equal", "prefix", "suffix", "present"}:
            return True
        if relations == {"suffix"} and not _overlap(left, right, str.endswith):
            return True
        if relations == {"prefix"} and not _overlap(left, right, str.startswith):
            return True
        if relations == {"equal", "unlike"}:
            one, other = (left, right) if left.relation == "equal" else (right, left)
            if _typed(one) <= _typed(other):
                return True
    return False


def _typed(test: Test) -> set[tuple[bool, Scalar]]:
    """Give the values of a test; true is not 1."""
    return {(isinstance(value, bool), value) for value in test.values}


def _overlap(left: Test, right: Test, within) -> bool:  # type: ignore[no-untyped-def] # str method
    return any(
        within(str(x), str(y)) or within(str(y), str(x)) for x in left.values for y in right.values
    )


class _RouteBuilder:
    """Builds one route; its attributes are what the steps share."""

    def __init__(self, program: Program, message: Message) -> None:
        self.program = program
        self.message = message
        self.route = Route(message.name, message.kind, raw=message.raw)
        self.actions: dict[tuple[object, ...], int] = {}

    def fail(self, column: str, problem: str) -> PlanError:
        return PlanError(f"{self.program.venue}.{self.message.name}.{column}: {problem}")

    def build(self) -> Route:
        for declared in self.message.rows:
            if declared.into not in self.program.table_index:
                known = ", ".join(self.program.table_index)
                raise self.fail("rows", f"no table {declared.into!r}; there are {known}")
        wanted = [rows for rows in self.message.rows if rows.into in self.program.wanted]
        self.route.requested = bool(wanted) or not self.message.rows
        plans = [_RowsBuilder(self, rows).build() for rows in wanted]
        self._share_fills(plans)
        if self.message.spliced and wanted:
            self.route.spliced = self._splice(wanted)
        self._mark(self.route.root)
        return self.route

    def check(self, node: Node) -> None:
        """Refuse what the walker cannot follow."""
        if node.members is not None and node.keys:
            raise self.fail(next(iter(node.keys)), "stands where {} takes every member")
        if len(node.container_of) > MAX_ROW_SETS:
            raise self.fail("rows", f"more than {MAX_ROW_SETS} in one array or object")
        for child in node.children():
            self.check(child)

    def _share_fills(self, plans: list[_RowsBuilder]) -> None:
        """Put each outer or constant column where all its rows can be filled at once."""
        by_table: dict[int, list[_RowsBuilder]] = {}
        for plan in plans:
            by_table.setdefault(plan.row_set.table, []).append(plan)
        for table, group in by_table.items():
            if self.program.tables[table].marks_last:
                self.route.marks_last.append(table)
            for column in group[0].outer:
                sources = {plan.outer.get(column) for plan in group}
                same = len(sources) == 1
                for plan in group[:1] if same else group:
                    plan.place(column, group, shared=same)
            for plan in group[1:]:
                for column in plan.outer.keys() - group[0].outer.keys():
                    plan.place(column, group, shared=False)
            if self.program.tables[table].marks_last:
                group[0].place_empty(group)

    def _splice(self, wanted: list[Rows]) -> tuple[int, int, int, int]:
        rows = next((rows for rows in wanted if rows.first_seq is not None), None)
        if rows is None or rows.first_seq is None:
            raise self.fail("first_seq", "a spliced message must name it")
        registers = []
        for name in ("symbol", "venue_seq", "venue_prev_seq"):
            if name not in rows.fields:
                raise self.fail(name, "a spliced message must name it")
            registers.append(self.register(rows, name, rows.fields[name], Kind.I64)[0])
        first = self.register(rows, "first_seq", rows.first_seq, Kind.I64)[0]
        symbol, last, prev = registers
        return symbol, first, last, prev

    def _mark(self, node: Node) -> None:
        for child in node.children():
            self._mark(child)
            node.row_sets |= child.row_sets
            node.registers |= child.registers
        node.row_sets |= set(node.rows)

    def absolute(self, rows: Rows, column: str, path: str) -> tuple[Path, bool]:
        """Give the path from the message, and whether it belongs to the item itself."""
        at = self.path(column, rows.at)
        if path.startswith("$"):
            steps = self.path(column, path[1:].removeprefix("."))
            depth = iterations(steps)
            if steps[:depth] != at[:depth]:
                raise self.fail(column, f"{path!r} iterates where {rows.at!r} does not")
            return steps, steps[: len(at)] == at
        steps = self.path(column, path)
        if iterations(steps):
            raise self.fail(column, f"{path!r} iterates inside a row")
        return at + steps, True

    def path(self, column: str, text: str) -> Path:
        try:
            return parse_path(text)
        except PlanError as error:
            raise self.fail(column, str(error)) from None

    def register(self, rows: Rows, name: str, spec: Field, kind: Kind) -> tuple[int, Path, bool]:
        """Give the register that the field ends in, its path, and whether it is the item's own."""
        if name == "symbol":
            kind = Kind.CODE32
        at = self.path(name, rows.at)
        if spec.reader is Reader.MEMBER_KEY:
            if not at or at[-1] is not Step.MEMBERS:
                raise self.fail(name, f"member_key() needs {{}} at the end of at={rows.at!r}")
            steps, inner = at, True
        elif spec.reader is Reader.GIVEN:
            steps, inner = (), not at
        else:
            steps, inner = self.absolute(rows, name, spec.path)
        try:
            action = action_for(name, spec, kind)
        except PlanError as error:
            raise self.fail(name, str(error)) from None
        known = (steps, action.identity(), spec.zero_when)
        if known in self.actions:
            return self.actions[known], steps, inner
        action.register = _allocate(self.route, f"{self.program.venue}.{self.message.name}.{name}")
        self.actions[known] = action.register
        self.attach(steps, action)
        return action.register, steps, inner

    def attach(self, steps: Path, action: Action) -> None:
        """Put an action on the node at a path."""
        node = self.route.root
        for step in steps:
            node = node.child(step)
        node.registers |= 1 << action.register
        if action.op is Op.MEMBER_KEY:
            node.member_key.append(action)
        elif action.op is not Op.GIVEN:
            node.actions.append(action)
        else:
            self.route.given = action.register

    def node(self, steps: Path) -> Node:
        """Give the node at a path."""
        node = self.route.root
        for step in steps:
            node = node.child(step)
        return node


class _RowsBuilder:
    """Builds one `RowSet`."""

    def __init__(self, route: _RouteBuilder, rows: Rows) -> None:
        self.route = route
        self.rows = rows
        self.table: Table = route.program.tables[route.program.table_index[rows.into]]
        self.row_set = RowSet(
            route.program.table_index[rows.into],
            once=rows.once,
            carry_reset=rows.carry_reset,
            configured_only=rows.configured_symbols_only,
            optional=rows.optional,
        )
        self.at = route.path("at", rows.at)
        # column -> (register, constant, required, scope): values from outside the item
        self.outer: dict[int, tuple[int, object, bool, int]] = {}

    def build(self) -> _RowsBuilder:
        index = len(self.route.route.row_sets)
        self.route.route.row_sets.append(self.row_set)
        item = self.route.node(self.at)
        item.rows.append(index)
        if self.at and isinstance(self.at[-1], Step):
            self.route.node(self.at[:-1]).container_of.append(index)
        named = dict(self.rows.fields)
        for position, column in enumerate(self.table.columns):
            spec = named.pop(column.name, None)
            if column.name in FILLED_BY_DECODER or (
                self.table.marks_last and column.name == "last"
            ):
                if spec is not None:
                    raise self.route.fail(column.name, "is filled by the decoder")
            else:
                self._column(position, column, spec)
        if named:
            known = ", ".join(column.name for column in self.table.columns)
            raise self.route.fail(next(iter(named)), f"no such column; there are {known}")
        self._needs()
        return self

    def _column(self, position: int, column: Column, spec: Field | None) -> None:
        if spec is None:
            if not column.nullable:
                raise self.route.fail(column.name, "is required: name where it stands")
            self.outer[position] = (-1, None, False, 0)
            return
        if spec.reader is Reader.CONSTANT:
            try:
                value = constant_code(column, spec.value)
            except PlanError as error:
                raise self.route.fail(column.name, str(error)) from None
            if column.kind in (Kind.TEXT, Kind.BINARY):
                raise self.route.fail(column.name, "a text column takes no constant")
            self.outer[position] = (-1, value, True, 0)
            if column.name == "channel":
                self.row_set.channel = value
            return
        # A level has its side, price and size; null they are only in the row of an empty book.
        required = not column.nullable or (self.table.marks_last and column.name in LEVEL)
        register, steps, inner = self.route.register(self.rows, column.name, spec, column.kind)
        if column.name == "symbol":
            self.row_set.symbol = register
            self.row_set.member_key = spec.reader is Reader.MEMBER_KEY
        elif column.name == "ts_event":
            self.row_set.ts_event = register
        elif column.name == "trade_id":
            self.row_set.trade_id = register
        if spec.zero_when is not None:
            self._zero_when(column, spec, register)
        if inner or column.kind in (Kind.TEXT, Kind.BINARY):
            self.row_set.stores.append(Store(position, register, None, required))
            if not inner:
                self.row_set.needs |= 1 << register
        else:
            scope = max((d for d in range(len(self.at) + 1) if self._same(steps, d)), default=0)
            self.outer[position] = (register, None, required, scope)
        carried = column.nullable and inner and column.kind not in (Kind.TEXT, Kind.BINARY)
        if self.rows.carry and carried and column.name != "ts_event":
            self.row_set.carry.append((register, position))

    def _same(self, steps: Path, depth: int) -> bool:
        """Whether the level that `at[:depth]` iterates over also holds the field."""
        ends_in_iteration = depth == 0 or isinstance(self.at[depth - 1], Step)
        return ends_in_iteration and steps[:depth] == self.at[:depth]

    def _zero_when(self, column: Column, spec: Field, register: int) -> None:
        assert spec.zero_when is not None  # noqa: S101 (for the type checker; the caller asked)
        path, scalar = spec.zero_when
        match = Field(Reader.CHOICE, path, choices=((scalar, True),), otherwise=False)
        condition, _, inner = self.route.register(
            self.rows, f"{column.name}.zero_when", match, Kind.BOOL
        )
        if not inner:
            self.row_set.needs |= 1 << condition
        if len(self.row_set.zero_when) == MAX_ZEROS:
            raise self.route.fail(column.name, f"more than {MAX_ZEROS} columns with zero_when")
        self.row_set.zero_when.append((register, condition))

    def _needs(self) -> None:
        """Note what must be known when a row ends: for ids, filters and carried values."""
        row_set = self.row_set
        if row_set.once:
            if row_set.trade_id < 0:
                raise self.route.fail("trade_id", "once needs it")
            row_set.needs |= 1 << row_set.trade_id
            if row_set.ts_event >= 0:
                row_set.needs |= 1 << row_set.ts_event
        if row_set.once or row_set.carry or row_set.configured_only:
            if row_set.symbol < 0:
                raise self.route.fail("symbol", "once, carry and filters need it")
            row_set.needs |= 1 << row_set.symbol

    def place(self, column: int, group: list[_RowsBuilder], *, shared: bool) -> None:
        """Decide where an outer or constant column is written."""
        if column not in self.outer:
            return
        register, constant, required, scope = self.outer[column]
        row_set = self.row_set
        if not shared and register >= 0:
            row_set.stores.append(Store(column, register, None, required))
            row_set.needs |= 1 << register
            return
        fill = Fill(row_set.table, column, register, constant, required)
        kind = self.table.columns[column].kind
        alone = self._iterated() and not any(self._holds(plan) for plan in group)
        if kind in (Kind.TEXT, Kind.BINARY) or (not shared and not alone):
            row_set.stores.append(Store(column, register, constant, required))
        elif shared:
            self.route.node(self.at[:scope]).fills.append(fill)
        else:
            row_set.fills.append(fill)

    def place_empty(self, group: list[_RowsBuilder]) -> None:
        """Decide what a row without a level holds: what all rows of the message would share.

        A constant in a nullable column, such as the side, belongs to the levels. The rest is null
        where it may be, else the message must say it, or it cannot be decoded.
        """
        for position, column in enumerate(self.table.columns):
            if column.name in FILLED_BY_DECODER or column.name == "last":
                continue
            sources = {plan.outer.get(position) for plan in group}
            source = self.outer.get(position)
            shared = source is not None and len(sources) == 1 and source[0] >= 0
            if source is not None and (shared or not column.nullable):
                register, constant, required, _ = source
                self.row_set.empty.append(Store(position, register, constant, required))
            elif not column.nullable:
                inner = next(s for s in self.row_set.stores if s.column == position)
                self.row_set.empty.append(inner)

    def _holds(self, other: _RowsBuilder) -> bool:
        """Whether the array or object that holds this plan's items holds another's rows too."""
        within = self.at[:-1]
        return other is not self and other.at[: len(within)] == within

    def _iterated(self) -> bool:
        return bool(self.at) and isinstance(self.at[-1], Step)
