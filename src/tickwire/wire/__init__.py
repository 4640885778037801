"""RFC 6455 and 7692, sans-I/O: frames in place, masks, close codes, the handshake, compression.

Knows nothing of: ring, venues and sockets. Words: frame, opcode, payload, mask key, close code,
handshake, inflate, context. Its C part: ext/tickwire/wire.
"""

from tickwire.wire._builder import build_close, build_frame
from tickwire.wire._deflate import Deflater
from tickwire.wire._frame_parser import FrameParser
from tickwire.wire._handler import Handler
from tickwire.wire._inflate import Inflater
from tickwire.wire._parser import simd_level
from tickwire.wire._queue import MessageQueue
from tickwire.wire._zlib import zlib_version
from tickwire.wire.compression import Deflate, DeflateOffer
from tickwire.wire.events import Control, Message
from tickwire.wire.handshake import HandshakeResponse, build_request, make_key
from tickwire.wire.url import WebSocketUrl, parse_url

__all__ = [
    "Control",
    "Deflate",
    "DeflateOffer",
    "Deflater",
    "FrameParser",
    "Handler",
    "HandshakeResponse",
    "Inflater",
    "Message",
    "MessageQueue",
    "WebSocketUrl",
    "build_close",
    "build_frame",
    "build_request",
    "make_key",
    "parse_url",
    "simd_level",
    "zlib_version",
]
