"""`tickwire attach`: rows on standard output, what was missed on standard error."""

from __future__ import annotations

import csv
import io
import json
import signal
from pathlib import Path

import pyarrow as pa
import pytest
from tests.cli.program import started, tickwire
from tests.ring.test_salvage import Life

from tickwire.cli.attach import Format, _chosen, _writer
from tickwire.errors import ConfigError


@pytest.fixture
def life(tmp_path: Path) -> Life:
    made = Life(tmp_path / "rings" / "main")
    made.append(20)
    return made


def test_rows_are_lines_of_json(life: Life, tmp_path: Path) -> None:
    result = tickwire("attach", tmp_path / "rings", "trades")
    assert result.returncode == 0, result.stderr
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["seq"] for row in rows] == list(range(20))
    assert rows[4]["ts_recv"] == "2023-11-14T22:13:20.000004000Z"
    assert rows[1]["ts_event"] is None
    assert (rows[4]["side"], rows[4]["raw"], rows[4]["note"]) == ("sell", "04", None)
    assert result.stderr == "missed=0\n"


def test_rows_as_csv_and_only_some_of_them(life: Life, tmp_path: Path) -> None:
    result = tickwire(
        "attach", life.files.folder, "trades", "--format", "csv", "--max-rows", 3,
        "--where", "side = 'buy' AND price > 3",
    )  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["seq"] for row in rows] == ["7", "9", "11"]
    assert {row["side"] for row in rows} == {"buy"}
    assert result.stderr == "missed=0\n"


def test_following_ends_with_the_feed_and_with_a_signal(life: Life, tmp_path: Path) -> None:
    with started("attach", life.files.folder, "trades", "--follow", "--format", "csv") as program:
        for _ in range(21):
            program.stdout.readline()
        life.append(5)
        seqs = [program.stdout.readline().split(",")[0] for _ in range(5)]
        assert seqs == ["20", "21", "22", "23", "24"]
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate()
        assert (program.returncode, errors) == (0, "missed=0\n")
    with started("attach", life.files.folder, "trades", "--follow") as program:
        for _ in range(25):
            program.stdout.readline()
        life.files.remove()
        _, errors = program.communicate()
        assert program.returncode == 0
        assert errors == f"tickwire: the feed {life.files.folder} was stopped\nmissed=0\n"


def test_what_is_wrong_is_one_line(life: Life, tmp_path: Path) -> None:
    for arguments, line, code in (
        (("absent", "trades"), "no feed 'absent' runs with its state in .tickwire", 1),
        ((tmp_path, "trades"), f"{tmp_path}: holds no rings of a running feed", 1),
        ((life.files.folder, "trades", "--where", "prize > 3"), "--where: prize > 3: ", 2),
    ):
        result = tickwire("attach", *arguments, cwd=tmp_path)
        assert result.returncode == code
        assert result.stderr.startswith(f"tickwire: {line}"), result.stderr
        assert result.stdout == ""


def test_a_stream_of_arrow_grows_its_dictionaries(life: Life) -> None:
    from tickwire.ring import AttachedRing

    ring = AttachedRing(life.files.folder, "trades")
    out = io.BytesIO()
    writer = _writer(Format.ARROW, out, ring.table.arrow_schema)
    expected = []
    for n in (3, 17):
        batch = ring.take(n)
        assert batch is not None
        writer.write(batch.to_arrow())
        expected += batch.to_arrow().to_pylist()
    writer.close()
    assert pa.ipc.open_stream(out.getvalue()).read_all().to_pylist() == expected


@pytest.mark.parametrize("where", ["symbol::INT = 3", "unnest([true, false])"])
def test_a_condition_that_fails_at_a_row_is_one_line(life: Life, where: str) -> None:
    from tickwire.ring import AttachedRing

    ring = AttachedRing(life.files.folder, "trades")
    batch = ring.take()
    assert batch is not None
    chosen = _chosen(where, ring.table.arrow_schema)  # of no row it is true
    with pytest.raises(ConfigError, match=r"^--where: [^\n]*$"):
        chosen(batch.to_arrow())


def test_a_condition_that_is_null_takes_no_row(life: Life) -> None:
    from tickwire.ring import AttachedRing

    ring = AttachedRing(life.files.folder, "trades")
    batch = ring.take()
    assert batch is not None
    taken = _chosen("fee > 0", ring.table.arrow_schema)(batch.to_arrow())
    assert taken.schema == ring.table.arrow_schema
    assert taken["seq"].to_pylist() == list(range(0, 20, 2))
