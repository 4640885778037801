"""Preallocated columns, cursor and gating sequences, overflow policy, leases, Arrow export.

Knows nothing of: messages and venues. Words: sequence, cursor, gating, claim, publish, lease,
dictionary, code, stream, sweep. Its C part: ext/tickwire/ring.
"""

from tickwire.ring._batch import Batch, Row
from tickwire.ring._consumer import Consumer
from tickwire.ring._dictionary import MAX_SYMBOLS, Dictionaries, Dictionary
from tickwire.ring._ring import Ring
from tickwire.ring._silences import STEP_BACK_NS
from tickwire.ring._streams import Streams
from tickwire.ring.attached import AttachedRing
from tickwire.ring.drop import Drop, Loss
from tickwire.ring.files import (
    RingFiles,
    RingMemory,
    aside_of,
    earlier_starts,
    read_manifest,
    ring_bytes,
    ring_file,
    set_aside,
)
from tickwire.ring.salvage import Damaged, OldRing, read_rings
from tickwire.ring.stream import TIMELY, Silence, Stream
from tickwire.ring.sums import RangeSums, SummedConsumer

__all__ = [
    "MAX_SYMBOLS",
    "STEP_BACK_NS",
    "TIMELY",
    "AttachedRing",
    "Batch",
    "Consumer",
    "Damaged",
    "Dictionaries",
    "Dictionary",
    "Drop",
    "Loss",
    "OldRing",
    "RangeSums",
    "Ring",
    "RingFiles",
    "RingMemory",
    "Row",
    "Silence",
    "Stream",
    "Streams",
    "SummedConsumer",
    "aside_of",
    "earlier_starts",
    "read_manifest",
    "read_rings",
    "ring_bytes",
    "ring_file",
    "set_aside",
]
