"""What keeps a feed running, or shuts it down: tasks, backoff, circuit breakers, emergencies.

Knows nothing of: venues, messages, rows, sockets, sinks. Words: task, helper, restart, state,
retry, backoff, failure, breaker, probe, emergency, hook. Its C part: none.
"""

from tickwire.supervise.backoff import Backoff
from tickwire.supervise.breaker import Breakers, BreakerState, CircuitBreaker, Failure
from tickwire.supervise.breaker_changes import reporter
from tickwire.supervise.coordination import Coordinator
from tickwire.supervise.emergency import HOOK_S, Emergency, EmergencyEvent, HookResult
from tickwire.supervise.failures import Failures, Trouble
from tickwire.supervise.managed_task import ManagedTask, Restart, TaskStatus
from tickwire.supervise.severity import SeverityRule, SeverityTable, rule_of
from tickwire.supervise.tasks import TaskManager, cancel_all, in_thread, spawn, unless_set

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
    "Failures",
    "HookResult",
    "ManagedTask",
    "Restart",
    "SeverityRule",
    "SeverityTable",
    "TaskManager",
    "TaskStatus",
    "Trouble",
    "cancel_all",
    "in_thread",
    "reporter",
    "rule_of",
    "spawn",
    "unless_set",
]
