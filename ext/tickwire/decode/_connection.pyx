"""What a source's decoder knows of one of its connections."""

from libc.stdint cimport uint8_t

from tickwire.decode._stage cimport MAX_LABELS
from tickwire.wire._handler cimport Handler

from tickwire.errors import PlanError


cdef class Connection(Handler):
    """One connection: its number, its labels, when data came, messages for the session.

    Parameters
    ----------
    conn
        Its number.
    labels
        Codes of channels in the plan to codes of the channels that its rows have.
    """

    def __init__(self, conn, labels=None):
        self.conn = conn
        self.sender.given_symbol = -1
        self.events = []
        for plan, name in (labels or {}).items():
            if self.labels.n == MAX_LABELS:
                raise PlanError(f"more than {MAX_LABELS} labels")
            self.labels.plan[self.labels.n] = plan
            self.labels.name[self.labels.n] = name
            self.labels.n += 1
            self.sender.labels = &self.labels

    cdef int add_event(self, object kind, const uint8_t* payload, size_t n) except -1:
        self.events.append((kind, payload[:n]))
        self.has_events = True
        return 0

    def take_events(self):
        """Give the messages for the session since the last call: (kind, payload)."""
        events, self.events = self.events, []
        self.has_events = False
        return events
