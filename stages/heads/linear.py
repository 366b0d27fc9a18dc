"""Heads for pets and things: one linear layer of two classes over the photo's CLIP features.

All heads are applied as one matrix product, since a softmax of two classes is the sigmoid of the difference
of their logits. Training is MyVLM's, appendix B.2. People are `person.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

_BLOCK = 16_384  # photos per matrix product


@dataclass(frozen=True)
class LinearHead:
    """One concept: logit = features @ weight + bias; a probability of at least `threshold` is a hit."""

    weight: NDArray[np.float32]  # (dimensions,)
    bias: float
    threshold: float = 0.5
    #: The photos it was trained to find, (n, dimensions), unit rows: other concepts are told from them.
    own: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32), compare=False)
    #: Of those it was trained not to find the ones that the person gave, likewise: for when it is made anew.
    given: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32), compare=False)


@dataclass(frozen=True)
class Recipe:
    """How a head is trained; the defaults are the paper's."""

    steps: int = 500
    batch: int = 16  # half positives, half negatives
    rate: float = 1e-3  # AdamW, down to zero as a cosine
    seed: int = 0


def fit(
    positives: Floats, negatives: Floats, threshold: float = 0.5, recipe: Recipe | None = None
) -> tuple[LinearHead, list[float]]:
    """Train on features (n, dimensions), unit rows; returns the head and the loss of each step."""
    import torch
    from torch.nn.functional import cross_entropy

    recipe = recipe or Recipe()
    if not len(positives) or not len(negatives):
        raise ValueError("a head needs positives and negatives")
    generator = torch.Generator().manual_seed(recipe.seed)
    classes = [torch.from_numpy(np.asarray(part, np.float32)) for part in (negatives, positives)]
    half = recipe.batch // 2
    labels = torch.tensor([0] * half + [1] * half)
    layer = torch.nn.Linear(classes[0].shape[1], 2)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=recipe.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.steps)
    losses = []
    for _ in range(recipe.steps):
        drawn = [part[torch.randint(len(part), (half,), generator=generator)] for part in classes]
        loss = cross_entropy(layer(torch.cat(drawn)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
    weight, bias = (part.detach().numpy() for part in (layer.weight, layer.bias))
    own = np.asarray(positives, np.float32)
    return LinearHead(weight[1] - weight[0], float(bias[1] - bias[0]), threshold, own), losses


def probabilities(features: Floats, heads: Sequence[LinearHead]) -> NDArray[np.float32]:
    """How sure each head is of each photo, 0-1: (photos, heads). `features` may be float16 or float32."""
    result = np.empty((len(features), len(heads)), np.float32)
    if not heads:
        return result
    weights = np.stack([head.weight for head in heads], axis=1)
    bias = np.array([head.bias for head in heads], np.float32)
    for start in range(0, len(features), _BLOCK):
        block = result[start : start + _BLOCK]
        np.matmul(features[start : start + _BLOCK].astype(np.float32), weights, out=block)
        block += bias
        with np.errstate(
            over="ignore"
        ):  # exp(100) is infinite in float32, and 1 / infinity is the right answer
            np.reciprocal(1 + np.exp(-block), out=block)
    return result
