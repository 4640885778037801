"""Every block of README.md is run: as it stands, but for where the exchange is."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
from tests.cli.program import started
from tests.cli.program import tickwire as program

import tickwire

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.M | re.S)
TIMEOUT_S = 60


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCKS if name == language]


def block(language: str, having: str) -> str:
    return next(text for text in blocks(language) if having in text)


def commands() -> list[list[str]]:
    lines = [line for text in blocks("sh") for line in text.splitlines()]
    return [shlex.split(line, comments=True) for line in lines]


@pytest.fixture
def simulator() -> Iterator[str]:
    """Give the address of an exchange."""
    with started("sim", "--port", "0", "--rate", "500", "--symbols", "BTC,ETH,SOL") as process:
        try:
            yield process.stdout.readline().strip().removeprefix("ws=")
        finally:
            process.terminate()
            process.communicate(timeout=TIMEOUT_S)


def test_every_block_is_of_a_kind_that_is_tried_here() -> None:
    # A block without a language is a picture.
    assert {name for name, _ in BLOCKS} == {"", "sh", "toml", "python"}
    assert len(blocks("toml")) == 1
    assert len(blocks("python")) == 7
    verbs = [command[:2] for command in commands() if command]
    assert verbs[:2] == [["make", "demo"], ["make", "test"]]  # .ci/run runs these
    assert {command[0] for command in verbs[2:]} == {"tickwire"}


def test_the_first_rows_are_shown_in_a_plain_installation(
    simulator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Enough(Exception):
        pass

    printed: list[tuple[object, ...]] = []

    def keep(*values: object) -> None:
        printed.append(values)
        if len(printed) >= 20:
            raise Enough

    for name in ("pandas", "polars"):  # neither is what tickwire needs
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(tickwire, "Source", partial(tickwire.Source, url=simulator))
    code = compile(block("python", "to_numpy()"), "README.md", "exec")
    with pytest.raises(Enough):
        exec(code, {"print": keep})  # noqa: S102 - our own page
    assert len(printed) == 20
    now = np.datetime64("now")
    for time, symbol, price in printed:
        assert isinstance(time, np.datetime64)
        assert abs(now - time) < np.timedelta64(1, "m")
        assert symbol in ("BTC", "ETH")
        assert isinstance(price, float)


def test_the_first_rows_come_one_by_one(simulator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Enough(Exception):
        pass

    printed: list[tuple[object, ...]] = []

    def keep(*values: object) -> None:
        printed.append(values)
        if len(printed) >= 20:
            raise Enough

    monkeypatch.setattr(tickwire, "Source", partial(tickwire.Source, url=simulator))
    code = compile(block("python", "feed.rows"), "README.md", "exec")
    with pytest.raises(Enough):
        exec(code, {"print": keep})  # noqa: S102 - our own page
    for time, symbol, side, price, size in printed:
        assert isinstance(time, int)
        assert symbol in ("BTC", "ETH")
        assert side in ("buy", "sell")
        assert isinstance(price, float)
        assert isinstance(size, float)


def test_trades_stream_into_polars(simulator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Enough(Exception):
        pass

    printed: list[pl.DataFrame] = []

    def keep(frame: pl.DataFrame) -> None:
        printed.append(frame)
        if sum(len(one) for one in printed) >= 20:
            raise Enough

    monkeypatch.setattr(tickwire, "Source", partial(tickwire.Source, url=simulator))
    code = compile(block("python", "polars"), "README.md", "exec")
    with pytest.raises(Enough):
        exec(code, {"print": keep})  # noqa: S102 - our own page
    rows = pl.concat(printed)
    assert rows.columns == ["symbol", "ts_event", "side", "price", "size"]
    assert set(rows["symbol"]) <= {"BTC", "ETH"}
    assert set(rows["side"]) <= {"buy", "sell"}


def test_the_configuration_runs_and_parquet_is_read(simulator: str, tmp_path: Path) -> None:
    (config,) = blocks("toml")
    (tmp_path / "feeds.toml").write_text(config)
    our_commands = [command[1:] for command in commands() if command and command[0] == "tickwire"]
    checks = [arguments for arguments in our_commands if arguments[0] == "check"]
    runs = [arguments for arguments in our_commands if arguments[0] == "run"]
    queries = [arguments for arguments in our_commands if arguments[0] == "query"]
    assert checks
    assert runs
    assert queries
    assert len(checks) + len(runs) + len(queries) == len(our_commands)
    for arguments in checks:
        done = program(*arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "api.hyperliquid.xyz" in done.stdout
    here = config.replace("[[source]]", f'[[source]]\nurl = "{simulator}"')
    (tmp_path / "feeds.toml").write_text(here)
    for arguments in runs:
        # Messages end it, however slow build and machine are; the last --duration counts.
        limits = ["--max-messages", "500", "--duration", str(TIMEOUT_S - 15)]
        done = program(*arguments, *limits, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "market.duckdb").is_file()
    for arguments in queries:
        done = program(*arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.split()[:3] == ["symbol", "trades", "latest"]
    assert (tmp_path / "summary.json").is_file()
    shown = run([sys.executable, "-c", block("python", "AS notional")], tmp_path)
    assert "BTC" in shown
    assert "notional" in shown
    if duckdb.__version__ < "2":  # it cuts Parquet's times to us
        return
    shown = run([sys.executable, "-c", block("python", "AS in_both")], tmp_path)
    with duckdb.connect(str(tmp_path / "market.duckdb"), read_only=True) as connection:
        [(n_trades,)] = connection.execute("SELECT count(*) FROM trades").fetchall()
    assert n_trades > 0
    assert re.search(rf"\b{n_trades}\b", shown)


def test_the_example_is_the_file() -> None:
    example = (ROOT / "examples" / "add_a_venue.py").read_text(encoding="utf-8")
    assert block("python", "COINBASE") == example


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(  # noqa: S603 - our own program
        command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
