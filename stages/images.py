"""Decoded pictures inside Arrow tables: raw RGB bytes beside their width and height, copied once; and cut."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

Image = np.ndarray  # uint8, (height, width, 3), RGB, upright

#: The columns a decoded picture is kept in; all three are null when the photo could not be decoded.
IMAGE_FIELDS: list[pa.Field] = [
    pa.field("image", pa.large_binary()),
    pa.field("image_width", pa.int32()),
    pa.field("image_height", pa.int32()),
]


def to_columns(images: Sequence[Image | None]) -> dict[str, pa.Array]:
    """The three columns for `images`; the pixels are copied once, into one buffer."""
    sizes = [0 if image is None else image.nbytes for image in images]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    pixels = pa.allocate_buffer(int(offsets[-1]))
    flat = np.frombuffer(pixels, np.uint8)
    for image, start, stop in zip(images, offsets, offsets[1:], strict=False):
        if image is not None:
            flat[start:stop].reshape(image.shape)[...] = image
    valid = pa.array([image is not None for image in images], pa.bool_())
    array = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(images), [valid.buffers()[1], pa.py_buffer(offsets), pixels]
    )
    return {
        "image": array,
        "image_width": pa.array([None if image is None else image.shape[1] for image in images], pa.int32()),
        "image_height": pa.array([None if image is None else image.shape[0] for image in images], pa.int32()),
    }


def from_table(table: pa.Table) -> list[Image | None]:
    """Views on the pictures of `table`, row by row; None where there is none. They must not be written to."""
    heights = table["image_height"].to_pylist()
    widths = table["image_width"].to_pylist()
    return [
        np.frombuffer(value.as_buffer(), np.uint8).reshape(height, width, 3) if value.is_valid else None
        for value, height, width in zip(table["image"], heights, widths, strict=True)
    ]


def cut(image: Image, box: tuple[float, float, float, float], around: float) -> Image:
    """A copy of what is in a box (x0, y0, x1, y1, in pixels) and that part of its sides more on each side."""
    x0, y0, x1, y1 = box
    beside, above = around * (x1 - x0), around * (y1 - y0)
    top, left = max(0, round(y0 - above)), max(0, round(x0 - beside))
    return np.ascontiguousarray(image[top : round(y1 + above), left : round(x1 + beside)])
