"""Runs targets under libFuzzer: `python -m tests.fuzz.run --seconds 60 [TARGET ...]`.

`make fuzz` builds and loads what this needs. libFuzzer is guided by the coverage of the compiled
modules, which coverage.c counts, and by that of the Python modules, which atheris counts. What it
learns is kept in build/fuzz; an input that fails is written to build/fuzz/failed, and goes into the
kept corpus when the fault is mended.
"""

from __future__ import annotations

import argparse
import ctypes
import subprocess
import sys
from pathlib import Path

import atheris
from atheris import core_with_libfuzzer

with atheris.instrument_imports(include=["tickwire"]):
    from tests.fuzz.seeds import SEEDS
    from tests.fuzz.targets import TARGETS

HERE = Path(__file__).parent
BUILD = Path("build/fuzz")
LARGEST_BYTES = {"handshake": 2000, "numbers": 200, "strings": 1100}
DICTIONARIES = {
    "handshake": "http.dict",
    "plans": "json.dict",
    "strings": "json.dict",
    "venues": "json.dict",
}
MAX_SECONDS_PER_INPUT = 20
MAX_MEMORY_MB = 4096  # the address sanitizer's own share is large


# libFuzzer's names for the fields of `fuzzer_functions` in coverage.c, in order.
FUNCTIONS = (
    "8bit_counters_init",
    "pcs_init",
    *(f"trace_cmp{n}" for n in (1, 2, 4, 8)),
    *(f"trace_const_cmp{n}" for n in (1, 2, 4, 8)),
    "trace_switch",
)


def connect_coverage() -> None:
    """Connect coverage.c with the libFuzzer inside atheris."""
    loaded = ctypes.CDLL(None)
    if not hasattr(loaded, "tw_coverage_connect"):
        sys.exit("coverage.c is not loaded: use `make fuzz`")
    fuzzer = ctypes.CDLL(core_with_libfuzzer.__file__)
    addresses = [
        ctypes.cast(fuzzer[f"__sanitizer_cov_{name}"], ctypes.c_void_p) for name in FUNCTIONS
    ]
    loaded.tw_coverage_connect((ctypes.c_void_p * len(addresses))(*addresses))


def options(name: str, seconds: int, runs: int) -> list[str]:
    """libFuzzer's command line for a target; the first folder gets what is new."""
    found, failed, seeds = BUILD / "corpus" / name, BUILD / "failed", BUILD / "seeds" / name
    for folder in (found, failed, seeds):
        folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(SEEDS[name]()):
        (seeds / str(number)).write_bytes(data)
    line = [
        str(found),
        str(HERE / "corpus" / name),
        str(seeds),
        f"-max_total_time={seconds}",
        f"-runs={runs}",
        f"-max_len={LARGEST_BYTES.get(name, 1500)}",
        f"-timeout={MAX_SECONDS_PER_INPUT}",
        f"-rss_limit_mb={MAX_MEMORY_MB}",
        f"-artifact_prefix={failed}/{name}-",
        "-print_final_stats=1",
    ]
    return [*line, f"-dict={HERE / DICTIONARIES[name]}"] if name in DICTIONARIES else line


def main() -> int:
    """Run one target here, or several, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--runs", type=int, default=-1, help="executions of each target at most")
    arguments = parser.parse_args()
    names = arguments.targets or list(TARGETS)
    for name in names:
        if name not in TARGETS:
            parser.error(f"{name!r} is none of {', '.join(TARGETS)}")
    if len(names) > 1:
        limits = [f"--seconds={arguments.seconds}", f"--runs={arguments.runs}"]
        command = [sys.executable, "-m", "tests.fuzz.run", *limits]
        # Each needs a process of its own: libFuzzer never returns.
        results = [subprocess.run([*command, name], check=False) for name in names]  # noqa: S603 - our own arguments
        return max(abs(result.returncode) for result in results)
    print(f"== {names[0]}", flush=True)
    line = options(names[0], arguments.seconds, arguments.runs)
    connect_coverage()
    atheris.Setup([sys.argv[0], *line], TARGETS[names[0]])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
