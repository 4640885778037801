"""What outlives a process: rows on their way to a sink, in segments on disk.

Knows nothing of: where rows come from, and what a sink is. Words: segment, record, spill, backlog,
trim. Its C part: nowhere.
"""

from tickwire.store.damage import DamagedRows
from tickwire.store.segments import Record, SegmentError, SegmentLog
from tickwire.store.spill import Spill, folder_name

__all__ = ["DamagedRows", "Record", "SegmentError", "SegmentLog", "Spill", "folder_name"]
