"""The build says how it was compiled."""

from tickwire.observe._build import PROFILE


def test_the_profile_is_one_of_those_that_setup_knows() -> None:
    assert PROFILE in ("release", "debug", "coverage", "trace", "profile", "asan", "fuzz")
