"""What the command `sim` does: serve until a signal, or for as long as it is awaited."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tickwire.sim.playback import Route, Speed
from tickwire.sim.server import Simulator


@dataclass(frozen=True, slots=True)
class SimOptions:
    """The options of `tickwire sim`; each as `Simulator` has it."""

    venue: str = "hyperliquid"
    host: str = "127.0.0.1"
    port: int = 0
    rate: float = 1000.0
    symbols: Sequence[str] | None = None
    channels: Sequence[str] | None = None
    seed: int = 0
    capture: Path | None = None
    speed: Speed = 1.0
    route: Route = "all"
    tls: bool = False
    stamp: bool = False


async def serve(options: SimOptions) -> None:
    """Run a simulator until SIGINT, SIGTERM or cancellation.

    Its first lines on standard output are `ws=URL`, `rest=URL` and, with TLS, `ca=FILE`; they are
    flushed before the first connection is accepted.

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
    OSError
        Where the port cannot be had.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    async with Simulator(
        options.venue,
        host=options.host,
        port=options.port,
        rate=options.rate,
        symbols=options.symbols,
        channels=options.channels,
        seed=options.seed,
        capture=options.capture,
        speed=options.speed,
        route=options.route,
        tls=options.tls,
        stamp=options.stamp,
    ) as simulator:
        for number in signals:
            with suppress(ValueError, NotImplementedError):  # not in the main thread
                loop.add_signal_handler(number, stopped.set)
        lines = [f"ws={simulator.ws_url}", f"rest={simulator.rest_url}"]
        if simulator.ca_file is not None:
            lines.append(f"ca={simulator.ca_file}")
        print("\n".join(lines), flush=True)
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
