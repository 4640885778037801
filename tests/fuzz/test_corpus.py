"""Every input of the kept corpus once, and every input that a target once failed on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.captures import captures_in_memory
from tests.fuzz.handshake import cut_somewhere
from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"


def test_every_target_has_seeds_and_a_corpus() -> None:
    folders = {folder.name for folder in CORPUS.iterdir()}
    assert set(TARGETS) == set(SEEDS) == folders


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_passes(name: str) -> None:
    inputs = sorted((CORPUS / name).iterdir())
    assert inputs
    for path in inputs:
        try:
            TARGETS[name](path.read_bytes())
        except Exception as error:
            error.add_note(f"the input is {path}")
            raise


@pytest.mark.parametrize(
    ("name", "target"), [("captures", captures_in_memory), ("handshake", cut_somewhere)]
)
def test_the_corpus_passes_the_quick_forms(name: str, target: Callable[[bytes], object]) -> None:
    for path in sorted((CORPUS / name).iterdir()):
        target(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_pass(name: str) -> None:
    for data in SEEDS[name]():
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=settings.default.max_examples // 2)
@given(data=st.binary(max_size=300))
def test_any_bytes_pass(name: str, data: bytes) -> None:
    TARGETS[name](data)
