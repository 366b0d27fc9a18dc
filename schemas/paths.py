r"""A text form for any file name the disk allows: valid UTF-8, readable, and reversible.

Names that are valid UTF-8 stay as they are, except that a backslash is doubled. A byte that isn't UTF-8
becomes `\xNN`. Tables and messages hold the text form; only `open` and `stat` see the real one.
"""

from __future__ import annotations

import os
import re

_ESCAPE = re.compile(rb"\\(?:\\|x([0-9a-f]{2}))")


def to_text(path: str | bytes | os.PathLike[str]) -> str:
    r"""Return the text form of a path as the operating system gave it (`b"caf\xe9.jpg"` -> `caf\xe9.jpg`)."""
    return os.fsencode(path).replace(b"\\", b"\\\\").decode("utf-8", errors="backslashreplace")


def from_text(text: str) -> str:
    """Return the path that `to_text` was given, in the form `open` and `os.stat` take (surrogate escapes)."""
    return os.fsdecode(_ESCAPE.sub(_unescape, text.encode("utf-8")))


def _unescape(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 16)]) if match[1] else b"\\"
