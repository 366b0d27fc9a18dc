"""Boxes compared: the measure that detection and grounding share."""

from __future__ import annotations

from collections.abc import Sequence


def intersection_over_union(one: Sequence[float], other: Sequence[float]) -> float:
    """Of two boxes (x0, y0, x1, y1) in the same units; 0 where they do not meet."""
    wide = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    high = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    both = wide * high
    total = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - both
    return both / total if total > 0 else 0.0
