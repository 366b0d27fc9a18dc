"""How each family of vision-language models wants to be asked, and how it writes boxes.

Data only: no model is loaded here, so that a run can be planned by it. What is asked stands in `asking.py`
and `lessons.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from .places import BoxForm
from .words import BOX, CAPTION


@dataclass(frozen=True)
class Wording:
    """A family's own form of each prompt; {} is what is asked."""

    caption: str = "{}"
    question: str = "{}"
    box: str = ""  # {} is whom or what to point at; empty where the model can't point
    boxes: BoxForm | None = None
    identify: str = ""  # {} is a box; empty where the model doesn't say what is in one

    @property
    def points(self) -> bool:
        """Whether the model answers with boxes."""
        return self.boxes is not None

    def to_caption(self, instruction: str = CAPTION) -> str:
        """The prompt that asks for a caption."""
        return self.caption.replace("{}", instruction)

    def to_answer(self, question: str) -> str:
        """The prompt that asks a question."""
        return self.question.replace("{}", question)

    def to_point(self, whom: str) -> str:
        """The prompt that asks where someone or something is."""
        return self.box.replace("{}", whom)

    def to_identify(self, box: str) -> str:
        """The prompt that asks what is in a box."""
        return self.identify.replace("{}", box)


LLAVA = Wording(box=BOX, boxes=BoxForm("[#, #, #, #]", 1, 2))
#: MyVLM, appendix B.1: no instruction for captions; questions as BLIP-2's authors ask them.
BLIP2 = Wording(caption="", question="Question: {} Answer:")
#: MyVLM, appendix B.1, with the task tags of MiniGPT-v2, section 3.
MINIGPT_V2 = Wording(
    caption="[caption] {}",
    question="[vqa] {}",
    box="[refer] {} in the image",
    boxes=BoxForm("{<#><#><#><#>}", 100, 0),
    identify="[identify] what is this {}",
)
