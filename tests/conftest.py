"""The groups of the suite, and how its tests run side by side.

Rules of this file
------------------
- A test that reads a recorded capture is marked `captures`; only `make test-captures` runs it. Any
  other test runs without `TICKWIRE_CAPTURES`, so one that forgets the mark fails everywhere.
- A test that is long for being thorough is marked `thorough`; `make test-all` runs it.
- Of a test on both loops `make test` runs one half, in which each two values of its parameters meet
  if it has three; the rest is marked `combination` and run by `make test-all`. Rooms that use the
  loop's own interfaces run whole where there are fewer parameters: net, session, supervise.
- A test whose verdict depends on the clock is marked `serial`: while it runs no other test of this
  checkout does, whatever pytest-xdist does side by side. Memory and descriptors are a process's own
  and ports are given by the system, so tests that look at these need no mark.
- A test of what is hostile or planted is marked `fault`, one of many messages, of many values or
  rounds of the same, or of threads at full speed `volume`; `make coverage` leaves them out, as it
  does the serial ones, properties, and tests on uvloop, which run the lines that those on asyncio
  do.
- Tests of properties draw the same examples on every machine and in every run: a suite that is
  green here is green elsewhere. `make test-search` draws others, and more of them, on purpose. A
  test that wants another number of examples gives it as a share of the profile's.
- Folders and names say it for the tests inside, so that a new test is in the right group by itself.
"""

from __future__ import annotations

import fcntl
import gc
import os
import re
import signal
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.detection import is_hypothesis_test
from tests.coverage import counts
from tests.house.combinations import mark_combinations

from tickwire import redaction

HERE = Path(__file__).parent
CAPTURES = "TICKWIRE_CAPTURES"
# Folders, and words of a file's name.
SERIAL = re.compile(r"\bsoak/|\bcli/test_bench|\bbenchmarks/test_(?:bursts|latency|rounds)")
LONG = re.compile(
    r"\b(?:storm|examples|cli|memory)/|\bsecurity/test_resources|\bsession/test_(?:session|stalls)"
    r"|\bfeed/test_(?:handler|critical|degrading|losses)|\bhouse/test_(?:readme|headers)"
    r"|\bring/test_hammer|\bbenchmarks/test_pipelines|\bhealth/test_server|\bsinks/test_duckdb"
)
FAULT = re.compile(r"\b(?:fuzz|soak|storm)/|hostile|bombs")
# Hypothesis takes up to 300 s to make a failing example smaller; ended before, it would show none.
SHRINKING_S = 600

# Everything is on this machine: a proxy that its user's environment names is on no way of a test's.
for _name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
    os.environ.pop(_name, None)
    os.environ.pop(_name.upper(), None)

os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(HERE.parent / "build" / "hypothesis"))
# No failure of an earlier run is tried first, and no verdict depends on the clock.
settings.register_profile(
    "reproducible",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "search", settings.get_profile("reproducible"), derandomize=False, max_examples=500
)
settings.load_profile("reproducible")  # --hypothesis-profile, which is read later, goes before
# Hypothesis draws constants of whatever local modules have been imported, which depends on the
# tests that ran before in the same process. It has no setting for that.
if hasattr(providers, "_get_local_constants"):
    providers._get_local_constants = lambda: providers._local_constants

# A run under `nohup` ignores it, and so would every program that a test starts.
signal.signal(signal.SIGHUP, signal.SIG_DFL)

counts.write_at_exit()  # of what tests fork

_captures_root = os.environ.get(CAPTURES)


def pytest_configure(config: pytest.Config) -> None:
    """Have pytest-xdist hand out files in the order that is made below, not by their tests."""
    config.option.loadscopereorder = False  # --no-loadscope-reorder, since 3.8


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark by folder, and put in order.

    Files that wait long come first, so that none of them is left at the end, then all others,
    mixed, so that what waits runs beside what computes. Files with tests that run alone come last,
    so that no process waits for its turn while others still have work.
    """
    with_serial = set()
    for item in items:
        place = item.path.relative_to(HERE).as_posix()
        if SERIAL.search(place):
            item.add_marker("serial")
        if FAULT.search(place):
            item.add_marker("fault")
        if isinstance(item, pytest.Function) and is_hypothesis_test(item.obj):
            item.add_marker(pytest.mark.timeout(SHRINKING_S))
        if item.get_closest_marker("serial") is not None:
            with_serial.add(place)

    mark_combinations(items)

    def turn(item: pytest.Item) -> tuple[bool, bool, int]:
        place = item.path.relative_to(HERE).as_posix()
        return place in with_serial, not LONG.search(place), zlib.crc32(place.encode())

    items.sort(key=turn)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Spare the garbage collector thousands of collected tests: what stands then stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_sessionfinish() -> None:
    """Undo it, for those who look for leaks at the end of the process; lose nothing counted."""
    gc.unfreeze()
    counts.write_session()


@pytest.hookimpl(wrapper=True, tryfirst=True)  # a test that waits here has not begun
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Share the checkout with other tests, or have it alone.

    No test waits for long: what runs alone comes last in every process.
    """
    alone = item.get_closest_marker("serial") is not None
    with Path(__file__).open() as turn:
        fcntl.flock(turn, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        try:
            return (yield)
        finally:
            fcntl.flock(turn, fcntl.LOCK_UN)  # not by closing: a forked child may have it open


@pytest.fixture(autouse=True)
def _process_is_left_as_it_was() -> Iterator[None]:
    """Forget what a test left in the process: secrets, and what `capture_logs` configures."""
    secrets, found_by = dict(redaction._secrets), redaction._found_by
    yield
    structlog.reset_defaults()
    redaction._secrets.clear()
    redaction._secrets.update(secrets)
    redaction._found_by = found_by


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Show the captures to the tests that are marked; where there are none, say so."""
    if item.get_closest_marker("captures") is None:
        os.environ.pop(CAPTURES, None)
    elif _captures_root and Path(_captures_root).is_dir():
        os.environ[CAPTURES] = _captures_root
    else:
        reason = f"{CAPTURES}={_captures_root or ''} is no folder with captures"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
