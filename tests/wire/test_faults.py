import re
from pathlib import Path

from tickwire.wire.faults import FAULTS

RULES = Path(__file__).parents[2] / "ext/tickwire/wire/_rules.pxd"


def test_each_fault_of_the_parser_has_its_text():
    declaration = RULES.read_text().partition("cdef enum Fault:\n")[2].partition("\n\n")[0]
    names = re.findall(r"^    ([A-Z0-9_]+)$", declaration, re.M)
    assert len(FAULTS) == len(names)
    assert len({fault.reason for fault in FAULTS}) == len(FAULTS)


def test_each_text_names_a_code_and_a_section():
    for fault in FAULTS[1:]:
        assert fault.close_code in (1002, 1007, 1009)
        assert re.fullmatch(r"\d+(\.\d+)+", fault.section)
        assert "\n" not in fault.reason
