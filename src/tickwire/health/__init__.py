"""What a running feed shows of itself: metrics, health, alerts.

Knows nothing of: the feed, which hands in its registry and says how its components are.
Words: exposition, component, status, rule, alert, hold-off. Its C part: nowhere.
"""

from tickwire.health.alerts import Alerts
from tickwire.health.components import Component, State, worst
from tickwire.health.exposition import Exposition
from tickwire.health.rules import Rule, parse_rule
from tickwire.health.server import HealthServer, Probe

__all__ = [
    "Alerts",
    "Component",
    "Exposition",
    "HealthServer",
    "Probe",
    "Rule",
    "State",
    "parse_rule",
    "worst",
]
