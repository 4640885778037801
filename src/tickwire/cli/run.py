"""`tickwire run`: the feed handler."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    config: Annotated[Path, typer.Argument(help="The configuration, TOML.")],
    duration: Annotated[
        float | None, typer.Option(min=0.0, metavar="S", help="Stop after S seconds.")
    ] = None,
    max_messages: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Stop at the end of the read that brings data message N."
        ),
    ] = None,
    until_idle: Annotated[
        float | None,
        typer.Option(
            min=0.0, metavar="S", help="Stop when no data message has come for S seconds."
        ),
    ] = None,
    summary: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write the summary as JSON; - is standard output."),
    ] = None,
) -> None:
    """Run the feed handler until it is told to stop (SIGINT or SIGTERM) or a limit is reached."""
    from tickwire.cli.driving import drive
    from tickwire.cli.live import live_line
    from tickwire.config import load
    from tickwire.feed import FeedHandler

    feed = FeedHandler(load(config))
    with live_line(feed):
        drive(
            feed,
            lambda: feed.run(
                duration_s=duration, max_messages=max_messages or 0, until_idle_s=until_idle
            ),
            summary,
        )
