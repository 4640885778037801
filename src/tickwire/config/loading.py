"""A configuration from its TOML file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tickwire.config.books import BooksSettings
from tickwire.config.models import Feed, SinkSettings, Source
from tickwire.config.plugins import PluginError, load_plugin, plugin_names
from tickwire.config.problems import shown, unknown_key
from tickwire.config.secrets import with_secrets
from tickwire.config.severities import SeveritySettings
from tickwire.config.watching import AlertSettings, EmergencySettings, MetricsSettings
from tickwire.errors import ConfigError

# The group of entry points by which a sink's settings are found; their name is its `type`.
SINKS = "tickwire.sinks"
_TOP = ("feed", "source", "sink", "books", "metrics", "alert", "emergency", "severity")
_Made = TypeVar(
    "_Made",
    Feed,
    Source,
    SinkSettings,
    BooksSettings,
    MetricsSettings,
    AlertSettings,
    EmergencySettings,
    SeveritySettings,
)


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration whose shape is right.

    Parameters
    ----------
    feed, sources, sinks, books, metrics, alerts, emergencies, severities
        Its sections.
    origin
        The file as the user named it, for messages; empty where there is none.
    places
        By section, the numbers in the file of those that are here; where left out, all are.
    """

    feed: Feed
    sources: tuple[Source, ...]
    sinks: tuple[SinkSettings, ...] = ()
    origin: str = ""
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    alerts: tuple[AlertSettings, ...] = ()
    emergencies: tuple[EmergencySettings, ...] = ()
    severities: tuple[SeveritySettings, ...] = ()
    books: BooksSettings | None = None
    places: Mapping[str, Sequence[int]] = field(default_factory=dict, compare=False, repr=False)

    def key(self, section: str, index: int) -> str:
        """Name a source or a sink of `sources` or `sinks` as the file does: `source[0]`."""
        return f"{section}[{self.places[section][index] if section in self.places else index}]"

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where a venue's `package.module:NAME` is looked for, beside what is installed."""
        here = Path.cwd()
        folder = Path(self.origin).absolute().parent if self.origin else here
        return (folder,) if folder == here else (folder, here)

    def problem(self, key: str, wrong: str) -> str:
        """Give the line for a mistake at `key`, such as `source[0].channels`."""
        return f"{self.origin}: {key}: {wrong}" if self.origin else f"{key}: {wrong}"


def load(path: str | Path) -> Config:
    """Read a configuration; relative paths in it start at its folder.

    Parameters
    ----------
    path
        The TOML file.

    Returns
    -------
    Config
        Its sections, with every default filled in.

    Raises
    ------
    ConfigError
        With one line per problem: file, key, what is wrong and what is allowed.
    """
    origin = str(path)
    document = _parse(Path(path), origin)
    problems: list[str] = [unknown_key(key, _TOP) for key in document if key not in _TOP]

    folder = Path(path).parent

    def revealed(table: dict[str, Any]) -> dict[str, Any]:
        unread: list[str] = []
        table = with_secrets(table, folder, unread)
        if unread:
            raise ConfigError(unread)
        return table

    def source(**table: Any) -> Source:
        return Source(**revealed(table))

    def alert(**table: Any) -> AlertSettings:
        return AlertSettings(**revealed(table))

    feed = _section("feed", document.get("feed", {}), Feed, problems)
    sources = _sections("source", document.get("source", []), source, problems)
    sinks = _sections("sink", document.get("sink", []), _sink, problems)
    books = None
    if "books" in document:
        books = _section("books", document["books"], BooksSettings, problems)
    metrics = _section("metrics", document.get("metrics", {}), MetricsSettings, problems)
    alerts = _sections("alert", document.get("alert", []), alert, problems)
    hooks = _sections("emergency", document.get("emergency", []), EmergencySettings, problems)
    severities = _sections("severity", document.get("severity", []), SeveritySettings, problems)
    if "source" not in document:
        problems.append("source: is required, at least one [[source]]")
    config = Config(
        feed=(feed or Feed()).anchored(folder),
        sources=tuple(source.anchored(folder) for source in sources.values()),
        sinks=tuple(sink.anchored(folder) for sink in sinks.values()),
        origin=origin,
        places={
            "source": tuple(sources),
            "sink": tuple(sinks),
            "alert": tuple(alerts),
            "emergency": tuple(hooks),
            "severity": tuple(severities),
        },
        books=books,
        metrics=metrics or MetricsSettings(),
        alerts=tuple(alerts.values()),
        emergencies=tuple(hook.anchored(folder) for hook in hooks.values()),
        severities=tuple(severities.values()),
    )
    if problems:
        lines = [f"{origin}: {problem}" for problem in problems]
        raise ConfigError(lines, config if sources else None)
    return config


def load_readable(path: str | Path) -> Config:
    """Read what can be read of a configuration, for who only asks where a feed has its things.

    Raises
    ------
    ConfigError
        As of `load`, where there is no source that is right in itself.
    """
    try:
        return load(path)
    except ConfigError as error:  # a secret that is not set here, say
        if isinstance(error.readable, Config):
            return error.readable
        raise


def _parse(path: Path, origin: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # some editors begin with a BOM
    except OSError as error:
        raise ConfigError([f"{origin}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{origin}: is not UTF-8 at byte {error.start}"]) from None
    except tomllib.TOMLDecodeError as error:
        place = re.search(r" \(at line (\d+), column (\d+)\)$", str(error))
        if place is None:
            raise ConfigError([f"{origin}: is not TOML: {error}"]) from None
        words = str(error)[: place.start()]
        line, column = place.groups()
        raise ConfigError([f"{origin}:{line}:{column}: is not TOML: {words}"]) from None


def _section(
    key: str, table: object, make: Callable[..., _Made], problems: list[str]
) -> _Made | None:
    if not isinstance(table, dict):
        problems.append(f"{key}: is {shown(table)}, should be a table")
        return None
    try:
        return make(**table)
    except ConfigError as error:
        problems.extend(f"{key}.{problem}" for problem in error.problems)
        return None


def _sections(
    key: str, tables: object, make: Callable[..., _Made], problems: list[str]
) -> dict[int, _Made]:
    """Give the sections that are right, by their number."""
    if isinstance(tables, dict):
        problems.append(f"{key}: is one table, should be a list of them: write [[{key}]]")
        return {}
    if not isinstance(tables, list):
        problems.append(f"{key}: is {shown(tables)}, should be a list of tables: write [[{key}]]")
        return {}
    made = ((n, _section(f"{key}[{n}]", t, make, problems)) for n, t in enumerate(tables))
    return {n: section for n, section in made if section is not None}


def _sink(**table: Any) -> SinkSettings:
    if "type" not in table:
        allowed = ", ".join(repr(name) for name in plugin_names(SINKS))
        raise ConfigError([f"type: is required, one of {allowed}"])
    kind = table["type"]
    try:
        # A type that is no string is none of the names either.
        settings = load_plugin(SINKS, kind if isinstance(kind, str) else "")
    except PluginError as error:
        raise ConfigError([f"type: is {shown(kind)}, {error}"]) from error
    if not (isinstance(settings, type) and issubclass(settings, SinkSettings)):
        raise ConfigError([f"type: is {shown(kind)}, which is no tickwire.config.SinkSettings"])
    return settings(**table)
