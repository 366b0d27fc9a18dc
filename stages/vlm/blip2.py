"""MyVLM over BLIP-2: concept vectors stand behind the vision encoder's output, where the Q-Former reads.

Works on the stock `Blip2ForConditionalGeneration`, with encoder-decoder (FLAN-T5) and decoder-only (OPT)
language models, by composing what it makes public. A photo goes through the vision encoder once; the
Q-Former reads it once for each set of vectors. How long keys and values are is `qformer.py`'s business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as PillowImage
from torch import Tensor
from torch.nn.functional import normalize, pad
from transformers import AutoProcessor, Blip2ForConditionalGeneration, GenerationConfig

from ..images import Image
from .base import IGNORED, Adapter, Features, Inputs, Losses, Sampling, Vectors
from .language import LOCAL, drawing, load_pretrained, token_cost, words_loss
from .prefix import pad_left
from .qformer import balance
from .recipe import Recipe
from .wording import BLIP2, Wording

_ROWS = 96  # prompts generated for at once


@dataclass(frozen=True)
class _Inputs(Inputs):
    """`embeds`, `mask` and `concepts` are of the concept vectors alone; words follow behind the Q-Former.

    `labels` belong to `ids` where the language model is a decoder, else to the decoder's own tokens.
    """

    ids: Tensor  # (rows, words): prompt, and for a decoder the target
    words: Tensor  # (rows, words), 1 where there is one

    @property
    def looks(self) -> Tensor:
        """How many vectors each row has, (rows,): all queries look at each."""
        return self.concepts.sum(1)


class Blip2(Adapter):
    """BLIP-2 in a folder of the layout that transformers publishes."""

    wording: ClassVar[Wording] = BLIP2
    recipe = Recipe(attention=0.04)  # MyVLM, appendix B.2; there objects take 75 steps

    def __init__(self, folder: Path, made_by: str, dtype: torch.dtype | None = None) -> None:
        """Load the model, onto a GPU if there is one; `dtype` instead of the one that suits the device.

        `made_by` names it in what is derived by it. Raises ModelMissing or ModelDamaged.
        """
        self.made_by = made_by
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model, self._processor = load_pretrained(folder, "BLIP-2", _read, self.device, dtype)
        self._tokenizer = self._processor.tokenizer
        self._language = self._model.language_model
        self._embed = self._language.get_input_embeddings()
        self._text = self._model.config.text_config
        vision = self._model.config.vision_config
        self._grid = vision.image_size // vision.patch_size
        self._tokens = self._grid**2 + 1  # patches and [CLS]
        balance(self._model.qformer, self._tokens)
        # Said by models that were trained to read means of word embeddings as concept vectors.
        self._reads_words = getattr(self._model.config, "concepts_start_as", "") == "words"

    @property
    def width(self) -> int:
        """The vision encoder's hidden size."""
        return int(self._model.config.vision_config.hidden_size)

    def vector(self, values: NDArray[np.floating]) -> Tensor:
        """A kept concept vector on the model's device."""
        return torch.from_numpy(np.asarray(values, np.float32)).to(self.device)

    @torch.no_grad()
    def encode(self, images: Sequence[Image]) -> list[Features]:
        """Encode photos: all the vision encoder says, and the norm of its [CLS]."""
        if not images:
            return []
        pictures = [PillowImage.fromarray(image) for image in images]
        pixels = self._processor.image_processor(pictures, return_tensors="pt")["pixel_values"]
        pixels = pixels.to(self.device, self._model.vision_model.dtype)
        return [
            Features(tokens, float(tokens[0].float().norm()))
            for tokens in self._model.vision_model(pixels).last_hidden_state
        ]

    def inputs(
        self,
        features: Sequence[Features],
        vectors: Sequence[Vectors],
        prompts: Sequence[str],
        targets: Sequence[str] | None = None,
    ) -> Inputs:
        """Put together the vectors that stand behind the photo, the prompt's words and the target's.

        A vector is as long as the photo's [CLS], though keys and values are rescaled behind it: the layers
        that make them have biases, and what is as long as image tokens is what they know.
        """
        longest = max(len(own) for own in vectors)
        nothing = torch.zeros(0, self.width, device=self.device)
        placed = [
            torch.stack([normalize(vector, dim=0) * photo.norm for vector in own]) if own else nothing
            for photo, own in zip(features, vectors, strict=True)
        ]
        rows = [self._prompt(prompt) for prompt in prompts]
        spoken = [rows[0][:0]] * len(rows)
        if targets is not None:
            spoken = [self._target(text, after) for text, after in zip(targets, prompts, strict=True)]
        labels = spoken
        if not self._text.is_encoder_decoder:
            blank = [torch.full_like(row, IGNORED) for row in rows]
            rows, labels = _joined(rows, spoken), _joined(blank, spoken)
        flags = [torch.ones(len(own), dtype=torch.bool, device=self.device) for own in placed]
        concepts = torch.stack([pad(row, (0, longest - len(row))) for row in flags])
        return _Inputs(
            features,
            torch.stack([pad(own, (0, 0, 0, longest - len(own))) for own in placed]),
            concepts.long(),
            concepts,
            pad_left(labels, IGNORED),
            pad_left(rows),
            pad_left([torch.ones_like(row) for row in rows]),
        )

    def loss(self, inputs: Inputs, attention: bool = True) -> Losses:
        """Cross entropy of the targets, and the attention that queries give to the concept vectors.

        The latter is the mean square over cross-attentions, heads, queries and vectors (MyVLM, eq. 4).
        """
        assert isinstance(inputs, _Inputs)
        queries, seen = self._read(inputs.features, inputs.embeds, inputs.concepts, attention)
        embeds, mask = self._behind(queries, inputs.ids, inputs.words)
        labels = inputs.labels
        if self._text.is_encoder_decoder:
            # Its decoder takes what comes before each label as input, so padding must stand behind.
            labels = torch.stack([_end_first(row) for row in labels])
            made = self._language(inputs_embeds=embeds, attention_mask=mask, labels=labels).logits
        else:
            longest = int((labels != IGNORED).sum(1).max())
            labels = labels[:, -longest:]
            made = self._language(
                inputs_embeds=embeds,
                attention_mask=mask,
                position_ids=(mask.cumsum(1) - 1).clamp(min=0),
                logits_to_keep=longest + 1,
            ).logits[:, :-1]
        words = words_loss(made, labels)
        if not attention:
            return Losses(words, words.new_zeros(()))
        given = seen[..., self._tokens :].square().mean((0, 2, 3))  # (rows, vectors)
        return Losses(words, (given * inputs.concepts).sum() / inputs.looks.sum().clamp(min=1))

    @torch.no_grad()
    def generate(
        self,
        features: Sequence[Features],
        vectors: Sequence[Vectors],
        prompts: Sequence[str],
        max_new_tokens: int = 512,
        sampling: Sampling | None = None,
    ) -> list[str]:
        """Answer each prompt; a photo with the same vectors is read once for all prompts."""
        if sampling:
            torch.manual_seed(sampling.seed)
        keys = [(id(photo), *map(id, own)) for photo, own in zip(features, vectors, strict=True)]
        first = {key: row for row, key in reversed(list(enumerate(keys)))}
        order = sorted(range(len(prompts)), key=lambda row: (len(prompts[row]), first[keys[row]]))
        answers = [""] * len(prompts)
        for start in range(0, len(order), _ROWS):
            rows = order[start : start + _ROWS]
            distinct = {keys[row]: row for row in rows}
            place = {key: number for number, key in enumerate(distinct)}
            read = self.inputs(
                [features[row] for row in distinct.values()],
                [vectors[row] for row in distinct.values()],
                [""] * len(distinct),
            )
            queries, _ = self._read(read.features, read.embeds, read.concepts, False)
            queries = queries[[place[keys[row]] for row in rows]]
            texts = self._say(queries, [prompts[row] for row in rows], max_new_tokens, sampling)
            for row, text in zip(rows, texts, strict=True):
                answers[row] = text
        return answers

    @torch.no_grad()
    def reply(self, prompts: Sequence[str], max_new_tokens: int = 128) -> list[str]:
        """The language model with no queries before the prompt."""
        nothing = torch.zeros(len(prompts), 0, self._embed.weight.shape[1], device=self.device)
        return self._say(nothing, prompts, max_new_tokens, None)

    def _say(
        self, queries: Tensor, prompts: Sequence[str], max_new_tokens: int, sampling: Sampling | None
    ) -> list[str]:
        ids = [self._prompt(prompt) for prompt in prompts]
        embeds, mask = self._behind(queries, pad_left(ids), pad_left([torch.ones_like(row) for row in ids]))
        settings = self._settings(max_new_tokens, embeds.shape[1], sampling)
        said = self._language.generate(inputs_embeds=embeds, attention_mask=mask, generation_config=settings)
        return [text.strip() for text in self._tokenizer.batch_decode(said, skip_special_tokens=True)]

    @torch.no_grad()
    def attended(self, features: Features, vector: Tensor) -> NDArray[np.float32]:
        """Where the queries look that read the vector: their attention to it times that to each patch."""
        inputs = self.inputs([features], [[vector]], [""])
        _, seen = self._read(inputs.features, inputs.embeds, inputs.concepts, True)
        weighed = (seen[:, 0, ..., -1:] * seen[:, 0, ..., 1 : self._tokens]).mean((0, 1, 2))
        return np.asarray(weighed.reshape(self._grid, self._grid).cpu().numpy(), np.float32)

    def meaning(self, text: str) -> Tensor | None:
        """The mean of the input embeddings of the words, for a model that was trained to read that."""
        if not self._reads_words:
            return None
        ids = self._tokenizer(text, add_special_tokens=False).input_ids
        mean: Tensor = self._embed(torch.tensor(ids, device=self.device)).float().mean(0)
        return mean

    def cost(self, word: str) -> int | None:
        """How many tokens `word` is as part of a sentence."""
        return token_cost(self._tokenizer, word)

    def _read(
        self, features: Sequence[Features], own: Tensor, concepts: Tensor, attention: bool
    ) -> tuple[Tensor, Tensor]:
        """The Q-Former's queries (rows, queries, language width), and where asked for all attention of its
        cross-attentions, (layers, rows, heads, queries, tokens).
        """
        qformer = self._model.qformer
        qformer.set_attn_implementation("eager" if attention else "sdpa")
        seen = torch.stack([photo.tokens for photo in features])
        mask = torch.cat([concepts.new_ones(seen.shape[:2]), concepts], dim=1).long()
        made = qformer(
            query_embeds=self._model.query_tokens.expand(len(features), -1, -1),
            encoder_hidden_states=torch.cat([seen.float(), own], dim=1),
            encoder_attention_mask=mask,
            output_attentions=attention,
        )
        queries: Tensor = self._model.language_projection(made.last_hidden_state.to(seen.dtype))
        looks = torch.stack(made.cross_attentions).float() if attention else queries.new_zeros(())
        return queries, looks

    def _behind(self, queries: Tensor, ids: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
        """Queries and words as the language model reads them, padded on the left, and their mask."""
        rows = [
            torch.cat([own.to(text), text[known.bool()]])
            for own, text, known in zip(queries, self._embed(ids), words, strict=True)
        ]
        mask = [torch.ones(len(row), dtype=torch.long, device=self.device) for row in rows]
        return pad_left(rows), pad_left(mask)

    def _prompt(self, prompt: str) -> Tensor:
        """The tokens of a prompt; without one the language model starts from its first token."""
        token = self._processor.image_token
        text = prompt.replace(str(getattr(token, "content", token)), "")
        start = self._text.bos_token_id
        ids = self._tokenizer(text).input_ids if text or start is None else [start]
        return torch.tensor(ids, device=self.device)

    def _target(self, text: str, after: str) -> Tensor:
        if self._text.is_encoder_decoder:
            return torch.tensor(self._tokenizer(text).input_ids, device=self.device)
        spaced = f" {text}" if after else text  # as it stands behind a prompt
        ids = self._tokenizer(spaced, add_special_tokens=False).input_ids
        return torch.tensor([*ids, self._text.eos_token_id], device=self.device)

    def _settings(self, max_new_tokens: int, before: int, sampling: Sampling | None) -> GenerationConfig:
        own = self._language.generation_config
        places = getattr(self._text, "max_position_embeddings", None) or max_new_tokens + before
        return GenerationConfig(
            max_new_tokens=max(1, min(max_new_tokens, places - before)),
            bos_token_id=own.bos_token_id,
            eos_token_id=own.eos_token_id,
            pad_token_id=own.pad_token_id,
            decoder_start_token_id=own.decoder_start_token_id,
            **drawing(sampling),
        )


def _read(folder: Path, dtype: Any) -> tuple[Any, Any]:
    model = Blip2ForConditionalGeneration.from_pretrained(folder, dtype=dtype, use_safetensors=True, **LOCAL)
    return model, AutoProcessor.from_pretrained(folder, **LOCAL)


def _joined(first: Sequence[Tensor], second: Sequence[Tensor]) -> list[Tensor]:
    return [torch.cat(pair) for pair in zip(first, second, strict=True)]


def _end_first(row: Tensor) -> Tensor:
    """Move a row's padding from its front to its end."""
    return row.roll(-int((row == IGNORED).sum()))
