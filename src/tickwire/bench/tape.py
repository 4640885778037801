"""Pre-built frames for load: a tape that is sent over and over with fresh trade ids.

Rules of this file
------------------
- A tape is one block of bytes, frame after frame, sent as it is. Only the digits of the trade ids
  are written anew for each pass, all at once with numpy, so that a sender is never the bottleneck.
- Everything sent is known: `Tape.payloads` gives the very same texts, so that a benchmark can check
  what came out against them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tickwire.sim.frames import text_frame

Mix = Literal["trades", "bbo", "book", "mix"]
MIXES: tuple[Mix, ...] = ("trades", "bbo", "book", "mix")
MIX_3_5_2 = ("trades", "bbo", "bbo", "book", "bbo", "trades", "bbo", "book", "trades", "bbo")
FIRST_TRADE_ID = 100_000_000_000_000
_ID_DIGITS = 15
_STAMP_DIGITS = 19
_THREE_DIGITS = np.array([list(f"{n:03d}".encode()) for n in range(1000)], np.uint8)


@dataclass(slots=True)
class Tape:
    """A block of frames.

    Parameters
    ----------
    data
        The frames, one behind the other.
    ends
        shape (n,), int64: where each frame ends in `data`.
    headers
        shape (n,), int64: how long its frame header is.
    id_starts
        shape (n_trades,), int64: where the digits of each trade's id start.
    id_messages
        shape (n_trades,), int64: which message of the block that trade is in.
    id_digits
        How many digits an id has.
    rows
        Rows per table in one pass.
    """

    data: bytearray
    ends: NDArray[np.int64]
    headers: NDArray[np.int64]
    id_starts: NDArray[np.int64]
    id_messages: NDArray[np.int64]
    id_digits: int
    rows: dict[str, int]
    _places: NDArray[np.int64] | None = None
    _numbered: int | None = None  # the first message of the pass whose ids are there now

    @property
    def n_messages(self) -> int:
        """Messages in one pass."""
        return len(self.ends)

    def number(self, first_message: int) -> None:
        """Write ids that count the messages of all passes up from `FIRST_TRADE_ID`."""
        before, self._numbered = self._numbered, first_message
        ids = FIRST_TRADE_ID + first_message + self.id_messages
        if before is None:
            self._write(ids)
        else:
            self._write_changed(ids, ids - first_message + before)

    def stamp(self, start_ns: int, first_message: int, rate: float) -> None:
        """Write ids that are the time in ns at which each message is due, unique where equal."""
        due_ns = ((first_message + self.id_messages) * (1e9 / rate)).astype(np.int64)
        steps = np.arange(len(due_ns))
        self._numbered = None
        self._write(start_ns + np.maximum.accumulate(due_ns - steps) + steps)

    def repeat(self, n_times: int) -> Tape:
        """Give a longer tape: these messages over and over, each time with ids of their own."""

        def spread(once: NDArray[np.int64], step: int) -> NDArray[np.int64]:
            return (once + np.arange(n_times)[:, None] * step).ravel()

        n_bytes = len(self.data)
        return Tape(
            self.data * n_times,
            spread(self.ends, n_bytes),
            spread(self.headers, 0),
            spread(self.id_starts, n_bytes),
            spread(self.id_messages, self.n_messages),
            self.id_digits,
            {table: n_rows * n_times for table, n_rows in self.rows.items()},
        )

    def payloads(self) -> Iterator[bytes]:
        """Yield the texts of one pass as they are now."""
        start = 0
        for end, header in zip(self.ends.tolist(), self.headers.tolist(), strict=True):
            yield bytes(self.data[start + header : end])
            start = end

    def _write_changed(self, ids: NDArray[np.int64], before: NDArray[np.int64]) -> None:
        """Write the digits that can differ from those of `before`: few, where ids count up."""
        if len(ids) == 0 or ids[0] == before[0]:
            return
        step = abs(int(ids[0] - before[0]))
        n_low = len(str(step)) - len(str(step).rstrip("0"))  # a pass of 10,000 leaves four
        ends = [
            int(edge) // 10**n_low for edge in (ids.min(), ids.max(), before.min(), before.max())
        ]
        text = [str(end) for end in ends]
        n_same = 0  # leading digits that all share
        while n_same < len(text[0]) and len({one[n_same] for one in text}) == 1:
            n_same += 1
        data = np.frombuffer(self.data, np.uint8)
        high = ids // 10**n_low
        for place in range(self.id_digits - n_low - 1, n_same - 1, -1):
            high, digit = np.divmod(high, 10)
            data[self.id_starts + place] = digit + ord("0")

    def _write(self, ids: NDArray[np.int64]) -> None:
        if len(ids) == 0:
            return
        n_groups = -(-self.id_digits // 3)
        digits = np.empty((len(ids), n_groups, 3), np.uint8)
        for group in range(n_groups - 1, -1, -1):
            ids, low = np.divmod(ids, 1000)
            digits[:, group] = _THREE_DIGITS[low]
        if self._places is None:
            self._places = self.id_starts[:, None] + np.arange(self.id_digits)
        data = np.frombuffer(self.data, np.uint8)
        data[self._places] = digits.reshape(len(ids), -1)[:, -self.id_digits :]


def record(
    mix: Mix,
    n_messages: int,
    *,
    stamp: bool = False,
    coin: str = "BTC",
    coins: Sequence[str] = (),
    seed: int = 0,
) -> Tape:
    """Build a tape.

    Parameters
    ----------
    mix
        `trades` (one trade of about 308 bytes per message), `bbo`, `book` (20 + 20 levels), or
        `mix`: three trades, five bbo, two books.
    n_messages
        In one pass.
    stamp
        Room for ids of 19 digits, times in ns.
    coin
        Of every message.
    coins
        Instead of that: several, each as often as the others, in no order.
    seed
        Of prices, sizes and that order.

    Returns
    -------
    Tape
        With ids of zeros; call `number` or `stamp` before each pass.
    """
    random = Random(seed)  # noqa: S311 - a market, not a secret
    id_digits = _STAMP_DIGITS if stamp else _ID_DIGITS
    data = bytearray()
    ends, headers, id_starts, id_messages = [], [], [], []
    rows = {"trades": 0, "quotes": 0, "book": 0}
    price, time_ms = 97_432, 1_790_000_000_000
    order = list(islice(_shuffled(coins or (coin,), seed), n_messages))
    for number, coin in enumerate(order):
        kind = MIX_3_5_2[number % 10] if mix == "mix" else mix
        price += random.randrange(-2, 3)
        time_ms += random.randrange(3)
        if kind == "trades":
            payload = _trade(random, coin, price, time_ms, "0" * id_digits)
            rows["trades"] += 1
        elif kind == "bbo":
            payload = _bbo(random, coin, price, time_ms)
            rows["quotes"] += 1
        else:
            payload = _book(random, coin, price, time_ms)
            rows["book"] += 40
        frame = text_frame(payload)
        if kind == "trades":
            id_starts.append(len(data) + frame.index(b'"tid":') + 6)
            id_messages.append(number)
        headers.append(len(frame) - len(payload))
        data += frame
        ends.append(len(data))
    return Tape(
        data,
        np.array(ends, np.int64),
        np.array(headers, np.int64),
        np.array(id_starts, np.int64),
        np.array(id_messages, np.int64),
        id_digits,
        rows,
    )


def _shuffled(coins: Sequence[str], seed: int) -> Iterator[str]:
    """Yield the coins for ever, all of them before any comes again."""
    random, order = Random(seed), list(coins)  # noqa: S311 - an order, not a secret
    while True:
        random.shuffle(order)
        yield from order


def _trade(random: Random, coin: str, price: int, time_ms: int, trade_id: str) -> bytes:
    side = random.choice("AB")
    size = f"0.{random.randrange(10_000, 99_999)}"
    entropy = random.getrandbits(256)
    buyer, seller = f"{entropy >> 96:040x}", f"{entropy & (1 << 160) - 1:040x}"
    return (
        f'{{"channel":"trades","data":[{{"coin":"{coin}","side":"{side}","px":"{price}.0",'
        f'"sz":"{size}","time":{time_ms},"hash":"0x{entropy:064x}","tid":{trade_id},'
        f'"users":["0x{buyer}","0x{seller}"]}}]}}'
    ).encode()


def _level(random: Random, price: int) -> str:
    size, n_orders = random.randrange(1, 500_000), random.randrange(1, 20)
    return f'{{"px":"{price}.0","sz":"{size / 100_000:.5f}","n":{n_orders}}}'


def _bbo(random: Random, coin: str, price: int, time_ms: int) -> bytes:
    bid, ask = _level(random, price), _level(random, price + 1)
    data = f'{{"coin":"{coin}","time":{time_ms},"bbo":[{bid},{ask}]}}'
    return f'{{"channel":"bbo","data":{data}}}'.encode()


def _book(random: Random, coin: str, price: int, time_ms: int) -> bytes:
    bids = ",".join(_level(random, price - n) for n in range(20))
    asks = ",".join(_level(random, price + 1 + n) for n in range(20))
    data = f'{{"coin":"{coin}","time":{time_ms},"levels":[[{bids}],[{asks}]]}}'
    return f'{{"channel":"l2Book","data":{data}}}'.encode()
