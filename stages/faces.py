"""The faces stage: where faces are in a picture, and what each looks like to a recogniser.

Detection and recognition are insightface's `FaceAnalysis` on the folder of a model pack. Whose face it is, is
decided by the concept heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from ..schemas.errors import ModelDamaged
from ..schemas.tables import FACE, FAILURE
from .base import Stage, with_failures
from .images import IMAGE_FIELDS, Image, from_table
from .packs import Model, locate

_CROPS = 64  # faces through the recogniser at once


@dataclass
class _Found:
    """The faces of one picture, best first, in the picture's own pixels."""

    boxes: np.ndarray  # (n, 5): x0, y0, x1, y1, score
    landmarks: np.ndarray | None  # (n, 5, 2)


class Faces(Stage):
    """Find the faces of each photo. No faces is an empty list; null means that the photo has failed."""

    name: ClassVar[str] = "faces"
    needs: ClassVar[pa.Schema] = pa.schema(
        [
            *IMAGE_FIELDS,
            pa.field("width", pa.int32()),
            pa.field("height", pa.int32()),
            pa.field("failure", FAILURE),
        ]
    )
    gives: ClassVar[pa.Schema] = pa.schema([pa.field("faces", pa.list_(FACE))])
    gpus: ClassVar[float] = 0.25
    batch_size: ClassVar[int] = 16

    def __init__(self, model: Model, home: Path, fingerprint: str, threads: int = 1) -> None:
        """Use a pack's ONNX models, whose content `fingerprint` names, on so many `threads`.

        Of the model's settings, `sizes` are the squares (pixels) that pictures are fitted into, a large one
        for small faces and a small one for faces that fill the photo, and `threshold` is the least score.
        """
        self.model = model
        self.home = home
        self.fingerprint = fingerprint
        self.threads = threads
        self.sizes: list[int] = list(model.settings.get("sizes", (128, 640)))
        self.threshold = float(model.settings.get("threshold", 0.5))

    @property
    def made_by(self) -> str:
        """The model's content, the sizes it looks at and its threshold."""
        return f"faces {self.fingerprint} at {'+'.join(map(str, self.sizes))} from {self.threshold:g}"

    def prepare_node(self) -> None:
        """Raise ModelMissing where this machine doesn't see the models; insightface would try to download."""
        locate(self.model, self.home)

    def setup(self) -> None:
        """Load detector and recogniser; without a recogniser, embeddings are null."""
        import cv2

        cv2.setNumThreads(self.threads)
        models = _load(locate(self.model, self.home), self.sizes, self.threshold, self.threads)
        self._detector = models["detection"]
        self._recogniser: Any = models.get("recognition")

    def __call__(self, table: pa.Table) -> pa.Table:
        """Add the column `faces`: boxes and landmarks in pixels of the original photo, upright."""
        found: list[_Found | None] = []
        crops: list[Image] = []
        owners: list[tuple[int, int]] = []  # row and face of each crop
        reasons: dict[int, str] = {}
        for row, image in enumerate(from_table(table)):
            try:
                found.append(None if image is None else self._detect(image, row, crops, owners))
            except Exception as error:  # one odd picture must not cost the others
                found.append(None)
                reasons[row] = f"looking for faces failed: {type(error).__name__}: {error}"
        embeddings = dict(zip(owners, self._embed(crops), strict=True))
        scales = _scales(table)
        rows = [
            None if faces is None else _rows(faces, scales[row], row, embeddings)
            for row, faces in enumerate(found)
        ]
        table = table.append_column(self.gives.field("faces"), pa.array(rows, self.gives.field("faces").type))
        return with_failures(table, self.name, reasons)

    def _detect(self, image: Image, row: int, crops: list[Image], owners: list[tuple[int, int]]) -> _Found:
        """Find the faces of one picture, and cut out those that the recogniser is to see."""
        height, width = image.shape[:2]
        side = max(self.sizes)
        if min(height, width) * min(self.sizes) < max(height, width):
            return _Found(np.empty((0, 5)), None)  # in so narrow a strip the detector sees nothing
        scale = max(height, width) / side
        boxes, landmarks = self._detector.detect(_letterbox(image, side))
        boxes = boxes.astype(np.float32)
        boxes[:, :4] *= scale
        boxes[:, [0, 2]] = boxes[:, [0, 2]].clip(0, width)
        boxes[:, [1, 3]] = boxes[:, [1, 3]].clip(0, height)
        keep = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]) & np.isfinite(boxes).all(axis=1)
        found = _Found(boxes[keep], None if landmarks is None else landmarks[keep] * scale)
        if self._recogniser is not None and found.landmarks is not None:
            for face, points in enumerate(found.landmarks):
                crop = _align(image, points, self._recogniser.input_size[0])
                if crop is not None:
                    crops.append(crop)
                    owners.append((row, face))
        return found

    def _embed(self, crops: Sequence[Image]) -> list[bytes | None]:
        """L2-normalised float16 embeddings of aligned crops (BGR)."""
        if not crops:
            return []
        fixed = isinstance(self._recogniser.input_shape[0], int)
        size = self._recogniser.input_shape[0] if fixed else _CROPS
        features = [
            self._recogniser.get_feat(list(crops[start : start + size]))
            for start in range(0, len(crops), size)
        ]
        embeddings = np.concatenate(features).astype(np.float32)
        norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
        usable = (np.isfinite(norms) & (norms > 0))[:, 0]
        packed = (embeddings / np.where(usable[:, None], norms, 1)).astype(np.float16)
        return [vector.tobytes() if fine else None for vector, fine in zip(packed, usable, strict=True)]


