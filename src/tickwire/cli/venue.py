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

venue = typer.Typer(help="Declarations of venues.", no_args_is_help=False)


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

    Where the declaration names its fields, what is new or missing is shown, too.

    Exit code 1 where a message is unknown or cannot be decoded, or a book's chain is broken.
    """
    from tickwire.capture import Capture
    from tickwire.feed.replays.venue_report import lines, report
    from tickwire.feed.streams.drift import drifts_in

    declared = load_venue(file)
    found = report(declared, Capture.open(capture), passes=passes)
    drifts = drifts_in(declared, Capture.open(capture))
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(found) | {"drifts": drifts}, indent=1))
    else:
        for line in lines(found):
            typer.echo(line)
        for name, counts in drifts.items():
            for drift, n in counts.items():
                typer.echo(f"drift since {declared.verified}: {name}: {drift} ({n} messages)")
    if not found.is_good:
        raise typer.Exit(1)


@venue.command("fields")
def fields(
    file: Annotated[
        str, typer.Argument(help="A venue's name, a Python file that declares one, or file:NAME.")
    ],
    captures: Annotated[list[Path], typer.Argument(help="Captures, .jsonl or .jsonl.zst.")],
) -> None:
    """Print what `fields` of a declaration is to have, so that a run sees what has changed."""
    from tickwire.capture import Capture
    from tickwire.feed.streams.drift import fields_of

    found = fields_of(load_venue(file), map(Capture.open, captures))
    typer.echo("fields = {")
    for name, paths in found.items():
        typer.echo(f"    {json.dumps(name)}: (")
        for path in paths:
            typer.echo(f"        {json.dumps(path)},")
        typer.echo("    ),")
    typer.echo("}")


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
