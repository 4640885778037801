"""`tickwire sim`: an exchange to connect to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from tickwire.errors import ConfigError, TickwireError


def sim(
    venue: Annotated[str, typer.Option(help="The venue to simulate.")] = "hyperliquid",
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65534,
            help="WebSocket port, REST has the next one; 0: free ones; by default the venue's own.",
        ),
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0, metavar="MSGS_PER_S", help="Messages per second; 0: flat out.")
    ] = 1000.0,
    symbols: Annotated[str | None, typer.Option(metavar="A,B", help="Symbols to simulate.")] = None,
    channels: Annotated[str | None, typer.Option(metavar="A,B", help="Channels to serve.")] = None,
    seed: Annotated[int, typer.Option(help="Of the synthetic market.")] = 0,
    capture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Send this capture instead of a market.")
    ] = None,
    speed: Annotated[
        str, typer.Option(metavar="X", help="Times the capture's own pace, or max.")
    ] = "1",
    route: Annotated[
        Literal["all", "connection", "subscribed"],
        typer.Option(help="Which of the capture's messages a connection gets."),
    ] = "all",
    tls: Annotated[
        bool, typer.Option("--tls", help="Serve TLS, with an authority made now.")
    ] = False,
    stamp: Annotated[
        bool, typer.Option("--stamp", help="Trade ids are the time of sending, ns.")
    ] = False,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPEC",
            help="Something goes wrong, such as reset@5s or mute=BTC@3s..10s; repeatable; "
            "--fault help lists all.",
        ),
    ] = None,
    chaos: Annotated[
        int | None,
        typer.Option(metavar="SEED", help="A storm of faults, the same for the same seed."),
    ] = None,
    chaos_every: Annotated[
        float,
        typer.Option(min=0.1, metavar="S", help="From one fault of the storm to the next."),
    ] = 3.0,
    log: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write what is sent, numbered, as JSON lines."),
    ] = None,
) -> None:
    """Simulate an exchange; the first lines are ws=URL, rest=URL and, with --tls, ca=FILE."""
    from tickwire.feed import run
    from tickwire.sim import SimOptions, serve
    from tickwire.sim.faults import help_text

    if fault == ["help"]:
        typer.echo(help_text())
        return
    options = SimOptions(
        venue=venue,
        host=host,
        port=port,
        rate=rate,
        symbols=_names("--symbols", symbols),
        channels=_names("--channels", channels),
        seed=seed,
        capture=capture,
        speed=factor_of(speed),
        route=route,
        tls=tls,
        stamp=stamp,
        faults=fault or (),
        chaos=chaos,
        chaos_every_s=chaos_every,
        log=log,
    )
    try:
        run(serve(options))
    except TickwireError as error:
        if "cannot listen" not in str(error):
            raise
        raise TickwireError(f"{error}; --port N takes another port, --port 0 a free one") from None


def factor_of(speed: str) -> float | Literal["max"]:
    """Give what `--speed` says: a factor above 0, or `max`."""
    if speed == "max":
        return "max"
    try:
        factor = float(speed)
    except ValueError:
        factor = 0.0
    if not 0 < factor < float("inf"):
        raise ConfigError([f"--speed {speed}: should be a number above 0, or max"])
    return factor


def _names(option: str, text: str | None) -> list[str] | None:
    if text is None:
        return None
    names = [name for name in (part.strip() for part in text.split(",")) if name]
    if not names:
        raise typer.BadParameter(f"{option} names nothing: leave it out for the venue's own")
    return names
