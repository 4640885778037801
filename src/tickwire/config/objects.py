"""Objects of a program's own, by `package.module:NAME`.

Rules of this file
------------------
- The module is imported as Python would; where that does not find it, the folders given are looked
  in, after everything that is installed.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from tickwire.errors import ConfigError

PLACE = "'package.module:NAME'"


def load_object(
    place: str, folders: Sequence[Path] = (), kind: type = object, expected: str = PLACE
) -> object:
    """Import what `package.module:NAME` stands for.

    Parameters
    ----------
    place
        Module and name; the name may have dots.
    folders
        Where else to look for the module.
    kind
        Of what the module's own names are given as a hint, where it lacks this one.
    expected
        What the place should be, for an error.

    Raises
    ------
    ConfigError
        It cannot be imported; one line says why.
    """
    module_name, _, attributes = place.partition(":")
    if not all(part.isidentifier() for part in [*module_name.split("."), *attributes.split(".")]):
        raise ConfigError([f"is {place!r}, should be {expected}"])
    try:
        found: object = _module(module_name, folders)
    except ConfigError:
        raise
    except Exception as error:  # whatever another's module raises
        wrong = f"{place!r} cannot be imported: {type(error).__name__}: {error}"
        raise ConfigError([wrong]) from error
    for attribute in attributes.split("."):
        if not hasattr(found, attribute):
            near = [key for key, value in vars(found).items() if isinstance(value, kind)]
            hint = f": it has {', '.join(near)}" if near and kind is not object else ""
            raise ConfigError([f"{place!r}: {module_name} has no {attribute!r}{hint}"])
        found = getattr(found, attribute)
    return found


def _module(name: str, folders: Sequence[Path]) -> object:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # found, and it lacks another
    added = [text for folder in folders if (text := str(folder.absolute())) not in sys.path]
    sys.path += added  # for good: the module may import its neighbours later
    try:
        importlib.invalidate_caches()
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        looked = f", nor in {' or '.join(map(str, folders))}" if folders else ""
        raise ConfigError([f"no module {error.name!r} is installed{looked}"]) from None
