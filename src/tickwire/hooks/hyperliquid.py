"""Hyperliquid: a dead man's switch while the feed runs, and a flat account in an emergency.

Rules of this file
------------------
- The official SDK runs in a process of its own (`hyperliquid_worker.py`); this one never imports
  it, and never reads the key: it only looks whether it is there, and who may read its file.
- A dry run is the default: everything is read, and nothing is sent.
- The switch is armed again only while the feed is healthy. A feed that hangs, is killed or has lost
  its connections arms it no more, and the exchange cancels the orders.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from tickwire.errors import ConfigError, TickwireError
from tickwire.logs import get_logger
from tickwire.observe import Metrics
from tickwire.supervise import EmergencyEvent, ManagedTask, cancel_all

if TYPE_CHECKING:
    from asyncio.subprocess import Process

WORKER = Path(__file__).with_name("hyperliquid_worker.py")
MAINNET = "https://api.hyperliquid.xyz"
TESTNET = "https://api.hyperliquid-testnet.xyz"
VENUES = ("hyperliquid", "hyperliquid-testnet")
START_S = 30.0
ANSWER_S = 15.0
STOP_S = 5.0
RESERVE = 0.25  # of the deadline at most, for the last round to end
ARMS_PER_TIME = 3  # so often the switch is armed again within its time
LEAST_DEAD_MAN_S = 10.0
MAX_LINE_BYTES = 4 << 20

_log = get_logger("tickwire.hooks")


class Flatten:
    """Cancels all orders of an account and closes its positions, verified.

    Parameters
    ----------
    key_env, key_file
        Where the private key is: the name of an environment variable, or a file that only its owner
        may read. One of them.
    account
        The address whose orders they are; left out: the key's own. With the key of an agent, the
        account that it acts for.
    vault
        The address of a vault or sub-account to act for.
    coins
        Left out: all.
    slippage
        How far from the price a position may be closed, as a share.
    max_price_age_s
        An older price of the feed is not used; then the exchange's own mid is.
    dead_man_s
        The exchange cancels all orders unless the switch is armed again within this time; 0: none.
    dry_run
        Read and report, send nothing.
    base_url
        `mainnet`, `testnet`, or a URL.
    request_s
        How long a request may take.
    python
        The interpreter that has the SDK; by default the feed's.

    Raises
    ------
    ConfigError
        With one line per mistake.
    """

    def __init__(
        self,
        *,
        key_env: str = "",
        key_file: str = "",
        account: str = "",
        vault: str = "",
        coins: list[str] | tuple[str, ...] = (),
        slippage: float = 0.05,
        max_price_age_s: float = 10.0,
        dead_man_s: float = 30.0,
        dry_run: bool = True,
        base_url: str = "mainnet",
        request_s: float = 5.0,
        python: str = "",
    ) -> None:
        self._options: dict[str, Any] = {
            "key_env": key_env, "key_file": key_file, "account": account, "vault": vault,
            "coins": list(coins), "slippage": slippage, "max_price_age_s": max_price_age_s,
            "dry_run": dry_run, "request_s": request_s, "state_file": "",
            "base_url": {"mainnet": MAINNET, "testnet": TESTNET}.get(base_url, base_url),
        }  # fmt: skip
        self.dry_run = dry_run
        self._dead_man_s = dead_man_s
        self._python = python or sys.executable
        problems = self._problems()
        if problems:
            raise ConfigError(problems)
        self._feed: Any = None
        self._process: Process | None = None
        self._asking = asyncio.Lock()
        self._arming: ManagedTask[None] | None = None
        self._is_armed = False
        self._armed_until_s = 0.0  # by the loop's time: later than that the exchange's is not set
        self._n_asked = 0

    def __repr__(self) -> str:
        key = self._options["key_file"] or f"${self._options['key_env']}"
        mode = "dry run" if self.dry_run else "LIVE"
        return f"<Flatten {mode}, key in {key}, {self._options['base_url']}>"

    def _problems(self) -> list[str]:
        options, found = self._options, []
        if bool(options["key_env"]) == bool(options["key_file"]):
            found.append("key_env: give either key_env or key_file, where the key is")
        if not 0 < options["slippage"] <= 0.5:
            found.append(f"slippage: is {options['slippage']}, should be a share, at most 0.5")
        if self._dead_man_s and self._dead_man_s < LEAST_DEAD_MAN_S:
            wrong = f"should be at least {LEAST_DEAD_MAN_S:g}, or 0 for no switch"
            found.append(f"dead_man_s: is {self._dead_man_s}, {wrong}")
        found += [
            f"{name}: is {options[name]}, should be a time in seconds"
            for name in ("request_s", "max_price_age_s")
            if not options[name] > 0
        ]
        url = urlsplit(options["base_url"])
        if url.scheme != "https" and not (url.scheme == "http" and _is_loopback(url.hostname)):
            found.append("base_url: should be mainnet, testnet, or a URL with https://")
        return found

    # The feed's side of a hook: start, call, stop.

    async def start(self, feed: Any) -> None:
        """Begin the process, read the account, arm the switch.

        Raises
        ------
        TickwireError
            The key or the SDK is missing, or the exchange does not answer.
        """
        self._check_key()
        self._feed = feed
        self._metrics: Metrics = feed.pipeline.metrics
        state_dir = feed.config.feed.state_dir
        if state_dir is not None and self._dead_man_s:
            self._options["state_file"] = _state_file(state_dir, feed.config.feed.name)
        self._process = await asyncio.create_subprocess_exec(
            self._python, "-P", str(WORKER),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # a traceback of the SDK's could hold what it signs
            limit=MAX_LINE_BYTES,
            start_new_session=True,  # a Ctrl-C is for the feed, which then uses it
        )  # fmt: skip
        found = await self._ask(START_S, "open", **self._options)
        _log.info(
            "emergency hook checked",
            hook=repr(self),
            account=found["account"],
            orders=found["orders"],
            positions=found["positions"],
        )
        if self.dry_run:
            _log.warning("DRY RUN: in an emergency nothing is sent", hook=repr(self))
        if self._dead_man_s:
            self._arming = feed.tasks.spawn("dead man's switch", self._keep_armed)

    async def __call__(self, event: EmergencyEvent) -> str:
        """Cancel and close.

        Returns
        -------
        str
            What was done.

        Raises
        ------
        TickwireError
            Orders or positions are left, or that is not known.
        """
        if self._process is None:
            raise TickwireError("the feed had not started it")
        if self._arming is not None:
            await cancel_all([self._arming])
        prices = {
            symbol: [price.value, price.age_s]
            for symbol, price in self._feed.last_prices(VENUES).items()
        }
        reserve_s = min(RESERVE * event.deadline_s, self._options["request_s"])
        within_s = event.deadline_s - reserve_s
        report = await self._ask(event.deadline_s, "flatten", prices=prices, deadline_s=within_s)
        text = describe(report)
        is_flat = report["orders_left"] == 0 and report["positions_left"] == {}
        if not is_flat and not self.dry_run:
            raise TickwireError(text)
        return text

    async def stop(self) -> None:
        """Disarm the switch, where the feed ends in order, and end the process."""
        if self._arming is not None:
            await cancel_all([self._arming])
        process = self._process
        if process is None:
            return
        try:
            # Also what was asked for and not answered, and what was not renewed.
            may_be_armed = asyncio.get_running_loop().time() < self._armed_until_s
            if may_be_armed and not self._feed.emergency_reason:
                await self._ask(STOP_S, "disarm")
                _log.info("dead man's switch disarmed")
        except TickwireError as error:
            _log.error("dead man's switch NOT disarmed: orders will be cancelled", error=str(error))
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
            self._process = None

    # The dead man's switch.

    async def _keep_armed(self) -> None:
        while True:
            if self._feed.is_healthy:
                await self._arm()
            elif self._is_armed:
                self._is_armed = False
                _log.warning("dead man's switch NOT armed again: the feed is not healthy")
            await asyncio.sleep(self._dead_man_s / ARMS_PER_TIME)

    async def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        self._armed_until_s = loop.time() + ANSWER_S + self._dead_man_s
        try:
            answer = await self._ask(ANSWER_S, "arm", in_s=self._dead_man_s)
        except TickwireError as error:
            self._metrics.counter("dead_man_failures").add()
            _log.error("dead man's switch cannot be armed", error=str(error))
            self._is_armed = False
            return
        self._armed_until_s = loop.time() + self._dead_man_s
        self._metrics.counter("dead_man_arms").add()
        self._metrics.gauge("dead_man_triggers").set(answer["triggers"])
        if not self._is_armed:
            self._is_armed = True
            _log.info("dead man's switch armed", seconds=self._dead_man_s, dry_run=self.dry_run)

    # The process.

    async def _ask(self, within_s: float, what: str, **more: Any) -> dict[str, Any]:
        """Send a line, and give the answer to it."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise TickwireError("its process does not run")
        self._n_asked += 1
        number = self._n_asked
        answer: dict[str, Any] = {}
        try:
            async with asyncio.timeout(within_s), self._asking:
                line = json.dumps({"id": number, "do": what, **more})
                process.stdin.write(line.encode() + b"\n")
                await process.stdin.drain()
                while answer.get("id") != number:  # another's, that was not waited for
                    got = await process.stdout.readline()
                    if not got:
                        code = await process.wait()
                        raise TickwireError(f"{what}: its process has ended with exit code {code}")
                    answer = json.loads(got)
        except TimeoutError:
            raise TickwireError(f"{what}: no answer in {within_s:g} s") from None
        except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: uvloop, closed
            raise TickwireError(f"{what}: its process has failed: {error}") from None
        if "error" in answer:
            raise TickwireError(f"{what}: {answer['error']}")
        return answer

    def _check_key(self) -> None:
        options = self._options
        if options["key_env"]:
            if not os.environ.get(options["key_env"]):
                text = f"the environment variable {options['key_env']!r} is not set, or empty"
                raise TickwireError(f"key_env: {text}")
            return
        path = Path(options["key_file"])
        try:
            found = path.stat()
        except OSError as error:
            raise TickwireError(f"key_file: {path}: {error.strerror}") from None
        if not stat.S_ISREG(found.st_mode) or found.st_size == 0:
            raise TickwireError(f"key_file: {path} is no file, or empty")
        if found.st_mode & 0o077:
            raise TickwireError(f"key_file: {path} can be read by others: chmod 600 it")
        if found.st_uid != os.getuid():
            raise TickwireError(f"key_file: {path} belongs to another user")


def describe(report: dict[str, Any]) -> str:
    """Put a report in one line."""
    positions = report["positions_left"]
    left = "not known" if positions is None else positions or "none"
    orders = report["orders_left"]
    parts = [
        f"{report['cancelled']} orders cancelled, {'not known' if orders is None else orders} left",
        f"positions left: {left}",
    ]
    if report["dry_run"]:
        parts.insert(0, "dry run, nothing was sent")
    fills = [f"{each['coin']} {each['size']:g} at {each['price']:g}" for each in report["fills"]]
    if fills:
        parts.append(f"filled {', '.join(fills)}")
    if report["errors"]:
        parts.append(f"errors: {'; '.join(report['errors'])}")
    return "; ".join(parts)


def _state_file(state_dir: str | Path, feed: str) -> str:
    """Give the path where triggers are counted, for a process that may have another folder."""
    return str(Path(state_dir).absolute() / f"{quote(feed, safe='')}-dead-man.json")


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
