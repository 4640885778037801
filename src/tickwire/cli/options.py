"""Options that several commands have: what each is called, takes and says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[Path, typer.Argument(help="The configuration, TOML.")]
Duration = Annotated[float | None, typer.Option(min=0.0, metavar="S", help="Stop after S seconds.")]
MaxMessages = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="Stop at the end of the read that brings data message N."
    ),
]
Summary = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Write the summary as JSON; - is standard output."),
]
Debug = Annotated[
    bool,
    typer.Option(
        "--debug",
        help="Log what blocks the event loop; SIGUSR1 logs where memory grows, too. Slow.",
    ),
]
