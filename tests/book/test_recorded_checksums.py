"""Every checksum that was recorded matches the compiled book's."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.reference import read_messages

from tickwire.book import BookChecksums

Level = tuple[str, str, str]  # side, price, size
# Symbol, whether it is a snapshot, levels, checksum (None without).
Change = tuple[str, bool, list[Level], int | None]

AS_TEXT: dict[str, Any] = {"interleaved": True, "plain": True, "separator": ":"}


def kraken_1(capture: str) -> Iterator[Change]:
    for frame in read(capture):
        if not isinstance(frame, list):
            continue
        parts = [part for part in frame[1:-2] if isinstance(part, dict)]
        keys = {key for part in parts for key in part}
        levels = [
            (side, level[0], level[1])
            for part in parts
            for key, side in (("bs", "bid"), ("as", "ask"), ("b", "bid"), ("a", "ask"))
            for level in part.get(key, [])
        ]
        sums = [int(part["c"]) for part in parts if "c" in part]
        yield frame[-1], bool(keys & {"as", "bs"}), levels, sums[0] if sums else None


def kraken_2(capture: str) -> Iterator[Change]:
    for frame in read(capture):
        if frame.get("channel") == "book":
            [item] = frame["data"]
            levels = [
                (side, level["price"], level["qty"])
                for side in ("bid", "ask")
                for level in item[f"{side}s"]
            ]
            yield item["symbol"], frame["type"] == "snapshot", levels, int(item["checksum"])


def by_action(capture: str) -> Iterator[Change]:
    """Give what OKX and Bitget send."""
    for frame in read(capture):
        if frame.get("action") in ("snapshot", "update") and "checksum" in frame["data"][0]:
            [item] = frame["data"]
            levels = [
                (side, level[0], level[1]) for side in ("bid", "ask") for level in item[f"{side}s"]
            ]
            yield frame["arg"]["instId"], frame["action"] == "snapshot", levels, int(
                item["checksum"]
            )  # fmt: skip


def read(capture: str) -> Iterator[Any]:
    for sent in read_messages(capture):
        yield json.loads(sent.payload, parse_float=str, parse_int=str)


@pytest.mark.captures
@pytest.mark.parametrize(
    ("reads", "capture", "n_sums", "declared"),
    [
        (kraken_2, "kraken/dc-kraken-20260816-btcusd-d10", 54, {"levels": 10, "depth": 10}),
        (kraken_2, "kraken/misc-v2-verbatim", 3, {"levels": 10, "depth": 10}),
        (kraken_1, "kraken/cf-kraken-20210405-c197c0", 14_496, {"levels": 10, "depth": 1000}),
        (by_action, "okx/cf-okx-20220227-ws1", 3679, AS_TEXT | {"levels": 25, "learns": False}),
    ],
)
def test_every_checksum_matches(
    reads: Any, capture: str, n_sums: int, declared: dict[str, Any]
) -> None:
    checksums = BookChecksums(**declared)
    codes: dict[str, int] = {}
    n_matched = 0
    for symbol, is_snapshot, levels, recorded in reads(capture):
        if not is_snapshot and symbol not in codes:
            continue  # its snapshot was not recorded
        code = codes.setdefault(symbol, len(codes))
        if is_snapshot:
            checksums.learn(code, [(price, size) for _, price, size in levels])
        rows = [(side, float(price), float(size)) for side, price, size in levels]
        checksums.apply(code, rows, is_snapshot=is_snapshot)
        if recorded is not None:
            assert checksums.checksum(code) == recorded & 0xFFFFFFFF, (symbol, n_matched)
            n_matched += 1
    assert n_matched == n_sums
