"""`tickwire run`: the feed handler."""

from __future__ import annotations

from typing import Annotated

import typer

from tickwire.cli.options import ConfigFile, Debug, Duration, MaxMessages, Summary


def run(
    config: ConfigFile,
    duration: Duration = None,
    max_messages: MaxMessages = None,
    until_idle: Annotated[
        float | None,
        typer.Option(
            min=0.0, metavar="S", help="Stop when no data message has come for S seconds."
        ),
    ] = None,
    summary: Summary = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Exit 1 where a stream had no message, a subscription stayed refused, or less "
            "than 99 % was decoded.",
        ),
    ] = False,
    adopt: Annotated[
        bool,
        typer.Option(
            "--adopt", help="Go on behind the rows of another feed, where sinks hold such."
        ),
    ] = False,
    debug: Debug = False,
) -> None:
    """Run the feed handler until a signal (SIGINT, SIGTERM, SIGHUP) or a limit stops it."""
    from tickwire.cli.memory import give_memory_back, long_lived

    give_memory_back()  # before Arrow is imported

    from tickwire import FeedHandler
    from tickwire.cli.driving import drive
    from tickwire.cli.live import live_line
    from tickwire.cli.report import closing_report

    feed = FeedHandler.from_toml(config, adopt=adopt)

    async def work() -> list[str]:
        n_most = max_messages or 0
        with long_lived():
            await feed.run(duration_s=duration, max_messages=n_most, until_idle_s=until_idle)
        return feed.warn_of_decoding()

    try:
        with live_line(feed):
            drive(feed, work, summary, strict=strict, debug=debug)
    finally:
        closing_report(feed)
