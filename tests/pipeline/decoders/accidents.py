"""Decoders that meet accidents, told by a word in the file's name. Workers import them (PYTHONPATH)."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from myvlm_tag.stages.codecs import Limits, Photo, UnreadablePhoto
from myvlm_tag.stages.codecs import read_photo as read


def read_photo(path: str, limits: Limits) -> Photo:
    """Read as usual, after what the name asks for."""
    name = Path(path).name
    if "abort" in name:
        os.abort()
    if "raise" in name:
        raise RuntimeError("a mistake in the decoder")
    if "unmount" in name:
        library = Path(path).parent
        library.rename(library.with_name("unmounted"))
    if "bad sector" in name:  # opens for everyone, and gives an input/output error when it is read
        Path(path).unlink()
        Path(path).symlink_to("/proc/self/mem")
    if "hiccup" in name:
        raise UnreadablePhoto("unreadable", "the file cannot be opened: Input/output error")
    return read(path, limits)


def read_elsewhere(path: str, limits: Limits) -> Photo:
    """Do as on another node than the driver's."""
    socket.gethostname = lambda: "elsewhere"
    return read_photo(path, limits)


def not_visible(path: str, limits: Limits) -> Photo:
    """Do as on a node without the library, where the driver has it."""
    socket.gethostname = lambda: "elsewhere"
    raise UnreadablePhoto("missing", "the file is no longer there")


def read_slowly(path: str, limits: Limits) -> Photo:
    """Read as usual, but long enough for a test to interfere."""
    time.sleep(0.1)
    return read_photo(path, limits)
