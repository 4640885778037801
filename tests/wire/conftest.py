from collections.abc import Iterator

import pytest

from tickwire.wire import _zlib


@pytest.fixture(scope="module", params=["zlib", "zlib-ng"])
def library(request: pytest.FixtureRequest) -> Iterator[str]:
    """What inflates and deflates: each of the two."""
    if not _zlib._use(request.param):
        pytest.skip(f"this machine has no {request.param}")
    yield request.param
    assert _zlib._use("zlib-ng") or _zlib._use("zlib")
