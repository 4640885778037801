"""What `help()` shows of sections, and what type checkers see, is what there is."""

from inspect import signature
from typing import get_type_hints

import pytest

import tickwire
from tickwire.config import FeedKeys
from tickwire.errors import ConfigError


@pytest.mark.parametrize("section", [tickwire.Source, tickwire.Feed, tickwire.ParquetSink])
def test_a_section_shows_its_keys_without_what_checks_them(section: type) -> None:
    text = str(signature(section))
    assert list(signature(section).parameters)
    for word in ("Annotated", "Validator", "FieldInfo", "function", "object at"):
        assert word not in text, text


def test_a_signature_says_types_and_defaults() -> None:
    shown = str(signature(tickwire.ParquetSink)).replace("pathlib._local", "pathlib")  # 3.13
    assert shown == (
        "(path: str | pathlib.Path, *, type: Literal['parquet'] = 'parquet', "
        "name: str = 'parquet', tables: collections.abc.Sequence[str] | None = None, "
        "rotate_s: float = 60.0, rotate_rows: int = 1000000, rotate_mb: int = 512)"
    )
    parameters = signature(tickwire.FeedHandler).parameters
    assert "feed" not in parameters
    assert parameters["ring_rows"].default == 262_144
    assert parameters["state_dir"].default is None


def test_the_keys_of_a_feed_are_those_of_its_section() -> None:
    assert set(get_type_hints(FeedKeys)) == set(tickwire.Feed.model_fields)


def test_a_path_may_be_given_by_position_and_nothing_else() -> None:
    assert tickwire.ParquetSink("data") == tickwire.ParquetSink(path="data")
    assert tickwire.DuckDBSink("a.duckdb", flush_ms=20).flush_ms == 20
    with pytest.raises(TypeError, match="too many positional arguments"):
        tickwire.IpcSink("a", "b")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="too many positional arguments"):
        tickwire.Source("hyperliquid")  # type: ignore[call-arg]
    with pytest.raises(ConfigError, match="should be a path in quotes"):
        tickwire.ParquetSink(1)  # type: ignore[arg-type]
