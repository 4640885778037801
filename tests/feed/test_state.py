"""Numbers that never repeat over restarts and kills."""

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tickwire.errors import TickwireError
from tickwire.feed.kept.state import CONN_BLOCK, SEQ_BLOCK, State
from tickwire.feed.kept.state_file import read_numbers


def test_without_a_folder_it_counts_in_memory(tmp_path: Path) -> None:
    with State(None, "main") as state:
        assert state.open_tables(["trades"]) == {"trades": 0}
        state.use({"trades": 5 * SEQ_BLOCK})
        assert [state.next_conn() for _ in range(3)] == [0, 1, 2]
    assert list(tmp_path.iterdir()) == []


def test_numbers_go_on_after_a_clean_stop(tmp_path: Path) -> None:
    with State(tmp_path / "deep" / "state", "main") as state:
        assert state.open_tables(["trades", "book"]) == {"trades": 0, "book": 0}
        state.use({"trades": 7, "book": 123})
        assert (state.next_conn(), state.next_conn()) == (0, 1)
    with State(tmp_path / "deep" / "state", "main") as state:
        assert state.open_tables(["trades", "quotes"]) == {"trades": 7, "quotes": 0}
        assert state.next_conn() == 2
    with State(tmp_path / "deep" / "state", "main") as state:
        assert state.open_tables(["trades", "book", "quotes"]) == {
            "trades": 7,
            "book": 123,
            "quotes": 0,
        }


def test_numbers_jump_ahead_after_a_kill(tmp_path: Path) -> None:
    killed = State(tmp_path, "main")
    killed.open_tables(["trades"])
    used_conns = {killed.next_conn() for _ in range(3 * CONN_BLOCK)}
    used = 0
    for used in range(0, 3 * SEQ_BLOCK, SEQ_BLOCK // 16):
        killed.use({"trades": used})
        stored = json.loads((tmp_path / "main.json").read_text())
        assert stored["seq"]["trades"] >= used + SEQ_BLOCK // 2
    killed.abandon()  # what the kernel does to a killed process: the lock goes, the file stays
    with State(tmp_path, "main") as state:
        [first] = state.open_tables(["trades"]).values()
        assert used + SEQ_BLOCK // 2 <= first <= used + SEQ_BLOCK
        assert state.next_conn() not in used_conns


def test_a_second_feed_of_the_same_name_is_refused(tmp_path: Path) -> None:
    with State(tmp_path, "main") as running:
        running.open_tables(["trades"])
        with pytest.raises(TickwireError, match="another running feed is named 'main'"):
            State(tmp_path, "main")
    with State(tmp_path, "main"):
        pass


def test_a_kill_right_after_the_start_does_not_repeat(tmp_path: Path) -> None:
    killed = State(tmp_path, "main")
    killed.open_tables(["trades"])
    killed.abandon()
    with State(tmp_path, "main") as state:
        assert state.open_tables(["trades"]) == {"trades": SEQ_BLOCK}


def test_two_feeds_of_different_names_share_a_folder(tmp_path: Path) -> None:
    with State(tmp_path, "a/b") as one, State(tmp_path, "a") as other:
        one.use({"trades": 1})
        other.use({"trades": 2})
    with State(tmp_path, "a/b") as one, State(tmp_path, "a") as other:
        assert one.open_tables(["trades"]) == {"trades": 1}
        assert other.open_tables(["trades"]) == {"trades": 2}
    assert {path.name for path in tmp_path.iterdir()} == {
        "a%2Fb.json",
        "a%2Fb.lock",
        "a.json",
        "a.lock",
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "\0",
        "[" * 100_000,
        '{"version": 1, "seq": 3, "conn": 0}',
        '{"version": 1, "seq": {"trades": 1e999}, "conn": 0}',
        '{"version": 1, "seq": {"trades": 99999999999999999999}, "conn": 0}',
        '{"version": 1, "seq": {}, "conn": -1}',
    ],
)
def test_a_damaged_file_is_set_aside_and_the_feed_starts(tmp_path: Path, text: str) -> None:
    path = tmp_path / "main.json"
    path.write_text(text)
    with capture_logs() as logs, State(tmp_path, "main") as state:
        identity = state.identity()
        assert identity is not None
        assert identity.is_new
        assert state.open_tables(["trades"]) == {"trades": 0}
    [line] = [entry for entry in logs if "is damaged" in entry["event"]]
    kept = path.with_name("main.json.damaged")
    assert (line["file"], line["kept"]) == (str(path), str(kept))
    assert kept.read_text() == text
    with State(tmp_path, "main") as state:
        assert state.identity().is_new is False


def test_a_file_of_another_version_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "main.json"
    path.write_text('{"version": 2}')
    for _ in range(2):  # the first failure must not keep the lock
        with pytest.raises(TickwireError, match=r"main\.json: is state of version 2"):
            State(tmp_path, "main")
    with pytest.raises(TickwireError, match=r"main\.json: is state of version 2"):
        read_numbers(tmp_path, "main")
    assert path.read_text() == '{"version": 2}'


