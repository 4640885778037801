"""`tickwire replay`: a capture through the same rings and sinks, without a socket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import IO, TYPE_CHECKING, Annotated, cast

import typer

from tickwire.cli.live import UPDATES_PER_S
from tickwire.cli.options import ConfigFile, Debug, Summary
from tickwire.cli.sim import factor_of
from tickwire.cli.terminal import TERMINAL
from tickwire.cli.times import time_ns

if TYPE_CHECKING:
    from tickwire.feed.replays.replaying import Replay


def replay(
    capture: Annotated[
        Path,
        typer.Argument(help="A capture, .jsonl or .jsonl.zst, or the folder of a recording."),
    ],
    config: ConfigFile,
    speed: Annotated[
        str, typer.Option(metavar="X", help="Times the capture's own pace; max does not wait.")
    ] = "max",
    from_: Annotated[
        str | None,
        typer.Option("--from", help="Of a recording, from this time on: ISO 8601; UTC by default."),
    ] = None,
    to: Annotated[str | None, typer.Option(help="Of a recording, before this time.")] = None,
    source: Annotated[
        str | None, typer.Option(help="Of a recording, this source: its number, or a venue.")
    ] = None,
    again: Annotated[
        bool,
        typer.Option(
            "--again",
            help="Write it anew into outputs that have it from an earlier replay, and remove those "
            "rows; without this they are left as they are.",
        ),
    ] = False,
    summary: Summary = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Exit 1 where a stream had no message, less than 99 % was decoded, or the replay "
            "was interrupted.",
        ),
    ] = False,
    debug: Debug = False,
) -> None:
    """Decode a capture or a recording; the same one gives the same rows every time."""
    from tickwire import FeedHandler
    from tickwire.cli.driving import drive
    from tickwire.feed.plan.planning import load_whole
    from tickwire.feed.replays.recorded_replay import replay_of

    factor = factor_of(speed)
    feed = FeedHandler(load_whole(config), replays=True)
    played = replay_of(
        feed,
        capture,
        speed=factor,
        from_ns=time_ns(from_, "--from"),
        to_ns=time_ns(to, "--to"),
        source=source,
        again=again,
    )
    with _progress(played):
        drive(feed, played.run, summary, strict=strict, debug=debug)


@contextmanager
def _progress(played: Replay) -> Iterator[None]:
    if not TERMINAL.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    # Refreshed as it goes on: rich's own refresh thread is not joined, and would outlive the feed.
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(file=cast("IO[str]", TERMINAL)),
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
    ) as progress:
        task = progress.add_task(played.path.name, total=None)
        shown_s = 0.0

        def show(done: int, total: int) -> None:
            nonlocal shown_s
            now_s = monotonic()
            if now_s - shown_s >= 1 / UPDATES_PER_S:
                shown_s = now_s
                progress.update(task, completed=done, total=total, refresh=True)

        played.on_progress = show
        yield
