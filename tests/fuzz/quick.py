"""The quick form of each target: many times as fast, and nearly as strict.

Most are compiled, in native/; what they try is compiled too. Handshake and captures are written in
Python, so their quick forms are; they leave out most of the other library, the files, and most cuts
of what is long.
"""

from __future__ import annotations

import importlib
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

NATIVE = Path("build/fuzz/native")
IN_PYTHON = ("captures", "handshake")
MODULES = {
    "compressed": "packed",
    "frames": "streams",
    "inflate": "packed",
    "numbers": "scalars",
    "plans": "decoders",
    "receiver": "streams",
    "strings": "scalars",
    "venues": "decoders",
}

# Of so many inputs one goes through the whole target too.
ONE_IN = {
    "captures": 256,
    "compressed": 512,
    "frames": 1024,
    "handshake": 256,
    "inflate": 32,
    "numbers": 64,
    "plans": 512,
    "receiver": 1024,
    "strings": 64,
    "venues": 512,
}


def native_module(stem: str) -> Any:
    """Import a module of native/ as it is built."""
    if str(NATIVE) not in sys.path:
        sys.path.insert(0, str(NATIVE))
    return importlib.import_module(stem)


def native(name: str) -> int:
    """Give the address of a target's compiled form: `int target(const uint8_t *, size_t)`."""
    from tests.fuzz.targets import TARGETS

    native_module("common").prepare(TARGETS, ONE_IN)
    module = native_module(MODULES[name])
    if name in ("plans", "venues"):
        module.use(make_feed)
    return int(module.ADDRESSES[name])


def make_feed(target: str, first: int) -> tuple[Any, ...]:
    """Give what decodes an input with that first byte, and what must be kept with it."""
    from tests.decode.declarations import GROUPS
    from tests.fuzz.plans import SYMBOLS, VENUES, Source, source

    names = VENUES if target == "venues" else tuple(GROUPS)
    of = source(names[first % len(names)])
    of = Source(of.messages, of.tables)
    decoder = of.decoder(SYMBOLS if first >> 4 & 1 else ("*",))
    # Without consumers the rings are overwritten.
    of.consumers.clear()
    del of.kept
    return of, decoder, decoder.connection(1), list(of.rings.values())


def in_python(name: str) -> Callable[[bytes], None]:
    """Give the quick form of a target that is not compiled."""
    from tests.fuzz.captures import captures, captures_in_memory
    from tests.fuzz.handshake import cut_somewhere, handshake

    whole, quick = {
        "captures": (captures, captures_in_memory),
        "handshake": (handshake, cut_somewhere),
    }[name]

    def target(data: bytes) -> None:
        if zlib.crc32(data) % ONE_IN[name] == 0:
            whole(data)
        else:
            quick(data)

    return target
