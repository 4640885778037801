"""`tickwire doctor`: versions, the build, this machine's limits, and what to change."""

from __future__ import annotations

import os
import platform
import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tickwire.config import Config

PACKAGES = (
    "tickwire", "numpy", "pyarrow", "duckdb", "uvloop", "picows", "aiofastnet", "aiohttp",
    "aiohappyeyeballs", "python-socks",
    "pydantic", "typer", "rich", "structlog", "zstandard",
)  # fmt: skip
ENOUGH_FILES = 4096
ENOUGH_SOCKET_BYTES = 4 << 20
FAST_CLOCKS = ("tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page")


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact, and what to do about it.

    Parameters
    ----------
    topic, fact
        What was looked at, and how it is.
    advice
        What to change; empty where it is well.
    """

    topic: str
    fact: str
    advice: str = ""


def doctor(
    config: Annotated[
        Path | None, typer.Option(help="A configuration, to look at its disks too.")
    ] = None,
) -> None:
    """Show versions, the build, this machine's limits, and what to change."""
    disks = [] if config is None else _disks(config)
    found = [*_versions(), *_build(), *_machine(), *_limits(), *_proxies(), *disks]
    width = max(len(finding.topic) for finding in found)
    for finding in found:
        typer.echo(f"{finding.topic:<{width}}  {finding.fact}")
    advice = [finding for finding in found if finding.advice]
    typer.echo("")
    typer.echo("What to change" if advice else "Nothing to change.")
    for finding in advice:
        typer.echo(f"- {finding.topic}: {finding.advice}")


def _disks(path: Path) -> list[Finding]:
    from tickwire.feed.kept.spilling import sinks_beside_spill, spill_folder
    from tickwire.feed.plan.planning import load_whole

    config = load_whole(path)
    found = [_rings(config)]
    folder = spill_folder(config.feed)
    if folder is None:
        advice = "set spill_dir: a kill loses what waits for a sink"
        return [*found, Finding("spill", "in memory", advice)]
    beside = ", ".join(sinks_beside_spill(config))
    advice = f"put spill_dir on another disk than {beside}: one fault would take both"
    return [*found, Finding("spill", str(folder), advice if beside else "")]


def _rings(config: Config) -> Finding:
    """Say how much the rings of a configuration take, and whether there is as much."""
    from tickwire.feed.pipeline import ring_rows
    from tickwire.feed.plan.planning import plan_feed
    from tickwire.ring import ring_bytes

    feed = config.feed
    tables = plan_feed(config).tables
    n_bytes = sum(ring_bytes(table, ring_rows(feed, name)) for name, table in tables.items())
    if feed.ring_dir is None:
        n_free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        where, less = "memory", "set ring_rows lower: they take more than half of the memory"
    else:
        wanted = Path(feed.ring_dir).absolute()
        folder = next(each for each in (wanted, *wanted.parents) if each.exists())
        disk = os.statvfs(folder)
        n_free = disk.f_bavail * disk.f_frsize
        where, less = str(feed.ring_dir), "set ring_rows lower: twice as much is not free"
    return Finding(
        "rings", f"{n_bytes >> 20:,} MiB in {where}", less if 2 * n_bytes > n_free else ""
    )


def _versions() -> list[Finding]:
    from importlib import metadata

    found = [Finding("python", f"{platform.python_version()} ({sys.executable})")]
    for package in PACKAGES:
        try:
            found.append(Finding(package, metadata.version(package)))
        except metadata.PackageNotFoundError:
            advice = f"install it: {sys.executable} -m pip install {package}"
            if package == "tickwire":
                from tickwire._version import __version__

                found.append(Finding(package, f"{__version__}, not installed as a package"))
            else:
                found.append(Finding(package, "missing", advice))
    return found


def _build() -> list[Finding]:
    from tickwire.observe._build import PROFILE
    from tickwire.wire import simd_level

    slow = PROFILE not in ("release", "profile")
    level = str(simd_level())
    return [
        Finding(
            "build",
            PROFILE,
            "build again with TICKWIRE_BUILD=release: checks make it slow" if slow else "",
        ),
        Finding(
            "simd",
            level,
            "" if level != "portable" else "this CPU has no SIMD that tickwire uses: expect less",
        ),
        _event_loop(),
    ]


def _event_loop() -> Finding:
    try:
        import uvloop
    except ImportError:
        return Finding("event loop", "asyncio", "install uvloop: its reads cost half")
    return Finding("event loop", uvloop.__name__)


def _machine() -> list[Finding]:
    n_cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cpus = n_cpus or 1
    return [
        Finding("system", f"{platform.system()} {platform.release()} {platform.machine()}"),
        Finding(
            "cpu",
            f"{cpus} of {os.cpu_count()}, {_cpu_model()}",
            "" if cpus > 1 else "give it two CPUs: the sinks then do not delay the feed",
        ),
        _clock(),
    ]


def _cpu_model() -> str:
    for line in _text("/proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model"):
            return value.strip()
    return platform.processor() or "unknown model"


def _clock() -> Finding:
    source = _text("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    if not source:
        return Finding("clock source", "unknown")
    fast = source in FAST_CLOCKS
    return Finding(
        "clock source",
        source,
        "" if fast else "reading it is a system call: use tsc, if the machine's is stable",
    )


def _limits() -> list[Finding]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = soft != resource.RLIM_INFINITY and soft < ENOUGH_FILES
    found = [
        Finding(
            "open files",
            f"{_limit(soft)} (at most {_limit(hard)})",
            f"raise it: ulimit -n {ENOUGH_FILES}" if few else "",
        )
    ]
    for name in ("rmem_max", "wmem_max"):
        text = _text(f"/proc/sys/net/core/{name}")
        if text:
            small = name == "rmem_max" and int(text) < ENOUGH_SOCKET_BYTES
            found.append(
                Finding(
                    f"socket {name}",
                    f"{int(text):,} bytes",
                    f"let bursts wait in the kernel: sysctl -w net.core.{name}="
                    f"{ENOUGH_SOCKET_BYTES}"
                    if small
                    else "",
                )
            )
    pages = _text("/sys/kernel/mm/transparent_hugepage/enabled")
    if pages:
        chosen = pages.partition("[")[2].partition("]")[0]
        found.append(
            Finding(
                "huge pages",
                chosen,
                "rings walk through less memory with them: echo madvise > "
                "/sys/kernel/mm/transparent_hugepage/enabled"
                if chosen == "never"
                else "",
            )
        )
    return found


def _proxies() -> list[Finding]:
    """Say which proxies the environment names, and where not to; never a password."""
    from tickwire.net.proxies import NO_PROXY, SCHEMES, named_proxies
    from tickwire.redaction import shown, shown_url

    found = []
    for name, (variable, value) in named_proxies().items():
        if name == NO_PROXY:
            found.append(Finding("no proxy", f"{shown(value)} ({variable})"))
            continue
        scheme, given, _ = value.partition("://")
        advice = "" if not given or scheme in SCHEMES else f"use one of {', '.join(SCHEMES)}"
        found.append(Finding("proxy", f"{shown_url(value)} ({variable})", advice))
    return found or [Finding("proxy", "none; HTTPS_PROXY, HTTP_PROXY and ALL_PROXY would be used")]


def _limit(value: int) -> str:
    return "unlimited" if value == resource.RLIM_INFINITY else str(value)


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