def test_each_changed_byte_is_found_or_changes_nothing(tmp_path: Path) -> None:
    with State(tmp_path, "main") as state:
        state.open_tables(["trades", "gaps"])
        state.use({"trades": 1234, "gaps": 5})
        state.next_conn()
        state.adopt(["an-id"])
        wanted = replace(state.identity(), is_new=False)
    path = tmp_path / "main.json"
    whole = path.read_bytes()
    n_damaged = 0
    for at in range(len(whole)):
        for mask in (0x01, 0x20, 0xFF):
            data = bytearray(whole)
            data[at] ^= mask
            path.write_bytes(data)
            with capture_logs():
                state = State(tmp_path, "main")
            found = state.identity()
            numbers = state.open_tables(["trades", "gaps"]), state.conn
            state.abandon()
            assert found is not None
            if found.is_new:
                n_damaged += 1
            else:
                assert found == wanted
                assert numbers == ({"trades": 1234, "gaps": 5}, 1)
    assert n_damaged > 2.5 * len(whole)


def test_a_file_without_a_sum_is_taken(tmp_path: Path) -> None:
    (tmp_path / "main.json").write_text('{"version": 1, "seq": {"trades": 7}, "conn": 3}')
    with State(tmp_path, "main") as state:
        assert state.open_tables(["trades"]) == {"trades": 7}
        assert state.conn == 3


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TickwireError, match="cannot be the state_dir"):
        State(tmp_path / "file" / "state", "main")


def test_a_disk_that_hangs_or_fails_stops_no_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    goes_on = threading.Event()
    write = State._write

    def hanging(state: State, *numbers: Any) -> None:
        goes_on.wait(30)
        write(state, *numbers)

    state = State(tmp_path, "main")
    state.open_tables(["trades"])
    state.in_background = True
    monkeypatch.setattr(State, "_write", hanging)
    monkeypatch.setattr("tickwire.feed.kept.state.CLOSE_S", 0.05)
    state.use({"trades": SEQ_BLOCK // 2 + 1})
    with pytest.raises(TickwireError, match="is not written"):
        state.use({"trades": SEQ_BLOCK})
    state.close()
    assert "its disk hangs" in caplog.text
    goes_on.set()
    for thread in threading.enumerate():
        if thread.name == "state":
            thread.join(10)


def test_a_write_that_fails_is_logged_counted_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now_s = 0.0
    monkeypatch.setattr("tickwire.feed.kept.state.monotonic", lambda: now_s)
    folder = tmp_path / "state"
    state = State(folder, "main")
    state.open_tables(["trades"])
    shutil.rmtree(folder)
    used = {"trades": SEQ_BLOCK // 2 + 1}
    tried = []
    for now_s in (0.0, 0.1, 0.2, 2.0, 2.2, 4.0, 6.3):  # noqa: B007 - the clock is what it sets
        state.use(used)
        tried.append(state.n_failures)
    assert tried == [1, 2, 2, 2, 3, 3, 4]
    assert caplog.text.count("the feed's state is not written") == 1
    folder.mkdir()
    now_s = 100.0
    state.use(used)
    assert json.loads((folder / "main.json").read_text())["seq"]["trades"] > SEQ_BLOCK
    state.abandon()


def test_numbers_of_connections_are_reserved_ahead(tmp_path: Path) -> None:
    state = State(tmp_path, "main")
    for _ in range(CONN_BLOCK // 2 + 2):
        state.next_conn()
    state.use({})
    assert json.loads((tmp_path / "main.json").read_text())["conn"] > CONN_BLOCK + 2
    state.abandon()


def test_a_folder_that_is_gone_is_told_when_the_reservation_is_used_up(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    state = State(folder, "main")
    state.open_tables(["trades"])
    shutil.rmtree(folder)
    state.use({"trades": SEQ_BLOCK - 1})  # half the block is used, and it is tried again later
    with pytest.raises(TickwireError, match="cannot be written"):
        state.use({"trades": SEQ_BLOCK})
    folder.mkdir()
    state.use({"trades": SEQ_BLOCK})
    assert state.n_failures == 2
    state.abandon()


def test_a_table_that_a_run_does_not_have_keeps_its_number(tmp_path: Path) -> None:
    for rings, tables in (("one", ["trades", "bbo"]), ("two", ["trades"]), ("three", ["trades"])):
        state = State(tmp_path, "main")
        first = state.open_tables(tables, rings=rings)
        state.use({table: number + 10 for table, number in first.items()})
        state.abandon()
    with State(tmp_path, "main") as state:
        assert state.open_tables(["trades", "bbo"], rings="four")["bbo"] >= 10
