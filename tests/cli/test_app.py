"""Usage, configuration errors, `check`, `doctor`, `sim`."""

import multiprocessing
import signal
import sys
import threading
from pathlib import Path

import pytest
from tests.cli.program import server, started, tickwire, write_config

from tickwire.cli import main

SOURCE = {"venue": "hyperliquid", "channels": ["trades", "book:n5"], "symbols": ["BTC", "ETH"]}


@pytest.mark.parametrize("command", ["run", "check", "replay"])
def test_a_bad_configuration_is_told_line_by_line(tmp_path: Path, command: str) -> None:
    config = write_config(
        tmp_path, {**SOURCE, "venu": "x", "carrier": "pigeon"}, feed="ring_rows = 5"
    )
    capture = tmp_path / "capture.jsonl"
    capture.write_text("")
    done = tickwire(command, *([capture] if command == "replay" else []), config)
    assert done.returncode == 2
    assert done.stdout == ""
    assert [line.split(": ")[2] for line in done.stderr.splitlines()] == [
        "feed.ring_rows",
        "source[0].carrier",
        "source[0].venu",
    ]
    assert all(f"tickwire: {config}: " in line for line in done.stderr.splitlines())


def test_a_configuration_that_does_not_fit_the_venues_is_told(tmp_path: Path) -> None:
    config = write_config(tmp_path, {**SOURCE, "channels": ["trade"]})
    done = tickwire("run", config)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "source[0].channels: " in line
    assert "trades" in line


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("fly",),
        ("run",),
        ("run", "a.toml", "--duration", "soon"),
        ("run", "a.toml", "--fast"),
        ("run", "a.toml", "--max-messages", "0"),
        ("replay", "a.jsonl", "b.toml", "--speed", "quick"),
        ("--log", "xml", "doctor"),
        ("sim", "--speed", "-1"),
        ("sim", "--symbols", " , "),
        ("sim", "--channels", ""),
        ("sim", "--venue", "nowhere"),
        ("run", "none.toml"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(tmp_path: Path, arguments: tuple[str]) -> None:
    done = tickwire(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("tickwire: ")


def test_check_shows_the_plan(tmp_path: Path) -> None:
    config = write_config(tmp_path, SOURCE)
    done = tickwire("check", config)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for part in (
        "wss://api.hyperliquid.xyz/ws",
        "trades BTC -> trades",
        "book:n5 ETH -> book",
        "quarantine: ",
        "market.duckdb",
        "trades, book, gaps, sessions, quarantine",
    ):
        assert part in done.stdout
    assert not (tmp_path / "market.duckdb").exists()


def test_check_says_what_a_recording_takes(tmp_path: Path) -> None:
    config = write_config(tmp_path, SOURCE)
    config.write_text(config.read_text() + '[[sink]]\ntype = "raw"\npath = "recording"\n')
    done = tickwire("check", config)
    assert done.returncode == 0, done.stderr
    assert "recording, takes every message as it came\n" in done.stdout


def test_doctor_tells_versions_build_and_limits() -> None:
    done = tickwire("doctor")
    assert done.returncode == 0, done.stderr
    for topic in ("python", "pyarrow", "build", "simd", "event loop", "open files", "cpu"):
        assert any(line.startswith(topic) for line in done.stdout.splitlines())


def test_version_and_help() -> None:
    assert tickwire("--version").stdout.startswith("tickwire ")
    done = tickwire("--help")
    assert done.returncode == 0
    for command in ("run", "check", "sim", "replay", "doctor"):
        assert command in done.stdout


def test_sim_says_where_it_is_and_stops_on_a_signal() -> None:
    process = started("sim", "--port", "0")
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ws=ws://127.0.0.1:")
        assert process.stdout.readline().startswith("rest=http://127.0.0.1:")
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    assert errors == ""


def test_sim_lists_all_faults() -> None:
    done = tickwire("sim", "--fault", "help")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("--fault KIND")
    for start in ("  reset ", "  mute ", "  rest-dead ", "  backlog "):
        assert any(line.startswith(start) for line in lines)
    [slow] = [line for line in lines if line.startswith("  rest-slow ")]
    assert slow.endswith("s)")  # its default, with the unit


def test_output_without_a_reader_ends_the_program() -> None:
    with started("doctor") as process:
        process.stdout.close()
        assert process.wait(20) == 1
        assert "Traceback" not in process.stderr.read()


class _Interrupts:
    """Lets a module's import be interrupted, as Ctrl-C does."""

    def __init__(self, name: str) -> None:
        self.name = name

    def find_spec(self, name: str, *_: object) -> None:
        if name == self.name:
            raise KeyboardInterrupt


@pytest.mark.parametrize("name", ["tickwire.cli.app", "tickwire.feed.plan.planning"])
def test_an_interrupt_while_the_program_loads_is_one_line(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path, SOURCE)
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "meta_path", [_Interrupts(name), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        main(["check", str(config)])
    told = capfd.readouterr().err.strip() or ended.value.code
    assert told == "tickwire: interrupted"
    assert ended.value.code in (told, 1)


def _with_a_thread_that_hangs() -> None:
    threading.Thread(target=threading.Event().wait, name="sink-parquet").start()
    main(["--version"])


def test_a_thread_of_a_sink_that_hangs_does_not_keep_the_program() -> None:
    server()
    process = multiprocessing.get_context("forkserver").Process(target=_with_a_thread_that_hangs)
    process.start()
    process.join(20)
    code = process.exitcode
    process.kill()
    assert code == 0
