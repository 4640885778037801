"""Every fault that is to be planted still has its place."""

from collections import Counter
from pathlib import Path

import pytest
from tests.fuzz.mutants import MUTANTS, Mutant
from tests.fuzz.places import functions_of, places

ROOT = Path(__file__).parents[2]
CODE = """
cdef class Taker:
    cdef int take(
        self, int n,
    ) noexcept nogil:
        if n >   0 and (
            n < 9):
            return 1
        return 0

    def ask(self, n):
        return n > 0 and (n < 9)
"""
HEADER = """#define TW_LESS(a, b) \\
    ((a) < (b))
static inline int tw_take(int n) {
    if (n < 9) {
        return 1;
    }
    return 0;
}

static int tw_ask(int n) { return n < 9; }

static inline __attribute__((always_inline, target("avx2"))) int tw_fast(int n) { return n < 8; }

static inline __attribute__((always_inline)) int
tw_below(int n) { return n < 7; }
"""


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_fault_fits_once(mutant: Mutant) -> None:
    path, start, end = mutant.found()
    text = path.read_text()
    assert text[:start] + mutant.replace + text[end:] != text
    assert all((ROOT / test).is_file() for test in mutant.tests)
    for module in mutant.compiled(path):
        assert (ROOT / "ext" / "tickwire" / f"{module.replace('.', '/')}.pyx").is_file()
    assert (path.suffix == ".py") == (not mutant.compiled(path))


def test_names_are_told_apart() -> None:
    assert [name for name, n in Counter(mutant.name for mutant in MUTANTS).items() if n > 1] == []


@pytest.mark.parametrize(
    ("function", "code", "n_places"),
    [
        ("take", "n>0 and(n<9)", 1),
        ("take", "n > 1", 0),
        ("ask", "n < 9", 1),
        ("absent", "n < 9", 0),
        ("tw_take", "if(n<9){return 1;}", 1),
        ("tw_ask", "n < 9", 1),
        ("tw_fast", "n < 8", 1),
        ("tw_below", "n < 7", 1),
        ("TW_LESS", "(a)<(b)", 1),
        ("", "n < 9", 4),
        ("take", "eturn 1", 0),
    ],
)
def test_code_is_found_in_its_function_however_it_is_laid_out(
    tmp_path: Path, function: str, code: str, n_places: int
) -> None:
    room = tmp_path / "ext" / "tickwire" / "room"
    room.mkdir(parents=True)
    (room / "_taker.pyx").write_text(CODE)
    (room / "taker.h").write_text(HEADER)
    assert len(places(tmp_path, "room", function, code)) == n_places


def test_functions_end_where_the_next_begins() -> None:
    assert [
        (name, CODE[start:end].strip()[-8:]) for name, start, end in functions_of(CODE, ".pyx")
    ] == [("take", "return 0"), ("ask", " (n < 9)")]
