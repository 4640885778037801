"""What keeps a feed running, or shuts it down: tasks, backoff, circuit breakers, emergencies.

Knows nothing of: venues, messages, rows, sockets, sinks. Words: task, helper, restart, state,
retry, backoff, failure, breaker, probe, emergency, hook. Its C part: none.
"""

from tickwire.supervise.backoff import Backoff
from tickwire.supervise.breaker import Breakers, BreakerState, CircuitBreaker, Failure
from tickwire.supervise.coordination import Coordinator
from tickwire.supervise.emergency import HOOK_S, Emergency, EmergencyEvent, HookResult
from tickwire.supervise.managed_task import ManagedTask, Restart, TaskStatus
from tickwire.supervise.tasks import TaskManager, cancel_all, in_thread, spawn

__all__ = [
    "HOOK_S",
    "Backoff",
    "BreakerState",
    "Breakers",
    "CircuitBreaker",
    "Coordinator",
    "Emergency",
    "EmergencyEvent",
    "Failure",
    "HookResult",
    "ManagedTask",
    "Restart",
    "TaskManager",
    "TaskStatus",
    "cancel_all",
    "in_thread",
    "spawn",
]
