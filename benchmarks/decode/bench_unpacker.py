"""Base64 of deflate: a book's change, figures of many coins, beside the standard library."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable

import pytest
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.decode._unpacker import Unpacker

pytestmark = pytest.mark.informational

N_CALLS = 200
MOST = 1 << 24


def _packed(value: object) -> bytes:
    squeeze = zlib.compressobj(wbits=-15)
    return base64.b64encode(squeeze.compress(json.dumps(value).encode()) + squeeze.flush())


TEXTS = {
    "change": _packed({"c": "BTC", "l": [[{"p": f"{n}.0", "s": f"{n}.5"} for n in range(12)]] * 2}),
    "contexts": _packed({f"C{n}": {"markPx": f"{n}.5", "midPx": f"{n}.25"} for n in range(1_241)}),
}


def _with_the_library(text: bytes) -> bytes:
    return zlib.decompressobj(wbits=-15).decompress(base64.b64decode(text))


def _with_tickwire(text: bytes) -> bytes:
    return _UNPACKER.unpacked(text, "deflate", MOST)


_UNPACKER = Unpacker(MOST)
UNPACKERS: dict[str, Callable[[bytes], bytes]] = {
    "tickwire": _with_tickwire,
    "base64, zlib": _with_the_library,
}


@pytest.mark.parametrize("name", UNPACKERS)
@pytest.mark.parametrize("case", TEXTS)
def bench_unpacking(benchmark: BenchmarkFixture, case: str, name: str) -> None:
    unpack, text = UNPACKERS[name], TEXTS[case]
    assert unpack(text) == _with_the_library(text)

    def run() -> None:
        for _ in range(N_CALLS):
            unpack(text)

    measure(benchmark, run, n_messages=N_CALLS, n_bytes=N_CALLS * len(text), rounds=50)
