"""Finds a venue: one of tickwire's own, one that an installed package has, or `module:NAME`.

Rules of this file
------------------
- A module of this package declares one venue or several in its tuple `VENUES`. The venue
  `binance-usdm` is looked for in `binance_usdm`, then in `binance`.
- An installed package offers a venue as an entry point of the group `tickwire.venues`, under the
  venue's name. A name of tickwire's own cannot be taken.
- `package.module:NAME` is imported by `tickwire.config.objects`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from pathlib import Path

import tickwire.venues as package
from tickwire.config.objects import PLACE, load_object
from tickwire.config.plugins import PluginError, load_plugin, plugin_names
from tickwire.config.problems import meant
from tickwire.errors import ConfigError
from tickwire.venues.base import Venue

GROUP = "tickwire.venues"


def names() -> list[str]:
    """Give the names of all venues there are, installed packages' too, sorted."""
    own = {venue.name for module in _modules() for venue in _venues(module)}
    return sorted(own.union(plugin_names(GROUP)))


def load(name: str, folders: Sequence[Path] = ()) -> Venue:
    """Give the venue of that name.

    Parameters
    ----------
    name
        A name of `names()`, or `package.module:NAME`.
    folders
        Where else to look for `package.module`.

    Raises
    ------
    ConfigError
        Where there is none; its text lists those there are.
    """
    if ":" in name:
        return _declared(name, folders)
    whole = name.replace("-", "_")
    known = _modules()
    for module in (whole, whole.partition("_")[0]):
        if module in known:
            for venue in _venues(module):
                if venue.name == name:
                    return venue
    if name in plugin_names(GROUP):
        return _offered(name)
    known = names()
    raise ConfigError(
        [
            f"unknown venue {name!r}{meant(name, known)}: one of {', '.join(known)}, "
            "or your own as 'module:NAME'"
        ]
    )


def _modules() -> list[str]:
    return sorted(
        module.name
        for module in pkgutil.iter_modules(package.__path__)
        if not module.name.startswith("_") and module.name != "base"
    )


def _venues(module: str) -> tuple[Venue, ...]:
    found = importlib.import_module(f"{package.__name__}.{module}").VENUES
    return tuple(found)


def _offered(name: str) -> Venue:
    try:
        venue = load_plugin(GROUP, name)
    except PluginError as error:
        raise ConfigError([f"venue {name!r}: {error}"]) from error
    if not isinstance(venue, Venue):
        wrong = f"its package gives a {type(venue).__name__}, should be a tickwire.venues.Venue"
        raise ConfigError([f"venue {name!r}: {wrong}"])
    if venue.name != name:
        wrong = f"its package declares it as {venue.name!r}, should be the same"
        raise ConfigError([f"venue {name!r}: {wrong}"])
    return venue


def _declared(place: str, folders: Sequence[Path]) -> Venue:
    """Import `package.module:NAME`."""
    found = load_object(place, folders, Venue, f"the name of a venue or {PLACE}")
    if not isinstance(found, Venue):
        wrong = f"{place!r} is a {type(found).__name__}, should be a tickwire.venues.base.Venue"
        raise ConfigError([wrong])
    return found
