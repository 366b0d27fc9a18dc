"""The EVA-ViT tower that BLIP-2 and MiniGPT-v2 see through, made from the CLIP-ViT tower and trained on.

What lives here: its shape (`Blip2VisionModel`: no LayerNorm before the first layer, one behind the last),
its start from the trained tower's weights, and the run that mends what differs. What does not: targets and
losses (`vision`), and the two models that use it (`blip2`, `minigpt_v2`).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import Blip2VisionConfig, Blip2VisionModel, CLIPVisionModel

from .checkpoint import load
from .parallel import Run, finished, launch
from .pool import Pool
from .vision import (
    LAYERS,
    PATCH,
    SHAPE,
    TruthHeads,
    TruthTask,
    fit_truth,
    load_truth,
    to_pixels,
)

CHECKPOINT = "eva"
MINUTES = 6.0
PEAK = 6e-4  # half of what a tower from nothing learns at
_LOOKED_AT = 256  # photos whose embeddings give the scale that pre_layernorm had


def build_eva() -> Blip2VisionModel:
    """The untrained tower, of the CLIP-ViT tower's size."""
    config = Blip2VisionConfig(
        **SHAPE,
        hidden_act="gelu",
        layer_norm_eps=1e-5,
        initializer_range=0.02,
    )
    tower = Blip2VisionModel(config)
    tower.set_attn_implementation("eager")  # the fastest on a CPU at this size
    return tower


class EvaTask(TruthHeads):
    """The tower under the heads that read the truth off it."""

    def __init__(self) -> None:
        super().__init__()
        self.tower = build_eva()

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """What the heads read off photos."""
        return self.read(self.tower(pixels).last_hidden_state)

    def start_from(self, truth: TruthTask, pixels: Tensor) -> None:
        """Take over a trained CLIP-ViT tower and its heads; `pixels` are photos to measure it by.

        Only the scale of each patch's embedding, which LayerNorm took away, is lost.
        """
        own = {k: v for k, v in truth.state_dict().items() if not k.startswith("tower.")}
        self.load_state_dict(own, strict=False)
        self.tower.load_state_dict(from_clip(truth.tower, pixels))


@torch.no_grad()
def from_clip(clip: CLIPVisionModel, pixels: Tensor) -> dict[str, Tensor]:
    """The weights of an EVA-ViT that sees nearly what this CLIP-ViT sees.

    LayerNorm before the first layer is folded into the embeddings: its mean and gain are linear, and its
    scale is taken to be what it is on average over `pixels` (n, 3, SIZE, SIZE). Keys lose nothing with their
    bias, but it is kept.
    """
    state = {name.removeprefix("vision_model."): value for name, value in clip.state_dict().items()}
    places = state["embeddings.position_embedding.weight"]
    first = torch.nn.functional.conv2d(pixels, state["embeddings.patch_embedding.weight"], stride=PATCH)
    scale = (first.flatten(2).transpose(1, 2) + places[1:]).std(-1, correction=0).mean()
    gain, shift = state["pre_layrnorm.weight"], state["pre_layrnorm.bias"]
    own = state["embeddings.class_embedding"] + places[0]

    def folded(columns: Tensor) -> Tensor:
        return gain * (columns - columns.mean(-1, keepdim=True)) / scale

    kernel = state["embeddings.patch_embedding.weight"]
    made = {
        "embeddings.class_embedding": torch.nn.functional.layer_norm(own, own.shape, gain, shift)[None, None],
        "embeddings.position_embedding": torch.cat([torch.zeros_like(own)[None], folded(places[1:])])[None],
        "embeddings.patch_embedding.weight": folded(kernel.flatten(1).T).T.reshape_as(kernel).contiguous(),
        "embeddings.patch_embedding.bias": shift,
        "post_layernorm.weight": torch.ones_like(gain),  # the heads have gains of their own
        "post_layernorm.bias": torch.zeros_like(shift),
    }
    for layer in range(LAYERS):
        prefix = f"encoder.layers.{layer}"
        for kind in ("weight", "bias"):
            parts = [state[f"{prefix}.self_attn.{part}_proj.{kind}"] for part in "qkv"]
            made[f"{prefix}.self_attn.qkv.{kind}"] = torch.cat(parts)
            made[f"{prefix}.self_attn.projection.{kind}"] = state[f"{prefix}.self_attn.out_proj.{kind}"]
            for part in ("layer_norm1", "layer_norm2", "mlp.fc1", "mlp.fc2"):
                made[f"{prefix}.{part}.{kind}"] = state[f"{prefix}.{part}.{kind}"]
    return made


def ensure(shared: Path, device: str) -> None:
    """Train the tower in `shared` if no run has finished it yet; the CLIP-ViT tower must be there."""
    if not finished(shared / CHECKPOINT):
        launch(partial(train_in, shared / "scenes"), shared, MINUTES, device)


def load_eva(shared: Path) -> EvaTask:
    """Tower and heads as the run in `shared` left them."""
    task = EvaTask()
    if not load(shared / CHECKPOINT, task).finished:
        raise FileNotFoundError(f"no finished EVA-ViT tower in {shared / CHECKPOINT}")
    return task


def train_in(scenes: Path, run: Run) -> None:
    """Train the tower on the pool in `scenes`, from the CLIP-ViT tower beside it."""
    pool = Pool(scenes)
    torch.manual_seed(0)
    task = EvaTask()
    task.start_from(load_truth(run.work), to_pixels(pool.images(np.arange(_LOOKED_AT))))
    fit_truth(run, CHECKPOINT, task.to(run.device), pool, PEAK)
