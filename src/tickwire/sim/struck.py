"""What a data message looks like that is damaged on purpose."""

from __future__ import annotations

from collections.abc import Iterable


def damaged(payload: bytes, how: str, required: Iterable[bytes]) -> bytes:
    """Damage a message, so that it is UTF-8 but cannot be decoded.

    Parameters
    ----------
    payload
        JSON.
    how
        `truncate`, `corrupt` or `missing-field`.
    required
        Keys whose loss makes it undecodable.
    """
    middle = len(payload) // 2
    if how == "truncate":
        return payload[:middle]
    if how == "corrupt":
        # A control character is allowed nowhere in JSON, in a string or out of it.
        return payload[:middle] + b"\x01" + payload[middle + 1 :]
    for key in required:
        if key in payload:
            return payload.replace(key, b'"_' + key[1:])
    return b"{}"