def _load(folder: Path, sizes: Sequence[int], threshold: float, threads: int) -> dict[str, Any]:
    """The folder's insightface models by task, ready to run."""
    import onnxruntime
    from insightface.app import FaceAnalysis

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads sleep
    gpu = "CUDAExecutionProvider"
    providers = [gpu] if gpu in onnxruntime.get_available_providers() else []
    try:
        analysis = FaceAnalysis(
            name=str(folder),
            allowed_modules=["detection", "recognition"],
            providers=[*providers, "CPUExecutionProvider"],
            sess_options=options,
        )
    except Exception as error:  # onnxruntime and insightface raise their own kinds, and AssertionError
        words = str(error).strip().splitlines() or ["there is no detector among them"]
        cause = f"the face models in {folder} can't be loaded: {words[0]}"
        raise ModelDamaged(cause, "check them with: myvlm-tag models verify") from error
    # ctx_id 0 keeps the providers given above; -1 would load every model again.
    analysis.prepare(ctx_id=0, det_thresh=threshold, det_size=[(size, size) for size in sizes])
    return analysis.models


def _letterbox(image: Image, side: int) -> Image:
    """The picture as the detector's own code would prepare it: BGR, in the upper left of a black square.

    Done here because only the square's pixels then have to change their order, and the smaller sizes start
    from a picture that is small already.
    """
    import cv2

    height, width = image.shape[:2]
    scale = side / max(height, width)
    square = np.zeros((side, side, 3), np.uint8)
    fitted = cv2.resize(image, (max(1, int(width * scale)), max(1, int(height * scale))))
    square[: fitted.shape[0], : fitted.shape[1]] = fitted[..., ::-1]
    return square


def _align(image: Image, landmarks: np.ndarray, size: int) -> Image | None:
    """The face, BGR, turned and scaled to where the recogniser expects eyes, nose and mouth."""
    from insightface.utils import face_align

    crop, matrix = face_align.norm_crop2(image, landmarks, image_size=size)
    return np.ascontiguousarray(crop[..., ::-1]) if np.isfinite(matrix).all() else None


def _scales(table: pa.Table) -> list[tuple[float, float]]:
    """Original pixels per pixel of the decoded picture, across and down."""
    columns = [table[name].to_pylist() for name in ("width", "image_width", "height", "image_height")]
    return [
        (1.0, 1.0) if None in sizes else (sizes[0] / sizes[1], sizes[2] / sizes[3])
        for sizes in zip(*columns, strict=True)
    ]


def _rows(
    found: _Found, scale: tuple[float, float], row: int, embeddings: dict[tuple[int, int], bytes | None]
) -> list[dict[str, Any]]:
    boxes = found.boxes[:, :4] * np.array([*scale, *scale], np.float32)
    landmarks = None if found.landmarks is None else (found.landmarks * np.array(scale)).reshape(-1, 10)
    return [
        {
            **dict(zip(("x0", "y0", "x1", "y1"), map(float, box), strict=True)),
            "score": float(found.boxes[face, 4]),
            "landmarks": None if landmarks is None else landmarks[face].tolist(),
            "embedding": embeddings.get((row, face)),
        }
        for face, box in enumerate(boxes)
    ]
