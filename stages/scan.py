"""Which photos are there: a walk over library folders, compared with the files known from earlier runs.

`walk` looks at folders and file stats only; `identify` opens what is new or changed, tells photos from other
files by content and names each photo by the hash of its bytes. What is kept is up to the pipeline.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path

import pyarrow as pa
from blake3 import blake3

from ..schemas.errors import LibraryMissing
from ..schemas.paths import to_text
from ..schemas.tables import FAILURES, FILES
from .formats import HEAD_BYTES, describe, named_like_photo, sniff

VERSION = "scan-1"

#: What `identify` gives: the catalog's tables without the run, which a scan does not know.
FOUND = pa.schema([column for column in FILES if column.name != "run_id"])
FAILED = pa.schema([column for column in FAILURES if column.name != "run_id"])

#: Folders that systems keep for themselves; hidden ones (".thumbnails", ".Trash") are passed over anyway.
_SYSTEM_FOLDERS = frozenset(
    {"@eaDir", "@Recycle", "#recycle", "#snapshot", "$RECYCLE.BIN", "System Volume Information", "lost+found"}
)
_HASH_CHUNK = 1 << 20  # bytes
_READERS = 8  # files read at once: disks and networks answer in parallel, and hashing leaves Python's lock


@dataclass(frozen=True, slots=True)
class Entry:
    """A file that has to be opened."""

    path: str  # as the operating system takes it
    root: str
    size: int  # bytes
    mtime_ns: int
    problem: tuple[str, str] | None = None  # kind and reason, when it is clear already that it can't be read
    known_photo: bool = False  # an earlier run took it for a photo
    known_problem: bool = False  # an earlier run could not read it, and it has not changed since


@dataclass
class Walk:
    """What a walk found. `entries` are for `identify`; `rows` (FOUND) and `failures` (FAILED) are ready."""

    unchanged: int = 0
    new: int = 0
    changed: int = 0
    gone: int = 0
    skipped: int = 0  # hidden files, links that lead out of the library
    entries: list[Entry] = field(default_factory=list)
    rows: list[dict[str, object]] = field(default_factory=list)  # files that went, and files that came back
    failures: list[dict[str, object]] = field(default_factory=list)  # folders that could not be read


@dataclass
class Identified:
    """A batch of opened files: rows of FOUND and of FAILED, and how many were not meant to be photos."""

    files: pa.Table
    failures: pa.Table
    ignored: int


@dataclass(frozen=True, slots=True)
class _Known:
    photo_id: str | None
    size: int
    mtime_ns: int
    gone: bool
    root: str


def walk(
    roots: Sequence[str | os.PathLike[str]], known: pa.Table, home: str | os.PathLike[str] | None = None
) -> Walk:
    """Compare the folders `roots` with `known` (FILES, the newest row per path, gone ones too).

    A file whose size and modification time are as known needs no opening. A `home` below a root is passed
    over: the pictures in it are this program's own. Raises LibraryMissing when a root is not there, or is
    empty although it held photos before (a disk that is not mounted).
    """
    known_files = _known(known)
    found = Walk()
    seen: set[str] = set()
    real_home = os.path.realpath(home) if home else ""
    for root in dict.fromkeys(os.path.abspath(os.fspath(root)) for root in roots):
        _check_root(root, known_files)
        unreadable: list[str] = []
        for entry in _files(root, real_home, found, unreadable):
            text = to_text(entry.path)
            if text not in seen:
                seen.add(text)
                _compare(entry, text, known_files.get(text), found)
        _note_gone(root, unreadable, known_files, seen, found)
    return found


def identify(
    entries: Iterable[Entry], max_file_bytes: int = 1 << 30, batch: int = 1000
) -> Iterator[Identified]:
    """Open `entries`, `batch` at a time: photos get their id; what only claims to be one gets a reason."""
    remaining = iter(entries)
    with ThreadPoolExecutor(_READERS) as pool:
        while some := list(islice(remaining, batch)):
            results = list(pool.map(lambda entry: _identify(entry, max_file_bytes), some))
            rows = [row for row, _ in results if row]
            failures = [failure for _, failure in results if failure]
            ignored = sum(row is None and failure is None for row, failure in results)
            yield Identified(
                pa.Table.from_pylist(rows, FOUND), pa.Table.from_pylist(failures, FAILED), ignored
            )


def photo_id(path: str | os.PathLike[str]) -> str:
    """The identity of a photo: 128 bits of the BLAKE3 hash of the file's bytes, in hex."""
    digest = blake3()
    with Path(path).open("rb", buffering=0) as file:
        while chunk := file.read(_HASH_CHUNK):
            digest.update(chunk)
    return digest.hexdigest(length=16)


def _known(table: pa.Table) -> dict[str, _Known]:
    names = ("photo_id", "size", "mtime_ns", "gone", "root")
    columns = [table[name].to_pylist() for name in names]
    return dict(zip(table["path"].to_pylist(), map(_Known, *columns), strict=True))


def _check_root(root: str, known: dict[str, _Known]) -> None:
    try:
        empty = next(os.scandir(root), None) is None
    except NotADirectoryError:
        raise LibraryMissing(
            f"{to_text(root)} is not a folder", "name the folder that holds the photos"
        ) from None
    except OSError as error:
        reason = f"the library {to_text(root)} can't be opened: {error.strerror}"
        raise LibraryMissing(reason, "check that its disk is mounted") from error
    if empty and any(not file.gone and path.startswith(to_text(root) + "/") for path, file in known.items()):
        raise LibraryMissing(f"the library {to_text(root)} is empty", "check that its disk is mounted")


