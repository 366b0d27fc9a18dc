"""The pocket face recogniser: an ArcFace-shaped network and the task that teaches it.

The network takes what `insightface.model_zoo.arcface_onnx.ArcFaceONNX` feeds (112x112 RGB, (x - 127.5) /
127.5) and gives a 512-d embedding. What does not live here: the crops (`faces_pool.py`) and the ONNX file
(`faces_export.py`).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .faces_detector import PATCH, Residual, convolution

EMBEDDING = 512
SCALE = 32.0
MARGIN = 0.35
"""CosFace (Wang et al., 2018): the true identity's cosine must beat every other's by this much."""


class Recogniser(nn.Module):
    """(B, 48, 28, 28) gathered pixels to (B, 512) embeddings, not normalised."""

    def __init__(self, widths: tuple[int, int, int] = (32, 96, 160), squeezed: int = 32) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.body = nn.Sequential(
            convolution(3 * PATCH**2, fine),
            Residual(fine),
            convolution(fine, middle, 3, 2),
            Residual(middle),
            Residual(middle),
            convolution(middle, coarse, 3, 2),
            Residual(coarse),
            convolution(coarse, squeezed, 1),
        )
        # Flattened, not pooled: after alignment, where a feature lies is part of who it is.
        self.embed = nn.Linear(squeezed * 7 * 7, EMBEDDING, bias=False)
        self.scale = nn.BatchNorm1d(EMBEDDING)

    def forward(self, gathered: Tensor) -> Tensor:
        """One embedding per face."""
        return self.scale(self.embed(self.body(gathered).flatten(1)).float())


class RecogniserTask(nn.Module):
    """The recogniser with what it is taught by, neither of which is exported.

    A margin classifier over the training identities, and a linear reading of `Person.vector()` off the
    embedding. The reading is what carries over to people never seen: the look itself has to be in the
    embedding.
    """

    def __init__(self, identities: int, traits: int) -> None:
        super().__init__()
        self.recogniser = Recogniser()
        self.classes = nn.Parameter(torch.randn(identities, EMBEDDING))
        self.traits = nn.Linear(EMBEDDING, traits)

    def loss(
        self, gathered: Tensor, identity: Tensor, vector: Tensor, ease: float
    ) -> tuple[Tensor, dict[str, float]]:
        """CosFace plus smooth L1 on the traits; the margin grows with `ease` from 0 to 1."""
        embedding = functional.normalize(self.recogniser(gathered))
        cosine = embedding @ functional.normalize(self.classes).T
        margin = functional.one_hot(identity, len(self.classes)) * (MARGIN * ease)
        margin_loss = functional.cross_entropy(SCALE * (cosine - margin), identity)
        read = self.traits(embedding * EMBEDDING**0.5)
        trait_loss = functional.smooth_l1_loss(read.float(), vector, beta=0.2)
        accuracy = (cosine.detach().argmax(1) == identity).float().mean()
        logged = {
            "margin": float(margin_loss.detach()),
            "traits": float(trait_loss.detach()),
            "accuracy": float(accuracy),
        }
        return margin_loss + 10.0 * trait_loss, logged
