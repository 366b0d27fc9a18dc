"""The photos given to `learn`, read by the same stages as the library's, in this process."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..schemas.errors import PhotosUnusable, UsageProblem
from ..schemas.paths import from_text, to_text
from ..schemas.tables import FACE_DIM
from ..stages.base import Stage
from ..stages.clip import Clip
from ..stages.decode import Decode
from ..stages.faces import Faces
from ..stages.formats import named_like_photo
from ..stages.images import Image, from_table
from ..stages.scan import photo_id
from .models import Models
from .subject import Face

Say = Callable[[str], None]

_Row = tuple[str, Path, int]  # id, path and size of a photo

_HINT = "give a folder with one to five photos"
_AT_ONCE = 16  # photos that are decoded together

# insightface speaks to its own authors
_quiet = partial(warnings.catch_warnings, action="ignore", category=FutureWarning)


def silent(_: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class GivenPhoto:
    """A photo that could be read."""

    path: Path
    photo_id: str
    image: Image
    scale: float  # pixels of `image` per pixel of the original


@dataclass(frozen=True)
class Given:
    """Photos in the order of their names, and the table that the stages work on, row by row the same."""

    photos: list[GivenPhoto]
    table: pa.Table


def read_photos(models: Models, folder: Path, most: int, say: Say, hint: str = _HINT) -> Given:
    """Decode the first `most` photos of a folder; what can't be read is told, a line each, and passed over.

    Raises UsageProblem if there is no such folder, PhotosUnusable if no photo in it can be read, with `hint`.
    """
    return read_files(models, _listed(folder, hint), most, say, hint)


def read_files(models: Models, paths: Sequence[Path], most: int, say: Say, hint: str = _HINT) -> Given:
    """Decode the first `most` of these photos, each once, in the same way. Raises PhotosUnusable."""
    table = pa.concat_tables(_decoded(models, paths, most, say, hint))
    ids, files, widths = (table[name].to_pylist() for name in ("photo_id", "path", "width"))
    photos = [
        GivenPhoto(Path(from_text(path)), photo, image, image.shape[1] / width)
        for photo, path, image, width in zip(ids, files, from_table(table), widths, strict=True)
        if image is not None
    ]
    return Given(photos, table)


def _decoded(models: Models, paths: Sequence[Path], most: int, say: Say, hint: str) -> Iterator[pa.Table]:
    """Yield photos decoded, a few at a time, until there are `most`: no others are decoded.

    What can't be read on the way is told. Raises PhotosUnusable where nothing can.
    """
    waiting, decode, found = _identified(paths, say), _ready(models, Decode), 0
    while waiting and found < most:
        count = min(_AT_ONCE, most - found)
        rows, waiting = waiting[:count], waiting[count:]
        table = decode(_table(rows))
        reasons = [failure and failure["reason"] for failure in table["failure"].to_pylist()]
        for (_, path, _), reason in zip(rows, reasons, strict=True):
            if reason:
                say(f"{to_text(path.name)} is left out: {reason}")
        usable = [row for row, reason in enumerate(reasons) if not reason]
        found += len(usable)
        if usable:
            yield table.take(usable)
    if not found:
        where, count = to_text(paths[0].parent), len(paths)
        what = to_text(paths[0]) if count == 1 else f"any of the {count} photos in {where}"
        raise PhotosUnusable(f"can't read {what}", hint)
    if waiting:
        say(f"{found + len(waiting)} photos are more than are needed: the first {most} by name are used")


def _table(rows: Sequence[_Row]) -> pa.Table:
    """What the decode stage needs."""
    return pa.table(
        {
            "photo_id": pa.array([photo for photo, _, _ in rows], pa.string()),
            "path": pa.array([to_text(path) for _, path, _ in rows], pa.string()),
            "size": pa.array([size for *_, size in rows], pa.int64()),
        }
    )


def _identified(paths: Sequence[Path], say: Say) -> list[_Row]:
    """Each photo, of exact copies the first; what can't be opened is told."""
    rows: dict[str, _Row] = {}
    for path in paths:
        try:
            photo = photo_id(path)
            rows.setdefault(photo, (photo, path, path.stat().st_size))
        except OSError as error:
            say(f"{to_text(path.name)} is left out: it can't be opened: {error.strerror}")
    return list(rows.values())


def find_faces(models: Models, given: Given) -> list[Face]:
    """Every face that a recogniser can tell from others; none where the pack has no face models."""
    if not any(stage.name == Faces.name for stage in models.stages):
        return []
    found = []
    for photo, faces in enumerate(_ready(models, Faces)(given.table)["faces"].to_pylist()):
        for face in faces or []:
            if face["embedding"]:
                vector = np.frombuffer(face["embedding"], np.float16, FACE_DIM).astype(np.float32)
                box = (face["x0"], face["y0"], face["x1"], face["y1"])
                found.append(Face(photo, box, vector / np.linalg.norm(vector)))
    return found


def clip_features(models: Models, given: Given) -> NDArray[np.float32]:
    """CLIP features (photos, dimensions), unit rows. Raises UsageProblem where the pack has no CLIP."""
    return _features(models, [given.table])


def read_features(models: Models, folder: Path, most: int, say: Say, hint: str) -> NDArray[np.float32]:
    """CLIP features of the first `most` photos of a folder, as `read_photos` reads them; keeps no picture."""
    return _features(models, _decoded(models, _listed(folder, hint), most, say, hint))


def _features(models: Models, tables: Iterable[pa.Table]) -> NDArray[np.float32]:
    if not any(stage.name == Clip.name for stage in models.stages):
        raise UsageProblem(
            f"the model pack {models.pack.name} has no CLIP model, which objects need",
            "choose another: --models",
        )
    clip = _ready(models, Clip)
    packed = [row for table in tables for row in clip(table)["clip"].to_pylist() if row]
    features = np.stack([np.frombuffer(row, np.float16) for row in packed]).astype(np.float32)
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def stage_of(models: Models, kind: type[Stage]) -> Stage:
    """The pack's stage of that kind."""
    return next(stage for stage in models.stages if stage.name == kind.name)


def _ready(models: Models, kind: type[Stage]) -> Callable[[pa.Table], pa.Table]:
    """A stage of the pack's, its model loaded."""
    import torch

    stage = copy(stage_of(models, kind))
    if isinstance(stage, Clip | Faces):
        stage.threads = torch.get_num_threads()  # a run has a worker for each core; here all are this one's

    def run(table: pa.Table) -> pa.Table:
        with _quiet():
            return stage(table)

    with _quiet():
        stage.setup()
    return run


def _listed(folder: Path, hint: str) -> Sequence[Path]:
    if not folder.is_dir():
        raise UsageProblem(f"there is no folder {to_text(folder)}", hint)
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_file() and path.name[0] != ".")
    except OSError as error:
        raise UsageProblem(f"{to_text(folder)} can't be listed: {error.strerror}") from error
    photos = [path for path in paths if named_like_photo(path.name)]
    if not photos:
        raise PhotosUnusable(f"there is no photo in {to_text(folder)}", hint)
    return photos
