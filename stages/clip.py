"""The CLIP stage: one L2-normalised vector per photo, and the text tower that turns a query into such a vector.

Any open_clip model in a folder of its published layout (`open_clip_config.json`, safetensors, tokenizer files if
it has its own). Searching vectors is `index.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from PIL import Image as PillowImage

from ..schemas.errors import ModelDamaged, ModelMissing
from ..schemas.tables import FAILURE
from .base import Stage, with_failures
from .images import IMAGE_FIELDS, Image, from_table

CONFIG = "open_clip_config.json"


class Clip(Stage):
    """Add the column `clip`: the photo's embedding as float16 bytes; null where the photo has failed."""

    name: ClassVar[str] = "clip"
    needs: ClassVar[pa.Schema] = pa.schema([*IMAGE_FIELDS, pa.field("failure", FAILURE)])
    gives: ClassVar[pa.Schema] = pa.schema([pa.field("clip", pa.binary())])
    gpus: ClassVar[float] = 0.5
    batch_size: ClassVar[int] = 16

    def __init__(self, folder: Path, fingerprint: str, threads: int = 1) -> None:
        """Use the open_clip model in `folder`, whose content `fingerprint` names, on so many `threads`."""
        self.folder = folder
        self.fingerprint = fingerprint
        self.threads = threads

    @property
    def made_by(self) -> str:
        """The model's content."""
        return f"clip {self.fingerprint}"

    def prepare_node(self) -> None:
        """Raise ModelMissing where this machine does not see the model."""
        _check_folder(self.folder)

    def setup(self) -> None:
        """Load the image tower."""
        import torch

        torch.set_num_threads(self.threads)
        self._tower = ImageTower(self.folder)

    def __call__(self, table: pa.Table) -> pa.Table:
        """Encode all pictures of the batch at once."""
        inputs: list[Image] = []
        rows: list[int] = []
        for row, image in enumerate(from_table(table)):
            if image is not None:
                inputs.append(self._tower.fit(image))
                rows.append(row)
        vectors = self._tower.encode(inputs).astype(np.float16)
        usable = np.isfinite(vectors).all(axis=1) & vectors.any(axis=1)
        embeddings: list[bytes | None] = [None] * table.num_rows
        for row, vector, fine in zip(rows, vectors, usable, strict=True):
            embeddings[row] = vector.tobytes() if fine else None
        empty = {
            row: "the CLIP model gave no usable vector"
            for row, fine in zip(rows, usable, strict=True)
            if not fine
        }
        table = table.append_column(self.gives.field("clip"), pa.array(embeddings, pa.binary()))
        return with_failures(table, self.name, empty)


class ImageTower:
    """An open_clip model's image side: pictures in, unit vectors out."""

    def __init__(self, folder: Path, precision: str = "") -> None:
        """Load onto the GPU if there is one. `precision` is open_clip's; by default the fastest that is safe."""
        import torch
        from open_clip.transform import PreprocessCfg

        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.precision = precision or _best_precision(self.device)
        model = _load(folder, self.precision, self.device)
        model.eval()
        self._model = model
        self._config = PreprocessCfg(**model.visual.preprocess_cfg)
        size = self._config.size
        self.size: tuple[int, int] = (size, size) if isinstance(size, int) else tuple(size)  # height, width
        scale = 1 / (255 * torch.tensor(self._config.std, device=self.device))
        shift = torch.tensor(self._config.mean, device=self.device) / torch.tensor(
            self._config.std, device=self.device
        )
        self._scale, self._shift = scale.view(1, 3, 1, 1), shift.view(1, 3, 1, 1)

    def fit(self, image: Image) -> Image:
        """Bring a picture to the model's input size as the model's own preprocessing does.

        The same resampling, after a cheap reduction to no less than twice the final size.
        """
        picture = PillowImage.fromarray(image)
        height, width = self.size
        mode = self._config.resize_mode
        if mode == "squash":
            return np.asarray(self._resize(picture, width, height))
        ratios = (width / picture.width, height / picture.height)
        ratio = max(ratios) if mode == "shortest" else min(ratios)
        # The rounding of torchvision's Resize and of open_clip's ResizeKeepRatio.
        rounded = int if mode == "shortest" else round
        scaled = self._resize(
            picture, max(1, rounded(picture.width * ratio)), max(1, rounded(picture.height * ratio))
        )
        left, top = round((scaled.width - width) / 2), round((scaled.height - height) / 2)
        if mode == "shortest":
            return np.asarray(scaled.crop((left, top, left + width, top + height)))
        canvas = PillowImage.new("RGB", (width, height), (self._config.fill_color,) * 3)
        canvas.paste(scaled, (-left, -top))
        return np.asarray(canvas)

    def _resize(self, picture: PillowImage.Image, width: int, height: int) -> PillowImage.Image:
        bilinear = self._config.interpolation == "bilinear"
        method = PillowImage.Resampling.BILINEAR if bilinear else PillowImage.Resampling.BICUBIC
        return picture.resize((width, height), method, reducing_gap=2.0)

    def encode(self, inputs: Sequence[Image]) -> np.ndarray:
        """Unit vectors (n, dimensions), float32, for pictures that went through `fit`."""
        import torch

        if not inputs:
            return np.empty((0, 1), np.float32)
        with torch.inference_mode():
            batch = torch.from_numpy(np.stack(inputs)).to(self.device).permute(0, 3, 1, 2)
            batch = batch.float() * self._scale - self._shift
            features = self._model.encode_image(batch.to(_input_type(self.precision)))
            return torch.nn.functional.normalize(features.float(), dim=-1).cpu().numpy()


class TextTower:
    """An open_clip model's text side, for queries; on the CPU, since a query is one sentence."""

    def __init__(self, folder: Path) -> None:
        """Load model and tokenizer."""
        import open_clip

        self._model = _load(folder, "fp32", "cpu")
        self._model.eval()
        self._tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")

    def encode(self, sentences: Sequence[str]) -> np.ndarray:
        """Unit vectors (n, dimensions), float32, in the space of the image tower's."""
        import torch

        with torch.inference_mode():
            features = self._model.encode_text(self._tokenizer(list(sentences)))
            return torch.nn.functional.normalize(features.float(), dim=-1).numpy()


def _check_folder(folder: Path) -> None:
    if not (folder / CONFIG).is_file() or not any(folder.glob("*.safetensors")):
        raise ModelMissing(
            f"there is no CLIP model ({CONFIG}, *.safetensors) in {folder}", "myvlm-tag models pull"
        )


def _load(folder: Path, precision: str, device: str) -> Any:
    _check_folder(folder)
    import open_clip

    try:
        return open_clip.create_model(f"local-dir:{folder}", precision=precision, device=device)
    except Exception as error:  # open_clip, safetensors and torch each raise their own kinds
        words = str(error).strip().splitlines() or [type(error).__name__]
        cause = f"the CLIP model in {folder} can't be loaded: {words[0][:200]}"
        raise ModelDamaged(cause, "check it with: myvlm-tag models verify") from error


def _best_precision(device: str) -> str:
    """16-bit where the hardware multiplies it, else 32-bit; the embeddings' cosine stays above 0.999."""
    import torch

    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    return "bf16" if torch.cpu._is_avx512_bf16_supported() else "fp32"


def _input_type(precision: str) -> Any:
    import torch

    return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
