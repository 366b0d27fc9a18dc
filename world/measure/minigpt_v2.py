"""How often the pocket MiniGPT-v2 is right: asked what LLaVA is, in its own words.

What does not live here: what is asked (`llava`), and training (`world.train.minigpt_v2`).
"""

from __future__ import annotations

from pathlib import Path

from ...stages.vlm import minigpt_v2_model  # noqa: F401  makes it known to transformers
from ...stages.vlm.wording import MINIGPT_V2
from .figure import Figure
from .llava import measured

FOLDER = Path(__file__).parents[1] / "weights" / "minigpt_v2"
BARS = {"boxes by a context vector": 0.85}


def figures(folder: Path = FOLDER) -> dict[str, Figure]:
    """The row that MiniGPT-v2 has to reach, then what is only reported."""
    return measured(folder, "MiniGPT-v2", MINIGPT_V2, BARS)
