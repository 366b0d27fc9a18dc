"""What every vision-language model offers to MyVLM: the adapter interface, and nothing about any one model.

A photo is encoded once; concept vectors enter behind its features, so one encoding serves every concept and
every prompt. How a concept vector comes about is `embedding.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..images import Image
from .batches import Room
from .places import Box
from .recipe import Recipe
from .wording import Wording

if TYPE_CHECKING:
    from torch import Tensor

Vectors = Sequence["Tensor"]
"""The concept vectors of one photo, each (width,), of any norm: an adapter rescales them."""


@dataclass
class Features:
    """One encoded photo."""

    tokens: Tensor  # (tokens, width), what the language side sees of the photo
    norm: float  # what a concept vector is rescaled to
    memory: Any = field(default=None, repr=False)  # what an adapter has worked out from the tokens alone


@dataclass(frozen=True)
class Inputs:
    """A batch ready for the language side: per row a photo, and all that stands behind it.

    Rows are padded on the left; `length` counts the longest.
    """

    features: Sequence[Features]
    embeds: Tensor  # (rows, length, width): concept vectors, prompt, and the target where there is one
    mask: Tensor  # (rows, length), 1 where there is something
    concepts: Tensor  # (rows, length), true where a concept vector stands
    labels: Tensor  # (rows, length), the target's tokens, elsewhere IGNORED

    @property
    def looks(self) -> Tensor:
        """How many places of each row, (rows,), the regulariser is a mean over: words times vectors."""
        return (self.mask.bool() & ~self.concepts).sum(1) * self.concepts.sum(1)


@dataclass(frozen=True)
class Losses:
    """The two parts of MyVLM's objective, before weighting."""

    words: Tensor  # cross entropy of the target, the mean over rows of the mean over its tokens
    attention: Tensor  # mean square of the attention that other tokens give to the concept vectors


@dataclass(frozen=True)
class Sampling:
    """How words are drawn. Without it the likeliest is taken, which makes every run the same.

    The defaults are the paper's for LLaVA (MyVLM, appendix B.1).
    """

    temperature: float = 0.2
    top_p: float = 0.7
    seed: int = 0


IGNORED = -100  # torch's own value for labels that don't count


class Adapter(ABC):
    """A vision-language model with a place for concept vectors. Its weights never change."""

    wording: ClassVar[Wording]  # how it wants to be asked
    recipe: Recipe = Recipe()  # how vectors are learnt with it, unless its pack says otherwise
    room: Room = Room()  # how much goes through it at once
    made_by: str  # names the model's content in derived rows

    @property
    @abstractmethod
    def width(self) -> int:
        """How long a concept vector is."""

    @abstractmethod
    def vector(self, values: NDArray[np.floating]) -> Tensor:
        """A concept vector that was kept, where the model can use it."""

    @abstractmethod
    def encode(self, images: Sequence[Image]) -> list[Features]:
        """Encode photos (uint8, RGB, upright, any size) as one batch."""

    @abstractmethod
    def inputs(
        self,
        features: Sequence[Features],
        vectors: Sequence[Vectors],
        prompts: Sequence[str],
        targets: Sequence[str] | None = None,
    ) -> Inputs:
        """Put together rows of photo, its concept vectors (maybe none), prompt and, for learning, target."""

    @abstractmethod
    def loss(self, inputs: Inputs, attention: bool = True) -> Losses:
        """Judge `inputs` with targets; gradients reach the vectors. Without `attention` that part is 0."""

    @abstractmethod
    def generate(
        self,
        features: Sequence[Features],
        vectors: Sequence[Vectors],
        prompts: Sequence[str],
        max_new_tokens: int = 512,
        sampling: Sampling | None = None,
    ) -> list[str]:
        """Answer each prompt about its photo. The same `Features` may come in many rows; it is read once."""

    def attended(self, features: Features, vector: Tensor) -> NDArray[np.float32] | None:
        """How much of a photo a concept vector has to do with what: (rows, columns), upright, positive.

        The values are the model's own attention, a mean over layers and heads; which attention is for each
        adapter to say. `window` is the part of the photo that they cover. None where nothing can be said.
        """
        return None

    def window(self, width: int, height: int) -> Box:
        """Which part of a photo of that size the model sees; past 0 and 1 where it is padded."""
        return (0.0, 0.0, 1.0, 1.0)

    def reply(self, prompts: Sequence[str], max_new_tokens: int = 128) -> list[str] | None:
        """What the language model says to each prompt without any photo; None where it can't be asked so."""
        return None

    @abstractmethod
    def meaning(self, text: str) -> Tensor | None:
        """The mean of the input embeddings of a text's words, (width,), as a start for a concept vector.

        None where vectors stand among what is no word to the model.
        """

    @abstractmethod
    def cost(self, word: str) -> int | None:
        """How many tokens the model needs to say `word`; None if it can't say it at all."""
