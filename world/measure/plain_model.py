"""The household's vision-language model, asked directly: what it says with concept vectors, and what without.

The command line speaks only of what it learnt; what the plain model would have said of the same photos has to
be asked of the adapter, and of the stock model behind it. What does not live here: who is right (`judge.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from PIL import Image as PillowImage
from transformers import AutoModelForImageTextToText, AutoProcessor

from ...pipeline.concepts import Concepts
from ...pipeline.models import load_models
from ...schemas.paths import from_text
from ...schemas.settings import Settings, load_settings
from ...stages.codecs import Limits, read_photo
from ...stages.images import Image
from ...stages.packs import locate
from ...stages.vlm import families
from ...stages.vlm.base import Adapter, Features, Vectors
from ...stages.vlm.words import CAPTION, NAMED_CAPTION
from .household import Household
from .judge import Photo

_TOKENS = 64


class PlainModel:
    """The model that a household's concepts were learnt with."""

    def __init__(self, household: Household) -> None:
        """Load the adapter."""
        self._settings: Settings = load_settings({"home": household.home})
        self._model = families.choose(load_models(self._settings).pack)
        self._adapter: Adapter = families.load(self._model, household.home, "measured")
        store = Concepts(household.home)
        kept = [store.load(concept.name) for concept in store.all()]
        self.identifiers = {one.concept.name: one.concept.identifier for one in kept}
        self._vectors = {one.concept.name: self._adapter.vector(one.vectors[self._model.key]) for one in kept}
        self._encoded: dict[str, Features] = {}

    def captions(self, photos: Sequence[Photo]) -> list[str]:
        """What the plain model says of each photo, unasked for anybody."""
        return self._say(photos, [[]] * len(photos), [CAPTION] * len(photos))

    def named_captions(self, photos: Sequence[Photo], names: Sequence[str], vectors: bool) -> list[str]:
        """Captions by the paper's instruction, which says the identifier; with its vector or not.."""
        own = [[self._vectors[name]] if vectors else [] for name in names]
        return self._say(photos, own, [NAMED_CAPTION.format(self.identifiers[name]) for name in names])

    def beside(self, photos: Sequence[Photo], others: Sequence[Photo]) -> list[str]:
        """What the adapter says of `photos` without a vector, in batches with `others` that have some."""
        rows = [photo for pair in zip(photos, others, strict=False) for photo in pair]
        rows += photos[len(rows) // 2 :]
        vectors = [[self._vectors[name] for name in photo.hits] for photo in rows]
        said = dict(zip((photo.photo_id for photo in rows), self._say(rows, vectors), strict=True))
        return [said[photo.photo_id] for photo in photos]

    def stock_captions(self, photos: Sequence[Photo]) -> list[str]:
        """What the model says when it is used as its makers describe: processor, `generate`, decode."""
        model, processor = self._stock
        content = [{"type": "image"}, {"type": "text", "text": CAPTION}]
        chat = [{"role": "user", "content": content}]
        prompt = processor.apply_chat_template(chat, add_generation_prompt=True)
        said = []
        for photo in photos:
            picture = PillowImage.fromarray(self._image(photo))
            inputs = processor(images=picture, text=prompt, return_tensors="pt")
            with torch.inference_mode():
                made = model.generate(**inputs, do_sample=False, max_new_tokens=_TOKENS)
            words = made[0, inputs["input_ids"].shape[1] :]
            said.append(str(processor.decode(words, skip_special_tokens=True)).strip())
        return said

    @cached_property
    def _stock(self) -> tuple[Any, Any]:
        folder = locate(self._model, self._settings.home)
        model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
        return model, AutoProcessor.from_pretrained(folder)

    def _say(
        self, photos: Sequence[Photo], vectors: Sequence[Vectors], prompts: Sequence[str] | None = None
    ) -> list[str]:
        features = [self._features(photo) for photo in photos]
        return self._adapter.generate(features, vectors, prompts or [CAPTION] * len(photos), _TOKENS)

    def _features(self, photo: Photo) -> Features:
        if photo.photo_id not in self._encoded:
            self._encoded[photo.photo_id] = self._adapter.encode([self._image(photo)])[0]
        return self._encoded[photo.photo_id]

    def _image(self, photo: Photo) -> Image:
        return read_photo(from_text(photo.path), Limits(decode_side=self._settings.decode_side)).image
