"""A decoder over photo and words as training runs it: packed rows, one vector in an introduction's place.

What lives here: where such a vector stands, how long it is, and the answers' logits. What does not: the
models themselves and their training (`llava`, `minigpt_v2`).
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn
from transformers import LlamaModel
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from .batches import IGNORED, Batch, Frame, attention_mask
from .tokenizer import PAD_ID
from .vision import GRID, TruthHeads

POINTING_LAYER = 3  # words have found each other below it, and what it brings is worked out above


class ContextModel(nn.Module):
    """The parts of a model (shared with it), run on packed rows; with the tower's truth heads beside them.

    Where a frame has fewer image tokens than there are patches, patches side by side are joined.
    """

    def __init__(self, tower: nn.Module, projector: nn.Module, language: LlamaModel, frame: Frame) -> None:
        super().__init__()
        self.tower = tower
        self.projector = projector
        self.language = language
        self.truth = TruthHeads()
        self.frame = frame

    def start_from(self, tower: nn.Module, truth: TruthHeads) -> None:
        """Take over a trained tower and its heads."""
        self.tower.load_state_dict(tower.state_dict())
        own = self.truth.state_dict().keys()
        self.truth.load_state_dict({k: v for k, v in truth.state_dict().items() if k in own})

    def forward(
        self, inputs: tuple[Tensor, ...], strength: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Last hidden states (n, length, width), where the pointing head looks (n, length, image tokens;
        logarithms), and what the truth heads read off the tower.

        `strength` (vectors,) says how long a vector is: 0 as a word's embedding, 1 as the tower's class
        token.
        """
        pixels, ids, segments, positions, places, words = inputs
        states = self.tower(pixels).last_hidden_state
        neighbours = GRID * GRID // self.frame.image_tokens
        image = self.projector(states[:, 1:].unflatten(1, (-1, neighbours)).flatten(2))
        table = self.language.embed_tokens
        text = table(ids).to(image.dtype)
        embedded = torch.cat([text[:, : self.frame.start], image, text[:, self.frame.prefix :]], 1)
        lengths = self._lengths(table.weight, states[:, 0], strength)
        vectors = self._vectors(table, words, lengths, noise).to(image.dtype)
        flat = torch.cat([embedded.flatten(0, 1), embedded.new_zeros(1, embedded.shape[-1])])
        embedded = flat.index_copy(0, places, vectors)[:-1].view_as(embedded)
        mask = attention_mask(segments, image.dtype)
        said = self.language(
            inputs_embeds=embedded,
            attention_mask=mask,
            position_ids=positions,
            use_cache=False,
            output_hidden_states=True,
        )
        seen = self._pointing(said.hidden_states[POINTING_LAYER], mask, positions)
        return (said.last_hidden_state, seen, *self.truth.read(states))

    def _pointing(self, states: Tensor, mask: Tensor, positions: Tensor) -> Tensor:
        """The logarithm of what the first head of a layer gives to each image token, (n, length, tokens)."""
        layer = self.language.layers[POINTING_LAYER]
        attention, states = layer.self_attn, layer.input_layernorm(states)
        size = attention.head_dim
        weights = (attention.q_proj.weight[:size], attention.k_proj.weight[:size])
        query, key = (functional.linear(states, weight)[:, None] for weight in weights)
        query, key = apply_rotary_pos_emb(query, key, *self.language.rotary_emb(states, positions))
        scores = (query @ key.transpose(2, 3))[:, 0].float() * attention.scaling + mask[:, 0].float()
        return scores[..., self.frame.start : self.frame.prefix] - scores.logsumexp(-1, keepdim=True)

    def _lengths(self, weight: Tensor, class_tokens: Tensor, strength: Tensor) -> Tensor:
        short = weight.detach().float().norm(dim=-1).mean().log()
        long = class_tokens.detach().float().norm(dim=-1).mean().log()
        return torch.exp(short + strength * (long - short))

    def _vectors(self, table: nn.Module, words: Tensor, lengths: Tensor, noise: Tensor) -> Tensor:
        """The mean embedding of the words, shaken a little and rescaled: (vectors, width)."""
        known = (words != PAD_ID).unsqueeze(-1).float()
        mean = (table(words).float() * known).sum(1) / known.sum(1).clamp(min=1)
        direction = functional.normalize(mean, dim=-1) + noise
        return functional.normalize(direction, dim=-1) * lengths[:, None]

    def logits(self, states: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Scores and wanted tokens at the places where an answer's next token is due."""
        due = labels[:, 1:] != IGNORED
        weight = self.language.embed_tokens.weight
        return functional.linear(states[:, :-1][due], weight.to(states.dtype)).float(), labels[:, 1:][due]

    def pointing_loss(self, seen: Tensor, batch: Batch) -> tuple[Tensor, float]:
        """How little the pointing head looks at whom the next token speaks of, and the share it gives them.

        Which of several people a question means is the slowest thing to learn from answers alone.
        """
        owned = batch.about[:, 1:, None] == batch.owners[:, None, :]
        shown = owned.unflatten(-1, (self.frame.image_tokens, -1)).any(-1)
        due = shown.any(-1)
        mass = seen[:, :-1][due].masked_fill(~shown[due], -1e4).logsumexp(-1)
        return -mass.mean(), float(mass.detach().exp().mean())


def run_batch(
    task: ContextModel, compiled: nn.Module, batch: Batch, rng: np.random.Generator, noise: float = 0.7
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What the model makes of a batch; most vectors are as long as the class token, the rest anywhere below.

    `noise` is the longest random direction added to a vector of length one, so that vectors found by
    optimisation, which are no mean of words, are understood too.
    """
    count, width = len(batch.vector_places), task.language.config.hidden_size
    strength = np.where(rng.random(count) < 0.6, rng.normal(1.0, 0.04, count), rng.uniform(0.0, 1.1, count))
    shake = rng.normal(0, 1, (count, width))
    shake *= noise * rng.random((count, 1)) / np.linalg.norm(shake, axis=1, keepdims=True)
    device = batch.ids.device
    inputs = (
        batch.pixels,
        batch.ids,
        batch.segments,
        batch.positions,
        batch.vector_places,
        batch.vector_words,
    )
    strength_and_shake = (torch.from_numpy(part).float().to(device) for part in (strength, shake))
    made: tuple[Tensor, Tensor, Tensor, Tensor] = compiled(inputs, *strength_and_shake)
    return made
