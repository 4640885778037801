"""What paced trades say, decoded by the standard library."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isclose
from typing import Any

import numpy as np

from tickwire.bench.open_loop import StretchReport
from tickwire.bench.tape import Tape

Columns = Mapping[str, np.ndarray[Any, Any]]
ANY_START_NS = 10**18  # an id of as many digits as the wall clock has


class ReferenceTrades:
    """The prices and sizes of a tape; its ids are those of the schedule.

    Parameters
    ----------
    tape
        What is sent, over and over. Its ids are written anew here.
    """

    def __init__(self, tape: Tape) -> None:
        tape.stamp(ANY_START_NS, 0, 1e9)
        trades = [json.loads(payload)["data"][0] for payload in tape.payloads()]
        self.columns = {
            "price": np.array([float(trade["px"]) for trade in trades]),
            "size": np.array([float(trade["sz"]) for trade in trades]),
        }

    def faults(self, columns: Columns, sent: StretchReport) -> list[str]:
        """Compare the rows of a stretch: each there once, in order, with its values.

        Parameters
        ----------
        columns
            `trade_id` as int64, `price` and `size` as float64; shape (n,).
        sent
            What was sent.
        """
        n_messages = len(sent.due_ns)
        ids = columns.get("trade_id")
        if ids is None or len(ids) != n_messages:
            return [f"{0 if ids is None else len(ids)} rows instead of {n_messages}"]
        faults = []
        due_ns = sent.start_ns + (sent.due_ns - sent.due_ns[0])
        if np.abs(ids - due_ns).max() > 1 or (np.diff(ids) <= 0).any():
            faults.append("trade_id: not those of the schedule, or not in order")
        places = np.arange(n_messages) % len(self.columns["price"])
        return faults + [
            f"{name} differs"
            for name, once in self.columns.items()
            if not np.array_equal(columns[name], once[places])
        ]

    def sum_faults(self, n_priced: int, price_sum: float, n_messages: int) -> list[str]:
        """Compare what a program has read of a stretch: the sum of all its prices.

        Parameters
        ----------
        n_priced, price_sum
            How many prices it has read, and their sum.
        n_messages
            That were sent.
        """
        if n_priced != n_messages:
            return [f"{n_priced} prices read instead of {n_messages}"]
        once = self.columns["price"]
        expected = float(once[np.arange(n_messages) % len(once)].sum())
        return [] if isclose(price_sum, expected) else ["the sum of the prices differs"]
