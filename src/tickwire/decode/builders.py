"""From a declaration to its tree: which place gives which register, row and column.

Every mistake of a declaration is a `PlanError` that names venue, message and field.
"""

from __future__ import annotations

from tickwire.decode.paths import Path, Step
from tickwire.decode.plan import (
    ANSWERS,
    PACKED_FORMS,
    Field,
    Packed,
    Reader,
    Rows,
    integer,
)
from tickwire.decode.route_tree import RouteTree
from tickwire.decode.rows_builder import FILLED_BY_DECODER, RowsBuilder
from tickwire.decode.tree import Node, Route, Splice
from tickwire.schema import Kind

MOST_UNPACKED_BYTES = 1 << 30
MAX_ROW_SETS = 12  # that one array or object holds


class RouteBuilder(RouteTree):
    """Builds one route."""

    def build(self) -> Route:
        """Give the message's tree, but for the tests by which it is recognised."""
        for declared in self.message.rows:
            if declared.into not in self.scope.table_index:
                known = ", ".join(self.scope.table_index)
                raise self.fail("rows", f"no table {declared.into!r}; there are {known}")
        wanted = [rows for rows in self.message.rows if rows.into in self.scope.wanted]
        self.route.requested = bool(wanted) or not self.message.rows
        plans = [RowsBuilder(self, rows).build() for rows in wanted]
        self._share_fills(plans)
        if self.message.spliced and wanted:
            self.route.spliced = self._splice(wanted)
            self.route.level_paths = [
                (self.path("at", rows.at), self._own(rows, "price"), self._own(rows, "size"))
                for rows in wanted
                if {"price", "size"} <= rows.fields.keys()
            ]
        if self.message.kind == "snapshot" and wanted:
            self.route.snapshot_id = self._snapshot_id(wanted)
        is_routed = self.message.raw is None and self.message.kind not in ANSWERS
        if self.scope.number and is_routed and not self.message.inside:
            whole = Rows("", "", {})
            self.route.number = self.register(
                whole, "number", integer(f"$.{self.scope.number}"), Kind.I64
            )[0]
        if self.message.packed is not None:
            self._pack(self.message.packed)
        self._mark(self.route.root)
        for register in self.required & self.route.optional.keys():
            del self.route.optional[register]
        for register in self.route.optional:
            self.made[register].optional = True
        return self.route

    def _pack(self, packed: Packed) -> None:
        if self.message.rows or self.message.kind != "data":
            raise self.fail("packed", "a message that holds others is data, and has no rows")
        if packed.form not in PACKED_FORMS:
            raise self.fail("packed", f"no form {packed.form!r}, one of {', '.join(PACKED_FORMS)}")
        if not 0 < packed.most_bytes <= MOST_UNPACKED_BYTES:
            raise self.fail("packed", f"most_bytes should be 1 to {MOST_UNPACKED_BYTES}")
        if any(isinstance(step, Step) for step in self.path("packed", packed.path)):
            raise self.fail("packed", f"{packed.path!r} is not one text")
        whole = Rows("", "", {})
        spec = Field(Reader.TEXT, f"$.{packed.path}")
        self.route.packed = self.register(whole, "packed", spec, Kind.TEXT)[0]
        self.route.packed_form = PACKED_FORMS.index(packed.form)
        self.route.packed_most_bytes = packed.most_bytes
        self.required.add(self.route.packed)

    def check(self, node: Node) -> None:
        """Refuse what the walker cannot follow."""
        if node.members is not None and node.keys:
            raise self.fail(next(iter(node.keys)), "stands where {} takes every member")
        if len(node.container_of) > MAX_ROW_SETS:
            raise self.fail("rows", f"more than {MAX_ROW_SETS} in one array or object")
        for child in node.children():
            self.check(child)

    def _share_fills(self, plans: list[RowsBuilder]) -> None:
        """Put each outer or constant column where all its rows can be filled at once."""
        by_table: dict[int, list[RowsBuilder]] = {}
        for plan in plans:
            by_table.setdefault(plan.row_set.table, []).append(plan)
        for table, group in by_table.items():
            if self.scope.tables[table].marks_last:
                self.route.marks_last.append(table)
            for column in group[0].outer:
                sources = {plan.outer.get(column) for plan in group}
                same = len(sources) == 1
                for plan in group[:1] if same else group:
                    plan.place(column, group, shared=same)
            for plan in group[1:]:
                for column in plan.outer.keys() - group[0].outer.keys():
                    plan.place(column, group, shared=False)
            if self.scope.tables[table].marks_last:
                for plan in group:
                    plan.place_empty(group)
                self._set_apart(table, group)

    def _set_apart(self, table: int, group: list[RowsBuilder]) -> None:
        """Note which columns change places where asks are declared first: bids come first.

        A message is read fastest in the order in which it is declared, so a venue that sends asks
        first is declared so.
        """
        sides = [plan.rows.fields["side"].value for plan in group if "side" in plan.rows.fields]
        if sides != ["ask", "bid"]:
            return
        columns = self.scope.tables[table].columns
        own = [
            position
            for position, column in enumerate(columns)
            if column.name not in FILLED_BY_DECODER
            and column.name != "last"
            and len({plan.outer.get(position, plan) for plan in group}) > 1
        ]
        if any(columns[position].kind in (Kind.TEXT, Kind.BINARY) for position in own):
            raise self.fail("side", "rows with a text of their own are declared with bids first")
        self.route.apart, self.route.apart_table = own, table

    def _splice(self, wanted: list[Rows]) -> Splice:
        """Give the registers of a book's numbers: the first rows that name one count."""

        def of(name: str, kind: Kind = Kind.I64) -> int:
            for rows in wanted:
                own = {"first_seq": rows.first_seq, "checksum": rows.checksum}
                spec = own[name] if name in own else rows.fields.get(name)
                if spec is not None and spec.reader is not Reader.CONSTANT:
                    return self.register(rows, name, spec, kind)[0]
            return -1

        flag = wanted[0].fields.get("is_snapshot")
        found = Splice(
            symbol=of("symbol"),
            first=of("first_seq"),
            last=of("venue_seq"),
            prev=of("venue_prev_seq"),
            checksum=of("checksum"),
            flag=of("is_snapshot", Kind.BOOL),
            is_snapshot=flag is not None and flag.value is True,
        )
        if found.symbol < 0:
            raise self.fail("symbol", "a spliced message must name it")
        # Without its numbers a change cannot be put in its place.
        self.required.update(register for register in found.registers if register >= 0)
        return found

    def _own(self, rows: Rows, name: str) -> Path:
        """Give the path of an item's own column from the item."""
        at, (steps, _) = self.path(name, rows.at), self.absolute(rows, name, rows.fields[name].path)
        return steps[len(at) :]

    def _snapshot_id(self, wanted: list[Rows]) -> int:
        for rows in wanted:
            if "venue_seq" in rows.fields:
                register = self.register(rows, "venue_seq", rows.fields["venue_seq"], Kind.I64)[0]
                self.required.add(register)
                return register
        raise self.fail("venue_seq", "a snapshot must name it")

    def _mark(self, node: Node) -> None:
        for child in node.children():
            self._mark(child)
            node.row_sets |= child.row_sets
            node.registers |= child.registers
        node.row_sets |= set(node.rows)
