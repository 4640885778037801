"""What the tests of this room share."""

from collections.abc import Iterator

import pytest

from tickwire.decode import _walk


@pytest.fixture(params=["best", pytest.param("portable", marks=pytest.mark.combination)])
def kernels(request: pytest.FixtureRequest) -> Iterator[None]:
    """Read templates and scripts with the best kernels of this machine, and with those of any."""
    assert _walk._force_simd_level(None if request.param == "best" else request.param)
    yield
    assert _walk._force_simd_level(None)
