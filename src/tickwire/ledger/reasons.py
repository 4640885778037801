"""Why rows are missing: the values of the column `reason` of gaps."""

DOWN = "down"  # between two runs of the feed
DISCONNECT = "disconnect"
RESUBSCRIBING = "resubscribing"  # connected, and not acknowledged yet
WAITING_FOR_SNAPSHOT = "waiting_for_snapshot"  # a book without its REST snapshot
SEQUENCE = "sequence"  # the venue's own numbers have a hole
OVERFLOW = "overflow"  # a full ring: a consumer lost rows, or the connection ended meanwhile
STALE = "stale"  # acknowledged, and silent for too long
REFUSED = "refused"
DECODE_ERROR = "decode_error"
SINK = "sink"  # taken and not committed
SHUTDOWN = "shutdown"
PAUSED = "paused"  # a program has paused the source
NEVER_CONNECTED = "never_connected"

REASONS = (
    DOWN,
    DISCONNECT,
    RESUBSCRIBING,
    WAITING_FOR_SNAPSHOT,
    SEQUENCE,
    OVERFLOW,
    STALE,
    REFUSED,
    DECODE_ERROR,
    SINK,
    SHUTDOWN,
    PAUSED,
    NEVER_CONNECTED,
)
