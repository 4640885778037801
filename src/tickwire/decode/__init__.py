"""JSON scanner and compiled extraction plans: payload to rows.

Knows nothing of: frames and sockets. Words: plan, route, row, column, payload. Its C part:
ext/tickwire/decode.
"""

from tickwire.decode._decoder import ConnectionDecoder, Decoder
from tickwire.decode._decoder_state import MessageLimit
from tickwire.decode._legs import Legs
from tickwire.decode.program import Program

__all__ = ["ConnectionDecoder", "Decoder", "Legs", "MessageLimit", "Program"]
