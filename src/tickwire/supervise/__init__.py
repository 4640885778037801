"""What keeps a feed running: tasks with restart policies, backoff, circuit breakers.

Knows nothing of: venues, messages, rows, sockets, sinks. Words: task, helper, restart, state,
retry, backoff, failure, breaker, probe. Its C part: none.
"""

from tickwire.supervise.backoff import Backoff
from tickwire.supervise.breaker import Breakers, BreakerState, CircuitBreaker, Failure
from tickwire.supervise.coordination import Coordinator
from tickwire.supervise.managed_task import ManagedTask, Restart, TaskStatus
from tickwire.supervise.tasks import TaskManager, cancel_all, in_thread, spawn

__all__ = [
    "Backoff",
    "BreakerState",
    "Breakers",
    "CircuitBreaker",
    "Coordinator",
    "Failure",
    "ManagedTask",
    "Restart",
    "TaskManager",
    "TaskStatus",
    "cancel_all",
    "in_thread",
    "spawn",
]
