"""The BLIP-2 as training runs it: several readings of one photo, each with its own context vectors.

What lives here: the model's parts on a batch, how long and how exact a vector is, and the losses beside the
words'. What does not: the model itself and its training (`blip2`), and what is said (`blip2_batches`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn
from transformers import Blip2ForConditionalGeneration

from ...stages.vlm.qformer import balance
from .batches import IGNORED, attention_mask
from .blip2_batches import READINGS, SLOTS, SPOKEN, Blip2Batch
from .tokenizer import PAD_ID
from .vision import FIELD_WEIGHTS, GRID, PATCH_FIELDS, PHOTO_FIELDS

_FIELD_SIZES = {field: len(values) for field, values in PATCH_FIELDS.items()}
_PHOTO_SIZES = {field: len(values) for field, values in PHOTO_FIELDS.items()}
_NAME_WEIGHT = 4.0  # beside the fields' weights; a name is one word of the caption, and what it is there for
_TOKENS = GRID * GRID + 1
_POINTING, _MATCHING = 2, 3  # of the cross-attentions: where a slot finds its entity, and who that is


class Blip2Task(nn.Module):
    """The parts of a BLIP-2 (shared with it), and heads that read its first queries.

    Query number n is a slot: it is trained to be about the entity that the caption names in place n. Left to
    the words alone, queries take far longer to share out a photo's entities.
    """

    def __init__(self, model: Blip2ForConditionalGeneration) -> None:
        super().__init__()
        self.tower = model.vision_model
        self.query_tokens = model.query_tokens
        self.qformer = model.qformer
        self.projection = model.language_projection
        self.language = model.language_model.model
        width = model.config.qformer_config.hidden_size
        self.slots = nn.Linear(width, sum(_FIELD_SIZES.values()))
        self.names = nn.Linear(width, len(SPOKEN))
        self.photo = nn.Linear(width, sum(_PHOTO_SIZES.values()))
        balance(self.qformer, _TOKENS)

    def forward(self, inputs: tuple[Tensor, ...], noise: Tensor) -> tuple[Tensor, ...]:
        """Last hidden states (readings, queries + length, width), what the slots look at in two layers
        (readings, SLOTS, tokens; logarithms), and what the heads read off them: fields, names, and the
        photo's own fields.

        `noise` (readings, vectors, width) shakes vectors of length one.
        """
        pixels, ids, segments, positions, words, present = inputs
        states = self.tower(pixels).last_hidden_state
        seen = states.repeat_interleave(READINGS, 0)
        vectors = self._vectors(words, seen[:, :1], noise)
        mask = torch.cat([torch.ones_like(seen[..., 0], dtype=torch.long), present.long()], 1)
        read = self.qformer(
            query_embeds=self.query_tokens.expand(len(ids), -1, -1),
            encoder_hidden_states=torch.cat([seen, vectors.to(seen.dtype)], 1),
            encoder_attention_mask=mask,
            output_attentions=True,
        )
        queries = read.last_hidden_state
        prefix = self.projection(queries)
        text = self.language.decoder.embed_tokens(ids).to(prefix.dtype)
        said = self.language(
            inputs_embeds=torch.cat([prefix, text], 1),
            attention_mask=attention_mask(segments, prefix.dtype),
            position_ids=positions,
            use_cache=False,
        )
        looks = [read.cross_attentions[n][:, 0, :SLOTS].float() for n in (_POINTING, _MATCHING)]
        pointing, matching = (look.clamp_min(1e-6).log() for look in looks)
        slots, photo = queries[:, :SLOTS], queries[:, SLOTS]
        heads = (self.slots(slots), self.names(slots), self.photo(photo))
        return (said.last_hidden_state, pointing, matching, *heads)

    def _vectors(self, words: Tensor, class_token: Tensor, noise: Tensor) -> Tensor:
        """The mean embedding of the words, shaken a little, as long as the class token."""
        known = (words != PAD_ID).unsqueeze(-1).float()
        embedded = self.language.decoder.embed_tokens(words).float()
        mean = (embedded * known).sum(2) / known.sum(2).clamp(min=1)
        direction = functional.normalize(functional.normalize(mean, dim=-1) + noise, dim=-1)
        return direction * class_token.detach().float().norm(dim=-1, keepdim=True)

    def logits(self, states: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Scores and wanted tokens at the places where an answer's next token is due."""
        due = labels[:, 1:] != IGNORED
        weight = self.language.decoder.embed_tokens.weight
        text = states[:, -labels.shape[1] : -1]
        return functional.linear(text[due], weight.to(states.dtype)).float(), labels[:, 1:][due]

    def slot_losses(
        self, read: Sequence[Tensor], batch: Blip2Batch
    ) -> tuple[Tensor, Tensor, Tensor, dict[str, float]]:
        """How little slots look at their entity's patches and at its vector, and what is read wrongly off
        them; `read` is what `forward` gives behind the states.
        """
        pointing, matching, fields, names, photo = read
        shown = batch.slot_patches.repeat_interleave(READINGS, 0)  # (readings, SLOTS, 81)
        due = shown.any(-1)
        mass = pointing[..., 1:_TOKENS].masked_fill(~shown, -1e4).logsumexp(-1)[due]
        # A slot without a vector of its own looks at the photo, and at none of the others.
        image = matching[..., :_TOKENS].logsumexp(-1, keepdim=True)
        choices = torch.cat([matching[..., _TOKENS:], image], -1)
        asked = batch.present.any(-1)[:, None] & due
        wanted = batch.slot_vectors % choices.shape[-1]  # -1 is the last choice
        match = functional.cross_entropy(choices[asked], wanted[asked])
        truth = fields.new_zeros((), dtype=torch.float32)
        right: dict[str, float] = {
            "pointed": float(mass.detach().exp().mean()),
            "matched": float((choices[asked].argmax(-1) == wanted[asked]).float().mean()),
        }
        called = torch.where(asked, batch.slot_names, IGNORED)
        slot_codes = batch.slot_codes.repeat_interleave(READINGS, 0)
        photo_codes = batch.photo_codes.repeat_interleave(READINGS, 0)
        wants = [called, *slot_codes.unbind(-1), *photo_codes.unbind(-1)]
        slot_parts = fields.float().split(list(_FIELD_SIZES.values()), dim=-1)
        photo_parts = photo.float().split(list(_PHOTO_SIZES.values()), dim=-1)
        scored = [names.float(), *slot_parts, *photo_parts]
        topics = ["name", *_FIELD_SIZES, *_PHOTO_SIZES]
        weights = {**FIELD_WEIGHTS, "name": _NAME_WEIGHT, "place": 3.0}
        for topic, scores, want in zip(topics, scored, wants, strict=True):
            known = want != IGNORED
            wrong = functional.cross_entropy(scores[known], want[known])
            truth = truth + weights.get(topic, 1.0) * wrong
            right[topic] = float((scores[known].argmax(-1) == want[known]).float().mean())
        return -mass.mean(), match, truth, right


def run_batch(
    task: Blip2Task, compiled: nn.Module, batch: Blip2Batch, rng: np.random.Generator, noise: float = 0.7
) -> tuple[Tensor, ...]:
    """What the model makes of a batch.

    `noise` is the longest random direction added to a vector of length one, so that vectors found by
    optimisation, which are no mean of words, are understood too.
    """
    shape = (*batch.present.shape, task.tower.config.hidden_size)
    shake = rng.normal(0, 1, shape)
    shake *= noise * rng.random((*shape[:2], 1)) / np.linalg.norm(shake, axis=-1, keepdims=True)
    inputs = (batch.pixels, batch.ids, batch.segments, batch.positions, batch.vector_words, batch.present)
    made: tuple[Tensor, ...] = compiled(inputs, torch.from_numpy(shake).float().to(batch.ids.device))
    return made
