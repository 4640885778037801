"""Messages that cannot be decoded: counted by reason, kept as far as there is room."""

from libc.stdint cimport int64_t, uint8_t

from tickwire.decode._connection cimport Connection

# By Outcome.
REASONS = (
    "", "not_json", "missing", "wrong_kind", "bad_number", "bad_time", "unknown_choice", "bad_text",
    "too_long", "too_many_rows", "dictionary_full", "no_memory",
)


cdef object reason_of(int outcome):
    return REASONS[outcome]


cdef class Quarantine:
    """Counts and keeps what a source could not decode; never blocks.

    Parameters
    ----------
    venue
        The source's, by name.
    ring
        Of the table quarantine; None to count only.
    """

    def __init__(self, venue, ring=None):
        self.venue = venue
        self.ring = ring
        self.counts = {}

    cdef int keep(
        self, Connection connection, int64_t ts_recv_ns, int outcome, const uint8_t* payload,
        size_t n
    ) except -1:
        reason = REASONS[outcome]
        self.counts[reason] = self.counts.get(reason, 0) + 1
        if self.ring is None:
            return 0
        longest = self.ring.max_text_bytes("payload")
        kept = self.ring.append(
            venue=self.venue,
            ts_recv=ts_recv_ns,
            conn=connection.conn,
            reason=reason,
            payload=payload[:min(n, <size_t>longest)],
        )
        self.n_dropped += not kept
        self.n_truncated += kept and n > <size_t>longest
        return 0
