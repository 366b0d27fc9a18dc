"""A quick look at a model while it trains: photos it does not train on, every topic by itself.

An answer counts when each of its tokens is the likeliest one after the true tokens before it, which is when
greedy decoding would give it word for word. The figures of record are in `world.measure`, through the
shipped files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ...stages.vlm.places import intersection_over_union
from .batches import IGNORED, Packer, make_batch
from .context import ContextModel, run_batch
from .pool import Pool

_BATCHES, _BATCH = 12, 32


def describe(
    task: ContextModel, compiled: nn.Module, packer: Packer, pool: Pool, held_out: Sequence[int], device: str
) -> str:
    """Exact answers in percent per topic: plain / introduced in words / by vectors; boxes by IoU >= 0.5."""
    right: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for number in range(_BATCHES):
        rng = np.random.default_rng([9, number])
        chosen = [int(i) for i in np.sort(rng.choice(held_out, _BATCH, replace=False))]
        batch = make_batch(packer, pool, chosen, rng, device)
        with torch.no_grad(), torch.autocast(device, torch.bfloat16):
            states, *_ = run_batch(task, compiled, batch, rng, noise=0.0)
            scores, _ = task.logits(states, batch.labels)
        due, best = likeliest(scores, batch.labels)
        for index, row in enumerate(batch.rows):
            for turn_number, turn in enumerate(row.said, start=1):
                place = due[index] & (batch.segments[index, 1:] == turn_number)
                given, wanted = best[index][place], batch.labels[index, 1:][place]
                score = (
                    _overlaps(given, wanted, packer) if turn.topic == "box" else bool((given == wanted).all())
                )
                mode = ("vector" if turn.as_vectors else "words") if turn.introductions else "plain"
                right[turn.topic][mode].append(float(score))
    return ", ".join(f"{topic} {_by_mode(scores)}" for topic, scores in sorted(right.items()))


def likeliest(scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Where a token is due, and the likeliest there, from the scores at those places: (rows, length - 1)."""
    due = labels[:, 1:] != IGNORED
    best = torch.full_like(labels[:, 1:], IGNORED)
    best[due] = scores.argmax(-1)
    return due, best


def _by_mode(scores: dict[str, list[float]]) -> str:
    return "/".join(
        f"{100 * np.mean(scores[m]):.0f}" if scores[m] else "-" for m in ("plain", "words", "vector")
    )


def _overlaps(given: Tensor, wanted: Tensor, packer: Packer) -> bool:
    form = packer.frame.wording.boxes
    said, true = (form and form.read(packer.decode(tokens.tolist())) for tokens in (given, wanted))
    return said is not None and true is not None and intersection_over_union(said, true) >= 0.5
