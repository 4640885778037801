"""What the command `sim` does: serve until a signal, or for as long as it is awaited."""

from __future__ import annotations

import asyncio
import gc
import json
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tickwire.schema import USER_TABLES
from tickwire.sim.chaos import EVERY_S
from tickwire.sim.client_log import ClientLog
from tickwire.sim.exchange import CHANNELS
from tickwire.sim.instruments import DEFAULT_PORTS, DEFAULT_SYMBOLS, VENUES
from tickwire.sim.playback import Route, Speed
from tickwire.sim.server import Simulator
from tickwire.venues import load


@dataclass(frozen=True, slots=True)
class SimOptions:
    """The options of `tickwire sim`; each as `Simulator` has it, but for the default port."""

    venue: str = "hyperliquid"
    host: str = "127.0.0.1"
    port: int | None = None
    rate: float = 1000.0
    symbols: Sequence[str] | None = None
    channels: Sequence[str] | None = None
    seed: int = 0
    capture: Path | None = None
    speed: Speed = 1.0
    route: Route = "all"
    tls: bool = False
    stamp: bool = False
    faults: Sequence[str] = ()
    chaos: int | None = None
    chaos_every_s: float = EVERY_S
    log: Path | None = None


async def serve(options: SimOptions) -> None:
    """Run a simulator until SIGINT, SIGTERM or cancellation.

    Its first lines on standard output are `ws=URL`, `rest=URL` and, with TLS, `ca=FILE`; then,
    after an empty line, a source for a configuration. They are flushed before the first connection
    is accepted. Clients and what they get are logged.

    Parameters
    ----------
    options
        What to simulate.

    Raises
    ------
    ConfigError
        Where an option is wrong.
    CaptureError
        Where the capture cannot be read, now or later.
    TickwireError
        Where a port cannot be had.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup has it
        signals.append(signal.SIGHUP)
    port = DEFAULT_PORTS.get(options.venue, 0) if options.port is None else options.port
    async with Simulator(
        options.venue,
        host=options.host,
        port=port,
        rate=options.rate,
        symbols=options.symbols,
        channels=options.channels,
        seed=options.seed,
        capture=options.capture,
        speed=options.speed,
        route=options.route,
        tls=options.tls,
        stamp=options.stamp,
        faults=options.faults,
        chaos=options.chaos,
        chaos_every_s=options.chaos_every_s,
        log=options.log,
        clients=ClientLog(),
    ) as simulator:
        for number in signals:
            with suppress(ValueError, NotImplementedError):  # not in the main thread
                loop.add_signal_handler(number, stopped.set)
        lines = [f"ws={simulator.ws_url}", f"rest={simulator.rest_url}"]
        if simulator.ca_file is not None:
            lines.append(f"ca={simulator.ca_file}")
        print("\n".join([*lines, "", *_source_lines(options, simulator)]), flush=True)
        # What stands now stays: the collector need not walk it while messages are made.
        gc.freeze()
        waiting = [asyncio.create_task(stopped.wait()), asyncio.create_task(simulator.failure())]
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            # At the exit of Python what is frozen would stay, and bindings tell that on stderr.
            gc.unfreeze()
            for task in waiting:
                task.cancel()
            for number in signals:
                with suppress(ValueError, NotImplementedError):
                    loop.remove_signal_handler(number)


def _source_lines(options: SimOptions, simulator: Simulator) -> list[str]:
    """Give a `[[source]]` of a configuration that takes what is served."""
    venue = load(options.venue, (Path.cwd(),))
    served = options.channels
    if not served:
        # Liquidations need never happen, and what happens to users is asked for by user.
        lacking = {"liquidations", *USER_TABLES}
        served = [channel for channel in CHANNELS if channel not in lacking]
        if options.venue not in VENUES:  # it plays a capture
            own = [each for each in venue.channels if not each.of_users]
            served = [channel.name for channel in own if ":" not in channel.name]
    named = [
        next((each for each in (name, f"{name}:1m", f"{name}:agg") if venue.channel(each)), "")
        for name in served
    ]
    channels = [channel for channel in named if channel]
    symbols = list(options.symbols or DEFAULT_SYMBOLS.get(options.venue, ()))
    note = "" if options.capture is None else "  # those of the capture"
    lines = [
        "[[source]]",
        f'venue = "{options.venue}"',
        f"channels = {json.dumps(channels)}",
        f"symbols = {json.dumps(symbols, ensure_ascii=False)}{note}",
        f'url = "{simulator.ws_url}"',
        f'rest_url = "{simulator.rest_url}"',
        'proxy = "off"',
    ]
    if simulator.ca_file is not None:
        lines.append(f"ca_file = {json.dumps(str(simulator.ca_file))}")
    return lines
