"""Pictures of what was found: thumbnails, boxes with names, and the contact sheet.

What does not live here: what was found (`measure/judge.py`) and the page around the thumbnails (`page`).
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageDraw, ImageFont

from ...schemas.paths import from_text
from ...stages.codecs import Limits, read_photo
from ..measure.judge import Photo

Colors = Mapping[str, str]
"""The colour of each concept."""

PALETTE = ("#c8374a", "#1f77a8", "#2f7d3b", "#b0601a", "#7448a6", "#b8257f", "#00807a", "#7d6a00")
_COLUMNS, _ROWS = 4, 3
_WIDTH, _HEIGHT, _GAP, _TEXT, _LINE = 400, 300, 16, 66, 19  # pixels: a photo, space, words below, a line
_LABEL = 20
_INK, _PAPER, _FRAME = "#1d1d1f", "#ffffff", "#f0f0ee"


@dataclass(frozen=True)
class Mark:
    """A box around a concept in parts of the photo's width and height; `face`: it is a recognised face."""

    concept: str
    box: tuple[float, float, float, float]
    face: bool


def marks(photo: Photo) -> list[Mark]:
    """Where the concepts of a photo are: the box the model drew, else the face by which it was recognised."""
    _, width, height = _seen(photo.path)
    found = []
    for concept, hit in sorted(photo.hits.items()):
        drawn = photo.boxes.get(concept)
        box = drawn or [hit[name] for name in ("x0", "y0", "x1", "y1")]
        if None not in box:
            x0, y0, x1, y1 = box
            found.append(Mark(concept, (x0 / width, y0 / height, x1 / width, y1 / height), not drawn))
    return found


def thumbnail(path: str) -> Image.Image:
    """The photo at `path` (text form), upright and small."""
    return _seen(path)[0].copy()


def as_source(image: Image.Image) -> str:
    """A picture as the `src` of an `img`: a page with it needs no other file."""
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def choose(photos: Sequence[Photo], count: int) -> list[Photo]:
    """Photos for the sheet: each time the one that shows most of what was shown least, right or wrong."""
    shown: dict[str, int] = {}
    told = {photo.true_caption: photo for photo in photos if photo.caption}  # of a burst one will do
    left, chosen = list(told.values()), list[Photo]()
    while left and len(chosen) < count:
        best = max(left, key=lambda photo: sum(0.5 ** (2 * shown.get(name, 0)) for name in photo.hits))
        left.remove(best)
        chosen.append(best)
        for name in best.hits:
            shown[name] = shown.get(name, 0) + 1
    return chosen


def contact_sheet(photos: Sequence[Photo], colors: Colors) -> Image.Image:
    """A dozen photos with boxes, each over its caption, the names in their colours."""
    chosen = choose(photos, _COLUMNS * _ROWS)
    rows = max(1, -(-len(chosen) // _COLUMNS))
    size = (_COLUMNS * (_WIDTH + _GAP) + _GAP, rows * (_HEIGHT + _TEXT + _GAP) + _GAP)
    sheet = Image.new("RGB", size, _PAPER)
    pen = ImageDraw.Draw(sheet)
    for number, photo in enumerate(chosen):
        row, column = divmod(number, _COLUMNS)
        left, top = _GAP + column * (_WIDTH + _GAP), _GAP + row * (_HEIGHT + _TEXT + _GAP)
        pen.rectangle((left, top, left + _WIDTH - 1, top + _HEIGHT - 1), fill=_FRAME)
        image = with_marks(thumbnail(photo.path), marks(photo), colors)
        sheet.paste(image, (left + (_WIDTH - image.width) // 2, top + (_HEIGHT - image.height) // 2))
        _write(pen, photo.caption, (left, top + _HEIGHT + 8), colors)
    return sheet


def with_marks(image: Image.Image, found: Sequence[Mark], colors: Colors) -> Image.Image:
    """The picture with its boxes, each with the concept's name in a corner."""
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(15)
    corners = []
    for mark in found:
        x0, x1 = (value * (image.width - 1) for value in mark.box[::2])
        y0, y1 = (value * (image.height - 1) for value in mark.box[1::2])
        pen.rectangle((x0, y0, max(x0, x1), max(y0, y1)), outline=colors[mark.concept], width=3)
        corners.append((x0, y0))
    taken: list[tuple[float, float, float]] = []
    for mark, (x0, y0) in zip(found, corners, strict=True):  # last, so that no line runs through a name
        wide = pen.textlength(mark.concept, font) + 10
        x = min(max(0, x0), image.width - wide)
        y = y0 - _LABEL if y0 >= _LABEL else y0
        while any(abs(y - top) < _LABEL and x < right and left < x + wide for left, right, top in taken):
            y += _LABEL  # below the other name
        taken.append((x, x + wide, y))
        pen.rectangle((x, y, x + wide, y + _LABEL), fill=colors[mark.concept])
        pen.text((x + 5, y + 1), mark.concept, "white", font)
    return image


def _write(pen: ImageDraw.ImageDraw, text: str, at: tuple[int, int], colors: Colors) -> None:
    """Write words, names in their colours, and no more lines than there is room for."""
    font = ImageFont.load_default(16)
    x, y = float(at[0]), at[1]
    for word, concept in _words(text, colors):
        wide = pen.textlength(word + " ", font)
        if x + wide > at[0] + _WIDTH:
            x, y = float(at[0]), y + _LINE
        if y + _LINE > at[1] + _TEXT:
            return
        pen.text((x, y), word, colors.get(concept, _INK), font, stroke_width=0.4 if concept else 0)
        x += wide


def _words(text: str, colors: Colors) -> Iterator[tuple[str, str]]:
    for word in text.split():
        bare = word.strip(",.").casefold()
        yield word, next((concept for concept in colors if concept.casefold() == bare), "")


@cache
def _seen(path: str) -> tuple[Image.Image, int, int]:
    """A photo as large as the sheet has room for, and the width and height of the original."""
    photo = read_photo(from_text(path), Limits(decode_side=2 * _WIDTH))
    image = Image.fromarray(photo.image)
    image.thumbnail((_WIDTH, _HEIGHT), Image.Resampling.LANCZOS)
    return image, photo.width, photo.height
