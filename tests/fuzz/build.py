"""Compiles the native targets into build/fuzz/native: `python -m tests.fuzz.build [NAME]`.

They stand on the `fuzz` build, and are made like it; native/common.pyx says why not all of them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

HERE = Path("tests/fuzz/native")
TO = Path("build/fuzz/native")
PLAIN = ["-O2"]
TRIED = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
COUNTED = ["-fsanitize-coverage=trace-pc,trace-cmp"]
MODULES = {
    **dict.fromkeys(("common", "reader", "streams", "packed", "decoders", "interpreted"), PLAIN),
    "scalars": TRIED + COUNTED,
}


def main() -> None:
    """Compile what has changed."""
    extensions = [
        Extension(
            name=name,
            sources=[str(HERE / f"{name}.pyx")],
            include_dirs=["ext"],
            extra_compile_args=["-std=gnu11", "-g1", "-Wno-unused-function", *flags],
            extra_link_args=TRIED[1:] if flags is not PLAIN else [],
            depends=[str(header) for header in Path("ext").rglob("*.h")],
        )
        for name, flags in MODULES.items()
        if name in (sys.argv[1:] or [name])
    ]
    setup(
        name="native",
        packages=[],
        ext_modules=cythonize(
            extensions,
            include_path=["ext", str(HERE)],
            build_dir=str(TO),
            compiler_directives={
                "language_level": 3,
                "cdivision": True,
                "boundscheck": False,
                "wraparound": False,
                "initializedcheck": False,
            },
        ),
        script_args=["-q", "build_ext", "--build-lib", str(TO), "--build-temp", str(TO / "temp")],
    )


if __name__ == "__main__":
    main()
