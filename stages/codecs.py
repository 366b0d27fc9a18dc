"""One photo file -> one upright RGB picture of bounded size, and what its EXIF block says.

Every format goes through Pillow (HEIF by pillow-heif); RAW files give the JPEG that the camera put inside.
What a file can do wrong ends in `UnreadablePhoto`, with words for the person. Batches are `decode.py`.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pillow_heif
import simplejpeg
from PIL import Image, TiffImagePlugin

from .exif import read_exif
from .formats import HEAD_BYTES, RAW_FORMATS, describe, sniff

pillow_heif.register_heif_opener()
pillow_heif.options.DECODE_THREADS = 1  # parallelism is over photos
Image.MAX_IMAGE_PIXELS = None  # `Limits.max_pixels` decides, with a better message

_ORIENTATION = 0x0112
_PILLOW_FORMATS = {"JPEG": ("JPEG", "MPO"), "HEIF": ("HEIF",)}
_SIDEWAYS = (5, 6, 7, 8)
#: What turns the stored pixels upright, by EXIF orientation.
_TURNS: dict[int | None, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda image: cv2.flip(image, 1),
    3: lambda image: cv2.rotate(image, cv2.ROTATE_180),
    4: lambda image: cv2.flip(image, 0),
    5: lambda image: cv2.transpose(image),
    6: lambda image: cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE),
    7: lambda image: cv2.rotate(cv2.transpose(image), cv2.ROTATE_180),
    8: lambda image: cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


class UnreadablePhoto(Exception):
    """A file that gives no picture. `kind` is one word for counting, `reason` is for the person."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(kind, reason)
        self.kind = kind
        self.reason = " ".join(reason.split())


@dataclass(frozen=True)
class Limits:
    """How large a photo may be, and how far it is shrunk on the way in."""

    max_file_bytes: int = 1 << 30
    max_pixels: int = 250_000_000
    #: A picture is shrunk by the largest whole number that leaves its longer side at least this many pixels,
    #: so its longer side ends below twice this. JPEGs are decoded at 1/2, 1/4 or 1/8 as far as that goes.
    decode_side: int = 1280


@dataclass(frozen=True)
class Photo:
    """A decoded photo."""

    image: np.ndarray  # uint8, (height, width, 3), RGB, upright, shrunk as `Limits.decode_side` says
    width: int  # pixels, of the original, upright
    height: int
    format: str  # JPEG, PNG, HEIF, CR2, ...
    exif: dict[
        str, Any
    ]  # the columns of EXIF_FIELDS; orientation is the one that was applied to the stored pixels


def read_photo(path: str, limits: Limits) -> Photo:
    """Read and decode the photo at `path`; raises UnreadablePhoto, whatever is wrong with it."""
    data = _read(path, limits)
    kind = sniff(data[:HEAD_BYTES])
    if kind is None:
        raise UnreadablePhoto("not_a_photo", f"this is not a photo but {describe(data[:HEAD_BYTES])}")
    if kind == "JXL":
        raise UnreadablePhoto("unsupported", "JPEG XL files cannot be read yet; convert it to JPEG or AVIF")
    try:
        if kind in RAW_FORMATS or (kind == "TIFF" and _is_raw(data)):
            return _decode_raw(data, "RAW" if kind == "TIFF" else kind, limits)
        return _decode(data, kind, limits)
    except UnreadablePhoto:
        raise
    except MemoryError as error:
        raise UnreadablePhoto("too_large", "there is not enough memory to decode it") from error
    except Exception as error:  # Pillow's plugins raise OSError, SyntaxError, struct.error and many more
        raise _explain(error, kind) from error


