"""What keeps a feed running: tasks under names, with restart policies.

Knows nothing of: venues, messages, rows, sinks. Words: task, helper, restart, state. Its C part:
none.
"""

from tickwire.supervise.managed_task import ManagedTask, Restart, TaskStatus
from tickwire.supervise.tasks import TaskManager, cancel_all, in_thread, spawn

__all__ = [
    "ManagedTask",
    "Restart",
    "TaskManager",
    "TaskStatus",
    "cancel_all",
    "in_thread",
    "spawn",
]
