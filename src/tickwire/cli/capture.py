"""`tickwire capture`: captures and recordings, one as the other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

capture = typer.Typer(help="Captures and recordings.", no_args_is_help=False)


@capture.callback()
def _capture() -> None:
    """Captures and recordings."""


@capture.command()
def convert(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="A capture (.jsonl, .jsonl.zst) or a recording.")
    ],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="The other: a name in .jsonl or .jsonl.zst, or a folder."
        ),
    ],
) -> None:
    """Write a capture as a recording, or a recording as a capture: the same payloads."""
    from tickwire.capture.convert import convert as write
    from tickwire.wording import counted

    n_messages = write(source, target)
    typer.echo(f"{target}: {counted(n_messages, 'message')}")
