"""The vision tower's weights under open_clip's names: the same network, written down differently.

What does not live here: training, and what open_clip's text side holds.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

_LAYER_NAMES = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "self_attn.out_proj": "attn.out_proj",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
_EDGES = {
    "embeddings.class_embedding": "class_embedding",
    "embeddings.patch_embedding.weight": "conv1.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "pre_layrnorm.weight": "ln_pre.weight",
    "pre_layrnorm.bias": "ln_pre.bias",
}


def to_open_clip(
    tower: Mapping[str, Tensor], norm: Mapping[str, Tensor], projection: Tensor
) -> dict[str, Tensor]:
    """State of open_clip's `visual.*` from transformers' CLIPVisionModel.

    `norm` is the LayerNorm on the class token, `projection` (features, width) the linear map behind it.
    """
    tower = {name.removeprefix("vision_model."): value for name, value in tower.items()}
    state = {f"visual.{theirs}": tower[ours] for ours, theirs in _EDGES.items()}
    layers = 1 + max(int(name.split(".")[2]) for name in tower if name.startswith("encoder.layers."))
    for layer in range(layers):
        ours, theirs = f"encoder.layers.{layer}", f"visual.transformer.resblocks.{layer}"
        for kind in ("weight", "bias"):
            state |= {f"{theirs}.{b}.{kind}": tower[f"{ours}.{a}.{kind}"] for a, b in _LAYER_NAMES.items()}
            packed = [tower[f"{ours}.self_attn.{part}_proj.{kind}"] for part in "qkv"]
            state[f"{theirs}.attn.in_proj_{kind}"] = torch.cat(packed)
    state |= {"visual.ln_post.weight": norm["weight"], "visual.ln_post.bias": norm["bias"]}
    return state | {"visual.proj": projection.T}
