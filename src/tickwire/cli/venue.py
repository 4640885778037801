"""`tickwire venue test`: what a declaration makes of a capture."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

import typer

from tickwire.errors import ConfigError

if TYPE_CHECKING:
    from tickwire.venues import Venue

venue = typer.Typer(help="Declarations of venues.", no_args_is_help=True)


@venue.callback()
def _venue() -> None:
    """Keep the name of the one command."""


@venue.command("test")
def try_out(
    file: Annotated[
        str, typer.Argument(help="A venue's name, a Python file that declares one, or file:NAME.")
    ],
    capture: Annotated[Path, typer.Argument(help="The capture, .jsonl or .jsonl.zst.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    passes: Annotated[int, typer.Option(min=0, help="Of measuring speed; 0: none.")] = 5,
) -> None:
    """Decode a capture by a declaration: per kind of message rows, failures, speed; continuity.

    Exit code 1 where a message is unknown or cannot be decoded, or a book's chain is broken.
    """
    from tickwire.capture import Capture
    from tickwire.feed.venue_report import lines, report

    found = report(load_venue(file), Capture.open(capture), passes=passes)
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(found), indent=1))
    else:
        for line in lines(found):
            typer.echo(line)
    if not found.is_good:
        raise typer.Exit(1)


def load_venue(place: str) -> Venue:
    """Give the venue of a name, of `module:NAME`, or that a Python file declares.

    Raises
    ------
    ConfigError
        There is none, or several and none is named.
    """
    from tickwire.venues import Venue, load

    path, _, name = place.partition(":")
    if not path.endswith(".py"):
        return load(place, (Path.cwd(),))
    found = {
        key: each
        for key, each in vars(_module(Path(path))).items()
        if isinstance(each, Venue) and name in ("", key)
    }
    if len(found) != 1:
        known = f"several: say {path}:NAME, one of {', '.join(found)}" if found else "no venue"
        raise ConfigError([f"{path} declares {known}{f' {name}' if name else ''}"])
    return next(iter(found.values()))


def _module(file: Path) -> ModuleType:
    """Run a Python file, whatever it is called; its neighbours can be imported."""
    spec = importlib.util.spec_from_file_location(f"declared_{file.stem}", file)
    if spec is None or spec.loader is None or not file.is_file():
        raise ConfigError([f"{file}: no such file"])
    module = importlib.util.module_from_spec(spec)
    sys.path.append(str(file.parent.absolute()))
    sys.modules[spec.name] = module  # its dataclasses look for it
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever another's file raises
        wrong = f"{file} cannot be run: {type(error).__name__}: {error}"
        raise ConfigError([wrong]) from error
    return module
