"""Runs targets under libFuzzer: `python -m tests.fuzz.run --seconds 60 [TARGET ...]`.

`make fuzz` builds and loads what this needs. libFuzzer is guided by the coverage of the compiled
modules, which coverage.c counts. What it learns is kept in build/fuzz; an input that fails is
written to build/fuzz/failed, and goes into the kept corpus when the fault is mended.

A run has two parts. First libFuzzer calls the quick form of the target, which gives one input in
`ONE_IN` to the whole target too. Then everything that was found to reach new code goes through the
whole target. With `--whole` libFuzzer calls that one itself. Where it calls Python, atheris has
written into the code of tickwire's Python modules what counts their coverage.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.fuzz.quick import IN_PYTHON, in_python, native, native_module

HERE = Path(__file__).parent
BUILD = Path("build/fuzz")
LARGEST_BYTES = {"handshake": 1000, "numbers": 200, "strings": 1100}
DICTIONARIES = {
    "handshake": "http.dict",
    "plans": "json.dict",
    "strings": "json.dict",
    "venues": "json.dict",
}
MAX_SECONDS_PER_INPUT = 20
MOST_UNCOLLECTED = 50_000  # objects, before Python's garbage collector runs
# The address sanitizer sees what is read out of bounds, but no leak: that shows as growth. For 10
# million executions captures has needed 508 MB, handshake 166, the others 250 to 350, most of it
# within the first million. So a target that loses some 50 bytes an execution, one small object of
# Python, does not come to the end of so many.
MAX_MEMORY_MB = {"handshake": 512}
USUAL_MAX_MEMORY_MB = 1024
EXECUTIONS = re.compile(r"^stat::number_of_executed_units: +(\d+)$", re.M)

# libFuzzer's names for the fields of `fuzzer_functions` in coverage.c, in order.
FUNCTIONS = (
    "8bit_counters_init",
    "pcs_init",
    *(f"trace_cmp{n}" for n in (1, 2, 4, 8)),
    *(f"trace_const_cmp{n}" for n in (1, 2, 4, 8)),
    "trace_switch",
)
# These get what is compared in Python code, which native/interpreted.pyx calls.
COMPARED = (
    "__sanitizer_cov_trace_cmp8",
    "__sanitizer_cov_trace_const_cmp8",
    "__sanitizer_weak_hook_memcmp",
)


def libfuzzer() -> str:
    """Find the library inside atheris, which has the whole of libFuzzer."""
    spec = importlib.util.find_spec("atheris")
    assert spec is not None
    (folder,) = spec.submodule_search_locations or ()
    (path,) = Path(folder).glob("core_with_libfuzzer.*.so")
    return str(path)


def connect_coverage() -> None:
    """Connect coverage.c with the libFuzzer inside atheris."""
    loaded = ctypes.CDLL(None)
    if not hasattr(loaded, "tw_coverage_connect"):
        sys.exit("coverage.c is not loaded: use `make fuzz`")
    fuzzer = ctypes.CDLL(libfuzzer())
    addresses = [
        ctypes.cast(fuzzer[f"__sanitizer_cov_{name}"], ctypes.c_void_p) for name in FUNCTIONS
    ]
    loaded.tw_coverage_connect((ctypes.c_void_p * len(addresses))(*addresses))


def options(name: str, seconds: int, runs: int) -> list[str]:
    """libFuzzer's command line for a target; the first folder gets what is new."""
    from tests.fuzz.seeds import SEEDS

    found, failed, seeds = BUILD / "corpus" / name, BUILD / "failed", BUILD / "seeds" / name
    for folder in (found, failed, seeds):
        folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(SEEDS[name]()):
        (seeds / str(number)).write_bytes(data)
    line = [
        sys.argv[0],
        str(found),
        str(HERE / "corpus" / name),
        str(seeds),
        f"-max_total_time={seconds}",
        f"-runs={runs}",
        f"-max_len={LARGEST_BYTES.get(name, 1500)}",
        f"-timeout={MAX_SECONDS_PER_INPUT}",
        f"-rss_limit_mb={MAX_MEMORY_MB.get(name, USUAL_MAX_MEMORY_MB)}",
        f"-artifact_prefix={failed}/{name}-",
        "-print_final_stats=1",
        "-entropic=0",
        "-reduce_inputs=0",
    ]
    return [*line, f"-dict={HERE / DICTIONARIES[name]}"] if name in DICTIONARIES else line


