"""MyVLM over LLaVA: concept vectors stand right behind the image tokens, with the norm of the photo's [CLS].

Works on the stock `LlavaForConditionalGeneration` (1.5) and `LlavaNextForConditionalGeneration` (1.6), by
composing what they make public. How vectors, prompts and answers are put together is `decoder.py`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from PIL import Image as PillowImage
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoProcessor,
    LlavaForConditionalGeneration,
    LlavaNextForConditionalGeneration,
)
from transformers.models.llava_next.modeling_llava_next import image_size_to_num_patches

from ..images import Image
from .base import Features
from .decoder import Decoder
from .language import LOCAL
from .wording import LLAVA, Wording

_CLASSES = {"llava": LlavaForConditionalGeneration, "llava_next": LlavaNextForConditionalGeneration}


class Llava(Decoder):
    """LLaVA-1.5 or 1.6 in a folder of the layout that transformers publishes."""

    title = "LLaVA"
    wording: ClassVar[Wording] = LLAVA

    @staticmethod
    def read(folder: Path, dtype: Any) -> tuple[Any, Any]:
        """The stock model, and its processor."""
        kind = _CLASSES[AutoConfig.from_pretrained(folder, **LOCAL).model_type]
        model = kind.from_pretrained(folder, dtype=dtype, use_safetensors=True, **LOCAL)
        return model, AutoProcessor.from_pretrained(folder, **LOCAL)

    @torch.no_grad()
    def encode(self, images: Sequence[Image]) -> list[Features]:
        """Encode photos: projected patch features, and the norm of the vision tower's [CLS]."""
        if not images:
            return []
        pictures = [PillowImage.fromarray(image) for image in images]
        made = self._processor.image_processor(pictures, return_tensors="pt").to(self.device)
        made["pixel_values"] = made["pixel_values"].to(self._model.dtype)
        found = self._model.get_image_features(**made, return_dict=True)
        first = [0]  # which rows of the tower's output show whole photos
        for size in made.get("image_sizes", [None] * len(images))[:-1]:
            first.append(first[-1] + (1 if size is None else self._tiles(size)))
        return self._features(found, first)

    def _tiles(self, size: Tensor) -> int:
        """How many pictures LLaVA-1.6 makes of a photo: the whole, and its tiles."""
        config = self._model.config
        return int(
            image_size_to_num_patches(size, config.image_grid_pinpoints, config.vision_config.image_size)
        )
