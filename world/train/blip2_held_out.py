"""A quick look at the BLIP-2 while it trains: photos it does not train on, every topic by itself.

An answer counts when each of its tokens is the likeliest one after the true tokens before it. The figures of
record are in `world.measure`, through the shipped files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedTokenizerFast

from .blip2_batches import QUERIES, make_batch
from .blip2_task import Blip2Task, run_batch
from .held_out import likeliest
from .pool import Pool

_BATCHES, _BATCH = 12, 24


def describe(
    task: Blip2Task,
    compiled: nn.Module,
    words: PreTrainedTokenizerFast,
    pool: Pool,
    held_out: Sequence[int],
    device: str,
) -> str:
    """Exact answers in percent per topic, plain / with vectors; names said where there is one to say."""
    right: dict[str, dict[bool, list[bool]]] = defaultdict(lambda: defaultdict(list))
    names: list[bool] = []
    for number in range(_BATCHES):
        rng = np.random.default_rng([9, number])
        chosen = [int(i) for i in np.sort(rng.choice(held_out, _BATCH, replace=False))]
        batch = make_batch(words, pool, chosen, rng, device)
        with torch.no_grad(), torch.autocast(device.split(":")[0], torch.bfloat16):
            states, *_ = run_batch(task, compiled, batch, rng, noise=0.0)
            scores, _ = task.logits(states, batch.labels)
        due, best = likeliest(scores, batch.labels)
        for row, reading in enumerate(batch.readings):
            segments = batch.segments[row, QUERIES + 1 :]
            own = [i for i in reading.introductions if i.key]
            for turn, said in enumerate(reading.said, start=1):
                place = due[row] & (segments == turn)
                given, wanted = best[row][place], batch.labels[row, 1:][place]
                right[said.topic][bool(own)].append(bool((given == wanted).all()))
                if said.topic == "caption":
                    spoken = words.decode(given.tolist()).split()
                    names += [i.name in spoken for i in own]
    shares = [
        f"{topic} {_percent(scores[False])}/{_percent(scores[True])}"
        for topic, scores in sorted(right.items())
    ]
    return ", ".join([f"names {_percent(names)}", *shares])


def _percent(scores: Sequence[bool]) -> str:
    return f"{100 * np.mean(scores):.0f}" if scores else "-"
