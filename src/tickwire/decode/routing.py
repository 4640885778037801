"""How messages are distinguished: what is observed, and which tests exclude each other."""

from __future__ import annotations

from collections.abc import Callable

from tickwire.decode.paths import Step, parse_path
from tickwire.decode.plan import Message, Scalar, Test
from tickwire.decode.tree import Route
from tickwire.errors import PlanError


def observe(venue: str, route: Route, message: str, path: str) -> int:
    """Give the register that holds the raw text at a path, for routing."""
    if path in route.observed:
        return route.observed[path]
    where = f"{venue}.{message}.when"
    if path.startswith("$"):
        raise PlanError(f"{where}: {path!r} starts at the message already, without $")
    try:
        steps = parse_path(path)
    except PlanError as error:
        raise PlanError(f"{where}: {error}") from None
    if any(isinstance(step, Step) for step in steps):
        raise PlanError(f"{where}: {path!r} may not iterate")
    register = route.allocate(where)
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


def exclusive(a: Message, b: Message) -> bool:
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


def _overlap(left: Test, right: Test, within: Callable[[str, str], bool]) -> bool:
    return any(
        within(str(x), str(y)) or within(str(y), str(x)) for x in left.values for y in right.values
    )
