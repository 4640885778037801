"""A storm: faults without end, the same ones at the same times for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random

from tickwire.sim.exchange import CHANNELS
from tickwire.sim.faults import Fault, parse
from tickwire.sim.instruments import BINANCE

FIRST_S = 3.0
EVERY_S = 3.0
UNMET_S = 10.0
_CODES = (1000, 1001, 1006, 1008, 1011, 1012, 1013, 4000)

# Times are of the storm: `start` and a short while after it.
_Make = Callable[[Random, float, Sequence[str]], str]


def _span(random: Random, start_s: float, longest_s: float) -> str:
    return f"@{start_s:.3f}s..{start_s + random.uniform(0.5, longest_s):.3f}s"


def _soon(start_s: float) -> str:
    # What nothing meets in some time is over: else all would be met one after the other.
    return f"@{start_s:.3f}s..{start_s + UNMET_S:.3f}s"


def _connections(kind: str) -> _Make:
    return lambda _random, start_s, _symbols: f"{kind}*1=one{_soon(start_s)}"


def _lasting(kind: str, longest_s: float, target: str = "=one") -> _Make:
    return lambda random, start_s, _: f"{kind}{target}{_span(random, start_s, longest_s)}"


def _messages(kind: str) -> _Make:
    return lambda random, start_s, _: f"{kind}*{random.randint(1, 5)}=one{_soon(start_s)}"


def _symbols(kind: str, longest_s: float) -> _Make:
    return lambda random, start_s, symbols: (
        f"{kind}={random.choice(symbols)}{_span(random, start_s, longest_s)}"
    )


def _requests(kind: str) -> _Make:
    return lambda random, start_s, _: f"{kind}*{random.randint(1, 2)}{_soon(start_s)}"


_ANYWHERE: dict[str, tuple[_Make, ...]] = {
    "ends": (
        _connections("reset"),
        _connections("fin"),
        lambda random, start_s, _: f"close:{random.choice(_CODES)}*1=one{_soon(start_s)}",
        *(_messages(kind) for kind in ("half-frame", "half-frame:hold", "protocol-error")),
        lambda random, start_s, _: f"down{_span(random, start_s, 3.0)}",
        _lasting("refuse", 3.0, ""),
    ),
    "silence": (_lasting("freeze", 6.0), _lasting("stall", 6.0), _symbols("mute", 6.0)),
    "messages": tuple(
        _messages(kind)
        for kind in ("drop", "repeat", "reorder", "truncate", "corrupt", "missing-field", "error")
    ),
    "upgrades": tuple(
        _requests(kind)
        for kind in ("429:1", "503:1", "403", "wrong-key", "garbage", "byte-by-byte", "abort")
    ),
    "subscriptions": (
        lambda random, start_s, symbols: f"unsubscribe={random.choice(symbols)}@{start_s:.3f}s",
        *(_symbols(kind, 4.0) for kind in ("reject-late", "reject-blind", "silent", "unanswered")),
    ),
    "exchange": (
        lambda random, start_s, _: (
            f"clock:{random.choice((-30, -2, 2, 30))}s{_span(random, start_s, 5.0)}"
        ),
        _lasting("backlog:64k", 2.0, ""),
    ),
}
_BINANCE: dict[str, tuple[_Make, ...]] = {
    "books": (_messages("break-sequence"), lambda _r, s, _: f"drop*1=book@{s:.3f}s"),
    "rest": (
        _lasting("rest-slow:1s", 4.0, ""), _lasting("rest-stale", 3.0, ""),
        _lasting("rest-dead", 3.0, ""), _lasting("rest-hang", 3.0, ""),
        *(_requests(kind) for kind in ("rest-418:1", "rest-429:1", "rest-503:1")),
    ),
}  # fmt: skip


def storm(
    seed: int,
    venue: str,
    symbols: Sequence[str],
    every_s: float = EVERY_S,
    first_s: float = FIRST_S,
) -> Iterator[Fault]:
    """Give faults in the order of their times, without end.

    Parameters
    ----------
    seed
        The same one gives the same faults.
    venue, symbols
        What there is to be struck.
    every_s
        From one fault to the next, on average.
    first_s
        When the first one strikes.
    """
    random = Random(f"chaos/{venue}/{seed}")  # noqa: S311 - a storm, not a secret
    kinds = _ANYWHERE | (_BINANCE if venue in BINANCE else {})
    groups = list(kinds)
    targets = list(symbols) or list(CHANNELS)
    start_s = first_s
    while True:
        group = random.choice(groups)
        yield parse(random.choice(kinds[group])(random, start_s, targets))
        if group == "upgrades":  # something must make a client connect
            yield parse(f"reset*1=one{_soon(start_s + 0.001)}")
        start_s += random.uniform(0.2, 1.8) * every_s
