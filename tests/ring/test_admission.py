"""The base of admissions lets everything in; sessions derive theirs from it."""

from __future__ import annotations

from tickwire.ring import Admission


def test_it_can_be_derived_from() -> None:
    class Splice(Admission):
        pass

    assert isinstance(Splice(), Admission)