def _files(root: str, real_home: str, found: Walk, unreadable: list[str]) -> Iterator[Entry]:
    """Every file under `root` that might be a photo, folder by folder."""
    real_root = os.path.realpath(root)
    home = os.path.join(root, os.path.relpath(real_home, real_root)) if real_home else ""
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as scan:
                items = list(scan)
        except OSError as error:
            unreadable.append(to_text(folder) + "/")
            found.failures.append(_failure(folder, f"the folder cannot be read: {error.strerror}"))
            continue
        if any(item.name == ".nomedia" for item in items):
            continue
        for item in items:
            if item.name.startswith("."):
                found.skipped += 1
            elif item.is_dir(follow_symlinks=False):
                if item.name not in _SYSTEM_FOLDERS and item.path != home:
                    folders.append(item.path)
            elif item.is_symlink() and not _worth_following(item, real_root, real_home):
                found.skipped += 1
            else:
                yield _entry(item, root)


def _worth_following(link: os.DirEntry[str], real_root: str, real_home: str) -> bool:
    """Whether to look at what a link leads to: a file in the library, or nothing (which is worth telling).

    Links to folders are not followed: a folder of the library is walked under its own name.
    """
    try:
        target = os.path.realpath(link.path)
    except OSError:
        return False  # it went while we looked
    if not os.path.exists(target):
        return True
    within = _inside(target, real_root) and not (real_home and _inside(target, real_home))
    return within and not os.path.isdir(target)


def _inside(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)


def _entry(item: os.DirEntry[str], root: str) -> Entry:
    try:
        status = item.stat()
    except OSError as error:
        dangling = item.is_symlink()
        reason = "the link leads nowhere" if dangling else f"the file cannot be read: {error.strerror}"
        own = item.stat(follow_symlinks=False) if dangling else None
        mtime_ns = own.st_mtime_ns if own else 0
        return Entry(item.path, root, 0, mtime_ns, ("missing" if dangling else "unreadable", reason))
    problem = None if stat.S_ISREG(status.st_mode) else ("not_a_photo", "this is not an ordinary file")
    return Entry(item.path, root, status.st_size, status.st_mtime_ns, problem)


def _compare(entry: Entry, text: str, known: _Known | None, found: Walk) -> None:
    same = known is not None and (known.size, known.mtime_ns) == (entry.size, entry.mtime_ns)
    if known is None or known.gone:
        found.new += 1
        if same and known is not None and known.photo_id:
            found.rows.append(_row(entry, known.photo_id))
        else:
            found.entries.append(entry)
    elif not same:
        found.changed += 1
        found.entries.append(replace(entry, known_photo=known.photo_id is not None))
    elif known.photo_id is None:
        # It could not be read before; permissions may have changed, which leaves no mark on size or time.
        found.unchanged += 1
        found.entries.append(replace(entry, known_problem=True))
    else:
        found.unchanged += 1


def _note_gone(
    root: str, unreadable: list[str], known: dict[str, _Known], seen: set[str], found: Walk
) -> None:
    """Files that earlier runs saw under `root` and this one didn't, save in folders it couldn't read."""
    inside = to_text(root).rstrip("/") + "/"
    for path, file in known.items():
        if file.gone or path in seen or not path.startswith(inside) or path.startswith(tuple(unreadable)):
            continue
        found.gone += 1
        found.rows.append({"path": path, **asdict(file), "gone": True})


def _identify(entry: Entry, max_file_bytes: int) -> tuple[dict[str, object] | None, dict[str, object] | None]:
    """The row and the failure of one file; neither for a file that is no photo and claims nothing."""
    problem = entry.problem
    try:
        if problem is None:
            with Path(entry.path).open("rb", buffering=0) as file:
                head = file.read(HEAD_BYTES)
            if sniff(head):
                if entry.size <= max_file_bytes:
                    return _row(entry, photo_id(entry.path)), None
                limit = f"{max_file_bytes / 1e6:,.0f} MB (max_file_bytes)"
                problem = "too_large", f"the file is larger than {limit}"
            elif not head:
                problem = "empty", "the file is empty (0 bytes)"
            else:
                problem = "not_a_photo", f"it is named like a photo, but holds {describe(head)}"
    except OSError as error:
        problem = "unreadable", f"the file cannot be read: {error.strerror or error}"
    if entry.known_problem:
        return None, None  # said before
    if not named_like_photo(entry.path) and problem[0] != "too_large":
        return ({**_row(entry, None), "gone": True} if entry.known_photo else None), None
    return _row(entry, None), _failure(entry.path, problem[1], problem[0], entry.size, entry.mtime_ns)


def _row(entry: Entry, photo: str | None) -> dict[str, object]:
    return {
        "path": to_text(entry.path),
        "photo_id": photo,
        "size": entry.size,
        "mtime_ns": entry.mtime_ns,
        "root": to_text(entry.root),
        "gone": False,
    }


def _failure(
    path: str, reason: str, kind: str = "unreadable", size: int | None = None, mtime_ns: int | None = None
) -> dict[str, object]:
    return {
        "path": to_text(path),
        "size": size,
        "mtime_ns": mtime_ns,
        "stage": "scan",
        "kind": kind,
        "reason": reason,
        "made_by": VERSION,
    }