def _read(path: str, limits: Limits) -> bytes:
    try:
        with Path(path).open("rb") as file:
            data = file.read(limits.max_file_bytes + 1)
    except FileNotFoundError:
        raise UnreadablePhoto("missing", "the file is no longer there") from None
    except OSError as error:
        raise UnreadablePhoto(
            "unreadable", f"the file cannot be opened: {error.strerror or error}"
        ) from error
    if not data:
        raise UnreadablePhoto("empty", "the file is empty (0 bytes)")
    if len(data) > limits.max_file_bytes:
        limit = limits.max_file_bytes / 1e6
        raise UnreadablePhoto("too_large", f"the file is larger than {limit:,.0f} MB (max_file_bytes)")
    return data


def _explain(error: Exception, kind: str) -> UnreadablePhoto:
    words = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
    if re.search(r"truncat|end of (file|stream)|premature|not enough data", words, re.IGNORECASE):
        return UnreadablePhoto("truncated", f"the {kind} file is cut off: part of the picture is missing")
    return UnreadablePhoto("damaged", f"the {kind} file is damaged: {words}")


def _decode(data: bytes, kind: str, limits: Limits, turned: int | None = None) -> Photo:
    """Decode anything Pillow reads. `turned` is the EXIF orientation to use when the file names none."""
    _check_whole(data, kind)
    with Image.open(io.BytesIO(data), formats=_PILLOW_FORMATS.get(kind, (kind,))) as picture:
        width, height = picture.size
        _check_pixels(width, height, limits)
        # TIFF is turned upright by loading and then says so; asking PNG loads it, and errors would be lost.
        before = _orientation(picture) if kind == "TIFF" else None
        image = _pixels(picture, data, kind, limits)
        stored = (before if kind == "TIFF" else _orientation(picture)) or turned
        exif = read_exif(picture.info.get("exif", b"") or (data if kind == "TIFF" else b""))
    if (factor := max(image.shape) // limits.decode_side) > 1:
        image = np.asarray(Image.fromarray(image).reduce(factor))
    if kind != "TIFF" and stored in _TURNS:
        image = _TURNS[stored](image)
        width, height = (height, width) if stored in _SIDEWAYS else (width, height)
    return Photo(image, width, height, kind, {**exif, "orientation": stored})


def _pixels(picture: Image.Image, data: bytes, kind: str, limits: Limits) -> np.ndarray:
    """Decode; a JPEG at the smallest scale that `limits.decode_side` allows."""
    if kind == "JPEG":
        width, height = picture.size
        scale = max(1, max(width, height) // limits.decode_side)
        image = _fast_jpeg(data, width, height, scale) if picture.mode in ("RGB", "L") else None
        if image is not None:
            return image
        picture.draft("RGB", (width // scale, height // scale))
    picture.load()
    return np.asarray(_to_rgb(picture))


def _fast_jpeg(data: bytes, width: int, height: int, scale: int) -> np.ndarray | None:
    """The pixels Pillow would give, in two thirds of its time; None if the file is less than flawless."""
    divisor = next(divisor for divisor in (8, 4, 2, 1) if divisor <= scale)
    try:
        return simplejpeg.decode_jpeg(
            data, "RGB", min_height=-(-height // divisor), min_width=-(-width // divisor)
        )
    except ValueError:
        return None  # Pillow is more forgiving, and has better words


def _check_pixels(width: int, height: int, limits: Limits) -> None:
    if width < 1 or height < 1:
        raise UnreadablePhoto("damaged", f"the file says that the picture is {width} x {height} pixels")
    if width * height > limits.max_pixels:
        megapixels = width * height / 1e6
        reason = f"the picture is {width} x {height} = {megapixels:,.0f} megapixels"
        limit = limits.max_pixels / 1e6
        raise UnreadablePhoto("too_large", f"{reason}; the limit is {limit:,.0f} (max_pixels)")


def _check_whole(data: bytes, kind: str) -> None:
    """Refuse damage that decoders paint over: a JPEG's missing end gray, a PNG's wrong bytes noise."""
    if kind == "JPEG" and data.endswith(bytes(1024)) and b"\xff\xd9" not in data.rstrip(b"\0")[-64:]:
        # A download that stopped half way often has its full length.
        raise UnreadablePhoto("truncated", "the JPEG file ends in zero bytes: part of the picture is missing")
    if kind == "PNG":
        Image.open(io.BytesIO(data), formats=["PNG"]).verify()  # the checksums


def _orientation(picture: Image.Image) -> int | None:
    try:
        value = picture.getexif().get(_ORIENTATION)
    except Exception:  # a damaged EXIF block must not cost the picture
        return None
    return value if isinstance(value, int) and 1 <= value <= 8 else None


def _to_rgb(picture: Image.Image) -> Image.Image:
    """8-bit RGB from any mode: 16-bit and float scaled down, transparency laid over white."""
    if picture.mode.startswith(("I", "F")):
        return Image.fromarray(_to_8_bit(np.asarray(picture))).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        rgba = picture.convert("RGBA")
        white = Image.new("RGB", rgba.size, "white")
        white.paste(rgba, mask=rgba.getchannel("A"))
        return white
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _to_8_bit(values: np.ndarray) -> np.ndarray:
    """Bring 16-bit, 32-bit or float gray values to 0-255."""
    values = np.nan_to_num(values.astype(np.float32), posinf=0, neginf=0)
    low, high = float(min(values.min(), 0)), float(values.max())
    for full in (1.0, 255.0, 65535.0):  # a picture uses its type's range, though seldom all of it
        if low == 0 and high <= full:
            return (values * (255 / full)).astype(np.uint8)
    return ((values - low) * (255 / (high - low))).astype(np.uint8)


def _is_raw(data: bytes) -> bool:
    """Whether a TIFF file is a camera's RAW file (DNG, NEF, ARW, PEF, SRW ...)."""
    new_subfile_type, photometric, dng_version = 254, 262, 50706
    try:
        directory = TiffImagePlugin.ImageFileDirectory_v2(data[:8])
        file = io.BytesIO(data)
        file.seek(directory.next)
        directory.load(file)
        color_filter_array, linear_raw = 32803, 34892
        return (
            dng_version in directory
            or directory.get(photometric) in (color_filter_array, linear_raw)
            # The first picture of a plain TIFF is the picture; that of a RAW file is a thumbnail of it.
            or bool(directory.get(new_subfile_type, 0) & 1)
        )
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, struct.error):
        return False


def _decode_raw(data: bytes, kind: str, limits: Limits) -> Photo:
    previews = sorted(_embedded_jpegs(data), reverse=True)
    if not previews:
        raise UnreadablePhoto("unsupported", f"no preview picture was found inside this {kind} file")
    own = read_exif(data)
    _, start = previews[0]
    preview = _decode(data[start:], "JPEG", limits, turned=own["orientation"])
    known = {name: preview.exif[name] if value is None else value for name, value in own.items()}
    exif = {**known, "orientation": preview.exif["orientation"]}
    return Photo(preview.image, preview.width, preview.height, kind, exif)


def _embedded_jpegs(data: bytes) -> Iterator[tuple[int, int]]:
    """Pixels and offset of each ordinary JPEG inside `data`; lossless ones (RAW pixels) are passed over."""
    for match in re.finditer(rb"\xff\xd8\xff[\xc0-\xfe]", data):
        pixels = _jpeg_pixels(data, match.start())
        if pixels:
            yield pixels, match.start()


def _jpeg_pixels(data: bytes, at: int) -> int:
    """How many pixels the JPEG that starts at `at` has; 0 when it is no 8-bit, 3-channel, lossy JPEG."""
    at += 2
    for _ in range(100):  # segments before the frame header
        marker, length = data[at : at + 2], int.from_bytes(data[at + 2 : at + 4])
        if len(marker) < 2 or marker[0] != 0xFF or length < 2:
            return 0
        if marker[1] in (0xC0, 0xC1, 0xC2):
            frame = data[at + 4 : at + 10]
            if len(frame) < 6 or frame[0] != 8 or frame[5] != 3:
                return 0
            return int.from_bytes(frame[1:3]) * int.from_bytes(frame[3:5])
        at += 2 + length
    return 0
