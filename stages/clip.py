"""The CLIP stage: a unit vector per photo, and the text tower that turns a query into such a vector.

Any open_clip model in a folder of its published layout: `open_clip_config.json`, safetensors, and tokenizer
files if it has its own. Searching vectors is `index.py`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from PIL import Image as PillowImage

from ..schemas.errors import ModelDamaged
from ..schemas.tables import FAILURE
from .base import Stage, with_failures
from .images import IMAGE_FIELDS, Image, from_table
from .packs import Model, locate

#: Models that look at the center only are given no more than this many times the shorter side: scaled up by
#: that side, a picture of 2000 x 1 pixels would fill the memory.
_ASPECT = 8


class Clip(Stage):
    """Add the column `clip`: the photo's embedding as float16 bytes; null where the photo has failed."""

    name: ClassVar[str] = "clip"
    needs: ClassVar[pa.Schema] = pa.schema([*IMAGE_FIELDS, pa.field("failure", FAILURE)])
    gives: ClassVar[pa.Schema] = pa.schema([pa.field("clip", pa.binary())])
    gpus: ClassVar[float] = 0.5
    batch_size: ClassVar[int] = 16

    def __init__(self, model: Model, home: Path, fingerprint: str, threads: int = 1) -> None:
        """Use a pack's open_clip model, whose content `fingerprint` names, on so many `threads`."""
        self.model = model
        self.home = home
        self.fingerprint = fingerprint
        self.threads = threads

    @property
    def made_by(self) -> str:
        """The model's content."""
        return f"clip {self.fingerprint}"

    def prepare_node(self) -> None:
        """Raise ModelMissing where this machine does not see the model."""
        locate(self.model, self.home)

    def setup(self) -> None:
        """Load the image tower."""
        import torch

        torch.set_num_threads(self.threads)
        self._tower = ImageTower(locate(self.model, self.home))

    def __call__(self, table: pa.Table) -> pa.Table:
        """Encode all pictures of the batch at once."""
        images = from_table(table)
        rows = [row for row, image in enumerate(images) if image is not None]
        vectors = self._tower.encode([self._tower.fit(image) for image in images if image is not None])
        embeddings: list[bytes | None] = [None] * table.num_rows
        unusable: dict[int, str] = {}
        for row, vector in zip(rows, vectors.astype(np.float16), strict=True):
            if np.isfinite(vector).all() and vector.any():
                embeddings[row] = vector.tobytes()
            else:
                unusable[row] = "the CLIP model gave no usable vector"
        table = table.append_column(self.gives.field("clip"), pa.array(embeddings, pa.binary()))
        return with_failures(table, self.name, unusable)


class ImageTower:
    """An open_clip model's image side: pictures in, unit vectors out."""

    def __init__(self, folder: Path, precision: str = "") -> None:
        """Load, onto a GPU if there is one. `precision` is open_clip's; by default the fastest safe one."""
        import torch
        from open_clip.transform import PreprocessCfg, image_transform_v2

        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.precision = precision or _best_precision(self.device)
        model = _load(folder, self.precision, self.device)
        model.eval()
        self._model = model
        config = PreprocessCfg(**model.visual.preprocess_cfg)
        self._preprocess = image_transform_v2(config, is_train=False)
        self._keeps_center = config.resize_mode == "shortest"
        self._side = max(config.size) if isinstance(config.size, tuple | list) else config.size

    def fit(self, image: Image) -> Any:
        """The model's own preprocessing, a float32 tensor (3, height, width), after a cheap reduction.

        The reduction averages whole blocks of pixels and leaves at least twice the model's side.
        """
        if self._keeps_center:
            image = _center(image, longest=_ASPECT * min(image.shape[:2]))
        picture = PillowImage.fromarray(image)
        factor = min(picture.size) // (2 * self._side)
        return self._preprocess(picture.reduce(factor) if factor > 1 else picture)

    def encode(self, inputs: Sequence[Any]) -> np.ndarray:
        """Unit vectors (n, dimensions), float32, for pictures that went through `fit`."""
        import torch

        if not inputs:
            return np.empty((0, 1), np.float32)
        with torch.inference_mode():
            batch = torch.stack(list(inputs)).to(self.device, _input_type(self.precision))
            features = self._model.encode_image(batch)
            return torch.nn.functional.normalize(features.float(), dim=-1).cpu().numpy()


class TextTower:
    """An open_clip model's text side, for queries; on the CPU, since a query is one sentence."""

    def __init__(self, folder: Path) -> None:
        """Load model and tokenizer."""
        import open_clip

        self._model = _load(folder, "fp32", "cpu")
        self._model.eval()
        config = json.loads((folder / "open_clip_config.json").read_text("utf-8"))
        # Hugging Face's tokenizers alone may bring code along; open_clip's own don't know the word.
        named = config["model_cfg"]["text_cfg"].get("hf_tokenizer_name")
        wary = {"trust_remote_code": False} if named else {}
        self._tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}", **wary)

    def encode(self, sentences: Sequence[str]) -> np.ndarray:
        """Unit vectors (n, dimensions), float32, in the space of the image tower's."""
        import torch

        with torch.inference_mode():
            features = self._model.encode_text(self._tokenizer(list(sentences)))
            return torch.nn.functional.normalize(features.float(), dim=-1).numpy()


def _center(image: Image, longest: int) -> Image:
    """Cut the ends off a picture that is longer than `longest`."""
    height, width = (min(length, longest) for length in image.shape[:2])
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return np.ascontiguousarray(image[top : top + height, left : left + width])


def _load(folder: Path, precision: str, device: str) -> Any:
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
    multiplies_bf16 = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return "bf16" if multiplies_bf16() else "fp32"


def _input_type(precision: str) -> Any:
    import torch

    return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
