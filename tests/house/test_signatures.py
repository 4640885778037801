"""`help()` of a compiled class shows what its stub says: how it is made."""

import ast
import inspect
from pathlib import Path

import pytest

from tickwire import wire
from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES

STUBS = Path(__file__).parents[2] / "src"
COMPILED = (
    wire.FrameParser, wire.Inflater, wire.Deflater, wire.MessageQueue, Ring, Consumer,
)  # fmt: skip


def stubbed(kind: type) -> tuple[list[str], list[str], list[object]]:
    """Give the names by position, those by keyword, and the defaults of a stub's constructor."""
    path = STUBS / (kind.__module__.replace(".", "/") + ".pyi")
    [body] = (
        node.body
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and node.name == kind.__name__
    )
    [made] = (
        node
        for node in body
        if isinstance(node, ast.FunctionDef) and node.name in ("__new__", "__init__")
    )
    given = made.args
    defaults = [ast.literal_eval(each) for each in (*given.defaults, *given.kw_defaults) if each]
    return [a.arg for a in given.args[1:]], [a.arg for a in given.kwonlyargs], defaults


@pytest.mark.parametrize("kind", COMPILED)
def test_a_compiled_class_shows_how_it_is_made(kind: type) -> None:
    shown = inspect.signature(kind).parameters.values()
    by_position = [each.name for each in shown if each.kind is each.POSITIONAL_OR_KEYWORD]
    by_keyword = [each.name for each in shown if each.kind is each.KEYWORD_ONLY]
    defaults = [each.default for each in shown if each.default is not each.empty]
    assert (by_position, by_keyword, defaults) == stubbed(kind)


def test_a_ring_and_its_consumer_say_what_they_are() -> None:
    ring = Ring(TABLES["mids"], 4096, Dictionaries())
    consumer = Consumer(ring)
    assert repr(ring) == "<Ring mids: 4096 rows, next seq 0>"
    assert repr(consumer) == "<Consumer of mids: 0 rows to take>"
    consumer.close()
    assert repr(consumer) == "<Consumer of mids: closed>"
