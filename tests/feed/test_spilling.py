"""Where the rows of a feed's sinks wait, and what is found there of sinks that are no more."""

from pathlib import Path

from structlog.testing import capture_logs

from tickwire.config import Config, Feed
from tickwire.feed.kept.spilling import sinks_beside_spill, spill_folder, warn_of_unclaimed
from tickwire.sinks import ParquetSettings


def test_the_folder_is_the_one_that_is_given_or_in_the_state(tmp_path: Path) -> None:
    assert spill_folder(Feed(name="a/b", spill_dir=tmp_path)) == tmp_path / "a%2Fb"
    assert spill_folder(Feed(state_dir=tmp_path)) == tmp_path / "spill" / "main"
    assert spill_folder(Feed(state_dir=None)) is None


def test_sinks_on_the_disk_of_the_spill_are_named(tmp_path: Path) -> None:
    sinks = (
        ParquetSettings(path=tmp_path / "not" / "made"),
        ParquetSettings(path="/proc/x", name="p"),
    )
    assert sinks_beside_spill(Config(Feed(spill_dir=tmp_path), (), sinks, "")) == ["parquet"]
    assert sinks_beside_spill(Config(Feed(state_dir=None), (), sinks, "")) == []


def test_rows_of_a_sink_that_is_not_configured_are_a_warning(tmp_path: Path) -> None:
    feed = Feed(spill_dir=tmp_path)
    table = tmp_path / "main" / "gone" / "trades"
    with capture_logs() as logs:
        warn_of_unclaimed(feed, [])
        table.mkdir(parents=True)
        warn_of_unclaimed(feed, [])
        assert logs == []
        (table / "1.segment").write_bytes(b"rows")
        warn_of_unclaimed(feed, [])
        warn_of_unclaimed(Feed(state_dir=None), [])
    assert [line["folder"] for line in logs] == [str(table)]
