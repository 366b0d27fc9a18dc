"""The decode stage: a photo file becomes EXIF columns and one upright picture, shared by all models."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import Any, ClassVar

import PIL
import pillow_heif
import pyarrow as pa

from ..schemas.paths import from_text
from ..schemas.tables import EXIF_FIELDS, FAILURE
from .base import Stage
from .codecs import Limits, Photo, UnreadablePhoto
from .images import IMAGE_FIELDS, to_columns

Decoder = Callable[[str, Limits], Photo]


class Decode(Stage):
    """Read each photo once. A photo that gives no picture keeps its row, with `failure` saying why."""

    name: ClassVar[str] = "decode"
    #: Raised when the same file would now give another picture or other EXIF columns.
    version: ClassVar[str] = "decode-1"
    needs: ClassVar[pa.Schema] = pa.schema(
        [("photo_id", pa.string()), ("path", pa.string()), ("size", pa.int64())]
    )
    gives: ClassVar[pa.Schema] = pa.schema(
        [
            pa.field("format", pa.string()),
            pa.field("width", pa.int32()),
            pa.field("height", pa.int32()),
            *EXIF_FIELDS,
            *IMAGE_FIELDS,
            pa.field("failure", FAILURE),
        ]
    )
    batch_size: ClassVar[int] = 16

    def __init__(self, limits: Limits | None = None, decoder: str = "") -> None:
        """Decode within `limits`; `decoder` ("module:function") takes the place of `codecs.read_photo`."""
        self.limits = limits or Limits()
        self.decoder = decoder or f"{__package__}.codecs:read_photo"

    @property
    def made_by(self) -> str:
        """The version: newer libraries read more files, but give the same rows for those that were read."""
        return self.version

    @property
    def tried_by(self) -> str:
        """Version, libraries, limits and the decoder."""
        libraries = f"pillow-{PIL.__version__} pillow_heif-{pillow_heif.__version__}"
        limits = f"{self.limits.max_file_bytes} {self.limits.max_pixels}"
        return f"{self.version} {libraries} {limits} {self.decoder.rpartition('.')[2]}"

    def setup(self) -> None:
        """Import the decoder."""
        module, _, function = self.decoder.partition(":")
        self._decode: Decoder = getattr(import_module(module), function)

    def __call__(self, table: pa.Table) -> pa.Table:
        """Read the photos at `path`; where that fails all columns of `gives` but `failure` are null."""
        results = [
            self._one(from_text(path), size)
            for path, size in zip(table["path"].to_pylist(), table["size"].to_pylist(), strict=True)
        ]
        photos = [result if isinstance(result, Photo) else None for result in results]
        columns: dict[str, Any] = to_columns([None if photo is None else photo.image for photo in photos])
        columns["failure"] = [None if isinstance(result, Photo) else result for result in results]
        for name in ("format", "width", "height"):
            columns[name] = [photo and getattr(photo, name) for photo in photos]
        for field in EXIF_FIELDS:
            columns[field.name] = [photo and photo.exif[field.name] for photo in photos]
        for field in self.gives:
            column = columns[field.name]
            table = table.append_column(
                field, column if isinstance(column, pa.Array) else pa.array(column, field.type)
            )
        return table

    def _one(self, path: str, size: int) -> Photo | dict[str, str]:
        try:
            _check_unchanged(path, size)
            return self._decode(path, self.limits)
        except UnreadablePhoto as error:
            return {"stage": self.name, "kind": error.kind, "reason": error.reason}


def _check_unchanged(path: str, size: int) -> None:
    """A file that is being written has no photo_id yet that could be believed."""
    try:
        now = os.stat(path).st_size
    except OSError:
        return  # the decoder will say what is wrong
    if now != size:
        raise UnreadablePhoto("changed", f"the file changed during the run ({size} bytes, then {now})")
