"""Why a connection could not be made, in one line: errors of the system and of TLS as they mean."""

from __future__ import annotations

import ssl

from tickwire.redaction import shown

# What OpenSSL calls an answer that is no TLS.
_NO_TLS = ("WRONG_VERSION_NUMBER", "WRONG VERSION", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST")


def reason_of(error: Exception, *, tls: bool) -> str:
    """Give the reason; never an empty one.

    Parameters
    ----------
    error
        What was raised.
    tls
        Whether the connection was to be encrypted.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is refused: {error.verify_message}"
    text = shown(getattr(error, "strerror", None) or str(error))
    if isinstance(error, ssl.SSLError) and any(word in text.upper() for word in _NO_TLS):
        return f"the server does not speak TLS at this port: {text}"
    if text:
        return text
    if isinstance(error, EOFError | ConnectionError):
        # Where TLS is done, the end of the opening handshake has an error of its own.
        handshake = "TLS" if tls else "opening"
        return f"the server closed the connection during the {handshake} handshake"
    return type(error).__name__
