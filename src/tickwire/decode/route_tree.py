"""The tree of a message: its paths, the registers of its values, and where each stands."""

from __future__ import annotations

from dataclasses import dataclass

from tickwire.decode.actions import Action, Op, action_for
from tickwire.decode.paths import Path, Step, iterations, parse_path
from tickwire.decode.plan import Field, Message, Reader, Rows
from tickwire.decode.tree import Node, Route
from tickwire.errors import PlanError
from tickwire.schema import Kind, Table


@dataclass(frozen=True, slots=True)
class Scope:
    """What all messages of a program are built for."""

    venue: str
    tables: list[Table]
    table_index: dict[str, int]
    wanted: set[str]
    number: str = ""  # where a connection's messages have their number, if they are counted


class RouteTree:
    """The tree of one route, as far as it is built; its attributes are what the steps share."""

    def __init__(self, scope: Scope, message: Message) -> None:
        self.scope = scope
        self.message = message
        self.route = Route(message.name, message.kind, raw=message.raw)
        self.actions: dict[tuple[object, ...], int] = {}
        self.made: dict[int, Action] = {}
        self.required: set[int] = set()

    def fail(self, column: str, problem: str) -> PlanError:
        """Give the error that names venue, message and field."""
        return PlanError(f"{self.scope.venue}.{self.message.name}.{column}: {problem}")

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
        """Give a path of the declaration as steps."""
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
        action.register = self.route.allocate(f"{self.scope.venue}.{self.message.name}.{name}")
        self.actions[known] = action.register
        self.made[action.register] = action
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
