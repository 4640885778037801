"""The house as CONTRIBUTING.md has it: files beside each other, imports downwards, no long ones."""

import ast
import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXT, SRC, TESTS, BENCHMARKS = (ROOT / name for name in ("ext", "src", "tests", "benchmarks"))

# From the top down; a room imports from the levels below its own, never from its own.
LEVELS = (
    {"cli"},
    {"bench"},
    {"feed", "sim"},
    {"serve"},
    {"session", "sinks", "health", "hooks"},
    {"venues", "net"},
    {"ledger"},
    {"decode"},
    {"book"},
    {"wire", "ring", "store", "supervise"},
    {"observe", "capture"},
    {"config"},  # a room; it raises the errors below it
    {"schema", "errors", "clock", "wording"},
    {"redaction"},  # errors keep secrets out of their words
)
LEVEL_OF = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}
ROOMS = sorted(set().union(*LEVELS[:-2]))
HEADERS_ALONE = "base"  # what headers of several rooms share; every room may include it
HOT_ROOMS = ("wire", "ring", "decode", "book")

# Every compiled module has a benchmark of its own, or is a part of what another one measures, or
# does nothing per message.
MEASURED_BY = {
    "ring/_reader": "attach",
    "book/_book_views": "book/bench_reader",
    "book/_followed": "book/bench_follower",
    "book/_news": "book/bench_splice",
    "book/_held": "book/bench_splice",
    "book/_rules": "book/bench_splice",
    "decode/_book_decoder": "decode/bench_decoder",
    "decode/_last_values": "decode/bench_decoder",
    "decode/_draft": "decode/bench_learn",
    "decode/_draft_route": "decode/bench_learn",
    "decode/_draft_rows": "decode/bench_learn",
    "decode/_draft_scalars": "decode/bench_learn",
    "decode/_general": "decode/bench_decoder",
    "decode/_inner_decoder": "decode/bench_unpacker",
    "decode/_runner": "decode/bench_decoder",
    "decode/_publish": "decode/bench_decoder",
    "decode/_read": "decode/bench_decoder",
    "decode/_stage": "decode/bench_decoder",
    "decode/_routing": "decode/bench_decoder",
    "decode/_script": "decode/bench_decoder",
    "decode/_steps": "decode/bench_decoder",
    "decode/_targets": "decode/bench_decoder",
    "decode/_template": "decode/bench_decoder",
    "decode/_walk": "decode/bench_decoder",
    "net/_direct": "net/bench_protocol",
    "net/_wakes": "feed/bench_taking",
    "observe/_counter": "decode/bench_decoder",
    "ring/_attachment": "ring/bench_consumer",
    "ring/_batch": "ring/bench_consumer",
    "ring/_stage": "ring/bench_ring",
    "ring/_stream_table": "ring/bench_streams",
    "ring/_sweep": "ring/bench_streams",
    "ring/_waiters": "ring/bench_ring",
    "wire/_assembly": "wire/bench_parser",
    "wire/_frame_parser": "wire/bench_parser",
    "wire/_streamed": "wire/bench_parser",
}
NOT_MEASURED = {
    "decode/_bytecode": "compiled once, at the start",
    "decode/_connection": "a base class without work",
    "decode/_decoder_state": "a base class without work",
    "decode/_looks": "a few messages a second",
    "decode/_quarantine": "what cannot be decoded is rare",
    "net/_coalescer": "between reads it does nothing; what it spares is CPU time of a whole feed",
    "net/_spinner": "it takes all the time that there is",
    "observe/_build": "a constant",
    "ring/_block": "made once, at the start",
    "wire/_control": "a control frame comes every few seconds",
    "wire/_handler": "a base class without work",
    "wire/_zlib": "looks functions up, once",
}
# Modules that only Python code uses have nothing to declare to other extensions.
WITHOUT_PXD = {"observe/_build", "net/_picows"}
# Modules that only other extensions use have nothing that Python could import.
WITHOUT_PYI: set[str] = set()

# Twice the soft limits of CONTRIBUTING.md.
HARD_LIMITS = {".pyx": 800, ".py": 800, ".pyi": 800, ".pxd": 240, ".h": 400}

