"""Installing the Autobahn|Testsuite, which runs on CPython 2.7 only, from the package index."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
PINS = HERE / "suite.txt"
INSTALL_LIMIT_S = 900.0


class Unavailable(Exception):
    """The suite cannot be had here."""


def find_python27() -> Path | None:
    """Find a CPython 2.7: the one that PYTHON27 names, pyenv's newest, or the one on the PATH."""
    named = os.environ.get("PYTHON27")
    if named:
        return Path(named)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = sorted(pyenv.glob("versions/2.7.*/bin/python2.7"), key=_patch)
    if found:
        return found[-1]
    on_path = shutil.which("python2.7")
    # A shim of pyenv runs only if a version is chosen, and none was found.
    return Path(on_path) if on_path and "shims" not in on_path else None


def _patch(python: Path) -> int:
    digits = python.parents[1].name.removeprefix("2.7.")
    return int(digits) if digits.isdecimal() else -1


def install(python27: Path, folder: Path) -> Path:
    """Install the suite below a folder, unless the same pins are there already.

    Returns
    -------
    Path
        The packages.

    Raises
    ------
    Unavailable
        If pip fails; it has said why.
    """
    packages, stamp = folder / "packages", folder / "installed.txt"
    wanted = f"{python27}\n{PINS.read_text()}"
    if stamp.exists() and stamp.read_text() == wanted:
        return packages
    print(f"installing the Autobahn|Testsuite for {python27}: a minute or two", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    shutil.rmtree(packages, ignore_errors=True)
    command: list[str | Path] = [python27, "-m", "pip", "--disable-pip-version-check"]
    command += ["install", "-qq", "--target", packages, "--requirement", PINS]
    try:
        subprocess.run(  # noqa: S603 - our own arguments
            command,
            check=True,
            timeout=INSTALL_LIMIT_S,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(f"it cannot be installed: {error}") from error
    stamp.write_text(wanted)
    return packages
