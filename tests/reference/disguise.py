"""Writes a JSON text differently without changing what it means."""

import json
import random
from typing import Any

from tests.reference.rows import Number

SPACE = (" ", "\n", "\t", "\r", "  ", " \n\t")
# What may stand before a key's real value under the same key: the last one counts.
DECOYS = ("null", "0", "-1.5e3", '"x"', "true", "[]", "{}", '[["1","2"],{"px":"3"}]', '{"a":[1]}')


def disguise(
    payload: bytes,
    seed: int,
    *,
    shuffle: bool = True,
    space: bool = True,
    escape: bool = False,
    duplicate: bool = False,
    unknown: bool = False,
) -> bytes:
    """Write a message again with other spelling and the same meaning.

    Parameters
    ----------
    payload
        The JSON text.
    seed
        Of the choices made.
    shuffle
        Change the order of keys.
    space
        Add white space between tokens.
    escape
        Write some characters of keys and strings as `\\uXXXX`.
    duplicate
        Put other values of the same key before the real one.
    unknown
        Add members that no plan names.
    """
    rng = random.Random(seed)

    def gap() -> str:
        return rng.choice(SPACE) if space and rng.random() < 0.3 else ""

    def quoted(value: str) -> str:
        if not escape:
            return json.dumps(value, ensure_ascii=False)
        written = []
        for character in value:
            if ord(character) < 0x10000 and rng.random() < 0.2:
                written.append(f"\\u{ord(character):04x}")
            elif character == "/" and rng.random() < 0.5:
                written.append("\\/")
            else:
                written.append(json.dumps(character, ensure_ascii=False)[1:-1])
        return f'"{"".join(written)}"'

    def write(value: Any) -> str:
        if isinstance(value, list):
            return f"[{gap()}" + ",".join(gap() + write(item) + gap() for item in value) + "]"
        if isinstance(value, dict):
            members = [(key, write(item)) for key, item in value.items()]
            if shuffle:
                rng.shuffle(members)
            if duplicate:
                decoys = [(key, rng.choice(DECOYS)) for key, _ in members if rng.random() < 0.3]
                members = decoys + members
            if unknown:
                for number in range(rng.randrange(3)):
                    place = rng.randrange(len(members) + 1)
                    members.insert(place, (f"unknown{number}", rng.choice(DECOYS)))
            written = (f"{gap()}{quoted(key)}{gap()}:{gap()}{item}{gap()}" for key, item in members)
            return f"{{{gap()}" + ",".join(written) + "}"
        if isinstance(value, Number):
            return str(value)
        if isinstance(value, str):
            return quoted(value)
        return json.dumps(value)

    parsed = json.loads(payload, parse_float=Number, parse_int=Number)
    return f"{gap()}{write(parsed)}{gap()}".encode()
