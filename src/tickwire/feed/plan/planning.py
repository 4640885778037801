"""From a configuration and the venues' declarations to what the feed must build.

Rules of this file
------------------
- Pure: nothing is opened here, so `tickwire check` can show the whole plan.
- Everything that the shape of a configuration cannot tell is checked here, and all mistakes are
  collected before `ConfigError` is raised.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tickwire.config import Config, SinkSettings, load
from tickwire.errors import ConfigError
from tickwire.feed.emergency import load_hooks
from tickwire.feed.plan.checking import check_alerts, check_limits, check_sinks, check_symbols
from tickwire.feed.plan.plans import FeedPlan, SinkPlan, SourcePlan
from tickwire.feed.plan.source_planning import completed, plan_source
from tickwire.schema import BOOK_TABLES, SYSTEM_TABLES, TABLES, Table
from tickwire.supervise import SeverityTable, rule_of


def load_whole(path: str | Path) -> Config:
    """Read a configuration; where it is wrong, what its venues say of the rest is reported too.

    Raises
    ------
    ConfigError
        With one line per mistake, naming file and key.
    """
    try:
        return load(path)
    except ConfigError as error:
        if isinstance(error.readable, Config):
            try:
                plan_feed(error.readable)
            except ConfigError as more:
                raise ConfigError([*error.problems, *more.problems]) from None
        raise


def plan_feed(config: Config) -> FeedPlan:
    """Check a configuration against the venues and lay out the feed.

    Parameters
    ----------
    config
        Its shape has been checked.

    Returns
    -------
    FeedPlan
        Connections, subscriptions, tables and sinks.

    Raises
    ------
    ConfigError
        With one line per mistake, naming file and key.
    """
    problems: list[str] = []
    sources: list[SourcePlan] = []
    given = config.sources
    config = replace(config, sources=tuple(completed(config, each) for each in config.sources))
    check_symbols(config, problems)
    for index, settings in enumerate(config.sources):
        source = plan_source(config, index, settings, problems)
        if source is not None:
            sources.append(source)
    sources = _within_rest_limits(sources)
    check_limits(config, sources, problems)
    check_sinks(config, problems)
    tables = _merged_tables(config, sources, problems)
    check_alerts(config, problems)
    hooks = load_hooks(config, problems)
    severities = _severities(config, problems)
    if problems:
        raise ConfigError(problems)
    sinks = tuple(SinkPlan(sink, _tables_of(sink, tables)) for sink in config.sinks)
    return FeedPlan(config, tuple(sources), sinks, tables, hooks, severities, given)


def _within_rest_limits(sources: Sequence[SourcePlan]) -> list[SourcePlan]:
    """Have books begin by smaller snapshots, where a minute has not enough large ones.

    All sources of a venue share its limit.
    """
    needed: Counter[str] = Counter()
    for source in sources:
        needed[source.venue.name] += len(source.spliced)
    found = []
    for source in sources:
        venue, rule = source.venue, source.venue.book
        n = needed[venue.name]
        if rule is None or not rule.begin.smaller or n <= venue.limits.rest_per_min:
            found.append(source)
            continue
        enough = (each for each in rule.begin.smaller if each[1] >= n)
        path, per_min = next(enough, rule.begin.smaller[-1])
        smaller = replace(
            venue,
            book=replace(rule, begin=replace(rule.begin, path=path)),
            limits=replace(venue.limits, rest_per_min=per_min),
        )
        found.append(replace(source, venue=smaller))
    return found


def _severities(config: Config, problems: list[str]) -> SeverityTable:
    rules = []
    for index, settings in enumerate(config.severities):
        try:
            rules.append(rule_of(settings, config.folders))
        except ConfigError as error:
            key = f"{config.key('severity', index)}.error"
            problems.extend(config.problem(key, wrong) for wrong in error.problems)
    return SeverityTable(rules)


def _merged_tables(
    config: Config, sources: Sequence[SourcePlan], problems: list[str]
) -> dict[str, Table]:
    fed = {table for source in sources for table in source.tables}
    if config.books is not None and "book" in fed:
        optional = {"depth": config.books.depth > 0, "nbbo": config.books.nbbo}
        fed.update(name for name in BOOK_TABLES if optional.get(name, True))
    merged = {name: TABLES[name] for name in TABLES if name in fed or name in SYSTEM_TABLES}
    origin: dict[tuple[str, str], str] = {}
    for source in sources:
        index = next(i for i, each in enumerate(config.sources) if each is source.settings)
        if not source.settings.extras:
            continue
        for name in source.tables:
            extras = source.venue.extras.get(name, ())
            for column in extras:
                known = next((c for c in merged[name].columns if c.name == column.name), column)
                if known.kind != column.kind:
                    problems.append(
                        config.problem(
                            f"{config.key('source', index)}.extras",
                            f"column {column.name!r} of {name} is {column.kind.name} at "
                            f"{source.venue.name} and {known.kind.name} at "
                            f"{origin.get((name, column.name), 'tickwire')}, should be left out "
                            "in one of the sources",
                        )
                    )
                origin.setdefault((name, column.name), source.venue.name)
                if known.kind == column.kind:
                    merged[name] = merged[name].with_extras((column,))
    return merged


def _tables_of(sink: SinkSettings, tables: dict[str, Table]) -> tuple[str, ...]:
    if not sink.takes_tables:
        return ()
    return tuple(name for name in tables if sink.tables is None or name in sink.tables)
