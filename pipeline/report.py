"""The picture that says what a concept was learnt from: the photos used, with the face taken from each."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from ..schemas.concept import Concept
from ..stages.images import Image as Pixels
from .concepts import describe

_WIDTH, _HEIGHT, _GAP, _TEXT, _LINE = 300, 225, 12, 54, 18  # pixels: a photo, the space around, words below
_INK, _FADED, _PAPER, _MARK = "#1c1c1e", "#6b6b70", "#ffffff", "#ff9500"


def draw_report(concept: Concept, photos: Sequence[tuple[Pixels, float]]) -> bytes:
    """Return a PNG: what was learnt, then each photo with its first caption.

    `photos` are the decoded pictures of `concept.photos`, in order, with how many of their pixels make one of
    the original.
    """
    title, *lines = describe(concept)
    wide = max(2, len(photos)) * (_WIDTH + _GAP) + _GAP
    wrapped = [part for line in (title, *lines) for part in textwrap.wrap(line, wide // 8)]
    top = _GAP + _LINE * len(wrapped) + _GAP
    sheet = Image.new("RGB", (wide, top + _HEIGHT + _TEXT + _GAP), _PAPER)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(14)
    for number, line in enumerate(wrapped):
        pen.text((_GAP, _GAP + _LINE * number), line, _INK if number == 0 else _FADED, font)
    for number, ((pixels, scale), used) in enumerate(zip(photos, concept.photos, strict=True)):
        left = _GAP + number * (_WIDTH + _GAP)
        thumbnail, factor = _fit(pixels)
        at = (left + (_WIDTH - thumbnail.width) // 2, top + (_HEIGHT - thumbnail.height) // 2)
        sheet.paste(thumbnail, at)
        if used.box:
            x0, y0, x1, y1 = (value * scale * factor for value in used.box)
            pen.rectangle((at[0] + x0, at[1] + y0, at[0] + x1, at[1] + y1), outline=_MARK, width=3)
        caption = textwrap.wrap(used.captions[0] if used.captions else used.file, _WIDTH // 8)
        for line_number, line in enumerate(caption[:3]):
            pen.text((left, top + _HEIGHT + 4 + 16 * line_number), line, _INK, ImageFont.load_default(13))
    packed = io.BytesIO()
    sheet.save(packed, "PNG", optimize=True)
    return packed.getvalue()


def _fit(pixels: Pixels) -> tuple[Image.Image, float]:
    """A photo small enough for its place, and its pixels per pixel."""
    picture = Image.fromarray(pixels)
    factor = min(_WIDTH / picture.width, _HEIGHT / picture.height)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0), factor
