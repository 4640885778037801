"""`tickwire check`: validate a configuration and show what it would do."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from tickwire.cli.options import ConfigFile

if TYPE_CHECKING:
    from tickwire.feed.plan.plans import FeedPlan, SourcePlan


def check(
    config: ConfigFile,
    *,
    online: Annotated[
        bool, typer.Option("--online", help="Look the symbols up in the venues' lists, too.")
    ] = False,
) -> None:
    """Validate a configuration, print the plan, and exit."""
    from tickwire.feed.plan.planning import load_whole, plan_feed

    plan = plan_feed(load_whole(config))
    for line in plan_lines(plan):
        typer.echo(line)
    if online:
        import asyncio

        for line in asyncio.run(look_up(plan)):
            typer.echo(line)


async def look_up(plan: FeedPlan) -> list[str]:
    """Ask the venues for their symbols; give what can be said where all are known.

    Raises
    ------
    ConfigError
        With a line for each symbol that its venue does not list.
    """
    from tickwire.feed.plan.symbols import check_symbols, queries_of
    from tickwire.session import RestClient

    async with contextlib.AsyncExitStack() as stack:
        rests = {}
        for source in plan.sources:
            rest = RestClient(source.settings, per_min=source.venue.limits.rest_per_min)
            rests[id(source)] = await stack.enter_async_context(rest)
        failures = await check_symbols(plan.sources, lambda source: rests[id(source)])
    n_checked = sum(bool(queries_of(source)) for source in plan.sources)
    return [*failures, f"symbols: looked up for {n_checked} of {len(plan.sources)} sources"]


def _verified(source: SourcePlan) -> str:
    from tickwire.feed.plan.unverified import WHY, unverified_channels

    date, channels = source.venue.verified, unverified_channels(source)
    if date is None:
        return f", not verified: {WHY}"
    without = f" without {', '.join(channels)}" if channels else ""
    return f", verified {date}{without}" if date else ""


def plan_lines(plan: FeedPlan) -> list[str]:
    """Put a plan in words, a line each."""
    from tickwire.feed.pipeline import ring_rows
    from tickwire.feed.plan.startup import pace_of, start_of, start_together
    from tickwire.redaction import hidden, shown_url
    from tickwire.ring import ring_bytes

    feed = plan.config.feed
    state = "none" if feed.state_dir is None else str(feed.state_dir)
    sizes = {name: ring_rows(feed, name) for name in plan.tables}
    n_bytes = {name: ring_bytes(plan.tables[name], rows) for name, rows in sizes.items()}
    rings = "memory" if feed.ring_dir is None else str(feed.ring_dir)
    lines = [
        f"feed {feed.name}: loop {feed.loop}, {feed.ring_rows} rows per ring, "
        f"overflow {feed.overflow}, state in {state}, "
        f"rings in {rings}: {sum(n_bytes.values()) >> 20:,} MiB"
    ]
    for index, source in enumerate(plan.sources):
        lines.append(
            f"source[{index}] {source.venue.name}: carrier {source.settings.carrier}, "
            f"feeds {', '.join(source.tables)}{_verified(source)}"
        )
        for number, connection in enumerate(source.connections):
            urls = " or ".join(shown_url(url) for url in connection.urls)
            times = source.settings.redundancy
            redundant = f", {times} times" if times > 1 else ""
            lines.append(f"  connection {number}{redundant}: {urls}")
            lines += [
                f"    {subscription.channel} {subscription.symbol} -> {subscription.table}"
                f"  [{subscription.key}]"
                for subscription in connection.subscriptions
            ]
        lines.append(f"  start: {start_of(source)}; {pace_of(source)}")
        rule = source.venue.book
        if source.spliced and rule is not None and rule.begin.kind == "rest":
            lines.append(
                f"  snapshots of {', '.join(source.spliced)} from {shown_url(source.rest_url)}, "
                f"by {rule.begin.path}"
            )
    lines += [f"start of {name}: {start}" for name, start in start_together(plan.sources).items()]
    lines.append("tables")
    for table in plan.tables.values():
        columns = ", ".join(column.name for column in table.columns)
        lines.append(f"  {table.name}: {columns}")
        lines.append(f"    ring: {sizes[table.name]:,} rows, {n_bytes[table.name] >> 20:,} MiB")
    lines.append("sinks" if plan.sinks else "sinks: none")
    for sink in plan.sinks:
        settings = sink.settings
        taken = ", ".join(sink.tables) if settings.takes_tables else "every message as it came"
        lines.append(f"  {settings.name}: {settings.type} at {settings.target}, takes {taken}")
    for hook in plan.hooks:
        lines.append(f"emergency hook {hook.name}, {hook.deadline_s:g} s: {hook.hook!r}")
    return [hidden(line) for line in lines]
