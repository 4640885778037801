"""The process in which Hyperliquid's official SDK runs: a JSON line in, a JSON line out.

Rules of this file
------------------
- It is run by its path, by any interpreter that has the SDK, and imports nothing of tickwire.
- The SDK blocks, calls the network in its constructor, has no timeout by default, logs what it has
  signed at level debug, and gives errors inside of status "ok": so it runs here, with a timeout,
  without any log, and every answer is searched for errors.
- The key is read here, from the environment or a file. It is in no answer: not in an error, either.
- Where the feed's process ends, so does this one; a dead man's switch that is armed stays so.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

SOON_S = 6.0  # the exchange wants at least 5 s ahead
MOST_TRIGGERS = 10  # a day, UTC
DAY_MS = 86_400_000
MOST_CANCELS = 50  # in a request
PAUSE_S = 0.25  # between two rounds
ORDERS_SHARE = 0.4  # of the time, for cancelling
LONGEST_TEXT = 300


class Worker:
    """One account.

    Parameters
    ----------
    options
        As `tickwire.hooks.hyperliquid.Flatten` sends them.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        import eth_account
        from hyperliquid.api import API
        from hyperliquid.exchange import Exchange

        self.dry_run = bool(options["dry_run"])
        self.slippage = float(options["slippage"])
        self.coins = options["coins"]
        self.max_price_age_s = float(options["max_price_age_s"])
        url, timeout_s = options["base_url"], float(options["request_s"])
        wallet = eth_account.Account.from_key(KEY.read(options))
        self.account = options["vault"] or options["account"] or wallet.address
        found = API(url, timeout_s).post("/info", {"type": "perpDexs"})
        self.dexes = ["", *(dex["name"] for dex in found if dex)]
        self.exchange = Exchange(
            wallet,
            url,
            vault_address=options["vault"] or None,
            account_address=options["account"] or None,
            perp_dexs=self.dexes,
            timeout=timeout_s,
        )
        path = options["state_file"]
        self.triggers = Triggers(Path(path) if path else None)

    # What it is asked.

    def check(self) -> dict[str, Any]:
        """Read the account, as an emergency would."""
        return {
            "account": self.account,
            "orders": len(self._orders()),
            "positions": self._positions(),
            "triggers": self.triggers.count(_now_ms()),
        }

    def arm(self, in_s: float) -> dict[str, Any]:
        """Let the exchange cancel all orders after a time, unless it is armed again before."""
        now_ms = _now_ms()
        n_triggers = self.triggers.count(now_ms)
        if n_triggers >= MOST_TRIGGERS:
            raise Refused(f"{n_triggers} triggers today, the exchange allows {MOST_TRIGGERS}")
        until_ms = now_ms + int(max(in_s, SOON_S) * 1000)
        if not self.dry_run:
            raise_refusal(self.exchange.schedule_cancel(until_ms))
            self.triggers.armed(until_ms)
        return {"until_ms": until_ms, "triggers": n_triggers}

    def disarm(self) -> dict[str, Any]:
        """Let the exchange cancel nothing."""
        if not self.dry_run:
            raise_refusal(self.exchange.schedule_cancel(None))
            self.triggers.armed(0)
        return {}

    def flatten(self, prices: dict[str, list[float]], deadline_s: float) -> dict[str, Any]:
        """Cancel all orders of every dex, then close all positions; repeat until it is verified.

        Parameters
        ----------
        prices
            By coin: the feed's last price, and how old it was, in seconds.
        deadline_s
            How long all of it may take.
        """
        began_s = time.monotonic()
        report: dict[str, Any] = {
            "dry_run": self.dry_run, "cancelled": 0, "orders_left": None,
            "fills": [], "positions_left": None, "errors": [],
        }  # fmt: skip
        self._cancel_orders(began_s + ORDERS_SHARE * deadline_s, report)
        self._close_positions(prices, began_s, began_s + deadline_s, report)
        if report["orders_left"] == 0 and not self.dry_run:
            self._try("disarm", report, self.disarm)  # it would trigger for nothing
        report["errors"] = list(dict.fromkeys(report["errors"]))
        return report

    # Orders.

    def _orders(self) -> list[dict[str, Any]]:
        found = [o for dex in self.dexes for o in self.exchange.info.open_orders(self.account, dex)]
        return [{"coin": o["coin"], "oid": o["oid"]} for o in found if self._is_chosen(o["coin"])]

    def _cancel_orders(self, until_s: float, report: dict[str, Any]) -> None:
        first: int | None = None
        while True:
            orders = self._try("open orders", report, self._orders)
            if orders is not None:
                first = len(orders) if first is None else first
                report["orders_left"] = len(orders)
                report["cancelled"] = first - len(orders)
                if not orders or self.dry_run:
                    return
                for start in range(0, len(orders), MOST_CANCELS):
                    some = orders[start : start + MOST_CANCELS]
                    answer = self._try("cancel", report, self.exchange.bulk_cancel, some)
                    report["errors"] += [f"cancel: {text}" for text in refusals(answer)]
            if time.monotonic() >= until_s:
                return
            if orders is None:
                time.sleep(PAUSE_S)

    # Positions.

    def _positions(self) -> dict[str, float]:
        found = {}
        for dex in self.dexes:
            for each in self.exchange.info.user_state(self.account, dex)["assetPositions"]:
                position = each["position"]
                size = float(position["szi"])
                if size and self._is_chosen(position["coin"]):
                    found[position["coin"]] = size
        return found

    def _close_positions(
        self,
        prices: dict[str, list[float]],
        began_s: float,
        until_s: float,
        report: dict[str, Any],
    ) -> None:
        while True:
            positions = self._try("positions", report, self._positions)
            if positions is not None:
                report["positions_left"] = positions
                if not positions or self.dry_run:
                    return
                if time.monotonic() >= until_s:
                    return
                for coin in positions:
                    if time.monotonic() >= until_s:
                        break
                    price = self._price(coin, prices, time.monotonic() - began_s)
                    self._close(coin, price, report)
            elif time.monotonic() >= until_s:
                report["positions_left"] = None  # not known any more
                return
            time.sleep(PAUSE_S)

    def _price(self, coin: str, prices: dict[str, list[float]], passed_s: float) -> float | None:
        """Give the feed's price; None: the SDK takes the exchange's own mid."""
        price, age_s = prices.get(coin, [0.0, 0.0])
        return price if price > 0 and age_s + passed_s <= self.max_price_age_s else None

    def _close(self, coin: str, price: float | None, report: dict[str, Any]) -> None:
        answer = self._try(
            f"close {coin}", report, self.exchange.market_close,
            coin, None, price, self.slippage,
        )  # fmt: skip
        report["errors"] += [f"close {coin}: {text}" for text in refusals(answer)]
        for status in statuses_of(answer):
            filled = status.get("filled") if isinstance(status, dict) else None
            if filled:
                size, at = float(filled["totalSz"]), float(filled["avgPx"])
                by = "exchange" if price is None else "feed"
                report["fills"].append({"coin": coin, "size": size, "price": at, "priced_by": by})

    def _is_chosen(self, coin: str) -> bool:
        return not self.coins or coin in self.coins

    def _try(self, what: str, report: dict[str, Any], function: Any, *arguments: Any) -> Any:
        """Call, and note an error: what comes after it is tried all the same."""
        try:
            return function(*arguments)
        except Exception as error:  # the SDK's, of any kind
            report["errors"].append(f"{what}: {shown(error)}")
            return None


