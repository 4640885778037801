"""`tickwire emergency`: shuts a running feed down at once."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

import typer

from tickwire.cli.status import LocalConnection, asked, local_socket
from tickwire.errors import TickwireError


def emergency(
    feed: Annotated[
        str,
        typer.Argument(
            metavar="FEED",
            help="A feed's name (with its state in ./.tickwire), or its configuration.",
        ),
    ],
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Why, for its log, its summary and its last line.")
    ] = "",
) -> None:
    """Shut a running feed down: stop intake, flush, run the emergency hooks, exit 70."""
    path = local_socket(feed)
    if path is None:
        raise TickwireError(f"{feed}: has no state_dir, and so no socket to ask it by")
    target = f"/emergency?{urlencode({'reason': reason})}" if reason else "/emergency"
    answer = asked(LocalConnection(path), "POST", target)
    if answer is None or not answer.get("emergency"):
        raise TickwireError(f"no feed {feed!r} runs, or none that can be asked")
    typer.echo(f"{feed}: shuts down (pid {answer['pid']})")
