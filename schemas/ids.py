"""ULIDs for runs and segments: 26 characters that sort by time; "newer rows win" is a string comparison."""

from __future__ import annotations

import os
import time

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def _encode(value: int) -> str:
    return "".join(_CROCKFORD[(value >> shift) & 31] for shift in range(125, -1, -5))


def _decode(ulid: str) -> int:
    value = 0
    for letter in ulid:
        value = value << 5 | _CROCKFORD.index(letter)
    return value


def new_ulid(after: str = "") -> str:
    """Return a fresh ULID, greater than `after` even when this machine's clock runs behind."""
    value = time.time_ns() // 1_000_000 << 80 | int.from_bytes(os.urandom(10))
    return _encode(max(value, _decode(after) + 1)) if after else _encode(value)
