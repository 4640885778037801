"""Secrets in a configuration: `{env:NAME}` and `{file:PATH}` stand for what is read elsewhere.

They may stand anywhere in a value of `headers`, in `url`, `urls`, `rest_url`, `proxy` and
`webhook`, such as `"Bearer {env:TOKEN}"`.
What was read is never shown; see `tickwire.redaction`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from tickwire.redaction import hide

MAX_SECRET_BYTES = 65_536
_REFERENCE = re.compile(r"\{(env|file):([^{}]*)\}")


class SecretError(ValueError):
    """A secret cannot be read; the text says which, and never what it holds."""


def with_secrets(table: dict[str, Any], folder: Path, problems: list[str]) -> dict[str, Any]:
    """Give a table with its secrets read.

    Parameters
    ----------
    table
        As it stands in the file; its shape has not been checked.
    folder
        Where relative paths start.
    problems
        Gets a line for each secret that cannot be read.
    """
    filled = dict(table)
    for key in ("headers", "url", "urls", "rest_url", "proxy", "webhook"):
        value = table.get(key)
        if isinstance(value, dict):
            filled[key] = {
                name: _filled(part, f"{key}.{name}", folder, problems)
                for name, part in value.items()
            }
        elif isinstance(value, list):
            filled[key] = [
                _filled(part, f"{key}[{at}]", folder, problems) for at, part in enumerate(value)
            ]
        elif key in table:
            filled[key] = _filled(value, key, folder, problems)
    return filled


def _filled(value: Any, key: str, folder: Path, problems: list[str]) -> Any:
    if not isinstance(value, str):
        return value

    def read(found: re.Match[str]) -> str:
        secret = _from_environment(found[2]) if found[1] == "env" else _from_file(folder, found[2])
        hide(secret)
        return secret

    try:
        return _REFERENCE.sub(read, value)
    except SecretError as error:
        problems.append(f"{key}: {error}")
        return value


def _from_environment(name: str) -> str:
    secret = os.environ.get(name, "")
    if not secret:
        raise SecretError(f"the environment variable {name!r} is not set, or empty")
    return secret


def _from_file(folder: Path, name: str) -> str:
    path = folder / name
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SECRET_BYTES + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "no path"
        raise SecretError(f"the file {str(path)!r} cannot be read: {why}") from None
    if len(data) > MAX_SECRET_BYTES:
        raise SecretError(f"the file {str(path)!r} has more than {MAX_SECRET_BYTES} bytes")
    try:
        secret = data.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        secret = ""
    if not secret:
        raise SecretError(f"the file {str(path)!r} is empty, or not UTF-8")
    return secret
