"""Concept vectors in a Q-Former's cross-attention: keys and values as long as the image's own.

The scale fix of MyVLM for BLIP-2, as hooks on transformers' `Blip2QFormerModel`. What does not live here:
which vectors stand there, and what is made of the queries (`blip2.py`).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize


def balance(qformer: Any, image_tokens: int) -> None:
    """Rescale, in every cross-attention, the keys and values of what stands behind `image_tokens`.

    They get the mean norm of the photo's own keys and values (MyVLM, eq. 3). A photo with nothing behind its
    tokens is read as if there were no hooks.
    """
    for layer in qformer.encoder.layer:
        if layer.has_cross_attention:
            for projection in (layer.crossattention.attention.key, layer.crossattention.attention.value):
                projection.register_forward_hook(partial(_rescale, image_tokens))


def _rescale(image_tokens: int, _: nn.Module, __: Any, made: Tensor) -> Tensor | None:
    image, own = made[:, :image_tokens], made[:, image_tokens:]
    if not own.shape[1]:
        return None
    length = image.float().norm(dim=-1).mean(1)[:, None, None]
    return torch.cat([image, (normalize(own.float(), dim=-1) * length).to(made)], dim=1)
