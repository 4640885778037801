"""Every key of a configuration: `python -m tests.config.reference --write`.

What a key means stands once, in the docstring of its section; its type, bounds and default in the
section itself.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import types
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, MaxLen, MinLen
from pydantic.fields import FieldInfo

from tickwire.config import (
    AlertSettings,
    BooksSettings,
    EmergencySettings,
    Feed,
    MetricsSettings,
    SeveritySettings,
    Source,
)
from tickwire.config.models import ConnectionOptions, FileSinkSettings, SessionOptions, SinkSettings
from tickwire.config.plugins import load_plugin, plugin_names
from tickwire.config.section import Section

PAGE = Path(__file__).parents[2] / "docs/configuration.md"
HEAD = """\
# Configuration

Every key that a TOML file may have. This page is written from the program by \
`python -m tests.config.reference --write`; a test holds it. `tickwire check FILE` validates a \
file and shows what it comes to. From Python a section is a class with the same keys: \
`tickwire.Source(...)`, `tickwire.ParquetSink(...)`, `tickwire.BooksSettings(...)`; those of \
`[feed]` are parameters of `tickwire.FeedHandler`.

A relative path starts at the folder of the file. An unknown key, a wrong type or a value out of \
bounds is an error that names the file, the key and what is allowed. A key in **bold** must be \
given.
"""
PARAMETERS = re.compile(r"\nParameters\n-+\n(?P<body>.*)", re.DOTALL)
WORDS = {str: "text", int: "whole number", float: "number", bool: "true, false", Path: "path"}


def meanings(section: type[Section]) -> dict[str, str]:
    """Give what a section's docstring, and those it is made of, say of each key."""
    found: dict[str, str] = {}
    for each in reversed(section.__mro__):
        doc = inspect.cleandoc(each.__doc__ or "")  # Python 3.13 keeps no indentation
        match = PARAMETERS.search(doc) if issubclass(each, Section) else None
        found |= dict(_entries(match["body"] if match else ""))
    return found


def _entries(body: str) -> Iterator[tuple[str, str]]:
    names: list[str] = []
    lines: list[str] = []
    for line in body.splitlines():
        if line and not line.startswith(" "):
            for name in names:
                yield name, " ".join(lines)
            names, lines = line.strip().split(", "), []
        elif line.strip():
            lines.append(line.strip())
    for name in names:
        yield name, " ".join(lines)


def type_of(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    """Say in words what a key may be."""
    bounds = _bounds(list(metadata))
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return type_of(inner, [*_flat(more), *metadata])
    if get_origin(annotation) in (Union, types.UnionType):
        given = [each for each in get_args(annotation) if each is not types.NoneType]
        if {str, Path} <= set(given):
            given.remove(str)  # in a file, a path is a text
        return ", or ".join(dict.fromkeys(type_of(each, metadata) for each in given))
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{json.dumps(value)}`" for value in get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, str) and annotation is not str:
        return ", ".join(f"`{json.dumps(str(word))}`" for word in annotation)  # type: ignore[attr-defined] # an enum
    origin = get_origin(annotation) or annotation
    if origin in (tuple, Sequence, list):
        [inner, *_] = get_args(annotation)
        return "list of " + re.sub("whole number|text", r"\g<0>s", type_of(inner), count=1)
    if origin is dict:
        return "table"
    return WORDS.get(origin, "text") + bounds


def _flat(metadata: Iterable[Any]) -> Iterator[Any]:
    for each in metadata:
        yield from each.metadata if isinstance(each, FieldInfo) else [each]


def _bounds(metadata: Sequence[Any]) -> str:
    said = []
    for each in metadata:
        if isinstance(each, Ge):
            said.append(f"at least {_plain(each.ge)}")
        elif isinstance(each, Gt):
            said.append(f"more than {_plain(each.gt)}")
        elif isinstance(each, Le):
            said.append(f"at most {_plain(each.le)}")
        elif isinstance(each, MaxLen):
            said.append(f"at most {each.max_length} characters")
        elif isinstance(each, MinLen) and each.min_length > 1:
            said.append(f"at least {each.min_length} characters")
    return "".join(f", {each}" for each in said)


def _plain(value: Any) -> str:
    return f"{value:_}" if isinstance(value, int) and abs(value) >= 10_000 else f"{value}"


def default_of(field: FieldInfo) -> str:
    """Give the default as TOML writes it."""
    value = field.get_default(call_default_factory=True, validated_data={})
    if field.is_required() or value is None or value in ((), {}):
        return "-"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | float):
        return f"`{_plain(value)}`"
    return f"`{json.dumps(str(value))}`"


def rows_of(
    section: type[Section], without: Iterable[str] = (), optional: Iterable[str] = ()
) -> list[str]:
    """Give a section's table; what is `optional` has a default in sections made of this one."""
    told = meanings(section)
    lines = ["| key | value | default | |", "| --- | --- | --- | --- |"]
    for name, field in section.model_fields.items():
        if name in without:
            continue
        shown = f"**{name}**" if field.is_required() and name not in optional else name
        kind = type_of(field.annotation, field.metadata)
        cells = [shown, kind, default_of(field), told[name]]
        lines.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return lines


def _part(heading: str, section: type[Section], **which: Iterable[str]) -> list[str]:
    summary = (section.__doc__ or "").partition("\n")[0].partition(": ")[2]
    said = f"{summary[:1].upper()}{summary[1:]}"
    return ["", f"## `{heading}`", "", said, "", *rows_of(section, **which)]


def page() -> str:
    """Give the whole page."""
    lines = [HEAD.rstrip()]
    lines += _part("[feed]", Feed)
    session, connection = set(SessionOptions.model_fields), set(ConnectionOptions.model_fields)
    lines += _part("[[source]]", Source, without=session)
    lines += ["", "How its sessions are kept:", "", *rows_of(SessionOptions, connection)]
    lines += ["", "How its connections are made:", "", *rows_of(ConnectionOptions)]
    lines += _part("[[sink]]", SinkSettings, optional=("name",))
    shared = set(SinkSettings.model_fields)
    for kind in plugin_names("tickwire.sinks"):
        settings = load_plugin("tickwire.sinks", kind)
        assert issubclass(settings, FileSinkSettings)
        lines += _part(f'[[sink]] type = "{kind}"', settings, without=shared)
    lines += _part("[books]", BooksSettings)
    lines += _part("[metrics]", MetricsSettings)
    lines += _part("[[alert]]", AlertSettings)
    lines += _part("[[emergency]]", EmergencySettings)
    lines += _part("[[severity]]", SeveritySettings)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(page())
    else:
        print(page())
