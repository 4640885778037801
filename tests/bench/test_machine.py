"""A result says what it was measured with, and of what."""

import re
import subprocess

from tickwire._version import __version__
from tickwire.bench import machine


def git(folder, *arguments):
    subprocess.run(  # noqa: S603 - no shell, fixed words
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments],  # noqa: S607 - whichever
        cwd=folder,
        check=True,
        capture_output=True,
    )


def test_the_machine_is_told():
    found = machine.machine()
    assert found["cpus"] >= 1
    assert found["memory_bytes"] > 1 << 20
    assert found["versions"]["numpy"]
    assert machine.build()


def test_a_checkout_has_a_commit_which_is_marked_where_it_was_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    source = tmp_path / "src" / "tickwire" / "a.py"
    source.parent.mkdir(parents=True)
    source.write_text("1")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "one")
    name = machine.commit()
    assert re.fullmatch("[0-9a-f]{12}", name)
    source.write_text("2")
    assert machine.commit() == f"{name}-dirty"
    git(tmp_path, "checkout", "--quiet", ".")
    results = tmp_path / "benchmarks" / "results"
    results.mkdir(parents=True)
    (results / "latest.md").write_text("one")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "results")
    assert machine.commit() != name
    name = machine.commit()
    (results / "latest.md").write_text("two")
    assert machine.commit() == name


def test_what_was_installed_has_a_version(tmp_path, monkeypatch):
    # In an environment inside of somebody's own repository.
    git(tmp_path, "init", "--quiet")
    monkeypatch.setattr(machine, "ROOT", tmp_path / "lib")
    assert machine.commit() == __version__
