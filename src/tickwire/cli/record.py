"""`tickwire record`: what a feed receives, as it came, into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tickwire.cli.options import Duration, MaxMessages, Summary

if TYPE_CHECKING:
    from tickwire.feed import FeedHandler


def record(
    config: Annotated[Path, typer.Argument(help="The configuration, TOML: its sources.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to; made if need be.")],
    duration: Duration = None,
    max_messages: MaxMessages = None,
    summary: Summary = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Exit 1 where a stream had no message, a subscription stayed refused, less than "
            "99 % was decoded, or a message was not recorded.",
        ),
    ] = False,
) -> None:
    """Record every message as it came, without the configuration's sinks and state."""
    from tickwire.cli.memory import give_memory_back

    give_memory_back()  # before Arrow is imported

    from dataclasses import replace

    from tickwire import FeedHandler
    from tickwire.cli.driving import drive
    from tickwire.cli.live import live_line
    from tickwire.cli.report import closing_report
    from tickwire.feed.plan.composing import without_state
    from tickwire.feed.plan.planning import load_whole
    from tickwire.sinks import RawSettings

    loaded = load_whole(config)
    own = [sink for sink in loaded.sinks if isinstance(sink, RawSettings)]
    settings = own[0] if own else RawSettings(path=folder)
    sink = settings.model_copy(update={"path": folder})
    feed = FeedHandler(replace(without_state(loaded), sinks=(sink,)))

    async def work() -> list[str]:
        await feed.run(duration_s=duration, max_messages=max_messages or 0)
        return feed.warn_of_decoding() + _totals(feed, folder)

    try:
        with live_line(feed):
            drive(feed, work, summary, strict=strict)
    finally:
        closing_report(feed)


def _totals(feed: FeedHandler, folder: Path) -> list[str]:
    """Log what came of it; give what is worth a warning."""
    from tickwire.logs import get_logger

    summary = feed.summary()
    n_recorded = sum(summary["recorded_messages"].values())
    n_dropped = sum(summary["recording_dropped_messages"].values())
    log = get_logger("tickwire.record")
    log.info(
        "recorded",
        folder=str(folder),
        messages=n_recorded,
        dropped=n_dropped,
        bytes=sum(path.stat().st_size for path in folder.glob("*.recording.arrows")),
        seconds=round(summary["seconds"], 3),
        gaps=summary["gaps"],
    )
    return [f"{n_dropped:,} messages were not recorded"] if n_dropped else []
