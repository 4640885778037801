"""The recorded messages of exchanges become the rows that plain Python gives, all of them."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from tests.reference import Columns, compare, read_messages
from tests.reference.rig import Rig
from tests.reference.rows import trade_key
from tests.venues import recorded, recorded_others

from tickwire.venues import load

TABLES = ["trades", "quotes", "book", "candles", "tickers", "liquidations"]
Reads = Callable[[Any], Iterator[recorded.Row]]
# Captures, and how many of their messages are of kinds that no channel has.
CASES: list[tuple[str, Reads, str, int]] = [
    ("okx", recorded.okx, "okx/roq-tests", 6),
    ("okx", recorded.okx, "okx/ccxt-static-20260812", 0),
    ("okx", recorded.okx, "okx/tickvault-20260824-books-updates", 0),
    ("bybit", recorded.bybit, "bybit/cfv3-bybit-20260809-linear", 0),
    ("bybit", recorded.bybit, "bybit/cf-bybit-20250613-ws1", 0),
    ("coinbase", recorded.coinbase, "coinbase/cfv3-coinbase-20260809-advanced", 0),
    ("kraken", recorded.kraken, "kraken/dc-kraken-20260816-btcusd-d10", 0),
    ("kraken", recorded.kraken, "kraken/misc-v2-verbatim", 0),
    ("deribit", recorded_others.deribit, "deribit/ccxt-static-20260812", 0),
    ("deribit", recorded_others.deribit, "deribit/cf-deribit-20210405-5dd9ce", 0),
    ("deribit", recorded_others.deribit, "deribit/cmp-deribit", 0),
    ("bitget-futures", recorded_others.bitget, "bitget/roq-v3-20250917", 0),
    ("bitget-futures", recorded_others.bitget, "bitget/tardis-mappers", 15),
    ("gate", recorded_others.gate, "gateio/ccxt-static-20260812", 1),
    ("gate-futures", recorded_others.gate_futures, "gateio/ccxt-static-20260812", 1),
    ("gate", recorded_others.gate, "gateio/cmp-gate", 35),
    ("gate-futures", recorded_others.gate_futures, "gateio/cmp-gate", 24),
    ("gate-futures", recorded_others.gate_futures, "gateio/cf-gateio_futures-20230524-ws1", 352),
    ("kraken-futures", recorded_others.kraken_futures, "kraken/cf-kraken_futures-20210722-ws1", 0),
    ("kraken-futures", recorded_others.kraken_futures, "kraken_futures/roq-tests", 4),
    ("bitfinex", recorded_others.bitfinex, "bitfinex/cf-bitfinex-20210405-58bafb", 0),
]


@pytest.mark.captures
@pytest.mark.parametrize(("name", "reads", "capture", "n_unknown"), CASES)
def test_captures_decode_as_plain_python_says(
    name: str, reads: Reads, capture: str, n_unknown: int
) -> None:
    venue = load(name)
    rig = Rig.of(venue, TABLES, extras=True)
    expected = {
        table: Columns(table, [column.name for column in venue.extras.get(table, ())])
        for table in TABLES
    }
    recorded.CARRIED.clear()
    seen: set[tuple[str, ...]] = set()
    kinds: Counter[str] = Counter()
    for sent in read_messages(capture):
        rig.message(sent.payload, sent.ts_recv, sent.conn)
        common = {"venue": name, "ts_recv": sent.ts_recv, "conn": sent.conn}
        for table, row in reads(orjson.loads(sent.payload)):
            kinds[table] += 1
            if table == "trades":
                key = trade_key(row)
                if key in seen:
                    continue
                seen.add(key)
            expected[table].extend([common | row])
    for table, columns in expected.items():
        compare(columns, rig.table(table))
    assert sum(kinds.values()) > 0
    assert dict(rig.decoder.errors) == {}
    assert rig.decoder.unknown_messages == n_unknown
