"""tickwire: a market-data feed handler. WebSocket in, Arrow out."""

from tickwire._version import __version__

__all__ = ["__version__"]
