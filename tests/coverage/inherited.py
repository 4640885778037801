"""What forked programs inherit where lines are measured: the C files that Cython's plugin has read.

Coverage begins anew in each of them, with a plugin that would read all of the generated C again,
for a third of a second of each.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

EXT = Path(__file__).resolve().parents[2] / "ext" / "tickwire"


def read_generated_c() -> None:
    """Have every plugin of this process, and of those it forks, know the lines of all modules."""
    if "Cython.Coverage" not in sys.modules:
        return  # nothing is measured
    from Cython.Coverage import Plugin

    import coverage

    # What an instance makes where it finds None, all have in common.
    Plugin._file_path_map = {}
    Plugin._c_files_map = {}
    Plugin._parsed_c_files = {}
    Plugin._excluded_lines_map = defaultdict(set)
    plugin = Plugin()
    plugin.configure(coverage.Coverage.current() or coverage.Coverage())
    for path in sorted(EXT.rglob("_*.pyx")):
        plugin.file_tracer(str(path))
