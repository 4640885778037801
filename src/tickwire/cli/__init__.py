"""The commands.

Knows nothing of: nothing: it stands on top.
Words: command, option, exit code. Its C part: nowhere.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Run the program and exit.

    Parameters
    ----------
    arguments
        Those of the command line where left out.
    """
    try:
        from tickwire.cli.app import main as program  # takes a moment, in which Ctrl-C may come
    except KeyboardInterrupt:
        sys.exit("tickwire: interrupted")
    program(arguments)
