"""`query`, `similar`: questions in plain English, photos and faces like one; and how what they find is given.

What does not live here: what a sentence means (`pipeline/ask`), what is nearest (`pipeline/similar.py`), how
pages and folders are made (`pipeline/gallery.py`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ..schemas.paths import from_text, to_text
from .options import Home, Json, ModelsOption, Verbose, settings_from
from .printing import print_answer, say

Csv = Annotated[bool, typer.Option("--csv", help="Print results as CSV.")]
Paths = Annotated[bool, typer.Option("--paths", help="Print paths alone, one per line.")]
Print0 = Annotated[
    bool, typer.Option("--print0", help="Print paths alone, each ended by NUL (for xargs -0).")
]
Html = Annotated[Path | None, typer.Option("--html", help="Write a page of the photos to this file.")]
Open = Annotated[bool, typer.Option("--open", help="Show that page in the browser.")]
CopyTo = Annotated[Path | None, typer.Option("--copy-to", help="Copy the photos into this folder.")]
LinkTo = Annotated[Path | None, typer.Option("--link-to", help="Put links to the photos into this folder.")]


def query(
    sentence: Annotated[list[str], typer.Argument(help='In plain English: "Anna wearing red last summer".')],
    explain: Annotated[bool, typer.Option("--explain", help="Show how it was read, and the SQL.")] = False,
    limit: Annotated[int | None, typer.Option(help="At most so many photos.", min=1)] = None,
    home: Home = None,
    models: ModelsOption = None,
    as_json: Json = False,
    as_csv: Csv = False,
    paths: Paths = False,
    print0: Print0 = False,
    html: Html = None,
    show: Open = False,
    copy_to: CopyTo = None,
    link_to: LinkTo = None,
    verbose: Verbose = False,
) -> None:
    """Find photos by a question in plain English."""
    from ..pipeline.ask.answer import ask

    settings = settings_from(home=home, models=models)
    reply = ask(settings, " ".join(sentence), limit=limit)
    if explain:
        for line in (*(f"read as: {part}" for part in reply.read_as), "sql:", *reply.sql.splitlines()):
            say(line)
    for note in reply.notes:
        say(f"note: {note}")
    files = [row.path for row in reply.rows]
    _deliver(settings.home, files, reply.sentence, html, show, copy_to, link_to)
    if as_json:
        print(json.dumps(reply.record(), indent=1, ensure_ascii=False))
    elif paths or print0:
        _print_paths(files, print0)
    else:
        print_answer(reply.answer(full=as_csv), as_json=False, as_csv=as_csv)


def similar(
    photo: Annotated[str, typer.Argument(help="A photo; with --face also PHOTO#2 for its second face.")],
    face: Annotated[bool, typer.Option("--face", help="The same person rather than the same scene.")] = False,
    limit: Annotated[int, typer.Option(help="How many photos.", min=1)] = 20,
    home: Home = None,
    models: ModelsOption = None,
    as_json: Json = False,
    as_csv: Csv = False,
    paths: Paths = False,
    print0: Print0 = False,
    html: Html = None,
    show: Open = False,
    copy_to: CopyTo = None,
    link_to: LinkTo = None,
    verbose: Verbose = False,
) -> None:
    """Find photos that look like one, or that show the face of one."""
    from ..pipeline.similar import similar_faces, similar_photos

    settings = settings_from(home=home, models=models)
    answer = (similar_faces if face else similar_photos)(settings, photo, limit)
    files = [str(row[answer.columns.index("path")]) for row in answer.rows]
    _deliver(settings.home, files, f"like {to_text(photo)}", html, show, copy_to, link_to)
    if paths or print0:
        _print_paths(files, print0)
    else:
        print_answer(answer, as_json, as_csv)


def _deliver(
    home: Path,
    files: Sequence[str],
    title: str,
    html: Path | None,
    show: bool,
    copy_to: Path | None,
    link_to: Path | None,
) -> None:
    """Make the page and the folders that were asked for."""
    if not (html or show or copy_to or link_to):
        return
    from ..pipeline.gallery import copy_photos, link_photos, write_page

    if html or show:
        page = write_page(home, files, title, html)
        say(f"page: {page}")
        if show:
            typer.launch(page.absolute().as_uri())
    if copy_to:
        say(f"copied {copy_photos(files, copy_to, say)} photos to {copy_to}")
    if link_to:
        say(f"linked {link_photos(files, link_to, say)} photos in {link_to}")


def _print_paths(files: Sequence[str], print0: bool) -> None:
    """Print the real names of files, as the file system has them, whatever their bytes."""
    end = b"\0" if print0 else b"\n"
    sys.stdout.flush()
    for file in files:
        sys.stdout.buffer.write(from_text(file).encode(sys.getfilesystemencoding(), "surrogateescape") + end)
    sys.stdout.buffer.flush()
