"""MyVLM over any model that is one decoder over image tokens and words: vectors stand right behind the image.

All that stands before a concept vector, the photo above all, doesn't depend on it; its keys and values are
computed once per photo, and learning steps and prompts run only what stands behind (`prefix.py`). Which
model it is, and how a photo becomes tokens, is said by its adapter (`llava.py`, `minigpt_v2.py`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize
from transformers import GenerationConfig

from .base import IGNORED, Adapter, Features, Inputs, Losses, Sampling, Vectors
from .batches import batches
from .language import drawing, load_pretrained, token_cost, words_loss
from .places import Box
from .prefix import Prefixes, pad_left

_ROWS = 96  # prompts generated for at once
_KNOWN_PROMPTS = 4096  # whose tokens are kept


class Decoder(Adapter):
    """A transformers model with a processor, `<image>` standing in its chat template once."""

    title: str  # as people write it

    def __init__(self, folder: Path, made_by: str, dtype: torch.dtype | None = None) -> None:
        """Load the model, onto a GPU if there is one; `dtype` instead of the one that suits the device.

        `made_by` names it in what is derived by it. Raises ModelMissing or ModelDamaged.
        """
        self.made_by = made_by
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model, self._processor = load_pretrained(folder, self.title, self.read, self.device, dtype)
        self._tokenizer = self._processor.tokenizer
        self._embed = self._model.get_input_embeddings()
        self._known: dict[str, tuple[Tensor, Tensor]] = {}
        before, _ = self._split("?")
        self._prefixes = Prefixes(self._model, self._embed(before))

    @staticmethod
    @abstractmethod
    def read(folder: Path, dtype: Any) -> tuple[Any, Any]:
        """The model and its processor from a folder."""

    @property
    def width(self) -> int:
        """The language model's hidden size."""
        return int(self._embed.weight.shape[1])

    def _features(self, found: Any, first: Sequence[int] | slice = slice(None)) -> list[Features]:
        """Photos from what `get_image_features` gives; `first` are the tower's rows that show them whole."""
        norms = found.last_hidden_state[first, 0].float().norm(dim=-1)
        return [
            Features(tokens, float(norm)) for tokens, norm in zip(found.pooler_output, norms, strict=True)
        ]

    def vector(self, values: NDArray[np.floating]) -> Tensor:
        """A kept concept vector on the model's device."""
        return torch.from_numpy(np.asarray(values, np.float32)).to(self.device)

    def inputs(
        self,
        features: Sequence[Features],
        vectors: Sequence[Vectors],
        prompts: Sequence[str],
        targets: Sequence[str] | None = None,
    ) -> Inputs:
        """Put together what stands behind the image: concept vectors, the rest of the prompt, target."""
        rows, concepts, labels = [], [], []
        for index, (photo, own, prompt) in enumerate(zip(features, vectors, prompts, strict=True)):
            ids = self._split(prompt)[1]
            target = ids[:0] if targets is None else self._target(targets[index])
            words = self._embed(torch.cat([ids, target]))
            placed = [normalize(vector, dim=0)[None] * photo.norm for vector in own]
            rows.append(torch.cat([*(vector.to(words) for vector in placed), words]))
            concepts.append(_flags(len(rows[-1]), 0, len(placed), self.device))
            unlabelled = torch.full((len(placed) + len(ids),), IGNORED, device=self.device)
            labels.append(torch.cat([unlabelled, target]))
        mask = [torch.ones(len(row), dtype=torch.long, device=self.device) for row in rows]
        return Inputs(features, pad_left(rows), pad_left(mask), pad_left(concepts), pad_left(labels, IGNORED))

    def loss(self, inputs: Inputs, attention: bool = True) -> Losses:
        """Cross entropy of the targets, and the attention that the words behind give to the concept vectors.

        Image tokens stand before the vectors and can't see them, so only words are counted there.
        """
        cache, mask = self._prefixes.cache(inputs.features)
        self._model.set_attn_implementation("eager" if attention else "sdpa")
        mask = torch.cat([mask, inputs.mask], dim=1)
        longest = int((inputs.labels != IGNORED).sum(1).max())
        made = self._model(
            inputs_embeds=inputs.embeds,
            attention_mask=mask,
            position_ids=_positions(mask)[:, -inputs.embeds.shape[1] :],
            past_key_values=cache,
            output_attentions=attention,
            logits_to_keep=longest + 1,
        )
        labels = inputs.labels[:, -longest:]
        words = words_loss(made.logits[:, :-1], labels)
        return Losses(words, _attention(made.attentions, inputs) if attention else words.new_zeros(()))

    @torch.no_grad()
    def generate(
        self,
        features: Sequence[Features],
        vectors: Sequence[Vectors],
        prompts: Sequence[str],
        max_new_tokens: int = 512,
        sampling: Sampling | None = None,
    ) -> list[str]:
        """Answer each prompt; rows about the same photo go together, and photos of like length."""
        self._model.set_attn_implementation("sdpa")
        if sampling:
            torch.manual_seed(sampling.seed)
        settings = self._settings(max_new_tokens, sampling)
        first = {id(photo): row for row, photo in reversed(list(enumerate(features)))}
        order = sorted(
            range(len(prompts)),
            key=lambda row: (-len(features[row].tokens), first[id(features[row])], len(prompts[row])),
        )
        answers = [""] * len(prompts)
        for batch in batches([features[row] for row in order], self.room.answers, _ROWS):
            rows = [order[place] for place in batch]
            said = self._answer(
                [features[r] for r in rows], [vectors[r] for r in rows], [prompts[r] for r in rows], settings
            )
            for row, text in zip(rows, said, strict=True):
                answers[row] = text
        return answers

    def reply(self, prompts: Sequence[str], max_new_tokens: int = 128) -> list[str]:
        """The same chat with nothing where the photo stands."""
        nothing = Features(self._embed.weight[:0].detach(), 1.0)
        return self.generate([nothing] * len(prompts), [[]] * len(prompts), prompts, max_new_tokens)

    @torch.no_grad()
    def attended(self, features: Features, vector: Tensor) -> NDArray[np.float32]:
        """The attention that the vector itself gives to each image token (MyVLM, figure 3)."""
        inputs = self.inputs([features], [[vector]], [self.wording.to_caption()])
        cache, mask = self._prefixes.cache([features])
        self._model.set_attn_implementation("eager")
        first = mask.shape[1] - len(features.tokens)
        mask = torch.cat([mask, inputs.mask], dim=1)
        made = self._model(
            inputs_embeds=inputs.embeds,
            attention_mask=mask,
            position_ids=_positions(mask)[:, -inputs.embeds.shape[1] :],
            past_key_values=cache,
            output_attentions=True,
            logits_to_keep=1,
        )
        seen = torch.stack([layer[0, :, 0, first:] for layer in made.attentions]).float().mean((0, 1))
        vision = self._model.config.vision_config
        rows = vision.image_size // vision.patch_size
        columns = min(rows, len(features.tokens) // rows)  # fewer where neighbouring patches are joined
        return np.asarray(seen[: rows * columns].reshape(rows, columns).cpu().numpy(), np.float32)

    def window(self, width: int, height: int) -> Box:
        """As the processor cuts or pads a photo; one that makes tiles of it squeezes the whole, too."""
        processor = self._processor.image_processor
        cut = getattr(processor, "do_center_crop", False) and "shortest_edge" in processor.size
        padded = getattr(processor, "do_pad", False)
        if hasattr(processor, "image_grid_pinpoints") or not (cut or padded):
            return (0.0, 0.0, 1.0, 1.0)
        side = max(width, height) if padded else min(width, height)
        wide, high = side / width, side / height
        return ((1 - wide) / 2, (1 - high) / 2, (1 + wide) / 2, (1 + high) / 2)

    def meaning(self, text: str) -> Tensor:
        """The mean of the input embeddings of the words."""
        ids = self._tokenizer(text, add_special_tokens=False).input_ids
        return self._embed(torch.tensor(ids, device=self.device)).float().mean(0)

    def cost(self, word: str) -> int | None:
        """How many tokens `word` is as part of a sentence."""
        return token_cost(self._tokenizer, word)

    def _answer(
        self,
        features: Sequence[Features],
        vectors: Sequence[Vectors],
        prompts: Sequence[str],
        settings: GenerationConfig,
    ) -> list[str]:
        inputs = self.inputs(features, vectors, prompts)
        cache, mask = self._prefixes.cache(features)
        # `generate` wants the whole sequence and cuts off what the cache already holds.
        skipped = inputs.embeds.new_zeros(mask.shape[0], mask.shape[1], inputs.embeds.shape[2])
        said = self._model.generate(
            inputs_embeds=torch.cat([skipped, inputs.embeds], dim=1),
            attention_mask=torch.cat([mask, inputs.mask], dim=1),
            past_key_values=cache,
            generation_config=settings,
        )
        return [text.strip() for text in self._tokenizer.batch_decode(said, skip_special_tokens=True)]

    def _settings(self, max_new_tokens: int, sampling: Sampling | None) -> GenerationConfig:
        own = self._model.generation_config
        pad = own.pad_token_id if own.pad_token_id is not None else self._tokenizer.pad_token_id
        eos = own.eos_token_id if own.eos_token_id is not None else self._tokenizer.eos_token_id
        return GenerationConfig(
            max_new_tokens=max_new_tokens,
            bos_token_id=own.bos_token_id,
            eos_token_id=eos,
            pad_token_id=eos if pad is None else pad,
            **drawing(sampling),
        )

    def _split(self, prompt: str) -> tuple[Tensor, Tensor]:
        """The tokens of the chat before and behind the image."""
        if prompt not in self._known:
            if len(self._known) >= _KNOWN_PROMPTS:
                self._known.clear()
            self._known[prompt] = self._split_anew(prompt)
        return self._known[prompt]

    def _split_anew(self, prompt: str) -> tuple[Tensor, Tensor]:
        image = self._processor.image_token
        content = [{"type": "image"}, {"type": "text", "text": prompt.replace(image, "")}]
        text = self._processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        begun = bool(self._tokenizer.bos_token) and text.startswith(self._tokenizer.bos_token)
        ids = self._tokenizer(text, add_special_tokens=not begun).input_ids
        at = ids.index(self._processor.image_token_id)
        return tuple(torch.tensor(part, device=self.device) for part in (ids[:at], ids[at + 1 :]))

    def _target(self, text: str) -> Tensor:
        ids = self._tokenizer(text, add_special_tokens=False).input_ids
        return torch.tensor([*ids, self._tokenizer.eos_token_id], device=self.device)


def _flags(length: int, start: int, stop: int, device: str) -> Tensor:
    flags = torch.zeros(length, dtype=torch.bool, device=device)
    flags[start:stop] = True
    return flags


def _positions(mask: Tensor) -> Tensor:
    """Where each token stands, padding not counted."""
    return (mask.cumsum(1) - 1).clamp(min=0)


def _attention(layers: Sequence[Tensor], inputs: Inputs) -> Tensor:
    """Mean square, over layers, heads and pairs, of what words give to concept vectors."""
    words = inputs.mask.bool() & ~inputs.concepts
    pairs = words[:, :, None] & inputs.concepts[:, None, :]
    seen = torch.stack([layer[..., -pairs.shape[2] :].square().mean(1) for layer in layers]).mean(0)
    return (seen * pairs).sum() / inputs.looks.sum().clamp(min=1)
