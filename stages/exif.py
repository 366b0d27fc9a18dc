"""What a photo's EXIF block says: when, where, with which camera; each value checked, or null.

Tags are read with exifread. Finding the block inside a file is the decoder's work (`codecs.py`), and so is
turning the picture upright.
"""

from __future__ import annotations

import contextlib
import io
import logging
import math
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from fractions import Fraction
from typing import Any

from exifread.core.exif_header import ExifHeader

from ..schemas.tables import EXIF_FIELDS

#: Hostile blocks can claim 65,535 tags of 999 values each, which exifread would read one number at a time;
#: real ones have fewer than two hundred.
_MAX_TAGS = 300
_MAX_TEXT = 200  # characters of a camera's or lens's name

_DATE = re.compile(r"(\d{4})\D(\d{1,2})\D(\d{1,2})\D+(\d{1,2})\D(\d{1,2})(?:\D(\d{1,2}))?")
_OFFSET = re.compile(r"([+-])(\d{1,2}):?(\d{2})")

#: Date tags, the best first, each with its sub-seconds and its distance from UTC.
_DATES = (
    ("EXIF DateTimeOriginal", "EXIF SubSecTimeOriginal", "EXIF OffsetTimeOriginal"),
    ("EXIF DateTimeDigitized", "EXIF SubSecTimeDigitized", "EXIF OffsetTimeDigitized"),
    ("Image DateTime", "EXIF SubSecTime", "EXIF OffsetTime"),
)

_Tags = dict[str, Any]  # "EXIF FNumber" -> the tag's values: a str, or a list of numbers

logging.getLogger("exifread").setLevel(logging.CRITICAL)  # it reports every odd tag; the table shows null


def read_exif(block: bytes) -> dict[str, Any]:
    """Return the columns of `EXIF_FIELDS` from a TIFF-structured EXIF block, or a whole TIFF or RAW file.

    What is missing, malformed or out of range is None; no block can raise.
    """
    tags = _read_tags(block)
    values = {name: _quietly(read, tags) for name, read in _READERS.items()}
    values["taken_at"], values["taken_offset_minutes"] = _taken(tags)
    return {field.name: values[field.name] for field in EXIF_FIELDS}


class _EnoughError(Exception):
    """A block has more tags than any camera writes; what was read until then counts."""


class _TolerantHeader(ExifHeader):
    """exifread's walk over a block, in which a tag that cannot be read costs that tag only."""

    def __init__(self, block: bytes) -> None:
        super().__init__(io.BytesIO(block), chr(block[0]), 0, fake_exif=0, strict=False, detailed=False)
        self._left = _MAX_TAGS

    def _process_tag(self, *args: Any) -> None:
        if not self._left:
            raise _EnoughError
        self._left -= 1
        _quietly(super()._process_tag, *args)

    def walk(self) -> _Tags:
        """Read the first IFD (which leads to GPS by itself) and the EXIF IFD; thumbnails are left alone."""
        with contextlib.suppress(_EnoughError):
            self.dump_ifd(self._first_ifd(), "Image")
            pointer = self.tags.get("Image ExifOffset")
            if pointer is not None and pointer.values:
                self.dump_ifd(pointer.values[0], "EXIF")
        return {name: tag.values for name, tag in self.tags.items()}


def _read_tags(block: bytes) -> _Tags:
    block = block.removeprefix(b"Exif\0\0")
    if block[:2] not in (b"II", b"MM"):
        return {}
    return _quietly(lambda: _TolerantHeader(block).walk()) or {}


def _quietly(read: Callable[..., Any], *args: Any) -> Any:
    """`read(*args)`, or None where the data does not hold what its type promises."""
    try:
        return read(*args)
    except (ArithmeticError, LookupError, TypeError, ValueError, OSError, MemoryError, RecursionError):
        return None


