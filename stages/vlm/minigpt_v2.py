"""MyVLM over MiniGPT-v2: concept vectors stand between the photo and `</Img>`, as long as the photo's [CLS].

How vectors, prompts and answers are put together is `decoder.py`'s; the model is `minigpt_v2_model.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from PIL import Image as PillowImage

from ...schemas.errors import ModelMissing
from ...schemas.paths import to_text
from ..images import Image
from .base import Features
from .decoder import Decoder
from .language import LOCAL
from .minigpt_v2_model import MiniGPTv2ForConditionalGeneration, MiniGPTv2Processor
from .minigpt_v2_published import in_parts
from .recipe import Recipe
from .wording import MINIGPT_V2, Wording


class MiniGPTv2(Decoder):
    """MiniGPT-v2 in a folder of the layout that transformers saves."""

    title = "MiniGPT-v2"
    wording: ClassVar[Wording] = MINIGPT_V2
    recipe = Recipe(steps=200, attention=1.0)  # MyVLM, appendix B.2

    def __init__(self, folder: Path, made_by: str, dtype: torch.dtype | None = None) -> None:
        """Load the model as `Decoder` does. Raises ModelMissing or ModelDamaged."""
        if in_parts(folder):
            where = to_text(folder)
            raise ModelMissing(
                f"the MiniGPT-v2 in {where} is in parts",
                f"put them together with: myvlm-tag models convert {where}",
            )
        super().__init__(folder, made_by, dtype)

    @staticmethod
    def read(folder: Path, dtype: Any) -> tuple[Any, Any]:
        """The model and its processor."""
        model = MiniGPTv2ForConditionalGeneration.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, **LOCAL
        )
        return model, MiniGPTv2Processor.from_pretrained(folder, **LOCAL)

    @torch.no_grad()
    def encode(self, images: Sequence[Image]) -> list[Features]:
        """Encode photos: joined and projected patch features, and the norm of the vision tower's [CLS]."""
        if not images:
            return []
        pictures = [PillowImage.fromarray(image) for image in images]
        made = self._processor.image_processor(pictures, return_tensors="pt").to(self.device)
        return self._features(self._model.get_image_features(made["pixel_values"].to(self._model.dtype)))
