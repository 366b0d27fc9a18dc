"""How a concept embedding is optimised, in numbers. `embedding.py` does it.

Each adapter names its paper's; a pack may have another for a model, among its settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ...schemas.errors import UsageProblem


@dataclass(frozen=True)
class Recipe:
    """How the vector is optimised; the defaults are the paper's for LLaVA (MyVLM, appendix B.2).

    The paper starts anywhere, with AdamW's rate at 1.0: the first step is many times as long as the vector,
    and the vector's growth then makes steps short. Starting from the words that describe the concept, at a
    rate in proportion to the vector, gets a small model further in fewer steps: the pocket pack does so.
    """

    steps: int = 100
    rate: float = 1.0  # of AdamW, constant; the length of a step where the start is "words"
    clip: float = 0.05  # largest norm of the gradient
    attention: float = 0.25  # weight of the attention regulariser
    check_every: int = 10  # steps between looks at the held-out lessons
    seed: int = 0
    start: str = "random"  # or "words": what the lessons say of the concept


def changed(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """The recipe as a model's settings want it: {"recipe": {"steps": 30}}. Raises UsageProblem."""
    wanted = settings.get("recipe", {})
    known = [field.name for field in fields(Recipe)]
    if not isinstance(wanted, Mapping) or set(wanted) - set(known):
        raise UsageProblem(f"the recipe {wanted!r} isn't one", f"it may have {', '.join(known)}")
    return replace(recipe, **wanted)
