"""Where and with what a measurement was made."""

from __future__ import annotations

import os
import platform
import subprocess
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from tickwire._version import __version__

PACKAGES = (
    "aiohttp", "duckdb", "msgspec", "numpy", "orjson", "picows", "pyarrow", "uvloop", "websockets",
)  # fmt: skip
ROOT = Path(__file__).resolve().parents[3]  # the checkout, where there is one


def machine() -> dict[str, Any]:
    """Give the machine, its system and the versions of what is compared."""
    from tickwire.wire import simd_level

    return {
        "cpu": _cpu_model(),
        "cpus": _n_cpus(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_average": os.getloadavg(),
        "simd": str(simd_level()),
        "python": platform.python_version(),
        "versions": _versions(),
    }


RESULTS = "benchmarks/results"


def commit(tree: Path | None = None) -> str:
    """Give the commit that was measured, marked where the tree differs from it.

    Tables and pictures of results do not count: the measurement itself writes them.
    The version, where tickwire was installed: the folder above may be of another repository.

    Parameters
    ----------
    tree
        The checkout; this one by default.
    """
    tree = ROOT if tree is None else tree
    if not (tree / "src" / "tickwire").is_dir():
        return __version__
    name = _git(tree, "rev-parse", "--short=12", "HEAD") or "unknown"
    changed = _git(tree, "status", "--porcelain", "--untracked-files=no", "--", ".", f":!{RESULTS}")
    return f"{name}-dirty" if changed else name


def build() -> str:
    """Give the profile with which the extensions were compiled."""
    from tickwire.observe._build import PROFILE

    return str(PROFILE)


def _versions() -> dict[str, str]:
    """Give what is installed; of tickwire's peers only some may be."""
    found = {}
    for name in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _git(tree: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - no shell, fixed words
            ["git", *arguments],  # noqa: S607 - the one that made the checkout
            cwd=tree,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def _n_cpus() -> int:
    """Give how many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux has it, macOS has not
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() in ("model name", "Model"):
                return value.strip()
    return platform.processor() or "unknown"
