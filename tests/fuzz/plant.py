"""Plants faults one at a time and says who finds each: `python -m tests.fuzz.plant [WORD ...]`.

`make mutants` builds and loads what this needs. Works in build/mutants, a copy of the checkout as
it is built for `make fuzz`: of a fault only the modules are compiled that have it inside, the tests
that should find it run, then its fuzz target for `--seconds`. Exit code 1 where a fault is found by
neither. Words choose faults whose places or names have them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.fuzz.mutants import MUTANTS, Mutant

HERE = Path(__file__).resolve().parents[2]
TREE = HERE / "build" / "mutants"
TEST_LIMIT_S = 600
FOUND_LIMIT_S = 600
# What is copied beside the sources: compiled modules, and what fuzzing needs.
COPIED = ("ext", "src", "tests", "setup.py", "pyproject.toml", "README.md")
BUILT = ("build/fuzz/native", "build/fuzz/coverage.so")


def copy_tree() -> None:
    """Copy the checkout with what is built; times stay, so that nothing is compiled again."""
    shutil.rmtree(TREE, ignore_errors=True)
    for name in (*COPIED, *BUILT):
        source, to = HERE / name, TREE / name
        to.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, to, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, to)


def has_scalars(mutant: Mutant, path: Path) -> bool:
    """Whether the fuzz target itself has the header with the fault inside."""
    return path.suffix == ".h" and mutant.target in ("numbers", "strings")


def built_of(mutant: Mutant, path: Path) -> list[Path]:
    """The files that compiling a fault changes."""
    found = [path]
    for name in mutant.compiled(path):
        room, stem = name.split(".")
        found += (TREE / "src" / "tickwire" / room).glob(f"{stem}.*.so")
        found.append(TREE / "ext" / "tickwire" / room / f"{stem}.c")
    if has_scalars(mutant, path):
        found += (TREE / "build" / "fuzz" / "native").glob("scalars.*.so")
    return found


def run(*arguments: str, limit_s: float) -> tuple[int, str]:
    """Run Python in the copy; gives the exit code and what was said."""
    paths = f"{TREE / 'src'}{os.pathsep}{TREE}"
    environment = os.environ | {"PYTHONPATH": paths, "TICKWIRE_BUILD": "fuzz"}
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments
            [sys.executable, *arguments],
            cwd=TREE,
            env=environment,
            timeout=limit_s,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except subprocess.TimeoutExpired as error:
        said = error.stdout if isinstance(error.stdout, str) else ""
        return 1, f"{said}\nTIMEOUT after {limit_s} s"
    return done.returncode, done.stdout


def compile_modules(mutant: Mutant, path: Path) -> None:
    """Compile what has the fault inside."""
    modules = mutant.compiled(path)
    if not modules:
        return
    # setup.py is the one place that knows how modules are compiled; it is asked for these alone.
    names = [f"tickwire.{name}" for name in modules]
    code = (
        "import runpy, setuptools\n"
        "really = setuptools.setup\n"
        "def setup(*, ext_modules, **rest):\n"
        f"    chosen = [e for e in ext_modules if e.name in {names!r}]\n"
        f"    assert len(chosen) == {len(names)}\n"
        "    really(ext_modules=chosen, **rest,\n"
        "        script_args=['-q', 'build_ext', '--inplace', '--force'])\n"
        "setuptools.setup = setup\n"
        "runpy.run_path('setup.py')\n"
    )
    status, said = run("-c", code, limit_s=TEST_LIMIT_S)
    if status == 0 and has_scalars(mutant, path):
        status, said = run("-m", "tests.fuzz.build", "scalars", limit_s=TEST_LIMIT_S)
    if status:
        sys.exit(f"{mutant.name}: it does not compile\n{said}")


def by_tests(mutant: Mutant) -> str:
    """The test that finds it, or nothing."""
    options = (
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "--tb=line",
        "-m",
        "not captures",
    )
    status, said = run(*options, *mutant.tests, limit_s=TEST_LIMIT_S)
    if status == 0:
        return ""
    names = [line.split(" ")[1] for line in said.splitlines() if line.startswith("FAILED ")]
    return names[0].split("::")[-1] if names else "the sanitizer, under the tests"


def by_fuzzer(mutant: Mutant, seconds: int) -> str:
    """How the fuzz target finds it, or nothing."""
    shutil.rmtree(TREE / "build" / "fuzz" / "corpus", ignore_errors=True)
    status, said = run(
        "-m", "tests.fuzz.run", "--seconds", str(seconds), mutant.target, limit_s=FOUND_LIMIT_S
    )
    if status == 0:
        return ""
    for sign in ("== FINDING: ", "ERROR: AddressSanitizer: ", "runtime error: ", "ERROR: "):
        for line in said.splitlines():
            if sign in line:
                return line.partition(sign)[2].split(" on address")[0][:60]
    return "the whole target"


def plant(mutant: Mutant, seconds: int, *, first: bool) -> tuple[str, str]:
    """Plant a fault, look for it, and take it out again; gives who found it."""
    path, start, end = mutant.found(TREE)
    text = path.read_text()
    saved = [(file, file.read_bytes(), file.stat()) for file in built_of(mutant, path)]
    try:
        path.write_text(text[:start] + mutant.replace + text[end:])
        compile_modules(mutant, path)
        test = by_tests(mutant)
        return test, "" if test and first else by_fuzzer(mutant, seconds)
    finally:
        for file, content, status in saved:
            file.write_bytes(content)
            os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def main() -> int:
    """Plant all faults, or those that were named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("words", nargs="*", metavar="WORD", help="of places or names; none: all")
    parser.add_argument("--seconds", type=int, default=20, help="of fuzzing, for each")
    parser.add_argument("--first", action="store_true", help="fuzz only what no test finds")
    arguments = parser.parse_args()
    chosen = [m for m in MUTANTS if all(w in f"{m.place}: {m.name}" for w in arguments.words)]
    copy_tree()
    missed = 0
    for mutant in chosen:
        test, fuzzer = plant(mutant, arguments.seconds, first=arguments.first)
        missed += not (test or fuzzer)
        verdict = "found " if test or fuzzer else "MISSED"
        print(f"{verdict} {mutant.place}: {mutant.name}")
        print(f"         tests: {test or '-'}")
        print(f"         fuzz {mutant.target}: {fuzzer or '-'}", flush=True)
    print(f"{len(chosen)} faults planted, {len(chosen) - missed} found, {missed} missed")
    return 1 if missed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
