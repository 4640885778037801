"""The commands.

Knows nothing of: nothing: it stands on top.
Words: command, option, exit code. Its C part: nowhere.
"""

from tickwire.cli.app import main

__all__ = ["main"]
