"""Files that the person names for results, a page or a picture: written there, but never over a photo."""

from __future__ import annotations

from pathlib import Path

from ..schemas.errors import UsageProblem
from ..schemas.paths import to_text
from ..schemas.settings import APP
from ..stages.formats import HEAD_BYTES, named_like_photo, sniff
from .home import disk_error

#: A PNG's own words for the program that drew it; what bears them may be drawn anew.
SOFTWARE = "Software"
_DRAWN_HERE = f"{SOFTWARE}\0{APP}".encode()


def check_output(out: Path, option: str, given: Path | None = None) -> None:
    """Raise UsageProblem if writing to `out` would replace a photo, whether the catalog knows it or not.

    That is any file with the content or the name of a photo, save pictures that this program drew; and
    `given`, which a command was asked to look at, in any case.
    """
    if not out.is_file():
        return
    try:
        with out.open("rb") as file:
            head = file.read(HEAD_BYTES)
        asked = given is not None and given.exists() and out.samefile(given)
    except OSError as error:
        raise disk_error(error, out, _another(option)) from error
    photo = bool(sniff(head)) or named_like_photo(out.name)
    if asked or (photo and _DRAWN_HERE not in head):
        raise UsageProblem(f"{to_text(out)} is a photo, and photos are never overwritten", _another(option))


def write_output(out: Path, content: bytes, option: str) -> None:
    """Write a result, and the folders above it. Raises UsageProblem, DiskFull or HomeUnusable."""
    check_output(out, option)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(content)
    except OSError as error:
        raise disk_error(error, out, _another(option)) from error


def _another(option: str) -> str:
    return f"name another file: {option} FILE"
