"""Small captures in the form of the large ones.

The recorded day of Binance has six connections, each with a book; of Hyperliquid's each message is
the whole of one book.
"""

import json
from pathlib import Path

from benchmarks.captures.cases import BINANCE_CAPTURE, BINANCE_CONNECTIONS

N_ROUNDS = 100
# Per round a trade, a quote and a delta; in some a trade off the book, a delta without levels.
N_OFF_BOOK = 20
SNAPSHOT_AFTER = 3  # deltas
N_BOOKS = 60
N_BOOK_ROWS = N_BOOKS // 3 * (5 + 6 + 7)


def write_books(path: Path) -> None:
    """Write snapshots of one book; most levels of each are those of the one before."""
    lines = []
    for number in range(N_BOOKS):
        bids = [_level(100 - place, number // 7) for place in range(number % 3 + 3)]
        asks = [_level(101 + place, number // 5) for place in range(2)]
        data = {"coin": "BTC", "time": 1_700_000_000_000 + 500 * number, "levels": [bids, asks]}
        lines.append(json.dumps({"channel": "l2Book", "data": data}, separators=(",", ":")))
    path.write_text("\n".join(lines) + "\n")


def _level(price: int, step: int) -> dict[str, object]:
    return {"px": f"{price}.0", "sz": f"{step}.{price}", "n": step + 1}


def write_capture(root: Path) -> int:
    """Write it below `root`; gives how many messages it has."""
    path = root / BINANCE_CAPTURE.removesuffix(".zst")
    path.parent.mkdir(parents=True)
    lines, meta = [], ["# recv_ns\tconnection"]
    for number in range(N_ROUNDS):
        for connection, (venue, _, symbol) in enumerate(BINANCE_CONNECTIONS):
            for message in _round(venue, symbol, number):
                lines.append(json.dumps(message, separators=(",", ":")))
                meta.append(f"{10**18 + len(lines)}\t{connection}")
    path.write_text("\n".join(lines) + "\n")
    name = path.name.removesuffix(".jsonl")
    path.with_name(f"{name}.meta.tsv").write_text("\n".join(meta) + "\n")
    path.with_name(f"{name}.rest.jsonl").write_text(
        "\n".join(json.dumps(_snapshot(*each)) for each in enumerate(BINANCE_CONNECTIONS)) + "\n"
    )
    return len(lines)


def _round(venue: str, symbol: str, number: int) -> list[object]:
    futures = venue != "binance"
    name, time = symbol.lower(), 1_700_000_000_000 + number
    trade = {"e": "trade", "E": time, "s": symbol, "t": 1000 + number, "p": f"{number}.50"}
    trade |= {"q": "0.010", "T": time, "m": number % 2 == 0}
    quote = {"u": 10 * number, "s": symbol, "b": "9.5", "B": "1.0", "a": "10.5", "A": "2.0"}
    first, last = 10 * number + 1, 10 * number + 10
    delta = {"e": "depthUpdate", "E": time, "s": symbol, "U": first, "u": last}
    delta |= {"b": [["9.5", "1.25"], ["9.4", "0.00"]], "a": [["10.5", f"{number}"]]}
    if number % 10 == 7:
        delta |= {"b": [], "a": []}
    if futures:
        quote |= {"e": "bookTicker", "T": time, "E": time}
        delta |= {"T": time, "pu": last - 10}
    messages: list[object] = [
        {"stream": f"{name}@trade", "data": trade},
        {"stream": f"{name}@bookTicker", "data": quote},
        {"stream": f"{name}@depth@{'0ms' if futures else '100ms'}", "data": delta},
    ]
    if futures and number % (N_ROUNDS // N_OFF_BOOK) == 0:
        messages.append({"stream": f"{name}@trade", "data": trade | {"X": "INSURANCE_FUND"}})
    return messages


def _snapshot(connection: int, link: tuple[str, str, str]) -> dict[str, object]:
    venue, _, symbol = link
    api = {"binance": "api/v3", "binance-usdm": "fapi/v1", "binance-coinm": "dapi/v1"}[venue]
    answer: dict[str, object] = {
        "lastUpdateId": 10 * SNAPSHOT_AFTER,
        "bids": [["9.5", "1"], ["9.4", "2"]],
        "asks": [["10.5", "3"]],
    }
    if venue != "binance":
        answer |= {"E": 1_700_000_000_000, "T": 1_700_000_000_001}
    return {
        "recv_ns": 10**18,
        "connection": connection,
        "url": f"https://{connection}.example/{api}/depth?symbol={symbol}&limit=1000",
        "data": json.dumps(answer),
    }
