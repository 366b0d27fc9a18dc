"""Instance looks in a photo's one feature: a loss that tells "my mug" from every other mug.

What lives here: an encoder of pets' and things' true looks, and the sigmoid loss between photos and looks,
with look-alikes as the hardest negatives. It needs no second photo of an instance. What does not live here:
the vision tower and CLIP, which are trained with it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from ..things import ITEM_DIM, Item, sample_lookalike
from .pool import Photo, view_box

FEATURE_DIM = 512
_HIDDEN = 384


class LookMatcher(nn.Module):
    """Says of a photo's feature and an item's look whether this very item is in the photo."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(ITEM_DIM, _HIDDEN),
            nn.GELU(),
            nn.Linear(_HIDDEN, _HIDDEN),
            nn.GELU(),
            nn.Linear(_HIDDEN, FEATURE_DIM),
        )
        self.log_scale = nn.Parameter(torch.tensor(2.3))
        self.bias = nn.Parameter(torch.tensor(-6.0))

    def forward(self, features: Tensor, looks: Tensor, present: Tensor) -> tuple[Tensor, float]:
        """SigLIP's loss of `features` (n, 512) against `looks` (m, ITEM_DIM), of which `present` (n, m) are
        shown.

        Returns with it the share of shown items that score above every look that is not shown.
        """
        encoded = functional.normalize(self.encoder(looks).float(), dim=-1)
        scores = functional.normalize(features.float(), dim=-1) @ encoded.T * self.log_scale.exp() + self.bias
        loss = -functional.logsigmoid(torch.where(present, scores, -scores)).sum() / len(features)
        absent_best = scores.masked_fill(present, -torch.inf).max(dim=1, keepdim=True).values
        right = (scores > absent_best)[present].float().mean()
        return loss, float(right)


def looks_in(photos: Sequence[Photo], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Looks of all main items in these photos and of one look-alike each, (m, ITEM_DIM); who shows which."""
    items: dict[str, Item] = {}
    shown: list[set[str]] = []
    for photo in photos:
        in_view = [e.entity for e in photo.found if e.main and view_box(e.box, photo.view)]
        own = {entity.key: entity for entity in in_view if isinstance(entity, Item)}
        items |= own
        shown.append(set(own))
    keys = list(items)
    lookalikes = [sample_lookalike(item, rng) for item in items.values()]
    looks = np.stack([item.vector() for item in [*items.values(), *lookalikes]])
    present = np.zeros((len(photos), len(looks)), bool)
    for row, own_keys in enumerate(shown):
        for column, key in enumerate(keys):
            present[row, column] = key in own_keys
    return torch.from_numpy(looks), torch.from_numpy(present)
