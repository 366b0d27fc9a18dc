"""Optimises a concept embedding: the vector that makes a frozen model speak of a concept by its identifier.

The objective and its numbers are MyVLM's (section 3, appendix B.2). Works through any adapter. Which photos,
prompts and targets it learns from is decided elsewhere (`lessons.py`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import normalize

from ...schemas.errors import NotLearnt
from .base import Adapter, Features
from .batches import batches
from .recipe import Recipe


@dataclass(frozen=True)
class Lesson:
    """One thing to say about one encoded photo; of several wordings one is drawn each time."""

    features: Features
    prompt: str
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Learnt:
    """The vector that did best on the held-out lessons, and how it came about."""

    vector: NDArray[np.float32]  # (width,), norm 1
    losses: tuple[float, ...]  # one per step
    held_out: tuple[tuple[int, float], ...]  # (step, loss)
    kept_step: int
    seconds: float


def learn(
    adapter: Adapter,
    groups: Sequence[Sequence[Lesson]],
    held_out: Sequence[Lesson],
    recipe: Recipe | None = None,
    description: str = "",
) -> Learnt:
    """Find the vector. Each step is a batch of one lesson drawn from each group.

    `description` is what a start from words begins with. Deterministic for a recipe's seed. Raises NotLearnt
    where a loss is no number.
    """
    recipe = recipe or adapter.recipe
    started = time.monotonic()
    rng = np.random.default_rng(recipe.seed)
    start = adapter.meaning(description) if recipe.start == "words" and description else None
    if start is None:
        start = adapter.vector(rng.standard_normal(adapter.width))
    vector = torch.nn.Parameter(normalize(start, dim=0))
    # AdamW's step is about the rate in each coordinate.
    rate = recipe.rate / adapter.width**0.5 if recipe.start == "words" else recipe.rate
    optimizer = torch.optim.AdamW([vector], lr=rate)
    losses: list[float] = []
    checks: list[tuple[int, float]] = [(0, _check(adapter, vector, held_out, recipe.seed))]
    best = vector.detach().clone()
    for step in range(1, recipe.steps + 1):
        drawn = [group[int(rng.integers(len(group)))] for group in groups]
        optimizer.zero_grad()
        loss = 0.0
        for part in _parts(adapter, vector, drawn, rng, recipe.attention, adapter.room.step):
            part.backward()
            loss += float(part.detach())
        losses.append(_number(adapter, loss))
        torch.nn.utils.clip_grad_norm_([vector], recipe.clip)
        optimizer.step()
        if step % recipe.check_every == 0 or step == recipe.steps:
            checks.append((step, _check(adapter, vector, held_out, recipe.seed)))
            if checks[-1][1] <= min(value for _, value in checks):
                best = vector.detach().clone()
    kept = min(checks, key=lambda check: (check[1], -check[0]))[0]
    unit = normalize(best, dim=0).cpu().numpy()
    return Learnt(unit, tuple(losses), tuple(checks), kept, time.monotonic() - started)


def _parts(
    adapter: Adapter,
    vector: torch.Tensor,
    lessons: Sequence[Lesson],
    rng: np.random.Generator,
    attention: float,
    tokens: int,
) -> Iterator[torch.Tensor]:
    """The loss of all lessons in parts that sum up to it: what goes through the model at once."""
    targets = [lesson.targets[int(rng.integers(len(lesson.targets)))] for lesson in lessons]
    inputs = [
        adapter.inputs(
            [lessons[row].features for row in rows],
            [[vector]] * len(rows),
            [lessons[row].prompt for row in rows],
            [targets[row] for row in rows],
        )
        for rows in batches([lesson.features for lesson in lessons], tokens)
    ]
    looks = [int(part.looks.sum()) for part in inputs]
    for part, own in zip(inputs, looks, strict=True):
        made = adapter.loss(part, attention > 0)
        # Either part of the loss is a mean, of rows the one, the other of looks.
        words, seen = len(part.features) / len(lessons), own / max(1, sum(looks))
        yield words * made.words + attention * seen * made.attention


@torch.no_grad()
def _check(adapter: Adapter, vector: torch.Tensor, lessons: Sequence[Lesson], seed: int) -> float:
    """The loss of the words alone, always on the same wordings."""
    parts = _parts(adapter, vector, lessons, np.random.default_rng(seed), 0.0, adapter.room.held_out)
    return _number(adapter, sum(float(part) for part in parts))


def _number(adapter: Adapter, loss: float) -> float:
    if not math.isfinite(loss):
        raise NotLearnt(
            f"learning with {adapter.made_by} came to a loss of {loss}",
            "check the model with: myvlm-tag models verify; or learn with another: --vlm",
        )
    return loss
