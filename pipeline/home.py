"""The home folder: private, writable, and used by one run at a time.

What stands inside (catalog, concepts, runs) belongs to the modules that write it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..schemas.errors import AlreadyRunning, DiskFull, HomeUnusable, MyvlmTagError, UsageProblem
from ..schemas.paths import to_text

_LOCK = "lock"


def ensure_home(home: Path) -> None:
    """Make `home` if need be, readable by its owner alone. Raises HomeUnusable when it can't be written."""
    check_name(home)
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if home.stat().st_mode & 0o077:
            home.chmod(0o700)
        probe = home / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise disk_error(error, home) from error


def check_name(home: Path) -> None:
    """Raise HomeUnusable for a path that isn't UTF-8: neither DuckDB nor Arrow opens files in it."""
    try:
        os.fsencode(home).decode("utf-8")
    except UnicodeDecodeError:
        raise HomeUnusable(
            f"the path of the home {to_text(home)} isn't UTF-8", "rename it, or name another: --home FOLDER"
        ) from None


def check_apart(home: Path, roots: Sequence[Path]) -> None:
    """Raise UsageProblem for a library that is `home` or lies in it: the home would be scanned as photos."""
    for root in roots:
        if Path(os.path.realpath(root)).is_relative_to(os.path.realpath(home)):
            raise UsageProblem(
                f"the library {to_text(root)} is in the home {to_text(home)}",
                "name the folder of your photos, or another home: --home FOLDER",
            )


def disk_error(
    error: OSError, where: Path, hint: str = "name another folder: --home FOLDER"
) -> MyvlmTagError:
    """Turn an error of the operating system about `where` into the named error that says what to do."""
    place = to_text(where)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"no space left for {place}", "make room; everything committed so far is kept")
    reason = error.strerror or str(error)
    return HomeUnusable(f"can't write to {place}: {reason}", hint)


@contextmanager
def locked(home: Path, what: str) -> Iterator[None]:
    """Hold the home's lock while `what` (shown to others) runs. Raises AlreadyRunning if it's held.

    The lock is the kernel's (`flock`), so it goes with the process that held it, however that ended.
    """
    try:
        handle = open(home / _LOCK, "a+", encoding="utf-8")  # noqa: SIM115 - closed below, last of all
    except OSError as error:
        raise disk_error(error, home) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyRunning(
                f"another run is at work on {to_text(home)}: {_holder(home)}", "wait until it has finished"
            ) from None
        handle.truncate(0)
        handle.write(
            json.dumps(
                {
                    "pid": os.getpid(),
                    "host": socket.gethostname(),
                    "what": what,
                    "since": time.strftime("%Y-%m-%d %H:%M:%S"),
                }
            )
        )
        handle.flush()
        try:
            yield
        finally:
            handle.truncate(0)  # it may name a concept that was to be forgotten


def _holder(home: Path) -> str:
    try:
        first = json.loads((home / _LOCK).read_text("utf-8"))
        return f"{first['what']!r}, process {first['pid']} on {first['host']}, since {first['since']}"
    except (OSError, ValueError, KeyError):
        return "it hasn't said its name yet"


def command_line() -> str:
    """Return what the person typed, for messages."""
    return to_text(" ".join(["myvlm-tag", *sys.argv[1:]]))
