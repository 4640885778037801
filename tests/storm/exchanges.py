"""Simulators in processes of their own, and `tickwire run` beside them, for runs of minutes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STOP_S = 60.0
READY_S = 120.0  # a loaded machine
MADE = "exchange.jsonl"


@dataclass(frozen=True, slots=True)
class Plan:
    """What one of the simulators is to do, and what a source takes of it.

    Parameters
    ----------
    venue, symbols, channels
        As a source has them.
    rate
        Messages a second.
    seed
        Of the market.
    faults
        As `tickwire sim --fault` reads them.
    """

    venue: str
    symbols: tuple[str, ...]
    channels: tuple[str, ...]
    rate: float
    seed: int = 0
    faults: tuple[str, ...] = ()


@dataclass(slots=True)
class Exchange:
    """A simulator that runs.

    Parameters
    ----------
    plan
        What it does.
    folder
        Where its logs are.
    """

    plan: Plan
    folder: Path
    ws_url: str = ""
    rest_url: str = ""
    process: subprocess.Popen[str] = field(init=False)

    @property
    def log(self) -> Path:
        """What it sent."""
        return self.folder / MADE

    def start(self) -> None:
        """Start it."""
        plan = self.plan
        self.folder.mkdir(parents=True)
        command = [
            sys.executable, "-m", "tickwire", "sim", "--venue", plan.venue, "--port", "0",
            "--rate", str(plan.rate), "--symbols", ",".join(plan.symbols),
            "--channels", ",".join(dict.fromkeys(each.partition(":")[0] for each in plan.channels)),
            "--seed", str(plan.seed), "--log", str(self.log),
        ]  # fmt: skip
        for fault in plan.faults:
            command += ["--fault", fault]
        with (self.folder / "sim.log").open("w") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own
                command, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self.process.stdout is not None
        self.ws_url, self.rest_url = (
            self.process.stdout.readline().strip().partition("=")[2] for _ in range(2)
        )
        if not self.rest_url:
            raise RuntimeError(f"{plan.venue}: {(self.folder / 'sim.log').read_text()[-2000:]}")

    def stop(self) -> None:
        """Stop it; its log is whole afterwards."""
        self.process.terminate()
        try:
            self.process.communicate(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()

    def source(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Give a source that takes what it sends."""
        plan = self.plan
        return {
            "venue": plan.venue, "channels": [*plan.channels], "symbols": [*plan.symbols],
            "url": self.ws_url, "rest_url": self.rest_url, "proxy": "off", **options,
        }  # fmt: skip


@contextmanager
def running(plans: Iterable[Plan], folder: Path) -> Iterator[list[Exchange]]:
    """Run simulators, each in a folder of its own."""
    exchanges = [Exchange(plan, folder / plan.venue) for plan in plans]
    started: list[Exchange] = []
    try:
        for exchange in exchanges:
            exchange.start()
            started.append(exchange)
        yield exchanges
    finally:
        for exchange in started:
            exchange.stop()


def write_config(
    folder: Path, feed: Mapping[str, Any], sources: Iterable[dict[str, Any]], memory_mb: int = 0
) -> Path:
    """Write a configuration with a DuckDB file and a Parquet dataset."""
    duckdb = {"type": "duckdb", "path": str(folder / "m.duckdb")}
    if memory_mb:
        duckdb["memory_mb"] = memory_mb
    parquet = {"type": "parquet", "path": str(folder / "data"), "rotate_s": 10}
    tables: list[tuple[str, Mapping[str, Any]]] = [
        ("[feed]", {"state_dir": str(folder / "state"), **feed}),
        *(("[[source]]", source) for source in sources),
        ("[[sink]]", duckdb),
        ("[[sink]]", parquet),
    ]
    lines = []
    for name, values in tables:
        # What JSON writes is TOML, too.
        lines += [name, *(f"{key} = {json.dumps(value)}" for key, value in values.items()), ""]
    path = folder / "feed.toml"
    path.write_text("\n".join(lines))
    return path


def start_feed(config: Path) -> subprocess.Popen[bytes]:
    """Start `tickwire run`; its log and its summary lie beside the configuration."""
    command = [sys.executable, "-m", "tickwire", "run", str(config)]
    command += ["--summary", str(config.with_suffix(".json"))]
    with config.with_suffix(".log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - our own


def summary_of(config: Path) -> dict[str, Any]:
    """Give the summary that a feed has left; empty where it has none."""
    try:
        found: dict[str, Any] = json.loads(config.with_suffix(".json").read_text())
    except (OSError, ValueError):
        return {}
    return found
