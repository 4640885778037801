"""Tests of properties draw the same examples everywhere; only `make test-search` draws others."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

TESTS = Path(__file__).parents[1]
# What a test decides for itself and the profiles of tests/conftest.py decide for all.
OF_THE_PROFILE = re.compile(
    r"\b(?:load_profile|register_profile|derandomize|deadline=|database=|max_examples=\d+\b(?! \*))"
)


def drawn() -> list[object]:
    """Give all that a property is tried with."""
    found: list[object] = []

    @settings(settings.get_profile("reproducible"))
    @given(st.lists(st.integers()), st.text(), st.floats(allow_nan=False))
    def collect(numbers: list[int], text: str, number: float) -> None:
        found.append((numbers, text, number))

    collect()
    return found


def test_the_same_whatever_modules_were_imported_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = drawn()
    assert len(before) >= 100
    module = tmp_path.parents[1] / "some_module.py"  # hypothesis looks at no folder named "test..."
    module.write_text("".join(f"A{n} = {n * 7919}, {str(n) * 3!r}, {n}.5\n" for n in range(200)))
    try:
        spec = importlib.util.spec_from_file_location("some_module", module)
        assert spec
        assert spec.loader
        made = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "some_module", made)
        spec.loader.exec_module(made)
        assert drawn() == before
    finally:
        module.unlink()


def test_no_test_decides_what_the_profiles_do() -> None:
    wrong = [
        f"{path.relative_to(TESTS)}:{number}"
        for path in sorted(TESTS.rglob("test_*.py"))
        if path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if OF_THE_PROFILE.search(line)
    ]
    assert wrong == []
