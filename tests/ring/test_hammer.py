"""The ring's headers in C alone: one writer and three readers under the thread sanitizer."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import pytest

pytestmark = pytest.mark.volume

Hammer = Callable[..., subprocess.CompletedProcess[str]]
HERE = Path(__file__).parent
INCLUDE = HERE.parents[1] / "ext"
# The sanitizer knows no fences. Each fence stands between two words that are atomic themselves, and
# what the words guard is ordered by them.
THREADS = ("-fsanitize=thread", "-Wno-tsan")
MEMORY = ("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined")
# Rows become visible before they are written, as far as the compiler and the sanitizer know.
RELAXED = ("-U__ATOMIC_RELEASE", "-D__ATOMIC_RELEASE=__ATOMIC_RELAXED")


@pytest.fixture(autouse=True, scope="module")
def sanitizers(tmp_path_factory: pytest.TempPathFactory) -> None:
    """There is a gcc whose sanitizers run here."""
    folder = tmp_path_factory.mktemp("sanitizers")
    (folder / "empty.c").write_text("int main(void) { return 0; }\n")
    for flags in (THREADS, MEMORY):
        command = f"gcc {' '.join(flags)} empty.c -o empty && ./empty"
        result = subprocess.run(  # noqa: S602 - our own
            command, shell=True, cwd=folder, capture_output=True, text=True, check=False
        )
        if result.returncode:
            pytest.skip(f"no sanitizers: {result.stderr.strip()[-200:]}")


@pytest.fixture(scope="module")
def hammer(tmp_path_factory: pytest.TempPathFactory) -> Hammer:
    """Give what runs the program, compiled once for each set of flags."""
    compiled = cache(partial(_compiled, tmp_path_factory))

    def run(mode: str, n_rows: int, *flags: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own
            [compiled(flags), mode, str(n_rows)],
            capture_output=True, text=True, check=False, timeout=100,
        )  # fmt: skip

    return run


def _compiled(folders: pytest.TempPathFactory, flags: tuple[str, ...]) -> Path:
    program = folders.mktemp("hammer") / "hammer"
    command = ["gcc", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O1", "-g"]
    command += [*flags, f"-I{INCLUDE}", str(HERE / "hammer.c"), "-o", str(program), "-pthread"]
    subprocess.run(command, check=True)  # noqa: S603 - our own
    return program


@pytest.mark.parametrize("mode", ["block", "drop"])
def test_no_two_threads_meet_without_an_order(mode: str, hammer: Hammer) -> None:
    result = hammer(mode, 40_000, *THREADS)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.thorough
@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", ["block", "drop"])
def test_no_two_threads_meet_without_an_order_for_a_minute(mode: str, hammer: Hammer) -> None:
    until_s = time.monotonic() + 60
    while time.monotonic() < until_s:
        result = hammer(mode, 100_000, *THREADS)
        assert (result.returncode, result.stderr) == (0, "")


def test_a_missing_order_is_found(hammer: Hammer) -> None:
    result = hammer("block", 20_000, *THREADS, *RELAXED)
    assert result.returncode != 0
    assert "data race" in result.stderr


@pytest.mark.parametrize("mode", ["block", "drop", "look"])
def test_every_row_is_right_at_full_speed(mode: str, hammer: Hammer) -> None:
    result = hammer(mode, 100_000, "-O2")
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("flags", [MEMORY, ("-O2",)], ids=["sanitized", "plain"])
def test_a_jump_that_was_cut_short_is_finished(flags: tuple[str, ...], hammer: Hammer) -> None:
    result = hammer("cut", 0, *flags)
    assert (result.returncode, result.stderr) == (0, "")
