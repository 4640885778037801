"""Where a feed's rows are: by its name, its configuration, a file or a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tickwire.errors import ConfigError, TickwireError
from tickwire.serve import places
from tickwire.serve.places import Output, find, noted_outputs

SOURCE = '[[source]]\nvenue = "hyperliquid"\nchannels = ["trades"]\nsymbols = ["BTC"]\n'


def test_a_file_and_a_folder_are_outputs(tmp_path: Path) -> None:
    database, parquet, ipc = tmp_path / "a.duckdb", tmp_path / "parquet", tmp_path / "ipc"
    database.touch()
    parquet.mkdir()
    (ipc / "trades").mkdir(parents=True)
    (ipc / "trades" / "1.arrows").touch()
    for kind, path in (("duckdb", database), ("parquet", parquet), ("ipc", ipc)):
        place = find(str(path))
        assert place.outputs == [Output(kind, path)]


def test_notes_that_cannot_be_read_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "STATE_DIR", tmp_path)
    notes = noted_outputs(tmp_path, "main")
    for text in ("{", "[]", '{"outputs":[{}]}', '{"outputs":1}'):
        notes.write_text(text)
        with pytest.raises(TickwireError, match="cannot be read; give the configuration"):
            find("main")


def test_a_configuration_names_its_sinks_though_a_secret_is_not_set(tmp_path: Path) -> None:
    path = tmp_path / "feed.toml"
    sink = f'[[sink]]\ntype = "parquet"\npath = "{tmp_path}/data"\n'
    path.write_text(f'{SOURCE}headers = {{ Authorization = "${{TICKWIRE_TEST_UNSET}}" }}\n{sink}')
    assert [(each.type, each.path) for each in find(str(path)).outputs] == [
        ("parquet", tmp_path / "data")
    ]
    path.write_text(f"{SOURCE}no_key = 1\n")
    with pytest.raises(ConfigError):
        find(str(path))
