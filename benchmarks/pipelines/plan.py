"""What is measured on which case, and how often: 9 runs where a gate looks at it, else 3 or 1.

All of `make bench` must end within 15 minutes. Most of a run is the start of its two processes, so
what only completes a table has one run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec

from benchmarks.captures.cases import CASES, CaptureCase, find_capture
from benchmarks.pipelines.worker import PIPELINES

from tickwire.bench.jobs import EMPTY, RECV
from tickwire.bench.runs import Wanted
from tickwire.errors import TickwireError

TICKWIRE = "tickwire[protocol]"
STREAM = "tickwire[stream]"
BY_PICOWS = "tickwire[picows]"
ORJSON = "picows + orjson + pyarrow"
MSGSPEC = "picows + msgspec + pyarrow"
WEBSOCKETS = "websockets + orjson + pyarrow"
AIOHTTP = "aiohttp + orjson + pyarrow"
GATED_RUNS, OTHER_RUNS, LONE_RUNS = 9, 3, 1

REST = (STREAM, BY_PICOWS, WEBSOCKETS, AIOHTTP, EMPTY)

# Per case, pipelines and their runs. What is compared with each other shares a group: its runs
# take turns.
Group = Mapping[str, Mapping[str, int]]


def _runs(gated: Sequence[str], others: Sequence[str], alone: Sequence[str] = ()) -> dict[str, int]:
    return (
        dict.fromkeys(gated, GATED_RUNS)
        | dict.fromkeys(others, OTHER_RUNS)
        | dict.fromkeys(alone, LONE_RUNS)
    )


FULL: tuple[Group, ...] = (
    {
        "trades/ws": _runs(
            (TICKWIRE, STREAM, ORJSON, EMPTY), (MSGSPEC, RECV), (BY_PICOWS, WEBSOCKETS, AIOHTTP)
        )
    },
    {"trades/wss": _runs((TICKWIRE, ORJSON), (MSGSPEC, RECV), REST)},
    {
        name: _runs((TICKWIRE, ORJSON), (MSGSPEC, RECV), REST)
        for name in ("l2Book/ws", "l2Book capture/ws")
    },
    {"bbo/ws": _runs((), (TICKWIRE, ORJSON), (MSGSPEC, RECV, *REST))},
    {"mix/ws": _runs((), (TICKWIRE, ORJSON), (MSGSPEC, RECV, *REST))},
    {"binance capture/ws": _runs((TICKWIRE, ORJSON), (MSGSPEC, RECV), REST)},
    {
        "trades/ws, 1 connection": _runs((TICKWIRE,), (), (ORJSON,)),
        "trades/ws, 8 connections": _runs((), (TICKWIRE,), (ORJSON,)),
        "trades/ws, 64 connections": _runs((TICKWIRE,), (), (ORJSON, RECV)),
    },
    {
        "trades/ws, 10 symbols": _runs((TICKWIRE,), (), (ORJSON,)),
        "trades/ws, 1,000 symbols": _runs((TICKWIRE,), (), (ORJSON, RECV)),
    },
    {"trades/ws+deflate": _runs((TICKWIRE, WEBSOCKETS), (ORJSON,), (RECV,))},
    {"l2Book/ws+deflate": _runs((), (TICKWIRE, WEBSOCKETS, ORJSON))},
)
QUICK: tuple[Group, ...] = (
    {"trades/ws": dict.fromkeys((TICKWIRE, ORJSON, MSGSPEC, EMPTY, RECV), OTHER_RUNS)},
)


def chosen(
    plan: Sequence[Group],
    cases: Sequence[str] | None = None,
    pipelines: Sequence[str] | None = None,
    n_runs: int | None = None,
) -> tuple[list[list[Wanted]], list[str]]:
    """Give the groups to measure, and what cannot be measured here.

    Parameters
    ----------
    plan
        What is measured unless something else is asked for.
    cases, pipelines
        Only these.
    n_runs
        Of each, instead of the plan's.
    """
    groups, skipped = [], []
    for group in plan:
        wanted = []
        for name, runs in group.items():
            if cases is not None and name not in cases:
                continue
            if pipelines is not None:
                runs = {each: runs.get(each, OTHER_RUNS) for each in pipelines}
            reason = _missing(name)
            if reason:
                skipped.append(f"{name}: {reason}")
                continue
            wanted += [
                Wanted(CASES[name], PIPELINES[pipeline], n_runs or number)
                for pipeline, number in runs.items()
            ]
        if wanted:
            groups.append(wanted)
    return groups, skipped


def _missing(name: str) -> str:
    """Say what a case needs and this machine has not."""
    case = CASES[name]
    if isinstance(case, CaptureCase):
        try:
            find_capture(case.capture)
        except TickwireError as reason:
            return str(reason)
    if case.tls and find_spec("trustme") is None:
        return "the package trustme is not installed"
    return ""
