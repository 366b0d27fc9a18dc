"""What is found, to look at and to take along: a page of thumbnails with boxes, copies, links.

Photos are only read. The page is one file that needs nothing else: thumbnails are inside it.
"""

from __future__ import annotations

import base64
import filecmp
import html
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageOps

from ..schemas.errors import UsageProblem
from ..schemas.paths import from_text, to_text
from .ask.compile import literal
from .catalog import Catalog
from .home import disk_error
from .output import write_output
from .views import query

_SIDE = 320  # pixels of a thumbnail's longer side
_FACE, _COLUMNS = 160, 6  # pixels of a face on a contact sheet, faces in a row
_YELLOW = (255, 220, 0)
_MOST = 1000  # photos on a page
Box = tuple[float, float, float, float]

_STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em; background: #fafafa; color: #222 }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 1.2em }
figure { margin: 0; background: #fff; padding: .8em; border-radius: 6px; box-shadow: 0 1px 3px #0003 }
img { max-width: 100%; display: block; margin: auto }
figcaption { margin-top: .5em; overflow-wrap: anywhere } small { color: #777 }
"""


def write_page(home: Path, files: Sequence[str], title: str, page: Path | None) -> Path:
    """Write a page of photos, paths in text form; without `page` to a file that only its owner reads.

    Raises UsageProblem, DiskFull or HomeUnusable.
    """
    told = _told(home, files[:_MOST])
    figures = "\n".join(_figure(file, told.get(file, {})) for file in files[:_MOST])
    more = f"<p>and {len(files) - _MOST:,} more</p>" if len(files) > _MOST else ""
    heading = html.escape(title)
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{heading}</title>'
        f"<style>{_STYLE}</style>"
        f"<h1>{heading}</h1><p>{len(files):,} photos</p><main>{figures}</main>{more}</html>\n"
    )
    if page is None:
        handle, name = tempfile.mkstemp(prefix="myvlm-tag-", suffix=".html")
        os.close(handle)
        page = Path(name)
    write_output(page, text.encode(), "--html")
    return page


def copy_photos(files: Sequence[str], folder: Path, say: Callable[[str], None]) -> int:
    """Copy photos into a folder; whatever is there already stays. Returns how many of them are there.

    Photos that can't be read are left out, and named to `say`.
    """
    return _put(files, folder, _copy, _is_copy, "--copy-to", say)


def link_photos(files: Sequence[str], folder: Path, say: Callable[[str], None]) -> int:
    """Put symbolic links to photos into a folder, otherwise as `copy_photos` does."""
    return _put(files, folder, _link, _is_link, "--link-to", say)


def write_faces(sheet: Path, faces: Sequence[tuple[str, Box]]) -> Path:
    """Write a contact sheet: each face (path in text form, box in upright pixels) with some room around it.

    A photo that can't be read leaves its place empty.
    """
    columns = min(_COLUMNS, max(1, len(faces)))
    canvas = Image.new("RGB", (columns * _FACE, -(-len(faces) // columns) * _FACE), (240, 240, 240))
    for number, (path, (x0, y0, x1, y1)) in enumerate(faces):
        image = _open(path)
        if image is not None:
            half = 0.9 * max(x1 - x0, y1 - y0)
            middle = ((x0 + x1) / 2, (y0 + y1) / 2)
            around = (middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half)
            cut = image.crop(around).resize((_FACE - 4, _FACE - 4))
            canvas.paste(cut, (number % columns * _FACE + 2, number // columns * _FACE + 2))
    try:
        sheet.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        canvas.save(sheet, "JPEG", quality=85)
    except OSError as error:
        raise disk_error(error, sheet) from error
    return sheet


def _put(
    files: Sequence[str],
    folder: Path,
    put: Callable[[str, Path], None],
    is_put: Callable[[str, Path], bool],
    option: str,
    say: Callable[[str], None],
) -> int:
    """Put each photo under its own name, or with a number where that is another photo's."""
    if folder.exists() and not folder.is_dir():
        raise UsageProblem(f"{to_text(folder)} is a file", "name a folder")
    there = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source in map(from_text, files):
            if reason := _unreadable(source):
                say(f"{to_text(source)} is left out: {reason}")
                continue
            targets = (folder / name for name in _names(os.path.basename(source)))
            target = next(one for one in targets if not os.path.lexists(one) or is_put(source, one))
            if not os.path.lexists(target):
                put(source, target)
            there += 1
    except OSError as error:
        raise disk_error(error, folder, f"name another folder: {option} FOLDER") from error
    return there


def _names(name: str) -> Iterator[str]:
    """The name itself, then with numbers."""
    yield name
    stem, suffix = os.path.splitext(name)
    for number in count(2):
        yield f"{stem} ({number}){suffix}"


def _unreadable(photo: str) -> str:
    """Why a photo can't be read; empty if it can."""
    try:
        with open(photo, "rb"):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def _copy(source: str, target: Path) -> None:
    try:
        shutil.copy2(source, target)
    except BaseException:
        target.unlink(missing_ok=True)  # half a photo
        raise


def _is_copy(source: str, target: Path) -> bool:
    try:
        return not target.is_symlink() and filecmp.cmp(source, target, shallow=False)
    except OSError:
        return False


def _link(source: str, target: Path) -> None:
    target.symlink_to(os.path.abspath(source))


def _is_link(source: str, target: Path) -> bool:
    try:
        return os.path.samefile(source, target)
    except OSError:
        return False


def _told(home: Path, files: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Caption, size and boxes of each photo."""
    if not files:
        return {}
    paths = ", ".join(map(literal, files))
    answer = query(
        Catalog(home / "catalog"),
        "SELECT path, any_value(width) AS width, any_value(caption) AS caption,"
        " any_value(photos.taken_at) AS taken,"
        " list([x0, y0, x1, y1]) FILTER (x0 IS NOT NULL) AS boxes,"
        " list(concept) FILTER (x0 IS NOT NULL) AS names"
        " FROM photos LEFT JOIN captions USING (photo_id)"
        " LEFT JOIN (SELECT photo_id, concept, x0, y0, x1, y1 FROM sightings) USING (photo_id)"
        f" WHERE path IN ({paths}) GROUP BY path",
    )
    return {record["path"]: record for record in answer.records()}


def _figure(file: str, told: dict[str, Any]) -> str:
    source = _thumbnail(file, told)
    picture = f'<img src="data:image/jpeg;base64,{source}">' if source else "<p>can't be shown</p>"
    caption = html.escape(told.get("caption") or "")
    place = html.escape(file.encode("utf-8", "replace").decode())
    taken = f"{told['taken']:%Y-%m-%d %H:%M}" if told.get("taken") else "no date"
    return (
        f"<figure>{picture}<figcaption>{caption}<br><small>{taken}<br>{place}</small></figcaption></figure>"
    )


def _thumbnail(file: str, told: dict[str, Any]) -> str:
    """The photo, small and upright, with boxes, as base64 of a JPEG; empty if it can't be read here."""
    image = _open(file, 2 * _SIDE)
    if image is None:
        return ""
    image.thumbnail((_SIDE, _SIDE))
    scale = image.width / told["width"] if told.get("width") else 0
    draw = ImageDraw.Draw(image)
    for box, name in zip(told.get("boxes") or [], told.get("names") or [], strict=True):
        corners = [edge * scale for edge in box]
        draw.rectangle(corners, outline=_YELLOW, width=2)
        draw.text((corners[0] + 3, corners[1] + 1), name, fill=_YELLOW)
    packed = io.BytesIO()
    image.save(packed, "JPEG", quality=80)
    return base64.b64encode(packed.getvalue()).decode()


def _open(file: str, side: int = 0) -> Image.Image | None:
    """The photo upright, RGB, where a JPEG can, reduced to no less than `side`; None if it can't be read."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    try:
        with Image.open(from_text(file)) as opened:
            if side:
                opened.draft("RGB", (side, side))
            return ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