def interpreted(name: str, *, whole: bool) -> int:
    """Give the address of what calls a target in Python, whose coverage is counted."""
    import atheris

    module = native_module("interpreted")
    compared = [
        ctypes.cast(ctypes.CDLL(libfuzzer())[function], ctypes.c_void_p).value
        for function in COMPARED
    ]
    n_counters = ctypes.c_size_t()
    give_counters = ctypes.CDLL(None).tw_coverage_counters
    give_counters.restype = ctypes.c_size_t
    counters = give_counters(ctypes.byref(n_counters))
    module.connect(counters, n_counters.value, *compared)
    atheris._trace_branch = module.trace_branch
    atheris._trace_cmp = module.trace_cmp
    # Only what is imported from now on is counted.
    assert "tickwire" not in sys.modules
    with atheris.instrument_imports(include=["tickwire"]):
        from tests.fuzz.targets import TARGETS
    module.use(name, TARGETS[name] if whole else in_python(name))
    # What is there by now stays, and inputs leave no cycles: looking for them takes long.
    gc.collect()
    gc.freeze()
    gc.set_threshold(MOST_UNCOLLECTED)
    return int(module.ADDRESS)


def fuzz(name: str, seconds: int, runs: int, *, whole: bool) -> None:
    """Run one target in this process, which libFuzzer then ends."""
    is_interpreted = whole or name in IN_PYTHON
    address = interpreted(name, whole=whole) if is_interpreted else native(name)
    line = options(name, seconds, runs)
    connect_coverage()
    # The GIL stays held: targets use Python objects.
    driver = ctypes.PyDLL(libfuzzer()).LLVMFuzzerRunDriver
    arguments = (ctypes.c_char_p * (len(line) + 1))(*(word.encode() for word in line))
    pointer = ctypes.cast(arguments, ctypes.POINTER(ctypes.c_char_p))
    driver(ctypes.byref(ctypes.c_int(len(line))), ctypes.byref(pointer), ctypes.c_void_p(address))


def replay(name: str) -> None:
    """Give all that was found to the whole target."""
    from tests.fuzz.targets import TARGETS

    paths = sorted((BUILD / "corpus" / name).iterdir())
    for path in paths:
        try:
            TARGETS[name](path.read_bytes())
        except Exception as error:
            error.add_note(f"the input is {path}")
            raise
    print(f"{name}: {len(paths)} inputs that reach new code pass the whole target", flush=True)


def run(name: str, arguments: argparse.Namespace) -> tuple[int, int]:
    """Run a target in processes of its own; gives the exit code, and how many executions."""
    command = [sys.executable, "-W", "error", "-m", "tests.fuzz.run", name]
    limits = [f"--seconds={arguments.seconds}", f"--runs={arguments.runs}"]
    limits += ["--whole"] if arguments.whole else []
    n_executions = 0
    # Where nothing that is tried is compiled, the sanitizer need not see Python's own memory, nor
    # keep what is freed.
    changed = {}
    if name in IN_PYTHON:
        kept = "quarantine_size_mb=0:thread_local_quarantine_size_kb=0"
        sanitizer = f"{os.environ.get('ASAN_OPTIONS', '')}:{kept}".removeprefix(":")
        changed = {"PYTHONMALLOC": "pymalloc", "ASAN_OPTIONS": sanitizer}
    with subprocess.Popen(  # noqa: S603 - our own arguments
        [*command, "--here", *limits],
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=os.environ | changed,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            print(line, end="", file=sys.stderr, flush=True)
            if found := EXECUTIONS.match(line):
                n_executions = int(found[1])
    code = abs(process.returncode)
    if code == 0 and not arguments.whole:
        code = abs(subprocess.run([*command, "--replay"], check=False).returncode)  # noqa: S603 - our own arguments
    return code, n_executions


def main() -> int:
    """Run targets one after the other, and say how many executions each had."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="as in README.md; none: all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target; 0: no limit")
    parser.add_argument("--runs", type=int, default=-1, help="executions of each target at most")
    parser.add_argument("--whole", action="store_true", help="whole targets only; slow")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--replay", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    known = sorted(path.name for path in (HERE / "corpus").iterdir())
    names = arguments.targets or known
    for name in names:
        if name not in known:
            parser.error(f"{name!r} is none of {', '.join(known)}")
    if arguments.replay:
        replay(names[0])
        return 0
    if arguments.here:
        fuzz(names[0], arguments.seconds, arguments.runs, whole=arguments.whole)
        return 0
    results = []
    for name in names:
        print(f"== {name}", flush=True)
        results.append((name, *run(name, arguments)))
    print(f"{'target':12} {'executions':>12}")
    for name, code, n_executions in results:
        print(f"{name:12} {n_executions:12,}  {'a finding' if code else 'no finding'}")
    return max(code for _, code, _ in results)


if __name__ == "__main__":
    sys.exit(main())
