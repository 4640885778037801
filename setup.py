"""The list of extensions and the build profiles; everything else is in pyproject.toml."""

import multiprocessing
import os
import re
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

COMMON = {
    "language_level": 3,
    "cdivision": True,  # C's division in every profile: they differ in checks, not in meaning
    "embedsignature": True,
    "auto_pickle": False,  # borrowed memory and rings cannot travel in a pickle
    "autotestdict": False,
}
CHECKED = {
    "boundscheck": True,
    "wraparound": False,
    "initializedcheck": True,
    "overflowcheck": False,
    "nonecheck": False,  # Cython cannot check `self.x += n` for None without the GIL
}
UNCHECKED = {
    "boundscheck": False,
    "wraparound": False,
    "initializedcheck": False,
    "overflowcheck": False,
    "nonecheck": False,
}
# Every basic block calls `__sanitizer_cov_trace_pc`, which only tests/fuzz/coverage.c has.
COVERAGE = ["-fsanitize-coverage=trace-pc,trace-cmp"]
SANITIZE = [
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=undefined",
    "-fno-omit-frame-pointer",
]

# profile: (Cython directives, C compiler flags, linker flags, C macros)
PROFILES = {
    "release": (UNCHECKED, ["-O3", "-g0"], [], [("NDEBUG", "1")]),
    "debug": (CHECKED, ["-O0", "-g3"], [], [("TICKWIRE_FAILPOINTS", "1")]),
    # gcov counts the lines of C headers and of the generated C, in which `linetrace` marks where
    # each line of Cython begins. Without CYTHON_TRACE it does nothing else. -O1 would move lines.
    "coverage": (
        CHECKED | {"linetrace": True},
        ["-O0", "-g1", "--coverage", "-include", "tests/coverage/counts.h"],
        ["--coverage"],
        [],
    ),
    # Each line of Cython tells Python's tracing, a hundred times slower than it runs.
    "trace": (
        CHECKED | {"linetrace": True},
        ["-O1", "-g1"],
        [],
        [("CYTHON_TRACE_NOGIL", "1")],
    ),
    "profile": (UNCHECKED, ["-O3", "-g1", "-fno-omit-frame-pointer"], [], [("NDEBUG", "1")]),
    "asan": (CHECKED, ["-O1", "-g3", *SANITIZE], SANITIZE, [("TICKWIRE_FAILPOINTS", "1")]),
    "fuzz": (CHECKED, ["-O1", "-g1", *SANITIZE, *COVERAGE], SANITIZE, []),
}

profile = os.environ.get("TICKWIRE_BUILD", "release")
if profile not in PROFILES:
    raise SystemExit(f"TICKWIRE_BUILD={profile!r}: one of {', '.join(PROFILES)}")
directives, compile_flags, link_flags, macros = PROFILES[profile]

NAMED = re.compile(
    r'(?:extern from|#include) "(tickwire/[^"]+)"'  # our own header, in Cython or in C
    r"|^(?:from (tickwire\.[\w.]+) cimport)",
    re.MULTILINE,
)


def headers_of(source: Path) -> list[str]:
    """The C headers that a module reads by any way: a changed one rebuilds it, and no other."""
    known = {source, source.with_suffix(".pxd")}
    waiting = [path for path in known if path.exists()]
    while waiting:
        for header, module in NAMED.findall(waiting.pop().read_text()):
            path = Path("ext", header or module.replace(".", "/") + ".pxd")
            if path not in known and path.exists():
                known.add(path)
                waiting.append(path)
    return sorted(path.as_posix() for path in known if path.suffix in {".h", ".inc"})


# A module's path below ext/ is its name, so the sources themselves are the list.
extensions = [
    Extension(
        name=".".join(source.relative_to("ext").with_suffix("").parts),
        sources=[source.as_posix()],
        include_dirs=["ext"],
        define_macros=[*macros, ("TICKWIRE_BUILD", f'"{profile}"')],
        extra_compile_args=["-std=c11", "-Wall", "-Wextra", "-Wno-unused-function", *compile_flags],
        extra_link_args=link_flags,
        depends=headers_of(source),
    )
    for source in sorted(Path("ext").rglob("_*.pyx"))
]

# Translators at a time. Processes that are not forked would run this file again.
n_translators = 0
if sys.platform == "linux":
    n_translators = 2
    multiprocessing.set_start_method("fork", force=True)

setup(
    ext_modules=cythonize(
        extensions,
        nthreads=n_translators,
        include_path=["ext"],
        compiler_directives=COMMON | directives,
    ),
    options={
        "build_ext": {
            "parallel": 2,  # compilers at a time
            "build_temp": "build/objects",  # of an editable install too; gcov reads it
        }
    },
)
