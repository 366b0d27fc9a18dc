"""The picture of `explain`: the photo, where the model looks in it, and what the head goes by, side by side.

What it shows is worked out in `explain.py`.
"""

from __future__ import annotations

import textwrap

import numpy as np
from matplotlib import colormaps
from PIL import Image, ImageDraw, ImageFont

from ..stages.images import Image as Pixels
from ..stages.images import cut
from .explain import AROUND, Attention, Explained, reasons, verdict

_HEIGHT, _WIDEST, _SIDE, _GAP, _TITLE, _LINE = 400, 560, 300, 24, 44, 20  # pixels
_INK, _FADED, _PAPER, _HIT, _MISS, _FRAME = "#1c1c1e", "#6b6b70", "#ffffff", "#2f9e44", "#c92a2a", "#e4e4e7"
_SHARPEST = 99.0  # per cent of the photo's area below full colour: one patch may stand out by far


def draw(found: Explained) -> Image.Image:
    """The sheet."""
    photo = _fit(found.image, _WIDEST, _HEIGHT)
    height = photo.height
    panels = [_marked(found, photo)]
    heads = ["the photo"]
    if found.attention is not None:
        panels.append(_heated(photo, found.attention))
        heads.append(f"where {found.vlm} attends")
    left = [_GAP]
    for panel in panels:
        left.append(left[-1] + panel.width + _GAP)
    wide, top = left[-1] + _SIDE + _GAP, _GAP + _TITLE
    about = textwrap.wrap(f"{found.vlm} with the vector of {found.concept.name}: {found.caption}", wide // 8)
    sheet = Image.new("RGB", (wide, top + max(height, _HEIGHT) + _GAP + _LINE * (len(about) + 1)), _PAPER)
    pen = ImageDraw.Draw(sheet)
    color = _HIT if found.evidence.hit else _MISS
    pen.text((_GAP, _GAP - 8), verdict(found), color, ImageFont.load_default(22))
    for at, panel, head in zip(left, panels, heads, strict=False):
        pen.text((at, top - 14), head, _FADED, ImageFont.load_default(13))
        sheet.paste(panel, (at, top + 4))
    _evidence(sheet, pen, found, left[-1], top)
    for number, line in enumerate(about):
        below = top + max(height, _HEIGHT) + _GAP // 2 + 4 + _LINE * number
        pen.text((_GAP, below), line, _INK, ImageFont.load_default(15))
    return sheet


def _evidence(sheet: Image.Image, pen: ImageDraw.ImageDraw, found: Explained, left: int, top: int) -> None:
    """What the head compared, and the numbers."""
    evidence = found.evidence
    person = found.concept.kind == "person"
    pen.text(
        (left, top - 14),
        "what the head compares" if person else "the training photo most like it",
        _FADED,
        ImageFont.load_default(13),
    )
    at = top + 4
    if person and evidence.box is not None:
        wide = (_SIDE - 12) // 2
        pictures = [(cut(found.image, evidence.box, AROUND), "here"), (evidence.image, "learnt from")]
        for number, (pixels, words) in enumerate(pictures):
            if pixels is not None:
                picture = _fit(pixels, wide, 190)
                sheet.paste(picture, (left + number * (wide + 12), at))
                pen.text((left + number * (wide + 12), at + 194), words, _FADED, ImageFont.load_default(12))
        at += 220
    elif evidence.image is not None:
        picture = _fit(evidence.image, _SIDE, 210)
        sheet.paste(picture, (left, at))
        at += 224
    at = _scale(pen, found, left, at) if evidence.score is not None else at
    for reason in reasons(found):
        for line in textwrap.wrap(reason, 42):
            pen.text((left, at), line, _INK, ImageFont.load_default(14))
            at += _LINE


def _scale(pen: ImageDraw.ImageDraw, found: Explained, left: int, top: int) -> int:
    """A bar from 0 to 1 with the score, and a line at the threshold."""
    evidence = found.evidence
    color = _HIT if evidence.hit else _MISS
    pen.rectangle((left, top, left + _SIDE, top + 12), fill=_FRAME)
    pen.rectangle((left, top, left + _SIDE * min(max(evidence.score or 0.0, 0.0), 1.0), top + 12), fill=color)
    mark = left + _SIDE * evidence.threshold
    pen.line((mark, top - 4, mark, top + 16), fill=_INK, width=2)
    return top + 26


def _marked(found: Explained, photo: Image.Image) -> Image.Image:
    """The photo with the face that was compared."""
    marked = photo.copy()
    if found.evidence.box is not None:
        factor = photo.width / found.image.shape[1]
        color = _HIT if found.evidence.hit else _MISS
        x0, y0, x1, y1 = (value * factor for value in found.evidence.box)
        ImageDraw.Draw(marked).rectangle((x0, y0, x1, y1), outline=color, width=3)
    return marked


def _heated(photo: Image.Image, attention: Attention) -> Image.Image:
    """The photo, grey and dark where the vector doesn't attend, in glowing colours where it does."""
    heat = _over_photo(attention, photo.width, photo.height)
    low, high = np.percentile(heat, [20.0, _SHARPEST])
    heat = np.clip((heat - low) / max(high - low, 1e-9), 0.0, 1.0)[..., None]
    grey = np.asarray(photo.convert("L").convert("RGB"), np.float32) / 255
    glow = colormaps["inferno"](heat[..., 0])[..., :3]
    mixed = (1 - 0.62 * heat) * (0.55 + 0.3 * heat) * grey + 0.62 * heat * glow + 0.15 * grey * heat
    return Image.fromarray(np.uint8(np.clip(mixed, 0, 1) * 255))


def _over_photo(attention: Attention, width: int, height: int) -> np.ndarray:
    """The grid, laid over the part of the photo that the model saw; 0 beside it."""
    x0, y0, x1, y1 = attention.window
    size = (max(1, round((x1 - x0) * width)), max(1, round((y1 - y0) * height)))
    grid = Image.fromarray(attention.weights).resize(size, Image.Resampling.BICUBIC)
    canvas = Image.new("F", (width, height))
    canvas.paste(grid, (round(x0 * width), round(y0 * height)))
    return np.asarray(canvas)


def _fit(pixels: Pixels, width: int, height: int) -> Image.Image:
    """As large as the place allows."""
    picture = Image.fromarray(pixels)
    factor = min(width / picture.width, height / picture.height)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.LANCZOS)
