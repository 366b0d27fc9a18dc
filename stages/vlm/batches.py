"""How many rows go through a model at once: as many as their photos leave room for.

The bounds are for 7B language models in 16 bits on a GPU with 24 GB, of which a program has some 23.5 GiB. By
arithmetic, in GiB, for five photos in six variants each, and 100 tokens of words in every row:

                 weights   variants   rows at once, each   in all
    LLaVA-1.6       13.2        0.6                            a photo of 4 to 3 has 2,352 tokens
        answers                              4 x 1.22        18.7
        held out                             2 x 1.22        16.2
        a step                               1 x 2.94        16.7
    MiniGPT-v2      14.4        4.0                            256 tokens; keys and values stay (`prefix.py`)
        answers                 1.3         37 x 0.18        22.4
        held out                            19 x 0.18        21.8
        a step                               5 x 0.71        22.0

A token's keys and values are 0.5 MiB. For a word's gradient a step keeps what the layers made of it, 3.4 MB,
and the attention of 32 layers and heads to all that stands before: 15 MB behind 2,352 tokens, 2.2 behind 256.
In the pocket models all that is learnt from goes through as one batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .base import Features


@dataclass(frozen=True)
class Room:
    """Tokens of photos in one batch, padding among them; a photo that has more goes alone."""

    answers: int = 9_600
    held_out: int = 5_000  # lessons that are judged
    step: int = 1_500  # ... and learnt from, which keeps what gradients need


def batches(photos: Sequence[Features], tokens: int, rows: int | None = None) -> list[list[int]]:
    """Which rows go together, no more than `rows`, each batch in their order; the largest photos first."""
    order = sorted(range(len(photos)), key=lambda row: -len(photos[row].tokens))
    made = []
    while order:
        count = max(1, min(rows or len(order), tokens // max(1, len(photos[order[0]].tokens))))
        made.append(sorted(order[:count]))
        order = order[count:]
    return made
