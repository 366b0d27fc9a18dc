"""Pixels to the bytes of a photo file: five formats, eight orientations.

An upright picture goes in; what comes out holds the pixels turned as a camera held that way stores them, and
the EXIF block that says so. What does not live here: what the EXIF block says (`metadata`).
"""

from __future__ import annotations

import io

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image

#: Format name (Pillow's) -> the extension people see, without the dot.
EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "HEIF": "heic", "TIFF": "tif"}

#: EXIF orientation -> what takes upright pixels to stored ones, the inverse of what a reader does.
TO_STORED: dict[int, Image.Transpose | None] = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}

# x265's slower presets take seconds for a photo and look no better at these sizes.
_SETTINGS: dict[str, dict[str, object]] = {
    "JPEG": {"subsampling": "4:2:0"},
    "PNG": {"compress_level": 1},
    "WEBP": {"method": 0},
    "HEIF": {"enc_params": {"preset": "ultrafast"}},
    "TIFF": {},  # compressed, libtiff refuses the EXIF IFDs
}
_LOSSY = frozenset({"JPEG", "WEBP", "HEIF"})

pillow_heif.register_heif_opener()


def stored(upright: NDArray[np.uint8], orientation: int) -> Image.Image:
    """Turn upright RGB pixels (H, W, 3) into the image a file of that EXIF orientation (1-8) stores."""
    image = Image.fromarray(upright)
    transposition = TO_STORED[orientation]
    return image if transposition is None else image.transpose(transposition)


def encode(image: Image.Image, format: str, exif: Image.Exif | None, quality: int = 90) -> bytes:
    """Return the bytes of a file: `image` as stored, in `format` (a key of EXTENSIONS), with its EXIF.

    HEIC holds the turn twice, as phones write it: in `exif` and as the container's own transformation, which
    readers apply by themselves. Fixed library versions give the same bytes for the same arguments.
    """
    settings = dict(_SETTINGS[format])
    if format in _LOSSY:
        settings["quality"] = quality
    if exif is not None:
        # As bytes: of an object Pillow's TIFF writer drops the nested IFDs, and pillow_heif the orientation.
        settings["exif"] = exif.tobytes()
    buffer = io.BytesIO()
    image.save(buffer, format, **settings)
    return buffer.getvalue()
