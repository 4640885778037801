"""Each C header stands alone and compiles without a warning, conversions of integers included."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

INCLUDE = Path(__file__).parents[2] / "ext"
HEADERS = sorted(header.relative_to(INCLUDE).as_posix() for header in INCLUDE.rglob("*.h"))
COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]
FLAGS = [
    "-std=c11",
    "-D_GNU_SOURCE",  # as Python.h does
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Wsign-conversion",
    "-Wshadow",
    "-Werror",
    "-O2",
    f"-I{INCLUDE}",
]
# gcc warns of some things only in functions that it generates code for.
FLAGS_OF = {"gcc": ["-fkeep-inline-functions"], "clang": []}
# Macros that choose SIMD, and what must be included while they are still there.
ARCHITECTURE = ("__x86_64__", "__SSE2__", "__aarch64__", "__ARM_NEON")
LIBRARY = (
    "errno", "limits", "math", "sched", "stdatomic", "stdbool", "stddef", "stdint", "stdlib",
    "string", "sys/mman", "time", "unistd",
)  # fmt: skip


def compiled(
    compiler: str, text: str, folder: Path, *more: str
) -> subprocess.CompletedProcess[str]:
    command = [compiler, *FLAGS, *FLAGS_OF[compiler], *more]
    command += ["-x", "c", "-", "-c", "-o", str(folder / "x.o")]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)  # noqa: S603 - our own


@pytest.mark.thorough
@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("header", HEADERS)
def test_a_header_stands_alone(compiler: str, header: str, tmp_path: Path) -> None:
    result = compiled(compiler, f'#include "{header}"\n', tmp_path, "-fsyntax-only")
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.thorough
@pytest.mark.parametrize("simd", [True, False], ids=["simd", "portable"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_headers_compile_without_a_warning(compiler: str, simd: bool, tmp_path: Path) -> None:
    text = ""
    if not simd:
        text += "".join(f"#include <{name}.h>\n" for name in LIBRARY)
        text += "".join(f"#undef {macro}\n" for macro in ARCHITECTURE)
    text += "".join(f'#include "{header}"\n' for header in HEADERS)
    result = compiled(compiler, text, tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("compiler", COMPILERS)
def test_what_narrows_is_found(compiler: str, tmp_path: Path) -> None:
    text = "static inline char f(long x) { return x; }\nint main(void) { return f(0); }\n"
    result = compiled(compiler, text, tmp_path)
    assert result.returncode
    assert "conversion" in result.stderr


def test_there_is_a_compiler_and_headers() -> None:
    assert COMPILERS
    assert HEADERS


def test_memory_of_a_thread_is_found_as_every_c_library_can() -> None:
    # musl does not load a module with the TLS model `initial-exec`, and there are wheels for it.
    for path in (*INCLUDE.rglob("*.pyx"), *INCLUDE.rglob("*.pxd"), *INCLUDE.rglob("*.h")):
        text = path.read_text("utf-8")
        for_all = re.sub(r"#ifdef __GLIBC__\n.*?#endif", "", text, flags=re.DOTALL)
        assert "tls_model" not in for_all, path
