"""From declared rows to their row set: which register gives which column.

Every mistake of a declaration is a `PlanError` that names venue, message and field.
"""

from __future__ import annotations

from tickwire.decode.actions import constant_code
from tickwire.decode.paths import Path, Step
from tickwire.decode.plan import Field, Reader, Rows, Scalar, Test, constant
from tickwire.decode.route_tree import RouteTree
from tickwire.decode.tree import Fill, RowSet, Store
from tickwire.errors import PlanError
from tickwire.schema import Column, Kind, Table

LEVEL = ("side", "price", "size")
ROWS_TESTS = ("equal", "unlike", "present", "absent")
MAX_ZEROS = 16
REMOVED = -1.0  # the size of a level that is named by its position; `book._positions` has it too
MOST_POSITIONS = 1000
FILLED_BY_DECODER = ("seq", "venue", "ts_recv", "conn")


class RowsBuilder:
    """Builds one `RowSet`."""

    def __init__(self, route: RouteTree, rows: Rows) -> None:
        self.route = route
        self.rows = rows
        self.table: Table = route.scope.tables[route.scope.table_index[rows.into]]
        self.row_set = RowSet(
            route.scope.table_index[rows.into],
            once=bool(rows.once),
            carry_reset=rows.carry_reset,
            optional=rows.optional,
        )
        self.at = route.path("at", rows.at)
        # column -> (register, constant, required, scope): values from outside the item
        self.outer: dict[int, tuple[int, object, bool, int]] = {}

    def build(self) -> RowsBuilder:
        """Make the row set, but for outer and constant columns: `place` and `place_empty`."""
        index = len(self.route.route.row_sets)
        self.route.route.row_sets.append(self.row_set)
        item = self.route.node(self.at)
        item.rows.append(index)
        if self.at and isinstance(self.at[-1], Step):
            self.route.node(self.at[:-1]).container_of.append(index)
        named = dict(self.rows.fields)
        self._name_removed(named)
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
        for path, test in self.rows.when.items():
            self._condition(path, test)
        for path in self.rows.once if isinstance(self.rows.once, tuple) else ():
            self._id_part(path)
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
        if required and spec.or_null:
            raise self.route.fail(column.name, "may not be null: otherwise=null() does not fit")
        register, steps, inner = self.route.register(self.rows, column.name, spec, column.kind)
        if required or column.name == "ts_event":
            self.route.required.add(register)
        else:
            name = f"{self.table.name}.{column.name}"
            self.route.route.optional.setdefault(register, name)
        if column.name == "symbol":
            self.row_set.symbol = register
            self.row_set.member_key = spec.reader is Reader.MEMBER_KEY
        elif column.name == "ts_event":
            self.row_set.ts_event = register
        elif column.name == "trade_id":
            self.row_set.trade_id = register
        elif column.name == "price" and not column.nullable:
            self.row_set.price = register
        if spec.zero_when is not None:
            self._zero_when(column, spec.zero_when, register)
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

    def _name_removed(self, named: dict[str, Field]) -> None:
        """Let rows whose levels are named by their position have the size that says so."""
        spec = named.get("price")
        if spec is None or spec.reader is not Reader.POSITION:
            return
        if "size" in named or "ts_event" not in named or not self.route.message.spliced:
            problem = "position(...) is for rows of a spliced message, with ts_event and no size"
            raise self.route.fail("price", problem)
        if not 0 < spec.index <= MOST_POSITIONS:
            raise self.route.fail("price", f"position: most should be 1 to {MOST_POSITIONS}")
        named["size"] = constant(REMOVED)

    def _same(self, steps: Path, depth: int) -> bool:
        """Whether the level that `at[:depth]` iterates over also holds the field."""
        ends_in_iteration = depth == 0 or isinstance(self.at[depth - 1], Step)
        return ends_in_iteration and steps[:depth] == self.at[:depth]

    def _zero_when(self, column: Column, when: tuple[str, Scalar], register: int) -> None:
        path, scalar = when
        match = Field(Reader.CHOICE, path, choices=((scalar, True),), otherwise=False)
        condition, _, inner = self.route.register(
            self.rows, f"{column.name}.zero_when", match, Kind.BOOL
        )
        if not inner:
            self.row_set.needs |= 1 << condition
        if len(self.row_set.zero_when) == MAX_ZEROS:
            raise self.route.fail(column.name, f"more than {MAX_ZEROS} columns with zero_when")
        self.row_set.zero_when.append((register, condition))

    def _condition(self, path: str, test: Test) -> None:
        """Let the row depend on a scalar: a choice whose register is true or false."""
        if test.relation not in ROWS_TESTS:
            known = ", ".join(ROWS_TESTS)
            raise self.route.fail(f"when[{path!r}]", f"takes {known}, not {test.relation}")
        is_there = test.relation in ("present", "absent")
        choices = tuple((value, True) for value in test.values) or (("", True),)
        match = Field(Reader.CHOICE, path, choices=choices, otherwise=is_there)
        register, _, inner = self.route.register(self.rows, f"when[{path!r}]", match, Kind.BOOL)
        condition = (register, test.relation in ("equal", "present"))
        if inner:
            self.row_set.conditions.append(condition)
            return
        self.row_set.needs |= 1 << register
        self.row_set.conditions.insert(self.row_set.n_outer, condition)
        self.row_set.n_outer += 1

    def _id_part(self, path: str) -> None:
        name = f"once[{path!r}]"
        register, _, inner = self.route.register(
            self.rows, name, Field(Reader.TEXT, path), Kind.TEXT
        )
        if not inner:
            raise self.route.fail(name, "should stand in what gives the row")
        self.route.route.optional.setdefault(register, f"{self.table.name}.{name}")
        self.row_set.id_parts.append(register)

    def _needs(self) -> None:
        """Note what must be known when a row ends: for ids, filters and carried values."""
        row_set = self.row_set
        if row_set.once and not row_set.id_parts:
            if row_set.trade_id < 0:
                raise self.route.fail("trade_id", "once needs it")
            row_set.needs |= 1 << row_set.trade_id
        if row_set.once:
            for register in (row_set.ts_event, row_set.price):
                if register >= 0:
                    row_set.needs |= 1 << register
        if row_set.once or row_set.carry:
            if row_set.symbol < 0:
                raise self.route.fail("symbol", "once and carry need it")
            row_set.needs |= 1 << row_set.symbol

    def place(self, column: int, group: list[RowsBuilder], *, shared: bool) -> None:
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

    def place_empty(self, group: list[RowsBuilder]) -> None:
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

    def _holds(self, other: RowsBuilder) -> bool:
        """Whether the array or object that holds this plan's items holds another's rows too."""
        within = self.at[:-1]
        return other is not self and other.at[: len(within)] == within

    def _iterated(self) -> bool:
        return bool(self.at) and isinstance(self.at[-1], Step)
