"""What a decoder-only model makes of a photo before it reads any prompt: keys and values, computed once.

Only for language models that read left to right; what is done with the cache is the adapter's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from .base import Features

_ROOM = 32  # tokens; a cache is copied when so many have come to it
_KEEP_BYTES = 192 << 20  # per photo: some 380 tokens of a 7B model; larger ones are worked out each time

Memory = list[tuple[Tensor, Tensor]]
"""Keys and values (heads, tokens, size) of each layer."""


class _RoomyLayer(DynamicLayer):
    """A cache layer with room for what comes: the library's copies all of itself for each token.

    That is a fifth of the time that answers take. Where gradients are wanted it is the library's.
    """

    keys: Any  # a part of the first buffer
    values: Any
    _buffers: tuple[Tensor, Tensor] | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append, and return all there is."""
        if torch.is_grad_enabled():
            self._buffers = None
            return super().update(key_states, value_states, *args, **kwargs)
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        if (
            self._buffers is None
            or self.keys._base is not self._buffers[0]
            or end > self._buffers[0].shape[-2]
        ):
            self._buffers = (
                _with_room(self.keys, key_states, end),
                _with_room(self.values, value_states, end),
            )
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[..., start:end, :] = states
        self.keys, self.values = (buffer[..., :end, :] for buffer in self._buffers)
        return self.keys, self.values


def _with_room(kept: Tensor, new: Tensor, length: int) -> Tensor:
    buffer = new.new_empty(*new.shape[:-2], length + _ROOM, new.shape[-1])
    if kept.numel():
        buffer[..., : kept.shape[-2], :] = kept
    return buffer


class Prefixes:
    """Reads photos into key/value caches."""

    def __init__(self, model: Any, before: Tensor) -> None:
        """Use a transformers model; `before` (tokens, width) is what every prompt has before its image."""
        self._model = model
        self._before = before

    def cache(self, features: Sequence[Features]) -> tuple[DynamicCache, Tensor]:
        """A fresh cache with one row per photo, padded on the left, and its mask (rows, tokens)."""
        known: dict[int, Memory] = {
            id(photo): list(photo.memory) for photo in features if photo.memory is not None
        }
        unread = {id(photo): photo for photo in features if id(photo) not in known}
        for photo, memory in zip(unread.values(), self._read(list(unread.values())), strict=True):
            known[id(photo)] = memory
            if sum(keys.nbytes + values.nbytes for keys, values in memory) <= _KEEP_BYTES:
                photo.memory = list(memory)
        lengths = [known[id(photo)][0][0].shape[1] for photo in features]
        longest = max(lengths)
        cache = DynamicCache(config=self._model.config)
        cache.layers = [_RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
        for layer in range(len(known[id(features[0])])):
            own = {photo: memory.pop(0) for photo, memory in known.items()}  # what isn't kept is freed
            keys, values = (
                torch.stack(
                    [
                        pad(own[id(photo)][part], (0, 0, longest - length, 0))
                        for photo, length in zip(features, lengths, strict=True)
                    ]
                )
                for part in (0, 1)
            )
            cache.update(keys, values, layer)
        device = self._before.device
        mask = pad_left([torch.ones(length, dtype=torch.long, device=device) for length in lengths])
        return cache, mask

    @torch.no_grad()
    def _read(self, features: Sequence[Features]) -> list[Memory]:
        if not features:
            return []
        self._model.set_attn_implementation("sdpa")  # others keep a square of the photo's tokens
        rows = [torch.cat([self._before, photo.tokens.to(self._before)]) for photo in features]
        mask = pad_left([torch.ones(len(row), dtype=torch.long, device=row.device) for row in rows])
        made = self._model(
            inputs_embeds=pad_left(rows),
            attention_mask=mask,
            position_ids=(mask.cumsum(1) - 1).clamp(min=0),
            past_key_values=DynamicCache(config=self._model.config),
            use_cache=True,
            logits_to_keep=1,
        )
        layers = made.past_key_values.layers
        read: list[Memory] = [[] for _ in rows]
        while layers:
            layer = layers.pop(0)  # goes as it is copied, or all would be there twice
            for row, (own, memory) in enumerate(zip(rows, read, strict=True)):
                keys, values = (part[row, :, -len(own) :].clone() for part in (layer.keys, layer.values))
                memory.append((keys, values))
        return read


def pad_left(rows: Sequence[Tensor], value: float = 0) -> Tensor:
    """Stack rows of different lengths (along their first dimension), ends together."""
    longest = max(len(row) for row in rows)
    flat = [(0, 0) * (row.dim() - 1) + (longest - len(row), 0) for row in rows]
    return torch.stack([pad(row, sides, value=value) for row, sides in zip(rows, flat, strict=True)])
