"""The client that the Autobahn|Testsuite tests: it echoes every message, by one carrier.

    client.py NAME --url ws://127.0.0.1:PORT

`protocol`, `stream` and `picows` are the carriers, on uvloop as in a feed. `session` is
`tickwire.session.connect` as a user has it who sets nothing but compression, on asyncio's own loop.
All offer permessage-deflate, and compress every message where it is agreed on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from urllib.parse import urlencode

import uvloop

from tickwire import errors
from tickwire.session import connect

NAMES = ("protocol", "stream", "session", "picows")
CASE_LIMIT_S = 900.0  # the slowest takes a minute; one that hangs must not hang the run

Connect = Callable[[str], connect]


async def ask(open_to: Connect, url: str) -> str:
    """Give the one message that the suite answers with."""
    async with open_to(url) as ws:
        message = await ws.recv()
    if not isinstance(message, str):
        raise TypeError(f"{url}: the suite answers in text")
    return message


async def echo(open_to: Connect, url: str) -> None:
    """Send every message back, as the type it came as, until the connection is closed."""
    try:
        async with open_to(url) as ws:
            async for message in ws:
                await ws.send(message)
    except errors.ConnectionClosed:
        pass  # by the suite, at whatever point its case wants; it judges that
    except errors.ProtocolError:
        pass  # the case was a fault, and has been reported


async def run(name: str, url: str) -> int:
    """Run every case that the suite offers and have the reports written; gives the exit code."""
    # The suite writes reports of hundreds of cases meanwhile, on one thread.
    open_to: Connect = partial(
        connect, compression="deflate", compress_from_bytes=0, connect_timeout_s=60
    )
    if name != "session":
        open_to = partial(open_to, carrier=name)
    n_cases = json.loads(await ask(open_to, f"{url}/getCaseCount"))
    n_broken = 0
    started = time.monotonic()
    for case in range(1, n_cases + 1):
        selected = urlencode({"case": case, "agent": name})
        try:
            async with asyncio.timeout(CASE_LIMIT_S):
                await echo(open_to, f"{url}/runCase?{selected}")
        except (TimeoutError, errors.TickwireError) as error:
            n_broken += 1
            print(f"{name}: case {case} of {n_cases}: {error!r}", file=sys.stderr, flush=True)
    # No message answers this one: the suite closes once the reports are written.
    await echo(open_to, f"{url}/updateReports?{urlencode({'agent': name})}")
    took_s = time.monotonic() - started
    print(f"{name}: {n_cases} cases in {took_s:.1f} s, {n_broken} broken off", flush=True)
    return 1 if n_broken or not n_cases else 0


def main() -> int:
    """Run the client that the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--url", required=True, help="where the fuzzing server listens")
    given = parser.parse_args()
    new_loop = asyncio.new_event_loop if given.name == "session" else uvloop.new_event_loop
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(run(given.name, given.url.rstrip("/")))


if __name__ == "__main__":
    sys.exit(main())
