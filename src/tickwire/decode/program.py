"""The messages of a venue, checked and compiled for one source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tickwire.decode.builders import RouteBuilder
from tickwire.decode.naming import naming_paths
from tickwire.decode.paths import Path
from tickwire.decode.plan import ANSWERS, Message, Reader, Test
from tickwire.decode.route_tree import Scope
from tickwire.decode.routing import exclusive, observe
from tickwire.decode.tree import Fill, Route, RowSet, Store
from tickwire.errors import PlanError
from tickwire.schema import Table


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
    number
        Where every message of a connection has its number, if the venue counts them.

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
        number: str = "",
    ) -> None:
        self.venue = venue
        self.tables: list[Table] = list(tables.values())
        self.table_index = {table.name: i for i, table in enumerate(self.tables)}
        self.wanted = set(self.table_index if wanted is None else wanted)
        self.aliases = dict(aliases or {})
        self.number = number
        # The C form and the dictionaries whose codes are in it; `_bytecode.pyx` keeps it here.
        self.bytecode: tuple[object, object] | None = None
        names = [message.name for message in messages]
        for name in names:
            if names.count(name) > 1:
                raise PlanError(f"{venue}: message {name!r} is declared twice")
        # Levels of a side, where messages name levels by their position; 0: none does.
        self.most_positions = max(
            (
                field.index
                for message in messages
                for rows in message.rows
                for field in rows.fields.values()
                if field.reader is Reader.POSITION and rows.into in self.wanted
            ),
            default=0,
        )
        # Which messages name the symbols of numbers, by route: where both stand.
        self.naming = {
            number: self._naming(message)
            for number, message in enumerate(messages)
            if message.names is not None
        }
        looks_up = any(
            field.reader is Reader.LOOKUP
            for message in messages
            for rows in message.rows
            for field in rows.fields.values()
        )
        if looks_up and not self.naming:
            raise PlanError(f"{venue}: lookup(...) needs a message(..., names=(number, symbol))")
        scope = Scope(venue, self.tables, self.table_index, self.wanted, number)
        builders = [RouteBuilder(scope, message) for message in messages]
        self.routes = [builder.build() for builder in builders]
        self.router = Route("router", "ignore")
        for position, (route, message) in enumerate(zip(self.routes, messages, strict=True)):
            route.tests = self._tests(route, message)
            route.router_tests = self._tests(self.router, message)
            if message.raw is None and message.kind not in ANSWERS:
                route.rivals = [
                    self._tests(route, other)
                    for other in messages[:position]
                    if other.raw is None
                    and other.inside == message.inside
                    and other.kind not in ANSWERS
                    and not exclusive(other, message)
                ]
            builders[position].check(route.root)
        self._put_inside(messages)

    def _naming(self, message: Message) -> tuple[Path, Path]:
        where = f"{self.venue}.{message.name}.names"
        if message.kind != "acknowledge" or message.names is None:
            raise PlanError(f"{where}: is for messages of kind 'acknowledge'")
        try:
            return naming_paths(message.names)
        except PlanError as error:
            raise PlanError(f"{where}: {error}") from None

    def _put_inside(self, messages: Sequence[Message]) -> None:
        """Let the routes of messages inside of others know of them, and those what is requested."""
        packed = {each.name: at for at, each in enumerate(messages) if each.packed is not None}
        for route, message in zip(self.routes, messages, strict=True):
            if message.inside and (message.inside not in packed or message.packed is not None):
                where = f"{self.venue}.{message.name}"
                raise PlanError(f"{where}: inside of {message.inside!r}, which holds no messages")
            if message.inside:
                route.inside = packed[message.inside]
            if message.inside and (message.kind != "data" or message.raw):
                where = f"{self.venue}.{message.name}"
                raise PlanError(f"{where}: inside of another, it is JSON, data")
        for number in packed.values():
            self.routes[number].requested = any(each.requested for each in self.inside(number))

    def inside(self, number: int) -> list[Route]:
        """Give the routes of the messages that one holds."""
        return [each for each in self.routes if each.inside == number]

    def repeats(self, route: Route) -> bool:
        """Whether two messages of a route may have the same text and mean it.

        Rows differ by their time, id or number of the venue's, where they have one. A candle that
        is sent twice says nothing the second time.
        """
        if route.packed >= 0:
            return any(self.repeats(each) for each in self.inside(self.routes.index(route)))
        return any(not self._is_identified(row_set) for row_set in route.row_sets)

    def _is_identified(self, row_set: RowSet) -> bool:
        table = self.tables[row_set.table]
        if row_set.ts_event >= 0 or row_set.trade_id >= 0 or table.name == "candles":
            return True
        cells: list[Store | Fill] = [*row_set.stores, *row_set.fills]
        names = {table.columns[cell.column].name for cell in cells if cell.register >= 0}
        return "venue_seq" in names

    def _tests(self, route: Route, message: Message) -> list[tuple[int, Test]]:
        """Give the tests of a message on values that a route observes."""
        return [
            (observe(self.venue, route, message.name, path), test)
            for path, test in message.when.items()
        ]
