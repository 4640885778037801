"""RFC 6455, sans-I/O: frames in place, masks, fragments, close codes, the opening handshake.

Knows nothing of: ring, venues and sockets. Words: frame, opcode, payload, mask key, close code, handshake. Its C part: ext/tickwire/wire.
"""
