"""The data dictionary: every view with its columns and every macro, from the schemas and scripts.

`python -m myvlm_tag.pipeline.dictionary > docs/tables.md` writes the page; a test checks that it is current.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from ..schemas import tables
from .catalog import Catalog
from .views import connect, source, view_names

_HEAD = """# Tables

What `myvlm-tag sql` asks, and `catalog/catalog.duckdb` has for DuckDB's own shell and any tool that opens it.
Made from the schemas by `python -m myvlm_tag.pipeline.dictionary > docs/tables.md`; don't edit it by hand.

A newer row takes the place of an older one, and what is forgotten or deleted is gone. Boxes are in pixels of
the photo turned upright.
"""
#: Columns that the views work out.
_MADE = {
    "path": "where the file is; of several copies the first by name",
    "copies": "how many files of the library are this photo",
    "faces": "how many faces were found",
    "modified_at": "when the file was last changed, UTC",
    "hit": "whether it is in the photo: the person's word, else the head's",
    "verdict": "what the person said, if anything: confirm or reject",
    "version": "which version of the concept, on which features",
    "kind": "person or object; of failures the sort",
    "confirmed": "whether the person said so",
    "wearing": "the model's answer", "color": "the model's answer", "doing": "the model's answer",
    "position": "on the left, in the middle, on the right",
    "next_to": "the model's answer",
    "photos": "how many photos it has been through",
    "current": "whether it is the one that answers",
    "topic": "the question's name in the settings: wearing, doing, ...",
    "landmarks": "x, y of left eye, right eye, nose, left and right mouth corner, as the viewer sees them",
    "height": "upright, of the original",
    "reason": "why, in plain words",
    "camera_make": "as EXIF has it", "camera_model": "as EXIF has it", "lens": "as EXIF has it",
    "exposure_seconds": "as EXIF has it", "f_number": "as EXIF has it", "iso": "as EXIF has it",
    "focal_length_mm": "as EXIF has it", "altitude_m": "above the sea",
    "part": "one part of a caption",
    "vlm": "the vision-language model's name in the pack",
    "run_id": "the run that made the row; sorts by time",
    "made_by": "the model it came from",
    "items": "rows that the stage wrote for the photo",
    "roots": "the library folders it went through",
    "models": "the model pack",
    "files": "files that were there",
    "new": "files that weren't there before",
    "changed": "files that had changed",
    "gone": "files that went",
    "todo": "photos that lacked something",
    "done": "photos that got it",
    "failed": "photos that could not be done",
    "seconds": "how long it took",
    "ended": "complete, interrupted, or why it ended",
    **dict.fromkeys(("x0", "y0", "x1", "y1"), "a corner of the box"),
}  # fmt: skip
_FIELD = re.compile(r'pa\.field\("(\w+)".*?\),?(?:\s+# (.*))?$')
_TABLE = re.compile(r"^_?([A-Z_]+)(?::.*)? = ")
_COMMENTED = re.compile(r"((?:^-- .*\n)+)^CREATE OR REPLACE (VIEW|MACRO) (\w+)(\(.*?\))?", re.MULTILINE)


def dictionary() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *_views(), "# Macros\n", *_macros()]).rstrip() + "\n"


def _views() -> Iterator[str]:
    told, said = _column_comments(), _comments("views.sql")
    with TemporaryDirectory() as folder:
        catalog = Catalog(Path(folder) / "catalog")
        catalog.prepare()
        with connect(catalog) as connection:
            for name in view_names():
                yield f"## {name}\n"
                yield f"{said.get(name, f'The rows of `sightings` that are {name}.')}\n"
                yield "| column | type | |\n|---|---|---|"
                for column, kind, *_ in connection.execute(f"DESCRIBE {name}").fetchall():
                    about = told.get((name, column)) or _MADE.get(column) or told.get(("", column), "")
                    yield f"| {column} | {kind.lower()} | {about} |"
                yield ""


def _macros() -> Iterator[str]:
    for _, _, name, arguments in _COMMENTED.findall(source("macros.sql")):
        yield f"- `{name}{arguments}`: {_comments('macros.sql')[name]}"


def _comments(script: str) -> dict[str, str]:
    """What the script says above each view and macro."""
    return {
        name: " ".join(line.removeprefix("-- ") for line in comment.splitlines())
        for comment, _, name, _ in _COMMENTED.findall(source(script))
    }


def _column_comments() -> dict[tuple[str, str], str]:
    """What `schemas/tables.py` says beside each column; shared columns under no table."""
    told: dict[tuple[str, str], str] = {}
    table = ""
    for line in inspect.getsource(tables).splitlines():
        if start := _TABLE.match(line):
            table = start[1].lower() if start[1] in vars(tables) and start[1] in _SCHEMAS else ""
        if (found := _FIELD.search(line)) and found[2]:
            told[table, found[1]] = found[2]
            told.setdefault(("", found[1]), found[2])
    return told


_SCHEMAS = frozenset(name.upper() for name in (*tables.TABLES, "decisions"))


if __name__ == "__main__":
    print(dictionary(), end="")