def _text(*names: str) -> Callable[[_Tags], str | None]:
    def read(tags: _Tags) -> str | None:
        for name in names:
            value = tags.get(name, "")
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            if isinstance(text, str) and (text := " ".join(_printable(text).split())):
                return text[:_MAX_TEXT]
        return None

    return read


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _number(names: Iterable[str], low: float, high: float) -> Callable[[_Tags], float | None]:
    """Read the first of the tags whose value lies in `low` < value <= `high`."""

    def read(tags: _Tags) -> float | None:
        for name in names:
            value = _quietly(lambda name=name: _to_float(tags[name][0]))
            if value is not None and low < value <= high:
                return value
        return None

    return read


def _to_float(value: Any) -> float:
    """A float from exifread's number (floats come as tuples of one); raises when it isn't finite."""
    number = value[0] if isinstance(value, tuple) else value
    if isinstance(number, Fraction) and not number.denominator:
        raise ZeroDivisionError
    result = float(number)
    if not math.isfinite(result):
        raise ValueError(result)
    return result


def _integer(names: Iterable[str], low: int, high: int) -> Callable[[_Tags], int | None]:
    number = _number(names, low - 1, high)

    def read(tags: _Tags) -> int | None:
        value = number(tags)
        return None if value is None else int(value)

    return read


def _taken(tags: _Tags) -> tuple[datetime | None, int | None]:
    for name, fraction, offset in _DATES:
        taken = _quietly(_date, tags.get(name, ""), tags.get(fraction, ""))
        if taken is not None:
            return taken, _quietly(_offset_minutes, tags.get(offset, ""))
    return None, None


def _date(text: str, fraction: str) -> datetime | None:
    match = _DATE.match(text.strip())
    if not match:
        return None
    digits = fraction.strip() if isinstance(fraction, str) else ""
    micros = int(digits[:6].ljust(6, "0")) if digits.isascii() and digits.isdigit() else 0
    year, month, day, hour, minute, second = (int(group or 0) for group in match.groups())
    return datetime(year, month, day, hour, minute, second, micros)


def _offset_minutes(text: str) -> int | None:
    match = _OFFSET.match(text.strip())
    if not match:
        return None
    minutes = int(match[2]) * 60 + int(match[3])
    # UTC-12 to UTC+14 are the zones there are.
    minutes = -minutes if match[1] == "-" else minutes
    return minutes if -12 * 60 <= minutes <= 14 * 60 else None


def _degrees(name: str, negative: str, limit: float) -> Callable[[_Tags], float | None]:
    def read(tags: _Tags) -> float | None:
        parts = [_to_float(value) for value in tags[f"GPS {name}"]]
        if not 1 <= len(parts) <= 3 or any(part < 0 for part in parts):
            return None
        degrees = sum(part / 60**i for i, part in enumerate(parts))
        sign = -1 if str(tags.get(f"GPS {name}Ref", "")).strip().upper().startswith(negative) else 1
        return sign * degrees if degrees <= limit else None

    return read


def _altitude(tags: _Tags) -> float | None:
    altitude = _to_float(tags["GPS GPSAltitude"][0])
    below_sea = _quietly(lambda: int(tags["GPS GPSAltitudeRef"][0])) == 1
    return (-altitude if below_sea else altitude) if abs(altitude) < 1e6 else None


_READERS: dict[str, Callable[[_Tags], Any]] = {
    "camera_make": _text("Image Make"),
    "camera_model": _text("Image Model"),
    "lens": _text("EXIF LensModel"),
    "exposure_seconds": _number(["EXIF ExposureTime"], 0, 1e6),
    "f_number": _number(["EXIF FNumber"], 0, 1e3),
    # 65535 says "see the longer tag".
    "iso": _integer(["EXIF ISOSpeedRatings", "EXIF RecommendedExposureIndex", "EXIF ISOSpeed"], 1, 65534),
    "focal_length_mm": _number(["EXIF FocalLength"], 0, 1e5),
    "latitude": _degrees("GPSLatitude", "S", 90),
    "longitude": _degrees("GPSLongitude", "W", 180),
    "altitude_m": _altitude,
    "orientation": _integer(["Image Orientation"], 1, 8),
}
