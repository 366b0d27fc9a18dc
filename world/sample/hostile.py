"""Adds to a sample library the files of a real disk that break taggers, and says what must become of each.

Those that must be read show concepts, like all photos, and stand in the tables of truth. What does not live
here: what is wrong with each file (`traps`), the ordinary photos (`library`, `develop`).
"""

from __future__ import annotations

import errno
import json
from datetime import datetime
from pathlib import Path

from ...schemas.paths import to_text
from ..render import render
from .cast import Cast
from .develop import Developed, compose
from .events import Moment
from .library import Shot
from .metadata import COMPACT, Spot
from .rows import photo_row, truth_rows
from .technique import Technique
from .traps import TRAPS, Trap

_WHEN = datetime(2019, 6, 1, 12)
_SPOT = Spot(48.14, 11.58, 519, 1)
_PLACES = ("park", "street", "kitchen", "garden", "cafe")
_DRAWN_HEIGHT = 1000  # larger pictures are enlarged from this
_NAME_REFUSED = (errno.EILSEQ, errno.EINVAL, errno.ENAMETOOLONG)


def write_hostile(out: Path, cast: Cast, seed: int) -> tuple[int, Developed]:
    """Add the hostile files to OUT/library and list them in OUT/hostile.json; return their number and rows.

    A file whose name this disk does not take is left out, of the list too.
    """
    listed: list[dict[str, str]] = []
    rows = Developed([], [])
    for number, trap in enumerate(TRAPS):
        made = _make(trap, out / "library", _shot(trap, cast, seed, number), cast)
        if made is None:
            continue
        listed.append(_entry(trap))
        rows.photos.extend(made.photos)
        rows.truth.extend(made.truth)
    (out / "hostile.json").write_text(
        json.dumps(listed, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    return len(listed), rows


def _shot(trap: Trap, cast: Cast, seed: int, number: int) -> Shot:
    """A person alone where the file must be read; nobody where the truth may not count on it."""
    people = list(cast.people.values())
    width, height = trap.size
    technique = Technique(
        COMPACT, width / height, min(height, _DRAWN_HEIGHT), trap.format, 90, 1, has_exif=False
    )
    return Shot(
        file=to_text(trap.file),
        people=(people[number % len(people)],) if trap.becomes == "read" else (),
        items=(),
        seed=(seed, 5, number),
        moment=Moment(_WHEN, "day", _PLACES[number % len(_PLACES)], _SPOT, ""),
        technique=technique,
        strangers=False,
    )


def _make(trap: Trap, library: Path, shot: Shot, cast: Cast) -> Developed | None:
    """Write one hostile file; None if the disk refuses its name."""
    scene, view = compose(shot)
    path = library / trap.file
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        trap.make(path, render(scene, shot.technique.height, view))
    except OSError as error:
        if error.errno in _NAME_REFUSED:
            return None
        raise
    if trap.becomes != "read":
        return Developed([], [])
    truth = [{**row, "file": shot.file} for row in truth_rows(scene, view, shot, cast.names, trap.size)]
    return Developed([photo_row(shot.file, shot, scene, cast.names, trap.size)], truth)


def _entry(trap: Trap) -> dict[str, str]:
    """One object of hostile.json; `file` is in the text form of schemas/paths.py."""
    entry = {"file": to_text(trap.file), "what": trap.what, "becomes": trap.becomes}
    if trap.kind:
        entry["kind"] = trap.kind
    if trap.if_root:
        entry["if_root"] = trap.if_root
    return entry
