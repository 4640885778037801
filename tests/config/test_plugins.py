"""Sinks of other distributions: found by entry point, checked by their own settings."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tickwire.config import SinkSettings, load
from tickwire.config.plugins import PluginError, load_plugin, plugin_names
from tickwire.errors import ConfigError

SOURCE = '[[source]]\nvenue = "hyperliquid"\nchannels = ["trades"]\nsymbols = ["BTC"]\n'
# A sink is one file, and one line of its distribution's metadata.
LINES = """
from typing import Literal

from tickwire.config import FileSinkSettings
from tickwire.config.values import Count, SinkName
from tickwire.sinks.base import Sink


class LinesSettings(FileSinkSettings):
    type: Literal["lines"] = "lines"
    name: SinkName = "lines"
    flush_rows: Count = 10

    def make_sink(self, feed, metrics=None):
        return LinesSink(self, feed, metrics)


class LinesSink(Sink):
    def _open(self):
        self._file = self.settings.path.open("a")

    def _write(self, batches):
        for table, batch in batches.items():
            for seq in batch["seq"].to_pylist():
                print(table, seq, file=self._file)
            self._count_committed(table, batch.num_rows)

    def _finish(self):
        self._file.flush()

    def _close(self):
        self._file.close()
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder of distributions that Python finds."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    yield folder
    for name in ("lines_sink", "broken_sink"):
        sys.modules.pop(name, None)


def install(site: Path, distribution: str, entry: str, module: str = "", code: str = "") -> None:
    info = site / f"{distribution}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[tickwire.sinks]\n{entry}\n")
    if module:
        (site / f"{module}.py").write_text(code)


def sink_problem(tmp_path: Path, keys: str) -> str:
    path = tmp_path / "feeds.toml"
    path.write_text(SOURCE + "[[sink]]\n" + keys)
    with pytest.raises(ConfigError) as caught:
        load(path)
    [problem] = caught.value.problems
    return problem.removeprefix(f"{path}: ")


def test_the_sinks_of_tickwire_are_plugins_too() -> None:
    assert {"duckdb", "ipc", "parquet"} <= set(plugin_names("tickwire.sinks"))
    for name in ("duckdb", "ipc", "parquet"):
        settings = load_plugin("tickwire.sinks", name)
        assert issubclass(settings, SinkSettings)
        fields = settings.model_fields
        assert (fields["type"].default, fields["name"].default) == (name, name)


def test_a_sink_of_another_distribution_is_as_good_as_built_in(site: Path, tmp_path: Path) -> None:
    from tests.sinks.batches import batch_of, write_all

    from tickwire.schema import TABLES

    install(site, "lines-sink", "lines = lines_sink:LinesSettings", "lines_sink", LINES)
    path = tmp_path / "feeds.toml"
    path.write_text(SOURCE + '[[sink]]\ntype = "lines"\npath = "out.txt"\ntables = ["trades"]\n')
    [settings] = load(path).sinks
    assert settings.target == str(tmp_path / "out.txt")
    sink = settings.make_sink("main")
    sink.open([TABLES["trades"]])
    write_all(sink, {"trades": [batch_of(TABLES["trades"], 3)]})
    assert (tmp_path / "out.txt").read_text() == "trades 0\ntrades 1\ntrades 2\n"

    wrong = sink_problem(tmp_path, 'type = "lines"\npath = "out.txt"\nflush_row = 1\n')
    assert wrong.startswith("sink[0].flush_row: unknown key, did you mean 'flush_rows'? (known: ")
    wrong = sink_problem(tmp_path, 'type = "line"\npath = "out.txt"\n')
    assert wrong == (
        "sink[0].type: is 'line', should be one of 'duckdb', 'ipc', 'lines', 'parquet', 'raw', "
        "did you mean 'lines'?"
    )


def test_a_sink_that_cannot_be_imported_is_one_line(site: Path, tmp_path: Path) -> None:
    code = "import a_library_that_is_not_there"
    install(site, "broken-sink", "broken = broken_sink:Settings", "broken_sink", code)
    assert sink_problem(tmp_path, 'type = "broken"\n') == (
        "sink[0].type: is 'broken', cannot be loaded from broken_sink:Settings: "
        "ModuleNotFoundError: No module named 'a_library_that_is_not_there'"
    )
    # A feed without it does not import it.
    path = tmp_path / "feeds.toml"
    path.write_text(SOURCE + '[[sink]]\ntype = "ipc"\npath = "ipc"\n')
    assert len(load(path).sinks) == 1


def test_what_is_no_sink_is_one_line(site: Path, tmp_path: Path) -> None:
    install(site, "odd-sink", "odd = json:JSONDecoder")
    assert sink_problem(tmp_path, 'type = "odd"\n') == (
        "sink[0].type: is 'odd', which is no tickwire.config.SinkSettings"
    )


def test_an_installation_without_entry_points_says_so() -> None:
    with pytest.raises(PluginError, match=r"^but nothing is installed in tickwire\.nothing: "):
        load_plugin("tickwire.nothing", "duckdb")


def test_a_name_that_two_distributions_claim_is_refused(site: Path) -> None:
    install(site, "one-sink", "twice = json:JSONDecoder")
    install(site, "other-sink", "twice = json:JSONEncoder")
    with pytest.raises(PluginError, match=r"^stands for several objects: json:JSOND.*, json:JSON"):
        load_plugin("tickwire.sinks", "twice")