class Refused(Exception):
    """The exchange, or its limit, does not allow it."""


class Triggers:
    """How often the switch has triggered today, over restarts where there is a file.

    Parameters
    ----------
    path
        Where it is kept.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._day = self._n_triggers = self._armed_until_ms = 0
        if path is not None and path.exists():
            self._day, self._n_triggers, self._armed_until_ms = json.loads(path.read_text())

    def count(self, now_ms: int) -> int:
        """Give today's count; a time that was armed and has passed is a trigger."""
        if self._armed_until_ms and now_ms >= self._armed_until_ms:
            self._begin(self._armed_until_ms // DAY_MS)
            self._n_triggers += 1
            self.armed(0)
        self._begin(now_ms // DAY_MS)
        return self._n_triggers

    def armed(self, until_ms: int) -> None:
        """Note that it is armed; 0: it is not."""
        self._armed_until_ms = until_ms
        if self._path is not None:
            text = json.dumps([self._day, self._n_triggers, self._armed_until_ms])
            beside = self._path.with_suffix(".new")
            beside.write_text(text)
            beside.replace(self._path)

    def _begin(self, day: int) -> None:
        if day != self._day:
            self._day, self._n_triggers = day, 0


class Key:
    """The private key, and texts without it."""

    def __init__(self) -> None:
        self._forms: tuple[str, ...] = ()

    def read(self, options: dict[str, Any]) -> str:
        """Read it from where the options say."""
        if options["key_file"]:
            text = Path(options["key_file"]).read_text().strip()
        else:
            text = os.environ[options["key_env"]].strip()
        bare = text.removeprefix("0x")
        self._forms = tuple({text, bare, bare.lower(), bare.upper()} - {""})
        return text

    def hidden(self, text: str) -> str:
        """Give a text with `***` in its place."""
        for form in self._forms:
            text = text.replace(form, "***")
        return text


KEY = Key()


def statuses_of(answer: Any) -> list[Any]:
    """Give what an answer says of each order."""
    response = answer.get("response") if isinstance(answer, dict) else None
    data = response.get("data") if isinstance(response, dict) else None
    return list(data.get("statuses", [])) if isinstance(data, dict) else []


def refusals(answer: Any) -> list[str]:
    """Give the errors of an answer: its own, and those of single orders inside of status "ok"."""
    if answer is None:  # it failed, or there was nothing to do
        return []
    if not isinstance(answer, dict) or answer.get("status") != "ok":
        if isinstance(answer, dict):
            answer = answer.get("response", answer.get("error", answer))
        return [str(answer)[:LONGEST_TEXT]]
    return [
        str(status["error"])[:LONGEST_TEXT]
        for status in statuses_of(answer)
        if isinstance(status, dict) and "error" in status
    ]


def raise_refusal(answer: Any) -> None:
    """Raise where an answer has an error."""
    found = refusals(answer)
    if found:
        raise Refused("; ".join(found))


def shown(error: BaseException) -> str:
    """Give an error in one line, without the key."""
    text = str(error) if isinstance(error, Refused) else f"{type(error).__name__}: {error}"
    return KEY.hidden(" ".join(text.split()))[:LONGEST_TEXT]


def _now_ms() -> int:
    return int(time.time() * 1000)


def main() -> None:
    """Answer line after line until there are no more."""
    logging.disable(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold the key
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    worker: Worker | None = None
    for line in sys.stdin:
        request = json.loads(line)
        what, number = request.pop("do"), request.pop("id")
        try:
            if what == "open":
                worker = Worker(request)
                answer = worker.check()
            else:
                answer = getattr(worker, what)(**request)
        except Exception as error:  # the process's edge: the feed gets it as the answer
            answer = {"error": shown(error)}
        answers.write(KEY.hidden(json.dumps({"id": number, **answer})) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
