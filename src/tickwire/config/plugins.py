"""Plugins: classes and objects that installed distributions offer under a name, by entry point.

Rules of this file
------------------
- A room that stands below its plugins finds them here without importing them: `config` knows no
  sink.
- Only the plugin that a configuration names is imported, so that a sink whose library is not
  installed is no trouble to a feed without it.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import Any

from tickwire.config.problems import meant


class PluginError(ValueError):
    """There is no such plugin, or it cannot be loaded; the text says why, in one line."""


def plugin_names(group: str) -> list[str]:
    """Give the names that are installed in `group`, sorted."""
    return sorted({point.name for point in _installed(group, tuple(sys.path))})


def load_plugin(group: str, name: str) -> Any:
    """Import what `name` stands for in `group`.

    Parameters
    ----------
    group
        The entry points' group, such as `tickwire.sinks`.
    name
        As a configuration spells it.

    Returns
    -------
    Any
        The object; the caller checks what it is.

    Raises
    ------
    PluginError
        None has that name, several distributions claim it, or its import fails.
    """
    # An editable installation may be listed twice; that is one plugin.
    points = _installed(group, tuple(sys.path)).select(name=name)
    found: dict[str, EntryPoint] = {point.value: point for point in points}
    if not found and not plugin_names(group):
        raise PluginError(f"but nothing is installed in {group}: install tickwire again")
    if not found:
        known = plugin_names(group)
        raise PluginError(f"should be one of {', '.join(map(repr, known))}{meant(name, known)}")
    if len(found) > 1:
        raise PluginError(f"stands for several objects: {', '.join(sorted(found))}")
    ((value, point),) = found.items()
    try:
        return point.load()
    except Exception as error:  # whatever the plugin's module raises
        words = " ".join(f"{type(error).__name__}: {error}".split())
        raise PluginError(f"cannot be loaded from {value}: {words}") from error


@lru_cache(maxsize=8)
def _installed(group: str, _path: tuple[str, ...]) -> EntryPoints:
    """Give what is installed, read once: to look through all distributions takes some 20 ms."""
    return entry_points(group=group)
