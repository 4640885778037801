"""A run's allocators give free memory back."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import platform
import subprocess
import sys

import pytest

from tickwire.cli.memory import give_memory_back, long_lived

TRY = """
import os, sys
from tickwire.cli.memory import give_memory_back, long_lived
print(",".join(give_memory_back()))
assert "pyarrow" not in sys.modules, "its allocator has read its options"
import pyarrow as pa
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
before = resident()
for _ in range(3):
    held = [pa.allocate_buffer(1 << 20) for _ in range(64)]
    for each in held:
        memoryview(each).cast("B")[:] = b"x" * (1 << 20)
    del held, each
print(resident() - before)
"""


def tried(**environment: str) -> tuple[list[str], float]:
    names = {name: value for name, value in os.environ.items() if "MALLOC" not in name}
    done = subprocess.run(  # noqa: S603 - this Python
        [sys.executable, "-c", TRY],
        env=names | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    first, second = done.stdout.splitlines()
    return first.split(","), float(second)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_what_arrow_frees_is_given_back() -> None:
    done, kept_mib = tried()
    assert done == [
        "MIMALLOC_PURGE_DELAY",
        "MALLOC_ARENA_MAX",
        "MALLOC_TRIM_THRESHOLD_",
        "MALLOC_TOP_PAD_",
        "MALLOC_MMAP_THRESHOLD_",
    ]
    assert kept_mib < 16  # of 64


def test_what_the_environment_says_counts() -> None:
    tunables = "glibc.malloc.top_pad=4096:glibc.malloc.check=0"
    done, _ = tried(
        MIMALLOC_PURGE_DELAY="1000", MALLOC_ARENA_MAX="no number", GLIBC_TUNABLES=tunables
    )
    assert done == ["MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"]


def test_where_malloc_has_no_options_arrow_alone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with musl."""
    monkeypatch.delenv("MIMALLOC_PURGE_DELAY", raising=False)
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    assert give_memory_back() == ["MIMALLOC_PURGE_DELAY"]
    assert os.environ["MIMALLOC_PURGE_DELAY"] == "0"
    assert give_memory_back() == []  # it is there


async def test_what_a_feed_has_when_it_has_begun_is_not_looked_at_until_it_ends() -> None:
    made = [[number] for number in range(1000)]
    with long_lived(0.0):
        n_before = gc.get_freeze_count()
        await asyncio.sleep(0.01)
        assert gc.get_freeze_count() >= n_before + len(made)
    assert gc.get_freeze_count() == 0  # or libraries call it a leak at the exit
