"""The configuration of a feed that a program puts together from sources, sinks and keys.

Rules of this file
------------------
- What a program gives wrongly is a `TypeError` that says what it should have given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from tickwire.config import (
    AlertSettings,
    BooksSettings,
    Config,
    Feed,
    FeedKeys,
    MetricsSettings,
    SeveritySettings,
    SinkSettings,
    Source,
)
from tickwire.errors import ConfigError


def config_of(
    sources: Config | Source | Sequence[Source],
    sinks: SinkSettings | Sequence[SinkSettings],
    feed: FeedKeys,
    *,
    books: BooksSettings | None,
    metrics: MetricsSettings | None,
    alerts: Sequence[AlertSettings],
    severities: Sequence[SeveritySettings],
) -> Config:
    """Put together what a program gave to `FeedHandler`."""
    config = _with_sources(sources, sinks, feed)
    if books is not None:
        config = replace(config, books=books)
    if metrics is not None or alerts or severities:
        config = replace(
            config,
            metrics=metrics or config.metrics,
            alerts=(*config.alerts, *alerts),
            severities=(*severities, *config.severities),
        )
    return config


def without_state(config: Config) -> Config:
    """Give a configuration that keeps nothing on disk but by its sinks."""
    stateless = config.feed.model_copy(
        update={"state_dir": None, "ring_dir": None, "spill_dir": None}
    )
    sinks = [sink for sink in config.sinks if sink.takes_tables]  # there is nothing to record
    return replace(config, feed=stateless, sinks=type(config.sinks)(sinks))


def _with_sources(
    sources: Config | Source | Sequence[Source],
    sinks: SinkSettings | Sequence[SinkSettings],
    feed: FeedKeys,
) -> Config:
    """Give the configuration of sources and sinks, or say what should have been given."""
    if isinstance(sources, Config):
        if sinks or feed:
            raise TypeError("a Config holds its sinks and the keys of [feed]: give nothing else")
        return sources
    if isinstance(sources, str | Path):
        raise TypeError(f"sources: is a path: write FeedHandler.from_toml({str(sources)!r})")
    if not isinstance(sources, Source | Iterable):
        raise TypeError(f"sources: is {sources!r}, should be Source objects")
    many_sources = (sources,) if isinstance(sources, Source) else tuple(sources)
    many_sinks = (sinks,) if isinstance(sinks, SinkSettings) else tuple(sinks)
    for source in many_sources:
        if not isinstance(source, Source):
            raise TypeError(f"sources: has a {type(source).__name__}, should be Source objects")
    for sink in many_sinks:
        if not isinstance(sink, SinkSettings):
            raise TypeError(f"sinks: has a {type(sink).__name__}, should be such as ParquetSink")
    if not many_sources:
        raise ConfigError(["source: is required, at least one Source"])
    kept: FeedKeys = {"state_dir": None, **feed}
    return Config(Feed(**kept), many_sources, many_sinks)