COMPILED = sorted(EXT.glob("tickwire/*/_*.pyx"))
CYTHON = sorted(EXT.rglob("*.p[yx]*"))
INCLUDING = sorted(path for path in EXT.rglob("*") if path.suffix in {".pyx", ".pxd", ".h", ".inc"})
INCLUDE = re.compile(r"""(?:#include|cdef extern from)\s+"tickwire/(\w+)/""")
CIMPORT = re.compile(
    r"^\s*(?:from\s+tickwire\.(\w+)[\w.]*\s+cimport|cimport\s+tickwire\.(\w+))", re.M
)
IMPORT = re.compile(r"^\s*(?:from\s+tickwire\.(\w+)[\w.]*\s+import|import\s+tickwire\.(\w+))", re.M)
MACHINE_PATH = re.compile(r"(?<![\w.:/])/(?:home|root|Users|opt|mnt)/\w")
SUFFIXES = {".py", ".pyx", ".pxd", ".pyi", ".h", ".md", ".toml", ".yml", ".txt", ".in"}
GENERATED = {"__pycache__", "build", "demo", "dist"}


def texts() -> list[Path]:
    """Give the text files of the checkout, without what was made in it."""
    found = [ROOT / "Makefile", ROOT / ".ci" / "run"]
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [
            name
            for name in folders
            if name not in GENERATED and (not name.startswith(".") or name == ".github")
        ]
        found += [Path(folder) / name for name in names if Path(name).suffix in SUFFIXES]
    return sorted(found)


TEXTS = texts()


def name_of(source: Path) -> str:
    return f"{source.parent.name}/{source.stem}"


def companions(source: Path) -> list[Path]:
    """Give what a compiled module must have beside it."""
    room, stem = source.parent.name, source.stem.removeprefix("_")
    name = name_of(source)
    expected = [TESTS / room / f"test_{stem}.py"]
    if name not in WITHOUT_PYI:
        expected.append(SRC / "tickwire" / room / f"_{stem}.pyi")
    if name not in WITHOUT_PXD:
        expected.append(source.with_suffix(".pxd"))
    if name in MEASURED_BY:
        expected.append(BENCHMARKS / f"{MEASURED_BY[name]}.py")
    elif name not in NOT_MEASURED:
        expected.append(BENCHMARKS / room / f"bench_{stem}.py")
    return expected


def test_a_compiled_module_has_its_companions() -> None:
    assert len(COMPILED) > 50
    missing = [
        f"{name_of(source)}: {path.relative_to(ROOT)}"
        for source in COMPILED
        for path in companions(source)
        if not path.is_file()
    ]
    assert missing == []


def test_exceptions_name_modules_that_exist_and_need_them() -> None:
    names = {name_of(source) for source in COMPILED}
    assert names >= MEASURED_BY.keys() | NOT_MEASURED.keys() | WITHOUT_PXD | WITHOUT_PYI
    needless = {name for name in WITHOUT_PXD if (EXT / "tickwire" / f"{name}.pxd").exists()}
    needless |= {name for name in WITHOUT_PYI if (SRC / "tickwire" / f"{name}.pyi").exists()}
    for name in MEASURED_BY.keys() | NOT_MEASURED.keys():
        room, _, stem = name.partition("/_")
        if (BENCHMARKS / room / f"bench_{stem}.py").exists():
            needless.add(name)
    assert not needless
    assert not MEASURED_BY.keys() & NOT_MEASURED.keys()


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_what_it_is(room: str) -> None:
    head = ast.get_docstring(ast.parse((SRC / "tickwire" / room / "__init__.py").read_text()))
    assert head is not None
    for word in ("Knows nothing of:", "Words:", "Its C part:"):
        assert word in " ".join(head.split())


def test_every_folder_is_a_known_room() -> None:
    for top in (EXT / "tickwire", SRC / "tickwire"):
        folders = {path.name for path in top.iterdir() if path.is_dir()} - {"__pycache__"}
        assert folders <= {*ROOMS, HEADERS_ALONE}
    assert {path.suffix for path in (EXT / "tickwire" / HEADERS_ALONE).iterdir()} == {".h"}


