"""What rows cost in sinks: only runs count whose sinks have every row."""

from __future__ import annotations

import pytest
from benchmarks.sink_costs import check_whole


def test_a_run_counts_where_its_sink_has_every_row() -> None:
    rows = {"trades": 10, "quotes": 0}
    check_whole({"messages": 5, "rows": rows, "rows_committed": {}})
    check_whole({"messages": 5, "rows": rows, "rows_committed": {"ipc": rows}})
    for committed in ({"trades": 9, "quotes": 0}, {}):
        with pytest.raises(RuntimeError, match="ipc lacks rows: "):
            check_whole({"messages": 5, "rows": rows, "rows_committed": {"ipc": committed}})
