"""Each async test runs on both event loops."""

from tests.net.conftest import pytest_asyncio_loop_factories

__all__ = ["pytest_asyncio_loop_factories"]