def test_cython_imports_go_down_the_levels() -> None:
    found = [
        (source, groups[0] or groups[1])
        for source in CYTHON
        for pattern in (CIMPORT, IMPORT)
        for groups in pattern.findall(source.read_text())
    ]
    assert len(found) > 100
    wrong = [
        f"{source.relative_to(ROOT)} imports {other}"
        for source, other in found
        if other != (room := source.parent.name) and LEVEL_OF[other] <= LEVEL_OF[room]
    ]
    assert wrong == []


def cycle_in(needs: dict[str, set[str]]) -> list[str]:
    """Give names that need each other in a circle, the first also last; none: empty."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for other in sorted(needs.get(name, ())):
            found = visit(other, [*path, name])
            if found:
                return found
        done.add(name)
        return []

    return next(filter(None, (visit(name, []) for name in sorted(needs))), [])


@pytest.mark.parametrize("room", sorted({source.parent.name for source in CYTHON}))
def test_cython_imports_inside_a_room_go_in_no_circle(room: str) -> None:
    """A module is its .pyx and its .pxd together, so that each can be understood after others."""
    needs: dict[str, set[str]] = {}
    for source in EXT.glob(f"tickwire/{room}/*.p[yx]*"):
        text = source.read_text()
        inside = set(re.findall(rf"^from tickwire\.{room}\.(\w+) cimport", text, re.M))
        needs.setdefault(source.stem, set()).update(inside - {source.stem})
    assert needs
    assert cycle_in(needs) == []


def test_a_circle_is_found() -> None:
    assert cycle_in({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
    assert cycle_in({"a": {"b"}, "b": {"c"}, "c": {"d", "b"}}) == ["b", "c", "b"]


def test_includes_go_down_the_levels() -> None:
    found = [
        (source, other) for source in INCLUDING for other in INCLUDE.findall(source.read_text())
    ]
    assert len(found) > 50

    def goes_down(room: str, other: str) -> bool:
        is_below = room != HEADERS_ALONE and other == HEADERS_ALONE
        return other == room or is_below or LEVEL_OF[other] > LEVEL_OF[room]

    wrong = [
        f"{source.relative_to(ROOT)} includes {other}"
        for source, other in found
        if not goes_down(source.parent.name, other)
    ]
    assert wrong == []


@pytest.mark.parametrize("room", HOT_ROOMS)
def test_hot_rooms_never_import_asyncio(room: str) -> None:
    sources = [*EXT.glob(f"tickwire/{room}/*.p*"), *(SRC / "tickwire" / room).rglob("*.py*")]
    pattern = re.compile(r"^\s*(?:from|import|cimport)\s+(?:asyncio|uvloop)\b", re.M)
    texts = {
        path: path.read_text() for path in sources if path.suffix in {".py", ".pyi", ".pyx", ".pxd"}
    }
    assert texts
    assert [path.name for path, text in texts.items() if pattern.search(text)] == []


def test_no_file_names_a_path_of_a_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in TEXTS
        for match in MACHINE_PATH.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("folder", "subjects"),
    [("bench", SRC / "tickwire" / "bench"), ("benchmarks", BENCHMARKS)],
    ids=["the room", "the folder"],
)
def test_tests_of_bench_and_of_benchmarks_are_apart(folder: str, subjects: Path) -> None:
    stems = {path.stem.removeprefix("test_") for path in (TESTS / folder).glob("test_*.py")}
    there = {path.stem for path in subjects.rglob("*") if path.suffix in {".py", ""}}
    assert stems
    assert stems - there == set()


def test_no_file_is_endless() -> None:
    tops = (EXT, SRC, TESTS, BENCHMARKS)
    sizes = {
        path: len(path.read_text(encoding="utf-8").splitlines())
        for path in TEXTS
        if path.suffix in HARD_LIMITS and any(path.is_relative_to(top) for top in tops)
    }
    too_long = {
        str(path.relative_to(ROOT)): n_lines
        for path, n_lines in sizes.items()
        if n_lines > HARD_LIMITS[path.suffix]
    }
    assert too_long == {}
